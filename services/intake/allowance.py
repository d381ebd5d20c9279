"""How much one caller may send: so many posts a second, and so many batches at once.

Counted per copy of intake, in memory: a limit against a system that runs wild, not a quota.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from aiolimiter import AsyncLimiter

from shared.errors import Refused

BATCHES_AT_ONCE: Final = 4
_CALLERS_KNOWN: Final = 10_000


class Allowance:
    """What each caller, known by its key's id, has used of what it may."""

    def __init__(self, posts_per_s: float, *, batches: int = BATCHES_AT_ONCE) -> None:
        self._posts_per_s = posts_per_s
        self._posts: dict[str, AsyncLimiter] = {}
        self._batches_allowed = batches
        self._batches: Counter[str] = Counter()

    async def take(self, key: str) -> None:
        """Count a post. Raises Refused (429) with the seconds until more are taken."""
        posts = self._posts.get(key)
        if posts is None:
            if len(self._posts) >= _CALLERS_KNOWN:
                self._posts.clear()
            posts = self._posts[key] = AsyncLimiter(self._posts_per_s, 1)
        if not posts.has_capacity():
            raise _too_many(f"One key may post {self._posts_per_s:g} a second.", 1)
        await posts.acquire()

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


def _too_many(detail: str, seconds: int) -> Refused:
    return Refused(429, "Too many", f"{detail} Nothing was stored.", headers={"Retry-After": str(seconds)})
