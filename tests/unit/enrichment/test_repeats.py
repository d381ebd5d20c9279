"""Counts of earlier incidents by window, level and pair, and whether they rise."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.enrichment.domain.repeats import escalation_of, months_before, repeats_of
from shared.contracts.base import LOCAL_TIME
from shared.contracts.history import EarlierIncident, Pair

ON = date(2026, 11, 20)
COUPLE, OTHER = Pair(victim="a1", perpetrator="a2"), Pair(victim="a1", perpetrator="p-1")


def earlier(day: date, *pairs: Pair, **said: Any) -> EarlierIncident:
    moment = datetime(day.year, day.month, day.day, 23, 30, tzinfo=LOCAL_TIME)
    return EarlierIncident(
        force="northshire", reference=f"NS-{day}", occurred_at=moment, pairs=list(pairs) or None, **said
    )


def test_each_window_counts_calendar_months_with_both_ends() -> None:
    days = [
        date(2026, 5, 19),
        date(2026, 5, 20),
        ON,
        date(2025, 11, 20),
        date(2025, 11, 19),
        date(2024, 11, 19),
    ]
    counts = {one.months: one.incidents for one in repeats_of(map(earlier, days), ON)}
    assert counts == {6: 2, 12: 4, 24: 5}


def test_counts_are_told_by_level_and_by_pair_the_most_frequent_first() -> None:
    said = [
        earlier(ON - timedelta(days=9), COUPLE, police_level="high", violence_level="medium"),
        earlier(ON - timedelta(days=8), COUPLE, OTHER, police_level="standard"),
        earlier(ON - timedelta(days=7), Pair(), police_level="standard"),
        earlier(ON - timedelta(days=6)),
    ]
    half_a_year = repeats_of(said, ON)[0]
    assert half_a_year.by_police_level == {"high": 1, "standard": 2, "unknown": 1}
    assert half_a_year.by_violence_level == {"medium": 1, "unknown": 3}
    assert [(one.victim, one.perpetrator, one.incidents) for one in half_a_year.pairs] == [
        ("a1", "a2", 2),
        ("a1", "p-1", 1),
    ]


def test_an_incident_that_is_only_likely_the_familys_is_not_counted() -> None:
    likely = earlier(ON).model_copy(update={"link": "likely"})
    assert [one.incidents for one in repeats_of([likely], ON)] == [0, 0, 0]
    assert escalation_of([likely], ON) == []


@pytest.mark.parametrize(
    ("days_ago", "rising"), [((300, 90, 30), True), ((300, 250, 30), False), ((90, 30), False), ((), False)]
)
def test_more_incidents_in_the_last_six_months_than_in_the_six_before_are_rising(
    days_ago: tuple[int, ...], rising: bool
) -> None:
    said = [earlier(ON - timedelta(days=days)) for days in days_ago]
    assert ("more_often" in escalation_of(said, ON)) is rising


@pytest.mark.parametrize(
    ("first", "last", "graver"),
    [
        ({"violence_level": "none_low"}, {"violence_level": "medium"}, True),
        ({"police_level": "standard"}, {"police_level": "high"}, True),
        ({"violence_level": "high"}, {"violence_level": "medium"}, False),
        ({}, {"violence_level": "high"}, False),
    ],
)
def test_what_is_graver_than_at_first_is_rising(
    first: dict[str, Any], last: dict[str, Any], graver: bool
) -> None:
    said = [earlier(ON - timedelta(days=300), **first), earlier(ON - timedelta(days=20), **last)]
    assert ("graver" in escalation_of(said, ON)) is graver


def test_a_shorter_month_ends_with_its_last_day() -> None:
    assert months_before(date(2026, 8, 31), 6) == date(2026, 2, 28)
    assert months_before(date(2026, 1, 15), 12) == date(2025, 1, 15)
