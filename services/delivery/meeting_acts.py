"""What people record of a meeting: heard, moved to another list, who was there, what was agreed and done."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.delivery import meetings_store, store
from services.delivery.domain import meeting_actions, meetings
from services.delivery.domain.answers import Closed
from services.delivery.domain.meeting_actions import Action, Attendance, Presence
from services.delivery.domain.meetings import Listing
from services.delivery.meetings import Place, case_on, must_be_held, shown_action, shown_listing
from services.delivery.recorder import tell
from shared import audit, ledger
from shared import vocabulary as v
from shared.contracts.base import Day
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import EmittingTransaction, Outbox

Data = dict[str, Any]

KEEPS: Final = frozenset({"heard", "not_heard", "move", "attendance"})
"""What the coordinator alone does, who keeps the list."""


class Posted(BaseModel):
    """An act as it is posted. `seq`: of what is acted on, as it was seen; which other fields are needed
    depends on the act."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Literal["heard", "not_heard", "move", "attendance", "agree", "done", "undone"]
    case: Annotated[str | None, Field(max_length=300)] = None
    seq: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    on: Day | None = None
    to: Day | None = None
    because: Annotated[str | None, Field(max_length=1000)] = None
    id: Annotated[str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9-]+$")] = None
    what: Annotated[str | None, Field(max_length=2000)] = None
    agency: v.Attending | None = None
    who: Annotated[str, Field(max_length=200)] = ""
    due: Day | None = None
    standing: Presence | None = None


@dataclass(frozen=True, slots=True)
class _Acting:
    """One act under way."""

    tx: EmittingTransaction
    place: Place
    posted: Posted
    who: str

    def needed(self, name: str) -> Any:
        """A field of the act that has to be there."""
        value = getattr(self.posted, name)
        value = value.strip() if isinstance(value, str) else value
        if value in (None, ""):
            raise Refused(
                422, "Something is missing", f"`{name}` is needed for `{self.posted.act}`.", fields=[name]
            )
        return value


