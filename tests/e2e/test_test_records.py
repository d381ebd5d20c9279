"""Records marked `test` go the whole way through the real services and never to a live recipient."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from services.delivery.receiver import Arrival
from services.intake.liveness import STAYS_LIVE
from shared.contracts.topics import DECIDED, ENRICHED
from tests.builders import an_incident
from tests.e2e.topics import newest
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.reconcile import conservation
from waymark.system import Plan, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

TESTING = "test-northbury-children"
PEOPLE = {
    "Ashworth": ("Sian", "1994-03-07", "Owen", "2026-07-16"),
    "Bickerstaff": ("Maureen", "1987-10-21", "Zachary", "2026-02-03"),
    "Cullingworth": ("Priya", "1999-06-30", "Amelie", "2026-09-28"),
    "Dunkerley": ("Hannah", "1991-01-14", "Rafferty", "2026-05-11"),
}
"""Of each family the mother and her infant: people of one name or one birth date might be taken for one."""


@dataclass
class World:
    """The whole system, and what live recipients were told by webhook."""

    system: System
    http: aiohttp.ClientSession
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def told_of(self, reference: str) -> list[tuple[str, dict[str, Any]]]:
        return [one for one in self.told if one[1]["case"] == f"northshire/{reference}"]

    async def post(self, reference: str, family: str, **changes: Any) -> None:
        """Post an incident of a family with an infant, and wait until everything has become of it that will."""
        given, born, child, child_born = PEOPLE[family]
        mother = {"id": "a1", "role": "victim", "name": {"given": given, "family": family}, "born": born}
        infant = {"id": "c1", "name": {"given": child, "family": family}, "born": child_born}
        incident = an_incident(
            reference=reference,
            adults=[mother],
            children=[infant],
            relationships=[{"from": "a1", "to": "c1", "kind": "parent"}],
            **changes,
        )
        headers = {**self._police(), "Content-Type": "application/json"}
        url = f"{self.system.url('intake')}/v1/incidents"
        async with self.http.post(url, data=orjson.dumps(incident), headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            revision = (await answer.json())["revision"]

        async def come_to_an_end() -> bool:
            found = await self.where(reference)
            return found["revision"] >= revision and found["state"] not in ("in_flight", "accepted")

        await until(come_to_an_end, f"{reference} to its end", 90)

    async def where(self, reference: str) -> dict[str, Any]:
        """What the police see of an incident."""
        url = f"{self.system.url('intake')}/v1/incidents/northshire/{reference}"
        async with self.http.get(url, headers=self._police()) as answer:
            return dict(await answer.json())

    async def inbox(self, recipient: str, reference: str) -> list[dict[str, Any]]:
        """What a recipient finds there of one incident."""
        headers = {"Authorization": f"Bearer {self.system.keys['recipient'][recipient]}"}
        async with self.http.get(f"{self.system.url('delivery')}/v1/inbox", headers=headers) as answer:
            told = [entry["notification"] for entry in (await answer.json())["entries"]]
        return [one for one in told if one["case"] == f"northshire/{reference}"]

    def _police(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.system.keys['police']['northshire']}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One system for all stories: each has a family of its own."""
    folder = Path(tempfile.mkdtemp(prefix="waymark-test-records-"))
    told: list[tuple[str, dict[str, Any]]] = []

    def take(arrival: Arrival) -> None:
        if not arrival.repeated:
            told.append((arrival.recipient, arrival.notification()))

    try:
        async with Receivers(folder, take) as receivers:
            system = System(Plan(folder, recipients=receivers.folder))
            async with (
                system.running(),
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
            ):
                await receivers.attend(system)
                yield World(system, http, told)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_test_record_goes_the_whole_way_and_touches_no_live_recipient_and_no_real_history(
    world: World,
) -> None:
    await world.post("LIVE-1", "Ashworth")
    live_before = await world.where("LIVE-1")
    await world.post("TRIAL-1", "Ashworth", test=True, occurred_at="2026-11-20T23:30:00Z")
    await world.post("LIVE-2", "Ashworth", occurred_at="2026-11-21T10:00:00Z")
    enriched = await newest(world.system.parts.kafka, ENRICHED)
    decided = await newest(world.system.parts.kafka, DECIDED)
    live_after = await world.where("LIVE-1")

    # The whole way: decided like any other, and told to whoever is there for trying out.
    assert decided["northshire/TRIAL-1"]["body"]["incident"]["test"] is True
    assert [told["test"] for told in await world.inbox(TESTING, "TRIAL-1")] == [True]
    # No live recipient: neither by webhook nor in an inbox.
    assert world.told_of("LIVE-1")
    assert world.told_of("LIVE-2")
    assert world.told_of("TRIAL-1") == []
    for recipient in world.system.keys["recipient"]:
        if recipient != TESTING:
            assert await world.inbox(recipient, "TRIAL-1") == []
    # No real history: neither the family's later nor its earlier incident counts it, nor it them.
    histories = {
        reference: [
            one["reference"]
            for one in enriched[f"northshire/{reference}"]["body"]["history"]["incidents"] or ()
        ]
        for reference in ("LIVE-1", "TRIAL-1", "LIVE-2")
    }
    assert histories == {"LIVE-1": [], "TRIAL-1": [], "LIVE-2": ["LIVE-1"]}
    assert live_after == live_before


