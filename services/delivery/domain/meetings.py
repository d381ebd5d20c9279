"""Meetings: which case stands on which list, and what is recorded of it there.

A meeting is a list of cases of an area and a day, by the area's calendar. A case that is routed to it stands
on the first list still open when it was referred; one that comes later waits for the next, unless a person
adds it. Every agency gets the list beforehand and checks it against its own records; what is agreed becomes
actions. Sources: London 2008 app. 6 (13.4.23-13.4.25), s9.5, s10.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal

from services.delivery.domain.answers import Closed
from services.delivery.domain.case import Decided, Route
from services.delivery.domain.restricted import is_restricted
from shared import vocabulary as v
from shared.areas import Area, shift_months

Standing = Literal["listed", "moved", "withdrawn", "not_referred"]
"""moved: stands on another list now; withdrawn: the police took the incident back; not_referred: a newer
version no longer routes it there."""
OWN_ACCORD: Final = "waymark"
"""Who put a case on a list that nobody put there by hand."""
CAME_LATE: Final = "referred in time, but it came here after the list had closed"

ALWAYS_INVITED: Final[Mapping[v.MeetingKind, tuple[v.Attending, ...]]] = {
    "marac": ("police", "childrens_services", "probation", "health", "education", "idva"),
    "allocation_panel": ("police", "childrens_services", "health", "education", "specialist"),
}
"""London 2008 app. 6 (13.4.25); the IDVA, and who sits on a panel (NSPCC 2009 s9.3), by today's practice."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Which meeting: its kind, its area and its day."""

    kind: v.MeetingKind
    area: str
    day: date


@dataclass(frozen=True, slots=True)
class Listing:
    """A case on the list of a meeting.

    `seq` goes up with every change, so that whoever acts on what they saw is told where it changed since.
    `event`: the decision whose newest version it stands there by; none for one that moved away.
    """

    kind: v.MeetingKind
    area: str
    held_on: date
    case: str
    seq: int
    standing: Standing
    version: int
    referred_at: datetime
    """When it was referred: the moment that the decision speaks of."""
    joined_at: datetime
    """When it joined this list."""
    changed_at: datetime
    """When it joined, or a newer version changed it last."""
    restricted: bool
    event: bytes | None
    late_by: str | None = None
    late_because: str | None = None
    """Set where it joined after the list had closed."""
    moved_to: date | None = None
    moved_because: str | None = None
    moved_from: date | None = None
    heard_on: date | None = None
    heard_by: str | None = None

    @property
    def heard(self) -> bool:
        """Whether somebody recorded that it was heard."""
        return self.heard_on is not None

    @property
    def stands(self) -> bool:
        """Whether it is to be heard, or was."""
        return self.standing == "listed" or self.heard


def referred(
    before: Listing | None, decided: Decided, route: Route, area: Area, event: bytes, now: datetime
) -> Listing:
    """The listing of a version that routes a case to a meeting. `before`: the case's listing so far."""
    kind: v.MeetingKind = "allocation_panel" if route.service == "allocation_panel" else "marac"
    result = decided.receipt.get("result") or {}
    restricted = is_restricted(result.get("handling") or ())
    if before is not None and (before.heard or before.standing == "listed"):
        return replace(
            before,
            seq=before.seq + 1,
            standing="listed",
            version=decided.version,
            changed_at=now,
            restricted=restricted,
            event=event,
        )
    day = area.meeting_for(decided.as_of, kind)
    if before is not None and before.held_on >= area.local_day(now):
        # It was taken off a list that is still to be heard: it takes its place again.
        day = before.held_on
    elif day < area.local_day(now):
        # It was on its way for so long that its meeting is over.
        day = area.meeting_for(now, kind)
    late = now > area.list_closes(day, kind)
    return Listing(
        kind=kind,
        area=area.id,
        held_on=day,
        case=decided.case,
        seq=1 if before is None else before.seq + 1,
        standing="listed",
        version=decided.version,
        referred_at=decided.as_of,
        joined_at=now,
        changed_at=now,
        restricted=restricted,
        event=event,
        late_by=OWN_ACCORD if late else None,
        late_because=CAME_LATE if late else None,
    )


