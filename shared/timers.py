"""Timers: one leased table per service. A timer is set in a transaction and fires in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from shared import telemetry
from shared.db import Row, Transaction
from shared.errors import Rejected, Retryable
from shared.outbox import EmittingTransaction, Outbox

TimerHandler = Callable[[EmittingTransaction, str, dict[str, Any]], Awaitable[None]]
"""Called with the transaction, the timer's key and what was put with it."""

_log = telemetry.logger()


async def set_timer(tx: Transaction, name: str, key: str, due: datetime, **payload: Any) -> None:
    """Set (or move) the timer `name` for `key`."""
    await tx.execute(
        """
        INSERT INTO timers (name, key, due_at, payload)
        VALUES (:name, :key, :due, CAST(:payload AS jsonb))
        ON CONFLICT (name, key) DO UPDATE
        SET due_at = excluded.due_at, payload = excluded.payload, lease_until = NULL, tries = 0
        """,
        name=name,
        key=key,
        due=due,
        payload=orjson.dumps(payload).decode(),
    )


async def clear_timer(tx: Transaction, name: str, key: str) -> None:
    """Remove the timer `name` for `key`, if it is set."""
    await tx.execute("DELETE FROM timers WHERE name = :name AND key = :key", name=name, key=key)


class Timers:
    """Fires what is due. Any copy of the service may: a timer is leased while it runs."""

    def __init__(self, outbox: Outbox, handlers: Mapping[str, TimerHandler], *, lease_s: float = 30) -> None:
        self._outbox = outbox
        self._handlers = handlers
        self._lease_s = lease_s

    async def run(self) -> None:
        """Run for ever."""
        while True:
            try:
                fired = await self.fire_due()
            except Retryable as error:
                _log.warning("timers.waiting", error=str(error))
                fired = 0
            if not fired:
                await asyncio.sleep(0.5)

    async def fire_due(self) -> int:
        """Fire what is due now, each in its own transaction; how many were taken."""
        async with self._outbox.database.transaction() as tx:
            due = await tx.rows(
                """
                UPDATE timers
                SET lease_until = clock_timestamp() + make_interval(secs => :lease * least(60, 1 + tries)),
                    tries = tries + 1
                WHERE (name, key) IN (
                    SELECT name, key FROM timers
                    WHERE due_at <= clock_timestamp()
                      AND (lease_until IS NULL OR lease_until < clock_timestamp())
                      AND name = ANY(CAST(:names AS text[]))
                    ORDER BY due_at LIMIT 50
                    FOR UPDATE SKIP LOCKED
                )
                RETURNING name, key, due_at, lease_until
                """,
                lease=self._lease_s,
                names=sorted(self._handlers),
            )
        due.sort(key=lambda row: row["due_at"])
        for number, timer in enumerate(due):
            try:
                await self._fire(timer)
            except Retryable:
                await self._release(due[number:])
                raise
        return len(due)

    async def _release(self, timers: Sequence[Row]) -> None:
        """What passes by itself costs a timer neither its turn nor a try."""
        async with self._outbox.database.transaction() as tx:
            await tx.execute(
                """
                UPDATE timers AS t SET lease_until = NULL, tries = greatest(0, t.tries - 1)
                FROM unnest(CAST(:names AS text[]), CAST(:keys AS text[])) AS back(name, key)
                WHERE t.name = back.name AND t.key = back.key
                """,
                names=[timer["name"] for timer in timers],
                keys=[timer["key"] for timer in timers],
            )

    async def _fire(self, timer: Row) -> None:
        name, key = timer["name"], timer["key"]
        leased = {"name": name, "key": key, "due": timer["due_at"], "until": timer["lease_until"]}
        try:
            async with self._outbox.transaction() as tx:
                # The lease keeps others away, not a lock on the row: whoever sets a timer holds what its
                # handler waits for (a case, the register), so the row is locked after that, here as there.
                taken = await tx.row(
                    """
                    SELECT payload, extract(epoch FROM lease_until - clock_timestamp())::float AS left_s
                    FROM timers
                    WHERE name = :name AND key = :key AND due_at = :due AND lease_until = :until
                    """,
                    **leased,
                )
                if taken is None or taken["left_s"] <= 0:
                    return
                try:
                    async with asyncio.timeout(taken["left_s"]) as lease:
                        await self._handlers[name](tx, key, dict(taken["payload"]))
                except TimeoutError as error:
                    if lease.expired():
                        raise Rejected("took longer than its lease") from error
                    raise
                # Whoever moved it meanwhile has another: that one stays.
                await tx.execute(
                    """
                    DELETE FROM timers
                    WHERE name = :name AND key = :key AND due_at = :due AND lease_until = :until
                    """,
                    **leased,
                )
        except Retryable:
            raise
        except Exception as error:
            # It stays, leased for longer each time, and is tried again for ever: a timer stands for a case
            # that waits. The metric and the log name it for ops.
            telemetry.EVENTS.labels(self._outbox.database.service, f"timer.{name}", "failed").inc()
            _log.error("timers.failed", timer=name, error=error)
