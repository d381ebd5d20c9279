"""Asks again those who have not opened or decided, then tells whoever stands in, then a person; and asks
louder for the release of what is restricted, before its deadline passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter

from services.delivery import desk_store, notices, store
from services.delivery.book import Book
from services.delivery.domain.case import CaseRecord, Delivery
from services.delivery.domain.chasing import MOST_CHASES, awaited_step, next_chase
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.restricted import unreleased
from services.delivery.domain.versions import AT_ONCE
from services.delivery.onward import Onward
from services.delivery.outgoing import Office, Outgoing
from services.delivery.recorder import tell
from shared import audit, ledger
from shared.areas import Areas
from shared.outbox import EmittingTransaction, Outbox

CASES_AT_ONCE: Final = 200

CHASES: Final = Counter(
    "waymark_delivery_chases_total", "Recipients asked again, by what was done", ["service", "step", "done"]
)


class Chasing:
    """The round of what nobody has opened, decided or released in time."""

    def __init__(self, outbox: Outbox, office: Office, book: Book, areas: Areas, onward: Onward) -> None:
        self._outbox = outbox
        self._office = office
        self._book = book
        self._areas = areas
        self._onward = onward

    async def chase_due(self) -> int:
        """Chase what is due to be chased, once each; how many."""
        async with self._outbox.database.transaction() as tx:
            due = await desk_store.to_chase(tx, CASES_AT_ONCE)
        if not due:
            return 0
        async with self._outbox.transaction() as tx:
            return await self._chase(tx, due)

    async def _chase(self, tx: EmittingTransaction, due: Sequence[str]) -> int:
        now = ledger.now()
        cases = await store.load_cases(tx, due)
        deliveries = await store.load_deliveries(tx, cases)
        late = [
            d
            for of_case in deliveries.values()
            for d in of_case
            if d.chase_at is not None and d.chase_at <= now
        ]
        outgoing = Outgoing(self._office, now)
        contents = await store.contents_of(tx, (d.id for d in late))
        for delivery in late:
            case, of_case = cases[delivery.case], deliveries[delivery.case]
            content = contents.get(delivery.id)
            if unreleased(delivery):
                done = self._ask_for_release(delivery, case, of_case, content, outgoing)
            else:
                done = self._ask_again(delivery, case, of_case, content, outgoing)
            step = "released" if unreleased(delivery) else awaited_step(delivery) or "nothing"
            delivery.chases += 1
            area = self._areas.of(delivery.route.area, delivery.case.partition("/")[0])
            delivery.chase_at = None if unreleased(delivery) else next_chase(delivery, area, now)
            CHASES.labels(delivery.service, step, done).inc()
            if done == "chased":
                await notices.ask(tx, [delivery.recipient], "not_answered", delivery.id)
            await audit.record(
                tx,
                who="delivery",
                act=f"delivery.{done}",
                case=delivery.case,
                delivery=delivery.id,
                recipient=delivery.recipient,
                service=delivery.service,
                awaits=step,
            )
        await outgoing.store(tx)
        await store.update_deliveries(tx, sorted(late, key=lambda d: d.id))
        told = [cases[case] for case in sorted({delivery.case for delivery in late})]
        tell(tx, told, deliveries, now)
        await store.save_states(tx, told)
        return len(late)

    def _ask_again(
        self,
        delivery: Delivery,
        case: CaseRecord,
        of_case: list[Delivery],
        content: bytes | None,
        outgoing: Outgoing,
    ) -> str:
        """The first time the recipient itself is asked, then its stand-ins are told, then it is a person's."""
        if delivery.chases == 0:
            return "chased"
        if delivery.chases == MOST_CHASES - 1 or content is None:
            return "left_to_a_person"
        why = f"not_{awaited_step(delivery) or 'opened'}"
        told = [
            self._told(other, delivery, case, of_case, content, outgoing, why)
            for other in self._onward.stand_ins(delivery)
        ]
        return "escalated" if any(told) else "left_to_a_person"

    def _ask_for_release(
        self,
        delivery: Delivery,
        case: CaseRecord,
        of_case: list[Delivery],
        content: bytes | None,
        outgoing: Outgoing,
    ) -> str:
        """The area's emergency duty team is told that a restricted case waits for a person's release."""
        area = self._areas.get(delivery.route.area)
        name = area.rules.out_of_hours if area is not None else None
        team: Recipient | None = self._book.get(name) if name else None
        if team is None or content is None:
            return "release_awaited"
        told = self._told(team, delivery, case, of_case, content, outgoing, "release_awaited")
        return "release_escalated" if told else "release_awaited"

    def _told(
        self,
        other: Recipient,
        delivery: Delivery,
        case: CaseRecord,
        of_case: list[Delivery],
        content: bytes,
        outgoing: Outgoing,
        why: str,
    ) -> bool:
        due: datetime = ledger.now() + AT_ONCE
        made = self._onward.tell(other, delivery, case, of_case, content, outgoing, why=why, due=due)
        if made is not None:
            of_case.append(made)
        return made is not None
