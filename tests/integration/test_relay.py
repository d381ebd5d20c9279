"""What was left in the outbox goes out: the live lane first, and no event holds up its neighbours."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from shared import dead_letters
from shared.contracts.topics import INCIDENTS
from shared.db import Database
from shared.kafka import Message, Producer, make_topic
from shared.outbox import Outbox
from shared.relay import Relay
from tests.integration.conftest import Servers
from tests.integration.test_plumbing import NOON, accepted
from tests.integration.waiting import until


class Noting(Producer):
    """The real producer; it notes what it is given."""

    def __init__(self, servers: Servers) -> None:
        super().__init__(servers.kafka, "test-relay", servers.partitions)
        self.given: list[tuple[str, str]] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        self.given += [(message.topic, message.key) for message in messages]
        await super().publish(messages)


@asynccontextmanager
async def an_outbox(servers: Servers, producer: Producer, service: str) -> AsyncIterator[Outbox]:
    database = Database(servers.database, service)
    outbox = Outbox(database, producer)
    try:
        yield outbox
    finally:
        await outbox.close()
        await producer.close()
        await database.close()


async def leave_in(outbox: Outbox, topic: str, *events: tuple[str, bytes]) -> None:
    """Rows as a process that died left them, an hour ago."""
    async with outbox.database.transaction() as tx:
        for seq, (case, payload) in enumerate(events, 1):
            await tx.execute(
                """
                INSERT INTO outbox (topic, "case", seq, payload, created_at)
                VALUES (:topic, :case, :seq, :payload, now() - interval '1 hour')
                """,
                topic=topic,
                case=case,
                seq=seq,
                payload=payload,
            )


async def unsent(outbox: Outbox) -> int:
    async with outbox.database.transaction() as tx:
        return int(await tx.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") or 0)


async def put_aside(outbox: Outbox) -> list[dict[str, Any]]:
    async with outbox.database.transaction() as tx:
        return [dict(row) for row in await dead_letters.waiting(tx)]


def incompressible(case: str, size: int) -> bytes:
    body = {"summary": random.Random(7).randbytes(size // 2).hex()}
    return orjson.dumps({"id": case, "from": "triage", "seq": 1, "case": case, "body": body})


async def test_live_events_are_sent_before_bulk_ones_however_late_they_came(servers: Servers) -> None:
    producer = Noting(servers)
    async with an_outbox(servers, producer, "intake") as outbox:
        await leave_in(outbox, INCIDENTS.lane("bulk"), *((f"northshire/b{n}", b"{}") for n in range(30)))
        await leave_in(outbox, INCIDENTS.lane("live"), *((f"northshire/l{n}", b"{}") for n in range(30)))
        while await Relay(outbox).send_leftovers():
            pass
        assert await unsent(outbox) == 0
    assert producer.given == [
        *((INCIDENTS.lane("live"), f"northshire/l{n}") for n in range(30)),
        *((INCIDENTS.lane("bulk"), f"northshire/b{n}") for n in range(30)),
    ]


async def test_while_events_wait_for_the_relay_none_passes_them(servers: Servers) -> None:
    producer = Noting(servers)
    async with an_outbox(servers, producer, "intake") as outbox:
        producer.available = False
        async with outbox.transaction() as tx:
            tx.emit(INCIDENTS, "northshire/kept", accepted("kept", 1), started=NOON)
        producer.available = True
        async with outbox.transaction() as tx:
            tx.emit(INCIDENTS, "northshire/kept", accepted("kept", 2), started=NOON)
        assert outbox.behind
        assert producer.given == []
        while await Relay(outbox).send_leftovers():
            pass
        assert not outbox.behind
        assert await unsent(outbox) == 0
        async with outbox.transaction() as tx:
            tx.emit(INCIDENTS, "northshire/kept", accepted("kept", 3), started=NOON)
        await until(lambda: len(producer.given) == 3, "the third, sent at once")


async def test_an_event_that_is_too_large_is_put_aside_and_its_neighbours_are_sent(servers: Servers) -> None:
    topic = "waymark.small.v1"
    await make_topic(servers.kafka, topic, servers.partitions, retention_ms=60_000, max_bytes=100_000)
    async with an_outbox(servers, Producer(servers.kafka, "test", servers.partitions), "triage") as outbox:
        before = len(await put_aside(outbox))
        cases = [f"northshire/large-{n}" for n in range(12)]
        events = [(case, incompressible(case, 400_000 if n == 5 else 50)) for n, case in enumerate(cases)]
        await leave_in(outbox, topic, *events)
        relay = asyncio.create_task(Relay(outbox).run())
        try:

            async def all_gone() -> bool:
                return await unsent(outbox) == 0

            await until(all_gone, "an outbox with nothing left")
        finally:
            relay.cancel()
        aside = (await put_aside(outbox))[before:]
        async with outbox.database.transaction() as tx:
            sent = await tx.rows(
                'SELECT "case" FROM outbox WHERE topic = :topic AND kafka_offset >= 0 ORDER BY id', topic=topic
            )
    assert [(row["case"], row["sender"], row["seq"]) for row in aside] == [(cases[5], "triage", 1)]
    assert "larger" in aside[0]["reason"]
    assert {row["case"] for row in sent} >= {case for case in cases if case != cases[5]}
