"""Two people who may be one, ruled on in a real browser: enrichment and the console run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing

import pytest
import uvicorn

from services.console.main import create_app
from services.console.settings import Settings
from tests.e2e import browser
from tests.e2e.browser import sound
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.test_delivery import serve
from tests.integration.test_links_api import Office, office, two_families  # noqa: F401 (a fixture)
from tests.integration.waiting import until

pytestmark = pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED)


@pytest.fixture
async def address(servers: Servers, office: Office) -> AsyncIterator[str]:  # noqa: F811
    async with AsyncExitStack() as stack:
        enrichment = await serve(stack, office.http._transport.app)  # type: ignore[attr-defined]
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = Settings(
            database=servers.database,
            kafka=servers.kafka,
            partitions=servers.partitions,
            session_secret="s" * 40,
            enrichment_url=f"http://127.0.0.1:{enrichment}",
            port=port,
        )
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started, "the console")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving


async def test_a_person_compares_two_people_joins_them_and_takes_it_back(
    office: Office,  # noqa: F811
    address: str,
) -> None:
    await two_families(office)
    async with browser.tab() as tab:
        page = tab.page
        await tab.go(f"{address}/links")
        await page.get_by_label("Your key").fill(office.social)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{address}/links")
        await sound(tab, "links")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/links/L-*")
        text = await page.inner_text("main")
        assert "Sian" in text
        assert "Jane" in text
        assert await page.locator(".way-weight--against").count() >= 1
        await sound(tab, "link")
        await page.get_by_label("Your reason").fill("Her sister says so.")
        await page.get_by_role("button", name="One person: join").click()
        await page.wait_for_url("**?done=join")
        assert "one person" in await page.inner_text(".govuk-inset-text")
        stale = await page.locator("[name=seen]").input_value()
        await page.get_by_label("Your reason").fill("They are sisters.")
        await page.get_by_role("button", name="Take the ruling back").click()
        await page.wait_for_url("**?done=undo")
        # Somebody else's page, as it stood before: told what changed, with what was typed.
        await page.evaluate("value => { document.querySelector('[name=seen]').value = value }", stale)
        await page.get_by_label("Your reason").fill("They are two.")
        await page.get_by_role("button", name="Two people: keep apart").click()
        await page.locator(".govuk-error-summary").wait_for()
        assert await page.get_by_label("Your reason").input_value() == "They are two."
        await sound(tab, "link-refused")
        assert [one for one in tab.complaints if "409" not in one] == []
