"""PostgreSQL: one schema and one role per service, transactions that map failures to the two verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any

import asyncpg
import orjson
from sqlalchemy import RowMapping, TextClause, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.errors import BadSettings, Retryable

Row = RowMapping

# Classes of SQLSTATE that pass by themselves: connection, operator intervention, resources, system,
# and the two that mean "somebody else was there first, try again".
_PASSING_CLASSES = ("08", "57", "53", "58")
_PASSING_STATES = ("40001", "40P01", "55P03", "25006")


def role_of(service: str) -> str:
    """The database role of a service."""
    return f"waymark_{service}"


def address(database: str) -> URL:
    """`database` (postgresql://...) for SQLAlchemy's asyncpg dialect. Raises BadSettings where it is none.

    `sslmode`, as libpq calls it, is `ssl` to asyncpg, with the same values.
    """
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadSettings(
            "The database's address (WAYMARK_DATABASE) cannot be read: it is"
            " postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters in the password"
            " percent-encoded."
        )
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def without_password(database: str) -> str:
    """The address as it may be shown."""
    url = make_url(database)
    return database if url.password is None else url.render_as_string(hide_password=True)


@contextmanager
def verdicts() -> Iterator[None]:
    """Turn failures of the database that pass by themselves into Retryable; let others through."""
    try:
        yield
    except (OSError, PoolTimeout, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Retryable(f"the database cannot be reached ({type(error).__name__})") from error
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        lost = error.connection_invalidated or isinstance(error, InterfaceError)
        if lost or state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES:
            raise Retryable(f"the database did not take it ({state or type(error).__name__})") from error
        if error.statement is None and (why := _refusal(state)):
            raise Retryable(f"the database refused the connection ({state}): {why}") from error
        raise
    except SQLAlchemyError as error:
        if "connection" in str(error).lower():
            raise Retryable("the database connection was lost") from error
        raise


def _refusal(state: str) -> str | None:
    """Why a connection was refused; None for anything else. It passes when a person has seen to it."""
    if state.startswith("28"):
        return "the user or the password is wrong"
    if state == "3D000":
        return "there is no database of this name"
    if state in ("22023", "42501"):
        return "the service's role is not there yet, or not granted to this login (`waymark migrate`)"
    return None


@lru_cache(maxsize=1024)
def _statement(sql: str) -> TextClause:
    """A statement parsed once per process: parsing costs more than running a small one."""
    return text(sql)


class Transaction:
    """Statements of one transaction. SQL is written in `store.py`; `:name` marks parameters."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query as mappings."""
        result = await self._connection.execute(_statement(sql), params)
        return list(result.mappings().all())

    async def row(self, sql: str, **params: Any) -> Row | None:
        """The first row, or None."""
        result = await self._connection.execute(_statement(sql), params)
        return result.mappings().first()

    async def value(self, sql: str, **params: Any) -> Any:
        """The first column of the first row, or None."""
        result = await self._connection.execute(_statement(sql), params)
        found = result.first()
        return None if found is None else found[0]

    async def execute(self, sql: str, **params: Any) -> int:
        """Run a statement; the number of rows it touched."""
        result = await self._connection.execute(_statement(sql), params)
        return int(result.rowcount)


class Database:
    """A pool of connections that act as one service's role in its schema.

    `as_owner` keeps the login's own role, for the commands of whoever runs the system.
    """

    def __init__(self, url: str, service: str, *, pool_size: int = 8, as_owner: bool = False) -> None:
        self.service = service
        acting = {} if as_owner else {"role": role_of(service), "search_path": service}
        self._engine: AsyncEngine = create_async_engine(
            address(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=20,
            pool_pre_ping=False,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
                "server_settings": {
                    **acting,
                    "application_name": f"waymark-{service}",
                    "jit": "off",
                },
            },
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed at the end of the block, rolled back on any error.

        Raises Retryable where the database is away, restarting, full or asks to try again.
        """
        with verdicts():
            async with self._engine.connect() as connection, connection.begin():
                yield Transaction(connection)

    async def ping(self) -> bool:
        """Whether the database answers."""
        try:
            async with asyncio.timeout(3), self.transaction() as tx:
                return bool(await tx.value("SELECT 1") == 1)
        except (Retryable, TimeoutError):
            return False

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()
