"""A running intake for tests: its wire to the database, callers' keys, and what it put on its topic."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import uvicorn
from aiokafka import AIOKafkaConsumer
from sqlalchemy import make_url

from services.intake.main import create_app
from services.intake.settings import Settings
from shared import keys
from shared.contracts.envelope import Envelope
from shared.contracts.events import IncidentAccepted
from shared.contracts.topics import INCIDENTS
from shared.db import Database
from shared.http_server import server_config
from shared.kafka import Producer
from shared.outbox import Outbox
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.waiting import wait_until

_numbers = count(1)


def a_reference() -> str:
    return f"NS-2026-{next(_numbers):06}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Wire:
    """A line to the database that can be cut and mended."""

    def __init__(self, database: str) -> None:
        url = make_url(database)
        folder = url.query.get("host")
        self._socket = f"{folder}/.s.PGSQL.{url.query['port']}" if folder else None
        self._target = (url.host, url.port or 5432)
        self.port = free_port()
        self.url = url.set(host="127.0.0.1", port=self.port, query={}).render_as_string(hide_password=False)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.mend()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.close()
        await asyncio.sleep(0.05)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._socket:
            far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._open -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass
class Door:
    """A running intake, the wire to its database, and keys of two forces."""

    url: str
    wire: Wire
    servers: Servers
    north: str
    south: str
    council: str

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key or self.north}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=40)

    @asynccontextmanager
    async def sender(self, service: str) -> AsyncIterator[Outbox]:
        """Emits as another service would."""
        outbox = Outbox(
            Database(self.servers.database, service),
            Producer(self.servers.kafka, f"test-{service}", self.servers.partitions),
        )
        try:
            yield outbox
        finally:
            await outbox.close()
            await outbox.producer.close()
            await outbox.database.close()

    async def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        database = Database(self.servers.database, "intake")
        try:
            async with database.transaction() as tx:
                return [dict(row) for row in await tx.rows(sql, **params)]
        finally:
            await database.close()


@contextmanager
def open_door(servers: Servers, **changes: Any) -> Iterator[Door]:
    """A running intake on the servers, with a wire to its database that can be cut. `changes`: to its
    settings."""
    wire = Wire(servers.database)
    settings = Settings(
        database=wire.url,
        kafka=servers.kafka,
        partitions=servers.partitions,
        store_within_s=5,
        port=free_port(),
        **changes,
    )
    server = uvicorn.Server(server_config(create_app(settings), port=settings.port, stop_within_s=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        north, south, council = asyncio.run(make_keys(servers.database))
        opened = Door(f"http://127.0.0.1:{settings.port}", wire, servers, north, south, council)
        wait_until(lambda: health(opened) == "up", "intake is up")
        yield opened
    finally:
        server.should_exit = True
        thread.join(20)
        wire.close()


async def make_keys(database: str) -> tuple[str, str, str]:
    owner = Database(database, "access", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, north = await keys.create(tx, role="police", force="northshire")
            _, south = await keys.create(tx, role="police", force="southshire")
            _, council = await keys.create(tx, role="council", source="northbury-css")
        return north, south, council
    finally:
        await owner.close()


def health(door: Door) -> str:
    try:
        return str(httpx.get(f"{door.url}/health/ready", timeout=5).json()["status"])
    except httpx.HTTPError:
        return "down"


async def published(door: Door, case: str, events: int = 1) -> list[Envelope[IncidentAccepted]]:
    """What stands on the topic of incidents for a case, once there are as many."""
    consumer = AIOKafkaConsumer(
        *INCIDENTS.lanes, bootstrap_servers=door.servers.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: dict[int, Envelope[IncidentAccepted]] = {}
    try:
        async with asyncio.timeout(40):
            while len(found) < events:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    for record in batch:
                        if record.key == case.encode():
                            envelope = Envelope[IncidentAccepted].model_validate_json(record.value)
                            found[envelope.seq] = envelope
    finally:
        await consumer.stop()
    return [found[seq] for seq in sorted(found)]


async def post(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/v1/incidents", json=an_incident(**changes))
