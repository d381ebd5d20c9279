"""A copy of enrichment to give work to, on the real database, and what it emitted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import orjson
import uvicorn
from opentelemetry.trace import SpanKind
from pydantic import TypeAdapter

from services.enrichment import domain, inbound
from services.enrichment.handlers import Handlers
from services.enrichment.main import create_app
from services.enrichment.progress import ANSWERED_FOR_HISTORY, DECIDED_FOR_HISTORY
from services.enrichment.settings import Settings
from shared import keys, ledger, telemetry
from shared.contracts.base import Contract
from shared.contracts.envelope import Envelope
from shared.contracts.events import CaseAnswered, CaseDecided, IncidentAccepted, IncidentEnriched
from shared.contracts.history import History
from shared.contracts.topics import DECIDED, INCIDENTS, OUTCOMES, Topic
from shared.db import Database
from shared.dead_letters import Record
from shared.kafka import Producer
from shared.outbox import Outbox
from shared.stage import Event
from shared.timers import Timers
from shared.vocabulary import Lane
from tests.integration.conftest import Servers

_INCIDENT = TypeAdapter(Envelope[IncidentAccepted])
_ENRICHED = TypeAdapter(Envelope[IncidentEnriched])
_DECODERS: dict[Topic, TypeAdapter[Any]] = {
    INCIDENTS: _INCIDENT,
    DECIDED: DECIDED_FOR_HISTORY,
    OUTCOMES: ANSWERED_FOR_HISTORY,
}
_SENDERS = {INCIDENTS: "intake", DECIDED: "triage", OUTCOMES: "delivery"}
_TABLES = (
    "incidents, people, person_keys, links, rulings, decisions, answers, records, relationships, imports,"
    " import_slices, sources, outbox, seqs, marks, timers"
)


def event(topic: Topic, case: str, body: Contract, *, seq: int = 1, lane: Lane = "live") -> Event[Any]:
    """An event as the stage hands it to a handler, through its bytes."""
    now = ledger.now()
    bytes_ = orjson.dumps(
        {
            "id": f"{topic.name}-{case}-{seq}",
            "type": "any",
            "schema": topic.contract.schema_id,
            "case": case,
            "seq": seq,
            "from": _SENDERS[topic],
            "lane": lane,
            "at": now.isoformat(),
            "body": orjson.Fragment(body.as_bytes()),
        }
    )
    envelope = _DECODERS[topic].validate_json(bytes_)
    span = telemetry.start_span("test", SpanKind.CONSUMER)
    return Event(envelope, topic, Record(topic.name, 0, seq, None, bytes_, None), now, span)


@dataclass
class Worker:
    """One copy of the service, without its consumer: what it is given it handles at once."""

    outbox: Outbox
    handlers: Handlers
    settings: Settings

    async def accept(self, *bodies: IncidentAccepted, lane: Lane = "live") -> None:
        """One batch of incidents."""
        events = [event(INCIDENTS, body.incident.case, body, lane=lane) for body in bodies]
        async with self.outbox.transaction(publish=False) as tx:
            await self.handlers.join_incidents(tx, events)

    async def decide(self, *bodies: CaseDecided) -> None:
        """One batch of decisions."""
        events = [event(DECIDED, body.incident.case, body) for body in bodies]
        async with self.outbox.transaction(publish=False) as tx:
            await self.handlers.learn_decisions(tx, events)

    async def answer(self, *bodies: CaseAnswered) -> None:
        """One batch of outcomes."""
        events = [event(OUTCOMES, body.case, body) for body in bodies]
        async with self.outbox.transaction(publish=False) as tx:
            await self.handlers.learn_outcomes(tx, events)

    async def fire(self) -> int:
        """Fire what is due."""
        return await Timers(self.outbox, inbound.timers(self.handlers)).fire_due()

    async def emitted(self) -> list[Envelope[IncidentEnriched]]:
        """All that was emitted, in order."""
        async with self.outbox.database.transaction() as tx:
            rows = await tx.rows("SELECT payload FROM outbox ORDER BY id")
        return [_ENRICHED.validate_json(row["payload"]) for row in rows]

    async def newest(self) -> dict[str, IncidentEnriched]:
        """Per reference what was last emitted."""
        return {one.body.incident.reference: one.body for one in await self.emitted()}

    async def count(self) -> int:
        """How many events were emitted so far."""
        async with self.outbox.database.transaction() as tx:
            return int(await tx.value("SELECT count(*) FROM outbox"))


@asynccontextmanager
async def worker_on(servers: Servers, **changes: Any) -> AsyncIterator[Worker]:
    settings = Settings(database=servers.database, kafka=servers.kafka, complete_after_s=0.001, **changes)
    database = Database(servers.database, "enrichment")
    outbox = Outbox(database, Producer(servers.kafka, "test", servers.partitions))
    try:
        yield Worker(outbox, Handlers(settings), settings)
    finally:
        await database.close()


async def empty(worker: Worker) -> None:
    async with worker.outbox.database.transaction() as tx:
        await tx.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")


def without_moments(history: History) -> dict[str, Any]:
    """A history as data, without the moments at which it was told."""
    return history.model_dump(
        mode="json", exclude={"as_of": True, "involvement": {"__all__": {"as_of", "source_as_of", "stale"}}}
    )


async def histories(worker: Worker) -> dict[str, Any]:
    return {
        reference: without_moments(body.history)
        for reference, body in (await worker.newest()).items()
        if body.why != "withdrawn"
    }


def in_order(cases: Iterable[domain.Case]) -> dict[str, Any]:
    joined = domain.join_in_order(cases)
    return {case.partition("/")[2]: without_moments(history) for case, history in joined.items()}


@asynccontextmanager
async def lookups_stuck(servers: Servers) -> AsyncIterator[None]:
    """What the look-up reads is locked, as by a long maintenance; what it writes is not."""
    connection = await asyncpg.connect(servers.database)
    async with connection.transaction():
        await connection.execute("LOCK TABLE enrichment.records IN ACCESS EXCLUSIVE MODE")
        yield
    await connection.close()


@asynccontextmanager
async def service_on(servers: Servers, **changes: Any) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The whole service with its consumer and timers, and a council's key."""
    settings = Settings(
        database=servers.database, kafka=servers.kafka, partitions=servers.partitions, **changes
    )
    owner = Database(servers.database, "enrichment", as_owner=True)
    async with owner.transaction() as tx:
        _, key = await keys.create(tx, role="council", source="northbury-css")
    await owner.close()
    service = create_app(settings)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=service), base_url="http://enrichment") as http,
    ):
        yield http, key


@asynccontextmanager
async def served(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """The service behind a client under an address, for what comes from another process."""
    app = http._transport.app  # type: ignore[attr-defined]
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
