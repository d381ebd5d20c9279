"""The bell that wakes those who wait for news."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung when something was added to a feed; whoever waits wakes and looks for theirs."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who is waiting now."""
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    async def wait(self, at_most_s: float) -> None:
        """Wait for the next ring, or until the time is over."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._next.wait()
        except TimeoutError:
            return
