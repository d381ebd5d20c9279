"""Waiting for what will be so: with an end, and a word for what never came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

LONGEST_S = 60.0
_LOOK_AGAIN_S = 0.05


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str, within_s: float = LONGEST_S) -> None:
    """Return once `holds()`, which may be asked for with an `async` function; fail with `what` if it
    never does."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
    pytest.fail(f"never came: {what}")


def wait_until(holds: Callable[[], bool], what: str, within_s: float = LONGEST_S) -> None:
    """The same where there is no event loop."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        if holds():
            return
        time.sleep(_LOOK_AGAIN_S)
    pytest.fail(f"never came: {what}")
