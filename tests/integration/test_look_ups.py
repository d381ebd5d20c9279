"""A champion's look-up over HTTP, on the real database (facts/protocols.md, P12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import keys
from shared.contracts.incident import Happened
from shared.db import Database
from tests.integration.conftest import Servers
from tests.integration.register_work import Worker, bearing, empty, service_on, worker_on
from tests.unit.enrichment.builders import accepted, child, suspect, victim

OWEN: dict[str, Any] = {"name": {"given": "Owen", "family": "Hughes"}, "born": "2017-05-16"}
ASKED: dict[str, Any] = {"child": OWEN, "concern": "behaviour_changed", "reference": "SCH-2026-17"}


@pytest.fixture
async def worker(servers: Servers) -> AsyncIterator[Worker]:
    """A worker on an empty register."""
    async with worker_on(servers) as one:
        await empty(one)
        yield one


async def key_of(servers: Servers, role: keys.Role, area: str = "northbury") -> str:
    owner = Database(servers.database, "enrichment", as_owner=True)
    async with owner.transaction() as tx:
        _, key = await keys.create(tx, role=role, person="dana", agency="education", areas=(area,))
    await owner.close()
    return key


async def test_a_champion_is_told_of_the_child_and_nothing_of_others_and_it_is_audited(
    servers: Servers, worker: Worker
) -> None:
    owen = child(area="northbury", presence="heard")
    cared_for = Happened(violence=["push"], honour_based=False)
    await worker.accept(
        accepted("R1", victim(), suspect(), owen, incident=cared_for),
        accepted("R2", victim(), owen, incident=Happened(honour_based=True), at=1),
        accepted("R3", victim(), owen, withdrawn=True, at=2),
        accepted("R4", victim(), owen, test=True, at=3),
        accepted("R5", victim(), child(area="southmere"), at=4),
        accepted("R6", victim(), child("Ann Other", "2016-01-01", area="northbury"), at=5),
    )
    champion = await key_of(servers, "champion")
    async with service_on(servers) as (http, council):
        said = await http.post("/v1/look-ups", json=ASKED, headers=bearing(champion))
        nobody = {**ASKED, "child": {**OWEN, "born": "2017-05-17"}}
        unknown = await http.post("/v1/look-ups", json=nobody, headers=bearing(champion))
        for refused in (council, await key_of(servers, "person")):
            assert (await http.post("/v1/look-ups", json=ASKED, headers=bearing(refused))).status_code == 403
        assert (await http.post("/v1/look-ups", json=ASKED)).status_code == 401
        elsewhere = await key_of(servers, "champion", "southmere")
        theirs = await http.post("/v1/look-ups", json=ASKED, headers=bearing(elsewhere))
    assert said.status_code == 200
    (one,) = said.json()["incidents"]
    assert (one["reference"], one["violence"], one["presence"]) == ("R1", ["push"], "heard")
    assert set(one) == {"force", "reference", "occurred_on", "violence", "police_level", "presence"}
    assert unknown.json() == {"known": False, "incidents": []}
    assert [found["reference"] for found in theirs.json()["incidents"]] == ["R5"]
    async with worker.outbox.transaction() as tx:
        lines = await tx.rows("SELECT details::text FROM audit WHERE act = 'child.looked_up' ORDER BY id DESC")
    assert len(lines) >= 3  # what found nothing as well; who may not ask gets no further than the door
    told = [line["details"] for line in lines[:3]]
    assert "SCH-2026-17" in told[2]
    assert '"withheld": 1' in told[2]
    assert not any("Owen" in line or "2017-05-16" in line for line in told)


async def test_a_look_up_without_a_reason_or_a_full_name_is_refused_without_quoting_it(
    servers: Servers, worker: Worker
) -> None:
    champion = await key_of(servers, "champion")
    async with service_on(servers) as (http, _):
        for wrong, at in (
            ({"child": OWEN, "reference": "1"}, "/concern"),
            ({**ASKED, "concern": "gossip"}, "/concern"),
            ({"child": OWEN, "concern": "absent"}, "/reference"),
            ({**ASKED, "child": {"name": {"given": "Owen"}, "born": "2017-05-16"}}, "/child"),
        ):
            refused = await http.post("/v1/look-ups", json=wrong, headers=bearing(champion))
            assert (refused.status_code, refused.json()["at"]) == (422, at)
            assert "Owen" not in refused.text


async def test_a_champion_may_ask_so_many_times_a_day(servers: Servers, worker: Worker) -> None:
    champion = await key_of(servers, "champion")
    async with service_on(servers) as (http, _):
        answers = [
            (await http.post("/v1/look-ups", json=ASKED, headers=bearing(champion))).status_code
            for _ in range(51)
        ]
    assert answers == [200] * 50 + [429]
