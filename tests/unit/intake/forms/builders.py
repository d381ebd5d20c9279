"""Incidents of every shape, and what is said in them: the statements that a form keeps or loses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from services.intake.forms.mapping import Form
from services.intake.forms.places import Place, places

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip()) and text not in ("some", "none")  # what `statements` calls lists
)
# Hypothesis takes its bounds without a zone; the moments it gives are then said to be UTC.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
LATEST = datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None)
NOT_CONTENT = ("force", "reference", "schema", "faults")


def values(place: Place) -> st.SearchStrategy[Any]:
    """What may stand at a place, as it stands in JSON."""
    words = st.sampled_from(place.words) if place.words else TEXT
    return {
        "text": TEXT,
        "word": words,
        "bool": st.booleans(),
        "number": st.integers(1, 60),
        "day": st.dates(date(1930, 1, 1), date(2026, 10, 1)).map(lambda day: day.isoformat()),
        "moment": st.datetimes(EARLIEST, LATEST).map(
            lambda moment: moment.replace(tzinfo=UTC, microsecond=0).isoformat().replace("+00:00", "Z")
        ),
        "texts": st.lists(TEXT, max_size=3, unique=True),
        "words": st.lists(words, max_size=4, unique=True),
    }[place.holds]


def parts(at: str, always: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the contract with any of its fields, and `always` some."""
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for pointer, place in places().items():
        above, _, name = pointer.rpartition("/")
        if above != at or name in NOT_CONTENT or name in always:
            continue
        if place.holds == "object":
            optional[name] = parts(pointer, {})
        elif place.holds == "objects":
            optional[name] = rows(pointer)
        else:
            optional[name] = values(place)
    return st.fixed_dictionaries(always, optional=optional)


def rows(at: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A list of entries; each says at least one thing that every form with such rows has a box for."""
    person = st.sampled_from(["a1", "a2", "c1"])
    named = st.fixed_dictionaries({"given": TEXT, "family": TEXT})
    always: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "/adults": {"id": st.just(""), "name": named},
        "/children": {"id": st.just(""), "name": named},
        "/relationships": {"from": person, "to": person},
        "/incident/weapons": {"kind": values(places()["/incident/weapons/*/kind"]), "by": person},
        "/incident/injuries": {"severity": values(places()["/incident/injuries/*/severity"]), "to": person},
    }
    return st.lists(parts(f"{at}/*", always.get(at, {})), max_size=3)


def _numbered(incident: dict[str, Any]) -> dict[str, Any]:
    for key, letter in (("adults", "a"), ("children", "c")):
        for number, person in enumerate(incident.get(key) or (), start=1):
            person["id"] = f"{letter}{number}"
    return incident


def incidents() -> st.SearchStrategy[dict[str, Any]]:
    """Any incident that the contract knows."""
    needed = {
        "force": st.just("northshire"),
        "reference": TEXT,
        "occurred_at": values(places()["/occurred_at"]),
    }
    return parts("", needed).map(_numbered)


Statement = tuple[str, str, str]
"""Where it is said, at which place of the contract, and what: a value, a word of a list, `some`, `none`."""


def statements(incident: dict[str, Any]) -> set[Statement]:
    """Everything an incident says, so that two can be compared. Ids go by position."""
    return set(_said(incident, "", ""))


def _said(here: Any, at: str, place: str) -> Iterator[Statement]:
    known = places().get(place)
    if here is None or place in ("/schema", "/adults/*/id", "/children/*/id"):
        return
    if isinstance(here, dict):
        for key, value in here.items():
            yield from _said(value, f"{at}/{key}", f"{place}/{key}")
    elif isinstance(here, list):
        yield at, place, "some" if here else "none"
        for index, entry in enumerate(here):
            if known is not None and known.holds == "objects":
                yield from _said(entry, f"{at}/{index}", f"{place}/*")
            else:
                yield at, place, str(entry)
    else:
        yield at, place, str(here).lower() if isinstance(here, bool) else str(here)


def is_lost(form: Form, said: Statement) -> bool:
    """Whether the mapping table says that the form cannot carry this."""
    return any(lost.loses(said[1], said[2]) for lost in form.cannot_carry if said[2] != "some")
