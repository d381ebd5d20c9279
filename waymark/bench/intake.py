"""`waymark bench intake`: what accepting an incident costs, beside a bare FastAPI endpoint in the same run.

Intake runs alone, on the real broker and a database that syncs its log to disk; the bare endpoint answers
202 and does nothing else. Both get the same posts from the same load, in turns, so that what the machine
does meanwhile falls on both. The CPU is that of the endpoint's own process; the database's is beside it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil

from deploy.local import ports
from waymark.bench.pipeline import BenchTrouble, percentiles, write_incidents
from waymark.bench.processes import snapshot, spent
from waymark.system import Plan, System

BATCH_LINES: Final = 1000
FORCE: Final = "northshire"

Say = Callable[[str], None]


@dataclass(slots=True)
class Options:
    """What to measure: rounds of `singles` posts over `connections`, and of `batches` of 1,000 lines."""

    data: Path
    rounds: int = 5
    singles: int = 2000
    batches: int = 3
    connections: int = 32


@dataclass(slots=True)
class _Target:
    """An endpoint under load: its address, its process and what belongs to it."""

    url: str
    key: str
    pids: dict[str, int]


async def bench_intake(options: Options, say: Say) -> dict[str, Any]:
    """Measure everything; the document that `--json` prints."""
    per_round = options.singles + options.batches * BATCH_LINES
    needed = options.singles + options.rounds * per_round + options.singles * 2
    say(f"Simulating {needed} incidents")
    bodies = write_incidents(options.data, needed, force=FORCE)
    system = System(
        Plan(
            options.data,
            purpose="work",
            services=("intake",),
            environment={"WAYMARK_POSTS_PER_S": "1000000"},
        ),
        progress=say,
    )
    port = ports.choose()
    bare_process = await asyncio.create_subprocess_exec(sys.executable, "-m", "waymark.bench.bare", str(port))
    try:
        async with system.running():
            intake = _Target(
                system.url("intake"),
                system.keys["police"][FORCE],
                {
                    "intake": system.services["intake"].child.pid,
                    "database": system.parts.postgres_pid or 0,
                    "broker": system.parts.kafka_pid or 0,
                },
            )
            bare = _Target(f"http://127.0.0.1:{port}", "none", {"bare": bare_process.pid})
            await _answering(bare.url)
            return await _Bench(options, bodies, say).measure(intake, bare)
    finally:
        bare_process.kill()
        await bare_process.wait()


async def _answering(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(200):
            try:
                async with http.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise BenchTrouble("The bare endpoint did not come up.")


class _Bench:
    def __init__(self, options: Options, bodies: Path, say: Say) -> None:
        self._options = options
        self._bodies = bodies
        self._say = say
        self._skip = 0

    async def measure(self, intake: _Target, bare: _Target) -> dict[str, Any]:
        options = self._options
        await self._load(intake, options.singles // 2)
        await self._load(bare, options.singles // 2)
        rounds = []
        for number in range(options.rounds):
            self._say(f"Round {number + 1} of {options.rounds}")
            bare_round = await self._load(bare, options.singles, again=True)
            single = await self._load(intake, options.singles)
            batch = await self._load(intake, options.batches * BATCH_LINES, lines=BATCH_LINES)
            rounds.append((bare_round, single, batch))
            self._say(
                f"  CPU per post: bare {bare_round['cpu_ms']['bare']:.3f}, intake"
                f" {single['cpu_ms']['intake']:.3f}, a line of a batch {batch['cpu_ms']['intake']:.3f} ms;"
                f" {single['per_s']:.0f} singles and {batch['per_s']:.0f} lines a second"
            )
        highest = statistics.median(single["per_s"] for _, single, _ in rounds)
        self._say(f"Half the highest rate: {highest / 2:.0f} a second")
        paced = await self._load(intake, options.singles, rate=highest / 2)
        return _document(rounds, highest, paced)

    async def _load(
        self, target: _Target, count: int, *, lines: int = 1, rate: float = 0, again: bool = False
    ) -> dict[str, Any]:
        """One round's load: posts a second, CPU milliseconds per incident by process, sorted latencies."""
        order = {
            "url": target.url,
            "key": target.key,
            "bodies": str(self._bodies),
            "skip": 0 if again else self._skip,
            "count": count,
            "connections": 1 if lines > 1 else self._options.connections,
            "lines": lines,
            "rate": rate,
        }
        if not again:
            self._skip += count
        before = snapshot(target.pids)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "waymark.bench.door_load",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate(orjson.dumps(order))
        if process.returncode:
            raise BenchTrouble(f"The load ended with status {process.returncode}.")
        found = orjson.loads(output)
        if found["bad"]:
            raise BenchTrouble(f"{found['bad']} of {found['posts']} posts were not accepted.")
        cpu = spent(before, snapshot(target.pids))
        return {
            "per_s": count / found["seconds"],
            "cpu_ms": {name: seconds * 1000 / count for name, seconds in cpu.items()},
            "accept_ms": sorted(found["accept_ms"]),
        }


def _document(
    rounds: Sequence[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]],
    highest: float,
    paced: dict[str, Any],
) -> dict[str, Any]:
    def median(of: Callable[[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]], float]) -> float:
        return round(statistics.median(of(one) for one in rounds), 3)

    def cpu_by_process(which: int) -> dict[str, float]:
        names = list(rounds[0][which]["cpu_ms"])
        return {
            name: round(statistics.median(one[which]["cpu_ms"][name] for one in rounds), 3) for name in names
        }

    return {
        "cpu_ms": {
            "bare": median(lambda one: one[0]["cpu_ms"]["bare"]),
            "single": cpu_by_process(1),
            "batch_line": cpu_by_process(2),
        },
        "per_s": {
            "bare": round(statistics.median(one[0]["per_s"] for one in rounds)),
            "single": round(highest),
            "batch_lines": round(statistics.median(one[2]["per_s"] for one in rounds)),
        },
        "accept_ms": {
            "highest_rate": percentiles(rounds[-1][1]["accept_ms"], (50, 99)),
            "half_the_highest_rate": {
                "rate": round(highest / 2),
                **percentiles(paced["accept_ms"], (50, 99, 99.9)),
            },
        },
        "ratios": {
            "single_to_bare_cpu": median(lambda one: one[1]["cpu_ms"]["intake"] / one[0]["cpu_ms"]["bare"]),
            "batch_line_to_single_cpu": median(
                lambda one: one[2]["cpu_ms"]["intake"] / one[1]["cpu_ms"]["intake"]
            ),
        },
        "rounds": [
            {
                "bare_cpu_ms": round(bare["cpu_ms"]["bare"], 3),
                "single_cpu_ms": round(single["cpu_ms"]["intake"], 3),
                "batch_line_cpu_ms": round(batch["cpu_ms"]["intake"], 3),
                "singles_per_s": round(single["per_s"]),
                "lines_per_s": round(batch["per_s"]),
            }
            for bare, single, batch in rounds
        ],
        "machine": {"cores": psutil.cpu_count()},
    }
