"""Stores what happens to deliveries: attempts, receipts, cursors that moved on. Whatever gathered while the
last transaction ran goes into the next one, together with the outcome of each case that it touched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Histogram

from services.delivery import recipients_store, store
from services.delivery.addresses import GONE, disable
from services.delivery.book import Book
from services.delivery.domain import answers
from services.delivery.domain.answers import REJECTED, Closed, Noted, Said
from services.delivery.domain.case import CaseRecord, Delivery
from services.delivery.domain.chasing import next_chase
from services.delivery.domain.sending import Attempt
from services.delivery.onward import Onward
from services.delivery.outgoing import Office, Outgoing
from services.delivery.recipients_store import Refusal
from shared import audit, ledger, telemetry
from shared.areas import Area, Areas
from shared.contracts.topics import OUTCOMES
from shared.errors import Retryable
from shared.outbox import EmittingTransaction, Outbox

MOST_AT_ONCE: Final = 100
"""More would hold up what is urgent while they are worked out."""

RECEIVED = Counter("waymark_delivery_received_total", "Deliveries received", ["service", "deadline"])
HELD = Counter("waymark_delivery_held_total", "Deliveries and routes left to a person", ["service", "because"])
TO_RECEIVED = Histogram(
    "waymark_delivery_to_received_seconds",
    "From the decision to the receipt of it",
    ["service"],
    buckets=telemetry.SECONDS,
)

_draw = random.SystemRandom().random
_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Passed:
    """A recipient's cursor moved past a delivery."""

    delivery: str
    case: str
    at: datetime


@dataclass(slots=True)
class Note:
    """Something to store, and who waits to hear that it was."""

    what: Attempt | Passed | Said
    case: str
    waiting: asyncio.Future[Noted] | None = None


@dataclass(slots=True)
class _Outcome:
    """What a transaction made of its notes."""

    said: list[tuple[Note, Noted | Closed]] = field(default_factory=list)
    received: list[Delivery] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)