def no_longer_referred(before: Listing, decided: Decided, event: bytes, now: datetime) -> Listing:
    """The listing once a newer version no longer routes the case to the meeting, or withdraws it."""
    return replace(
        before,
        seq=before.seq + 1,
        standing="withdrawn" if decided.withdrawn else "not_referred",
        version=decided.version,
        changed_at=now,
        event=event,
    )


def heard(listing: Listing, on: date, who: str, area: Area, now: datetime) -> Listing:
    """Recorded as heard. Raises Closed where that cannot be."""
    if listing.standing != "listed":
        raise Closed("It does not stand on this list any more.")
    if on > area.local_day(now):
        raise Closed("That day is still to come.")
    if on < area.local_day(listing.referred_at):
        raise Closed("It had not been referred by then.")
    return replace(listing, seq=listing.seq + 1, heard_on=on, heard_by=who)


def not_heard(listing: Listing) -> Listing:
    """Recorded as heard by mistake. Raises Closed where it was not."""
    if not listing.heard:
        raise Closed("It is not recorded as heard.")
    return replace(listing, seq=listing.seq + 1, heard_on=None, heard_by=None)


def moved(
    listing: Listing, to: date, who: str, because: str, area: Area, now: datetime
) -> tuple[Listing, Listing]:
    """What stays on the list that a case leaves, and the listing where it stands then. One that joins a list
    after that had closed is late, by who and why. Raises Closed where it cannot be moved there."""
    if listing.standing != "listed" or listing.heard:
        raise Closed("It was heard, or does not stand on this list any more.")
    if to == listing.held_on:
        raise Closed("It stands on that list already.")
    if to < area.local_day(now):
        raise Closed("That meeting is over.")
    if next(area.meetings_from(to, listing.kind)) != to:
        raise Closed("No such meeting is held on that day.")
    late = now > area.list_closes(to, listing.kind)
    joins = replace(
        listing,
        held_on=to,
        seq=listing.seq + 1,
        joined_at=now,
        changed_at=now,
        moved_from=listing.held_on,
        late_by=who if late else None,
        late_because=because if late else None,
    )
    return replace(moved_on(listing, joins, now), moved_because=because), joins


def moved_on(before: Listing, after: Listing, now: datetime) -> Listing:
    """What stays on a list whose meeting is over, once the case was referred to a later one anew."""
    return replace(
        before,
        seq=before.seq + 1,
        standing="moved",
        moved_to=after.held_on,
        changed_at=now,
        event=None,
    )


def earlier_hearings(
    incident: Mapping[str, Any], history: Mapping[str, Any], on: date, months: int
) -> list[date]:
    """The days of earlier MARAC referrals or hearings of this victim and perpetrator that make it a repeat:
    within so many calendar months of `on`, the incident's day, both ends counted. Confirmed links only.

    London 2008 app. 6: the same pair goes back, whatever the level.
    """
    adults = incident.get("adults") or ()
    victims = {one["id"] for one in adults if one.get("role") in ("victim", "both", None)}
    suspects = {one["id"] for one in adults if one.get("role") in ("suspect", "both")}
    first, last = shift_months(on, -months), shift_months(on, months)
    found = set()
    for one in history.get("marac") or ():
        if one.get("link", "certain") != "certain":
            continue
        if one.get("victim") not in victims or one.get("perpetrator") not in suspects:
            continue
        days = [date.fromisoformat(one[name]) for name in ("heard_on", "referred_on") if one.get(name)]
        day = next((day for day in days if first <= day <= last), None)
        if day is not None:
            found.add(day)
    return sorted(found)
