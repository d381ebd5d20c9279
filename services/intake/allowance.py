"""How much one caller may send: so many posts in a time, and so many batches at once.

Counted per copy of intake, in memory: a limit against a system that runs wild, not a quota. The `limits`
library does the counting; its notation is `1000/second`, `20000/minute`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from shared.errors import Refused

BATCHES_AT_ONCE: Final = 4


class Allowance:
    """What each caller, known by its key's id, has used of what it may. `rate` as `1000/second`."""

    def __init__(self, rate: str, *, batches: int = BATCHES_AT_ONCE) -> None:
        self._rate: RateLimitItem = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._batches_allowed = batches
        self._batches: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Count a post. Raises Refused (429) with the seconds until the next is taken."""
        if not self._limiter.hit(self._rate, key):
            until = self._limiter.get_window_stats(self._rate, key).reset_time
            wait = max(1, math.ceil(until - time.time()))
            raise _too_many(f"One key may post {self._rate.amount} in {_time(self._rate)}.", wait)

    def start_batch(self, key: str) -> None:
        """Count a batch until `end_batch`. Raises Refused (429) where too many of the caller's run already."""
        if self._batches[key] >= self._batches_allowed:
            raise _too_many(f"At most {self._batches_allowed} batches of one key run at one time.", 5)
        self._batches[key] += 1

    def end_batch(self, key: str) -> None:
        """A batch has ended, however it did."""
        self._batches[key] -= 1
        if not self._batches[key]:
            del self._batches[key]


def _time(rate: RateLimitItem) -> str:
    seconds = rate.get_expiry()
    return "a second" if seconds == 1 else "a minute" if seconds == 60 else f"{seconds} seconds"


def _too_many(detail: str, seconds: int) -> Refused:
    return Refused(429, "Too many", f"{detail} Nothing was stored.", headers={"Retry-After": str(seconds)})
