"""`waymark bench overhead`: what tracing and the time ledger cost, side by side in one run.

The same load, more than the machine can take, goes to the system as it is, with every live trace exported over
OTLP, and to the same system with neither traces nor ledger, in turns. The highest rate is what it got out from
the first post to the last delivery attempt.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local import ports
from waymark.bench.pipeline import Bench, write_incidents
from waymark.recipients import write_recipients
from waymark.system import Plan, System

GOAL: Final = 0.15
WARM_UP_S: Final = 3.0
WITHOUT: Final = "waymark.bench.without_ledger"

Say = Callable[[str], None]


@dataclass(slots=True)
class Options:
    """`rate` a second for `seconds`, `rounds` times each way."""

    data: Path
    rate: float = 400
    seconds: float = 6
    rounds: int = 2


async def bench_overhead(options: Options, say: Say) -> dict[str, Any]:
    """Measure both in turns; the document that `--json` prints."""
    per_run = int(options.rate * options.seconds) + int(50 * WARM_UP_S)
    say(f"Simulating {per_run} incidents")
    rates: dict[str, list[float]] = {"with": [], "without": []}
    cpu: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(options.rounds):
        # Each way is first once, so that what the machine does meanwhile falls on both.
        for way in ("with", "without") if number % 2 == 0 else ("without", "with"):
            say(f"Round {number + 1} of {options.rounds}, {way} tracing and ledger")
            rate, cost = await _measure(options, options.data / f"{way}-{number}", per_run, way, say)
            rates[way].append(rate)
            cpu[way].append(cost)
    highest = {way: round(statistics.median(found), 1) for way, found in rates.items()}
    return {
        "highest_per_s": highest,
        "cpu_ms_per_incident": {way: round(statistics.median(found), 2) for way, found in cpu.items()},
        "rounds": {way: [round(rate, 1) for rate in found] for way, found in rates.items()},
        "ratios": {
            "rate_lost": round(1 - highest["with"] / highest["without"], 3),
            "cpu_more": round(statistics.median(cpu["with"]) / statistics.median(cpu["without"]) - 1, 3),
        },
        "goals": {"rate_lost": GOAL},
    }


async def _measure(options: Options, place: Path, count: int, way: str, say: Say) -> tuple[float, float]:
    """The highest rate, and CPU of the whole system per incident in ms."""
    incidents = await asyncio.to_thread(write_incidents, place, count)
    sinks = {name: ports.choose() for name in ("webhooks", "spans")}
    folder = place / "recipients"
    await asyncio.to_thread(
        write_recipients, folder, lambda _: f"http://127.0.0.1:{sinks['webhooks']}/hook", webhooks_only=True
    )
    processes = {
        name: await asyncio.create_subprocess_exec(sys.executable, "-m", "waymark.bench.sink", str(port))
        for name, port in sinks.items()
    }
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sinks['spans']}"} if way == "with" else {}
    plan = Plan(place, recipients=folder, purpose="work", environment=traced)
    if way == "without":
        plan.module = WITHOUT
    system = System(plan, progress=say)
    try:
        async with system.running():
            bench = Bench(
                system, processes["webhooks"].pid, f"http://127.0.0.1:{sinks['webhooks']}", incidents, say
            )
            await bench.run(50, WARM_UP_S, warm_up=True)
            run = await bench.run(options.rate, options.seconds)
    finally:
        for process in processes.values():
            process.kill()
            await process.wait()
    took = run.posts / run.achieved_per_s + run.drained_after_s
    return run.accepted / took, sum(run.cpu_ms_per_incident.values())
