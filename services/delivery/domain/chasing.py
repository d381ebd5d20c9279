"""Who has not opened what it received, or not decided what it opened, is asked again; then somebody else is.

Receipts come in three steps: received (by a machine), opened (by a person), decided (a pathway chosen, or
rejected with a reason). Sources: NSPCC 2009 s6.2.4 (no receipts were kept), s8.3.3 (nothing comes back); a
decision on a referral within one working day is children's services' own rule (London 2008 s9.4-9.5 builds
on it), and beyond the sources for everybody else, of whom no decision is chased.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from services.delivery.domain.case import Delivery
from services.delivery.domain.restricted import unreleased
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.base import read_moment

Step = Literal["opened", "decided"]

OPENED_WITHIN: Final = {"section_47": "1 hour", "section_17": "4 hours"}
"""Per response, counted from when it was received; terms as in an area's `due`."""
OPENED_WITHIN_ELSE: Final = "1 working day"
DECIDED_WITHIN: Final = "1 working day"
DECIDE: Final[frozenset[v.Service]] = frozenset({"childrens_services", "child_abuse_investigation"})

MOST_CHASES: Final = 3
"""The first asks the recipient again, the second tells whoever stands in for it, the third a person."""


def awaited_step(delivery: Delivery) -> Step | None:
    """The step that its recipient owes; None where it owes none."""
    if delivery.state != "received" or delivery.bulk:
        return None
    kinds = {answer["kind"] for answer in delivery.answers}
    if kinds & {"decided", "rejected"}:
        return None
    if not kinds & {"opened", "accepted"}:
        return "opened"
    return "decided" if delivery.service in DECIDE and delivery.route.response else None


def next_chase(delivery: Delivery, area: Area, last: datetime | None = None) -> datetime | None:
    """When its recipient is asked (again); None where it owes nothing, or was asked often enough. `last`: the
    chase that has just been made."""
    if unreleased(delivery):
        return delivery.chase_at
    step = awaited_step(delivery)
    if step is None or delivery.chases >= MOST_CHASES or delivery.received_at is None:
        return None
    term = (
        DECIDED_WITHIN
        if step == "decided"
        else OPENED_WITHIN.get(delivery.route.response or "", OPENED_WITHIN_ELSE)
    )
    since = last or (_opened_at(delivery) if step == "decided" else delivery.received_at)
    return area.deadline(term, since or delivery.received_at)


def _opened_at(delivery: Delivery) -> datetime | None:
    opened = [answer["at"] for answer in delivery.answers if answer["kind"] in ("opened", "accepted")]
    return read_moment(min(opened)) if opened else None