class MeetingActs:
    """The acts of people at meetings. Who acts on something that changed since they saw it gets 409 with how
    it stands, and nothing is recorded."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def act(self, caller: Caller, place: Place, posted: Posted) -> Data:
        """Record an act. Raises Refused: 403 not theirs to do, 404 not on this list, 409 changed meanwhile or
        not as it stands, 422."""
        if posted.act in KEEPS and not (place.seat.chairs and caller.role == "coordinator"):
            raise Refused(403, "The coordinator's to do", "Who keeps the list records this.")
        who = caller.person or caller.recipient or caller.key
        async with self._outbox.transaction() as tx:
            acting = _Acting(tx, place, posted, who)
            try:
                told, case, number = await self._apply(acting)
            except Closed as closed:
                raise Refused(409, "Not as it stands", str(closed)) from None
            if told["status"] == "recorded":
                await audit.record(
                    tx,
                    who=who,
                    act=f"meeting.{posted.act}",
                    case=case,
                    kind=place.meeting.kind,
                    area=place.meeting.area,
                    day=place.meeting.day.isoformat(),
                    agency=caller.agency,
                    action=number,
                    to=posted.to.isoformat() if posted.to else None,
                    on=posted.on.isoformat() if posted.on else None,
                )
        return told

    async def _apply(self, acting: _Acting) -> tuple[Data, str | None, str | None]:
        act = acting.posted.act
        if act == "attendance":
            return await self._attend(acting), None, None
        if act == "agree":
            action, new = await self._agree(acting)
            return _told(new, action=_shown(acting, action)), action.case, action.id
        if act in ("done", "undone"):
            action = await self._finish(acting)
            return _told(True, action=_shown(acting, action)), action.case, action.id
        listing = await self._keep(acting)
        return _told(True, now=shown_listing(listing)), listing.case, None

    async def _keep(self, acting: _Acting) -> Listing:
        """Heard, not heard after all, or moved."""
        tx, place, posted = acting.tx, acting.place, acting.posted
        # The case first: that is the order in which decisions lock.
        cases = await store.load_cases(tx, [acting.needed("case")])
        before = await case_on(tx, place, str(posted.case))
        if before.seq != posted.seq:
            raise _changed(now=shown_listing(before))
        now = ledger.now()
        if posted.act == "move":
            because = acting.needed("because")
            left, joins = meetings.moved(before, acting.needed("to"), acting.who, because, place.area, now)
            await meetings_store.save_listings(tx, [left, joins])
            return joins
        if posted.act == "heard":
            after = meetings.heard(before, posted.on or place.meeting.day, acting.who, place.area, now)
        else:
            after = meetings.not_heard(before)
        await meetings_store.save_listings(tx, [after])
        await self._tell(tx, cases[before.case], after)
        return after

    async def _tell(self, tx: EmittingTransaction, case: Any, listing: Listing) -> None:
        """The outcome of the case says when it was heard: history learns it, for the repeat criterion."""
        case.heard = [one for one in case.heard if (one["kind"], one["area"]) != (listing.kind, listing.area)]
        if listing.heard_on is not None:
            case.heard.append(
                {"kind": listing.kind, "area": listing.area, "heard_on": listing.heard_on.isoformat()}
            )
        await meetings_store.save_heard(tx, case)
        deliveries = await store.load_deliveries(tx, [case.case])
        tell(tx, [case], deliveries, ledger.now())
        await store.save_states(tx, [case])

    async def _attend(self, acting: _Acting) -> Data:
        tx, meeting, posted = acting.tx, acting.place.meeting, acting.posted
        noted = await meetings_store.attendance(tx, meeting)
        if not noted:
            must_be_held(acting.place)
        one = Attendance(acting.needed("agency"), posted.who.strip(), acting.needed("standing"), posted.seq)
        if not await meetings_store.note_attendance(tx, meeting, one, acting.who, ledger.now()):
            noted = await meetings_store.attendance(tx, meeting)
            now = next(a for a in noted if (a.agency, a.who) == (one.agency, one.who))
            raise _changed(now={"agency": now.agency, "who": now.who, "standing": now.standing, "seq": now.seq})
        return _told(True)

    async def _agree(self, acting: _Acting) -> tuple[Action, bool]:
        """What an agency agreed to do. The same id once more changes nothing."""
        tx, place, posted = acting.tx, acting.place, acting.posted
        listing = await case_on(tx, place, acting.needed("case"))
        if not listing.stands:
            raise Closed("It does not stand on this list any more.")
        known = await meetings_store.action(tx, posted.id) if posted.id else None
        if known is not None:
            if (known.case, known.area) != (listing.case, place.meeting.area):
                raise Refused(409, "Id in use", "Another action has this id.")
            return known, False
        agency, due, now = acting.needed("agency"), acting.needed("due"), ledger.now()
        if not place.seat.chairs and agency != place.seat.agency:
            raise Refused(403, "Another agency's", "You can note what your own agency agreed to do.")
        must_be_sensible(due, place.area.local_day(now), place.meeting.day)
        action = Action(
            id=posted.id or str(uuid.uuid4()),
            kind=place.meeting.kind,
            area=place.meeting.area,
            held_on=place.meeting.day,
            case=listing.case,
            what=acting.needed("what"),
            agency=agency,
            who=posted.who.strip(),
            due=due,
            seq=1,
            agreed_by=acting.who,
            agreed_at=now,
            chase_at=meeting_actions.first_chase(due, place.area),
        )
        await meetings_store.save_action(tx, action)
        return action, True

    async def _finish(self, acting: _Acting) -> Action:
        """Done, or not done after all."""
        tx, place, posted = acting.tx, acting.place, acting.posted
        before = await meetings_store.action(tx, acting.needed("id"))
        meeting = place.meeting
        if before is None or (before.kind, before.area, before.held_on) != (
            meeting.kind,
            meeting.area,
            meeting.day,
        ):
            raise Refused(404, "No such action", "There is no action of this id on this list.")
        await case_on(tx, place, before.case)
        if not place.seat.chairs and before.agency != place.seat.agency:
            raise Refused(403, "Another agency's", "Who agreed to it, or the coordinator, says so.")
        if before.seq != posted.seq:
            raise _changed(now=_shown(acting, before))
        now = ledger.now()
        if posted.act == "done":
            after = meeting_actions.done(before, acting.who, now)
        else:
            after = meeting_actions.undone(before, place.area, now)
        await meetings_store.save_action(tx, after)
        return after


def must_be_sensible(due: date, today: date, held_on: date) -> None:
    """Raise Refused (422) for a day that no agency can have agreed to."""
    if due < min(today, held_on) or due > meeting_actions.latest_due(max(today, held_on)):
        raise Refused(
            422, "Not that day", "Give a day from the meeting's on, at most a year later.", fields=["due"]
        )


def _shown(acting: _Acting, action: Action) -> Data:
    return shown_action(action, acting.place.seat, acting.place.area.local_day(ledger.now()))


def _told(new: bool, **more: Any) -> Data:
    return {"status": "recorded" if new else "repeated", **more}


def _changed(**now: Any) -> Refused:
    return Refused(
        409,
        "Changed meanwhile",
        "Somebody changed it since you saw it: nothing was recorded.",
        **now,
    )
