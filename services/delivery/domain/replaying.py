"""Sending once more what went out before: to a recipient that lost what it had, or that was away for days.

What was never received begins its tries anew, under its own id. What was received goes again only where
somebody insists, and says so (`replayed_at`), so that a recipient can tell it from news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from services.delivery.domain.answers import REJECTED
from services.delivery.domain.case import Delivery
from services.delivery.domain.restricted import unreleased
from shared.contracts.base import write_moment

Left = Literal["received", "in_inbox", "restricted", "rejected", "on_its_way", "closed"]
"""Why a delivery is left as it is. received: it has it, and nobody insisted; in_inbox: it lies there to be
read; restricted: a person has to
release it first; rejected: a person sees to it; on_its_way: being sent at this moment; closed: passed on,
refused, or a test that nobody live may get."""

CLOSED: Final = frozenset({"passed_on", "refused", "test_withheld"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sent once more: all that fits every part given. `since`, `until`: when it was first to
    be sent (UTC). `insist`: also what was received."""

    recipient: str | None = None
    case: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    insist: bool = False

    def means(self, delivery: Delivery) -> bool:
        """Whether a delivery is one of these."""
        return (
            self.recipient in (None, delivery.recipient)
            and self.case in (None, delivery.case)
            and (self.since is None or delivery.began >= self.since)
            and (self.until is None or delivery.began < self.until)
        )


def newest(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Of a case's deliveries the last to each recipient and role: what is older was replaced by it."""
    last: dict[tuple[str, str], Delivery] = {}
    for delivery in sorted(deliveries, key=lambda d: d.version):
        if delivery.state != "superseded":
            last[delivery.recipient, delivery.service] = delivery
    return list(last.values())


def why_left(delivery: Delivery, now: datetime, *, insist: bool) -> Left | None:
    """Why it is not sent once more; None where it is."""
    if delivery.state in CLOSED:
        return "closed"
    if unreleased(delivery):
        return "restricted"
    if delivery.held_because == REJECTED:
        return "rejected"
    if delivery.lease_until is not None and delivery.lease_until > now:
        return "on_its_way"
    if delivery.received_at is None:
        return "in_inbox" if delivery.state == "offered" and delivery.inbox_no is not None else None
    if not insist:
        return "received"
    return None


def begin_anew(delivery: Delivery, channel: int, now: datetime) -> None:
    """Have it sent again at once by the recipient's channel of that number; the tries count anew, the
    deadline stays. What was received does not delay what was not: it goes with bulk."""
    if delivery.received_at is not None:
        delivery.bulk, delivery.inbox_no = True, None
    delivery.state, delivery.held_because = "waiting", None
    delivery.channel = channel
    delivery.first_attempt_at = delivery.leased_by = delivery.lease_until = None
    delivery.next_at = now


def marked(payload: bytes, now: datetime) -> bytes:
    """The notification, saying that it was received before."""
    document: dict[str, Any] = orjson.loads(payload)
    return orjson.dumps({**document, "replayed_at": write_moment(now)})
