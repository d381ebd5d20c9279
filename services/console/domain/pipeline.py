"""The pipeline as a picture: stage by stage how fast, what waits before it, how long until that breaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.console.domain.times import say_duration

STAGES: Final = ("intake", "enrichment", "triage", "delivery")
URGENT: Final = timedelta(minutes=15)
"""The shortest deadline (design.md, promise 10): what is not decided yet may have to be out within it."""

_SOON_MIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Leg:
    """A stage and the way into it. Words are None where there is nothing to say."""

    stage: str
    health: str
    rate: str
    p50: str
    p99: str
    waiting: str | None
    oldest: str | None
    breach: str | None
    late: bool
    soon: bool


def minutes_to_breach(
    service: str, waiting_since: datetime | None, nearest_due: datetime | None, now: datetime
) -> float | None:
    """Minutes until the first of what waits for a service breaches; None where nothing waits.

    Before the decision no deadline is known: the shortest there is counts. Delivery's is the nearest open.
    """
    due = nearest_due if service == "delivery" else None
    if service in ("enrichment", "triage") and waiting_since is not None:
        due = waiting_since + URGENT
    return None if due is None else round((due - now).total_seconds() / 60, 1)


def legs(services: Sequence[Mapping[str, Any]], stages: Sequence[Mapping[str, Any]]) -> list[Leg]:
    """The stages in their order, from a status document's `services` and `stages`."""
    by_service = {one["service"]: one for one in services}
    by_stage = {one["stage"]: one for one in stages}
    return [_leg(by_service[name], by_stage[name]) for name in STAGES]


def _leg(service: Mapping[str, Any], stage: Mapping[str, Any]) -> Leg:
    minutes, oldest, cases = service["minutes_to_breach"], service["oldest_waiting_s"], service["waiting_cases"]
    late = minutes is not None and minutes <= 0
    return Leg(
        stage=service["service"],
        health=service["health"],
        rate=f"{stage['per_second']:g} a second",
        p50=f"p50 {_ms(stage['p50_ms'])}",
        p99=f"p99 {_ms(stage['p99_ms'])}",
        waiting=f"{cases} wait{'s' if cases == 1 else ''}" if cases else None,
        oldest=f"oldest {say_duration(oldest * 1000)}" if oldest is not None else None,
        breach=None if minutes is None else "breached" if late else f"breach {say_duration(minutes * 60_000)}",
        late=late,
        soon=minutes is not None and not late and minutes < _SOON_MIN,
    )


def _ms(ms: float | None) -> str:
    return "–" if ms is None else say_duration(ms)


def describe(legs: Sequence[Leg]) -> str:
    """The picture in words, for those who do not see it."""
    return " ".join(f"{leg.stage.capitalize()}: {', '.join(_parts(leg))}." for leg in legs)


def _parts(leg: Leg) -> list[str]:
    parts = (leg.health, leg.rate, leg.p50, leg.p99, leg.waiting or "nothing waits", leg.oldest, leg.breach)
    return [part for part in parts if part]
