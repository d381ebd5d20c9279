"""When to try again, when to stop, and by which way to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

GIVEN_UP_AFTER: Final = timedelta(hours=28)
"""From the first attempt; the deadline escalates by other ways long before."""
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 1800.0
SHORTEST_PAUSE_S: Final = 0.5
LONGEST_ASKED_S: Final = 4 * 3600.0
"""A recipient may ask for more patience than our own, but not for ever."""

Outcome = Literal["received", "published", "later", "gone", "not_sent"]
"""received: a 2xx; published: on the topic; later: anything else; gone: 410, nothing more by this way;
not_sent: nobody was asked, because its channel is another now or may not be used."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt. `result`: a status or the kind of failure; `said`: what is kept of a
    refusal, scrubbed. `ill`: the recipient's server was not there or in trouble, whatever was sent.
    `rest_s`: how long the recipient asks to be left alone altogether."""

    delivery: str
    case: str
    outcome: Outcome
    result: str
    started: datetime
    ended: datetime
    retry_after_s: float | None = None
    said: str | None = None
    ill: bool = False
    rest_s: float | None = None
    url: str | None = None
    """Of a webhook that is gone."""


def outcome_of(status: int) -> Outcome:
    """What an HTTP status means. Redirects are not followed: they count as failures."""
    if 200 <= status < 300:
        return "received"
    return "gone" if status == 410 else "later"


def is_ill(status: int) -> bool:
    """Whether a status tells of the server rather than of what was sent."""
    return status >= 500 or status == 408


def rest_asked(status: int, retry_after_s: float | None) -> float | None:
    """How long the recipient asks to be left alone: by Retry-After with 429 or 503 (RFC 9110, 6585)."""
    return min(retry_after_s, LONGEST_ASKED_S) if status in (429, 503) and retry_after_s else None


def given_up(first_attempt_at: datetime, now: datetime) -> bool:
    """Whether a webhook's tries are used up."""
    return now - first_attempt_at >= GIVEN_UP_AFTER


def pause_s(attempts: int, draw: Callable[[], float], asked_s: float | None = None) -> float:
    """Seconds until the next attempt after `attempts` failed ones: full jitter over a doubling ceiling.

    `draw` gives a number in [0, 1). `asked_s` is the recipient's Retry-After: never sooner than that.
    """
    ceiling = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 20))
    pause = max(SHORTEST_PAUSE_S, draw() * ceiling)
    if asked_s is not None:
        pause = max(pause, min(asked_s, LONGEST_ASKED_S))
    return pause


def read_retry_after(said: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header (a number, or a date); None where it says nothing readable."""
    if said is None:
        return None
    said = said.strip()
    if said.isascii() and said.isdigit():
        return float(min(int(said[:9]), 10**6))
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
