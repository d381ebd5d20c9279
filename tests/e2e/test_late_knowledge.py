"""What comes to be known late reaches who was told before: an import, two records joined, two kept apart, a
hearing at a MARAC."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio

from services.delivery.receiver import Arrival
from shared.contracts.topics import DECIDED
from tests.builders import an_incident
from tests.e2e.topics import every
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CHILDREN = "northbury-children"
HOME = {"line1": "14 Mill Lane", "town": "Northbury", "postcode": "NB4 2QT"}


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
        await self.told_that(reference, lambda _: True)

    async def told_that(self, reference: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The newest notice of a case to children's services, once it is as expected: a decision on an earlier
        case may have brought others before."""

        async def so() -> bool:
            told = self._told_of(reference)
            return bool(told) and holds(told[-1])

        await until(so, f"{reference} told as expected", 60)
        return self._told_of(reference)[-1]

    def news(self, reference: str) -> list[str]:
        """All that notices of a case told as new, in order."""
        return [line for told in self._told_of(reference) for line in told.get("news") or ()]

    async def meeting(self, path: str, act: dict[str, Any] | None = None) -> dict[str, Any]:
        """A MARAC's list as its coordinator has it, or something recorded of it."""
        method = "GET" if act is None else "POST"
        key = self._key("coordinator", "coordinator")
        return await self._call("delivery", method, f"/v1/meetings{path}", key, act)

    def _told_of(self, reference: str) -> list[dict[str, Any]]:
        case = f"northshire/{reference}"
        return [one for recipient, one in self.told if recipient == CHILDREN and one["case"] == case]

    async def decided(self, reference: str, cause: str) -> dict[str, Any]:
        """The last decision on a case that something brought, from its topic."""
        told = (await every(self.system.parts.kafka, DECIDED))[f"northshire/{reference}"]
        found: dict[str, Any] = [one["body"] for one in told if one["body"].get("cause") == cause][-1]
        return found

    async def links(self, **query: str) -> list[dict[str, Any]]:
        """What a screener is shown to look at."""
        path = "/v1/links?" + "&".join(f"{name}={value}" for name, value in query.items())
        found: list[dict[str, Any]] = (await self._call("enrichment", "GET", path, self._screener))["links"]
        return found

    async def rule(self, link: dict[str, Any], act: str) -> dict[str, Any]:
        said = {"act": act, "why": "Asked her.", "seen": link["stands"]}
        return await self._call("enrichment", "POST", f"/v1/links/{link['id']}", self._screener, said)

    async def send_records(self, document: dict[str, Any]) -> None:
        await self._call("enrichment", "POST", "/v1/records", self._key("council", "northbury-css"), document)

    @property
    def _screener(self) -> str:
        return self._key("person", "screener-social-care")

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


def earlier(told: dict[str, Any]) -> list[str]:
    return [one["reference"] for one in told["history"].get("incidents", ())]


def levels(told: dict[str, Any]) -> dict[str, int | None]:
    return {one["reference"]: one.get("child_level") for one in told["history"].get("incidents", ())}


async def test_what_a_council_sends_late_reaches_those_who_were_told_without_it(world: World) -> None:
    mother = {"name": named("Tamsin", "Ashworth"), "born": "1994-03-07"}
    infant = {"name": named("Owen", "Ashworth"), "born": "2026-07-16"}
    await world.post("IMPORT-1", mother, infant, 8)
    first = await world.told_that("IMPORT-1", lambda _: True)
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
    second = await world.told_that("IMPORT-1", lambda told: told["replaces"] is not None)
    assert (second["replaces"], second["why_again"]) == (first["delivery"], "late_knowledge")
    assert "1 child with an open case at children's services" in second["news"]
    decided = await world.decided("IMPORT-1", "records")
    assert (decided["decision"]["version"], decided["decision"]["supersedes"]) == (2, 1)
    assert decided["why"] == "late_knowledge"
    assert "1 child with an open case at children's services" in decided["news"]


async def test_two_who_may_be_one_are_joined_by_a_person_and_both_agencies_learn_it(world: World) -> None:
    born = {"born": "1991-11-30", "sex": "female", "address": HOME}
    infant = {"name": named("Alys", "Pemberton"), "born": "2026-05-02"}
    await world.post("MERGE-1", {"name": named("Lauren", "Pemberton"), **born}, infant, 9)
    # The infant has no name here: it ties nobody to anybody.
    await world.post("MERGE-2", {"name": named("Loz", "Pemberton"), **born}, {"born": "2026-05-02"}, 10)
    await world.told_that("MERGE-2", lambda told: "incidents" not in told["history"])
    [pair] = [one for one in await world.links() if one["one"]["case"] == "northshire/MERGE-1"]
    assert pair["decision"] == "likely"
    joined = await world.rule(pair, "join")
    assert joined["status"] == "recorded"
    told = await world.told_that("MERGE-2", lambda told: earlier(told) == ["MERGE-1"])
    assert told["why_again"] == "late_knowledge"
    assert "1 earlier incident not known before" in world.news("MERGE-2")
    decided = await world.decided("MERGE-2", "ruling")
    assert decided["decision"]["supersedes"] == decided["decision"]["version"] - 1
    assert "1 earlier incident confirmed to be the same people's" in decided["news"]
    await world.rule(joined, "undo")
    await world.told_that("MERGE-2", lambda told: "incidents" not in told["history"])


