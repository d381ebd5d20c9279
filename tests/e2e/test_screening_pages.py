"""The joint team at work in a real browser: triage and the console run, and people use their pages."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass

import pytest
import pytest_asyncio
import uvicorn

from services.console.main import create_app
from services.console.settings import Settings
from shared.contracts.history import History
from shared.db import Database
from tests.e2e import browser
from tests.e2e.browser import sound
from tests.integration.conftest import servers  # noqa: F401 (a fixture)
from tests.integration.test_delivery import serve
from tests.integration.test_triage import NOTHING_BEFORE, World, mild, strangling, world  # noqa: F401 (fixtures)
from tests.integration.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED),
]

HOSTILE = "</textarea><script>alert(1)</script>"


@dataclass
class Team:
    """The console before a running triage."""

    world: World
    address: str

    async def sign_in(self, tab: browser.Tab, who: str, onward: str) -> None:
        """As a person does."""
        await tab.go(f"{self.address}{onward}")
        await tab.page.get_by_label("Your key").fill(self.world.held[who])
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(f"{self.address}{onward}")

    async def forget_sessions(self) -> None:
        """As if all of them had come to their end."""
        database = Database(self.world.servers.database, "console", pool_size=1)
        try:
            async with database.transaction() as tx:
                await tx.execute("DELETE FROM sessions")
        finally:
            await database.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def team(world: World) -> AsyncIterator[Team]:  # noqa: F811
    async with AsyncExitStack() as stack:
        triage = await serve(stack, world.client._transport.app)  # type: ignore[attr-defined]
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = Settings(
            database=world.servers.database,
            kafka=world.servers.kafka,
            partitions=world.servers.partitions,
            session_secret="s" * 40,
            triage_url=f"http://127.0.0.1:{triage}",
            port=port,
        )
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started, "the console")
        yield Team(world, f"http://127.0.0.1:{port}")
        server.should_exit = True
        await serving


def a_past() -> History:
    """Two earlier incidents, a child whom the police do not name, an open case that says another birth date."""
    return History.model_validate(
        {
            "status": "complete",
            "incidents": [
                {
                    "force": "northshire", "reference": "OLD-1", "occurred_at": "2025-03-01T20:00:00Z",
                    "police_level": "standard", "child_level": 2,
                },
                {
                    "force": "northshire", "reference": "OLD-2", "occurred_at": "2026-06-01T20:00:00Z",
                    "police_level": "high", "child_level": 4, "injury": True,
                },
                {
                    "force": "northshire", "reference": "MAYBE-1", "occurred_at": "2026-07-01T20:00:00Z",
                    "police_level": "high", "link": "likely",
                },
            ],
            "involvement": [
                {
                    "child": "c1", "level": "open", "open": True, "worker": "Team 4",
                    "as_of": "2026-11-20T06:00:00Z",
                    "pathways": [
                        {"pathway": "section_17", "from": "2025-04-01", "to": "2025-09-01"},
                        {"pathway": "section_47", "from": "2026-06-03"},
                    ],
                }
            ],
            "marac": [{"victim": "a1", "perpetrator": "a2", "referred_on": "2026-06-05"}],
            "children_known": [
                {"id": "R-1", "child": "c1", "born": "2014-05-17", "area": "northbury"},
                {"id": "R-2", "born": "2021-01-09", "area": "northbury"},
            ],
            "orders": [
                {"person": "a1", "order": "bail", "told_on": "2026-06-01"},
                {"person": "a1", "order": "occupation", "told_on": "2026-07-01", "link": "likely"},
            ],
            "repeats": [{"months": 6, "incidents": 1}],
        }
    )  # fmt: skip


async def test_a_screener_works_a_queue_of_twenty_by_keyboard_alone(team: Team) -> None:
    world = team.world  # noqa: F811
    bodies = [mild(f"day-{number:02}") for number in range(20)]
    await world.tell(*(mild(one.incident.reference, incident=strangling(one)) for one in bodies))
    for one in bodies:
        await world.come(one.incident.case)
    async with browser.tab() as tab:
        await team.sign_in(tab, "worker", "/screening")
        keyboard = tab.page.keyboard
        await sound(tab, "screening-board")
        await keyboard.press("j")
        await keyboard.press("j")
        assert await tab.page.evaluate("document.activeElement.closest('tr').rowIndex") == 2
        seen = set()
        for _ in range(20):
            await keyboard.press("n")
            await tab.page.wait_for_url(re.compile(r"/day-\d\d$"))
            seen.add(tab.page.url)
            await keyboard.press("c")
            await keyboard.press("Enter")
            await tab.page.wait_for_url("**?done=confirm")
            assert "left the queue" in await tab.page.inner_text("[role=alert]")
        assert len(seen) == 20
        await tab.go(f"{team.address}/screening")
        assert "0 cases wait" in await tab.page.inner_text("main")
        assert tab.complaints == []
    looked = await world.rows("SELECT who FROM audit WHERE act = 'looked' AND \"case\" = 'northshire/day-00'")
    assert {row["who"] for row in looked} == {"worker-3"}


async def test_the_case_page_shows_both_agencies_and_nothing_of_a_link_in_doubt(team: Team) -> None:
    world = team.world  # noqa: F811
    people = [
        {"id": "a1", "role": "victim", "name": {"given": HOSTILE, "family": "Hughes"}, "area": "northbury"}
    ]
    body = mild("sides", history=a_past(), adults=people, summary=HOSTILE)
    await world.tell(body)
    await world.come("northshire/sides")
    async with browser.tab() as tab:
        await team.sign_in(tab, "worker", "/screening/northshire/sides")
        text = await tab.page.inner_text("main")
        assert text.count(HOSTILE) >= 2
        assert "birth date: police 2014-05-16, children's services 2014-05-17" in text
        assert "the police did not name this child" in text
        assert "open case, worker Team 4" in text
        assert "OLD-2" in text
        assert "MAYBE-1" not in await tab.page.content()
        assert "Earlier incidents: 1 in 6 months." in text
        assert "bail (told on 1 June 2026)" in text
        assert "occupation" not in text
        assert await tab.page.locator(".way-timeline .way-mark").count() >= 2
        assert await tab.page.locator(".way-timeline .way-bar--working").count() == 2
        await sound(tab, "screening-case")
        assert tab.complaints == []
        await tab.go(f"{team.address}/screening/northshire/nowhere")
        assert "No such case" in await tab.page.inner_text("h1")


async def test_two_people_of_two_agencies_lower_a_case_on_its_page_without_javascript(team: Team) -> None:
    case = "northshire/lower-page"
    body = mild("lower-page")
    await team.world.tell(mild("lower-page", incident=strangling(body)))
    await team.world.come(case)
    await team.world.tell(mild("lower-page", revision=2))
    await team.world.come(case, 2)
    for who, reason, button, said in (
        ("officer", "The record was wrong.", "Propose", "waits for a second person"),
        ("worker", "We asked her ourselves.", "Agree to lower", "Lowered by the two of you"),
    ):
        # axe is a script itself: only one of the two goes without.
        async with browser.tab(javascript=who == "officer") as tab:
            await team.sign_in(tab, who, f"/screening/{case}")
            assert "The record was wrong." not in await tab.page.inner_text("main")
            form = tab.page.locator("form").filter(has=tab.page.get_by_role("button", name=button))
            await form.get_by_label("Your reason").fill(reason)
            await form.get_by_role("button").click()
            assert said in await tab.page.inner_text("[role=alert]")
            if who == "officer":
                await sound(tab, "screening-proposed")
    low = await team.world.come(case, 3)
    assert low.decision.receipt["result"]["css_response"] == "early_help"


async def test_a_case_decided_anew_while_it_is_looked_at_says_so_and_loses_nothing_typed(team: Team) -> None:
    case = "northshire/meanwhile"
    body = mild("meanwhile")
    await team.world.tell(body)
    await team.world.come(case)
    async with browser.tab() as tab:
        await team.sign_in(tab, "officer", f"/screening/{case}")
        await tab.page.locator("#raise_reason").fill(f"Her sister rang. {HOSTILE}")
        await tab.page.locator("#css_response").select_option("section_17")
        await team.world.tell(mild("meanwhile", revision=2, incident=strangling(body)))
        await team.world.come(case, 2)
        await tab.page.locator("#changed").wait_for(state="visible")
        assert await tab.page.locator("#live").get_attribute("data-version") == "1"
        await tab.page.get_by_role("button", name="Raise").click()
        await tab.page.locator(".govuk-error-summary").wait_for()
        assert "version 2" in await tab.page.inner_text("main")
        assert await tab.page.locator("#raise_reason").input_value() == f"Her sister rang. {HOSTILE}"
        assert await tab.page.locator("#css_response").input_value() == "section_17"
        await sound(tab, "screening-refused")


async def test_what_was_written_when_the_session_ended_is_there_after_signing_in_and_was_not_sent(
    team: Team,
) -> None:
    case = "northshire/expired"
    await team.world.tell(mild("expired"))
    await team.world.come(case)
    async with browser.tab() as tab:
        await team.sign_in(tab, "officer", f"/screening/{case}")
        await tab.page.locator("#raise_reason").fill("Her sister rang.")
        await tab.page.locator("#css_response").select_option("section_47")
        await team.forget_sessions()
        await tab.page.get_by_role("button", name="Raise").click()
        await tab.page.wait_for_url("**/login?*")
        await tab.page.get_by_label("Your key").fill(team.world.held["officer"])
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(f"{team.address}/screening/{case}")
        assert "Nothing was sent" in await tab.page.inner_text("main")
        assert await tab.page.locator("#raise_reason").input_value() == "Her sister rang."
        assert await tab.page.locator("#css_response").input_value() == "section_47"
        await sound(tab, "screening-kept")
        await tab.page.get_by_role("button", name="Raise").click()
        await tab.page.wait_for_url("**?done=raise")
    assert (await team.world.come(case, 2)).decision.receipt["result"]["css_response"] == "section_47"


async def test_a_case_is_taken_handed_over_and_then_another_persons(team: Team) -> None:
    case = "northshire/handed"
    body = mild("handed")
    await team.world.tell(mild("handed", incident=strangling(body)))
    await team.world.come(case)
    async with browser.tab() as tab:
        await team.sign_in(tab, "officer", f"/screening/{case}")
        await tab.page.get_by_role("button", name="Take this case").click()
        await tab.page.get_by_label("Hand over to").fill("nobody-1")
        await tab.page.get_by_role("button", name="Hand over").click()
        assert "no person of that name" in await tab.page.inner_text(".govuk-error-summary")
        await tab.page.get_by_label("Hand over to").fill("worker-3")
        await tab.page.get_by_role("button", name="Hand over").click()
        await tab.page.wait_for_url("**?done=hand_over")
        assert "worker-3 has this case" in await tab.page.inner_text("main")
        await tab.page.get_by_role("button", name="Confirm").click()
        assert "worker-3 works on this case" in await tab.page.inner_text(".govuk-error-summary")


async def test_nobody_but_the_joint_team_has_these_pages_and_each_person_their_areas(team: Team) -> None:
    async with browser.tab() as tab:
        await team.sign_in(tab, "ops", "/status")
        await tab.go(f"{team.address}/screening")
        assert tab.statuses[f"{team.address}/screening"] == 403
    async with browser.tab() as tab:
        await team.sign_in(tab, "elsewhere", "/screening")
        await tab.go(f"{team.address}/screening/northshire/handed")
        assert tab.statuses[f"{team.address}/screening/northshire/handed"] == 404
