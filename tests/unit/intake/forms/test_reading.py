"""What a filled form says, what it leaves unknown, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.forms import FormName, read_form, rows_of
from services.intake.forms.mapping import load_form
from services.intake.forms.reading import FormReading
from shared.contracts.reading import read_incident
from shared.errors import Refused

FORMS: tuple[FormName, ...] = get_args(FormName)
SAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "samples" / "forms"
HEAD = {"force": "northshire", "reference": "NS-1", "incident_date": "20/11/2026", "incident_time": "22:40"}


def north(**fields: Any) -> FormReading:
    return read_form("north", HEAD | fields)


def south(**fields: Any) -> FormReading:
    return read_form("south", HEAD | fields)


def faults(reading: FormReading) -> dict[str, str]:
    return {fault.at: fault.because for fault in reading.faults}


@pytest.mark.parametrize("form", FORMS)
def test_the_samples_are_read_and_taken_by_the_door(form: FormName) -> None:
    reading = read_form(form, json.loads((SAMPLES / f"{form}.json").read_bytes()))
    taken = read_incident(reading.incident)
    assert taken.incident.children is not None
    assert [child.presence for child in taken.incident.children] == ["on_premises", "on_premises"]
    assert taken.incident.occurred_at.isoformat() in ("2026-10-03T21:40:00+00:00", "2026-10-03T18:05:00+00:00")
    assert set(faults(reading)) == ({"/adults/1/age"} if form == "south" else set())


@pytest.mark.parametrize("form", FORMS)
def test_the_csv_sample_says_what_the_json_sample_says(form: FormName) -> None:
    (row,) = rows_of(form, (SAMPLES / f"{form}.csv").read_bytes())
    sent = json.loads((SAMPLES / f"{form}.json").read_bytes())
    assert row.faults == []
    assert read_form(form, row.fields).incident == read_form(form, sent).incident


@pytest.mark.parametrize("tick", ["X", "x", "1", 1, "yes", "Y", "true", True, "✓", " x "])
def test_a_tick_however_it_is_made(tick: object) -> None:
    assert north(arrested=tick).incident["actions"] == {"arrested": True}


@pytest.mark.parametrize("tick", ["", " ", None, False, "0", 0, "No", "n", "false", "☐"])
def test_a_tick_that_is_missing_is_unknown_not_false(tick: object) -> None:
    reading = north(arrested=tick, consent_given=tick, weapon_used=tick)
    assert not {"actions", "consent", "incident"} & reading.incident.keys()
    assert reading.faults == []


def test_a_tick_that_is_neither_is_named_and_unknown() -> None:
    reading = north(arrested="perhaps", weapon_used=["X"])
    assert set(faults(reading)) == {"/arrested", "/weapon_used"}
    assert "neither ticked nor empty" in faults(reading)["/arrested"]
    assert not {"actions", "incident"} & reading.incident.keys()


def test_a_box_with_yes_and_no_says_no() -> None:
    reading = north(children=[{"given_name": "Mia", "present": "No"}, {"given_name": "Jack", "present": ""}])
    mia, jack = reading.incident["children"]
    assert mia["presence"] == "not_on_premises"
    assert "presence" not in jack


def test_one_answer_for_the_children_stands_for_each_that_has_none() -> None:
    reading = north(children_present="Yes", children=[{"given_name": "Mia"}, {"present": "No"}, {}])
    assert [child["presence"] for child in reading.incident["children"]] == ["on_premises", "not_on_premises"]
    assert reading.place_of("/children/0/presence") == "/children_present"
    assert "presence" not in north(children=[{"given_name": "Mia"}]).incident["children"][0]


def test_children_present_with_none_written_down_is_a_child_who_was_there() -> None:
    assert north(children_present="yes").incident["children"] == [{"id": "c1", "presence": "on_premises"}]
    assert "children" not in north(children_present="No").incident
    assert "children" not in north(children_present="").incident


def test_an_unreadable_answer_for_the_children_is_named_once() -> None:
    reading = south(children_present="upstairs", children=[{"given_name": "Mia"}, {"given_name": "Jack"}])
    assert list(faults(reading)) == ["/children_present"]
    assert len(reading.faults) == 1


def test_the_text_box_is_kept_to_the_letter() -> None:
    told = '  =HYPERLINK("x") <b>He\tsaid</b>\r\n\'; DROP TABLE cases; -- {{7*7}} \u200b '
    assert north(circumstances=told).incident["summary"] == told


def test_the_colour_of_the_risk_becomes_its_level() -> None:
    for colour, level in (("Bronze", "standard"), ("silver", "medium"), ("GOLD", "high")):
        assert north(risk_colour=colour).incident["risk"] == {"level": level}


def test_an_unknown_word_of_a_choice_is_named_with_the_words_of_the_box() -> None:
    reading = north(risk_colour="amber", children=[{"given_name": "Mia", "present": "witnessed"}])
    assert "Bronze, Silver, Gold" in faults(reading)["/risk_colour"]
    assert "/children/0/present" in faults(reading)
    assert "risk" not in reading.incident
    assert "presence" not in reading.incident["children"][0]


def test_an_unknown_word_in_a_list_leaves_the_others_and_the_list_open() -> None:
    reading = south(offences=["Rape", "Cheekiness"])
    assert reading.incident["incident"]["offences"] == ["rape"]
    assert list(faults(reading)) == ["/offences/1"]
    assert [one.at for one in reading.open_lists] == ["/incident/offences/1"]


def test_a_list_made_of_ticks_is_never_complete() -> None:
    reading = north(adults=[{"role": "Victim", "drugs": "X"}], weapon_used="X")
    assert reading.incident["adults"] == [{"id": "a1", "role": "victim", "factors": ["drugs"]}]
    assert {one.at for one in reading.open_lists} == {"/adults/0/factors/1", "/incident/weapons/1"}


def test_a_column_that_nobody_knows_is_named_with_a_suggestion() -> None:
    reading = north(circumstanses="...", child_2_date_of_brith="1/2/2020", children=[{"presnt": "Yes"}])
    assert faults(reading)["/circumstanses"].endswith("did you mean circumstances?")
    assert faults(reading)["/child_2_date_of_brith"].endswith("did you mean child_2_date_of_birth?")
    assert faults(reading)["/children/0/presnt"].endswith("did you mean present?")


def test_an_empty_column_that_nobody_knows_says_nothing() -> None:
    assert north(export_id="").faults == []


def test_ten_thousand_unknown_columns_are_counted_not_listed() -> None:
    reading = north(**{f"column_{n}x": "1" for n in range(10_000)})
    assert len(reading.faults) == 51
    assert reading.faults[-1].because == "9950 more fields that this form does not have"


def test_names_of_fields_are_known_in_other_case_and_with_spaces() -> None:
    reading = read_form("north", {"Force": "northshire", "Reference": "1", "Incident Date": "1/2/2026",
                                  "Incident time": "09.30", "Child 1 present": "Yes"})  # fmt: skip
    assert reading.faults == []
    assert reading.incident["occurred_at"] == "2026-02-01T09:30"
    assert reading.place_of("/children/0/presence") == "/Child 1 present"


@pytest.mark.parametrize(
    ("time", "read"),
    [("22:40", "22:40"), ("2240", "22:40"), ("7.05", "07:05"), ("22:40:09", "22:40:09"), ("0915 hrs", "09:15"),
     ("01:30 BST", "01:30+01:00"), ("01:30 gmt", "01:30+00:00")],
)  # fmt: skip
def test_times_as_british_forms_write_them(time: str, read: str) -> None:
    reading = north(incident_time=time)
    assert reading.incident["occurred_at"] == f"2026-11-20T{read}"
    assert reading.faults == []


@pytest.mark.parametrize("time", ["late", "25:00", "22:61", "", None, 7])
def test_without_a_time_the_day_begins_and_that_is_named(time: object) -> None:
    reading = north(incident_time=time)
    assert reading.incident["occurred_at"] == "2026-11-20T00:00"
    assert "the beginning of the day is taken" in faults(reading)["/incident_time"]


def test_an_unreadable_date_goes_to_the_door_as_written() -> None:
    assert north(incident_date="31/02/2026").incident["occurred_at"] == "31/02/2026 22:40"
    reading = north(children=[{"given_name": "Mia", "date_of_birth": "31/02/2020"}])
    (fault,) = read_incident(reading.incident).faults
    assert (fault.at, fault.said) == ("/children/0/born", "31/02/2020")
    assert reading.place_of(fault.at) == "/children/0/date_of_birth"
    assert reading.faults == []


def test_a_place_in_the_incident_leads_back_to_the_box() -> None:
    flat = read_form("north", HEAD | {"child_1_given_name": "", "child_3_given_name": "Mia",
                                      "child_3_date_of_birth": "", "arrested": "X"})  # fmt: skip
    assert flat.incident["children"] == [{"id": "c3", "name": {"given": "Mia"}}]
    assert flat.place_of("/children/0/born") == "/child_3_date_of_birth"
    assert flat.place_of("/children/0/name") == "/child_3_given_name"
    assert flat.place_of("/children/0") == "/child_3_given_name"
    assert flat.place_of("/occurred_at") == "/incident_date"
    assert flat.place_of("/actions/arrested") == "/arrested"
    assert flat.place_of("/adults/0/pregnant") == "/adults/0/pregnant"
    nested = north(children=[{}, {"given_name": "Mia"}])
    assert nested.place_of("/children/0/born") == "/children/1/date_of_birth"
    assert nested.place_of("/children/0") == "/children/1"
    assert nested.place_of("/adults") == "/adults"


def test_the_entries_of_a_list_lead_back_to_their_ticks() -> None:
    reading = north(adults=[{"role": "Victim", "alcohol": "X", "drugs": "X"}])
    assert reading.place_of("/adults/0/factors/1") == "/adults/0/drugs"
    assert south(offences="Rape; Harassment").place_of("/incident/offences/1") == "/offences"


def test_gaps_that_the_form_cannot_fill_are_told_apart() -> None:
    reading = north(children=[{"given_name": "Mia"}])
    gaps = read_incident(reading.incident).gaps
    told_each_time = {gap.at for gap in gaps if reading.can_carry(gap.at)}
    assert {"/children/0/born", "/children/0/presence"} <= told_each_time
    assert "/relationships" not in told_each_time
    assert not reading.can_carry("/crime_number")
    assert "/relationships" in {gap.at for gap in gaps}


def test_rows_refer_to_one_another_by_their_number() -> None:
    reading = south(
        adults=[{"given_name": "Amina"}],
        children=[{"given_name": "Kofi"}],
        relationships=[{"person": "Adult 1", "is": "parent", "of": "child_1"},
                       {"person": "his nan", "is": "Grandparent", "of": "child 1"}],
    )  # fmt: skip
    assert reading.incident["relationships"][0] == {"from": "a1", "kind": "parent", "to": "c1"}
    assert reading.incident["relationships"][1]["from"] == "his nan"
    (fault,) = read_incident(reading.incident).faults
    assert reading.place_of(fault.at).startswith("/relationships/1")


def test_the_checklist_is_passed_on_as_the_officers_concern() -> None:
    reading = south(concern_stay_safe="X", concern_be_healthy="", concern_details="No heating.")
    assert reading.incident["risk"] == {"heightened_concern": "Checklist: staying safe\nNo heating."}
    assert "risk" not in south(concern_stay_safe="no").incident


def test_an_age_cannot_stand_for_a_birth_date_and_that_is_named() -> None:
    reading = south(children=[{"given_name": "Kofi", "age": 4},
                              {"given_name": "Esi", "age": 1, "date_of_birth": "1/1/2025"}])  # fmt: skip
    assert set(faults(reading)) == {"/children/0/age"}
    assert "born" not in reading.incident["children"][0]


def test_what_is_said_twice_and_otherwise_is_named_and_unknown_whichever_came_first() -> None:
    for first, second in (("Yes", "No"), ("No", "Yes")):
        child = {"child_1_given_name": "Mia", "child_1_present": first, "children": [{"present": second}]}
        reading = read_form("north", HEAD | {"Force": "southshire"} | child)
        assert {"/Force", "/children/0/present"} == set(faults(reading))
        assert "force" not in reading.incident
        assert "presence" not in reading.incident["children"][0]


@pytest.mark.parametrize("rows", ["Mia", 3, {"given_name": "Mia"}, ["Mia"], [["Mia"]]])
def test_rows_that_are_no_rows_are_named(rows: object) -> None:
    assert any(at.startswith("/children") for at in faults(north(children=rows)))


@pytest.mark.parametrize("rows", [[], [{}], [{"given_name": "", "present": None}], None])
def test_a_form_without_rows_does_not_say_that_there_are_no_children(rows: object) -> None:
    reading = north(children=rows)
    assert "children" not in reading.incident
    assert reading.faults == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fields", [None, [], "text", 3, [HEAD]])
def test_only_what_is_no_object_is_refused(form: FormName, fields: object) -> None:
    with pytest.raises(Refused) as refused:
        read_form(form, fields)
    assert refused.value.status == 422


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["X", "Yes", "Silver", "adult 1", "31/02/2026", "24:00", "\x00\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data(), form=st.sampled_from(FORMS))
def test_anything_in_any_box_is_read_or_named_never_an_error(data: st.DataObject, form: FormName) -> None:
    table = load_form(form)
    numbered = [column.replace("_", "_1_", 1) for column in table.columns]
    rows = {
        key: st.lists(st.dictionaries(st.sampled_from(list(group.fields)), ODD, max_size=4) | ODD, max_size=3)
        for key, group in table.groups.items()
    }
    fields = data.draw(
        st.dictionaries(st.sampled_from([*table.fields, *numbered]) | st.text(), ODD, max_size=9)
    )
    reading = read_form(form, fields | data.draw(st.fixed_dictionaries({}, optional=rows)) | HEAD)
    taken = read_incident(reading.incident)
    for at in [fault.at for fault in taken.faults] + [gap.at for gap in taken.gaps]:
        box = reading.place_of(at)
        assert box.startswith("/")
        assert reading.can_carry(at) or box == at or box in reading.origins.values()
