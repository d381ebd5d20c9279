"""What is looked at again and again, by every copy of the service: what is due to be sent, and deadlines
that passed unmet. At the start, and when the directory changed, also what could not be addressed, and what
waits for recipients who are gone."""

from __future__ import annotations

import asyncio
from collections import Counter as Counted
from collections.abc import Sequence
from typing import Final

from opentelemetry.trace import SpanKind
from prometheus_client import Counter

from services.delivery import notices, store
from services.delivery.book import Book
from services.delivery.chasing import Chasing
from services.delivery.dispatch import Dispatcher
from services.delivery.domain import answers
from services.delivery.domain.case import Delivery
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.restricted import unreleased
from services.delivery.domain.versions import AT_ONCE
from services.delivery.handlers import Decisions
from services.delivery.meeting_chasing import MeetingChasing
from services.delivery.onward import Onward
from services.delivery.outbound import RecipientTopics
from services.delivery.outgoing import Office, Outgoing
from services.delivery.recorder import HELD, tell
from shared import audit, ledger, telemetry
from shared.errors import Retryable
from shared.outbox import EmittingTransaction, Outbox

LEASED_AT_ONCE: Final = 64
"""Per recipient and round: a recipient with much waiting does not crowd out the others."""
LEASED_AT_ALL: Final = 256
"""Per round and lane: reading more at once would hold up what is urgent meanwhile."""
LEASED_AT_LEAST: Final = 2
CASES_AT_ONCE: Final = 200

BREACHES = Counter("waymark_delivery_breaches_total", "Deadlines missed", ["service"])

_log = telemetry.logger()


