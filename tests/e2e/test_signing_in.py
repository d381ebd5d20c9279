"""Signing in at a provider of identity that is not ours, in a real browser: away, back, renewed, refused."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import pytest
import uvicorn
from playwright.async_api import Page, expect

from services.console.main import create_app
from services.console.settings import Settings
from tests.e2e import browser
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.senders import Senders

NODE: Final = Path(__file__).parents[1] / "independent" / "js"

pytestmark = [
    pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED),
    pytest.mark.skipif(
        shutil.which("node") is None or not (NODE / "node_modules").is_dir(),
        reason="needs Node.js, and `npm ci` in tests/independent/js",
    ),
]


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def provider(port: int, back: str) -> AsyncIterator[str]:
    node = await asyncio.create_subprocess_exec(
        "node", "provider.mjs", str(port), back, cwd=NODE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert node.stdout is not None
        assert await asyncio.wait_for(node.stdout.readline(), 60) == b"ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        node.terminate()
        await node.wait()


@asynccontextmanager
async def console(where: Servers) -> AsyncIterator[str]:
    """The console, with keys shut out: people come by the provider alone."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with provider(free_port(), f"{address}/login/back") as issuer:
        settings = Settings(
            database=where.database,
            kafka=where.kafka,
            partitions=where.partitions,
            session_secret="s" * 40,
            port=port,
            public_url=address,
            keys_sign_in=False,
            oauth_issuer=issuer,
            oauth_audience="https://waymark.example",
            oauth_keys_url=f"{issuer}/jwks",
            oidc_client_id="waymark-console",
            oidc_client_secret="a secret of the tests",
            oidc_metadata_url=f"{issuer}/.well-known/openid-configuration",
            oidc_resource="https://waymark.example",
        )
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                await asyncio.sleep(0.05)
            yield address
        finally:
            server.should_exit = True
            await serving


async def sign_in(page: Page, name: str) -> None:
    """From the console's page to the provider's and back, as a person does."""
    await page.get_by_role("button", name="Sign in with your organisation’s account").click()
    await page.locator("input[name=login]").fill(name)
    await page.locator("input[name=password]").fill("any")
    await page.locator("button[type=submit]").click()


async def test_people_sign_in_at_their_provider_and_are_back_where_they_wanted(
    servers: Servers,  # noqa: F811
) -> None:
    senders = Senders(servers)
    await senders.accept("oidc-1")
    async with console(servers) as address, browser.tab() as tab:
        page = tab.page
        await page.goto(f"{address}/cases?find=oidc-1")
        await expect(page.get_by_label("Your key")).to_have_count(0)
        await sign_in(page, "r.okafor")
        await page.wait_for_url(f"{address}/cases?find=oidc-1")
        await expect(page.get_by_text("northshire/oidc-1").first).to_be_visible(timeout=30_000)
        # Its token lasts two seconds: what follows is done with one that was renewed.
        await asyncio.sleep(3)
        await page.reload()
        await expect(page.get_by_text("northshire/oidc-1").first).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await page.goto(f"{address}/cases")
        await page.wait_for_url(f"{address}/login?next=*")
    await senders.close()


async def test_who_has_no_role_is_told_so_and_a_way_back_that_is_not_ones_own_leads_nowhere(
    servers: Servers,  # noqa: F811
) -> None:
    async with console(servers) as address:
        async with browser.tab() as tab:
            page = tab.page
            await page.goto(address)
            await sign_in(page, "n.obody")
            await expect(page.get_by_text("Your account has no role here")).to_be_visible()
            await page.goto(f"{address}/cases")
            await page.wait_for_url(f"{address}/login?next=*")
        async with browser.tab() as tab:
            page = tab.page
            answer = await page.goto(f"{address}/login/back?code=stolen&state=made-up")
            assert answer is not None
            assert answer.status == 401
