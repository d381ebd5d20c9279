"""What a transaction sends: new deliveries by the channel they go by, and those that fall back to an inbox.

Everything is stored in the transaction; what may be sent at once goes to the dispatcher from memory when
it has committed, and readers who wait for their inbox are woken.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from services.delivery import notices, store
from services.delivery.book import Book
from services.delivery.dispatch import Dispatcher
from services.delivery.domain import answers
from services.delivery.domain.case import Delivery, delivery_id
from services.delivery.domain.notification import Composed, completed, view_of_document
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.restricted import UNRELEASED, warn_at
from services.delivery.store import Content, Leased
from shared import cursors
from shared import vocabulary as v
from shared.outbox import EmittingTransaction


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of what a composed notification shows. Only ever compared with one made here."""
    view = orjson.dumps(view_of_document(document), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(view).hexdigest()


class Inboxes:
    """Wakes readers who wait for something new."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}

    async def news(self, recipient: str, within_s: float) -> None:
        """Wait until something comes for `recipient`, at most so long."""
        event = self._waiting.setdefault(recipient, asyncio.Event())
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return

    def wake(self, recipients: Iterable[str]) -> None:
        """Something came for these."""
        for recipient in recipients:
            event = self._waiting.pop(recipient, None)
            if event is not None:
                event.set()


class Office:
    """What is the same for every transaction: who we are, where things go, where receipts come to."""

    def __init__(
        self,
        running: str,
        book: Book,
        dispatcher: Dispatcher,
        inboxes: Inboxes,
        *,
        public_url: str,
        lease_s: float,
    ) -> None:
        self.running = running
        self.book = book
        self.dispatcher = dispatcher
        self.inboxes = inboxes
        self.lease_s = lease_s
        self._receipts = f"{public_url.rstrip('/')}/v1/deliveries"

    def receipts(self, delivery: str) -> str:
        """Where receipts for a delivery are posted."""
        return f"{self._receipts}/{delivery}/receipts"


class Outgoing:
    """The deliveries of one transaction."""

    def __init__(self, office: Office, now: datetime) -> None:
        self._office = office
        self._now = now
        self._new: dict[str, Delivery] = {}
        self._contents: dict[str, bytes] = {}
        self._inbox: list[tuple[Delivery, bytes]] = []
        self._planned: dict[str, int] = defaultdict(int)

    def make(
        self,
        composed: Composed,
        recipient: Recipient,
        *,
        version: int,
        revision: int,
        due: datetime,
        view: str,
        began: datetime,
        lane: v.Lane,
        trace: str | None,
        replaces: str | None = None,
        why_again: str | None = None,
        escalates: str | None = None,
        breached_at: datetime | None = None,
        after: datetime | None = None,
        in_office_hours: bool = True,
        before: bytes | None = None,
    ) -> Delivery:
        """Make a delivery; it goes by the first of the recipient's channels that may be used, by the hours
        (`in_office_hours`) and at all. `after`: not sooner; `before`: what the delivery carries that it
        replaces."""
        case = composed.document["case"]
        number = delivery_id(case, version, recipient.id, composed.route.service)
        payload = orjson.dumps(
            completed(
                composed,
                delivery=number,
                version=version,
                due=due,
                receipts=self._office.receipts(number),
                replaces=replaces,
                why_again=why_again,
                trace=trace,
                before=None if before is None else orjson.loads(before),
            )
        )
        delivery = Delivery(
            id=number,
            case=case,
            version=version,
            revision=revision,
            recipient=recipient.id,
            service=composed.route.service,
            route=composed.route,
            due=due,
            view=view,
            state="waiting",
            channel=recipient.first_channel(in_office_hours),
            began=began,
            trace=trace,
            replaces=replaces,
            escalates=escalates,
            bulk=lane == "bulk",
            next_at=after or self._now,
            breached_at=breached_at,
        )
        self._new[number] = delivery
        self._contents[number] = payload
        if recipient.channels[delivery.channel].kind == "inbox":
            self.offer(delivery, payload)
        elif (
            after is None
            and self._office.dispatcher.room(recipient.id, bulk=delivery.bulk) > self._planned[recipient.id]
        ):
            self._planned[recipient.id] += 1
            delivery.leased_by = self._office.running
            delivery.lease_until = self._now + timedelta(seconds=self._office.lease_s)
        return delivery

    def withhold(self, delivery: Delivery) -> None:
        """A test record that nobody live may get is kept as one that was not sent."""
        delivery.state = "test_withheld"
        delivery.next_at = delivery.leased_by = delivery.lease_until = delivery.inbox_no = None
        self._inbox = [entry for entry in self._inbox if entry[0] is not delivery]
        self._contents.pop(delivery.id, None)

    def keep_back(self, delivery: Delivery) -> None:
        """It is restricted, and nobody learns of it before a person released it."""
        answers.hold(delivery, UNRELEASED)
        delivery.inbox_no = None
        delivery.chase_at = warn_at(self._now, delivery.due)
        self._inbox = [entry for entry in self._inbox if entry[0] is not delivery]

    def offer(self, delivery: Delivery, payload: bytes) -> None:
        """Put it into the recipient's inbox, unless it lies there already."""
        delivery.state = "offered"
        delivery.next_at = delivery.leased_by = delivery.lease_until = None
        if delivery.inbox_no is None:
            self._inbox.append((delivery, payload))

    def offer_too(self, delivery: Delivery, payload: bytes) -> None:
        """Put it into the recipient's inbox while its webhook goes on trying."""
        self._inbox.append((delivery, payload))

    async def store(self, tx: EmittingTransaction) -> None:
        """Store all of it, and send what may be sent at once when the transaction has committed."""
        by_reader: dict[str, list[tuple[Delivery, bytes]]] = defaultdict(list)
        for delivery, payload in self._inbox:
            by_reader[delivery.recipient].append((delivery, payload))
        if by_reader:
            await cursors.append(
                tx, {reader: [(d.case, payload) for d, payload in of] for reader, of in by_reader.items()}
            )
            ends = await store.ends_of(tx, by_reader)
            for reader, entries in by_reader.items():
                first = ends[reader] - len(entries) + 1
                for i, (delivery, _) in enumerate(entries):
                    delivery.inbox_no = first + i
            await notices.ask(tx, (reader for reader in by_reader if self._wants_notice(reader)), "waiting")
        await store.add_deliveries(
            tx,
            sorted(self._new.values(), key=lambda d: d.id),
            [Content(number, payload) for number, payload in sorted(self._contents.items())],
        )
        tx.when_committed(self._send)

    def _wants_notice(self, reader: str) -> bool:
        recipient = self._office.book.get(reader)
        return recipient is not None and recipient.notice is not None

    def _send(self) -> None:
        self._office.inboxes.wake({delivery.recipient for delivery, _ in self._inbox})
        self._office.dispatcher.put(
            Leased(
                id=d.id,
                case=d.case,
                recipient=d.recipient,
                due=d.due,
                bulk=d.bulk,
                channel=d.channel,
                trace=d.trace,
                lease_until=d.lease_until,
                payload=self._contents[d.id],
            )
            for d in self._new.values()
            if d.state == "waiting" and d.lease_until is not None
        )
