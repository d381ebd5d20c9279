"""The watch over deadlines that can still be kept: what a webhook has not brought half-way to its deadline is
put into the inbox as well, how many minutes are left is measured, and whoever can help is warned before the
deadline is missed. What was missed is `rounds.py`'s."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any, Final

from prometheus_client import Counter, Gauge

from services.delivery import deadlines_store, notices, store
from services.delivery.book import Book
from services.delivery.dispatch import Dispatcher
from services.delivery.domain.case import Delivery
from services.delivery.domain.forecast import Forecast, Pace, accompanied_from, forecast
from services.delivery.outgoing import Office, Outgoing
from shared import audit, ledger, telemetry
from shared.contracts.base import write_moment
from shared.errors import Retryable
from shared.keys import Caller
from shared.outbox import Outbox

COMPANY_EVERY_S: Final = 2.0
FORECAST_EVERY_S: Final = 10.0
AT_ONCE: Final = 200
LISTED: Final = 500

LEFT = Gauge("waymark_delivery_minutes_to_breach", "Until the next deadline of a recipient", ["recipient"])
AT_RISK = Gauge("waymark_delivery_at_risk", "Deliveries whose deadline is in danger", ["service"])
ALARMS = Counter(
    "waymark_delivery_alarms_total", "Deadlines in danger that somebody was warned of", ["service"]
)
COMPANY = Counter("waymark_delivery_also_in_inbox_total", "Put into the inbox besides a webhook", ["service"])

_log = telemetry.logger()


class Deadlines:
    """The watch of one copy of the service."""

    def __init__(
        self, outbox: Outbox, office: Office, book: Book, dispatcher: Dispatcher, *, at_once: int
    ) -> None:
        self._outbox = outbox
        self._office = office
        self._book = book
        self._dispatcher = dispatcher
        self._at_once = at_once
        self._paces: dict[str, Pace] = defaultdict(Pace)
        self._services_at_risk: set[str] = set()
        self._recipients_pending: set[str] = set()
        self.looked: list[Forecast] = []
        """What the last look found, the earliest deadline first."""

    def note_received(self, delivery: Delivery) -> None:
        """Learn how fast a recipient fetches what it was offered."""
        if delivery.inbox_no is not None and delivery.received_at is not None:
            seconds = (delivery.received_at - delivery.began).total_seconds()
            self._paces[delivery.recipient].took(max(0.0, seconds))

    async def run(self) -> None:
        """Run for ever."""
        looked = float("-inf")
        while True:
            try:
                await self.keep_company()
                if time.monotonic() - looked >= FORECAST_EVERY_S:
                    looked = time.monotonic()
                    await self.look()
            except Retryable as error:
                _log.warning("deadlines.waiting", error=str(error))
            await asyncio.sleep(COMPANY_EVERY_S)

    async def keep_company(self) -> int:
        """Put what webhooks have not brought into inboxes as well; how many. Whichever way it is received
        first, it is one delivery under one id."""
        with_inbox = [one.id for one in self._book.directory.recipients if one.inbox]
        if not with_inbox:
            return 0
        async with self._outbox.database.transaction() as tx:
            lonely = await deadlines_store.without_company(tx, with_inbox, AT_ONCE)
        if not lonely:
            return 0
        ids = {row["id"] for row in lonely}
        async with self._outbox.transaction() as tx:
            now = ledger.now()
            await store.load_cases(tx, {row["case"] for row in lonely})
            deliveries = await store.load_deliveries(tx, {row["case"] for row in lonely})
            found = [
                delivery
                for of_case in deliveries.values()
                for delivery in of_case
                if delivery.id in ids
                and delivery.state == "waiting"
                and delivery.inbox_no is None
                and accompanied_from(delivery.began, delivery.due) <= now
            ]
            contents = await store.contents_of(tx, (delivery.id for delivery in found))
            outgoing = Outgoing(self._office, now)
            for delivery in found:
                outgoing.offer_too(delivery, contents[delivery.id])
                COMPANY.labels(delivery.service).inc()
                await audit.record(
                    tx,
                    who="delivery",
                    act="delivery.also_in_inbox",
                    case=delivery.case,
                    delivery=delivery.id,
                    recipient=delivery.recipient,
                )
            await outgoing.store(tx)
            await store.update_deliveries(tx, sorted(found, key=lambda d: d.id))
        return len(found)

    async def look(self) -> list[Forecast]:
        """Look at every deadline to come, and warn of those in danger, each once."""
        async with self._outbox.database.transaction() as tx:
            pending = await deadlines_store.pending(tx)
        now = ledger.now()
        self.looked = [
            forecast(
                one,
                now,
                attempt_s=self._dispatcher.attempt_s(one.recipient),
                at_once=self._at_once,
                read_s=self._paces[one.recipient].seconds,
            )
            for one in pending
        ]
        self._show()
        danger = [one.pending.id for one in self.looked if one.at_risk and not one.pending.alarmed]
        if danger:
            await self._warn(danger[:AT_ONCE])
        return self.looked

    async def _warn(self, danger: list[str]) -> None:
        async with self._outbox.database.transaction() as tx:
            warned = await deadlines_store.alarm(tx, danger, ledger.now())
            for row in warned:
                if not row["unreleased"]:
                    await notices.ask(tx, [row["recipient"]], "deadline_near", row["id"])
                await audit.record(
                    tx,
                    who="delivery",
                    act="delivery.deadline_near",
                    case=row["case"],
                    delivery=row["id"],
                    recipient=row["recipient"],
                )
        for row in warned:
            ALARMS.labels(row["service"]).inc()
            _log.warning("deadlines.in_danger", delivery=row["id"], recipient=row["recipient"])

    def _show(self) -> None:
        left: dict[str, float] = {}
        at_risk: dict[str, int] = dict.fromkeys(self._services_at_risk, 0)
        for one in self.looked:
            left.setdefault(one.pending.recipient, one.minutes_to_breach)
            if one.at_risk:
                at_risk[one.pending.service] = at_risk.get(one.pending.service, 0) + 1
        for recipient in self._recipients_pending - set(left):
            LEFT.remove(recipient)
        for recipient, minutes in left.items():
            LEFT.labels(recipient).set(minutes)
        for service, count in at_risk.items():
            AT_RISK.labels(service).set(count)
        self._services_at_risk, self._recipients_pending = set(at_risk), set(left)

    def shown(self, caller: Caller) -> dict[str, Any]:
        """What the caller may know of the last look: minutes to breach per case and recipient."""
        seen = []
        for one in self.looked:
            recipient = self._book.get(one.pending.recipient)
            if recipient is None or not all(caller.may_see_area(area) for area in recipient.areas):
                continue
            seen.append(
                {
                    "delivery": one.pending.id,
                    "case": one.pending.case,
                    "recipient": one.pending.recipient,
                    "service": one.pending.service,
                    "state": one.pending.state,
                    "due": write_moment(one.pending.due),
                    "minutes_to_breach": round(one.minutes_to_breach, 1),
                    "expected": write_moment(one.expected) if one.expected else None,
                    "at_risk": one.at_risk,
                }
            )
        return {
            "pending": len(seen),
            "at_risk": sum(one["at_risk"] for one in seen),
            "deadlines": seen[:LISTED],
        }
