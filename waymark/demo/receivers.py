"""The demo's recipients: real webhooks over HTTP, an inbox that is polled, a topic that is read.

They take whatever comes to them in the ways that the recipients' files give them, verify every
signature, move their cursors and send their receipts, as a council's systems would.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson
import uvicorn
import yaml
from aiokafka import AIOKafkaConsumer

from deploy.local import ports
from services.delivery.receiver import Arrival, Receiver
from shared.contracts.topics import routed_topic
from waymark.recipients import described_in, write_recipients
from waymark.system import ROOT, System

INBOX_WAIT_S: Final = 5


class _Server(uvicorn.Server):
    """Without uvicorn's signal handlers, which would take Ctrl-C away from the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Receivers:
    """All recipients of the demo. `counted`: arrivals per recipient; `repeats`: of those, seen before."""

    def __init__(self, place: Path, on_arrival: Callable[[Arrival], None] | None = None) -> None:
        self.folder = place / "recipients"
        self._on_arrival = on_arrival
        self.counted: Counter[str] = Counter()
        self.repeats = 0
        self._port = ports.choose()
        self._server: uvicorn.Server | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        signing = write_recipients(self.folder, lambda name: f"http://127.0.0.1:{self._port}/{name}")
        app = Receiver({name: [secret] for name, secret in signing.items()}, self._take)
        self._server = _Server(
            uvicorn.Config(app, host="127.0.0.1", port=self._port, log_level="error", access_log=False)
        )
        self._tasks.append(asyncio.create_task(self._server.serve()))
        while not self._server.started:
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.should_exit = True
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, arrival: Arrival) -> None:
        self.counted[arrival.recipient] += 1
        self.repeats += arrival.repeated
        if self._on_arrival is not None:
            self._on_arrival(arrival)

    async def attend(self, system: System) -> None:
        """Start reading the inboxes and topics of those who have no webhook."""
        for recipient in described_in(self.folder):
            kind = recipient["channels"][0]["kind"]
            if kind == "inbox":
                self._tasks.append(asyncio.create_task(self._read_inbox(system, recipient["id"])))
            elif kind == "topic":
                self._tasks.append(asyncio.create_task(self._read_topic(system, recipient["id"])))

    async def _read_inbox(self, system: System, recipient: str) -> None:
        """Long-poll from the cursor; asking from beyond an entry says that it was received."""
        after = 0
        async with aiohttp.ClientSession(headers=_headers(system, recipient)) as http:
            while True:
                try:
                    async with http.get(
                        f"{system.url('delivery')}/v1/inbox", params={"after": after, "wait": INBOX_WAIT_S}
                    ) as response:
                        page = await response.json()
                    entries = page.get("entries", [])
                    self.counted[recipient] += len(entries)
                    after = page.get("next", after)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    await asyncio.sleep(0.5)

    async def _read_topic(self, system: System, recipient: str) -> None:
        """Read the recipient's own topic and answer each case with a receipt."""
        consumer = AIOKafkaConsumer(
            routed_topic(recipient),
            bootstrap_servers=system.parts.kafka,
            auto_offset_reset="earliest",
            group_id=None,
            metadata_max_age_ms=1000,
        )
        await consumer.start()
        async with aiohttp.ClientSession(headers=_headers(system, recipient)) as http:
            try:
                async for record in consumer:
                    self.counted[recipient] += 1
                    delivery = orjson.loads(record.value)["delivery"]
                    with contextlib.suppress(aiohttp.ClientError):
                        await http.post(
                            f"{system.url('delivery')}/v1/deliveries/{delivery}/receipts",
                            json={"kind": "received", "delivery": delivery},
                        )
            finally:
                await consumer.stop()


def _headers(system: System, recipient: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {system.keys['recipient'][recipient]}"}


def prepare_areas(place: Path, protocol: str) -> Path:
    """The areas of deploy/areas with `protocol` (`id` or `id/version`) deciding in all of them."""
    folder = place / "areas"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "deploy" / "areas").iterdir()):
        if path.suffix == ".csv":
            (folder / path.name).write_bytes(path.read_bytes())
        elif path.suffix == ".yaml":
            area = yaml.safe_load(path.read_text(encoding="utf-8"))
            area["protocol"]["live"] = protocol if "/" in protocol else f"{protocol}/1"
            (folder / path.name).write_text(yaml.safe_dump(area), encoding="utf-8")
    return folder
