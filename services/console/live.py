"""Pages that keep up: a stream that says that something changed, so that a page reads itself anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from services.console.access import Access

LASTS_S: Final = 8.0
"""A stream ends by itself and the browser opens the next, so that a sign-out counts and a stop is quick."""
APART_S: Final = 1.0


class News:
    """Wakes those who look, when something was committed."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Something changed."""
        self._told.set()
        self._told = asyncio.Event()

    async def wait(self, within_s: float) -> bool:
        """Wait for news, at most so long; whether there were any."""
        try:
            async with asyncio.timeout(within_s):
                await self._told.wait()
        except TimeoutError:
            return False
        return True


def routes(access: Access, news: News) -> APIRouter:
    """The stream."""
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    async def live(request: Request) -> StreamingResponse:
        await access.viewer(request)
        return StreamingResponse(_stream(news), media_type="text/event-stream")

    return router


async def _stream(news: News) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ends = loop.time() + LASTS_S
    yield b"retry: 500\n\n"
    while (left := ends - loop.time()) > 0:
        if await news.wait(left):
            yield b"data: changed\n\n"
            await asyncio.sleep(APART_S)
