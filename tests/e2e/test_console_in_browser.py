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
from tests.e2e import browser
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.senders import Senders, branch
from tests.integration.test_console import key_of

pytestmark = pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED)

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


async def sign_in(tab: browser.Tab, address: str, key: str, onward: str) -> None:
    """As a person does: to the page, to the field, the key, Enter."""
    await tab.go(f"{address}{onward}")
    await tab.page.get_by_label("Your key").fill(key)
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(f"{address}{onward}")


async def until_shown(tab: browser.Tab, address: str, text: str) -> None:
    for _ in range(100):
        await tab.go(address)
        if text in await tab.page.inner_text("body"):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"never shown: {text}")


@pytest.mark.parametrize("width", [1200, 320])
async def test_every_page_is_whole_fits_is_light_and_open_to_everybody(
    servers: Servers,  # noqa: F811
    width: int,
) -> None:
    key = await key_of(servers, "ops")
    async with console(servers) as address, browser.tab(width=width) as tab:
        await tab.go(f"{address}/login")
        assert await tab.violations() == []
        await sign_in(tab, address, key, "/cases")
        await until_shown(tab, f"{address}/cases/northshire/B-1", "northbury-marac")
        tab.complaints.clear()  # a case that the console has not heard of yet is 404, and rightly so
        for path in ("/status", "/cases", "/cases/northshire/B-1"):
            await tab.go(f"{address}{path}")
            assert tab.statuses[f"{address}{path}"] == 200
            assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width, (
                f"{path} scrolls sideways"
            )
            assert await tab.page.evaluate("document.styleSheets.length") == 2
            size = await tab.page.evaluate(
                "performance.getEntries().reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
            )
            assert 100_000 < size < 200_000
            assert await tab.violations() == [], f"{path} shuts somebody out"
        assert await tab.page.locator("svg .way-bar--working").count() >= 5
        hatch = "getComputedStyle(document.querySelector('.way-hatch__line')).fill"
        assert await tab.page.evaluate(hatch) == "rgb(138, 90, 0)"
        assert tab.complaints == []


async def test_hostile_text_runs_nowhere(servers: Servers) -> None:  # noqa: F811
    key = await key_of(servers, "ops")
    async with console(servers) as address, browser.tab() as tab:
        await sign_in(tab, address, key, "/cases")
        await until_shown(tab, f"{address}/cases?find=alert", "<script>alert(1)</script>")
        assert await tab.page.evaluate("[...document.scripts].every((one) => one.src)")
        await tab.page.locator("th a").first.click()
        await tab.page.wait_for_load_state()
        assert HOSTILE in await tab.page.inner_text("h1")


async def test_the_pages_work_without_javascript_and_a_mouse(servers: Servers) -> None:  # noqa: F811
    key = await key_of(servers, "ops")
    async with console(servers) as address, browser.tab(javascript=False) as tab:
        await tab.go(f"{address}/")
        keyboard = tab.page.keyboard
        for _ in range(8):
            await keyboard.press("Tab")
            if await tab.page.locator("#key:focus").count():
                break
        await keyboard.type(key)
        await keyboard.press("Enter")
        await tab.page.wait_for_url(f"{address}/status")
        assert await tab.page.locator("table").count() == 2
