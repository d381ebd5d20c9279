"""When a delivery will be received, as far as can be told from how fast its recipient has been, and whether
its deadline is in danger: before it is missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

COMPANY_AT_MOST: Final = timedelta(hours=1)
_NEWEST_WEIGHS: Final = 0.2
_SHARE_LEFT: Final = 3
_LEAST_WARNING: Final = timedelta(minutes=2)


@dataclass(slots=True)
class Pace:
    """How long a recipient takes from being offered something to having it, the newest weighing a fifth."""

    seconds: float | None = None

    def took(self, seconds: float) -> None:
        """One more was received after so long."""
        self.seconds = (
            seconds if self.seconds is None else self.seconds + (seconds - self.seconds) * _NEWEST_WEIGHS
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery that is not received yet. `place`: how many of its recipient go before it, from 0."""

    id: str
    case: str
    recipient: str
    service: str
    state: str
    began: datetime
    due: datetime
    next_at: datetime | None
    place: int
    alarmed: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected of a delivery. `expected` None: nobody can tell."""

    pending: Pending
    minutes_to_breach: float
    expected: datetime | None
    at_risk: bool


def accompanied_from(began: datetime, due: datetime) -> datetime:
    """From when on a delivery that its webhook has not brought lies in the inbox as well: half-way to its
    deadline, and after an hour at the latest."""
    return began + min((due - began) / 2, COMPANY_AT_MOST)


def forecast(
    pending: Pending, now: datetime, *, attempt_s: float | None, at_once: int, read_s: float | None
) -> Forecast:
    """What is to be expected. `attempt_s`: how long an attempt at its recipient takes, None where its address
    is left alone or was never tried; `at_once`: how many go there at one time; `read_s`: how long it takes
    its recipient to fetch what it was offered.

    It is at risk where what is to be expected comes after the deadline, and where nothing can be told and
    less than a third of the time is left.
    """
    expected: datetime | None = None
    if pending.state == "waiting" and attempt_s is not None:
        starts = max(now, pending.next_at or now)
        expected = starts + timedelta(seconds=attempt_s * (1 + pending.place // max(1, at_once)))
    elif pending.state == "offered" and read_s is not None:
        expected = max(now, pending.began + timedelta(seconds=read_s))
    left = pending.due - now
    if expected is None:
        at_risk = left <= max(_LEAST_WARNING, (pending.due - pending.began) / _SHARE_LEFT)
    else:
        at_risk = expected > pending.due
    # What should have come by now and has not is no longer to be relied on.
    if left <= _LEAST_WARNING:
        at_risk = True
    return Forecast(pending, left.total_seconds() / 60, expected, at_risk)
