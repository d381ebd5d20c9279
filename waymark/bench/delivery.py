"""`waymark bench delivery`: what sick recipients cost the healthy ones, what a backlog costs an urgent case,
and webhooks a second beside a bare httpx loop.

Delivery runs as in production, on the real broker and database; decisions come as triage sends them. Each
measurement starts with empty tables and a fresh process, and those that are compared take turns.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil

from deploy.local import ports
from shared import vocabulary as v
from shared.contracts.events import CaseDecided
from shared.contracts.topics import DECIDED
from shared.db import Database
from shared.errors import WaymarkError
from shared.kafka import Producer
from shared.outbox import Outbox
from waymark.bench.delivery_load import Decisions, Place, fill, write_places
from waymark.bench.pipeline import percentiles
from waymark.bench.processes import cpu_seconds
from waymark.system import Plan, System

Say = Callable[[str], None]

TABLES: Final = (
    "deliveries", "contents", "cases", "feed", "cursors", "outbox", "marks", "seqs", "refusals", "addresses",
    "notices", "dead_letters",
)  # fmt: skip
SLOW_SHARE: Final = 0.10
DEAD_SHARE: Final = 0.05


class BenchTrouble(WaymarkError):
    """Why a measurement could not be made, in one sentence."""


@dataclass(slots=True)
class Options:
    """What to measure."""

    data: Path
    recipients: int = 200
    rounds: int = 5
    per_s: float = 100
    seconds: float = 8
    backlog: int = 100_000
    urgent: int = 20
    baseline_s: float = 8
    environment: dict[str, str] = field(default_factory=dict)


async def bench_delivery(options: Options, say: Say) -> dict[str, Any]:
    """Measure everything; the document that `--json` prints."""
    port = ports.choose()
    places = write_places(options.data, options.recipients, port)
    hooks = await asyncio.create_subprocess_exec(sys.executable, "-m", "waymark.bench.hooks", str(port))
    plan = Plan(
        options.data,
        areas=options.data / "areas",
        recipients=options.data / "recipients",
        services=("delivery",),
        environment=options.environment,
    )
    system = System(plan, progress=say)
    try:
        async with system.running(), _bench(system, options, places, port, say) as bench:
            well, sick = await bench.healthy_and_sick()
            urgent = await bench.urgent_over_backlog()
            sustained, bare = await bench.sustained()
    finally:
        hooks.kill()
        await hooks.wait()
    return _document(options, well, sick, urgent, sustained, bare)


@asynccontextmanager
async def _bench(
    system: System, options: Options, places: Sequence[Place], port: int, say: Say
) -> AsyncIterator[_Bench]:
    parts = system.parts
    triage = Database(parts.database, "triage")
    producer = Producer(parts.kafka, "bench-triage", system.plan.partitions)
    outbox = Outbox(triage, producer)
    delivery = Database(parts.database, "delivery", pool_size=2)
    http = aiohttp.ClientSession()
    try:
        yield _Bench(system, options, places, f"http://127.0.0.1:{port}", outbox, delivery, http, say)
    finally:
        await http.close()
        for closing in (outbox, producer, triage, delivery):
            await closing.close()


class _Bench:
    """Delivery running, with triage played by the benchmark."""

    def __init__(
        self,
        system: System,
        options: Options,
        places: Sequence[Place],
        hooks: str,
        outbox: Outbox,
        delivery: Database,
        http: aiohttp.ClientSession,
        say: Say,
    ) -> None:
        self._system = system
        self._options = options
        self._places = places
        self._hooks = hooks
        self._outbox = outbox
        self._delivery = delivery
        self._http = http
        self._say = say
        self._decisions = Decisions()
        self._payload_bytes = 0
        sick = int(len(places) * SLOW_SHARE), int(len(places) * (SLOW_SHARE + DEAD_SHARE))
        # Spread over areas and roles, as illness is.
        spread = [places[(i * 37) % len(places)] for i in range(len(places))]
        self._slow, self._dead = spread[: sick[0]], spread[sick[0] : sick[1]]
        self.healthy = frozenset(place.name for place in spread[sick[1] :])

    async def _fresh(self) -> None:
        """Empty tables and a fresh process, ready."""
        name = "delivery"
        child = self._system.services[name].child
        async with self._delivery.transaction() as tx:
            await tx.execute(f"TRUNCATE {', '.join(TABLES)}")
        await asyncio.to_thread(child.stop)
        await self._ready(child.pid)
        await self._http.get(f"{self._hooks}/seen")

    async def _ready(self, old: int) -> None:
        """The supervisor has started it again, and it consumes."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            running = self._system.services["delivery"]
            if running.child.pid != old and running.child.running:
                try:
                    async with self._http.get(f"{running.url}/health/ready") as answer:
                        if (await answer.json()).get("status") == "up":
                            return
                except (aiohttp.ClientError, OSError, ValueError):
                    pass
            await asyncio.sleep(0.1)
        raise BenchTrouble(f"Delivery did not come back; see its log in {self._system.plan.data}.")

    async def _mode(self, *, sick: bool) -> None:
        modes = {}
        if sick:
            modes = {place.name: "slow" for place in self._slow}
            modes |= {place.name: ("hang", "drop")[i % 2] for i, place in enumerate(self._dead)}
        await self._http.post(f"{self._hooks}/mode", data=orjson.dumps(modes))

    async def _seen(self) -> dict[str, Any]:
        async with self._http.get(f"{self._hooks}/seen") as answer:
            return dict(orjson.loads(await answer.read()))

    async def _emit(self, case: str, body: CaseDecided, lane: v.Lane = "live") -> None:
        async with self._outbox.transaction() as tx:
            tx.emit(DECIDED, case, body, started=datetime.now(UTC), lane=lane)

    async def healthy_and_sick(self) -> tuple[list[list[float]], list[list[float]]]:
        """Milliseconds to each first attempt at the healthy, all being well and with the sick, in turns."""
        well: list[list[float]] = []
        sick: list[list[float]] = []
        for number in range(self._options.rounds):
            for found, is_sick in ((well, False), (sick, True)):
                name = "with the sick" if is_sick else "all well"
                await self._mode(sick=is_sick)
                await self._fresh()
                found.append(await self._paced())
                told = percentiles(sorted(found[-1]), (50, 99))
                self._say(
                    f"Round {number + 1}, {name}: first attempt at the healthy p50 {told['p50']}"
                    f" p99 {told['p99']} ms"
                )
        await self._mode(sick=False)
        return well, sick

    async def _paced(self) -> list[float]:
        """Decisions at a steady rate, each to four recipients in turn; milliseconds to the first attempt."""
        each = 4
        rate = self._options.per_s / each
        due_at: dict[str, float] = {}
        turn = 0
        for _ in range(20):  # the process has just started
            case, body, _ids = self._decisions.next(self._places[:each])
            await self._emit(case, body)
        await asyncio.sleep(1.5)
        await self._seen()
        emitting: set[asyncio.Task[None]] = set()
        start = time.time()
        for number in range(int(rate * self._options.seconds)):
            due = start + number / rate
            wanted = [self._places[(turn + i) % len(self._places)] for i in range(each)]
            turn += each
            case, body, ids = self._decisions.next(wanted)
            await asyncio.sleep(max(0.0, due - time.time()))
            due_at |= {one: due for one, place in zip(ids, wanted, strict=True) if place.name in self.healthy}
            task = asyncio.create_task(self._emit(case, body))
            emitting.add(task)
            task.add_done_callback(emitting.discard)
        await asyncio.gather(*emitting)
        first: dict[str, float] = {}
        ends = time.monotonic() + 30
        while time.monotonic() < ends and not set(due_at) <= set(first):
            await asyncio.sleep(0.25)
            first |= (await self._seen())["first"]
        missing = len(set(due_at) - set(first))
        if missing:
            raise BenchTrouble(f"{missing} of {len(due_at)} webhooks never came.")
        return [(first[one] - due) * 1000 for one, due in due_at.items()]

    async def urgent_over_backlog(self) -> dict[str, dict[str, float]]:
        """Milliseconds to the attempt of one urgent case, on an idle system and over a backlog."""
        await self._fresh()
        idle = await self._urgent()
        await self._fill()
        await asyncio.sleep(2)
        busy = await self._urgent()
        return {"idle": idle, "backlog": busy}

    async def _urgent(self) -> dict[str, float]:
        found: list[float] = []
        for number in range(self._options.urgent + 3):
            place = self._places[(number * 53) % len(self._places)]
            case, body, (one,) = self._decisions.next([place])
            started = time.time()
            await self._emit(case, body)
            ends = time.monotonic() + 30
            first: dict[str, float] = {}
            while one not in first:
                if time.monotonic() > ends:
                    raise BenchTrouble("An urgent case never came.")
                await asyncio.sleep(0.1)
                first = (await self._seen())["first"]
            if number >= 3:
                found.append((first[one] - started) * 1000)
        return percentiles(sorted(found), (50, 95))

    async def _fill(self) -> None:
        self._say(f"Filling the table with {self._options.backlog:,} bulk deliveries")
        case, body, _ = self._decisions.next(self._places[:1])
        document = {"schema": "waymark.notification/1", "case": case, "incident": body.as_json()["incident"]}
        payload = orjson.dumps(document)
        async with self._delivery.transaction() as tx:
            await fill(tx, self._options.backlog, self._places, payload)
        async with self._delivery.transaction() as tx:
            await tx.execute("ANALYZE deliveries")
        self._payload_bytes = len(payload)

    async def sustained(self) -> tuple[dict[str, float], float]:
        """Webhooks a second while the backlog lasts, with what they cost; and the bare loop's."""
        pid = self._system.services["delivery"].child.pid
        seconds = self._options.baseline_s
        done = await self._received()
        before, started = cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(seconds)
        webhooks = await self._received() - done
        took, cpu = time.perf_counter() - started, cpu_seconds(pid) - before
        if done + webhooks >= self._options.backlog:
            raise BenchTrouble("The backlog was gone before it was measured: take a larger one.")
        await self._system.stop_services()
        self._say("The bare httpx loop")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "waymark.bench.bare_webhooks",
            f"{self._hooks}/r/bench-000",
            str(self._payload_bytes),
            str(seconds),
            "32",
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise BenchTrouble(f"The bare loop ended with status {process.returncode}.")
        sustained = {
            "per_s": round(webhooks / took, 1),
            "cpu_ms_per_webhook": round(cpu * 1000 / max(1, webhooks), 3),
        }
        return sustained, float(orjson.loads(said)["per_s"])

    async def _received(self) -> int:
        """How many were sent, answered and stored as received."""
        async with self._delivery.transaction() as tx:
            return int(await tx.value("SELECT count(*) FROM deliveries WHERE state = 'received'"))


