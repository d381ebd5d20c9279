"""PostgreSQL: one schema and one role per service, transactions that map failures to the two verdicts.

Statements go to asyncpg itself: through SQLAlchemy each cost seven times as much of our time, and a batch
has ten (docs/adr/0007). SQLAlchemy stays where it is worth its price, under the migrations.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from shared.errors import BadSettings, Retryable

Row = Mapping[str, Any]

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
    if unknown := sorted(set(url.query) - {"host", "port", "ssl", "sslmode"}):
        raise BadSettings(
            f"The database's address (WAYMARK_DATABASE) has options that are not taken here:"
            f" {', '.join(unknown)}. It takes host, port and sslmode."
        )
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def without_password(database: str) -> str:
    """The address as it may be shown."""
    url = make_url(database)
    return database if url.password is None else url.render_as_string(hide_password=True)


def _for_asyncpg(url: URL) -> str:
    query = {"sslmode" if name == "ssl" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql", query=query).render_as_string(hide_password=False)


@contextmanager
def verdicts() -> Iterator[None]:
    """Turn failures of the database that pass by themselves into Retryable; let others through."""
    try:
        yield
    except asyncpg.InvalidCachedStatementError as error:
        raise Retryable("the tables changed under a prepared statement") from error
    except asyncpg.PostgresError as error:
        raise _verdict(error, str(error.sqlstate or "")) from error
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if error.statement is None and (why := _refusal(state)):
            raise Retryable(f"the database refused the connection ({state}): {why}") from error
        raise _verdict(error, "08000" if error.connection_invalidated else state) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if isinstance(error, ValueError):
            raise  # a value that the parameter does not take: it never will
        raise Retryable(f"the database cannot be reached ({type(error).__name__})") from error
    except SQLAlchemyError as error:
        if "connection" in str(error).lower():
            raise Retryable("the database connection was lost") from error
        raise


def _verdict(error: Exception, state: str) -> Exception:
    if state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES:
        return Retryable(f"the database did not take it ({state})")
    return error


def _refusal(state: str) -> str | None:
    """Why a connection was refused; None for anything else. It passes when a person has seen to it."""
    if state.startswith("28"):
        return "the user or the password is wrong"
    if state == "3D000":
        return "there is no database of this name"
    if state in ("22023", "42501"):
        return "the service's role is not there yet, or not granted to this login (`waymark migrate`)"
    return None


_FREE_WITHIN_S: Final = 20.0
"""How long a transaction waits for a connection of the pool."""

_BY_KEY: Final = {"enable_seqscan": "off"}
"""Services find rows by key. A statement planned while its table was nearly empty would read it whole, and
does so until the table is next analysed, a minute and thousands of rows later."""

_PARAMETER: Final = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)")
_CASTS: Final[dict[type, str]] = {
    str: "::varchar",
    bytes: "::bytea",
    bool: "::boolean",
    float: "::float",
    date: "::date",
    timedelta: "::interval",
    Decimal: "::numeric",
    UUID: "::uuid",
}


def _cast(value: Any) -> str:
    """What a parameter is, told to the server by the value's own type, so that a statement means the same
    wherever the parameter stands in it. Lists and unknowns stand in a CAST of the statement's own."""
    kind = type(value)
    if kind is int:
        return "::integer" if -0x8000_0000 <= value <= 0x7FFF_FFFF else "::bigint"
    if kind is datetime:
        return "::timestamp" if value.tzinfo is None else "::timestamptz"
    return _CASTS.get(kind, "")


@lru_cache(maxsize=2048)
def _statement(sql: str, names: tuple[str, ...], casts: tuple[str, ...]) -> str:
    """`sql` with its `:name` marks as numbered ones. Raises KeyError where a parameter was not given."""
    numbered = {name: f"${i}{cast_to}" for i, (name, cast_to) in enumerate(zip(names, casts, strict=True), 1)}
    return _PARAMETER.sub(lambda found: numbered[found[1]], sql)


class Transaction:
    """Statements of one transaction. SQL is written in `store.py`; `:name` marks parameters."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, sql: str, **params: Any) -> list[Row]:
        """All rows of a query as mappings."""
        return cast(list[Row], await self._connection.fetch(_written(sql, params), *params.values()))

    async def row(self, sql: str, **params: Any) -> Row | None:
        """The first row, or None."""
        return cast(Row | None, await self._connection.fetchrow(_written(sql, params), *params.values()))

    async def value(self, sql: str, **params: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(_written(sql, params), *params.values())

    async def execute(self, sql: str, **params: Any) -> int:
        """Run a statement; the number of rows it touched."""
        status: str = await self._connection.execute(_written(sql, params), *params.values())
        touched = status.rpartition(" ")[2]
        return int(touched) if touched.isdigit() else 0


def _written(sql: str, params: Mapping[str, Any]) -> str:
    return _statement(sql, tuple(params), tuple([_cast(value) for value in params.values()]))


class Database:
    """A pool of connections that act as one service's role in its schema.

    `as_owner` keeps the login's own role, for the commands of whoever runs the system.
    """

    def __init__(self, url: str, service: str, *, pool_size: int = 8, as_owner: bool = False) -> None:
        self.service = service
        acting = {} if as_owner else {"role": role_of(service), "search_path": service, **_BY_KEY}
        self._url = _for_asyncpg(address(url))
        self._settings = {**acting, "application_name": f"waymark-{service}", "jit": "off"}
        self._idle: list[Any] = []
        self._free = asyncio.Semaphore(pool_size)
        self._closed = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed at the end of the block, rolled back on any error.

        Raises Retryable where the database is away, restarting, full or asks to try again.
        """
        with verdicts():
            async with self._connection() as connection:
                await connection.execute("BEGIN")
                try:
                    yield Transaction(connection)
                except BaseException:
                    await _roll_back(connection)
                    raise
                if await connection.execute("COMMIT") != "COMMIT":
                    # PostgreSQL answers ROLLBACK, without an error, where a statement had failed before.
                    raise Retryable("the database did not keep the transaction")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with asyncio.timeout(_FREE_WITHIN_S):
            await self._free.acquire()
        try:
            connection = self._idle.pop() if self._idle else None
            while connection is not None and connection.is_closed():
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = await self._connect()
            try:
                yield connection
            finally:
                # Whatever is not cleanly at rest is not used again.
                if self._closed or connection.is_closed() or connection.is_in_transaction():
                    connection.terminate()
                else:
                    self._idle.append(connection)
        finally:
            self._free.release()

    async def _connect(self) -> Any:
        try:
            connection = await asyncpg.connect(
                self._url, timeout=10, command_timeout=60, server_settings=self._settings
            )
        except asyncpg.PostgresError as error:
            state = str(error.sqlstate or "")
            if why := _refusal(state):
                raise Retryable(f"the database refused the connection ({state}): {why}") from error
            raise
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(
                kind, encoder=str, decoder=orjson.loads, schema="pg_catalog", format="text"
            )
        return connection

    async def ping(self) -> bool:
        """Whether the database answers."""
        try:
            async with asyncio.timeout(3), self.transaction() as tx:
                return bool(await tx.value("SELECT 1") == 1)
        except (Retryable, TimeoutError):
            return False

    async def close(self) -> None:
        """Give all connections back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=3)


async def _roll_back(connection: Any) -> None:
    """Roll back, or drop the connection: then the server rolls back by itself."""
    try:
        async with asyncio.timeout(3):
            await connection.execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
