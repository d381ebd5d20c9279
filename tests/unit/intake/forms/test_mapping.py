"""The mapping tables: checked when loaded, true to the contract, and silent about nothing."""

from __future__ import annotations

from importlib import resources
from typing import get_args

import pytest

from services.intake.forms import FormName, describe, not_carried, read_form
from services.intake.forms.mapping import load_form, read_table
from services.intake.forms.places import places
from shared.errors import BadSettings

FORMS: tuple[FormName, ...] = get_args(FormName)
GIVEN_BY_POSITION = {"/schema", "/faults/*/at", "/faults/*/because", "/adults/*/id", "/children/*/id"}


def table_text(form: FormName) -> str:
    return (resources.files("services.intake.forms") / f"{form}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_every_place_of_the_contract_has_a_box_or_a_reason_why_not(form: FormName) -> None:
    table = load_form(form)
    boxed = {box.place for _, _, box in table.boxes()}
    leaves = {at for at, place in places().items() if place.is_leaf} - GIVEN_BY_POSITION
    without = {at for at in leaves if not table.can_carry(at)}
    ticked = {at for at in boxed if at is not None and places()[at].holds == "objects"}
    assert leaves - boxed - without == set()
    assert {at for at in without & boxed if at} == set()
    assert all(table.can_carry(at) for at in ticked)


@pytest.mark.parametrize("form", FORMS)
def test_every_box_names_its_row_of_the_source(form: FormName) -> None:
    for group, name, box in load_form(form).boxes():
        assert box.source.startswith(("NSPCC 2009 ", "Waymark contract")), (group, name)
        assert box.meaning
    for lost in load_form(form).cannot_carry:
        assert lost.source.startswith("NSPCC 2009 ")


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_said_to_be_lost_twice(form: FormName) -> None:
    whole = [lost for lost in load_form(form).cannot_carry if lost.whole]
    for lost in load_form(form).cannot_carry:
        assert [other.place for other in whole if other is not lost and other.covers(lost.place)] == []


def test_what_table_31_says_of_each_form() -> None:
    north, south = load_form("north"), load_form("south")
    for pointer in ("/relationships", "/children/0/address", "/children/0/school/name", "/adults/0/pnc_id"):
        assert not north.can_carry(pointer)
        assert south.can_carry(pointer)
    for pointer in ("/risk/level", "/consent/given", "/actions/arrested", "/adults/1/factors"):
        assert north.can_carry(pointer)
        assert not south.can_carry(pointer)
    assert not south.can_carry("/risk")
    assert south.can_carry("/risk/heightened_concern")


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("place: /risk/level", "place: /risk/colour", "fields.risk_colour: /risk/colour is no place"),
        ("Bronze: standard", "Bronze: low", "fields.risk_colour: low is not in the closed list of /risk/level"),
        ("place: /actions/charged, meaning", "meaning", "fields.charged: needs either a place"),
        ("says: alcohol", "says: gambling", "groups.adults.fields.alcohol: gambling is not in the closed list"),
        ("risk_score: {type: number", "risk_score: {type: figure", "fields.risk_score.type"),
        ("part_of: incident_date", "part_of: incident_day", "incident_time names incident_day"),
        ("place: /caller,", "place: /calller,", "/calller is no place of the contract"),
        ("  reference: {type: text,", "  reference: {type: text, colour: red,", "fields.reference.colour"),
        (
            "for_each: children.present",
            "for_each: children.there",
            "children_present answers for children.there",
        ),
        ("form: north", "form: [", "north.yaml is not YAML"),
    ],
)
def test_a_wrong_table_says_file_field_and_reason(was: str, now: str, says: str) -> None:
    text = table_text("north")
    assert was in text
    with pytest.raises(BadSettings) as raised:
        read_table(text.replace(was, now, 1), "north.yaml")
    assert str(raised.value).startswith("north.yaml")
    assert says in str(raised.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_describes_itself(form: FormName) -> None:
    described = describe(form)
    boxes = list(load_form(form).boxes())
    shown = [*described["fields"], *(box for group in described["groups"] for box in group["fields"])]
    assert len(shown) == len(boxes)
    assert all(len({"place", "kept", "for_each"} & box.keys()) == 1 for box in shown)
    assert described["example"]["json"]["force"] == "northshire"
    assert len(described["cannot_carry"]) == len(not_carried(form)) == len(load_form(form).cannot_carry)
    assert read_form(form, described["example"]["json"]).faults == []
    columns = described["example"]["csv"].splitlines()[0].split(",")
    assert {box["column"] for box in shown} <= set(columns)


def test_what_is_not_carried_says_why_and_on_what_ground() -> None:
    gaps = {gap.at: gap.because for gap in not_carried("north")}
    assert "NSPCC 2009 t31 row 6" in gaps["/relationships"]
    assert 'It cannot say: "another_room", "asleep", "heard", "witnessed".' in gaps["/children/*/presence"]
