"""The pipeline's picture: what it says of each stage, in shapes and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.console.domain.pipeline import STAGES, describe, legs, minutes_to_breach

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def service(name: str, **other: Any) -> dict[str, Any]:
    known = {"service": name, "health": "up", "waiting_cases": 0, "oldest_waiting_s": None}
    return {**known, "minutes_to_breach": None, **other}


def stage(name: str, **other: Any) -> dict[str, Any]:
    return {"stage": name, "per_second": 0.0, "p50_ms": None, "p99_ms": None, **other}


def test_before_the_decision_the_shortest_deadline_counts_and_after_it_the_nearest() -> None:
    since, due = NOON - timedelta(minutes=4), NOON + timedelta(hours=2)
    assert minutes_to_breach("enrichment", since, due, NOON) == 11
    assert minutes_to_breach("triage", since, None, NOON) == 11
    assert minutes_to_breach("delivery", since, due, NOON) == 120
    assert minutes_to_breach("triage", None, due, NOON) is None
    assert minutes_to_breach("intake", since, due, NOON) is None


def test_what_waits_and_what_is_late_is_said_in_the_picture_and_in_its_words() -> None:
    services = [
        service("intake"),
        service("enrichment", waiting_cases=1, oldest_waiting_s=3.0, minutes_to_breach=14.9),
        service("triage", health="unreachable", waiting_cases=12, oldest_waiting_s=720, minutes_to_breach=3.0),
        service("delivery", minutes_to_breach=-2.0),
    ]
    found = legs(services, [stage(name, per_second=1.5, p50_ms=3.4, p99_ms=20.2) for name in STAGES])
    assert [leg.waiting for leg in found] == [None, "1 waits", "12 wait", None]
    assert [leg.soon for leg in found] == [False, False, True, False]
    assert [leg.late for leg in found] == [False, False, False, True]
    words = describe(found)
    assert (
        "Triage: unreachable, 1.5 a second, p50 3.4 ms, p99 20 ms, 12 wait, oldest 12 min, breach 3 min."
        in words
    )
    assert words.endswith("nothing waits, breached.")
