"""The stage runner: batch in, one database transaction, publish, commit the offsets.

A handler gets the transaction and the events of one topic that are new (above the last `seq` applied
for that case and sender), in order. It loads, decides with pure functions, saves and emits; it never
talks to the network. What goes wrong:

- Retryable: the whole batch waits and is tried again; nothing is lost, nothing is dead-lettered.
- anything else: the batch is halved until one event stands alone; that one is tried three times and
  then dead-lettered, in the transaction that passes it. The bytes stay in the service's own table;
  the topic gets the reason and the shape.
- bytes that are no event at all: dead-lettered at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from opentelemetry.trace import Span, SpanKind, StatusCode
from pydantic import TypeAdapter, ValidationError

from shared import dead_letters, ledger, marks, telemetry
from shared.contracts.base import Contract
from shared.contracts.envelope import Envelope
from shared.contracts.topics import Topic, topic_named
from shared.errors import Rejected, Retryable
from shared.kafka import consumer as new_consumer
from shared.outbox import EmittingTransaction, Outbox

TRIES: Final = 3
COMMIT_EVERY_S: Final = 1.0
PATIENCE_MS: Final = 250
PATIENT_BYTES: Final = 262_144
"""A patient stage, on whose work nobody waits, takes what gathers in a quarter of a second: a tenth of
the requests."""
_log = telemetry.logger()

Body = TypeVar("Body", bound=Contract)


@dataclass(slots=True, eq=False)
class Event(Generic[Body]):
    """One event as a handler sees it. Two events are the same only if they are one object."""

    envelope: Envelope[Body]
    topic: Topic
    record: dead_letters.Record
    started: datetime
    span: Span

    @property
    def body(self) -> Body:
        """The sender's whole state of the case."""
        return self.envelope.body

    @property
    def case(self) -> str:
        """The case's id."""
        return self.envelope.case

    @property
    def trace(self) -> str:
        """The traceparent that whatever this event causes continues."""
        return telemetry.traceparent(self.span)


Handler = Callable[[EmittingTransaction, Sequence[Event[Any]]], Awaitable[None]]


