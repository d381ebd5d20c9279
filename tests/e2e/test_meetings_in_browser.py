"""A coordinator's day before and after a MARAC, in a real browser: the list read, printed and taken away, what
was agreed and heard recorded; with the keyboard, without scripts, and open to everybody."""

from __future__ import annotations

import asyncio
import csv
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
import uvicorn

from services.console.main import create_app
from services.console.settings import Settings
from shared.contracts.events import CaseDecided
from tests.builders import an_incident
from tests.e2e import browser
from tests.e2e.test_console_in_browser import sign_in
from tests.integration.conftest import servers  # noqa: F401 (a fixture)
from tests.integration.test_delivery import World, serve, world  # noqa: F401 (a fixture)
from tests.integration.test_meetings import REPEAT, coordinator, key_of, listed, next_open, referred
from tests.integration.waiting import until

pytestmark = [
    pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED),
    pytest.mark.asyncio(loop_scope="module"),
]


NAMES = count(1)


def of_the_rees_family(reference: str) -> CaseDecided:
    """A repeat, with a name that a page or a spreadsheet could choke on."""
    adults = deepcopy(an_incident()["adults"])
    adults[0]["name"] = {"given": "Nia", "family": "<b>Rees</b>"}
    adults[1]["name"] = {"given": "=cmd()", "family": "Rees"}
    history = {"status": "complete", "incidents": [], "marac": [{**REPEAT, "referred_on": "2026-02-03"}]}
    return referred(reference, told={"adults": adults}, history=history)


@asynccontextmanager
async def console(world: World) -> AsyncIterator[str]:  # noqa: F811
    """The console beside a delivery that has three cases for the next list."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        database=world.servers.database,
        kafka=world.servers.kafka,
        partitions=world.servers.partitions,
        session_secret="s" * 40,
        port=port,
        delivery_url=world.address,
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def with_cases(world: World) -> tuple[dict[str, str], str, str]:  # noqa: F811
    """A coordinator's key, the day of the list on which three cases of one name stand, and the name."""
    keeper, name = await coordinator(world), f"b{next(NAMES)}"
    await world.tell(
        referred(f"{name}-1"),
        of_the_rees_family(f"{name}-2"),
        referred(f"{name}-3", handling=["restricted", "no_family_contact"]),
    )
    for reference in (f"{name}-1", f"{name}-2"):
        await listed(world, next_open(), keeper, f"northshire/{reference}")
    return keeper, str(next_open()), name


def bare(key: dict[str, str]) -> str:
    return key["Authorization"].removeprefix("Bearer ")


async def test_a_coordinator_keeps_a_list_from_the_first_look_to_the_last_action(world: World) -> None:  # noqa: F811
    keeper, day, name = await with_cases(world)
    async with console(world) as address, browser.tab() as tab:
        await sign_in(tab, address, bare(keeper), "/meetings")
        await browser.sound(tab, "meetings")
        await tab.page.locator(f'a[href="/meetings/marac/northbury/{day}"]').click()
        page = tab.page
        assert "Repeat" in await page.inner_text(f"tr:has-text('{name}-2')")
        assert "<b>Rees</b>" in await page.inner_text(f"tr:has-text('{name}-2')")
        assert "restricted" in await page.inner_text("main")
        assert f"{name}-3" not in await page.content()
        await browser.sound(tab, "meeting")

        health = page.locator("form", has=page.get_by_label("Health", exact=True))
        await page.get_by_label("Health", exact=True).select_option("apologies")
        await health.get_by_role("button").click()
        assert await page.get_by_label("Health", exact=True).input_value() == "apologies"

        await page.get_by_role("link", name=f"northshire/{name}-2").click()
        assert "Earlier MARAC" in await page.inner_text("main")
        await page.get_by_text("Add an action", exact=True).click()
        await page.get_by_label("What is to be done").fill("Offer her a new lock.")
        await page.get_by_label("By whom").fill("Ms Price")
        await page.get_by_role("button", name="Add the action").click()
        assert "Say by when." in await page.inner_text("[role=alert]")
        assert await page.get_by_label("What is to be done").input_value() == "Offer her a new lock."
        assert len(tab.complaints) == 1, "the browser notes that the form was answered with 422"
        await browser.sound(tab, "meeting-problem")
        await page.get_by_label("By which agency").select_option("idva")
        await page.get_by_label("By when").fill(day)
        await page.get_by_role("button", name="Add the action").click()
        assert "Offer her a new lock." in await page.inner_text("#actions ~ table")
        await page.get_by_role("button", name=re.compile("^Done")).click()
        await page.get_by_role("button", name=re.compile("^Not done")).wait_for()
        await browser.sound(tab, "meeting-case")
        assert len(tab.complaints) == 1, "and of nothing else"


