"""Deadlines that can still be kept: what is to be expected, who is warned when, who stands in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.delivery.domain.forecast import Forecast, Pace, Pending, accompanied_from, forecast
from services.delivery.domain.recipients import Channel
from tests.unit.delivery.builders import NOON, a_recipient

WAITING = Pending(
    id="d-1",
    case="northshire/1",
    recipient="northbury-children",
    service="childrens_services",
    state="waiting",
    began=NOON,
    due=NOON + timedelta(hours=4),
    next_at=None,
    place=0,
)


def expected(pending: Pending, *, after_min: float = 0, **how: Any) -> Forecast:
    known = {"attempt_s": None, "at_once": 8, "read_s": None, **how}
    return forecast(pending, NOON + timedelta(minutes=after_min), **known)


def test_minutes_to_breach_are_those_to_the_deadline() -> None:
    assert expected(WAITING, after_min=30).minutes_to_breach == 210


def test_a_queue_is_as_long_as_its_recipient_is_slow() -> None:
    behind = replace(WAITING, place=800)
    assert expected(behind, attempt_s=1.0).expected == NOON + timedelta(seconds=101)
    assert not expected(behind, attempt_s=1.0).at_risk
    assert expected(behind, attempt_s=150.0).at_risk


def test_a_next_attempt_after_the_deadline_puts_it_at_risk_long_before() -> None:
    later = replace(WAITING, next_at=NOON + timedelta(hours=5))
    assert expected(later, attempt_s=0.1).at_risk


def test_an_inbox_is_expected_to_be_read_as_it_was_before() -> None:
    offered = replace(WAITING, state="offered")
    assert not expected(offered, read_s=3600).at_risk
    assert expected(offered, read_s=5 * 3600).at_risk


def test_where_nothing_can_be_told_somebody_is_warned_when_a_third_of_the_time_is_left() -> None:
    assert not expected(WAITING, after_min=150).at_risk
    assert expected(WAITING, after_min=161).at_risk
    held = replace(WAITING, state="held")
    assert not expected(held, after_min=150, attempt_s=0.1, read_s=1).at_risk
    assert expected(held, after_min=161, attempt_s=0.1, read_s=1).at_risk


def test_two_minutes_before_the_deadline_nothing_is_relied_on_any_more() -> None:
    assert expected(WAITING, after_min=238.5, attempt_s=0.1).at_risk
    immediate = replace(WAITING, due=NOON + timedelta(minutes=15))
    assert not expected(immediate, after_min=5, attempt_s=0.1).at_risk
    assert expected(immediate, after_min=13, attempt_s=0.1).at_risk


def test_what_a_webhook_has_not_brought_lies_in_the_inbox_half_way_and_after_an_hour_at_the_latest() -> None:
    assert accompanied_from(NOON, NOON + timedelta(minutes=15)) == NOON + timedelta(minutes=7.5)
    assert accompanied_from(NOON, NOON + timedelta(days=3)) == NOON + timedelta(hours=1)


def test_a_pace_follows_what_was_measured_last() -> None:
    pace = Pace()
    assert pace.seconds is None
    pace.took(100)
    assert pace.seconds == 100
    pace.took(200)
    assert pace.seconds == 120


@pytest.mark.parametrize(
    ("changes", "opens_in_h", "due_in_h", "stand_in"),
    [
        ({}, 15, 0.25, "northbury-edt"),
        ({}, 15, 4, "northbury-edt"),
        ({}, 15, 30, None),
        ({}, None, 0.25, None),
        ({"always_open": True}, 15, 0.25, None),
        ({"out_of_hours": None}, 15, 0.25, None),
    ],
)
def test_who_stands_in_when_nobody_is_there_before_the_deadline(
    changes: dict[str, Any], opens_in_h: float | None, due_in_h: float, stand_in: str | None
) -> None:
    closed = a_recipient(**{"always_open": False, "out_of_hours": "northbury-edt", **changes})
    opens = None if opens_in_h is None else NOON + timedelta(hours=opens_in_h)
    assert closed.replaced_by(opens_next=opens, due=NOON + timedelta(hours=due_in_h)) == stand_in


def test_hours_choose_the_channel_and_an_address_that_may_not_be_used_is_passed_over() -> None:
    webhook = Channel("webhook", "https://a.example/", hours="office")
    topic = Channel("topic", hours="out_of_hours")
    one = a_recipient(channels=(webhook, topic, Channel("inbox")))
    assert (one.first_channel(True), one.first_channel(False)) == (0, 1)
    disabled = a_recipient(channels=(replace(webhook, why_not="disabled"), Channel("inbox")))
    assert (disabled.first_channel(True), disabled.next_channel(0)) == (1, 1)
    alone = a_recipient(channels=(replace(webhook, why_not="not verified"),))
    assert (alone.first_channel(), alone.next_channel(0), alone.inbox) == (0, None, None)
