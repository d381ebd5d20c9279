"""The whole system on this machine: broker, database and the five services, each a process, looked after.

A service that dies is started again; broker and database are looked after by `deploy.local`. What runs
where stands in `status.json` in the data directory, for `waymark status` and for people.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from cryptography.fernet import Fernet

from deploy.local import LocalRuntime, LocalSettings, Parts, PartStatus, RuntimeTrouble
from deploy.local import ports as local_ports
from deploy.local.child import Child, Order
from deploy.migrations import SERVICES, migrate
from shared.areas import load_areas
from shared.kafka import make_topics
from shared.keys import Role
from waymark.access import make_keys
from waymark.recipients import described_in

STATUS_FILE: Final = "status.json"
KEYS_FILE: Final = "keys.json"
READY_WITHIN_S: Final = 90.0
LIVES_S: Final = 5.0
"""What ran for so long does not keep dying: it is started again at once."""
ROOT: Final = Path(__file__).resolve().parent.parent

Progress = Callable[[str], None]


@dataclass(slots=True)
class Running:
    """One service's process."""

    name: str
    port: int
    child: Child
    since: str
    restarts: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True)
class Plan:
    """What to bring up, and how it differs from the plain thing."""

    data: Path
    areas: Path = ROOT / "deploy" / "areas"
    recipients: Path = ROOT / "deploy" / "recipients"
    purpose: Any = "work"
    partitions: int = 4
    traces: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = SERVICES
    module: str = "waymark.serve"
    """What runs a service; another only where something is measured."""