async def test_two_whom_the_score_took_for_one_are_split_by_a_person_and_joined_again(world: World) -> None:
    mother = {"name": named("Bronwen", "Lightfoot"), "born": "1988-02-11", "address": HOME}
    await world.post("SPLIT-1", mother, {"born": "2026-06-03"}, 11)
    await world.post("SPLIT-2", mother, {"born": "2026-06-03"}, 12)
    await world.told_that("SPLIT-2", lambda told: levels(told) == {"SPLIT-1": 4})
    [pair] = [
        one
        for one in await world.links(decision="same")
        if (one["one"]["case"], one["one"]["id"]) == ("northshire/SPLIT-1", "a1")
    ]
    split = await world.rule(pair, "apart")
    await world.told_that("SPLIT-2", lambda told: earlier(told) == [])
    assert "1 earlier incident fewer: withdrawn, or found to be other people's" in world.news("SPLIT-2")
    decided = await world.decided("SPLIT-2", "ruling")
    assert decided["decision"]["supersedes"] == decided["decision"]["version"] - 1
    known = world.news("SPLIT-2").count("1 earlier incident not known before")
    await world.rule(split, "undo")
    await world.told_that("SPLIT-2", lambda told: levels(told) == {"SPLIT-1": 4})
    assert world.news("SPLIT-2").count("1 earlier incident not known before") == known + 1


async def listed(world: World, reference: str, path: str | None = None) -> tuple[str, dict[str, Any]]:
    """On which list of Northbury's MARAC a case stands, and as what, once it does."""
    found: list[tuple[str, dict[str, Any]]] = []

    async def stands() -> bool:
        coming = (await world.meeting("?kind=marac&area=northbury"))["meetings"]
        for place in [path] if path else [f"/marac/northbury/{one['date']}" for one in coming if one["cases"]]:
            cases = (await world.meeting(place))["cases"]
            found[:] = [(place, one) for one in cases if one["case"] == f"northshire/{reference}"] or found
        return bool(found)

    await until(stands, f"{reference} on a list", 60)
    return found[0]


async def test_a_couple_that_a_marac_heard_goes_back_to_it_with_its_next_incident(world: World) -> None:
    async def happens(reference: str, hour: int, level: str) -> None:
        incident = an_incident(
            reference=reference,
            occurred_at=f"2026-11-20T{hour:02d}:30:00Z",
            adults=[
                {"id": "a1", "role": "victim", "name": named("Carys", "Whitlock"), "born": "1990-01-17"},
                {"id": "a2", "role": "suspect", "name": named("Gethin", "Whitlock"), "born": "1987-10-02"},
            ],
            children=[],
            relationships=[],
            risk={"tool": "dash", "level": level},
        )
        await world._call("intake", "POST", "/v1/incidents", world._key("police", "northshire"), incident)

    await happens("HEARD-1", 13, "high")
    place, one = await listed(world, "HEARD-1")
    assert one["repeat_of"] == []
    # As if the meeting's day had come and gone.
    owner = await asyncpg.connect(world.system.parts.database)
    day = await owner.fetchval(
        """
        UPDATE delivery.meeting_cases SET held_on = held_on - 28, referred_at = referred_at - interval '40 days'
        WHERE "case" = 'northshire/HEARD-1' RETURNING held_on::text
        """
    )
    await owner.close()
    place, one = await listed(world, "HEARD-1", f"/marac/northbury/{day}")
    heard = {"act": "heard", "case": "northshire/HEARD-1", "seq": one["seq"]}
    assert (await world.meeting(f"{place}/acts", heard))["now"]["heard_on"] == day

    await happens("HEARD-2", 14, "standard")
    place, _ = await listed(world, "HEARD-2")

    async def a_repeat() -> bool:
        _, again = await listed(world, "HEARD-2", place)
        past = again["view"]["history"].get("marac") or [{}]
        return bool(again["repeat_of"] == [day] and past[0].get("heard_on") == day)

    await until(a_repeat, "marked as a repeat of the day it was heard on", 60)
    [why] = {
        reason["because"]
        for reason in (await listed(world, "HEARD-2", place))[1]["view"]["why"]
        if reason["rule"].endswith("#marac-repeat")
    }
    assert "twelve months" in why
