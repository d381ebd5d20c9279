"""The console on the real broker and database: events in, pages out, and nobody's details in between."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.console.main import create_app
from services.console.settings import Settings
from shared import keys, ledger
from shared.contracts.events import (
    CaseAnswered,
    DeadLetter,
)
from shared.contracts.history import History
from shared.contracts.topics import DEAD_LETTERS, OUTCOMES
from tests.integration.conftest import Servers
from tests.integration.senders import TRACE, Senders, branch
from tests.integration.waiting import until

CANARIES = ("Zephyrine", "Quillfeather", "Nettlebed Row", "ZZ9 9ZZ", "hid in the wardrobe", "locked the door")


@asynccontextmanager
async def console(servers: Servers, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = create_app(
        Settings(
            database=servers.database,
            kafka=servers.kafka,
            partitions=servers.partitions,
            session_secret="s" * 40,
            watch_every_s=0.2,
            **settings,
        )
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console.test") as client:
            yield client


@pytest.fixture
async def senders(servers: Servers) -> AsyncIterator[Senders]:
    made = Senders(servers)
    yield made
    await made.close()


async def key_of(servers: Servers, role: keys.Role, **other: Any) -> str:
    connection = await asyncpg.connect(servers.database)
    key = keys.new_key()
    await connection.execute(
        "INSERT INTO access.keys (id, digest, role, person, areas) VALUES ($1, $2, $3, $4, $5)",
        keys.digest(key)[:8],
        keys.digest(key),
        role,
        other.get("person"),
        other.get("areas"),
    )
    await connection.close()
    return key


async def as_ops(servers: Servers, client: httpx.AsyncClient) -> None:
    client.headers["authorization"] = f"Bearer {await key_of(servers, 'ops')}"


async def case_when(
    client: httpx.AsyncClient, reference: str, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def so() -> bool:
        nonlocal shown
        answer = await client.get(f"/v1/cases/northshire/{reference}")
        return answer.status_code == 200 and holds(shown := answer.json())

    await until(so, f"{reference} as expected")
    return shown


async def status_when(client: httpx.AsyncClient, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def so() -> bool:
        nonlocal shown
        shown = (await client.get("/v1/status")).json()
        return holds(shown)

    await until(so, "the status as expected")
    return shown


async def test_a_case_is_followed_from_intake_to_the_services_receipt(
    servers: Servers, senders: Senders
) -> None:
    due = ledger.now() + timedelta(minutes=14)
    async with console(servers) as client:
        await as_ops(servers, client)
        trunk = await senders.accept("followed")
        shown = await case_when(client, "followed", lambda case: True)
        assert (shown["state"], shown["waiting_for"]) == ("in_flight", "enrichment")

        trunk = await senders.enrich("followed", trunk, history=History(status="complete"))
        shown = await case_when(client, "followed", lambda case: case["waiting_for"] == "triage")

        trunk = await senders.decide("followed", trunk, due)
        shown = await case_when(client, "followed", lambda case: case["waiting_for"] == "delivery")
        assert (shown["css_response"], shown["child_level"]) == ("section_47", 4)
        assert shown["services"] == ["childrens_services", "marac"]
        assert 13 <= shown["minutes_to_deadline"] <= 14, "a route's deadline runs before there is a delivery"
        assert shown["trace_id"] == TRACE
        assert shown["protocol"] == "london-dvrim/1"
        assert [entry["stage"] for entry in shown["ledger"]] == ["police", "intake", "enrichment", "triage"]
        assert shown["time"]["total_ms"] == pytest.approx(ledger.total_ms(trunk), abs=200)

        late = branch("northbury-edt", "waiting", due + timedelta(hours=3), trunk)
        await senders.answer(
            "followed", trunk, "in_flight", branch("northbury-children", "waiting", due, trunk), late
        )
        shown = await case_when(client, "followed", lambda case: bool(case["deliveries"]))
        assert shown["waiting_for"] is None
        assert shown["deliveries"][0]["words"].startswith("breaches in 1")

        done = [branch(r, "received", due, trunk) for r in ("northbury-children", "northbury-edt")]
        # A day later the recipient decides: that is on the branch, and does not make the delivery late.
        decided = ledger.add_wait(done[0].ledger, "decided", done[0].ledger[-1].to, due + timedelta(days=1))
        done[0] = done[0].model_copy(update={"ledger": decided})
        await senders.answer("followed", trunk, "routed", *done)
        shown = await case_when(client, "followed", lambda case: case["state"] == "routed")
        assert shown["minutes_to_deadline"] is None
        assert [one["state"] for one in shown["deliveries"]] == ["received", "received"]
        assert shown["deliveries"][0]["words"].startswith("met with 1")
        assert shown["deliveries"][0]["late"] is False

        page = (await client.get("/cases/northshire/followed")).text
        assert page.count('class="way-bar--working"') == 6, "four stages and two branches"
        assert "The same in figures" in page
        assert TRACE in page


async def test_no_details_of_people_are_kept_or_shown(servers: Servers, senders: Senders) -> None:
    due = ledger.now() + timedelta(hours=1)
    async with console(servers) as client:
        await as_ops(servers, client)
        trunk = await senders.decide(
            "people", await senders.enrich("people", await senders.accept("people")), due
        )
        answer = {
            "version": 1, "recipient": "northbury-children", "service": "childrens_services",
            "kind": "rejected", "reason": "Zephyrine Quillfeather is not known to us", "at": ledger.now(),
        }  # fmt: skip
        body = CaseAnswered.model_validate(
            {"case": "northshire/people", "version": 1, "revision": 1, "state": "routed", "answers": [answer]}
        )
        await senders.emit("delivery", OUTCOMES, "northshire/people", body, trunk, ledger.now())
        await case_when(client, "people", lambda case: case["state"] == "routed")
        said = [
            (await client.get(path)).text
            for path in (
                "/status",
                "/cases",
                "/cases/northshire/people",
                "/v1/status",
                "/v1/cases/northshire/people",
            )
        ]
    connection = await asyncpg.connect(servers.database)
    stored = await connection.fetch("SELECT c::text AS line FROM console.cases AS c")
    await connection.close()
    said += [row["line"] for row in stored]
    assert any("northshire/people" in text for text in said)
    assert [canary for canary in CANARIES for text in said if canary in text] == []


async def test_the_status_counts_measures_and_warns(servers: Servers, senders: Senders) -> None:
    past, soon = ledger.now() - timedelta(minutes=5), ledger.now() + timedelta(minutes=12, seconds=30)
    async with console(servers) as client:
        await as_ops(servers, client)
        for reference, due in (("overdue", past), ("soon", soon)):
            trunk = await senders.enrich(reference, await senders.accept(reference))
            trunk = await senders.decide(reference, trunk, due)
            done = branch(f"{reference}-other", "received", soon, trunk, took_ms=80)
            await senders.answer(reference, trunk, "in_flight", branch(reference, "waiting", due, trunk), done)
            # The same said again must not count twice.
            await senders.answer(reference, trunk, "in_flight", branch(reference, "waiting", due, trunk), done)
        await senders.decide(
            "held", await senders.enrich("held", await senders.accept("held")), soon, state="held"
        )
        await case_when(client, "held", lambda case: case["state"] == "held")

        status = await status_when(
            client,
            lambda s: (
                s["deadlines"]["overdue"] == 1
                and {one["case"] for one in s["deadlines"]["nearest"]}
                >= {"northshire/overdue", "northshire/soon"}
            ),
        )
        assert status["condition"] == "wrong"
        assert "1 case has a deadline that has passed unmet." in [
            notice["words"] for notice in status["notices"]
        ]
        nearest = {one["case"]: one["words"] for one in status["deadlines"]["nearest"]}
        assert nearest["northshire/overdue"] == "breached 5 minutes ago"
        assert nearest["northshire/soon"] == "breaches in 12 minutes"
        assert status["states_last_day"]["held"] == 1

        status = await status_when(
            client,
            lambda s: (
                all(stage["passed"] for stage in s["stages"]) and s["services"][1]["lag_events"] is not None
            ),
        )
        stages = {stage["stage"]: stage for stage in status["stages"]}
        assert stages["delivery"]["p99_ms"] == pytest.approx(83, rel=0.095), "3 ms planning, 80 on the way"
        assert stages["triage"]["p50_ms"] <= stages["triage"]["p99_ms"]
        # Nobody reads as enrichment here: all that intake sent waits for it.
        assert status["services"][1]["lag"]["waymark.incidents.v1"] > 0

        page = (await client.get("/status")).text
        assert "Something is wrong" in page
        assert "breaches in 12 minutes" in page


async def test_each_delivery_counts_once_however_often_it_is_told(servers: Servers, senders: Senders) -> None:
    due = ledger.now() + timedelta(hours=1)
    async with console(servers) as client:
        await as_ops(servers, client)
        before = {s["stage"]: s["passed"] for s in (await client.get("/v1/status")).json()["stages"]}
        trunk = await senders.decide("once", await senders.enrich("once", await senders.accept("once")), due)
        await case_when(client, "once", lambda case: case["waiting_for"] == "delivery")
        for state in ("in_flight", "in_flight", "routed"):
            await senders.answer("once", trunk, state, branch("once", "received", due, trunk))
        await case_when(client, "once", lambda case: case["state"] == "routed")
        await asyncio.sleep(1.5)  # the pace is stored once a second
        after = {s["stage"]: s["passed"] for s in (await client.get("/v1/status")).json()["stages"]}
        assert after["delivery"] - before["delivery"] == 1
        assert after["end_to_end"] - before["end_to_end"] == 1


async def test_a_dead_letter_is_seen_even_when_the_same_sender_said_more_since(
    servers: Servers, senders: Senders
) -> None:
    due = ledger.now() + timedelta(hours=1)
    async with console(servers) as client:
        await as_ops(servers, client)
        trunk = await senders.enrich("put-aside", await senders.accept("put-aside"))
        await senders.decide("put-aside", trunk, due)
        await case_when(client, "put-aside", lambda case: case["version"] == 1)
        letter = DeadLetter(
            service="triage", topic="waymark.enriched.v1", partition=0, offset=77, case="northshire/put-aside",
            reason="the handler failed: KeyError", size_bytes=100, at=ledger.now(),
        )  # fmt: skip
        # Numbered apart from the case's states: its low number must not make the console drop it.
        async with senders.outbox("triage").transaction(publish=False) as tx:
            tx.emit(DEAD_LETTERS, "northshire/put-aside", letter, started=ledger.now())
        await senders.outbox("triage").publish(tx.stored)
        shown = await case_when(client, "put-aside", lambda case: bool(case["dead_letters"]))
        assert shown["state"] == "dead_lettered"
        status = (await client.get("/v1/status")).json()
        assert "the handler failed: KeyError" in [one["reason"] for one in status["dead_letters"]["newest"]]

        await senders.decide("put-aside", trunk, due)
        shown = await case_when(client, "put-aside", lambda case: case["state"] != "dead_lettered")
        # Of another, whose service says nothing more of the case, it is told that somebody dealt with it.
        other = letter.model_copy(update={"service": "intake", "offset": 78})
        for said, waits in ((other, True), (other.model_copy(update={"resolution": "resent"}), False)):
            async with senders.outbox("intake").transaction(publish=False) as tx:
                tx.emit(DEAD_LETTERS, "northshire/put-aside", said, started=ledger.now())
            await senders.outbox("intake").publish(tx.stored)

            def so(case: dict[str, Any], waits: bool = waits) -> bool:
                return (case["state"] == "dead_lettered") is waits

            shown = await case_when(client, "put-aside", so)
        assert shown["dead_letters"], "what was put aside stays on the case's page"


async def test_an_amendment_makes_the_case_wait_again_and_an_older_decision_does_not_end_it(
    servers: Servers, senders: Senders
) -> None:
    due = ledger.now() + timedelta(hours=1)
    async with console(servers) as client:
        await as_ops(servers, client)
        trunk = await senders.decide("again", await senders.enrich("again", await senders.accept("again")), due)
        await senders.answer("again", trunk, "routed", branch("again", "received", due, trunk))
        await case_when(client, "again", lambda case: case["state"] == "routed")
        newer = await senders.accept("again", revision=2)
        shown = await case_when(client, "again", lambda case: case["revision"] == 2)
        assert (shown["state"], shown["waiting_for"]) == ("in_flight", "enrichment")
        newer = await senders.decide("again", await senders.enrich("again", newer, 2), due, revision=2)
        await senders.answer("again", newer, "routed", branch("again", "received", due, newer), revision=2)
        await case_when(client, "again", lambda case: case["state"] == "routed" and case["version"] == 2)


async def test_cases_are_listed_newest_first_and_filtered(servers: Servers, senders: Senders) -> None:
    due = ledger.now() + timedelta(hours=1)
    references = [f"list-{i:02}" for i in range(55)]
    async with console(servers) as client:
        await as_ops(servers, client)
        for reference in references:
            await senders.accept(reference)
        trunk = await senders.enrich("list-00", await senders.accept("list-00"))
        await senders.decide("list-00", trunk, due, state="held")
        await case_when(client, "list-54", lambda case: True)
        await case_when(client, "list-00", lambda case: case["state"] == "held")

        def listed(text: str) -> list[str]:
            return re.findall(r'href="/cases/northshire/(list-\d\d)"', text)

        first = (await client.get("/cases", params={"find": "NORTHSHIRE/LIST-"})).text
        (older,) = re.findall(r'href="(/cases\?[^"]*before=[^"]*)"', first)
        second = (await client.get(html.unescape(older))).text
        assert len(listed(first)) == 50
        assert sorted(listed(first) + listed(second)) == references
        assert listed(first)[0] == "list-54", "list-00 keeps the place that its first revision gave it"
        held = (await client.get("/cases", params={"find": "list-", "state": "held"})).text
        assert listed(held) == ["list-00"]
        assert "No case is like that" in (await client.get("/cases", params={"find": "no such"})).text
        assert (await client.get("/cases", params={"before": "nonsense", "state": "x'; --"})).status_code == 200


async def test_a_hostile_reference_is_found_and_shown_as_text(servers: Servers, senders: Senders) -> None:
    reference = 'x"><script>alert(1)</script>/../y'
    async with console(servers) as client:
        await as_ops(servers, client)
        await senders.accept(reference)
        for _ in range(200):
            page = (await client.get("/cases", params={"find": "alert("})).text
            if "alert(1)" in page:
                break
            await asyncio.sleep(0.05)
        assert "<script>alert" not in page
        (link,) = re.findall(r'<th scope="row"[^>]*><a class="govuk-link" href="([^"]+)"', page)
        shown = await client.get(html.unescape(link))
        assert shown.status_code == 200
        assert "&lt;script&gt;alert(1)" in shown.text
        assert "<script>alert" not in shown.text


async def test_nobody_sees_anything_without_a_key_of_the_right_role(servers: Servers, senders: Senders) -> None:
    html_wanted = {"accept": "text/html"}
    async with console(servers) as client:
        answer = await client.get("/v1/status")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        for path in ("/status", "/cases?state=held", "/cases/northshire/x"):
            answer = await client.get(path, headers=html_wanted)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login")
        police = await key_of(servers, "police")
        answer = await client.get("/v1/status", headers={"authorization": f"Bearer {police}"})
        assert answer.status_code == 403
        assert (await client.post("/login", data={"key": police})).status_code == 403
        assert (await client.post("/login", data={"key": "wmk_nonsense"})).status_code == 401
        assert (await client.get("/static/console.css")).status_code == 200
        assert (await client.get("/docs")).status_code == 200


async def test_a_login_lasts_in_a_cookie_that_scripts_and_other_sites_cannot_use(servers: Servers) -> None:
    async with console(servers) as client:
        key = await key_of(servers, "ops")
        answer = await client.post("/login", data={"key": key, "next": "/cases?state=held"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases?state=held")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert key not in cookie
        page = await client.get("/cases", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in page.headers["content-security-policy"]

        forged = client.cookies["waymark_session"][:-1] + (
            "0" if client.cookies["waymark_session"][-1] != "0" else "1"
        )
        async with httpx.AsyncClient(transport=client._transport, base_url="http://console.test") as other:
            assert (
                await other.get("/v1/status", headers={"cookie": f"waymark_session={forged}"})
            ).status_code == 401
            foreign = {"origin": "https://elsewhere.example"}
            assert (await other.post("/login", data={"key": key}, headers=foreign)).status_code == 403

        await client.post("/logout")
        assert (await client.get("/v1/status")).status_code == 401


async def test_a_person_sees_the_cases_of_their_areas_alone(servers: Servers, senders: Senders) -> None:
    async with console(servers) as client:
        ours = await key_of(servers, "person", person="p1", areas=["northbury"])
        theirs = await key_of(servers, "person", person="p2", areas=["southmere"])
        await senders.accept("area")
        client.headers["authorization"] = f"Bearer {ours}"
        await case_when(client, "area", lambda case: True)
        assert "northshire/area" in (await client.get("/cases")).text
        client.headers["authorization"] = f"Bearer {theirs}"
        assert (await client.get("/v1/cases/northshire/area")).status_code == 404
        assert "northshire/area" not in (await client.get("/cases")).text


async def test_a_service_that_does_not_answer_is_said_at_the_top(servers: Servers) -> None:
    async with console(servers, triage_url="http://127.0.0.1:9") as client:
        await as_ops(servers, client)
        status = await status_when(client, lambda s: s["services"][2]["health"] == "unreachable")
        assert status["condition"] == "wrong"
        assert status["notices"][0]["words"].startswith("triage does not answer.")
        assert status["services"][4]["health"] in ("up", "degraded")
        assert status["at"] <= datetime.now(UTC).isoformat()
