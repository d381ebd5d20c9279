"""The broker is killed and stays away: intake goes on, says so, and catches up by itself.

WAYMARK_TEST_OUTAGE_S: how long the broker is away (10; the acceptance run takes 60). As many posts as a
minute of it makes 2,000.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from deploy.local import LocalRuntime, Parts
from shared.contracts.topics import INCIDENTS
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, open_door
from tests.integration.waiting import until

AWAY_S = float(os.environ.get("WAYMARK_TEST_OUTAGE_S", "10"))
REVISIONS = 5
PER_WAY = max(20, math.ceil(2000 / 60 * AWAY_S / REVISIONS / 3))
LINES = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True)
class Place:
    """An intake whose broker is its own, to be killed."""

    door: Door
    parts: Parts


@pytest.fixture(scope="module")
def place(servers: Servers) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="waymark-broker-"))
    try:
        with (
            LocalRuntime(folder, database=servers.database) as parts,
            open_door(replace(servers, kafka=parts.kafka)) as door,
        ):
            yield Place(door, parts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def broker_away(parts: Parts) -> AsyncIterator[None]:
    """Killed with -9; whoever looks after it cannot start it again, since its port is taken."""
    port = int(parts.kafka.rpartition(":")[2])
    pid = parts.kafka_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(parts.wait_until, lambda p: p.kafka_pid is None)

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    taken = await asyncio.start_server(hang_up, "127.0.0.1", port, reuse_address=True)
    try:
        yield
    finally:
        taken.close()


@dataclass
class Watch:
    """What health and metrics said, as often as they were asked."""

    door: Door
    said: list[tuple[str, str]]
    measured: set[str]

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.door.url, timeout=20) as http:
            while True:
                health = (await http.get("/health/ready")).json()
                self.said.append((health["status"], health["parts"]["broker"]))
                self.measured |= {
                    line
                    for line in (await http.get("/metrics")).text.splitlines()
                    if line.startswith("waymark_degraded") and '"broker"' in line and '"intake"' in line
                }
                await asyncio.sleep(0.2)


def revision(reference: str, number: int) -> dict[str, Any]:
    return an_incident(reference=reference, revision=number, summary=f"As revised for time {number}.")


def in_groups(references: list[str], size: int) -> list[list[str]]:
    return [references[at : at + size] for at in range(0, len(references), size)]


class Senders:
    """A third of the references is posted one by one, a third in live batches, a third in bulk ones."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._references = {way: [f"{way}-{n}" for n in range(PER_WAY)] for way in ("single", "batch", "bulk")}
        self.codes: list[int] = []

    async def post_round(self, number: int) -> None:
        """Each reference's next revision; no reference's before the one before it was answered."""
        async with self._door.client() as http:
            for group in in_groups(self._references["single"], 8):
                answers = await asyncio.gather(
                    *(http.post("/v1/incidents", json=revision(reference, number)) for reference in group)
                )
                self.codes += [answer.status_code for answer in answers]
            for way, lane in (("bulk", "bulk"), ("batch", "live")):
                for group in in_groups(self._references[way], 20):
                    lines = b"\n".join(orjson.dumps(revision(reference, number)) for reference in group)
                    answer = await http.post(f"/v1/incidents/batch?lane={lane}", content=lines, headers=LINES)
                    assert answer.status_code == 200, answer.text
                    self.codes += [orjson.loads(line)["code"] for line in answer.text.splitlines()]

    @property
    def cases(self) -> list[str]:
        return [f"northshire/{one}" for references in self._references.values() for one in references]


@dataclass(frozen=True)
class Published:
    lane: str
    seq: int
    revision: int
    at_ms: int


async def all_published(kafka: str, expected: int) -> dict[str, list[Published]]:
    """What stands on both lanes per case, in order, once there are as many different events."""
    consumer = AIOKafkaConsumer(*INCIDENTS.lanes, bootstrap_servers=kafka, auto_offset_reset="earliest")
    found: dict[str, list[Published]] = defaultdict(list)
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            while sum(len({one.seq for one in events}) for events in found.values()) < expected:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        event = orjson.loads(record.value)
                        found[record.key.decode()].append(
                            Published(event["lane"], event["seq"], event["body"]["revision"], record.timestamp)
                        )
    finally:
        await consumer.stop()
    return found


def as_applied(events: list[Published]) -> list[int]:
    """The revisions as a reader applies them: what is not above the last `seq` falls away."""
    applied: list[Published] = []
    for event in events:
        if not applied or event.seq > applied[-1].seq:
            applied.append(event)
    return [event.revision for event in applied]


@pytest.mark.timeout(600)
async def test_a_broker_that_is_killed_and_comes_back_costs_no_post_and_no_order(place: Place) -> None:
    senders, watch = Senders(place.door), Watch(place.door, [], set())
    watching = asyncio.create_task(watch.run())
    numbers = count(1)
    await senders.post_round(next(numbers))
    async with broker_away(place.parts):
        back = asyncio.get_running_loop().time() + AWAY_S
        await senders.post_round(next(numbers))
        await until(lambda: ("degraded", "degraded") in watch.said, "health says that the broker is away")
        away = [next(numbers), next(numbers)]
        for number in away:
            await senders.post_round(number)
        await asyncio.sleep(max(0.0, back - asyncio.get_running_loop().time()))
    await senders.post_round(next(numbers))
    await until(lambda: watch.said[-1] == ("up", "up"), "health says by itself that all is well", 120)
    watching.cancel()
    found = await all_published(place.parts.kafka, len(senders.cases) * REVISIONS)

    assert senders.codes == [202] * (len(senders.cases) * REVISIONS)
    assert "down" not in {status for status, _ in watch.said}
    assert {line[-3:] for line in watch.measured} == {"0.0", "1.0"}
    everything = list(range(1, REVISIONS + 1))
    assert {case: as_applied(events) for case, events in found.items()} == dict.fromkeys(
        senders.cases, everything
    )
    left = {
        lane: [
            event.at_ms
            for events in found.values()
            for event in events
            if event.lane == lane and event.revision in away
        ]
        for lane in ("live", "bulk")
    }
    assert max(left["live"]) <= min(left["bulk"]), "bulk events were sent before live ones"
