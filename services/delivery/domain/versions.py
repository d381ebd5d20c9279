"""What a new version of a case means for each recipient: sent, kept, replaced, or left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.delivery.domain.case import Decided, Delivery, Route
from services.delivery.domain.recipients import Addressed, Recipient
from shared import vocabulary as v

AT_ONCE: Final = timedelta(minutes=15)
"""How soon a stand-in must have received what its principal did not (design.md, `immediate`)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A view of the new version that a recipient should have. `routed`: by a route of this version, rather
    than because it was told of an earlier one."""

    recipient: Recipient
    route: Route
    view: str
    due: datetime
    routed: bool


@dataclass(frozen=True, slots=True)
class ToSend:
    """A delivery to be made. `after`: not before this moment (another process may still be sending)."""

    wanted: Wanted
    replaces: str | None
    why_again: str | None
    due: datetime
    breached_at: datetime | None = None
    """When the deadline that it takes over was missed: that was noted once and is not noted again."""
    after: datetime | None = None


@dataclass(slots=True)
class Change:
    """What to do: deliveries to make, and earlier ones that are not sent any more."""

    send: list[ToSend] = field(default_factory=list)
    superseded: list[Delivery] = field(default_factory=list)


def change_for(decided: Decided, wanted: Sequence[Wanted], earlier: Iterable[Delivery], running: str) -> Change:
    """What the new version changes. `earlier`: all deliveries of the case so far.

    A recipient gets something only where its view changed from the last one it may have seen. What it
    has not seen yet gives way to the newer version, whose deadline is then not later than the old one's.
    `wanted` has each recipient and role once.
    """
    before: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in earlier:
        before.setdefault((delivery.recipient, delivery.service), []).append(delivery)
    change = Change()
    for one in wanted:
        key = (one.recipient.id, one.route.service)
        _change_for_one(decided, one, before.pop(key, []), running, change)
    # Nobody is told any more of what no longer goes to them and was not sent yet.
    for deliveries in before.values():
        change.superseded += [
            d for d in deliveries if (d.awaited or d.state == "held") and not d.may_be_known(running)
        ]
    return change


def _change_for_one(
    decided: Decided, wanted: Wanted, earlier: list[Delivery], running: str, change: Change
) -> None:
    standing = sorted((d for d in earlier if d.state != "test_withheld"), key=lambda d: d.version)
    known = [d for d in standing if d.may_be_known(running)]
    last_known = known[-1] if known else None
    unseen = [d for d in standing if d.awaited and not d.may_be_known(running)]
    if last_known is not None and last_known.view == wanted.view and _stands(last_known):
        change.superseded += unseen
        _not_later(last_known, wanted.due)
        return
    if last_known is None and not wanted.routed:
        change.superseded += unseen
        return
    if unseen and unseen[-1].view == wanted.view:
        change.superseded += unseen[:-1]
        _not_later(unseen[-1], wanted.due)
        return
    withheld = [d for d in earlier if d.state == "test_withheld"]
    if withheld and withheld[-1].view == wanted.view:
        return
    replaced = [d for d in standing if d.awaited or d.state == "held"]
    waited_for = [d for d in replaced if d.received_at is None]
    change.superseded += replaced
    change.send.append(
        ToSend(
            wanted=wanted,
            replaces=last_known.id if last_known else None,
            why_again=decided.why if last_known else None,
            due=min([wanted.due, *(d.due for d in waited_for)]),
            breached_at=min((d.breached_at for d in waited_for if d.breached_at is not None), default=None),
            after=max(
                (d.lease_until for d in replaced if d.lease_until is not None and d.leased_by != running),
                default=None,
            ),
        )
    )


def _stands(delivery: Delivery) -> bool:
    """Whether it is received, or still on its way."""
    return delivery.state != "superseded" or delivery.received_at is not None


def _not_later(delivery: Delivery, due: datetime) -> None:
    """A delivery that still waits takes the earlier of two deadlines."""
    if delivery.awaited and due < delivery.due:
        delivery.due = due


def merged(
    addressed: Sequence[Addressed], redirects: Mapping[tuple[str, str], Recipient | None] | None = None
) -> list[Addressed]:
    """Each recipient and role once: about all, at the highest response, by the earliest deadline.

    `redirects`: per recipient and role that passed the case on, whose it is.
    """
    first: dict[tuple[str | None, str, str | None], Addressed] = {}
    for given in addressed:
        one = _redirected(given, redirects or {})
        name = one.recipient.id if one.recipient else None
        key = (name, one.route.service, one.route.area if name is None else None)
        other = first.get(key)
        first[key] = one if other is None else Addressed(_both(other.route, one.route), one.recipient)
    return list(first.values())


def _redirected(one: Addressed, redirects: Mapping[tuple[str, str], Recipient | None]) -> Addressed:
    recipient, seen = one.recipient, set[tuple[str, str]]()
    while recipient is not None and (key := (recipient.id, one.route.service)) in redirects and key not in seen:
        seen.add(key)
        recipient = redirects[key]
    return replace(one, recipient=recipient)


def _both(a: Route, b: Route) -> Route:
    due = [one.due for one in (a, b) if one.due is not None]
    responses = [one.response for one in (a, b) if one.response is not None]
    return replace(
        a,
        about=tuple(dict.fromkeys((*a.about, *b.about))),
        rules=tuple(dict.fromkeys((*a.rules, *b.rules))),
        due=min(due, default=None),
        response=max(responses, key=v.CSS_RESPONSES.index, default=None),
    )


def told(earlier: Iterable[Delivery], running: str) -> list[Delivery]:
    """Per recipient and role the last delivery that it may have seen."""
    last: dict[tuple[str, str], Delivery] = {}
    for delivery in sorted(earlier, key=lambda d: d.version):
        if delivery.may_be_known(running):
            last[delivery.recipient, delivery.service] = delivery
    return list(last.values())


def with_those_told(
    routed: Sequence[Wanted],
    earlier: Iterable[Delivery],
    running: str,
    wanted_again: Callable[[Delivery], Wanted | None],
) -> list[Wanted]:
    """`routed`, and whoever was told before and is not among them: an amendment reaches all who know."""
    among = {(one.recipient.id, one.route.service) for one in routed}
    again = [
        wanted_again(delivery)
        for delivery in told(earlier, running)
        if (delivery.recipient, delivery.service) not in among
    ]
    return [*routed, *(one for one in again if one is not None)]