async def test_a_live_case_stays_live_though_it_is_amended_as_a_test(world: World) -> None:
    await world.post("LIVE-3", "Bickerstaff", revision=1)
    before = await world.where("LIVE-3")
    await world.post("LIVE-3", "Bickerstaff", revision=2, test=True, summary="Child taken to hospital.")
    after = await world.where("LIVE-3")
    await world.post("LIVE-4", "Bickerstaff", occurred_at="2026-11-21T10:00:00Z")
    enriched = await newest(world.system.parts.kafka, ENRICHED)

    # The sender hears, and the case goes on as before: in its family's history, told to live recipients.
    assert [fault["because"] for fault in after["faults"] if fault["at"] == "/test"] == [STAYS_LIVE]
    assert world.told_of("LIVE-3")
    assert not [note for _, note in world.told_of("LIVE-3") if note.get("test")]
    assert await world.inbox(TESTING, "LIVE-3") == []
    still = {(one["service"], one.get("area")) for one in after["services"]}
    assert still >= {(one["service"], one.get("area")) for one in before["services"]}
    history = enriched["northshire/LIVE-4"]["body"]["history"]["incidents"]
    assert [one["reference"] for one in history] == ["LIVE-3"]

    # To take it back there is `withdrawn`: everyone who was told of it is told.
    told = {recipient for recipient, _ in world.told_of("LIVE-3")}
    await world.post("LIVE-3", "Bickerstaff", revision=3, withdrawn=True)

    async def all_are_told() -> bool:
        newest_of = dict(world.told_of("LIVE-3"))
        return all(newest_of[recipient].get("withdrawn") for recipient in told)

    await until(all_are_told, "everyone who was told of it hears that it is withdrawn", 60)


async def test_a_test_that_is_sent_again_as_live_goes_to_live_recipients_from_then_on(world: World) -> None:
    await world.post("TRIAL-2", "Cullingworth", revision=1, test=True)
    assert world.told_of("TRIAL-2") == []
    assert len(await world.inbox(TESTING, "TRIAL-2")) == 1
    await world.post("TRIAL-2", "Cullingworth", revision=2, test=False)

    async def is_told() -> bool:
        return bool(world.told_of("TRIAL-2"))

    await until(is_told, "live recipients are told", 60)
    assert not [note for _, note in world.told_of("TRIAL-2") if note.get("test")]


async def test_a_live_revision_that_comes_behind_a_test_reaches_live_recipients(world: World) -> None:
    await world.post("BEHIND", "Dunkerley", revision=2, test=True, summary="Child taken to hospital.")
    assert world.told_of("BEHIND") == []
    await world.post("BEHIND", "Dunkerley", revision=1)

    async def is_told() -> bool:
        return bool(world.told_of("BEHIND"))

    await until(is_told, "live recipients are told", 60)
    decided = await newest(world.system.parts.kafka, DECIDED)
    body = decided["northshire/BEHIND"]["body"]
    assert (body["revision"], body["incident"].get("test")) == (2, None), "the newest revision, as live"


async def test_nothing_of_it_all_is_unaccounted_for(world: World) -> None:
    checked = await conservation(world.system.parts.database, world.system.parts.kafka)
    assert checked["unaccounted"] == 0
