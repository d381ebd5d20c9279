"""What Prometheus is told of what waits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.console.gauges import set_gauges

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
TOTALS: dict[str, Any] = {"open": 3, "overdue": 1, "breaches": 0, "states": {"routed": 7}, "without_history": 2}


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_what_waits_and_how_near_the_nearest_deadline_is() -> None:
    waiting = [{"service": "triage", "cases": 4, "since": NOW - timedelta(seconds=90)}]
    nearest = [{"due": NOW + timedelta(minutes=12)}]
    set_gauges(NOW, waiting=waiting, nearest=nearest, dead=[{"total": 5}], totals=TOTALS)

    assert value("waymark_waiting_cases", service="triage") == 4
    assert value("waymark_oldest_waiting_seconds", service="triage") == 90
    assert value("waymark_waiting_cases", service="delivery") == 0
    assert value("waymark_minutes_to_breach") == pytest.approx(12)
    assert value("waymark_deadlines_overdue") == 1
    assert value("waymark_dead_letters_waiting") == 5
    assert value("waymark_cases_without_history") == 2
    assert value("waymark_cases_last_day", state="routed") == 7
    assert value("waymark_cases_last_day", state="held") == 0


def test_a_passed_deadline_is_negative_and_none_is_infinitely_far() -> None:
    late = [{"due": NOW - timedelta(minutes=3)}]
    set_gauges(NOW, waiting=[], nearest=late, dead=[], totals=TOTALS)
    assert value("waymark_minutes_to_breach") == pytest.approx(-3)

    set_gauges(NOW, waiting=[], nearest=[], dead=[], totals=TOTALS)
    assert value("waymark_minutes_to_breach") == math.inf
    assert value("waymark_oldest_waiting_seconds", service="triage") == 0