class Stage:
    """One service's consumer: the topics it reads and the function for each."""

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        bootstrap: str,
        handlers: Mapping[Topic, Handler],
        *,
        batch_events: int = 200,
        bulk_slice: int = 50,
        fetch_wait_ms: int = 20,
        patient: bool = False,
        group: str | None = None,
        stuck_after_s: float = 30,
        after_commit: Callable[[], None] | None = None,
        decoders: Mapping[Topic, TypeAdapter[Any]] | None = None,
    ) -> None:
        self.service = service
        self._outbox = outbox
        self._bootstrap = bootstrap
        self._handlers = dict(handlers)
        self._order = {topic.name: i for i, topic in enumerate(self._handlers)}
        # A reader that needs a few fields of an event may bring its own narrower model of it.
        narrower = decoders or {}
        self._decoders: dict[str, TypeAdapter[Any]] = {
            topic.name: narrower.get(topic) or TypeAdapter(Envelope[topic.contract])  # type: ignore[name-defined]
            for topic in self._handlers
        }
        self._batch_events = batch_events
        self._bulk_slice = bulk_slice
        self._fetch_wait_ms = PATIENCE_MS if patient else fetch_wait_ms
        self._fetch_min_bytes = PATIENT_BYTES if patient else 1
        self._group = group or service
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._stuck_after_s = stuck_after_s
        self._after_commit = after_commit
        self._busy = asyncio.Lock()
        self._given_up: set[TopicPartition] = set()
        self._consumer: AIOKafkaConsumer | None = None
        self._last_progress = 0.0
        self._stuck = False
        self.running = False

    async def run(self) -> None:
        """Run for ever; the consumer is built anew whenever it fails or gets stuck."""
        while True:
            try:
                await self._consume()
            except (Retryable, KafkaError, OSError, TimeoutError) as error:
                _log.warning("stage.reconnecting", error=type(error).__name__)
            except Exception as error:
                # A defect outside any event: say so and start afresh rather than stand still in silence.
                _log.error("stage.failed", error=error)
            self.running = False
            await asyncio.sleep(0.5)

    async def _consume(self) -> None:
        consumer = new_consumer(
            self._bootstrap,
            self._group,
            client_id=f"waymark-{self._group}",
            fetch_wait_ms=self._fetch_wait_ms,
            fetch_min_bytes=self._fetch_min_bytes,
        )
        self._done.clear()
        self._stuck = False
        lanes = [lane for topic in self._handlers for lane in topic.lanes]
        watchdog: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(60):
                await consumer.start()
            consumer.subscribe(lanes, listener=_Rebalance(self))
            self._consumer = consumer
            self._progress()
            consuming = asyncio.current_task()
            watchdog = asyncio.create_task(self._watch(consumer, consuming))
            while True:
                await self._next_batch(consumer)
        except asyncio.CancelledError:
            # The watchdog's cancel is taken back, so that the next one, or a stop, counts by itself.
            task = asyncio.current_task()
            if self._stuck and task is not None and task.uncancel() == 0:
                raise Retryable("the consumer was stuck") from None
            raise
        finally:
            if watchdog is not None:
                watchdog.cancel()
            self._consumer = None
            try:
                async with asyncio.timeout(5):
                    await self._commit(consumer)
                    await consumer.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("stage.consumer_left", error=type(error).__name__)

    def _progress(self) -> None:
        self._last_progress = asyncio.get_running_loop().time()

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> None:
        """Live first; bulk in short slices when nothing live waits."""
        assigned = consumer.assignment()
        live = [tp for tp in assigned if not tp.topic.endswith(".bulk")]
        bulk = [tp for tp in assigned if tp.topic.endswith(".bulk")]
        records: dict[TopicPartition, list[Any]] = {}
        try:
            if live:
                records = await consumer.getmany(*live, timeout_ms=0, max_records=self._batch_events)
            if not records and bulk:
                records = await consumer.getmany(*bulk, timeout_ms=0, max_records=self._bulk_slice)
            if not records:
                records = await consumer.getmany(timeout_ms=200, max_records=self._bulk_slice)
        except IllegalStateError:
            return  # a rebalance took a partition away between the two lines
        self.running = bool(consumer.assignment()) or self.running
        if self._done and asyncio.get_running_loop().time() - self._committed_at > COMMIT_EVERY_S:
            await self._commit(consumer)
        if not records:
            return
        async with self._busy:
            self._given_up.clear()
            await self._handle(records)
            self._progress()
            for tp, batch in records.items():
                if tp not in self._given_up:
                    self._done[tp] = batch[-1].offset + 1

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what is done. Done once a second, not per batch: what a crash makes come again, `seq` drops,
        and each commit costs the broker as much as a batch."""
        self._committed_at = asyncio.get_running_loop().time()
        mine = consumer.assignment()
        offsets = {tp: offset for tp, offset in self._done.items() if tp in mine}
        self._done.clear()
        try:
            if offsets:
                await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            # Somebody else has the partition now and will see these again: `seq` drops them.
            _log.info("stage.commit_after_rebalance", partitions=len(offsets))

    async def _handle(self, records: Mapping[TopicPartition, list[Any]]) -> None:
        started = ledger.now()
        found: list[dead_letters.Record] = [
            dead_letters.Record(
                topic=tp.topic,
                partition=tp.partition,
                offset=record.offset,
                key=record.key,
                value=record.value or b"",
                traceparent=_header(record.headers, "traceparent"),
            )
            for tp, batch in records.items()
            for record in batch
        ]
        events: list[Event[Any]] = []
        poison: list[tuple[dead_letters.Record, str]] = []
        for record in found:
            topic = topic_named(record.topic)
            try:
                envelope = self._decoders[topic.name].validate_json(record.value)
            except ValidationError as error:
                poison.append((record, f"not a {topic.contract.schema_id}: {_first_fault(error)}"))
                continue
            span = self._start_span(record, envelope, started)
            events.append(Event(envelope, topic, record, started, span))
        events.sort(key=lambda event: self._order[event.topic.name])
        try:
            await self._apply(events, poison)
        finally:
            for event in events:
                event.span.end()
        seconds = (ledger.now() - started).total_seconds()
        telemetry.PROCESS_SECONDS.labels(self.service).observe(seconds)
        for event in events:
            telemetry.WAIT_SECONDS.labels(self.service).observe(
                max(0.0, (started - event.envelope.at).total_seconds())
            )

    def _start_span(self, record: dead_letters.Record, envelope: Envelope[Any], started: datetime) -> Span:
        """The span begins with the work on the batch, as the ledger's entry does."""
        return telemetry.start_span(
            f"process {record.topic}",
            SpanKind.CONSUMER,
            parent=record.traceparent,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.kafka.message.key": envelope.case,
                "messaging.consumer.group.name": self.service,
                "waymark.case": envelope.case,
                "waymark.seq": envelope.seq,
                telemetry.LANE: envelope.lane,
            },
            start=started,
        )

    async def _apply(
        self, events: Sequence[Event[Any]], poison: Sequence[tuple[dead_letters.Record, str]]
    ) -> None:
        """Apply all in one transaction; halve on failure; wait out what passes by itself."""
        pause = 0.1
        tries = 0
        while True:
            try:
                await self._transact(events, poison)
                return
            except Retryable as error:
                telemetry.EVENTS.labels(self.service, "all", "waited").inc()
                _log.warning("stage.waiting", error=str(error), events=len(events))
                if self._revoked(events):
                    return
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)
            except Exception as error:
                if len(events) > 1:
                    half = len(events) // 2
                    await self._apply(events[:half], poison)
                    await self._apply(events[half:], ())
                    return
                if not events:
                    raise
                tries += 1
                only = events[0]
                _log.error(
                    "stage.event_failed", case=only.case, topic=only.topic.name, tries=tries, error=error
                )
                if tries >= TRIES:
                    only.span.set_status(StatusCode.ERROR, "dead-lettered")
                    await self._apply((), [*poison, (only.record, _reason(error))])
                    return
                await asyncio.sleep(pause)

    async def _transact(
        self, events: Sequence[Event[Any]], poison: Sequence[tuple[dead_letters.Record, str]]
    ) -> None:
        async with self._outbox.transaction(publish=False) as tx:
            # Marks compare whole states of a case. A topic whose events are facts of their own shares a
            # sender's `seq` with its states but not their order: marks would let one drop the other.
            states = [event for event in events if event.topic.whole_state]
            seen = await marks.load(tx, states)
            fresh = marks.newer(events, seen)
            for topic, handler in self._handlers.items():
                mine = [event for event in fresh if event.topic is topic]
                if mine:
                    await handler(tx, mine)
            for record, reason in poison:
                await dead_letters.store(tx, self.service, record, reason)
            await marks.save(tx, [event for event in fresh if event.topic.whole_state], seen)
        await self._publish(tx.stored)
        if self._after_commit is not None:
            self._after_commit()
        for event in events:
            outcome = "applied" if event in fresh else "repeated"
            telemetry.EVENTS.labels(self.service, event.topic.name, outcome).inc()
        for record, _ in poison:
            telemetry.EVENTS.labels(self.service, topic_named(record.topic).name, "dead_lettered").inc()

    async def _publish(self, stored: Sequence[Any]) -> None:
        """Publish what was committed. With the broker away it stays in the outbox and the relay sends it."""
        if not stored:
            return
        try:
            await self._outbox.publish(stored)
        except Retryable as error:
            _log.warning("stage.left_for_relay", events=len(stored), error=str(error))

    def _revoked(self, events: Sequence[Event[Any]]) -> bool:
        """Whether a waiting batch's partitions went to another copy, which will see it again."""
        return bool(self._given_up) and all(
            TopicPartition(event.record.topic, event.record.partition) in self._given_up for event in events
        )

    async def _watch(self, consumer: AIOKafkaConsumer, consuming: asyncio.Task[Any] | None) -> None:
        """Rebuild a consumer that has lag and makes no progress (aiokafka #1154, #847, #718)."""
        strikes = 0
        while True:
            await asyncio.sleep(self._stuck_after_s / 2)
            try:
                async with asyncio.timeout(10):
                    lags = await self._lags(consumer)
            except (KafkaError, OSError, TimeoutError):
                lags = {"unknown": 1}
            for topic, lag in lags.items():
                telemetry.LAG.labels(self.service, topic).set(lag)
            idle = asyncio.get_running_loop().time() - self._last_progress
            stuck = idle > self._stuck_after_s and sum(lags.values()) > 0 and not self._busy.locked()
            strikes = strikes + 1 if stuck else 0
            if strikes >= 2 and consuming is not None:
                _log.error("stage.stuck", idle_s=round(idle), lag=sum(lags.values()))
                self._stuck = True
                consuming.cancel("stuck")
                return

    async def _lags(self, consumer: AIOKafkaConsumer) -> dict[str, int]:
        assigned = list(consumer.assignment())
        if not assigned:
            return {"unassigned": 1}
        ends = await consumer.end_offsets(assigned)
        lags: dict[str, int] = {}
        for tp, end in ends.items():
            lags[tp.topic] = lags.get(tp.topic, 0) + max(0, end - await consumer.position(tp))
        return lags

    async def give_up(self, partitions: set[TopicPartition]) -> None:
        """Before partitions go to another copy: let the batch under way finish, for a while."""
        self._given_up |= partitions
        try:
            async with asyncio.timeout(10), self._busy:
                if self._consumer is not None:
                    await self._commit(self._consumer)
        except (KafkaError, TimeoutError) as error:
            _log.warning("stage.batch_given_up", partitions=len(partitions), error=type(error).__name__)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._stage.give_up(set(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._stage.running = True
        _log.info("stage.assigned", partitions=len(assigned))


def _header(headers: Sequence[tuple[str, bytes]], name: str) -> str | None:
    return next((value.decode("ascii", "replace") for key, value in headers if key == name), None)


def _first_fault(error: ValidationError) -> str:
    """Where and what kind, never what was said: a key that is no field's name is content too."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = "/".join(
        dead_letters.field_name(part) if isinstance(part, str) else str(part) for part in first["loc"]
    )
    return f"{first['type']} at /{where}"


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, Rejected) else f"the handler failed: {type(error).__name__}"
