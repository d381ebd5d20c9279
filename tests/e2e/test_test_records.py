"""Records marked `test` go the whole way through the real services and never to a live recipient."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from services.delivery.receiver import Arrival
from services.intake.liveness import STAYS_LIVE
from shared.contracts.topics import DECIDED, ENRICHED
from tests.builders import an_incident
from tests.e2e.topics import newest
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.reconcile import conservation
from waymark.system import Plan, System

TESTING = "test-northbury-children"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="waymark-test-records-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@dataclass
class World:
    """The whole system, and what live recipients were told by webhook."""

    system: System
    http: aiohttp.ClientSession
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def told_of(self, reference: str) -> list[tuple[str, dict[str, Any]]]:
        return [one for one in self.told if one[1]["case"] == f"northshire/{reference}"]

    async def post(self, reference: str, **changes: Any) -> None:
        """Post an incident with an infant, and wait until everything has become of it that will."""
        infant = [{"id": "c1", "name": {"given": "Owen", "family": "Hughes"}, "born": "2026-07-16"}]
        incident = an_incident(reference=reference, children=infant, **changes)
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

    async def inbox(self, recipient: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.system.keys['recipient'][recipient]}"}
        async with self.http.get(f"{self.system.url('delivery')}/v1/inbox", headers=headers) as answer:
            return list((await answer.json())["entries"])

    def _police(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.system.keys['police']['northshire']}"}


@asynccontextmanager
async def world_in(folder: Path) -> AsyncIterator[World]:
    told: list[tuple[str, dict[str, Any]]] = []

    def take(arrival: Arrival) -> None:
        if not arrival.repeated:
            told.append((arrival.recipient, arrival.notification()))

    async with Receivers(folder, take) as receivers:
        system = System(Plan(folder, recipients=receivers.folder))
        async with (
            system.running(),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
        ):
            await receivers.attend(system)
            yield World(system, http, told)


@pytest.mark.timeout(300)
async def test_a_test_record_goes_the_whole_way_and_touches_no_live_recipient_and_no_real_history(
    folder: Path,
) -> None:
    async with world_in(folder) as world:
        await world.post("LIVE-1")
        live_before = await world.where("LIVE-1")
        await world.post("TRIAL", test=True, occurred_at="2026-11-20T23:30:00Z")
        await world.post("LIVE-2", occurred_at="2026-11-21T10:00:00Z")
        trial = await world.inbox(TESTING)
        enriched = await newest(world.system.parts.kafka, ENRICHED)
        decided = await newest(world.system.parts.kafka, DECIDED)
        live_after = await world.where("LIVE-1")

        # The whole way: decided like any other, and told to whoever is there for trying out.
        assert decided["northshire/TRIAL"]["body"]["incident"]["test"] is True
        assert [entry["notification"]["case"] for entry in trial] == ["northshire/TRIAL"]
        assert trial[0]["notification"]["test"] is True
        # No live recipient: neither by webhook nor in an inbox.
        assert world.told_of("LIVE-1")
        assert world.told_of("LIVE-2")
        assert world.told_of("TRIAL") == []
        for recipient in world.system.keys["recipient"]:
            if recipient != TESTING:
                seen = {entry["notification"]["case"] for entry in await world.inbox(recipient)}
                assert "northshire/TRIAL" not in seen
        # No real history: neither the family's later nor its earlier incident counts it, nor it them.
        histories = {
            case.partition("/")[2]: [one["reference"] for one in event["body"]["history"]["incidents"] or ()]
            for case, event in enriched.items()
        }
        assert histories == {"LIVE-1": [], "TRIAL": [], "LIVE-2": ["LIVE-1"]}
        assert live_after == live_before


@pytest.mark.timeout(300)
async def test_a_live_case_stays_live_though_it_is_amended_as_a_test(folder: Path) -> None:
    async with world_in(folder) as world:
        await world.post("LIVE-1", revision=1)
        before = await world.where("LIVE-1")
        await world.post("LIVE-1", revision=2, test=True, summary="Child taken to hospital.")
        after = await world.where("LIVE-1")
        await world.post("LIVE-2", occurred_at="2026-11-21T10:00:00Z")
        enriched = await newest(world.system.parts.kafka, ENRICHED)

        # The sender hears, and the case goes on as before: in its family's history, told to live recipients.
        assert [fault["because"] for fault in after["faults"] if fault["at"] == "/test"] == [STAYS_LIVE]
        assert world.told_of("LIVE-1")
        assert not [note for _, note in world.told if note.get("test")]
        assert await world.inbox(TESTING) == []
        still = {(one["service"], one.get("area")) for one in after["services"]}
        assert still >= {(one["service"], one.get("area")) for one in before["services"]}
        history = enriched["northshire/LIVE-2"]["body"]["history"]["incidents"]
        assert [one["reference"] for one in history] == ["LIVE-1"]

        # To take it back there is `withdrawn`: everyone who was told of it is told.
        told = {recipient for recipient, _ in world.told_of("LIVE-1")}
        await world.post("LIVE-1", revision=3, withdrawn=True)

        async def all_are_told() -> bool:
            newest_of = dict(world.told_of("LIVE-1"))
            return all(newest_of[recipient].get("withdrawn") for recipient in told)

        await until(all_are_told, "everyone who was told of it hears that it is withdrawn", 60)


@pytest.mark.timeout(300)
async def test_a_test_that_is_sent_again_as_live_goes_to_live_recipients_from_then_on(folder: Path) -> None:
    async with world_in(folder) as world:
        await world.post("TRIAL", revision=1, test=True)
        assert world.told_of("TRIAL") == []
        assert [entry["notification"]["case"] for entry in await world.inbox(TESTING)] == ["northshire/TRIAL"]
        await world.post("TRIAL", revision=2, test=False)

        async def is_told() -> bool:
            return bool(world.told_of("TRIAL"))

        await until(is_told, "live recipients are told", 60)
        assert not [note for _, note in world.told_of("TRIAL") if note.get("test")]


@pytest.mark.timeout(300)
async def test_a_live_revision_that_comes_behind_a_test_reaches_live_recipients(folder: Path) -> None:
    async with world_in(folder) as world:
        await world.post("BEHIND", revision=2, test=True, summary="Child taken to hospital.")
        assert world.told_of("BEHIND") == []
        await world.post("BEHIND", revision=1)

        async def is_told() -> bool:
            return bool(world.told_of("BEHIND"))

        await until(is_told, "live recipients are told", 60)
        decided = await newest(world.system.parts.kafka, DECIDED)
        body = decided["northshire/BEHIND"]["body"]
        assert (body["revision"], body["incident"].get("test")) == (2, None), "the newest revision, as live"
        checked = await conservation(world.system.parts.database, world.system.parts.kafka)
        assert checked["unaccounted"] == 0
