"""The run itself: bring everything up, tell it what social care knows, stream the month, wait, look."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson

from shared.errors import WaymarkError
from waymark.access import owner
from waymark.demo.watch import Watcher
from waymark.reconcile import check, report
from waymark.simulate import Month
from waymark.system import System

AT_ONCE: Final = 16
SETTLED_FOR_S: Final = 2.0


class DemoTrouble(WaymarkError):
    """Why the demo could not go on, in one sentence."""


async def tell_records(system: System, http: aiohttp.ClientSession, month: Month) -> None:
    """What each council's social care knows, by the councils' own keys."""
    for source, document in month.records.items():
        async with http.post(
            f"{system.url('enrichment')}/v1/records",
            data=orjson.dumps(document),
            headers=_headers(system.keys["council"][source]),
        ) as response:
            if response.status not in (200, 202):
                raise DemoTrouble(f"Enrichment refused the records of {source} with {response.status}.")


async def stream(
    system: System,
    http: aiohttp.ClientSession,
    incidents: Sequence[Mapping[str, Any]],
    advance: Callable[[], None],
) -> tuple[list[float], Counter[str]]:
    """Post all incidents, at most 16 at a time, those of one case in order.

    Returns the time of each answer in milliseconds and the counts by `status` of the 202s.
    """
    waiting = asyncio.Queue[Mapping[str, Any]]()
    for incident in incidents:
        waiting.put_nowait(incident)
    took: list[float] = []
    answers: Counter[str] = Counter()

    async def post_next() -> None:
        while not waiting.empty():
            incident = waiting.get_nowait()
            start = time.perf_counter()
            async with http.post(
                f"{system.url('intake')}/v1/incidents",
                data=orjson.dumps(incident),
                headers=_headers(system.keys["police"][incident["force"]]),
            ) as response:
                answer = await response.json(content_type=None)
                if response.status != 202:
                    raise DemoTrouble(
                        f"Intake refused {incident['reference']} with {response.status}: {answer.get('title')}."
                    )
            took.append((time.perf_counter() - start) * 1000)
            answers[answer["status"]] += 1
            advance()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(post_next())
    return took, answers


async def settle(
    system: System, watcher: Watcher, advance: Callable[[int, int], None], *, within_s: float
) -> dict[str, Any]:
    """Wait until nothing is on its way any more. The conservation check's document.

    `advance` is told how many revisions have arrived, of how many.
    """
    database = owner(system.parts.database)
    quiet_since = time.monotonic()
    deadline = time.monotonic() + within_s
    last: tuple[Any, ...] = ()
    try:
        while True:
            document = report(await check(database, system.parts.kafka))
            advance(document["accepted"] - document["in_flight"], document["accepted"])
            now = (document["in_flight"], sum(seen.versions for seen in watcher.cases.values()))
            if now != last:
                last, quiet_since = now, time.monotonic()
            settled = document["in_flight"] == 0 and time.monotonic() - quiet_since > SETTLED_FOR_S
            if settled or time.monotonic() > deadline:
                return document
            await asyncio.sleep(0.25)
    finally:
        await database.close()


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
