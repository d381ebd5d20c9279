"""Transactions on the real database: what statements mean, and which failures pass by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from shared.db import Database
from shared.errors import BadSettings, Retryable
from tests.integration.conftest import Servers

NOON = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    made = Database(servers.database, "intake", pool_size=2)
    yield made
    await made.close()


@pytest.mark.parametrize(
    "value",
    ["o'clock ::text :name", "", b"\x00\xff", True, 0, -5, 2**31, 2**62, 1.5, date(2026, 3, 2), NOON, None],
)
async def test_a_value_comes_back_as_it_was_given(database: Database, value: Any) -> None:
    async with database.transaction() as tx:
        assert await tx.value("SELECT :value AS v", value=value) == value


async def test_a_moment_of_another_offset_is_the_same_moment(database: Database) -> None:
    async with database.transaction() as tx:
        found = await tx.value("SELECT :at + :later", at=NOON, later=timedelta(hours=1))
    assert found == NOON + timedelta(hours=1)


async def test_marks_are_not_mistaken_in_casts_and_a_parameter_may_stand_twice(database: Database) -> None:
    async with database.transaction() as tx:
        row = await tx.row("SELECT :a::text || :a AS twice, :b AS once", a="x", b=7)
    assert row is not None
    assert dict(row) == {"twice": "xx", "once": 7}


async def test_arrays_and_json_go_both_ways(database: Database) -> None:
    async with database.transaction() as tx:
        rows = await tx.rows(
            """
            SELECT * FROM unnest(CAST(:names AS text[]), CAST(:numbers AS bigint[]), CAST(:seen AS bytea[]))
                AS t(name, number, seen)
            """,
            names=["a", None],
            numbers=[1, 2**40],
            seen=[b"1", None],
        )
        told = await tx.value("SELECT CAST(:told AS jsonb)", told='{"known": [1, null]}')
    assert [dict(row) for row in rows] == [
        {"name": "a", "number": 1, "seen": b"1"},
        {"name": None, "number": 2**40, "seen": None},
    ]
    assert told == {"known": [1, None]}


async def test_how_many_rows_were_touched_is_told(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("CREATE TEMPORARY TABLE counted (n int) ON COMMIT DROP")
        assert await tx.execute("INSERT INTO counted SELECT generate_series(1, :n)", n=5) == 5
        assert await tx.execute("UPDATE counted SET n = 0 WHERE n > :n", n=3) == 2
        assert await tx.execute("DELETE FROM counted WHERE n > :n", n=100) == 0
        assert await tx.row("SELECT n FROM counted WHERE n = :n", n=77) is None


async def test_an_error_rolls_back_and_the_connection_serves_on(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO cursors VALUES ('rolled-back', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.transaction() as tx:
            await tx.execute("SELECT * FROM nowhere")
    async with database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM cursors WHERE reader = 'rolled-back'") == 0


async def test_a_value_that_never_fits_is_not_waited_for(database: Database) -> None:
    with pytest.raises(asyncpg.DataError):
        async with database.transaction() as tx:
            await tx.rows("SELECT * FROM unnest(CAST(:numbers AS bigint[]))", numbers=["five"])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO cursors SELECT 'twice', n FROM generate_series(1, 2) AS n")


async def test_a_lost_connection_is_waited_for_and_replaced(database: Database, servers: Servers) -> None:
    async def backend() -> int:
        async with database.transaction() as tx:
            return int(await tx.value("SELECT pg_backend_pid()"))

    async def lose_it_midway() -> None:
        async with database.transaction() as tx:
            await end(await tx.value("SELECT pg_backend_pid()"))
            await tx.execute("SELECT 1")

    async def end(pid: int) -> None:
        other = await asyncpg.connect(servers.database)
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await other.close()

    with pytest.raises(Retryable):
        await lose_it_midway()
    first = await backend()
    await end(first)
    assert await backend() != first


async def test_a_statement_given_up_leaves_no_transaction_open(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), database.transaction() as tx:
                await tx.execute("SELECT pg_sleep(5)")
    async with database.transaction() as tx:
        open_ones = await tx.value(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND query = 'SELECT pg_sleep(5)' AND state <> 'idle'
            """
        )
    assert open_ones == 0


async def test_more_transactions_than_connections_wait_their_turn(database: Database) -> None:
    async def one(n: int) -> int:
        async with database.transaction() as tx:
            return int(await tx.value("SELECT :n", n=n))

    assert await asyncio.gather(*(one(n) for n in range(50))) == list(range(50))


async def test_a_database_that_is_not_there_is_waited_for_and_the_reason_said(servers: Servers) -> None:
    nowhere = Database("postgresql://u:p@127.0.0.1:9/none", "intake")
    with pytest.raises(Retryable, match="cannot be reached"):
        async with nowhere.transaction():
            pass
    unnamed = Database(servers.database.replace("/waymark_", "/no_such_"), "intake")
    with pytest.raises(Retryable, match="no database of this name"):
        async with unnamed.transaction():
            pass
    with pytest.raises(BadSettings):
        Database("mysql://elsewhere/db", "intake")
