"""`waymark bench pipeline`: from the POST to the first delivery attempt, at fixed and at rising rates.

The load is open-loop, each time is taken from the moment a post was due, and the baselines run on the
same broker in the same run, while the services are stopped.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil

from deploy.local import ports
from shared.errors import WaymarkError
from waymark.bench.processes import snapshot, spent
from waymark.recipients import write_recipients
from waymark.reconcile import conservation
from waymark.simulate import load_profile, simulate
from waymark.system import Plan, System

BASELINES: Final = {
    "aiokafka": 12_000,
    "aiokafka_batch": 12_000,
    "faststream_per_message": 400,
    "faststream_batch": 12_000,
}
"""Kind -> events of its measurement."""

LOSES_AFTER_S: Final = 3.0
"""A rate is kept up when its last case is out within this time of the last post."""

Say = Callable[[str], None]


class BenchTrouble(WaymarkError):
    """Why a measurement could not be made, in one sentence."""


@dataclass(slots=True)
class Options:
    """What to measure."""

    data: Path
    rates: Sequence[float] = (20, 100)
    rising: Sequence[float] = (150, 200, 250, 300, 350, 400, 450, 500, 600)
    seconds: float = 10
    repeats: int = 5
    baselines: bool = True
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """One rate's result."""

    rate: float
    posts: int
    accepted: int
    achieved_per_s: float
    accept_ms: dict[str, float]
    end_to_end_ms: dict[str, float]
    drained_after_s: float
    cpu_ms_per_incident: dict[str, float]
    webhooks_per_incident: float
    kept_up: bool


async def bench_pipeline(options: Options, say: Say) -> dict[str, Any]:
    """Measure everything; the document that `--json` prints."""
    port = ports.choose()
    rates = _plan(options)
    needed = sum(max(1, int(rate * options.seconds)) for rate in rates)
    say(f"Simulating {needed} incidents")
    incidents = write_incidents(options.data, needed)
    folder = options.data / "recipients"
    write_recipients(folder, lambda _: f"http://127.0.0.1:{port}/hook", webhooks_only=True)
    sink = await asyncio.create_subprocess_exec(sys.executable, "-m", "waymark.bench.sink", str(port))
    system = System(
        Plan(options.data, recipients=folder, purpose="work", environment=options.environment),
        progress=say,
    )
    try:
        async with system.running():
            bench = Bench(system, sink.pid, f"http://127.0.0.1:{port}", incidents, say)
            baselines: dict[str, Any] = {}
            paced: list[dict[str, float]] = []
            runs: list[Run] = []
            await bench.run(50, 3, warm_up=True)
            for rate in options.rates:
                repeats = options.repeats if rate == 100 else 1
                for number in range(repeats):
                    say(f"{rate:g} a second, {number + 1} of {repeats}")
                    runs.append(await bench.run(rate, options.seconds))
                    if rate == 100 and options.baselines:
                        paced.append(await _baseline(system, "aiokafka", int(rate * options.seconds), rate))
            sustained = await _climb(bench, options, runs, say)
            checked = await bench.conservation()
            await system.stop_services()
            if options.baselines:
                for kind, events in BASELINES.items():
                    say(f"Baseline {kind}")
                    baselines[kind] = await _baseline(system, kind, events, 0)
    finally:
        sink.kill()
        await sink.wait()
    return _document(runs, sustained, baselines, paced, checked, system)


def _plan(options: Options) -> list[float]:
    repeated = [rate for rate in options.rates for _ in range(options.repeats if rate == 100 else 1)]
    return [50, *repeated, *options.rising]


