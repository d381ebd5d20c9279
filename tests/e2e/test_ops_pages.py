"""An ops engineer at work in a real browser: what is wrong, whose, and the cure, and never a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.db import Database
from shared.vocabulary import CASE_STATES
from tests.e2e import browser
from tests.e2e.ops_world import ROLES, OpsWorld, ops_world
from tests.integration.conftest import Servers, servers  # noqa: F401 (a fixture)
from tests.integration.test_console import CANARIES
from tests.integration.waiting import until
from waymark.reconcile import keep

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(
    servers: Servers,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[OpsWorld]:
    async with ops_world(servers, tmp_path_factory.mktemp("ops")) as made:
        yield made


async def sound(tab: browser.Tab, name: str, address: str | None = None) -> None:
    """The page as it stands (or at an address) is sound, and names nobody."""
    if address is not None:
        await tab.go(address)
    await browser.sound(tab, name)
    content = await tab.page.content()
    assert [canary for canary in CANARIES if canary in content] == [], name


async def until_shown(tab: browser.Tab, address: str, text: str) -> None:
    async def shown() -> bool:
        await tab.go(address)
        return text in await tab.page.inner_text("body")

    await until(shown, f"{text} at {address}")


async def test_an_ops_engineer_finds_a_dead_letter_and_sends_it_again_once_its_cause_is_mended(
    world: OpsWorld,
) -> None:
    await world.senders.accept("spoilt")
    # One works without scripts and a mouse, as the page has to; the other looks on.
    async with browser.tab(javascript=False) as tab, browser.tab() as eyes:
        await world.sign_in(tab, "ops", "/dead-letters")
        await world.sign_in(eyes, "ops", "/dead-letters")
        await until_shown(tab, f"{world.address}/dead-letters", "the handler failed: KeyError")
        assert "northshire/spoilt" in await tab.page.inner_text("main")
        await sound(eyes, "dead-letters", f"{world.address}/dead-letters")
        await tab.page.get_by_role("link", name="enrichment:1", exact=True).click()
        assert "/body/incident/adults" in await tab.page.inner_text("main"), "its shape, field by field"
        await sound(eyes, "dead-letter", f"{world.address}/dead-letters/enrichment:1")

        # The cause is not mended: it comes back, and says so.
        await tab.page.get_by_role("button", name="Send it again").click()
        await until_shown(tab, f"{world.address}/dead-letters/enrichment:1", "the cause is not mended")
        await sound(eyes, "dead-letter-again", f"{world.address}/dead-letters/enrichment:1")

        world.reader.mended = True
        await tab.go(f"{world.address}/dead-letters")
        keyboard = tab.page.keyboard
        await tab.page.get_by_label("again").first.focus()
        await keyboard.press("Space")
        await keyboard.press("Tab")
        await keyboard.press("Enter")
        await tab.page.wait_for_url("**/dead-letters?sent=1*")
        await until_shown(tab, f"{world.address}/dead-letters", "Nothing waits.")
        await until_shown(tab, f"{world.address}/dead-letters", "applied")
        assert world.reader.applied == ["northshire/spoilt"]

        async def nothing_on_top() -> bool:
            await tab.go(f"{world.address}/dead-letters")
            return "could not be handled" not in await tab.page.inner_text("body")

        await until(nothing_on_top, "the console to hear that both were dealt with")
        assert "olu" in await tab.page.inner_text("main")
        await sound(eyes, "dead-letters-done", f"{world.address}/dead-letters")
        await sound(eyes, "dead-letter-unknown", f"{world.address}/dead-letters/enrichment:99")
        assert "nothing aside under this number" in await eyes.page.inner_text("main")


async def test_a_recipient_in_trouble_comes_first_and_its_connection_can_be_tried(world: OpsWorld) -> None:
    world.hook.ill = True
    baby: dict[str, Any] = {"children": [{"id": "c1", "born": "2026-06-01", "area": "northbury"}]}
    for number in range(6):
        reference = f"ill-{number}"
        trunk = await world.senders.accept(reference, **baby)
        await world.senders.enrich(reference, trunk, **baby)
    async with browser.tab() as tab:
        await world.sign_in(tab, "ops", "/recipients")
        await until_shown(tab, f"{world.address}/recipients", "failing")
        assert "northbury-children" in await tab.page.locator("tbody th").first.inner_text()
        await sound(tab, "recipients")
        await tab.page.get_by_role("link", name="northbury-children").click()
        page = await tab.page.inner_text("main")
        assert "HTTP 503" in page
        assert "nothing is sent" in page or "one is tried" in page
        await sound(tab, "recipient")
        world.hook.ill = False
        await tab.page.get_by_role("button", name="Send a test message").click()
        assert "HTTP 200" in await tab.page.get_by_role("status").inner_text()
        await sound(tab, "recipient-tried")
        assert [body for _, body in world.hook.cases("/northbury-children") if b"Zephyrine" in body], (
            "there were people to be seen"
        )


async def test_a_change_of_a_recipient_waits_for_a_second_person_on_its_page(world: OpsWorld) -> None:
    body = {
        "schema": "waymark.recipient/1", "id": "northbury-refuge", "role": "specialist_domestic_abuse",
        "areas": ["northbury"], "channels": [{"kind": "inbox"}],
    }  # fmt: skip
    async with httpx.AsyncClient() as client:
        asked = await client.put(
            f"{world.delivery}/v1/recipients/northbury-refuge",
            json=body,
            headers=world.bearer("screener"),
        )
        assert asked.status_code == 202, asked.text
    async with browser.tab(javascript=False) as tab:
        await world.sign_in(tab, "screener", "/recipients")
        assert "Somebody else than you has to agree." in await tab.page.inner_text("main")
    async with browser.tab() as tab:
        await world.sign_in(tab, "ops", "/recipients")
        await sound(tab, "recipients-change")
        await tab.page.get_by_role("button", name="Agree to northbury-refuge").click()
        assert "Agreed." in await tab.page.get_by_role("status").inner_text()
        await tab.page.get_by_role("link", name="northbury-refuge").click()
        assert "specialist domestic abuse" in await tab.page.inner_text("main")


async def test_everybody_reads_what_is_in_force_in_plain_words(world: OpsWorld) -> None:
    async with browser.tab() as tab:
        await world.sign_in(tab, "board", "/protocols")
        main = await tab.page.inner_text("main")
        assert "Threshold scales of the London procedure" in main
        assert "1 January 2026" in main
        await sound(tab, "protocols")
        await tab.page.get_by_role("link", name="Threshold scales of the London procedure").first.click()
        main = await tab.page.inner_text("main")
        assert "the child's level is at least 4." in main
        assert "London 2008 s9.3.1" in main
        await sound(tab, "protocol")
        await tab.go(f"{world.address}/protocols/safeguards/1")
        assert "every area, beside its protocol" in await tab.page.inner_text("main")


async def test_two_people_of_two_agencies_approve_a_boards_own_protocol_on_its_page(world: OpsWorld) -> None:
    said = {"screener": "It waits for somebody of another agency", "social": "it may decide now"}
    for who, words in said.items():
        async with browser.tab() as tab:
            await world.sign_in(tab, who, "/protocols/board-trial/1")
            await sound(tab, f"protocol-own-{who}")
            await tab.page.get_by_role("button", name="Approve this version").click()
            assert words in await tab.page.get_by_role("status").inner_text()
            assert await tab.page.get_by_role("button", name="Approve this version").count() == 0
    async with browser.tab() as tab:
        await world.sign_in(tab, "board", "/protocols/board-trial/1")
        main = await tab.page.inner_text("main")
        assert "ann (police)" in main
        assert "sam (children's services)" in main
        assert await tab.page.get_by_role("button", name="Approve this version").count() == 0, "a board reads"


async def test_the_pipeline_is_a_picture_with_words_and_what_is_wrong_stands_on_every_page(
    world: OpsWorld,
) -> None:
    """No service stands still here, but a deadline is near and the conservation check has found a loss."""
    found = dict.fromkeys(CASE_STATES, 0) | {
        "accepted": 7, "routed": 6, "unverified": 0, "unaccounted": 1,
        "unaccounted_cases": [{"case": "northshire/lost", "revision": 1, "last_seen": "intake -> enrichment"}],
    }  # fmt: skip
    owner = Database(world.servers.database, "tests", as_owner=True)
    await keep(owner, found)
    await owner.close()
    async with browser.tab() as tab:
        await world.sign_in(tab, "ops", "/status")
        await until_shown(tab, f"{world.address}/status", "1 of 7 accepted revisions are in no named state")
        await tab.page.set_viewport_size({"width": 1200, "height": 900})
        picture = tab.page.get_by_role("img", name="The pipeline now")
        assert await picture.count() == 1, "the one that fits, and not both"
        assert await picture.is_visible()
        assert "waymark reconcile names each" in await tab.page.inner_text("h1 ~ ul")
        await sound(tab, "status")
        for path in (
            "/cases",
            "/recipients",
            "/dead-letters",
            "/protocols",
            "/month",
            "/cases/northshire/ill-1",
        ):
            await tab.go(f"{world.address}{path}")
            top = tab.page.get_by_role("region", name="How the system is")
            assert "1 accepted revision stands in no named state" in await top.inner_text(), path
            if path.startswith("/cases"):
                await sound(tab, path.strip("/").replace("/", "-"))


async def test_a_board_sees_its_month_beside_the_study_on_paper_and_as_a_file(world: OpsWorld) -> None:
    async with browser.tab() as tab:
        await world.sign_in(tab, "board", "/month")
        await until_shown(tab, f"{world.address}/month", "5 incidents were accepted")
        main = await tab.page.inner_text("main")
        assert "The study: 83 % of 184 families traced got no further action or a letter (153)" in main
        assert "Numbers from 1 to 4 are not told" in main
        await sound(tab, "month")
        await tab.go(f"{world.address}/month?month=2025-12")
        assert "0 incidents were accepted" in await tab.page.inner_text("main")
        await sound(tab, "month-empty")
    async with httpx.AsyncClient(base_url=world.address) as client:
        sheet = (await client.get("/month.csv", headers=world.bearer("board"))).text
        assert (
            ",northbury,cases,,"
            in (await client.get("/month.csv?area=northbury", headers=world.bearer("board"))).text
        )
        assert "section_47" in sheet
        document = (await client.get("/month.json", headers=world.bearer("board"))).json()
        assert document["areas"] == ["northbury"]
        assert (await client.get("/month?area=southmere", headers=world.bearer("board"))).status_code == 404
        assert (await client.get("/month?month=2026-13", headers=world.bearer("board"))).status_code == 404
        others = (await client.get("/month.json", headers=world.bearer("elsewhere"))).json()
        assert others["cases"] == 0, "another area's month"


PAGES = {
    "/status": {"ops", "screener", "social", "elsewhere"},
    "/cases": {"ops", "screener", "social", "elsewhere"},
    "/cases/northshire/ill-1": {"ops", "screener", "social"},
    "/recipients": {"ops", "screener", "social", "elsewhere"},
    "/recipients/northbury-children": {"ops", "screener", "social"},
    "/screening": {"screener", "social", "elsewhere"},
    "/meetings": {"coordinator", "screener", "social", "elsewhere"},
    "/dead-letters": {"ops"},
    "/dead-letters/enrichment:1": {"ops"},
    "/protocols": {"ops", "screener", "social", "elsewhere", "coordinator", "board"},
    "/protocols/london-dvrim/1": {"ops", "screener", "social", "elsewhere", "coordinator", "board"},
    "/month": {"ops", "screener", "social", "elsewhere", "coordinator", "board"},
    "/month.csv": {"ops", "screener", "social", "elsewhere", "coordinator", "board"},
    "/month.json": {"ops", "screener", "social", "elsewhere", "coordinator", "board"},
}


async def test_each_page_opens_to_its_roles_alone_and_names_nobody(world: OpsWorld) -> None:
    async with httpx.AsyncClient(base_url=world.address) as client:
        for path, allowed in PAGES.items():
            for who in ROLES:
                answer = await client.get(path, headers=world.bearer(who))
                expected = {200} if who in allowed else {403, 404}
                assert answer.status_code in expected, f"{who} {path}: {answer.status_code}"
                assert [canary for canary in CANARIES if canary in answer.text] == [], f"{who} {path}"
            assert (await client.get(path)).status_code in (401, 303), path
        for path in ("/dead-letters", "/dead-letters/enrichment:1", "/recipients/northbury-children"):
            for who in ("board", "coordinator", "champion", "police"):
                answer = await client.post(path, headers=world.bearer(who), data={"do": "ping"})
                assert answer.status_code == 403, f"{who} {path}"
            foreign = {**world.bearer("ops"), "origin": "https://elsewhere.example"}
            assert (await client.post(path, headers=foreign)).status_code == 403, path
        for who, sees in (("ops", True), ("screener", False)):
            status = (await client.get("/v1/status", headers=world.bearer(who))).text
            assert ("northshire/lost" in status) is sees, "a case of any area is for ops alone"
        beyond = await client.post(
            "/recipients/northbury-children", headers=world.bearer("elsewhere"), data={"do": "ping"}
        )
        assert beyond.status_code == 404, "another area's recipient"
