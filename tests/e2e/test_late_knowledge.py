"""What comes to be known late reaches who was told before."""

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
from shared.contracts.topics import DECIDED
from tests.builders import an_incident
from tests.e2e.topics import newest
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CHILDREN = "northbury-children"


@dataclass
class World:
    """The whole system, and what recipients were told by webhook."""

    system: System
    http: aiohttp.ClientSession
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def post(self, reference: str, mother: dict[str, Any], infant: dict[str, Any], hour: int) -> None:
        """An incident with an infant: children's services are told at once."""
        incident = an_incident(
            reference=reference,
            occurred_at=f"2026-11-20T{hour:02d}:30:00Z",
            adults=[{"id": "a1", "role": "victim", **mother}],
            children=[{"id": "c1", **infant}],
            relationships=[{"from": "a1", "to": "c1", "kind": "parent"}],
        )
        await self._call("intake", "POST", "/v1/incidents", self._key("police", "northshire"), incident)
        await self.version(reference, 1)

    async def version(self, reference: str, number: int) -> dict[str, Any]:
        """What children's services were told of a case, once it is so many."""

        async def so() -> bool:
            return len(self._told_of(reference)) >= number

        await until(so, f"{reference} told {number} times", 60)
        return self._told_of(reference)[number - 1]

    def _told_of(self, reference: str) -> list[dict[str, Any]]:
        case = f"northshire/{reference}"
        return [one for recipient, one in self.told if recipient == CHILDREN and one["case"] == case]

    async def decided(self, reference: str) -> dict[str, Any]:
        """The newest decision on a case, from its topic."""
        found: dict[str, Any] = (await newest(self.system.parts.kafka, DECIDED))[f"northshire/{reference}"][
            "body"
        ]
        return found

    async def send_records(self, document: dict[str, Any]) -> None:
        await self._call("enrichment", "POST", "/v1/records", self._key("council", "northbury-css"), document)

    def _key(self, role: str, whose: str) -> str:
        return str(self.system.keys[role][whose])

    async def _call(
        self, service: str, method: str, path: str, key: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else orjson.dumps(body)
        url = self.system.url(service) + path
        async with self.http.request(method, url, data=data, headers=headers) as answer:
            assert answer.status in (200, 202), await answer.text()
            return dict(await answer.json())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One system for all stories: each has a family of its own."""
    folder = Path(tempfile.mkdtemp(prefix="waymark-late-"))
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


def named(given: str, family: str) -> dict[str, str]:
    return {"given": given, "family": family}


async def test_what_a_council_sends_late_reaches_those_who_were_told_without_it(world: World) -> None:
    mother = {"name": named("Tamsin", "Ashworth"), "born": "1994-03-07"}
    infant = {"name": named("Owen", "Ashworth"), "born": "2026-07-16"}
    await world.post("IMPORT-1", mother, infant, 8)
    first = await world.version("IMPORT-1", 1)
    assert (first["replaces"], first.get("news")) == (None, None)
    await world.send_records(
        {
            "schema": "waymark.records/1",
            "source": "northbury-css",
            "as_of": "2026-11-21T02:00:00Z",
            "people": [{"id": "css-1", "role": "child", **infant}],
            "involvement": [{"child": "css-1", "open": True, "worker": "Team 4", "pathways": [], "plans": []}],
        }
    )
    second = await world.version("IMPORT-1", 2)
    assert (second["replaces"], second["why_again"]) == (first["delivery"], "late_knowledge")
    assert "1 child with an open case at children's services" in second["news"]
    decided = await world.decided("IMPORT-1")
    assert (decided["decision"]["version"], decided["decision"]["supersedes"]) == (2, 1)
    assert (decided["why"], decided["cause"]) == ("late_knowledge", "records")
    assert "1 child with an open case at children's services" in decided["news"]
