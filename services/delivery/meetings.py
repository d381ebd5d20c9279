"""The lists of meetings as they are asked for: which are next, and one list as the asker may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from services.delivery import decided as reading
from services.delivery import meetings_store
from services.delivery.book import Book
from services.delivery.domain.meeting_actions import Action, Attendance
from services.delivery.domain.meeting_views import (
    Seat,
    changed_since_closing,
    concerns,
    may_open,
    repeats_of,
    seat_of_agency,
    seat_of_coordinator,
    seat_of_role,
    see_also,
    view_of,
)
from services.delivery.domain.meetings import ALWAYS_INVITED, Listing, Meeting
from shared import audit, ledger
from shared import vocabulary as v
from shared.areas import Area, Areas
from shared.contracts.base import write_moment
from shared.db import Database, Transaction
from shared.errors import Refused
from shared.keys import Caller

SCHEMA: Final = "waymark.meeting/1"
COMING: Final = 4
"""How many meetings to come are told of, of each kind and area."""
LOOKS_BACK: Final = timedelta(weeks=26)

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A meeting that the caller may know of, and as what they see it."""

    meeting: Meeting
    area: Area
    seat: Seat
    named: bool
    """Whether they are among the staff named for restricted cases."""


class Meetings:
    """What is told of meetings. Nobody learns of another area's, not even that there are any."""

    def __init__(self, database: Database, book: Book, areas: Areas) -> None:
        self._database = database
        self._book = book
        self._areas = areas

    def areas_of(self, caller: Caller) -> list[Area]:
        """The areas whose meetings the caller may know of."""
        recipient = self._book.get(caller.recipient) if caller.recipient else None
        named = recipient.areas if recipient is not None else caller.areas
        return [area for one in sorted(set(named)) if (area := self._areas.get(one)) is not None]

    def seat(self, caller: Caller, kind: v.MeetingKind) -> Seat | None:
        """As what the caller sees lists of a kind; None where they have no seat."""
        if caller.role == "coordinator":
            return seat_of_coordinator(kind)
        if caller.role == "person":
            return seat_of_agency(caller.agency)
        recipient = self._book.get(caller.recipient) if caller.recipient else None
        if recipient is None or recipient.test:
            return None
        return seat_of_role(recipient.role, kind, school=bool(recipient.school_urns))

    def place(self, caller: Caller, kind: str, area: str, day: date | None) -> Place:
        """The meeting that is asked for; `day` None: the next one. Raises Refused: 404 for what is no meeting
        of the caller's areas, 403 where they have no seat at it."""
        found = next((one for one in self.areas_of(caller) if one.id == area), None)
        if found is None or kind not in v.MEETING_KINDS:
            raise _no_such_meeting()
        of_kind: v.MeetingKind = "allocation_panel" if kind == "allocation_panel" else "marac"
        seat = self.seat(caller, of_kind)
        if seat is None:
            raise Refused(403, "No seat", "Your agency's key is not one of those that take part in it.")
        if day is None:
            day = next(found.meetings_from(found.local_day(ledger.now()), of_kind))
        named = caller.person is not None and any(
            caller.person in recipient.named_staff
            for recipient in self._book.directory.recipients
            if recipient.role in seat.staff_of and area in recipient.areas
        )
        return Place(Meeting(of_kind, area, day), found, seat, named)

    async def coming(self, caller: Caller, kind: str | None, area: str | None) -> list[Data]:
        """The meetings to come of the caller's areas, those of the last half year that had cases, and older
        ones of which something is left."""
        now = ledger.now()
        areas = [one for one in self.areas_of(caller) if area in (None, one.id)]
        kinds = [one for one in v.MEETING_KINDS if kind in (None, one) and self.seat(caller, one) is not None]
        today = {one.id: one.local_day(now) for one in areas}
        async with self._database.transaction() as tx:
            rows = await meetings_store.counts(
                tx, list(today), now.date() - LOOKS_BACK, max(today.values(), default=now.date())
            )
        counted = {
            Meeting(row["kind"], row["area"], row["held_on"]): row for row in rows if row["kind"] in kinds
        }
        held = set(counted)
        for one in areas:
            for of_kind in kinds:
                if of_kind == "allocation_panel" and one.rules.allocation_panel is None:
                    continue  # nobody said that it has one: it is told of once there are cases for it
                days = islice(one.meetings_from(today[one.id], of_kind), COMING)
                held |= {Meeting(of_kind, one.id, day) for day in days}
        by_id = {one.id: one for one in areas}
        told = []
        for meeting in sorted(held, key=lambda one: (one.day, one.area, one.kind)):
            row = counted.get(meeting)
            told.append(
                {
                    **_named(meeting, by_id[meeting.area], now),
                    "cases": row["cases"] if row else 0,
                    "late": row["late"] if row else 0,
                    "heard": row["heard"] if row else 0,
                    "not_said": row["unsaid"] if row else 0,
                    "open_actions": row["open"] if row else 0,
                    "overdue_actions": row["overdue"] if row else 0,
                }
            )
        return told

    async def shown(self, caller: Caller, place: Place, how: str, case: str | None = None) -> Data:
        """The list as the caller may see it, or of its cases only `case`; that they saw it is written into the
        audit. Raises Refused (404) where no meeting is held on that day and none was, or has no such case."""
        meeting, now = place.meeting, ledger.now()
        async with self._database.transaction() as tx:
            listings = await meetings_store.list_of(tx, meeting)
            attendance = await meetings_store.attendance(tx, meeting)
            actions = await meetings_store.actions_of(tx, meeting)
            if not (listings or attendance or actions):
                must_be_held(place)
            cases, hidden = _cases(place, listings, actions, place.area.local_day(now))
            if case is not None:
                cases = [one for one in cases if one["case"] == case]
                if not cases:
                    raise not_on_this_list()
            await audit.record(
                tx,
                who=caller.person or caller.recipient or caller.key,
                act="meeting.read",
                kind=meeting.kind,
                area=meeting.area,
                day=meeting.day.isoformat(),
                seen_as=place.seat.agency,
                how=how,
                cases=[one["case"] for one in cases],
            )
        return {
            "schema": SCHEMA,
            **_named(meeting, place.area, now),
            "at": write_moment(now),
            "seen_as": place.seat.agency,
            "may_keep": place.seat.chairs and caller.role == "coordinator",
            "cases": cases,
            "restricted_not_shown": hidden,
            "attendance": [
                {"agency": one.agency, "who": one.who, "standing": one.standing, "seq": one.seq}
                for one in invited(attendance, meeting.kind)
            ],
            "moves_to": [
                day.isoformat()
                for day in islice(place.area.meetings_from(place.area.local_day(now), meeting.kind), COMING)
                if day != meeting.day
            ],
        }


