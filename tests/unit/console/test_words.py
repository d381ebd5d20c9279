"""Times and conditions as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.console.domain.condition import Checked, ServiceHealth, Waiting, notices
from services.console.domain.deliveries import sum_up
from services.console.domain.times import exact, machine, minutes_until, say_age, say_deadline, say_duration

NOW = datetime(2026, 11, 21, 1, 15, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (12, "breaches in 12 minutes"),
        (1, "breaches in 1 minute"),
        (0.5, "breaches in less than a minute"),
        (65, "breaches in 1 hour 5 minutes"),
        (60 * 30, "breaches in 30 hours"),
        (60 * 24 * 3, "breaches in 3 days"),
        (-180, "breached 3 hours ago"),
        (0, "breached less than a minute ago"),
    ],
)
def test_a_deadline_is_said_as_people_say_it(minutes: float, said: str) -> None:
    assert say_deadline(NOW + timedelta(minutes=minutes), NOW) == said


def test_a_deadline_never_promises_more_time_than_there_is() -> None:
    assert say_deadline(NOW + timedelta(minutes=12, seconds=59), NOW) == "breaches in 12 minutes"
    assert minutes_until(NOW + timedelta(minutes=12, seconds=30), NOW) == 12.5
    assert minutes_until(NOW - timedelta(minutes=3), NOW) == -3


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0.0 ms"), (6.14, "6.1 ms"), (9.96, "10 ms"), (820, "820 ms"), (1840, "1.8 s"), (59_000, "59 s"),
        (720_000, "12 min"), (8_582_001, "2 h 23 min"), (7_200_000, "2 h"), (90_000_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_a_duration_keeps_what_matters(ms: float, said: str) -> None:
    assert say_duration(ms) == said


def test_the_exact_time_is_in_reach_in_local_time_and_for_machines() -> None:
    assert exact(NOW) == "21 November 2026 at 01:15:02 GMT"
    assert exact(datetime(2026, 7, 1, 12, 0, tzinfo=UTC)) == "1 July 2026 at 13:00:00 BST"
    assert machine(NOW) == "2026-11-21T01:15:02.000Z"
    assert say_age(NOW - timedelta(minutes=4), NOW) == "4 minutes ago"
    assert say_age(NOW, NOW) == "just now"


def well() -> list[ServiceHealth]:
    up = {"database": "up", "broker": "up", "consumer": "up"}
    return [ServiceHealth(name, "up", up) for name in ("intake", "enrichment", "triage", "delivery", "console")]


def said(health: list[ServiceHealth] | None = None, **other: object) -> list[str]:
    given = {
        "waiting": [], "lag_known": True, "overdue": 0, "dead_letters": 0, "without_history": 0, "now": NOW,
    }  # fmt: skip
    found = notices(health if health is not None else well(), **{**given, **other})  # type: ignore[arg-type]
    return [notice.words for notice in found]


def test_nothing_is_said_when_all_is_well() -> None:
    assert said() == []


def test_a_service_that_does_not_answer_is_named_with_what_it_means() -> None:
    health = [one for one in well() if one.service != "triage"] + [ServiceHealth("triage", "unreachable")]
    assert said(health) == ["triage does not answer. No case is decided. New cases wait and are not lost."]


def test_intake_without_a_broker_is_said_to_keep_accepting() -> None:
    parts = {"database": "up", "broker": "degraded"}
    health = [ServiceHealth("intake", "degraded", parts), *well()[1:]]
    assert said(health) == [
        "intake cannot reach the broker. It keeps accepting; what it accepts is stored and passed on when "
        "the broker is back."
    ]


def test_what_is_wrong_stands_before_what_is_to_be_known() -> None:
    words = said(without_history=2, overdue=1, dead_letters=1)
    assert words[0] == "1 case has a deadline that has passed unmet."
    assert words[1].startswith("1 event could not be handled and waits for a person")
    assert words[2].startswith("2 cases of the last hour were decided without the family's history")


def test_a_short_wait_is_no_news_and_a_long_one_is() -> None:
    assert said(waiting=[Waiting("triage", 3, NOW - timedelta(seconds=20))]) == []
    assert said(waiting=[Waiting("triage", 3, NOW - timedelta(minutes=7))]) == [
        "3 cases have waited for triage for up to 7 minutes."
    ]


def test_a_case_is_due_when_its_earliest_open_delivery_is() -> None:
    def one(service: str, state: str, minutes: int, breached: bool = False) -> dict[str, Any]:
        due = machine(NOW + timedelta(minutes=minutes))
        return {"service": service, "state": state, "due": due, "breached": breached}

    found = sum_up(
        [
            one("marac", "offered", 600),
            one("childrens_services", "received", 5, breached=True),
            one("education", "waiting", 90),
            one("idva", "superseded", 1),
        ]
    )
    assert (found.open, found.due, found.service, found.breached) == (
        2, NOW + timedelta(minutes=90), "education", 1,
    )  # fmt: skip


def test_a_delivery_held_for_a_person_still_has_its_deadline() -> None:
    assert sum_up([{"service": "marac", "state": "held", "due": machine(NOW)}]).due == NOW


def test_a_state_that_the_console_does_not_know_counts_as_open() -> None:
    assert sum_up([{"service": "marac", "state": "some_new_state", "due": None}]).open == 1


def test_what_the_conservation_check_found_is_said_and_that_nobody_checked() -> None:
    def of(minutes: int, unaccounted: int) -> list[str]:
        checked = Checked(NOW - timedelta(minutes=minutes), unaccounted)
        return said(checked=checked)

    assert of(1, 0) == []
    assert of(1, 1) == ["1 accepted revision stands in no named state: waymark reconcile names each."]
    assert of(30, 0) == ["Nobody has checked for 30 minutes that nothing is lost."]
