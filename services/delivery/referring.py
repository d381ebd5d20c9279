"""Puts a case on the list of a meeting when a decision routes it there, and takes it off when a newer version
no longer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.delivery import meetings_store
from services.delivery.domain.case import CaseRecord, Decided, Delivery, Route
from services.delivery.domain.meetings import Listing, moved_on, no_longer_referred, referred
from shared import audit
from shared import vocabulary as v
from shared.areas import Area, Areas
from shared.outbox import EmittingTransaction


@dataclass(frozen=True, slots=True)
class Referral:
    """A version of a case that goes to a meeting, or no longer does."""

    decided: Decided
    event: bytes


def concerns_meetings(decided: Decided, before: CaseRecord | None, earlier: Sequence[Delivery]) -> bool:
    """Whether a version has to do with a list: it goes there, or an earlier one did. Test records never do."""
    if decided.test:
        return False
    return (
        any(route.service in v.MEETING_KINDS for route in decided.routes)
        or any(delivery.service in v.MEETING_KINDS for delivery in earlier)
        or (before is not None and any(one["service"] in v.MEETING_KINDS for one in before.unaddressed))
    )


async def refer(tx: EmittingTransaction, referrals: Sequence[Referral], areas: Areas, now: datetime) -> None:
    """Bring the lists up to date with these versions, in their order. Their cases are locked."""
    standing: dict[tuple[str, str, str], Listing] = {}
    changed: dict[tuple[str, str, str, date], Listing] = {}
    for one in await meetings_store.standing_of(tx, [referral.decided.case for referral in referrals]):
        standing[one.case, one.kind, one.area] = one

    def put(key: tuple[str, str, str], one: Listing) -> None:
        if one.standing != "moved":
            standing[key] = one
        changed[(*key, one.held_on)] = one

    for referral in referrals:
        decided = referral.decided
        goes_to: dict[tuple[str, str, str], tuple[Route, Area]] = {}
        for route in () if decided.withdrawn else decided.routes:
            area = areas.get(route.area)
            if route.service in v.MEETING_KINDS and area is not None:
                goes_to[decided.case, route.service, area.id] = (route, area)
        for key, (route, area) in goes_to.items():
            before = standing.get(key)
            after = referred(before, decided, route, area, referral.event, now)
            if before is not None and before.held_on != after.held_on:
                put(key, moved_on(before, after, now))
            put(key, after)
        for key, before in list(standing.items()):
            if key[0] == decided.case and key not in goes_to:
                put(key, no_longer_referred(before, decided, referral.event, now))
                await _note(tx, standing[key])
    await meetings_store.save_listings(tx, list(changed.values()))


async def _note(tx: EmittingTransaction, one: Listing) -> None:
    """Write into the audit that a case left a list. That it joined, its row says itself."""
    await audit.record(
        tx,
        who="delivery",
        act=f"meeting.{one.standing}",
        case=one.case,
        kind=one.kind,
        area=one.area,
        day=one.held_on.isoformat(),
        version=one.version,
    )
