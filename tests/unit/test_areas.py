"""Areas and calendars: working days, school days, meetings, deadlines (design.md, promise 10)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.areas import AREAS, Area, load_area, load_areas, stand_in
from shared.contracts.area import MeetingCycle
from shared.errors import BadSettings

AREAS_READ = load_areas()
NORTHBURY = AREAS_READ.by_id["northbury"]
SOUTHMERE = AREAS_READ.by_id["southmere"]
TEXT = (AREAS / "northbury.yaml").read_text()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(term: str, as_of: str, area: Area = NORTHBURY) -> str:
    return area.deadline(term, at(as_of)).isoformat().removesuffix("+00:00")


@pytest.mark.parametrize(
    ("term", "as_of", "expected"),
    [
        ("immediate", "2026-12-25T03:00:00", "2026-12-25T03:15:00"),
        ("4 hours", "2026-11-20T22:30:00", "2026-11-21T02:30:00"),
        ("1 hour", "2026-11-20T22:30:00", "2026-11-20T23:30:00"),
        # N working days end at office closing on the Nth working day after
        ("1 working day", "2026-11-19T09:00:00", "2026-11-20T17:00:00"),
        ("1 working day", "2026-11-20T08:00:00", "2026-11-23T17:00:00"),
        ("1 working day", "2026-11-20T23:59:00", "2026-11-23T17:00:00"),
        ("1 working day", "2026-11-21T01:15:02", "2026-11-23T17:00:00"),
        ("1 working day", "2026-11-22T12:00:00", "2026-11-23T17:00:00"),
        ("3 working days", "2026-11-19T09:00:00", "2026-11-24T17:00:00"),
        ("1 working day", "2026-12-24T12:00:00", "2026-12-29T17:00:00"),  # the 28th stands in for Boxing Day
        ("3 working days", "2026-12-24T12:00:00", "2026-12-31T17:00:00"),
        ("1 working day", "2026-04-02T12:00:00", "2026-04-07T16:00:00"),  # Easter; summer time: 17:00 is 16:00
        ("1 working day", "2026-05-01T22:30:00", "2026-05-05T16:00:00"),  # early May holiday
        ("1 working day", "2026-06-04T23:30:00", "2026-06-08T16:00:00"),  # already Friday where the area is
    ],
)
def test_deadlines(term: str, as_of: str, expected: str) -> None:
    assert due(term, as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2026-11-20T03:00:00", "2026-11-20T08:30:00"),  # before school on a school day: the same day
        ("2026-11-20T08:29:59", "2026-11-20T08:30:00"),
        ("2026-11-20T08:30:00", "2026-11-23T08:30:00"),
        ("2026-11-20T19:00:00", "2026-11-23T08:30:00"),  # over the weekend
        ("2026-10-23T19:00:00", "2026-11-02T08:30:00"),  # over half term
        ("2026-12-18T19:00:00", "2027-01-05T08:30:00"),  # over the holidays
        ("2026-07-21T19:00:00", "2026-09-02T07:30:00"),
        ("2026-05-01T19:00:00", "2026-05-05T07:30:00"),  # a bank holiday within term
        ("2027-07-22T19:00:00", "2027-07-23T07:30:00"),  # beyond the terms we know: too early does no harm
    ],
)
def test_the_next_school_day(as_of: str, expected: str) -> None:
    assert due("next school day 08:30", as_of) == expected


def test_each_area_has_its_own_terms() -> None:
    assert due("next school day 08:30", "2026-10-16T19:00:00", NORTHBURY) == "2026-10-19T07:30:00"
    assert due("next school day 08:30", "2026-10-16T19:00:00", SOUTHMERE) == "2026-11-02T08:30:00"


def test_meetings_are_held_every_other_tuesday_and_moved_on_past_holidays() -> None:
    days = NORTHBURY.meetings_from(date(2026, 2, 1))
    assert [next(days) for _ in range(3)] == [date(2026, 2, 10), date(2026, 2, 24), date(2026, 3, 10)]
    assert next(NORTHBURY.meetings_from(date(2026, 11, 18))) == date(2026, 12, 1)
    christmas = next(NORTHBURY.meetings_from(date(2026, 12, 16)))
    assert christmas == date(2026, 12, 29)
    moved = Area(
        NORTHBURY.rules.model_copy(
            update={
                "marac": NORTHBURY.rules.marac.model_copy(
                    update={"first": date(2026, 5, 25), "weekday": "monday"}
                )
            }
        )
    )
    assert next(moved.meetings_from(date(2026, 5, 20))) == date(2026, 5, 26)


def test_a_list_closes_six_working_days_before_its_meeting() -> None:
    assert NORTHBURY.list_closes(date(2026, 12, 1)) == at("2026-11-23T17:00:00")


def test_the_next_meeting_is_the_first_whose_list_is_open() -> None:
    assert due("next meeting", "2026-11-23T17:00:00") == "2026-12-01T09:00:00"
    assert due("next meeting", "2026-11-23T17:00:01") == "2026-12-15T09:00:00"


@pytest.mark.parametrize(
    ("service", "response", "expected"),
    [
        ("childrens_services", "section_47", "2026-11-21T01:30:02"),
        ("childrens_services", "section_17", "2026-11-21T05:15:02"),
        ("childrens_services", "inform", "2026-11-25T17:00:00"),
        ("marac", None, "2026-11-23T17:00:00"),
        ("education", None, "2026-11-23T08:30:00"),
        ("midwifery", None, "2026-11-23T17:00:00"),
    ],
)
def test_the_response_decides_else_the_service_else_the_default(
    service: str, response: str | None, expected: str
) -> None:
    assert NORTHBURY.due(service, response, at("2026-11-21T01:15:02")) == at(expected)


def test_an_area_is_its_own_else_its_forces_only_one_else_the_stand_in() -> None:
    assert AREAS_READ.of("southmere", "northshire").id == "southmere"
    assert AREAS_READ.of(None, "southshire").id == "southmere"
    assert AREAS_READ.of(None, "elsewhere").known is False
    assert AREAS_READ.of("atlantis", "northshire").known is False
    assert AREAS_READ.get(None) is None


def test_the_stand_in_keeps_the_deadlines() -> None:
    assert stand_in().due("childrens_services", "section_47", at("2026-11-21T01:15:02")) == at(
        "2026-11-21T01:30:02"
    )


def test_areas_of_the_same_rules_and_terms_have_the_same_digest() -> None:
    assert load_area(AREAS / "northbury.yaml").digest == NORTHBURY.digest
    assert NORTHBURY.digest != SOUTHMERE.digest
    assert Area(NORTHBURY.rules).digest != NORTHBURY.digest  # terms count


def written(folder: Path, text: str, terms: str | None = None) -> Path:
    path = folder / "northbury.yaml"
    path.write_text(text)
    (folder / "northbury-2026.csv").write_text(
        terms if terms is not None else (AREAS / "northbury-2026.csv").read_text()
    )
    return path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("section_47: immediate", "section_47: soon", r"due\.section_47: 'soon' is none of"),
        ("section_47: immediate", "section_48: immediate", r"due\.section_48: not a response"),
        ("default: 1 working day", "marac: 1 working day", "default is missing"),
        ("weekday: tuesday", "weekday: tewsday", "tewsday"),
        ("Europe/London", "Europe/Londinium", "time zone"),
        ('"09:00-17:00"', '"17:00-09:00"', "span of hours"),
        ('"09:00-17:00"', '"99:00-99:30"', "span of hours"),
        ("holidays: england", "holidays: cornwall", "holidays"),
        ("forces: [northshire]", "forces: northshire", "forces"),
        ("name: Northbury\n", "name: Northbury\nextra: 1\n", "extra"),
        ("name: Northbury\n", "name: [\n", "not YAML"),
        ("northbury-2026.csv", "northbury-1926.csv", "cannot be read"),
    ],
)
def test_a_fault_in_an_areas_file_stops_with_a_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(BadSettings, match=says):
        load_area(written(tmp_path, TEXT.replace(old, new)))


@pytest.mark.parametrize(
    "terms",
    [
        "kind,first,last,name\nterm,2026-09-02,2026-08-01,Backwards\n",
        "kind,first,last,name\nterm,02/09/2026,18/12/2026,British\n",
        "kind,first,last,name\nholiday,2026-09-02,2026-12-18,Another word\n",
        "first,last\n2026-09-02,2026-12-18\n",
    ],
)
def test_a_fault_in_the_school_terms_names_its_line(tmp_path: Path, terms: str) -> None:
    with pytest.raises(BadSettings, match=r"northbury-2026\.csv, line 2"):
        load_area(written(tmp_path, TEXT, terms))


def test_an_area_defined_twice_or_none_at_all_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no area"):
        load_areas(tmp_path)
    written(tmp_path, TEXT)
    (tmp_path / "other.yaml").write_text(TEXT)
    with pytest.raises(BadSettings, match="defined twice"):
        load_areas(tmp_path)
    with pytest.raises(BadSettings, match="no folder"):
        load_areas(tmp_path / "nowhere")


def test_a_panel_may_keep_days_of_its_own_and_else_keeps_the_maracs() -> None:
    assert next(NORTHBURY.meetings_from(date(2026, 11, 24), "allocation_panel")) == date(2026, 12, 1)
    daily = MeetingCycle(every="working day", first=date(2026, 1, 5), cut_off_working_days=1)
    area = Area(NORTHBURY.rules.model_copy(update={"allocation_panel": daily}), NORTHBURY.terms)
    days = area.meetings_from(date(2026, 12, 24), "allocation_panel")
    assert [next(days), next(days)] == [date(2026, 12, 24), date(2026, 12, 29)], "every working day (Walsall)"
    noon = datetime(2026, 12, 24, 12, tzinfo=UTC)
    assert area.due("allocation_panel", None, noon).date() == date(2026, 12, 29)
    assert next(area.meetings_from(date(2026, 11, 24))) == date(2026, 12, 1)