class Rounds:
    """The rounds of one copy of the service."""

    def __init__(
        self,
        outbox: Outbox,
        office: Office,
        dispatcher: Dispatcher,
        book: Book,
        decisions: Decisions,
        topics: RecipientTopics,
        onward: Onward,
        chasing: Chasing,
        meetings: MeetingChasing,
        *,
        every_s: float,
    ) -> None:
        self._outbox = outbox
        self._office = office
        self._dispatcher = dispatcher
        self._book = book
        self._decisions = decisions
        self._topics = topics
        self._onward = onward
        self._chasing = chasing
        self._meetings = meetings
        self._every_s = every_s
        self._much: dict[bool, set[str]] = {False: set(), True: set()}
        """Recipients for whom more waited than was taken last time, per lane."""

    async def run(self) -> None:
        """Run for ever."""
        anew = [self.hold_what_nobody_gets, self.address_again, self.make_topics]
        to_do = list(anew)
        while True:
            leased = 0
            try:
                if await self.look_into_book():
                    to_do = list(anew)
                leased = await self.lease_due()
                await self.note_missed()
                await self._chasing.chase_due()
                await self._meetings.chase_due()
                while to_do:
                    await to_do[0]()
                    to_do.pop(0)
            except Retryable as error:
                _log.warning("rounds.waiting", error=str(error))
            # Where much waits, as after an outage, the next look is not long in coming.
            await asyncio.sleep(self._every_s if leased < LEASED_AT_ONCE else self._every_s / 10)

    async def look_into_book(self) -> bool:
        """Read the directory again where it has changed; whether it had."""
        async with self._outbox.database.transaction() as tx:
            return await self._book.refresh(tx)

    async def make_topics(self) -> None:
        """The topic of each recipient that wants one."""
        for recipient in self._book.directory.recipients:
            if any(channel.kind == "topic" for channel in recipient.channels):
                await self._topics.make(recipient.id)

    async def lease_due(self) -> int:
        """Take what is due to be sent and nobody is sending, what is live apart from bulk; how many."""
        return await self._lease(bulk=False) + await self._lease(bulk=True)

    async def _lease(self, *, bulk: bool) -> int:
        at_all = min(LEASED_AT_ALL, self._dispatcher.bulk_room()) if bulk else LEASED_AT_ALL
        if not at_all:
            return 0
        # Those who had much last time share what may be taken; the others have a little each.
        share = max(LEASED_AT_LEAST, min(LEASED_AT_ONCE, at_all // max(1, len(self._much[bulk]))))
        rooms = {}
        for recipient in self._book.directory.recipients:
            most = share if recipient.id in self._much[bulk] else min(share, LEASED_AT_LEAST)
            room = min(most, self._dispatcher.room(recipient.id, bulk=bulk))
            if room:
                rooms[recipient.id] = room
        if not rooms:
            return 0
        async with self._outbox.database.transaction() as tx:
            leased = await store.lease(
                tx, rooms, bulk=bulk, running=self._office.running, lease_s=self._office.lease_s
            )
        taken = Counted(one.recipient for one in leased)
        self._much[bulk] = {name for name, count in taken.items() if count >= LEASED_AT_LEAST}
        self._dispatcher.put(leased)
        return len(leased)

    async def note_missed(self) -> int:
        """Note deadlines that passed unmet, once each, and tell the stand-ins; how many."""
        async with self._outbox.database.transaction() as tx:
            late = await store.missed_deadlines(tx, CASES_AT_ONCE)
        if not late:
            return 0
        async with self._outbox.transaction() as tx:
            return await self._escalate(tx, late)

    async def _escalate(self, tx: EmittingTransaction, late: Sequence[str]) -> int:
        now = ledger.now()
        cases = await store.load_cases(tx, late)
        deliveries = await store.load_deliveries(tx, cases)
        # The earliest deadline first, whoever missed it.
        missed = sorted(
            (d for of_case in deliveries.values() for d in of_case if answers.missed(d, now)),
            key=lambda d: d.due,
        )
        outgoing = Outgoing(self._office, now)
        contents = await store.contents_of(tx, (d.id for d in missed if self._told_instead(d)))
        changed: dict[str, Delivery] = {delivery.id: delivery for delivery in missed}
        for delivery in missed:
            BREACHES.labels(delivery.service).inc()
            await audit.record(
                tx,
                who="delivery",
                act="delivery.deadline_missed",
                case=delivery.case,
                delivery=delivery.id,
                recipient=delivery.recipient,
                service=delivery.service,
                state=delivery.state,
            )
            if not unreleased(delivery):
                await notices.ask(tx, [delivery.recipient], "deadline_missed", delivery.id)
            of_case = deliveries[delivery.case]
            for stand_in in self._told_instead(delivery):
                if delivery.id not in contents:
                    continue
                made = self._onward.tell(
                    stand_in,
                    delivery,
                    cases[delivery.case],
                    of_case,
                    contents[delivery.id],
                    outgoing,
                    why="deadline_missed",
                    due=now + AT_ONCE,
                )
                if made is not None:
                    of_case.append(made)
        await outgoing.store(tx)
        await store.update_deliveries(tx, sorted(changed.values(), key=lambda d: d.id))
        told = [cases[case] for case in sorted({delivery.case for delivery in missed})]
        tell(tx, told, deliveries, now)
        await store.save_states(tx, told)
        return len(missed)

    def _told_instead(self, delivery: Delivery) -> list[Recipient]:
        """Nobody, of what a person has not released: late is no reason to tell of it."""
        return [] if unreleased(delivery) else self._onward.stand_ins(delivery)

    async def hold_what_nobody_gets(self) -> None:
        """Deliveries that wait for a recipient who is not described any more go to a person."""
        while True:
            async with self._outbox.transaction() as tx:
                now = ledger.now()
                gone = await store.without_recipient(tx, self._book.directory.by_id)
                if not gone:
                    return
                cases = await store.load_cases(tx, (row["case"] for row in gone))
                deliveries = await store.load_deliveries(tx, cases)
                ids = {row["id"] for row in gone}
                held = [
                    d
                    for of_case in deliveries.values()
                    for d in of_case
                    if d.id in ids and d.state == "waiting"
                ]
                for delivery in held:
                    answers.hold(delivery, "its recipient is not described any more")
                    HELD.labels(delivery.service, "recipient_gone").inc()
                    await store.note_held(tx, delivery)
                await store.update_deliveries(tx, sorted(held, key=lambda d: d.id))
                told = [cases[case] for case in sorted(cases)]
                tell(tx, told, deliveries, now)
                await store.save_states(tx, told)

    async def address_again(self) -> None:
        """Look once more for the recipients of cases that lacked some: the files may have changed."""
        async with self._outbox.database.transaction() as tx:
            waiting = await store.unaddressed(tx)
        for row in waiting:
            span = telemetry.start_span(
                "address again", SpanKind.INTERNAL, attributes={"waymark.case": row["case"]}
            )
            found = False
            try:
                async with self._outbox.transaction() as tx:
                    found = await self._decisions.address_again(tx, row["case"], bytes(row["decided"]))
            except Retryable:
                raise
            except Exception as error:
                # It stays held, with its owner; one case that cannot be read must not stop the others.
                _log.error("rounds.not_addressed", case=row["case"], error=error)
            finally:
                span.end()
            _log.info("rounds.addressed_again", case=row["case"], found=found)
