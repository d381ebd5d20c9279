"""What one recipient's delivery becomes for somebody else: a stand-in whose turn it is because a deadline was
missed or nobody answered, or the one whose case it really is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from services.delivery.book import Book
from services.delivery.domain.case import CaseRecord, Delivery, delivery_id
from services.delivery.domain.notification import for_stand_in
from services.delivery.domain.passing import why_not
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.restricted import is_restricted, needs_release
from services.delivery.outgoing import Office, Outgoing, digest_of


class Onward:
    """Makes deliveries out of what others carry."""

    def __init__(self, office: Office, book: Book) -> None:
        self._office = office
        self._book = book

    def stand_ins(self, delivery: Delivery) -> list[Recipient]:
        """Who stands in for the recipient of `delivery`, as its file says."""
        recipient = self._book.get(delivery.recipient)
        return [self._book.directory.by_id[one] for one in recipient.escalate_to] if recipient else []

    def tell(
        self,
        other: Recipient,
        delivery: Delivery,
        case: CaseRecord,
        of_case: Sequence[Delivery],
        content: bytes,
        outgoing: Outgoing,
        *,
        why: str,
        due: datetime,
        escalates: bool = True,
        breached_at: datetime | None = None,
    ) -> Delivery | None:
        """The delivery that tells `other` what `delivery` carries; None where it has this version already."""
        number = delivery_id(delivery.case, delivery.version, other.id, other.role)
        if any(one.id == number for one in of_case):
            return None
        known = [
            one
            for one in of_case
            if one.recipient == other.id
            and one.service == other.role
            and one.may_be_known(self._office.running)
        ]
        document = orjson.loads(content)
        composed = for_stand_in(
            document,
            replace(delivery.route, service=other.role, due=None),
            other.id,
            named_staff=other.named_staff,
        )
        made = outgoing.make(
            composed,
            other,
            version=delivery.version,
            revision=delivery.revision,
            due=due,
            view=digest_of(composed.document),
            began=case.ledger[-1].to,
            lane="live",
            trace=delivery.trace,
            replaces=known[-1].id if known else None,
            why_again=why,
            escalates=delivery.id if escalates else None,
            breached_at=breached_at,
        )
        if is_restricted(document.get("handling") or ()) and needs_release(other.role, other):
            outgoing.keep_back(made)
        return made

    def pass_on(
        self,
        to: str | None,
        delivery: Delivery,
        case: CaseRecord,
        of_case: list[Delivery],
        content: bytes,
        outgoing: Outgoing,
    ) -> str | None:
        """Send what is not its recipient's to whose it is, by the same deadline. Why it cannot be, in a few
        words, where it cannot; then it stays as it is."""
        other = self._book.get(to) if to else None
        handling = orjson.loads(content).get("handling") or ()
        because = why_not(delivery, other, of_case, restricted=is_restricted(handling))
        if other is None or because is not None:
            return because
        made = self.tell(
            other,
            delivery,
            case,
            of_case,
            content,
            outgoing,
            why="passed_on",
            due=delivery.due,
            escalates=False,
            breached_at=delivery.breached_at,
        )
        if made is not None:
            of_case.append(made)
        delivery.state = "passed_on"
        delivery.passed_to = other.id
        delivery.held_because = delivery.chase_at = None
        delivery.next_at = delivery.leased_by = delivery.lease_until = None
        return None
