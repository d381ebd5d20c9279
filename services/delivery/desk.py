"""The desk of whoever looks after deliveries: what waits for a person, and what a person does about it."""

from __future__ import annotations

from typing import Any

from services.delivery import desk_store, store
from services.delivery.book import Book
from services.delivery.domain import acts
from services.delivery.domain.acts import Act, NotAllowed
from services.delivery.domain.answers import Closed
from services.delivery.domain.case import Delivery
from services.delivery.onward import Onward
from services.delivery.outgoing import Office, Outgoing
from services.delivery.recorder import tell
from shared import audit, ledger
from shared.contracts.base import write_moment
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import EmittingTransaction, Outbox

MOST_LISTED = 1000


class Desk:
    """Everything that persons do about deliveries, each within the areas of their key."""

    def __init__(self, outbox: Outbox, office: Office, book: Book, onward: Onward) -> None:
        self._outbox = outbox
        self._office = office
        self._book = book
        self._onward = onward

    async def waiting(self, caller: Caller, limit: int) -> list[dict[str, Any]]:
        """What waits for a person in the caller's areas, the earliest deadline first: ids and times, nobody's
        details. Ops see all areas."""
        areas = None if caller.role == "ops" else caller.areas
        async with self._outbox.database.transaction() as tx:
            rows = await desk_store.left_to_people(tx, areas, limit)
        now = ledger.now()
        return [
            {
                "delivery": row["id"],
                "case": row["case"],
                "version": row["version"],
                "recipient": row["recipient"],
                "service": row["service"],
                "area": row["area"],
                "because": row["held_because"] or "received, and nobody has opened or decided it",
                "due": write_moment(row["due"]),
                "minutes_left": round((row["due"] - now).total_seconds() / 60, 1),
            }
            for row in rows
        ]

    async def act(self, caller: Caller, number: str, act: Act) -> dict[str, Any]:
        """Take a person's act; the same once more changes nothing. Raises Refused: 404 (no such delivery in
        the caller's areas), 403 (another agency's to do), 409 (not as it stands), 422."""
        async with self._outbox.transaction() as tx:
            found = await store.case_of(tx, number)
            if found is None:
                raise _no_such_delivery()
            cases = await store.load_cases(tx, [found["case"]])
            deliveries = await store.load_deliveries(tx, cases)
            of_case = deliveries[found["case"]]
            delivery = next(one for one in of_case if one.id == number)
            if not caller.may_see_area(delivery.route.area):
                raise _no_such_delivery()
            outgoing = Outgoing(self._office, act.at)
            try:
                changed = await self._apply(tx, delivery, act, cases[delivery.case], of_case, outgoing)
            except Closed as closed:
                raise Refused(409, "Not as it stands", str(closed)) from None
            except NotAllowed as not_allowed:
                raise Refused(403, "Not for your agency", str(not_allowed)) from None
            if changed:
                await outgoing.store(tx)
                await store.update_deliveries(tx, [delivery])
                tell(tx, [cases[delivery.case]], deliveries, act.at)
                await store.save_states(tx, [cases[delivery.case]])
                await audit.record(
                    tx,
                    who=act.who,
                    act=f"delivery.{act.kind}",
                    case=delivery.case,
                    delivery=delivery.id,
                    recipient=delivery.recipient,
                    agency=act.agency,
                    to=delivery.passed_to,
                )
        return {
            "delivery": delivery.id,
            "act": act.kind,
            "status": "recorded" if changed else "repeated",
            "state": delivery.state,
        }

    async def _apply(
        self,
        tx: EmittingTransaction,
        delivery: Delivery,
        act: Act,
        case: Any,
        of_case: list[Delivery],
        outgoing: Outgoing,
    ) -> bool:
        if act.kind == "refuse":
            return acts.refuse(delivery, act)
        if act.kind == "told":
            return acts.told(delivery, act)
        if act.kind == "release":
            if not acts.release(delivery, act):
                return False
            recipient = self._book.get(delivery.recipient)
            if recipient is not None and recipient.channels[delivery.channel].kind == "inbox":
                content = await store.contents_of(tx, [delivery.id])
                outgoing.offer(delivery, content[delivery.id])
            return True
        if delivery.state == "passed_on" and delivery.passed_to == act.to:
            return False
        acts.may_be_passed_on(delivery)
        content = await store.contents_of(tx, [delivery.id])
        because = self._onward.pass_on(act.to, delivery, case, of_case, content[delivery.id], outgoing)
        if because is not None:
            raise Refused(422, "Cannot be passed on", f"It would be {because}.")
        return True


def _no_such_delivery() -> Refused:
    return Refused(404, "No such delivery", "There is no delivery of this id in the areas of this key.")