class System:
    """Brings all up, keeps it up, takes it down: `async with System(plan).running() as system`."""

    def __init__(self, plan: Plan, *, progress: Progress = lambda _: None) -> None:
        self.plan = plan
        self._progress = progress
        self.services: dict[str, Running] = {}
        self.parts: Parts
        self.keys: dict[str, Any] = {}
        self._ports: dict[str, int] = {}
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[System]:
        """Everything up and ready. Raises RuntimeTrouble with a sentence where that cannot be had."""
        settings = LocalSettings.read()
        runtime = LocalRuntime(
            self.plan.data,
            kafka=settings.kafka,
            database=settings.database,
            java=settings.java,
            kafka_port=settings.kafka_port,
            traces=self.plan.traces,
            purpose=self.plan.purpose,
            progress=self._progress,
            changed=self._part_changed,
        )
        async with runtime as parts:
            self.parts = parts
            self.plan.data.mkdir(parents=True, exist_ok=True)
            try:
                self._progress("Preparing the database's tables and the broker's topics")
                await migrate(parts.database)
                await make_topics(parts.kafka, self.plan.partitions)
                self.keys = await make_keys(parts.database, self.plan.data / KEYS_FILE, self._wanted_keys())
                self._progress(f"Starting {', '.join(self.plan.services)}")
                for name in self.plan.services:
                    self._ports[name] = local_ports.choose(but=frozenset(self._ports.values()))
                for name in self.plan.services:
                    await asyncio.to_thread(self._start, name)
                watching = asyncio.create_task(self._look_after())
                try:
                    await self._ready()
                    self._write_status()
                    yield self
                finally:
                    self._stopping = True
                    watching.cancel()
            finally:
                self._stopping = True
                await asyncio.gather(
                    *(asyncio.to_thread(one.child.stop) for one in self.services.values()),
                    return_exceptions=True,
                )
                (self.plan.data / STATUS_FILE).unlink(missing_ok=True)

    async def stop_services(self) -> None:
        """Stop the five services and leave broker and database up (the benchmark's baselines need them)."""
        self._stopping = True
        await asyncio.gather(*(asyncio.to_thread(one.child.stop) for one in self.services.values()))

    def url(self, service: str) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def status(self) -> dict[str, Any]:
        """What runs, as in status.json."""
        return {
            "waymark": {"pid": os.getpid(), "data": str(self.plan.data)},
            "kafka": {"bootstrap": self.parts.kafka, "pid": self.parts.kafka_pid},
            "postgres": {"url": self.parts.database, "pid": self.parts.postgres_pid},
            **(
                {"zipkin": {"url": self.parts.zipkin, "pid": self.parts.zipkin_pid}} if self.plan.traces else {}
            ),
            **{
                name: {
                    "url": one.url,
                    "pid": one.child.pid,
                    "since": one.since,
                    "restarts": one.restarts,
                }
                for name, one in self.services.items()
            },
        }

    def _wanted_keys(self) -> list[dict[str, Any]]:
        areas = load_areas(self.plan.areas)
        forces = sorted({force for area in areas.by_id.values() for force in area.rules.forces})
        names = sorted(areas.by_id)
        police: Role = "police"
        return [
            *({"role": police, "force": force} for force in forces),
            *({"role": "council", "source": f"{name}-css"} for name in names),
            *(
                {"role": "recipient", "recipient": recipient}
                for recipient in (one["id"] for one in described_in(self.plan.recipients))
            ),
            {"role": "ops", "person": "ops"},
            {"role": "board", "person": "board", "areas": names},
            {"role": "person", "person": "screener-police", "agency": "police", "areas": names},
            {
                "role": "person",
                "person": "screener-social-care",
                "agency": "childrens_services",
                "areas": names,
            },
            {"role": "coordinator", "person": "coordinator", "agency": "marac", "areas": names},
        ]

    def _start(self, name: str) -> None:
        port = self._ports[name]
        self.services[name] = Running(
            name,
            port,
            Child(
                Order(
                    name=name,
                    command=[sys.executable, "-m", self.plan.module, name],
                    log=self.plan.data / f"{name}.log",
                    grace_s=15,
                    directory=ROOT,
                    environment=self._environment(name, port),
                )
            ),
            datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _environment(self, name: str, port: int) -> dict[str, str]:
        passed = {
            key: value for key, value in os.environ.items() if key.startswith(("WAYMARK_", "OTEL_", "PYTHON"))
        }
        return {
            **passed,
            "WAYMARK_DATABASE": self.parts.database,
            "WAYMARK_KAFKA": self.parts.kafka,
            "WAYMARK_PORT": str(port),
            "WAYMARK_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WAYMARK_PARTITIONS": str(self.plan.partitions),
            "WAYMARK_AREAS": str(self.plan.areas),
            "WAYMARK_RECIPIENTS": str(self.plan.recipients),
            "WAYMARK_ALLOW_LOOPBACK": "true",
            "WAYMARK_NAMED_STAFF": '["screener-police", "screener-social-care"]',
            "WAYMARK_SESSION_SECRET": self._kept_secret("session-secret", lambda: secrets.token_urlsafe(32)),
            "WAYMARK_SECRETS_KEY": self._kept_secret("secrets-key", lambda: Fernet.generate_key().decode()),
            **{f"WAYMARK_{other.upper()}_URL": self.url(other) for other in self._ports},
            **(
                {
                    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": self._zipkin_spans(),
                    "WAYMARK_TRACE_PAGE": f"{self.parts.zipkin}/zipkin/traces/{{trace_id}}",
                }
                if self.plan.traces
                else {}
            ),
            **self.plan.environment,
        }

    def _zipkin_spans(self) -> str:
        return f"{self.parts.zipkin}/api/v2/spans"

    def _kept_secret(self, name: str, made: Callable[[], str]) -> str:
        """A secret of this system, made once and readable by its owner alone."""
        place = self.plan.data / name
        if not place.exists():
            place.touch(mode=0o600)
            place.write_text(made())
        return place.read_text()

    async def _look_after(self) -> None:
        """Start again what died, after a pause that grows while it keeps dying."""
        pauses = dict.fromkeys(self.plan.services, 0.2)
        while True:
            for name, one in list(self.services.items()):
                if one.child.running or self._stopping:
                    continue
                self._progress(f"{name} ended (status {one.child.status}): starting it again")
                if time.monotonic() - one.begun > LIVES_S:
                    pauses[name] = 0.2
                await asyncio.sleep(pauses[name])
                pauses[name] = min(10.0, pauses[name] * 2)
                restarts = one.restarts + 1
                await asyncio.to_thread(self._start, name)
                self.services[name].restarts = restarts
                self._write_status()
            await asyncio.sleep(0.2)

    async def _ready(self) -> None:
        """Wait until every service says it is up, its consumer included."""
        waiting = set(self.plan.services)
        deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            while waiting:
                for name in sorted(waiting):
                    if (await health_of(http, self.url(name))).get("status") == "up":
                        waiting.discard(name)
                ended = [name for name in waiting if self.services[name].restarts >= 2]
                if ended or asyncio.get_running_loop().time() > deadline:
                    names = ", ".join(ended or sorted(waiting))
                    raise RuntimeTrouble(
                        f"{names} did not come up. The reason is at the end of"
                        f" {self.plan.data / (sorted(ended or waiting)[0] + '.log')}."
                    )
                await asyncio.sleep(0.1)

    def _part_changed(self, status: PartStatus) -> None:
        if status.restarts and status.state in ("starting", "up"):
            self._progress(f"{status.name} is {status.state} (restart {status.restarts})")
        if not self._stopping and self.services:
            self._write_status()

    def _write_status(self) -> None:
        fresh = self.plan.data / f"{STATUS_FILE}.new"
        fresh.touch(mode=0o600)  # a database outside has its password in its address
        fresh.write_bytes(orjson.dumps(self.status(), option=orjson.OPT_INDENT_2))
        fresh.replace(self.plan.data / STATUS_FILE)


async def health_of(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """What a service says of itself; `status: down` where it does not answer."""
    try:
        async with http.get(f"{url}/health/ready") as response:
            return dict(await response.json())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return {"status": "down", "parts": {"process": "down"}}