def write_incidents(data: Path, count: int, *, force: str | None = None) -> Path:
    """A simulated year's worth of them, each reference once, one JSON object a line; all of one force
    where it is named."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "incidents.jsonl"
    with path.open("wb") as file:
        for incident in simulate(load_profile("nspcc-2009"), count, 2007).incidents:
            if force is not None:
                incident = {**incident, "force": force}
            file.write(orjson.dumps(incident) + b"\n")
    return path


class Bench:
    """The running system with its load and its receiver."""

    def __init__(self, system: System, sink: int, sink_url: str, incidents: Path, say: Say) -> None:
        self._system = system
        self._sink = sink
        self._sink_url = sink_url
        self._incidents = incidents
        self._say = say
        self._skip = 0
        self._webhooks = 0

    def _pids(self) -> dict[str, int]:
        parts = self._system.parts
        pids = {name: one.child.pid for name, one in self._system.services.items()}
        return {
            **pids,
            "broker": parts.kafka_pid or 0,
            "database": parts.postgres_pid or 0,
            "receiver": self._sink,
        }

    async def run(self, rate: float, seconds: float, *, warm_up: bool = False) -> Run:
        """Load at one rate, wait until all is out or it is clear that it will not be soon."""
        count = max(1, int(rate * seconds))
        order: dict[str, Any] = {
            "url": self._system.url("intake"),
            "keys": self._system.keys["police"],
            "incidents": str(self._incidents),
            "skip": self._skip,
            "rate": rate,
            "seconds": seconds,
            "result": str(self._incidents.with_name("posts.json")),
        }
        self._skip += count
        before = snapshot(self._pids())
        load_before = psutil.Process().cpu_times()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "waymark.bench.load",
            stdin=asyncio.subprocess.PIPE,
        )
        await process.communicate(orjson.dumps(order))
        if process.returncode:
            raise BenchTrouble(f"The load ended with status {process.returncode}.")
        posts = orjson.loads(await asyncio.to_thread(Path(order["result"]).read_bytes))["posts"]
        last_post = max(due for _, due, _, _ in posts)
        drained = await self._drain()
        after = snapshot(self._pids())
        load_after = psutil.Process().cpu_times()
        seen = await self._seen()
        webhooks, self._webhooks = seen["webhooks"] - self._webhooks, seen["webhooks"]
        first = seen["first"]
        end_to_end = sorted(
            (first[case] - due) * 1000 for case, due, _, status in posts if status == 202 and case in first
        )
        accept = sorted((answered - due) * 1000 for _, due, answered, status in posts if status == 202)
        accepted = len(accept)
        if not accepted or (not end_to_end and not warm_up):
            raise BenchTrouble(
                f"At {rate:g} a second nothing arrived; see the logs in {self._system.plan.data}."
            )
        cpu = {
            name: round(seconds_ * 1000 / accepted, 3)
            for name, seconds_ in {
                **spent(before, after),
                "load": (load_after.children_user + load_after.children_system)
                - (load_before.children_user + load_before.children_system),
            }.items()
        }
        span = max(answered for _, _, answered, _ in posts) - min(due for _, due, _, _ in posts)
        behind = max(0.0, drained - last_post)
        result = Run(
            rate,
            len(posts),
            accepted,
            round(accepted / max(span, 1e-9), 1),
            percentiles(accept, (50, 99)),
            percentiles(end_to_end, (50, 99, 99.9)),
            round(behind, 2),
            cpu,
            round(webhooks / accepted, 2),
            behind <= LOSES_AFTER_S and accepted == len(posts) and accepted / span >= 0.95 * rate,
        )
        if not warm_up:
            self._say(
                f"  accept p50 {result.accept_ms['p50']} p99 {result.accept_ms['p99']} ms; first attempt p50"
                f" {result.end_to_end_ms['p50']} p99 {result.end_to_end_ms['p99']} ms;"
                f" out {result.drained_after_s} s after the last post; CPU {sum(cpu.values()):.2f} ms"
            )
        return result

    async def _seen(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as http, http.get(f"{self._sink_url}/seen") as response:
            return dict(orjson.loads(await response.read()))

    async def _drain(self) -> float:
        """When nothing was on its way any more (to a quarter of a second); at most two minutes."""
        deadline = time.time() + 120
        while time.time() < deadline:
            asked = time.time()
            if (await self.conservation())["in_flight"] == 0:
                return asked
            await asyncio.sleep(0.25)
        return time.time()

    async def conservation(self) -> dict[str, Any]:
        """The conservation check as it stands."""
        return await conservation(self._system.parts.database, self._system.parts.kafka)


async def _climb(bench: Bench, options: Options, runs: list[Run], say: Say) -> float:
    """Raise the rate until it is no longer kept up; the highest that was."""
    sustained = max((run.rate for run in runs if run.kept_up), default=0.0)
    for rate in options.rising:
        say(f"{rate:g} a second")
        run = await bench.run(rate, options.seconds)
        runs.append(run)
        if not run.kept_up:
            break
        sustained = rate
    return sustained


async def _baseline(system: System, kind: str, events: int, rate: float) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "waymark.bench.baselines",
        kind,
        system.parts.kafka,
        str(events),
        str(rate),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise BenchTrouble(f"The baseline {kind} ended with status {process.returncode}.")
    return dict(orjson.loads(output))


def percentiles(ordered: Sequence[float], shares: Sequence[float]) -> dict[str, float]:
    """By the nearest rank, in milliseconds; `ordered` may not be empty unless nothing was asked of it."""
    return {
        f"p{share:g}": round(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))], 2)
        if ordered
        else 0.0
        for share in shares
    }


def _median_of(runs: Sequence[Run], of: Callable[[Run], dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(of(run)[key] for run in runs), 2) for key in of(runs[0])}


def _document(
    runs: Sequence[Run],
    sustained: float,
    baselines: dict[str, Any],
    paced: Sequence[dict[str, float]],
    checked: dict[str, Any],
    system: System,
) -> dict[str, Any]:
    by_rate = {
        rate: [run for run in runs if run.rate == rate] for rate in dict.fromkeys(run.rate for run in runs)
    }
    highest = max((run for run in runs if run.kept_up), key=lambda run: run.rate, default=runs[-1])
    per_s = {kind: found["per_s"] for kind, found in baselines.items()}
    ratios: dict[str, float] = {
        f"sustained_to_{kind}": round(sustained / rate, 3) for kind, rate in per_s.items()
    }
    if paced and 100 in by_rate:
        p99 = statistics.median(run.end_to_end_ms["p99"] for run in by_rate[100])
        bare = statistics.median(found["p99"] for found in paced)
        ratios["end_to_end_p99_to_aiokafka_paced_p99"] = round(p99 / bare, 2)
    total = sum(highest.cpu_ms_per_incident.values())
    return {
        "accept_ms": {
            f"{rate:g}": _median_of(group, lambda run: run.accept_ms) for rate, group in by_rate.items()
        },
        "end_to_end_ms": {
            f"{rate:g}": _median_of(group, lambda run: run.end_to_end_ms) for rate, group in by_rate.items()
        },
        "sustained_per_s": sustained,
        "cpu_ms_per_incident": highest.cpu_ms_per_incident,
        "cpu_ms_per_incident_in_all": round(total, 2),
        "cpu_share": {
            part: round(highest.cpu_ms_per_incident[part] / total, 3) for part in ("broker", "database")
        },
        "webhooks_per_incident": highest.webhooks_per_incident,
        "baselines": {
            **{kind: {"per_s": rate} for kind, rate in per_s.items()},
            "aiokafka_paced_100_ms": {
                share: round(statistics.median(found[share] for found in paced), 2)
                for share in ("p50", "p95", "p99")
            }
            if paced
            else None,
        },
        "ratios": ratios,
        "runs": [
            {
                "rate": run.rate,
                "posts": run.posts,
                "accepted": run.accepted,
                "achieved_per_s": run.achieved_per_s,
                "accept_ms": run.accept_ms,
                "end_to_end_ms": run.end_to_end_ms,
                "drained_after_s": run.drained_after_s,
                "cpu_ms_per_incident": run.cpu_ms_per_incident,
                "webhooks_per_incident": run.webhooks_per_incident,
                "kept_up": run.kept_up,
            }
            for run in runs
        ],
        "unaccounted": checked["unaccounted"],
        "machine": {"cores": psutil.cpu_count(), "restarts": sum(s.restarts for s in system.services.values())},
    }
