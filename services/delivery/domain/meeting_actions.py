"""What agencies agree to do at a meeting, and who was there.

An action that is overdue is asked for three times: its agency first, then the coordinator, twice
(London 2008 app. 6, 13.4.24: actions agreed are progressed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from services.delivery.domain.answers import Closed
from services.delivery.domain.chasing import MOST_CHASES
from shared import vocabulary as v
from shared.areas import Area

Presence = Literal["invited", "attended", "apologies"]
Asked = Literal["agency", "coordinator"]

EVERY: Final = "1 working day"
"""How long after an overdue action was asked for it is asked for again."""
_WAYS: Final[tuple[Asked, ...]] = ("agency", "coordinator", "coordinator")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an agency agreed to do about a case. `chase_at`: when it is asked for next."""

    id: str
    kind: v.MeetingKind
    area: str
    held_on: date
    case: str
    what: str
    agency: v.Attending
    who: str
    due: date
    seq: int
    agreed_by: str
    agreed_at: datetime
    done_at: datetime | None = None
    done_by: str | None = None
    chase_at: datetime | None = None
    chases: int = 0

    def overdue(self, today: date) -> bool:
        """Whether its day is over and it is not done."""
        return self.done_at is None and self.due < today


@dataclass(frozen=True, slots=True)
class Attendance:
    """Somebody of an agency who is invited, came, or sent apologies; `seq` 0 where nobody noted it yet."""

    agency: v.Attending
    who: str
    standing: Presence
    seq: int


def first_chase(due: date, area: Area) -> datetime:
    """The opening of the first working day after the day on which it is due."""
    end_of_day = area.moment(due, time(23, 59))
    return area.opens_next(end_of_day)


def done(action: Action, who: str, now: datetime) -> Action:
    """Done. Raises Closed where it is already."""
    if action.done_at is not None:
        raise Closed("It is done already.")
    return replace(action, seq=action.seq + 1, done_at=now, done_by=who, chase_at=None)


def undone(action: Action, area: Area, now: datetime) -> Action:
    """Not done after all: it is asked for once more when it is due. Raises Closed where it is not done."""
    if action.done_at is None:
        raise Closed("It is not done yet.")
    chase_at = max(first_chase(action.due, area), area.opens_next(now))
    return replace(action, seq=action.seq + 1, done_at=None, done_by=None, chase_at=chase_at, chases=0)


def chased(action: Action, area: Area, now: datetime) -> tuple[Action, Asked]:
    """The action after it was asked for, and who is asked this time."""
    asked = _WAYS[min(action.chases, MOST_CHASES - 1)]
    chases = action.chases + 1
    chase_at = area.deadline(EVERY, now) if chases < MOST_CHASES else None
    return replace(action, chases=chases, chase_at=chase_at), asked


def latest_due(held_on: date) -> date:
    """An action that is due later than a year after the meeting is a slip of the pen."""
    return held_on + timedelta(days=366)