class Recorder:
    """The one writer of what happened to deliveries, besides the decisions themselves."""

    def __init__(
        self, outbox: Outbox, office: Office, book: Book, areas: Areas, onward: Onward, *, every_ms: int
    ) -> None:
        self._outbox = outbox
        self._office = office
        self._book = book
        self._areas = areas
        self._onward = onward
        self._every_s = every_ms / 1000
        self._received: Callable[[Delivery], None] = lambda delivery: None
        self._notes: list[Note] = []
        self._unused: list[str] = []
        self._something = asyncio.Event()

    def when_received(self, received: Callable[[Delivery], None]) -> None:
        """Call `received` with each delivery that was received."""
        self._received = received

    def attempted(self, attempt: Attempt) -> None:
        """Store an attempt, soon."""
        self._notes.append(Note(attempt, attempt.case))
        self._something.set()

    def unused(self, delivery: str) -> None:
        """Give a lease back, soon."""
        self._unused.append(delivery)
        self._something.set()

    async def passed(self, passed: Sequence[Passed]) -> None:
        """Store that a cursor moved past deliveries; returns when it is stored. Raises Retryable."""
        waiting = [self._add(one, one.case) for one in passed]
        if waiting:
            await asyncio.gather(*waiting)

    async def said(self, said: Said, case: str) -> Noted:
        """Store a receipt; what became of it. Raises Closed and Retryable."""
        return await self._add(said, case)

    def _add(self, what: Passed | Said, case: str) -> asyncio.Future[Noted]:
        waiting: asyncio.Future[Noted] = asyncio.get_running_loop().create_future()
        self._notes.append(Note(what, case, waiting))
        self._something.set()
        return waiting

    async def run(self) -> None:
        """Run for ever."""
        while True:
            await self._something.wait()
            await asyncio.sleep(self._every_s)
            await self.store()

    async def store(self) -> None:
        """Store all that has gathered."""
        self._something.clear()
        while self._notes or self._unused:
            notes, self._notes = self._notes[:MOST_AT_ONCE], self._notes[MOST_AT_ONCE:]
            unused, self._unused = self._unused, []
            try:
                await self._store(notes, unused)
            except (Retryable, asyncio.CancelledError) as error:
                # Nobody should wait for a database that is away; attempts and leases are kept until it is back.
                kept = [note for note in notes if note.waiting is None]
                self._notes, self._unused = kept + self._notes, unused + self._unused
                for note in notes:
                    _fail(note, Retryable("the receipt could not be stored"))
                if isinstance(error, asyncio.CancelledError):
                    raise
                _log.warning("recorder.waiting", notes=len(kept), error=str(error))
                self._something.set()
                await asyncio.sleep(0.5)
                return

    async def _store(self, notes: Sequence[Note], unused: Sequence[str]) -> None:
        try:
            outcome = await self._transact(notes, unused)
        except (Retryable, asyncio.CancelledError):
            raise
        except Exception as error:
            if len(notes) > 1:
                await self._store(notes[: len(notes) // 2], unused)
                await self._store(notes[len(notes) // 2 :], ())
                return
            # A defect of ours: the lease of an attempt ends by itself, and it is made again under its id.
            for note in notes:
                _log.error("recorder.note_failed", case=note.case, kind=type(note.what).__name__, error=error)
                _fail(note, error)
                self._office.dispatcher.recorded([note.what.delivery])
            return
        self._office.dispatcher.recorded(
            [note.what.delivery for note in notes if isinstance(note.what, Attempt)]
        )
        for note, result in outcome.said:
            if note.waiting is not None and not note.waiting.done():
                if isinstance(result, Closed):
                    note.waiting.set_exception(result)
                else:
                    note.waiting.set_result(result)
        for delivery in outcome.received:
            self._received(delivery)
            kept = "missed" if delivery.breached_at is not None else "kept"
            RECEIVED.labels(delivery.service, kept).inc()
            if delivery.received_at is not None:
                TO_RECEIVED.labels(delivery.service).observe(
                    max(0.0, (delivery.received_at - delivery.began).total_seconds())
                )
        for delivery in outcome.held:
            HELD.labels(delivery.service, "unreachable" if delivery.received_at is None else "rejected").inc()

    async def _transact(self, notes: Sequence[Note], unused: Sequence[str]) -> _Outcome:
        started = ledger.now()
        outcome = _Outcome()
        async with self._outbox.transaction() as tx:
            if not notes:
                await store.release(tx, unused, running=self._office.running)
                return outcome
            cases = await store.load_cases(tx, (note.case for note in notes))
            deliveries = await store.load_deliveries(tx, cases)
            by_id = {delivery.id: delivery for of_case in deliveries.values() for delivery in of_case}
            outgoing = Outgoing(self._office, started)
            changed: dict[str, Delivery] = {}
            news: set[str] = set()
            for note in notes:
                delivery = by_id.get(note.what.delivery)
                if delivery is None:
                    _log.error("recorder.unknown_delivery", delivery=note.what.delivery)
                    outcome.said.append((note, "late"))
                    continue
                before = (delivery.state, delivery.received_at, delivery.attempts > 0, len(delivery.answers))
                self._apply(note, delivery, outcome)
                changed[delivery.id] = delivery
                if before != (
                    delivery.state,
                    delivery.received_at,
                    delivery.attempts > 0,
                    len(delivery.answers),
                ):
                    news.add(delivery.case)
                if before[1] is None and delivery.received_at is not None:
                    outcome.received.append(delivery)
                if before[0] != "held" and delivery.state == "held":
                    outcome.held.append(delivery)
                delivery.chase_at = next_chase(delivery, self._area_of(delivery))
            await self._fall_back_to_inbox(tx, list(changed.values()), outgoing)
            await self._pass_on(tx, cases, deliveries, outcome, outgoing)
            await outgoing.store(tx)
            await store.update_deliveries(tx, sorted(changed.values(), key=lambda d: d.id))
            told = [cases[case] for case in sorted(news)]
            tell(tx, told, deliveries, started)
            await store.save_states(tx, told)
            await store.release(tx, unused, running=self._office.running)
            await self._disable_gone(tx, notes, by_id)
            await recipients_store.add_refusals(tx, _refusals(notes, by_id))
            for delivery in outcome.held:
                await store.note_held(tx, delivery)
        return outcome

    def _area_of(self, delivery: Delivery) -> Area:
        return self._areas.of(delivery.route.area, delivery.case.partition("/")[0])

    async def _pass_on(
        self,
        tx: EmittingTransaction,
        cases: Mapping[str, CaseRecord],
        deliveries: Mapping[str, list[Delivery]],
        outcome: _Outcome,
        outgoing: Outgoing,
    ) -> None:
        """What a recipient says is somebody else's goes there, or to a person where that is no good."""
        rejected = [d for d in outcome.held if d.held_because == REJECTED]
        if not rejected:
            return
        contents = await store.contents_of(tx, (delivery.id for delivery in rejected))
        for delivery in rejected:
            to = next((one["not_ours"] for one in reversed(delivery.answers) if one.get("not_ours")), None)
            if to is None:
                continue
            because = self._onward.pass_on(
                to, delivery, cases[delivery.case], deliveries[delivery.case], contents[delivery.id], outgoing
            )
            if because is None:
                outcome.held.remove(delivery)
            await audit.record(
                tx,
                who=f"recipient:{delivery.recipient}",
                act="delivery.passed_on" if because is None else "delivery.not_passed_on",
                case=delivery.case,
                delivery=delivery.id,
                because=because,
            )

    def _apply(self, note: Note, delivery: Delivery, outcome: _Outcome) -> None:
        what = note.what
        if isinstance(what, Attempt):
            answers.attempted(delivery, what, self._book.get(delivery.recipient), _draw)
        elif isinstance(what, Passed):
            answers.cursor_passed(delivery, what.at)
            outcome.said.append((note, "recorded"))
        else:
            try:
                outcome.said.append((note, answers.receipt(delivery, what)))
            except Closed as closed:
                outcome.said.append((note, closed))

    async def _fall_back_to_inbox(
        self, tx: EmittingTransaction, deliveries: Sequence[Delivery], outgoing: Outgoing
    ) -> None:
        """What no webhook could bring is put into the inbox of a recipient that has one."""
        falling = [delivery for delivery in deliveries if self._goes_to_inbox(delivery)]
        if not falling:
            return
        contents = await store.contents_of(tx, (delivery.id for delivery in falling))
        for delivery in falling:
            outgoing.offer(delivery, contents[delivery.id])

    async def _disable_gone(
        self, tx: EmittingTransaction, notes: Sequence[Note], by_id: Mapping[str, Delivery]
    ) -> None:
        """An address that said that it is gone is used no more, for no case."""
        for note in notes:
            if not isinstance(note.what, Attempt) or note.what.outcome != "gone" or not note.what.url:
                continue
            delivery = by_id.get(note.what.delivery)
            if delivery is not None:
                await disable(tx, delivery.recipient, note.what.url, GONE)

    def _goes_to_inbox(self, delivery: Delivery) -> bool:
        recipient = self._book.get(delivery.recipient)
        return (
            delivery.state == "waiting"
            and recipient is not None
            and delivery.channel < len(recipient.channels)
            and recipient.channels[delivery.channel].kind == "inbox"
        )

    async def close(self) -> None:
        """Store what is left; what cannot be stored is sent again under its id."""
        try:
            async with asyncio.timeout(5):
                await self.store()
        except (Retryable, TimeoutError):
            _log.warning("recorder.left", notes=len(self._notes))


def tell(
    tx: EmittingTransaction,
    cases: Sequence[CaseRecord],
    deliveries: dict[str, list[Delivery]],
    started: datetime,
) -> None:
    """Bring the cases' states up to date and emit what became of each: one event, the whole state."""
    for case in cases:
        case.state, case.held_by = answers.state_of(case, deliveries.get(case.case, ()))
        tx.emit(
            OUTCOMES,
            case.case,
            answers.answered(case, deliveries.get(case.case, ())),
            started=started,
            lane=case.lane,
            ledger=case.ledger,
            caused_by=case.caused_by,
            trace=case.trace,
        )


def _refusals(notes: Sequence[Note], by_id: Mapping[str, Delivery]) -> list[Refusal]:
    """What is kept of the attempts that failed."""
    return [
        Refusal(what.delivery, by_id[what.delivery].recipient, what.ended, what.result, what.said)
        for what in (note.what for note in notes)
        if isinstance(what, Attempt) and what.outcome in ("later", "gone") and what.delivery in by_id
    ]


def _fail(note: Note, error: Exception) -> None:
    if note.waiting is not None and not note.waiting.done():
        note.waiting.set_exception(error)
