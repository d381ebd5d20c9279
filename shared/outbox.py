"""The outbox: state and outgoing events are written together or not at all.

`Outbox.transaction()` gives a transaction in which `emit` may be called. `seq` is given under the
case's row lock at the end of the transaction; after the commit the events are published from memory.
What did not get out (broker away, process killed) stays in the table, which has no owner, and is sent by
`shared.relay`. Doubles are harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import orjson
from opentelemetry.trace import Span, SpanKind, StatusCode

from shared import ledger, telemetry
from shared import vocabulary as v
from shared.contracts.base import write_moment
from shared.contracts.envelope import LedgerEntry, event_id
from shared.contracts.topics import Topic
from shared.db import Database, Transaction
from shared.errors import Rejected, Retryable
from shared.kafka import Message, Producer

_LINKS_AT_MOST: Final = 128

_RUSH: Final = 10
_GATHER_S: Final = 0.02
"""After a send of so many events the next waits so long: at most fifty sends a second then. To compress an
event costs the producer 33 microseconds by itself, 12 among four, 5 among forty."""

_log = telemetry.logger()


class Body(Protocol):
    """What an event carries: a contract, or one that is written already. Has its event's `type`."""

    def as_bytes(self) -> bytes:
        """The body as JSON."""
        ...


@dataclass(slots=True)
class Emission:
    """An event to be written and published; `seq` and the bytes come when it is stored."""

    topic: Topic
    case: str
    body: Body
    lane: v.Lane
    ledger: Sequence[LedgerEntry]
    started: datetime
    caused_by: str | None
    trace: str | None
    seq: int = 0

    @property
    def counter(self) -> str:
        """What its `seq` counts. Events that are no whole states are numbered apart from those that are:
        the highest `seq` of a case is always that of its newest state."""
        return self.case if self.topic.whole_state else f"{self.topic.name} {self.case}"


@dataclass(slots=True)
class Stored:
    """An event in the outbox: its row and its message."""

    row: int
    message: Message


class EmittingTransaction(Transaction):
    """A transaction that may emit events."""

    def __init__(self, base: Transaction, service: str) -> None:
        super().__init__(base._connection)
        self._service = service
        self._emissions: list[Emission] = []
        self._afterwards: list[Callable[[], None]] = []
        self.stored: list[Stored] = []

    def when_committed(self, act: Callable[[], None]) -> None:
        """Call `act` once this transaction has committed, and not if it never does."""
        self._afterwards.append(act)

    def committed(self) -> None:
        """Called once, after the commit."""
        afterwards, self._afterwards = self._afterwards, []
        for act in afterwards:
            act()

    def emit(
        self,
        topic: Topic,
        case: str,
        body: Body,
        *,
        started: datetime,
        lane: v.Lane = "live",
        ledger: Sequence[LedgerEntry] = (),
        caused_by: str | None = None,
        trace: str | None = None,
    ) -> Emission:
        """Emit `body` for `case` when the transaction commits. Its `seq` is known once it is stored.

        `ledger`: the entries so far; this service's own is added with the work since `started`.
        `caused_by`: the id of the event that led to it. `trace`: the traceparent it continues.
        """
        emission = Emission(topic, case, body, lane, ledger, started, caused_by, trace)
        self._emissions.append(emission)
        return emission

    async def store_emissions(self) -> None:
        """Give each its `seq` and write all to the outbox. Called at the end; earlier by a handler that
        keeps the `seq` beside its own rows."""
        emissions, self._emissions = self._emissions, []
        if not emissions:
            return
        numbers = await self._next_seqs(emissions)
        at = ledger.now()
        messages = [
            Message(
                topic=emission.topic.lane(emission.lane),
                key=emission.case,
                value=_envelope(emission, self._service, seq, at),
                traceparent=emission.trace,
            )
            for emission, seq in zip(emissions, numbers, strict=True)
        ]
        rows = await self.rows(
            """
            INSERT INTO outbox (topic, "case", seq, payload, traceparent)
            SELECT * FROM unnest(
                CAST(:topics AS text[]), CAST(:cases AS text[]), CAST(:seqs AS bigint[]),
                CAST(:payloads AS bytea[]), CAST(:traces AS text[])
            )
            RETURNING id, topic, "case", seq
            """,
            topics=[m.topic for m in messages],
            cases=[m.key for m in messages],
            seqs=numbers,
            payloads=[m.value for m in messages],
            traces=[m.traceparent for m in messages],
        )
        ids = {(row["topic"], row["case"], row["seq"]): row["id"] for row in rows}
        self.stored += [Stored(ids[m.topic, m.key, seq], m) for m, seq in zip(messages, numbers, strict=True)]
        told = list(zip(emissions, numbers, strict=True))
        self.when_committed(lambda: _log_changes(told))

    async def _next_seqs(self, emissions: Sequence[Emission]) -> list[int]:
        counts: dict[str, int] = {}
        for emission in emissions:
            counts[emission.counter] = counts.get(emission.counter, 0) + 1
        cases = sorted(counts)
        rows = await self.rows(
            """
            INSERT INTO seqs AS s ("case", seq)
            SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:counts AS bigint[]))
            ON CONFLICT ("case") DO UPDATE SET seq = s.seq + excluded.seq
            RETURNING "case", seq
            """,
            cases=cases,
            counts=[counts[case] for case in cases],
        )
        following = {row["case"]: row["seq"] - counts[row["case"]] + 1 for row in rows}
        for emission in emissions:
            emission.seq = following[emission.counter]
            following[emission.counter] += 1
        return [emission.seq for emission in emissions]


