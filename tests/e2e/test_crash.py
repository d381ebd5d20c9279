"""Every part is killed in the middle of a stream, again and again; nothing is lost, doubled or put back."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from services.delivery.receiver import Arrival
from services.enrichment import domain as enrichment
from shared.contracts.events import CaseAnswered, CaseDecided, IncidentAccepted, IncidentEnriched
from shared.contracts.topics import DECIDED, ENRICHED, INCIDENTS, OUTCOMES
from tests.e2e.topics import newest
from waymark.demo.receivers import Receivers
from waymark.reconcile import conservation
from waymark.simulate import load_profile, simulate
from waymark.system import Plan, System

KILLS = int(os.environ.get("WAYMARK_TEST_KILLS", "21"))
SEED = int(os.environ.get("WAYMARK_TEST_SEED", "2007"))
INCIDENTS_IN_STREAM = 240
PARTS = ("intake", "enrichment", "triage", "delivery", "kafka", "postgres", "console")


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="waymark-crash-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def stream_of_incidents(chance: random.Random) -> list[dict[str, Any]]:
    """A month in which one in eight is amended and one in twenty recorded in error."""
    posts: list[dict[str, Any]] = []
    for incident in simulate(load_profile("nspcc-2009"), INCIDENTS_IN_STREAM, SEED).incidents:
        posts.append({**incident, "revision": 1})
        if chance.random() < 0.125:
            later = {**incident, "revision": 2, "summary": "Amended: the neighbour's account was added."}
            posts.insert(chance.randrange(len(posts), len(posts) + 1), later)
        if chance.random() < 0.05:
            posts.append({**incident, "revision": 3, "withdrawn": True})
    return posts


def pid_of(system: System, part: str) -> int | None:
    if part == "kafka":
        return system.parts.kafka_pid
    if part == "postgres":
        return system.parts.postgres_pid
    return system.services[part].child.pid


class Kills:
    """Kills a part with -9 at random moments; every part at least twice."""

    def __init__(self, system: System, chance: random.Random) -> None:
        self._system = system
        self._chance = chance
        rest = [chance.choice(PARTS) for _ in range(max(0, KILLS - 2 * len(PARTS)))]
        self._order = [*PARTS, *PARTS, *rest][:KILLS]
        chance.shuffle(self._order)
        self.done: list[str] = []

    async def run(self) -> None:
        for part in self._order:
            await asyncio.sleep(self._chance.uniform(0.5, 4.0))
            while not self._killed(part):
                await asyncio.sleep(0.05)
            self.done.append(part)

    def _killed(self, part: str) -> bool:
        """Whether the part was alive and is not any more."""
        pid = pid_of(self._system, part)
        if not pid:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


async def post_until_accepted(
    http: aiohttp.ClientSession, system: System, incident: dict[str, Any]
) -> dict[str, Any]:
    """As a police system would: the same again until there is a 202."""
    headers = {
        "Authorization": f"Bearer {system.keys['police'][incident['force']]}",
        "Content-Type": "application/json",
    }
    while True:
        try:
            async with http.post(
                f"{system.url('intake')}/v1/incidents", data=orjson.dumps(incident), headers=headers
            ) as response:
                answer = await response.json(content_type=None)
                if response.status == 202:
                    return dict(answer)
                assert response.status == 503, (response.status, answer)
                assert "Retry-After" in response.headers
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        await asyncio.sleep(0.2)


async def settle(system: System) -> dict[str, Any]:
    """The conservation check once nothing is on its way; whatever it is after three minutes."""
    quiet = 0
    document: dict[str, Any] = {}
    for _ in range(360):
        document = await conservation(system.parts.database, system.parts.kafka)
        quiet = quiet + 1 if document["in_flight"] == 0 and not document["unverified"] else 0
        if quiet >= 8:
            break
        await asyncio.sleep(0.5)
    return document


@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_put_back_while_every_part_is_killed(place: Path) -> None:
    chance = random.Random(SEED)
    arrivals: list[tuple[str, str, dict[str, Any]]] = []

    def take(arrival: Arrival) -> None:
        if not arrival.repeated:
            arrivals.append((arrival.recipient, arrival.id, arrival.notification()))

    posts = stream_of_incidents(chance)
    accepted: dict[str, set[int]] = defaultdict(set)
    async with Receivers(place, take) as receivers:
        system = System(Plan(place, recipients=receivers.folder))
        async with system.running(), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            await receivers.attend(system)
            kills = Kills(system, chance)
            killing = asyncio.create_task(kills.run())
            for start in range(0, len(posts), 3):
                if start + 3 >= len(posts):
                    await killing
                answers = await asyncio.gather(
                    *(post_until_accepted(http, system, incident) for incident in posts[start : start + 3])
                )
                for answer in answers:
                    accepted[answer["case"]].add(answer["revision"])
                await asyncio.sleep(chance.uniform(0.0, 0.6))
            document = await settle(system)
            kafka = system.parts.kafka
            incidents, enriched = await newest(kafka, INCIDENTS), await newest(kafka, ENRICHED)
            decided, answered = await newest(kafka, DECIDED), await newest(kafka, OUTCOMES)

    assert len(kills.done) == KILLS
    every_accepted_revision_is_in_a_named_state(document, accepted)
    nothing_came_twice_or_out_of_order(arrivals)
    every_history_is_that_of_joining_in_order(incidents, enriched, decided, answered)


def every_accepted_revision_is_in_a_named_state(
    document: dict[str, Any], accepted: dict[str, set[int]]
) -> None:
    assert document["unaccounted"] == 0, document["unaccounted_cases"]
    assert document["accepted"] == sum(len(revisions) for revisions in accepted.values())
    assert document["in_flight"] == 0, document
    assert document["dead_lettered"] == 0


def nothing_came_twice_or_out_of_order(arrivals: list[tuple[str, str, dict[str, Any]]]) -> None:
    ids: dict[tuple[str, str, int, str], set[str]] = defaultdict(set)
    versions: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for recipient, number, content in arrivals:
        assert content["delivery"] == number
        role = content["to"]["role"]
        ids[recipient, content["case"], content["version"], role].add(number)
        versions[recipient, content["case"], role].append(content["version"])
    assert arrivals
    assert [key for key, numbers in ids.items() if len(numbers) > 1] == []
    assert [key for key, given in versions.items() if given != sorted(set(given))] == []


def every_history_is_that_of_joining_in_order(
    incidents: dict[str, dict[str, Any]],
    enriched: dict[str, dict[str, Any]],
    decided: dict[str, dict[str, Any]],
    answered: dict[str, dict[str, Any]],
) -> None:
    cases = [
        enrichment.case_of(
            IncidentAccepted.model_validate(event["body"]),
            CaseDecided.model_validate(decided[case]["body"]) if case in decided else None,
            CaseAnswered.model_validate(answered[case]["body"]) if case in answered else None,
        )
        for case, event in incidents.items()
        if not event["body"]["incident"].get("withdrawn")
    ]
    expected = enrichment.join_in_order(cases)
    assert any(history.incidents for history in expected.values()), "no family came back: nothing was compared"
    differing = [
        case
        for case, history in expected.items()
        if enrichment.digest_of(IncidentEnriched.model_validate(enriched[case]["body"]).history)
        != enrichment.digest_of(history)
    ]
    assert differing == []
