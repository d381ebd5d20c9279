"""The relay: what did not get out of the outbox at once (broker away, process killed) goes out here.

Rows unsent after two seconds are leased by any copy of the service and sent again. After an outage
everything goes through the relay until it has caught up: the live lane first, each case in order. An event
that the broker will never take is put aside as a dead letter, and holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shared import dead_letters, telemetry
from shared.db import Row
from shared.errors import Rejected, Retryable
from shared.kafka import Message
from shared.outbox import Outbox, Stored

_UNSENT_AFTER_S: Final = 2.0
_AT_ONCE: Final = 500
_BEAT_S: Final = 0.5
_ASK_EVERY: Final = 4
"""Beats between two questions whether the broker is there, where no event tells."""
_KEEP_DAYS: Final = 30
"""Longer than any topic's retention, so that `reconcile --repair` can always send again."""

_log = telemetry.logger()


class Relay:
    """Sends what the outbox still holds, and finds out whether the broker is there."""

    def __init__(self, outbox: Outbox, *, lease_s: float = 30) -> None:
        self._outbox = outbox
        self._database = outbox.database
        self._lease_s = lease_s

    async def run(self) -> None:
        """Run for ever: ask after the broker, mark what was sent, send what was left, drop what is older
        than any topic."""
        beats = 0
        while True:
            try:
                await self._ask_after_broker(beats)
                await self._outbox.mark_sent()
                if beats % 2 == 0 or self._outbox.behind:
                    while await self.send_leftovers():
                        pass
                if beats % 7200 == 0:
                    await self._forget_old()
            except Retryable as error:
                _log.warning("outbox.waiting", error=str(error))
            beats += 1
            await asyncio.sleep(_BEAT_S)

    async def _ask_after_broker(self, beats: int) -> None:
        producer = self._outbox.producer
        was = producer.available
        if not was or beats % _ASK_EVERY == 0:
            await producer.look()
        if was != producer.available:
            _log.warning("outbox.broker", available=producer.available)
        telemetry.DEGRADED.labels(self._database.service, "broker").set(not producer.available)

    async def send_leftovers(self) -> bool:
        """Send the next rows that were left, live ones first; whether there were any. Raises Retryable
        where the broker or the database is away."""
        left_before = self._outbox.left_to_relay
        rows = await self._leased()
        if rows is None:
            return False
        if not rows:
            # What was left after the look at the table may not be in it: then it is looked at again.
            if self._outbox.left_to_relay == left_before:
                self._outbox.caught_up()
            return False
        for bulk in (False, True):
            lane = [_stored(row) for row in rows if row["bulk"] is bulk]
            if lane:
                try:
                    await self._send(lane)
                except Retryable:
                    await self._release([row["id"] for row in rows])
                    raise
        await self._outbox.mark_sent()
        return True

    async def _leased(self) -> list[Row] | None:
        """The rows to send next; None where the broker is away: rows are then better left alone."""
        async with self._database.transaction() as tx:
            unsent = await tx.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
            telemetry.OUTBOX_UNSENT.labels(self._database.service).set(unsent or 0)
            if not self._outbox.producer.available:
                return None
            if not unsent:
                return []
            rows = await tx.rows(
                """
                UPDATE outbox SET lease_until = clock_timestamp() + make_interval(secs => :lease)
                WHERE id IN (
                    SELECT id FROM outbox
                    WHERE sent_at IS NULL
                      AND created_at <= clock_timestamp() - make_interval(secs => :unsent_after)
                      AND (lease_until IS NULL OR lease_until < clock_timestamp())
                    ORDER BY bulk, id
                    LIMIT :at_once
                    FOR UPDATE SKIP LOCKED
                )
                RETURNING id, bulk, topic, "case", payload, traceparent
                """,
                lease=self._lease_s,
                # While we are behind nobody here sends at once: there is nothing to keep away from.
                unsent_after=0.0 if self._outbox.behind else _UNSENT_AFTER_S,
                at_once=_AT_ONCE,
            )
        return sorted(rows, key=lambda row: row["id"])

    async def _send(self, stored: Sequence[Stored]) -> None:
        """Send, halving where one will never be taken, until it stands alone and is put aside."""
        try:
            await self._outbox.send(stored)
        except Rejected as refused:
            if len(stored) == 1:
                await self._put_aside(stored[0], refused.reason)
                return
            middle = len(stored) // 2
            await self._send(stored[:middle])
            await self._send(stored[middle:])

    async def _put_aside(self, one: Stored, reason: str) -> None:
        """Keep an event that the broker will never take as a dead letter, under a place that no record on a
        topic can have: minus its row."""
        message = one.message
        async with self._outbox.transaction() as tx:
            await dead_letters.store(
                tx,
                self._database.service,
                dead_letters.Record(
                    message.topic,
                    message.partition,
                    -one.row,
                    message.key.encode(),
                    message.value,
                    message.traceparent,
                ),
                reason,
            )
            await tx.execute("UPDATE outbox SET sent_at = now(), lease_until = NULL WHERE id = :id", id=one.row)
        _log.error("outbox.put_aside", row=one.row, topic=message.topic, bytes=len(message.value))

    async def _release(self, rows: Sequence[int]) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(
                "UPDATE outbox SET lease_until = NULL WHERE id = ANY(CAST(:ids AS bigint[]))", ids=list(rows)
            )

    async def _forget_old(self) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(
                "DELETE FROM outbox WHERE sent_at < now() - make_interval(days => :days)", days=_KEEP_DAYS
            )


def _stored(row: Row) -> Stored:
    return Stored(row["id"], Message(row["topic"], row["case"], row["payload"], row["traceparent"]))
