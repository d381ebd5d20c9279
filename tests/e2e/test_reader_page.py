"""A school without a system reads what was sent to it in a real browser: a notice, a code, the page."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime

import pytest
import pytest_asyncio
import uvicorn

from services.console.main import create_app
from services.console.settings import Settings
from shared.contracts.topics import DECIDED
from tests.builders import an_incident
from tests.e2e import browser
from tests.e2e.browser import sound
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.test_delivery import serve
from tests.integration.test_delivery_fallback import SCHOOL, World, world  # noqa: F401 (a fixture)
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_receipt, a_route, case_decided

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def address(servers: Servers, world: World) -> AsyncIterator[str]:  # noqa: F811
    async with AsyncExitStack() as stack:
        delivery = await serve(stack, world.client._transport.app)  # type: ignore[attr-defined]
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = Settings(
            database=servers.database,
            kafka=servers.kafka,
            partitions=servers.partitions,
            session_secret="s" * 40,
            delivery_url=f"http://127.0.0.1:{delivery}",
            port=port,
        )
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started, "the console")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving


async def sign_in(tab: browser.Tab, address: str, world: World) -> None:  # noqa: F811
    """As the head does: the address that the notice names, the code out of the mail box."""
    before = len(world.mail.to("Head@school.example", "code"))
    await tab.go(f"{address}/reader/{SCHOOL}")
    await sound(tab, "reader-sign-in")
    await tab.page.get_by_label("E-mail address").fill("head@school.example")
    await tab.page.keyboard.press("Enter")
    await until(lambda: len(world.mail.to("Head@school.example", "code")) > before, "the code")
    found = re.search(r"code is ([A-Z0-9]{8})", world.mail.to("Head@school.example", "code")[-1][2])
    assert found is not None
    await tab.page.get_by_label("The code from the e-mail").fill(found[1])
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_role("heading", name="Sent to you").wait_for()


async def test_a_school_reads_acknowledges_and_says_what_is_not_its_own(
    world: World,  # noqa: F811
    address: str,
) -> None:
    case = await world.decide("reader-page", "education", 3600)
    other = await world.decide("reader-not-ours", "education", 3600)
    await until(lambda: bool(world.mail.to("Head@school.example", "waits")), "the notice")
    async with browser.tab() as tab:
        await sign_in(tab, address, world)
        await sound(tab, "reader")
        await tab.page.get_by_role("link", name=case).click()
        text = await tab.page.inner_text("main")
        assert "I have read this" in text
        assert "NB4 2QT" not in text, "a school does not learn where they live"
        await sound(tab, "reader-case")
        await tab.page.get_by_role("button", name="I have read this").click()
        await tab.page.wait_for_url("**?done=opened")
        assert "knows that you have read it" in await tab.page.inner_text("[role=alert]")
        await tab.page.get_by_role("link", name="All that was sent to you").click()
        await tab.page.get_by_role("link", name=other).click()
        await tab.page.get_by_label("Why (needed)").fill("She left us last year.")
        await tab.page.get_by_role("button", name="It is not ours").click()
        await tab.page.wait_for_url("**?done=rejected")
        await tab.go(f"{address}/reader/{SCHOOL}")
        assert "opened" in await tab.page.inner_text("tbody")
        await tab.page.get_by_role("button", name="Sign out").click()
        await tab.page.get_by_label("E-mail address").wait_for()
        # Whoever goes on before a page is whole breaks off what it still loads.
        assert [one for one in tab.complaints if "ERR_ABORTED" not in one] == []
    row = await world.row(case)
    assert [one["kind"] for one in row["answers"]] == ["opened"]
    assert (await world.row(other))["answers"][0]["reason"] == "She left us last year."
    async with world.database.transaction() as tx:
        looked = await tx.rows(
            "SELECT who FROM audit WHERE act = 'reader.read' AND \"case\" = :case", case=case
        )
    assert {one["who"] for one in looked} == {f"reader:{SCHOOL}"}


async def test_a_restricted_case_is_not_read_from_a_mail_box(world: World, address: str) -> None:  # noqa: F811
    receipt = a_receipt([a_route("education")])
    receipt["result"] = {**receipt["result"], "handling": ["restricted", "no_family_contact"]}
    incident = an_incident(reference="reader-restricted")
    body = case_decided(a_route("education"), incident=incident, receipt=receipt)
    async with world.sender.transaction() as tx:
        tx.emit(DECIDED, body.incident.case, body, started=datetime.now(UTC))

    async def held() -> bool:
        row = await world.row("northshire/reader-restricted")
        return bool(row and row["state"] == "held")

    await until(held, "held back")
    async with world.database.transaction() as own:
        # As if a person had released it.
        await own.execute(
            """
            WITH released AS (
                UPDATE deliveries SET state = 'offered', held_because = NULL, inbox_no = 9000
                WHERE "case" = 'northshire/reader-restricted' RETURNING id, "case", recipient
            )
            INSERT INTO feed (reader, no, "case", payload)
            SELECT r.recipient, 9000, r."case", c.payload FROM released r JOIN contents c ON c.delivery = r.id
            """
        )
    async with browser.tab() as tab:
        await sign_in(tab, address, world)
        await tab.page.get_by_role("link", name="northshire/reader-restricted").click()
        text = await tab.page.inner_text("main")
        assert "This case is restricted" in text
        assert "Owen" not in text
        assert "pushed" not in text
        await sound(tab, "reader-restricted")
