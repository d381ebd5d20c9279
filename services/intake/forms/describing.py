"""A form explained to the supplier who sends it: its boxes, their words, what it cannot carry, an example."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from services.intake.forms.mapping import Form, FormField, FormName, Lost, load_form
from services.intake.forms.writing import write_csv, write_form
from shared.contracts.incident import Gap


def not_carried(form: FormName) -> list[Gap]:
    """What the form has no box for: its place in the incident (`*` for any entry of a list), the reason
    and the source."""
    return [Gap(at=lost.place, because=because) for lost, because in _losses(load_form(form))]


def _losses(table: Form) -> list[tuple[Lost, str]]:
    losses = []
    for lost in table.cannot_carry:
        which = ""
        if lost.only:
            which = f" It cannot say: {_words(lost.only)}."
        elif lost.all_but:
            which = f" All it can say: {_words(lost.all_but)}."
        if lost.but:
            which += f" Carried all the same: {', '.join(lost.but)}."
        losses.append((lost, f"{lost.because}.{which} ({lost.source})"))
    return losses


def _words(words: tuple[str, ...]) -> str:
    return ", ".join("an empty list" if word == "none" else f'"{word}"' for word in words)


@cache
def _example() -> dict[str, Any]:
    text = (resources.files(__package__) / "example.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def describe(form: FormName) -> dict[str, Any]:
    """The form as plain data: for each box its JSON key, CSV column, type, words, meaning, source and
    place in the incident; what the form cannot carry; one made-up incident as JSON and as CSV."""
    table = load_form(form)
    return {
        "form": table.form,
        "title": table.title,
        "about": table.about,
        "source": table.source,
        "fields": [_describe_box(name, name, box) for name, box in table.fields.items()],
        "groups": [
            {
                "name": key,
                "meaning": group.meaning,
                "source": group.source,
                "place": group.place,
                "fields": [
                    _describe_box(name, f"{group.one}_1_{name}", box) for name, box in group.fields.items()
                ],
            }
            for key, group in table.groups.items()
        ],
        "cannot_carry": [{"place": gap.at, "because": gap.because} for gap in not_carried(form)],
        "example": {
            "json": write_form(form, _example()),
            "csv": write_csv(form, [_example()]).decode(),
        },
    }


def _describe_box(name: str, column: str, box: FormField) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "column": column,
        "type": box.type,
        "needed": box.needed,
        "meaning": box.meaning,
        "source": box.source,
    }
    if box.place is not None:
        described["place"] = box.place
    if box.for_each is not None:
        described["for_each"] = box.for_each
    if box.kept is not None:
        described["kept"] = box.kept
    if box.words:
        described["words"] = dict(box.words)
    if box.type == "tick" and box.says is not True:
        described["says"] = box.says
    return described