def _log_changes(told: Sequence[tuple[Emission, int]]) -> None:
    """One line per change of a case's state: each event is one, and none is told before it has committed."""
    for emission, seq in told:
        ids = {"trace_id": emission.trace[3:35]} if emission.trace else {}
        _log.info(getattr(emission.body, "type"), case=emission.case, seq=seq, **ids)  # noqa: B009 (as in _envelope)


def _envelope(emission: Emission, service: str, seq: int, at: datetime) -> bytes:
    entries = ledger.add_work(emission.ledger, service, emission.started, at)
    return orjson.dumps(
        {
            "id": event_id(service, emission.counter, seq),
            "type": getattr(emission.body, "type"),  # noqa: B009 (a class variable of event bodies)
            "schema": emission.topic.contract.schema_id,
            "case": emission.case,
            "seq": seq,
            "from": service,
            "caused_by": emission.caused_by,
            "lane": emission.lane,
            "at": write_moment(at),
            "ledger": [ledger.written(entry) for entry in entries],
            "body": orjson.Fragment(emission.body.as_bytes()),
        }
    )


def _start_send_span(messages: Sequence[Message]) -> Span:
    """The span of one send. Each message carries the context of the work that made it, not of its sending,
    so the span is a client's and links to each (OpenTelemetry messaging conventions, "Span kind"); the send
    of a single message is a child of that work as well."""
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
    }
    topics = {message.topic for message in messages}
    topic = topics.pop() if len(topics) == 1 else None
    if topic is not None:
        attributes["messaging.destination.name"] = topic
    if len(messages) > 1:
        attributes["messaging.batch.message_count"] = len(messages)
    return telemetry.start_span(
        f"send {topic}" if topic is not None else "send",
        SpanKind.CLIENT,
        parent=messages[0].traceparent if len(messages) == 1 else None,
        attributes=attributes,
        links=[m.traceparent for m in messages if m.traceparent][:_LINKS_AT_MOST],
    )


class Outbox:
    """Transactions that emit, and the publishing of what they emitted."""

    def __init__(self, database: Database, producer: Producer) -> None:
        self.database = database
        self.producer = producer
        self.left_to_relay = 0
        self._behind = False
        self._unmarked: list[Stored] = []
        self._going_out: list[Stored] = []
        self._sending: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self, *, publish: bool = True) -> AsyncIterator[EmittingTransaction]:
        """A transaction whose events are published in the background after the commit.

        With `publish=False` the caller publishes `tx.stored` itself (the stage runner, which must
        have them out before it commits offsets).
        """
        async with self.database.transaction() as base:
            tx = EmittingTransaction(base, self.database.service)
            yield tx
            await tx.store_emissions()
        tx.committed()
        if publish and tx.stored:
            self._in_background(tx.stored)

    @property
    def behind(self) -> bool:
        """Whether events wait for the relay. Until it has caught up everything goes through it, so that no
        event passes an earlier one of its case."""
        return self._behind

    def fall_behind(self) -> None:
        """Leave what was just stored, and all that follows, to the relay."""
        self._behind = True
        self.left_to_relay += 1

    def caught_up(self) -> None:
        """Called by the relay once nothing waits for it."""
        self._behind = False

    def _in_background(self, stored: list[Stored]) -> None:
        if self._behind or not self.producer.available:
            self.fall_behind()
            return
        self._going_out += stored
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_what_goes_out())

    async def _send_what_goes_out(self) -> None:
        """While one send is under way the next gathers: a send costs the same for one event or for fifty. In a
        rush the next gathers a little longer; a few events never wait for company."""
        while self._going_out:
            stored, self._going_out = self._going_out, []
            try:
                await self.publish(stored)
            except Retryable as error:
                _log.warning("outbox.left_for_relay", events=len(stored), error=str(error))
            if len(stored) >= _RUSH:
                await asyncio.sleep(_GATHER_S)

    async def publish(self, stored: Sequence[Stored]) -> None:
        """Publish and remember to mark the rows sent. Raises Retryable where that is left to the relay: the
        broker is away, or does not take one of them, or earlier events wait."""
        if self._behind:
            self.fall_behind()
            raise Retryable("earlier events go first")
        try:
            await self.send(stored)
        except Retryable:
            self.fall_behind()
            raise
        except Rejected as error:
            self.fall_behind()
            raise Retryable(f"one has to be put aside: {error}") from error

    async def send(self, stored: Sequence[Stored]) -> None:
        """Send to the broker, in a span. Raises Retryable where it is away, Rejected where it will never
        take one of them: then others may or may not be there, and are sent again."""
        messages = [one.message for one in stored]
        span = _start_send_span(messages)
        try:
            await self.producer.publish(messages)
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            span.end()
        self._unmarked.extend(stored)

    async def mark_sent(self) -> None:
        """Mark what has been published. Losing a mark costs a harmless double, so it need not be fsynced."""
        stored, self._unmarked = self._unmarked, []
        if not stored:
            return
        try:
            async with self.database.transaction() as tx:
                await tx.execute("SET LOCAL synchronous_commit = off")
                await tx.execute(
                    """
                    UPDATE outbox SET sent_at = now(), partition = t.partition, kafka_offset = t.kafka_offset
                    FROM unnest(CAST(:ids AS bigint[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]))
                        AS t(id, partition, kafka_offset)
                    WHERE outbox.id = t.id
                    """,
                    ids=[one.row for one in stored],
                    partitions=[one.message.partition for one in stored],
                    offsets=[one.message.offset for one in stored],
                )
        except Retryable:
            self._unmarked.extend(stored)
            raise

    async def close(self) -> None:
        """Let what is under way finish, mark what was sent."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=5)
        try:
            async with asyncio.timeout(3):
                await self.mark_sent()
        except (Retryable, TimeoutError):
            _log.warning("outbox.marks_left", events=len(self._unmarked))
