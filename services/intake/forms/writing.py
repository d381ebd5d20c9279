"""A canonical incident written as a form: what it has a box for, and nothing more.

For the round trip that proves the mapping tables, for the published examples, and for the simulator. What
the form cannot say is left out (`not_carried`); what is no word of the contract is written as it stands.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from services.intake.forms import cells
from services.intake.forms.mapping import Form, FormField, FormName, load_form
from services.intake.forms.places import places


def write_form(form: FormName, incident: Mapping[str, Any]) -> dict[str, Any]:
    """The form as JSON of its own fields; rows are lists, ticks are `true`, dates day first."""
    table = load_form(form)
    people = {
        person["id"]: f"{group.ids}{number}"
        for group in table.groups.values()
        if group.ids
        for number, person in enumerate(_value(incident, group.place) or (), start=1)
        if isinstance(person, Mapping) and isinstance(person.get("id"), str)
    }
    written = _write_boxes(table.fields, "", incident, people)
    for key, group in table.groups.items():
        entries = _value(incident, group.place)
        rows = [_write_boxes(group.fields, f"{group.place}/*", entry, people) for entry in entries or ()]
        if rows:
            written[key] = rows
    return written


def write_csv(form: FormName, incidents: Iterable[Mapping[str, Any]]) -> bytes:
    """The forms as a CSV export (RFC 4180, UTF-8): a header and a row each, rows as numbered columns."""
    table = load_form(form)
    forms = [write_form(form, incident) for incident in incidents]
    most = {key: max((len(one.get(key, ())) for one in forms), default=0) for key in table.groups}
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, columns_of(table, most), restval="")
    writer.writeheader()
    for one in forms:
        writer.writerow(_flat(table, one))
    return sheet.getvalue().encode()


def columns_of(table: Form, rows: Mapping[str, int]) -> list[str]:
    """The CSV header of a form, with so many rows of each group (one at least)."""
    columns = list(table.fields)
    for key, group in table.groups.items():
        for number in range(1, max(1, rows.get(key, 1)) + 1):
            columns += [f"{group.one}_{number}_{name}" for name in group.fields]
    return columns


def _flat(table: Form, form: dict[str, Any]) -> dict[str, str]:
    cells_of = {name: _cell(box, form[name]) for name, box in table.fields.items() if name in form}
    for key, group in table.groups.items():
        for number, row in enumerate(form.get(key, ()), start=1):
            for name, box in group.fields.items():
                if name in row:
                    cells_of[f"{group.one}_{number}_{name}"] = _cell(box, row[name])
    return cells_of


def _cell(box: FormField, value: Any) -> str:
    if box.type == "tick":
        return "X" if value is True else str(value)
    if isinstance(value, list):
        return ("\n" if box.type == "lines" else "; ").join(str(one) for one in value)
    return str(value)


def _write_boxes(
    boxes: Mapping[str, FormField], entry: str, holder: Any, people: Mapping[str, str]
) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if not isinstance(holder, Mapping):
        return written
    for name, box in boxes.items():
        if box.place is None or box.type == "time":
            continue
        value = _value(holder, box.place.removeprefix(entry))
        if value is None:
            continue
        if box.holds == "moment":
            written[name], time = cells.write_moment_of(value)
            if time is not None:
                written[next(other for other, one in boxes.items() if one.part_of == name)] = time
            continue
        said = _write(box, boxes, value, people)
        if said is not None:
            written[name] = said
    return written


def _write(box: FormField, boxes: Mapping[str, FormField], value: Any, people: Mapping[str, str]) -> Any:
    """What is written into the box; None where it stays empty."""
    if box.type == "tick":
        return _write_tick(box, value)
    if box.type == "choice":
        return _word(box, value)
    if box.type == "choices":
        words = [_word(box, one) for one in value] if isinstance(value, list) else [value]
        return [one for one in words if one is not None] or None
    if box.type == "lines":
        ticked = {other.says for other in boxes.values() if other.place == box.place and other.type == "tick"}
        lines = [one for one in value if one not in ticked] if isinstance(value, list) else [value]
        return lines or None
    if box.type == "yes_no":
        return {True: "Yes", False: "No"}.get(value, value) if isinstance(value, bool) else value
    if box.type == "date":
        return cells.write_day(value)
    if box.type == "person":
        return cells.write_person(people.get(value, value) if isinstance(value, str) else value)
    return value


def _write_tick(box: FormField, value: Any) -> Any:
    if box.holds in ("words", "texts", "objects"):
        entries = value if isinstance(value, list) else []
        anything = box.for_any or box.holds == "objects"
        return True if (entries if anything else box.says in entries) else None
    if box.holds == "text":
        return None  # A text goes whole into the text box beside the ticks.
    return None if value is False else value


def _word(box: FormField, value: Any) -> Any:
    if isinstance(value, str) and value in box.written:
        return box.written[value]
    known = box.place is not None and value in places()[box.place].words
    return None if known else value


def _value(holder: Any, at: str) -> Any:
    for step in at.split("/")[1:]:
        if not isinstance(holder, Mapping):
            return None
        holder = holder.get(step)
    return holder
