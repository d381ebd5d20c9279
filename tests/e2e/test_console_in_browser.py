"""The console in a real browser: its own policy blocks nothing of its own, at a desk and on a telephone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta

import pytest
import uvicorn

from services.console.main import create_app
from services.console.settings import Settings
from shared import ledger
from tests.e2e import chromium
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.senders import Senders, branch
from tests.integration.test_console import key_of

pytestmark = pytest.mark.skipif(chromium.found() is None, reason="needs Chromium: apt-get install chromium")

HOSTILE = 'x"><script>alert(1)</script>'


@asynccontextmanager
async def console(where: Servers) -> AsyncIterator[str]:
    """The console on a port of its own, with a case routed, one that waits, and one with a hostile id."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        database=where.database,
        kafka=where.kafka,
        partitions=where.partitions,
        session_secret="s" * 40,
        port=port,
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    senders = Senders(where)
    try:
        due = ledger.now() + timedelta(hours=2)
        trunk = await senders.decide("B-1", await senders.enrich("B-1", await senders.accept("B-1")), due)
        received = branch("northbury-children", "received", due, trunk)
        await senders.answer(
            "B-1", trunk, "in_flight", received, branch("northbury-marac", "offered", due, trunk)
        )
        await senders.accept(HOSTILE)
        while not server.started:
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        await senders.close()
        server.should_exit = True
        await serving


async def log_in(tab: chromium.Page, address: str, key: str, onward: str) -> None:
    """As a person does: to the page, to the field by keyboard, the key, Enter."""
    await tab.go(f"{address}{onward}")
    await tab.evaluate("document.getElementById('key').focus()")
    await tab.keys(key)
    async with tab.loading():
        await tab.press("Enter", 13)


async def until_shown(tab: chromium.Page, address: str, text: str) -> None:
    for _ in range(100):
        await tab.go(address)
        if text in await tab.evaluate("document.body.innerText"):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"never shown: {text}")


@pytest.mark.parametrize("width", [1200, 320])
async def test_every_page_is_whole_fits_and_is_light(
    servers: Servers,  # noqa: F811
    width: int,
) -> None:
    key = await key_of(servers, "ops")
    async with console(servers) as address, chromium.page() as tab:
        await tab.width(width)
        await log_in(tab, address, key, "/cases")
        assert await tab.evaluate("location.pathname") == "/cases", "after login people are where they wanted"
        await until_shown(tab, f"{address}/cases/northshire/B-1", "northbury-marac")
        tab.complaints.clear()  # a case that the console has not heard of yet is 404, and rightly so
        for path in ("/", "/cases", "/cases/northshire/B-1"):
            await tab.go(f"{address}{path}")
            assert tab.statuses[f"{address}{path}"] == 200
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width, (
                f"{path} scrolls sideways"
            )
            assert await tab.evaluate("document.styleSheets.length") == 2
            size = await tab.evaluate(
                "performance.getEntries().reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
            )
            assert 100_000 < size < 200_000
        assert await tab.evaluate("document.querySelectorAll('svg .way-bar--working').length") >= 5
        hatch = "getComputedStyle(document.querySelector('.way-hatch__line')).fill"
        assert await tab.evaluate(hatch) == "rgb(138, 90, 0)"
        assert (await tab.picture()).startswith(b"\x89PNG")
        assert tab.complaints == []


async def test_hostile_text_runs_nowhere(servers: Servers) -> None:  # noqa: F811
    key = await key_of(servers, "ops")
    async with console(servers) as address, chromium.page() as tab:
        await log_in(tab, address, key, "/cases")
        await until_shown(tab, f"{address}/cases?find=alert", "<script>alert(1)</script>")
        assert await tab.evaluate("[...document.scripts].every((one) => one.src)")
        async with tab.loading():
            await tab.evaluate("document.querySelector('th a').click()")
        assert HOSTILE in await tab.evaluate("document.querySelector('h1').innerText")


async def test_the_pages_work_without_javascript(servers: Servers) -> None:  # noqa: F811
    key = await key_of(servers, "ops")
    async with console(servers) as address, chromium.page(javascript=False) as tab:
        await tab.go(f"{address}/")
        await tab.press("Tab", 9)
        for _ in range(6):
            if await tab.evaluate("document.activeElement.id") == "key":
                break
            await tab.press("Tab", 9)
        await tab.keys(key)
        async with tab.loading():
            await tab.press("Enter", 13)
        assert await tab.evaluate("document.querySelectorAll('table').length") == 2
