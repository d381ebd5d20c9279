"""A fresh database and fresh topics for each module of tests, on the one broker and server of the session."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import make_url

from deploy.local import Parts
from deploy.migrations import migrate
from shared.kafka import make_topics

PARTITIONS = 4


@dataclass(frozen=True)
class Servers:
    """Where a module's own database and the broker are."""

    kafka: str
    database: str
    partitions: int = PARTITIONS


@pytest.fixture(scope="module")
def servers(runtime: Parts) -> Iterator[Servers]:
    """Topics emptied, a migrated database of the module's own."""
    name = f"waymark_{secrets.token_hex(4)}"
    asyncio.run(_prepare(runtime, name))
    database = make_url(runtime.database).set(database=name).render_as_string(hide_password=False)
    asyncio.run(migrate(database))
    yield Servers(runtime.kafka, database)
    asyncio.run(_drop(runtime, name))


async def _prepare(runtime: Parts, name: str) -> None:
    await _drop_topics(runtime.kafka)
    await make_topics(runtime.kafka, PARTITIONS)
    connection = await asyncpg.connect(runtime.database)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()


async def _drop_topics(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        ours = [topic for topic in await admin.list_topics() if topic.startswith("waymark.")]
        if ours:
            await admin.delete_topics(ours)
        while any(topic in ours for topic in await admin.list_topics()):
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def _drop(runtime: Parts, name: str) -> None:
    connection = await asyncpg.connect(runtime.database)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()