async def test_a_marac_list_printed(world: World, tmp_path: Path) -> None:  # noqa: F811
    keeper, day, name = await with_cases(world)
    place = f"/meetings/marac/northbury/{day}"
    async with console(world) as address, browser.tab() as tab:
        await sign_in(tab, address, bare(keeper), place)
        async with tab.page.expect_download() as loading:
            await tab.page.get_by_role("link", name="Download").click()
        loaded = await loading.value
        assert loaded.suggested_filename == f"marac-northbury-{day}-marac.csv"
        rows = rows_of(await loaded.path())
        assert rows[f"northshire/{name}-2"]["perpetrator"] == "'=cmd() Rees"
        assert rows[f"northshire/{name}-2"]["repeat of"] == "2026-02-03"

        await tab.page.get_by_role("link", name="Print the list").click()
        await tab.page.wait_for_url(f"{address}{place}/print")
        assert await tab.page.evaluate("document.styleSheets.length") == 1
        assert await tab.violations() == []
        assert {url for url, code in tab.statuses.items() if code >= 400} <= {f"{address}/favicon.ico"}
        await tab.page.emulate_media(media="print")
        await browser.picture(tab, "meeting-print")
        paper = tmp_path / "list.pdf"
        await tab.page.pdf(path=paper, prefer_css_page_size=True)
        on_paper = printed(paper)
        assert "OFFICIAL" in on_paper
        assert "Nia <b>Rees</b>" in on_paper
        assert "Repeat" in on_paper
        assert re.search(r"restricted cases? (is|are) shown to named staff only", on_paper)
        assert f"{name}-3" not in on_paper
        for agency in ("Police", "Probation", "Education", "IDVA"):
            assert agency in on_paper


def printed(paper: Path) -> str:
    """The text of a PDF, in the order of reading."""
    pages = import_module("pypdf").PdfReader(paper).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


def rows_of(sheet: Path) -> dict[str, dict[str, str]]:
    """A sheet's rows by their case."""
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        return {row["case"]: row for row in csv.DictReader(lines)}


async def test_the_second_coordinator_is_told_what_changed_and_loses_nothing_typed(world: World) -> None:  # noqa: F811
    keeper, day, name = await with_cases(world)
    async with console(world) as address, browser.tab() as tab:
        path = f"/meetings/marac/northbury/{day}/case?id=northshire/{name}-1"
        await sign_in(tab, address, bare(keeper), path)
        page = tab.page
        await page.get_by_text("Move to another meeting").click()
        await page.get_by_label("Why").fill("Nobody from health can come.")
        await world.tell(referred(f"{name}-1", version=2, told={"summary": "She was hurt again."}))

        async def newer() -> bool:
            one = await listed(world, next_open(), keeper, f"northshire/{name}-1")
            return bool(one["version"] == 2)

        await until(newer, "version 2 on the list")
        await page.get_by_role("button", name="Move", exact=True).click()
        assert "version 2" in await page.inner_text("[role=alert]")
        assert await page.get_by_label("Why").input_value() == "Nobody from health can come."
        assert "She was hurt again." in await page.inner_text("main")
        assert await tab.violations() == []
        # The session ends while they write on: after signing in it is all there.
        await page.context.clear_cookies(name="waymark_session")
        await page.get_by_role("button", name="Move", exact=True).click()
        await page.get_by_label("Your key").fill(bare(keeper))
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/case\?id="))
        assert await page.get_by_label("Why").input_value() == "Nobody from health can come."


async def test_an_agency_sees_its_own_view_and_the_keyboard_suffices(world: World) -> None:  # noqa: F811
    _, day, name = await with_cases(world)
    health = await key_of(world, "person", "p-health", "health", "northbury")
    stranger = await key_of(world, "coordinator", "c-south", "marac", "southmere")
    async with console(world) as address, browser.tab(javascript=False) as tab:
        await sign_in(tab, address, bare(health), f"/meetings/marac/northbury/{day}")
        text = await tab.page.inner_text("main")
        assert "You see it as health" in text
        assert "Mill Lane" not in text
        assert await tab.page.locator("main form").count() == 0, "the list is the coordinator's to keep"
        for _ in range(40):
            await tab.page.keyboard.press("Tab")
            if f"{name}-1" in await tab.page.evaluate("document.activeElement.textContent"):
                break
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(re.compile(r"/case\?id="))
        assert "Not shown to you" in await tab.page.inner_text("main")
        await tab.page.get_by_text("Add an action", exact=True).click()
        await tab.page.get_by_label("What is to be done").fill("Ask the surgery.")
        await tab.page.get_by_label("By when").fill(day)
        await tab.page.get_by_role("button", name="Add the action").press("Enter")
        await tab.page.get_by_role("button", name=re.compile("^Done")).wait_for()
    async with console(world) as address, browser.tab() as tab:
        await sign_in(tab, address, bare(stranger), "/meetings")
        await tab.go(f"{address}/meetings/marac/northbury/{day}")
        assert "No such meeting" in await tab.page.inner_text("h1")
