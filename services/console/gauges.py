"""What waits, for whom and how close it is to its deadline, as metrics: Prometheus asks the console for the
whole of it, where each service knows only its own part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge

from services.console import store
from services.console.domain.condition import SERVICES
from shared import telemetry
from shared.db import Database, Row
from shared.errors import Retryable
from shared.vocabulary import CASE_STATES

_EVERY_S: Final = 15.0

WAITING: Final = Gauge("waymark_waiting_cases", "Cases that wait for a service", ["service"])
OLDEST: Final = Gauge("waymark_oldest_waiting_seconds", "How long the first of them has waited", ["service"])
DEADLINES: Final = Gauge("waymark_deadlines_open", "Cases with a deadline still to be met")
OVERDUE: Final = Gauge("waymark_deadlines_overdue", "Cases whose deadline has passed unmet")
NEAREST: Final = Gauge("waymark_minutes_to_breach", "Minutes to the nearest open deadline; negative: passed")
DEAD_LETTERS: Final = Gauge("waymark_dead_letters_waiting", "Events put aside that wait for a person")
WITHOUT_HISTORY: Final = Gauge(
    "waymark_cases_without_history", "Cases of the last hour decided without their history"
)
STATES: Final = Gauge("waymark_cases_last_day", "Cases accepted within a day, by state", ["state"])

_NO_DEADLINE: Final = float("inf")
_log = telemetry.logger()


async def keep_gauges(database: Database) -> None:
    """Count what waits, four times a minute, for ever."""
    while True:
        now = datetime.now(UTC)
        try:
            async with database.transaction() as tx:
                set_gauges(
                    now,
                    waiting=await store.waiting(tx),
                    nearest=await store.deadlines(tx, areas=None, limit=1),
                    dead=await store.dead_letters(tx, limit=1),
                    totals=await store.totals(tx, now),
                )
        except Retryable as error:
            _log.warning("gauges.waiting", error=str(error))
        await asyncio.sleep(_EVERY_S)


def set_gauges(
    now: datetime, *, waiting: Sequence[Row], nearest: Sequence[Row], dead: Sequence[Row], totals: Row
) -> None:
    """Tell what was counted. What nobody waits for is nought, not missing: an alert needs the difference."""
    waits = {row["service"]: row for row in waiting}
    for service in SERVICES:
        row = waits.get(service)
        WAITING.labels(service).set(row["cases"] if row else 0)
        since = row["since"] if row else None
        OLDEST.labels(service).set(max(0.0, (now - since).total_seconds()) if since else 0.0)
    DEADLINES.set(totals["open"])
    OVERDUE.set(totals["overdue"])
    NEAREST.set((nearest[0]["due"] - now).total_seconds() / 60 if nearest else _NO_DEADLINE)
    DEAD_LETTERS.set(dead[0]["total"] if dead else 0)
    WITHOUT_HISTORY.set(totals["without_history"])
    for state in CASE_STATES:
        STATES.labels(state).set(totals["states"].get(state, 0))
