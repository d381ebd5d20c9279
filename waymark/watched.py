"""The conservation check over and over, told as metrics: `waymark reconcile --watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from prometheus_client import Gauge, start_http_server

from shared import telemetry
from shared.errors import Retryable
from shared.vocabulary import CASE_STATES

REVISIONS: Final = Gauge("waymark_revisions", "Accepted revisions, by what became of them", ["state"])
ACCEPTED: Final = Gauge("waymark_revisions_accepted", "Accepted revisions")
UNACCOUNTED: Final = Gauge("waymark_revisions_unaccounted", "Accepted revisions found in no named state")
CHECKED: Final = Gauge(
    "waymark_reconciled_timestamp_seconds", "When the conservation check last came to its end"
)

_log = telemetry.logger()


async def watch(
    check: Callable[[], Awaitable[Mapping[str, Any]]], *, every_s: float, host: str, port: int
) -> None:
    """Check every `every_s` seconds for ever, and serve what was found at `host:port/metrics`."""
    telemetry.set_up("reconcile")
    start_http_server(port, host)
    while True:
        try:
            tell(await check())
        except Retryable as error:
            _log.warning("reconcile.waiting", error=str(error))
        await asyncio.sleep(every_s)


def tell(document: Mapping[str, Any]) -> None:
    """Set the metrics from the check's document; one line in the log where something is unaccounted."""
    for state in CASE_STATES:
        REVISIONS.labels(state).set(document[state])
    ACCEPTED.set(document["accepted"])
    UNACCOUNTED.set(document["unaccounted"])
    CHECKED.set_to_current_time()
    if document["unaccounted"]:
        _log.error(
            "reconcile.unaccounted",
            revisions=document["unaccounted"],
            first=document["unaccounted_cases"][0]["case"],
        )
