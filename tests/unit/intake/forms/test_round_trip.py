"""A canonical incident written as a form and read back loses what the source says the form lacked, no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.forms import FormName, read_form, rows_of, write_csv, write_form
from services.intake.forms.mapping import load_form
from services.intake.forms.places import places
from shared.contracts.incident import Incident
from shared.contracts.reading import read_incident
from tests.unit.intake.forms.builders import Statement, incidents, is_lost, statements
from waymark.simulate import load_profile, simulate

FORMS: tuple[FormName, ...] = get_args(FormName)
SAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "samples"
EXAMPLE = json.loads((SAMPLES / "v1" / "incident.json").read_bytes())


def by_json(form: FormName, incident: dict[str, Any]) -> dict[str, Any]:
    reading = read_form(form, json.loads(json.dumps(write_form(form, incident))))
    assert reading.faults == []
    return reading.incident


def by_csv(form: FormName, incident: dict[str, Any]) -> dict[str, Any]:
    (row,) = rows_of(form, write_csv(form, [incident]))
    assert row.faults == []
    reading = read_form(form, row.fields)
    assert reading.faults == []
    return reading.incident


def as_the_door_reads(incident: dict[str, Any]) -> dict[str, Any]:
    """Without what the door names as a fault: that is unknown on both sides."""
    return {key: value for key, value in read_incident(incident).incident.as_json().items() if key != "faults"}


def coarser(form: FormName, said: Statement, before: set[Statement]) -> bool:
    """Whether `said` is what the form writes for a finer statement at the same place."""
    for _, _, box in load_form(form).boxes():
        if box.place == said[1] and box.broader:
            finer = {word for word, written in box.broader.items() if box.words[written] == said[2]}
            return any((said[0], said[1], word) in before for word in finer)
        if box.place == said[1] and box.for_any and box.says == said[2]:
            return (said[0], said[1], "some") in before
    return False


def compare(form: FormName, before: dict[str, Any], after: dict[str, Any]) -> set[Statement]:
    """Hold the difference to the mapping table; gives what was lost."""
    said, read = statements(before), statements(after)
    table = load_form(form)
    lost = {one for one in said - read if one[2] != "some"}
    expected = {one for one in said if is_lost(table, one)}
    assert lost == expected
    # A list of which nothing can be carried is unknown afterwards, not empty.
    assert not {one for one in read - said if one[2] == "none"}
    assert {one for one in read - said if not coarser(form, one, said)} == set()
    return lost


@pytest.mark.parametrize("form", FORMS)
def test_the_contract_example_loses_what_the_table_says(form: FormName) -> None:
    before = as_the_door_reads(EXAMPLE)
    for after in (by_json(form, EXAMPLE), by_csv(form, EXAMPLE)):
        assert compare(form, before, as_the_door_reads(after))


@pytest.mark.parametrize("form", FORMS)
def test_a_simulated_month_loses_what_the_table_says(form: FormName) -> None:
    month = simulate(load_profile("nspcc-2009"), 251, seed=2007)
    for raw in month.incidents:
        before = as_the_door_reads(raw)
        compare(form, before, as_the_door_reads(by_json(form, before)))


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_unreadably_is_still_named_after_the_form(form: FormName) -> None:
    month = simulate(load_profile("nspcc-2009"), 1000, seed=2007)
    table, seen = load_form(form), 0
    for raw, truth in zip(month.incidents, month.truth, strict=True):
        reading = read_form(form, write_form(form, raw))
        named = {reading.place_of(fault.at) for fault in read_incident(reading.incident).faults}
        named |= {fault.at for fault in reading.faults}
        for fault in truth["faults"]:
            if fault["fault"] in ("unreadable_date", "unknown_word") and table.can_carry(fault["at"]):
                seen += 1
                assert reading.place_of(fault["at"]) in named, fault
    assert seen > 20


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(incident=incidents(), form=st.sampled_from(FORMS), flat=st.booleans())
def test_any_incident_loses_what_the_table_says(incident: dict[str, Any], form: FormName, flat: bool) -> None:
    before = shown(incident)
    after = by_csv(form, before) if flat else by_json(form, before)
    compare(form, before, shown(after))


def shown(incident: dict[str, Any]) -> dict[str, Any]:
    """In one spelling of dates and times, so that only what is said counts. Nothing is judged."""
    return Incident.model_validate(incident).as_json()


def everything(at: str = "", number: int = 1) -> dict[str, Any]:
    """An incident (or the part of it at a place) that says something wherever something can be said."""
    part: dict[str, Any] = {}
    for pointer, place in places().items():
        above, _, name = pointer.rpartition("/")
        if above != at or pointer == "/faults":
            continue
        if place.holds == "object":
            part[name] = everything(pointer)
        elif place.holds == "objects":
            part[name] = [everything(f"{pointer}/*", row) for row in (1, 2)]
        else:
            part[name] = {
                "text": f"some {name}",
                "word": place.words[-number] if place.words else "",
                "bool": number == 1,
                "number": 3,
                "day": "2001-02-03",
                "moment": "2026-10-03T04:05:00Z",
                "texts": ["one", "two"],
                "words": list(place.words),
            }[place.holds]
    if at in ("/adults/*", "/children/*"):
        part["id"] = f"{at[1]}{number}"
    return part | ({"force": "northshire"} if at == "" else {})


@pytest.mark.parametrize("form", FORMS)
def test_every_place_said_to_be_lost_is_really_lost(form: FormName) -> None:
    nothing: dict[str, Any] = {
        **EXAMPLE,
        "adults": [{"id": "a1", "name": {"family": "Hughes"}, "factors": [], "criminal_history": []}],
        "children": [{"id": "c1", "name": {"family": "Hughes"}, "presence": "heard"}],
        "relationships": [],
        "incident": {"weapons": [], "injuries": [], "offences": []},
        "actions": {"arrested": False, "charged": False, "victim_moved_to_safety": False,
                    "section_47_referral": False, "referrals": []},
        "consent": {"given": False, "aware": False},
    }  # fmt: skip
    nobody = {**EXAMPLE, "adults": [], "children": []}
    lost: set[Statement] = set()
    for incident in (shown(everything()), nothing, nobody):
        before = shown(incident)
        lost |= compare(form, before, shown(by_json(form, before)))
    for entry in load_form(form).cannot_carry:
        assert any(entry.loses(place, value) for _, place, value in lost), entry.place
        assert entry.only == () or any(value in entry.only for _, place, value in lost if place == entry.place)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_read_is_written_and_read_the_same(form: FormName) -> None:
    sent = json.loads((SAMPLES / "forms" / f"{form}.json").read_bytes())
    once = read_form(form, sent).incident
    assert read_form(form, write_form(form, once)).incident == once


@pytest.mark.parametrize("moment", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-07-01T22:15:30Z"])
@pytest.mark.parametrize("form", FORMS)
def test_the_hour_that_comes_twice_is_not_mixed_up(form: FormName, moment: str) -> None:
    assert shown(by_csv(form, {**EXAMPLE, "occurred_at": moment}))["occurred_at"] == moment