def must_be_held(place: Place) -> None:
    """Raise Refused (404) where the area's calendar has no meeting on that day."""
    if next(place.area.meetings_from(place.meeting.day, place.meeting.kind)) != place.meeting.day:
        raise _no_such_meeting()


def invited(noted: Sequence[Attendance], kind: v.MeetingKind) -> list[Attendance]:
    """Who was noted, and those who are always invited and of whom nothing was noted yet."""
    agencies = {one.agency for one in noted}
    waiting = [Attendance(one, "", "invited", 0) for one in ALWAYS_INVITED[kind] if one not in agencies]
    order = {agency: i for i, agency in enumerate(v.ATTENDING)}
    return sorted([*noted, *waiting], key=lambda one: order[one.agency])


def shown_action(one: Action, seat: Seat, today: date) -> Data:
    """An action as a seat may see it: whether what was agreed is told depends on whose it is."""
    told = seat.all_actions or seat.chairs or one.agency == seat.agency
    return {
        "id": one.id,
        "case": one.case,
        "what": one.what if told else None,
        "agency": one.agency,
        "who": one.who if told else None,
        "due": one.due.isoformat(),
        "state": "done" if one.done_at else "overdue" if one.overdue(today) else "open",
        "done_at": write_moment(one.done_at) if one.done_at else None,
        "done_by": one.done_by,
        "asked_again": one.chases,
        "agreed_at": write_moment(one.agreed_at),
        "seq": one.seq,
    }


def shown_listing(one: Listing) -> Data:
    """Where a case stands on a list, without anything of the case."""
    return {
        "case": one.case,
        "seq": one.seq,
        "standing": one.standing,
        "version": one.version,
        "referred_at": write_moment(one.referred_at),
        "late": {"by": one.late_by, "because": one.late_because} if one.late_by else None,
        "moved_to": one.moved_to.isoformat() if one.moved_to else None,
        "moved_from": one.moved_from.isoformat() if one.moved_from else None,
        "moved_because": one.moved_because,
        "heard_on": one.heard_on.isoformat() if one.heard_on else None,
        "heard_by": one.heard_by,
        "restricted": one.restricted,
    }


def _cases(
    place: Place, listings: Sequence[Listing], actions: Sequence[Action], today: date
) -> tuple[list[Data], int]:
    """The cases that the seat may see, and how many restricted ones it may not."""
    cases: list[Data] = []
    hidden = 0
    for one in listings:
        if not may_open(place.seat, one.restricted, place.named):
            hidden += 1
            continue
        entry = shown_listing(one) | {"changed_since_closing": False, "repeat_of": [], "view": None}
        if not place.seat.all_actions:
            # What people write may say where somebody is, like an action.
            entry["moved_because"] = None
            entry["late"] = entry["late"] and {**entry["late"], "because": None}
        if one.event is not None:
            envelope = reading.EVENT.validate_json(one.event)
            decided = reading.read(envelope, trace=None, started=one.changed_at, planned=one.changed_at)
            if not concerns(place.seat, decided):
                continue
            entry["changed_since_closing"] = changed_since_closing(one, place.area)
            repeats = repeats_of(place.seat, decided, place.area) if one.kind == "marac" else []
            entry["repeat_of"] = [day.isoformat() for day in repeats]
            if one.stands:
                entry["view"] = view_of(place.seat, decided, one.kind)
        entry["actions"] = [
            shown_action(action, place.seat, today) for action in actions if action.case == one.case
        ]
        cases.append(entry)
    together = {one["case"] for one in cases if one["view"]}
    for entry in cases:
        entry["see_also"] = see_also(entry["view"] or {}, together - {entry["case"]})
    return cases, hidden


def _named(meeting: Meeting, area: Area, now: datetime) -> Data:
    closes = area.list_closes(meeting.day, meeting.kind)
    return {
        "kind": meeting.kind,
        "area": meeting.area,
        "area_name": area.rules.name,
        "date": meeting.day.isoformat(),
        "list_closes": write_moment(closes),
        "closed": now > closes,
        "begun": meeting.day <= area.local_day(now),
        "over": meeting.day < area.local_day(now),
    }


def _no_such_meeting() -> Refused:
    return Refused(404, "No such meeting", "There is no such meeting in the areas of this key.")


async def case_on(tx: Transaction, place: Place, case: str) -> Listing:
    """A case on a list, locked. Raises Refused (404) where the caller may not see it there."""
    found = await meetings_store.listing(tx, place.meeting, case)
    if found is None or not may_open(place.seat, found.restricted, place.named):
        raise not_on_this_list()
    return found


def not_on_this_list() -> Refused:
    """The answer to a case that does not stand on a list, or may not be seen there: the two look alike."""
    return Refused(404, "Not on this list", "There is no such case on this list.")