def _document(
    options: Options,
    well: list[list[float]],
    sick: list[list[float]],
    urgent: dict[str, dict[str, float]],
    sustained: dict[str, float],
    bare: float,
) -> dict[str, Any]:
    well_rounds, sick_rounds = ([percentiles(sorted(one), (50, 99)) for one in side] for side in (well, sick))

    def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
        """Of the rounds the middle one: a disturbance from outside spoils one round, not the result."""
        return {name: round(statistics.median(one[name] for one in rounds), 2) for name in ("p50", "p99")}

    more = {name: round(urgent["backlog"][name] - urgent["idle"][name], 1) for name in ("p50", "p95")}
    return {
        "recipients": options.recipients,
        "slow": int(options.recipients * SLOW_SHARE),
        "dead": int(options.recipients * DEAD_SHARE),
        "webhooks_asked_per_s": options.per_s,
        "first_attempt_ms": {
            "all_well": middle(well_rounds),
            "with_the_sick": middle(sick_rounds),
            "webhooks": sum(map(len, well)),
            "rounds": {"all_well": well_rounds, "with_the_sick": sick_rounds},
        },
        "urgent_ms": {**urgent, "more": more, "waiting": options.backlog},
        "sustained": {**sustained, "bare_httpx_per_s": bare},
        "ratios": {
            "sick_to_well_p99": round(middle(sick_rounds)["p99"] / middle(well_rounds)["p99"], 2),
            "webhooks_to_bare_httpx": round(sustained["per_s"] / bare, 2),
        },
        "goals": {
            "sick_to_well_p99": "at most 1.2",
            "urgent_more_ms": "at most 100",
            "webhooks_to_bare_httpx": "at least 0.5",
        },
        "cores": psutil.cpu_count(),
    }
