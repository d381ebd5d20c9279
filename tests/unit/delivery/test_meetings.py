"""Which list a case stands on, what makes a repeat, who may see what, and when an action is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import orjson
import pytest

from services.delivery.domain import fields, profile_table
from services.delivery.domain.answers import Closed
from services.delivery.domain.meeting_actions import Action, chased, done, first_chase, undone
from services.delivery.domain.meeting_views import (
    Seat,
    changed_since_closing,
    may_open,
    seat_of_agency,
    seat_of_coordinator,
    seat_of_role,
    view_of,
)
from services.delivery.domain.meetings import (
    Listing,
    earlier_hearings,
    heard,
    moved,
    no_longer_referred,
    referred,
)
from services.delivery.domain.profiles import profile_of
from shared import vocabulary as v
from shared.areas import load_areas
from tests.builders import an_incident
from tests.unit.delivery.builders import a_route, decided, route
from tests.unit.delivery.test_profiles import CONSENTS, HISTORY, a_full_incident, marked

AREA = load_areas().by_id["northbury"]
LAST_MOMENT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
"""The list of Tuesday 1 December closes: six working days before."""
FIRST, SECOND = date(2026, 12, 1), date(2026, 12, 15)
PAIR = {"victim": "a1", "perpetrator": "a2"}


def joins(at: datetime, now: datetime | None = None, before: Listing | None = None, **changes: Any) -> Listing:
    case = decided(a_route("marac"), as_of=at, **changes)
    return referred(before, case, route("marac"), AREA, b"{}", now or at)


def test_the_cut_off_decides_which_list_a_case_joins() -> None:
    assert joins(LAST_MOMENT).held_on == FIRST
    assert joins(LAST_MOMENT + timedelta(seconds=1)).held_on == SECOND


def test_a_case_referred_in_time_that_came_here_late_joins_its_list_and_says_so() -> None:
    late = joins(LAST_MOMENT, now=LAST_MOMENT + timedelta(hours=3))
    assert (late.held_on, late.late_by) == (FIRST, "waymark")
    assert joins(LAST_MOMENT, now=LAST_MOMENT + timedelta(days=9)).held_on == SECOND, "its meeting is over"


def test_a_newer_version_keeps_its_place_and_one_taken_off_takes_it_again() -> None:
    first = joins(LAST_MOMENT)
    later = LAST_MOMENT + timedelta(days=3)
    newer = joins(later, before=first, version=2)
    assert (newer.held_on, newer.version, newer.seq, newer.late_by) == (FIRST, 2, 2, None)
    assert changed_since_closing(newer, AREA)
    off = no_longer_referred(newer, decided(version=3), b"{}", later)
    assert (off.standing, off.stands) == ("not_referred", False)
    again = joins(later, before=off, version=4)
    assert (again.held_on, again.standing, again.late_by) == (FIRST, "listed", "waymark")


def test_what_was_heard_stays_heard_whatever_comes_later() -> None:
    first = heard(joins(LAST_MOMENT), FIRST, "c-1", AREA, datetime(2026, 12, 1, 15, tzinfo=UTC))
    later = datetime(2026, 12, 20, 15, tzinfo=UTC)
    assert joins(later, before=first, version=2).heard_on == FIRST
    withdrawn = no_longer_referred(first, decided(state="withdrawn", version=3), b"{}", later)
    assert (withdrawn.standing, withdrawn.stands) == ("withdrawn", True)


@pytest.mark.parametrize("on", [date(2026, 12, 3), date(2026, 11, 1)])
def test_nothing_was_heard_in_the_future_or_before_it_was_referred(on: date) -> None:
    with pytest.raises(Closed):
        heard(joins(LAST_MOMENT), on, "c-1", AREA, datetime(2026, 12, 1, 15, tzinfo=UTC))


def test_a_person_adds_a_case_after_the_cut_off_as_late_and_before_it_as_any_other() -> None:
    one = joins(LAST_MOMENT + timedelta(minutes=1))
    left, late = moved(one, FIRST, "c-1", "At risk now.", AREA, LAST_MOMENT + timedelta(hours=2))
    assert (left.standing, left.moved_to, left.event) == ("moved", FIRST, None)
    assert (late.held_on, late.late_by, late.late_because) == (FIRST, "c-1", "At risk now.")
    _, put_off = moved(late, SECOND, "c-1", "No one could come.", AREA, LAST_MOMENT + timedelta(hours=3))
    assert (put_off.held_on, put_off.late_by) == (SECOND, None)
    for day in (FIRST, date(2026, 12, 2), date(2026, 11, 17)):
        with pytest.raises(Closed):
            moved(late, day, "c-1", "x", AREA, LAST_MOMENT + timedelta(hours=3))


@pytest.mark.parametrize(
    ("entry", "repeat"),
    [
        ({**PAIR, "referred_on": "2025-11-20"}, True),  # both ends counted
        ({**PAIR, "referred_on": "2025-11-19"}, False),
        ({**PAIR, "referred_on": "2025-11-10", "heard_on": "2025-11-24"}, True),  # from when it was heard
        ({**PAIR, "referred_on": "2026-02-03", "link": "likely"}, False),  # nothing of it is told
        ({"victim": "a2", "perpetrator": "a1", "referred_on": "2026-02-03"}, False),
        ({"victim": "a1", "perpetrator": None, "referred_on": "2026-02-03"}, False),
    ],
)
def test_a_repeat_is_the_same_pair_within_twelve_months_of_a_referral_or_hearing(
    entry: dict[str, Any], repeat: bool
) -> None:
    found = earlier_hearings(an_incident(), {"marac": [entry]}, date(2026, 11, 20), 12)
    assert bool(found) is repeat


COORDINATOR = seat_of_coordinator("marac")


def test_a_restricted_case_is_for_named_staff_and_never_for_those_who_meet_the_family() -> None:
    assert may_open(COORDINATOR, False, named=False)
    assert not may_open(COORDINATOR, True, named=False)
    assert may_open(COORDINATOR, True, named=True)
    health = seat_of_agency("health")
    assert health is not None
    assert not may_open(health, True, named=True)


def test_who_may_know_the_perpetrator_or_runs_the_system_has_no_seat() -> None:
    for role in ("perpetrator_programme", "supervised_contact", "interpreter"):
        assert seat_of_role(role, "marac", school=False) is None
    assert seat_of_role("education", "marac", school=True) is None, "a school hears of its own pupils alone"
    for agency in (None, "ops", "partnership", "nobody"):
        assert seat_of_agency(agency) is None


def seats() -> list[Seat]:
    of_agencies = [seat_of_agency(agency) for agency in (*get_args(v.Agency), "idva")]
    of_roles = [seat_of_role(role, "marac", school=False) for role in get_args(v.Service)]
    return [seat for seat in (*of_agencies, *of_roles) if seat is not None]


@pytest.mark.parametrize("seat", seats(), ids=lambda seat: f"{seat.agency}-{seat.service}")
def test_no_seat_without_leave_learns_where_the_victim_is(seat: Seat) -> None:
    history = {"status": "complete", "involvement": [{"child": "c1", "level": "high", "worker": "Ms Price"}]}
    case = decided(a_route("marac"), incident=an_incident(), history=history)
    told = str(view_of(seat, case, "marac"))
    if not seat.profile.whereabouts:
        assert "Mill Lane" not in told
        assert "900123" not in told
        assert not seat.all_actions
    if seat.agency == "police" and seat.service is None:
        assert "Ms Price" not in told
        assert "involvement" not in view_of(seat, case, "marac")["history"]


@pytest.mark.parametrize("consent", CONSENTS)
@pytest.mark.parametrize("seat", seats(), ids=lambda seat: f"{seat.agency}-{seat.service}")
def test_nothing_outside_a_seats_profile_gets_onto_its_list_whatever_is_written(
    seat: Seat, consent: str
) -> None:
    """The page and the sheet are made of this view and nothing else."""
    written: dict[str, str] = {}
    incident = marked(a_full_incident(), written, "zq")
    incident["consent"] = {"asked": True, "given": {"given": True, "not_given": False}.get(consent)}
    case = decided(a_route("marac", basis="consent"), incident=incident, history=HISTORY)
    told = orjson.dumps(view_of(seat, case, "marac")).decode()
    profile = seat.profile
    if seat.service is not None:
        profile = profile_of(seat.service, consent=consent, basis="consent", level="medium")
    allowed = {
        f"{part}.{path}"
        for part in ("case", "victim", "suspect", "other", "child")
        if (plan := profile_table.plan_of(profile, part)) is not None
        for path in fields.shown_in(plan)
    }
    assert {path for word, path in written.items() if word in told} <= allowed


def an_action(**changes: Any) -> Action:
    return Action(
        **{
            "id": "x", "kind": "marac", "area": "northbury", "held_on": FIRST, "case": "northshire/1",
            "what": "Call her.", "agency": "idva", "who": "", "due": date(2026, 12, 24), "seq": 1,
            "agreed_by": "c-1", "agreed_at": LAST_MOMENT, **changes,
        }
    )  # fmt: skip


def test_an_action_is_asked_for_when_the_office_opens_after_its_day_and_three_times_at_most() -> None:
    assert first_chase(date(2026, 12, 24), AREA) == datetime(2026, 12, 29, 9, tzinfo=UTC), "over Christmas"
    now = datetime(2026, 12, 29, 9, tzinfo=UTC)
    action, asked = an_action(chase_at=now), []
    for _ in range(3):
        action, whom = chased(action, AREA, now)
        asked.append(whom)
    assert asked == ["agency", "coordinator", "coordinator"]
    assert action.chase_at is None


def test_what_is_done_is_asked_for_no_more_and_what_is_undone_is() -> None:
    now = datetime(2026, 12, 29, 10, tzinfo=UTC)
    finished = done(an_action(chase_at=now, chases=2), "p-1", now)
    assert (finished.chase_at, finished.seq) == (None, 2)
    with pytest.raises(Closed):
        done(finished, "p-2", now)
    again = undone(finished, AREA, now)
    assert (again.chase_at, again.chases) == (datetime(2026, 12, 30, 9, tzinfo=UTC), 0)
    with pytest.raises(Closed):
        undone(again, AREA, now)
