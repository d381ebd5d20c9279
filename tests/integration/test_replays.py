"""Sending once more what went out before; on the real broker and database."""

from __future__ import annotations

from typing import Any

import pytest

from shared import keys
from shared.db import Database
from tests.builders import an_incident
from tests.integration.test_delivery import World, world  # noqa: F401 (a fixture)
from tests.integration.test_delivery_desk import restricted
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def replay(world: World, role: Any = "ops", **asked: Any) -> Any:  # noqa: F811
    owner = Database(world.servers.database, "tests", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, key = await keys.create(tx, role=role, person="replayer", agency="police", areas=("northbury",))
    finally:
        await owner.close()
    answer = await world.client.post("/v1/replays", json=asked, headers={"Authorization": f"Bearer {key}"})
    return answer.json() | {"status": answer.status_code}


async def test_what_was_received_goes_again_only_where_somebody_insists_and_then_says_so(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/lost-it"
    await world.tell(case_decided(a_route("marac"), incident=an_incident(reference="lost-it")))
    (first,) = await world.arrived(case, "northbury-marac")
    await world.state(case, "routed")
    left = await replay(world, case=case, go=True)
    assert (left["sent"], left["left"]) == (0, {"received": 1})
    looked = await replay(world, case=case, insist=True, because="lost")
    assert (looked["would_send"], looked["received_before"]) == (1, 1)
    assert len(world.post.of(case)) == 1, "looking sends nothing"
    gone = await replay(world, recipient="northbury-marac", case=case, insist=True, because="lost", go=True)
    assert (gone["sent"], gone["next"]) == (1, None)
    again = (await world.arrived(case, "northbury-marac", 2))[1]
    assert again.id == first.id
    told = again.notification()
    assert told.pop("replayed_at") is not None
    assert told == first.notification()

    async def received() -> bool:
        rows = await world.rows("SELECT state, bulk FROM deliveries WHERE id = :id", id=first.id)
        return (rows[0]["state"], rows[0]["bulk"]) == ("received", True)

    await until(received, "received again")
    outcome = world.outcome(case)
    assert outcome is not None
    assert outcome.state == "routed", "the case was told all the time"
    audited = await world.rows(
        "SELECT who, details FROM audit WHERE act = 'delivery.replayed' AND \"case\" = :case", case=case
    )
    assert [(row["who"], row["details"]["because"]) for row in audited] == [("replayer", "lost")]


async def test_what_was_read_in_an_inbox_is_there_to_be_read_once_more(world: World) -> None:  # noqa: F811
    case = "northshire/read-again"
    await world.tell(case_decided(a_route("housing"), incident=an_incident(reference="read-again")))
    await world.state(case, "in_flight")

    async def entries(after: int = 0) -> list[dict[str, Any]]:
        found = (await world.inbox("northbury-housing", after=after)).json()["entries"]
        return [one for one in found if one["notification"]["case"] == case]

    async def lies_there() -> bool:
        return bool(await entries())

    await until(lies_there, "the entry")
    unread = await replay(world, case=case, go=True)
    assert unread["left"] == {"in_inbox": 1}
    (entry,) = await entries()
    await world.inbox("northbury-housing", after=entry["no"])
    await world.state(case, "routed")
    assert (await replay(world, case=case, insist=True, because="asked", go=True))["sent"] == 1
    (again,) = await entries(entry["no"])
    assert again["notification"]["delivery"] == entry["notification"]["delivery"]
    assert again["notification"]["replayed_at"] is not None
    await world.inbox("northbury-housing", after=again["no"])

    async def received() -> bool:
        rows = await world.rows('SELECT state FROM deliveries WHERE "case" = :case', case=case)
        return [row["state"] for row in rows] == ["received"]

    await until(received, "read once more")


async def test_what_nobody_could_be_sent_begins_its_tries_anew_when_the_cause_is_mended(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/mended"
    world.post.answers["northbury-visitors"] = [500]
    await world.tell(case_decided(a_route("health_visitor"), incident=an_incident(reference="mended")))
    (failed,) = await world.arrived(case, "northbury-visitors")

    async def tried() -> bool:
        rows = await world.rows("SELECT attempts FROM deliveries WHERE id = :id", id=failed.id)
        return bool(rows[0]["attempts"])

    await until(tried, "the attempt is noted")
    await world.rows(
        """
        UPDATE deliveries SET state = 'held', held_because = 'no way left to reach it (500)', next_at = NULL,
            leased_by = NULL, lease_until = NULL, first_attempt_at = now() - interval '29 hours'
        WHERE id = :id RETURNING id
        """,
        id=failed.id,
    )
    world.post.answers["northbury-visitors"] = [503]  # one more failure does not use up the tries
    assert (await replay(world, case=case, go=True))["sent"] == 1
    arrivals = await world.arrived(case, "northbury-visitors", 3)
    assert len({one.body for one in arrivals}) == 1
    await world.state(case, "routed")


async def test_nothing_restricted_is_sent_by_a_replay_and_nobody_but_ops_asks(world: World) -> None:  # noqa: F811
    case = "northshire/not-so"
    await world.tell(restricted(a_route("health_visitor"), reference="not-so"))
    await world.state(case, "held")
    assert (await replay(world, case=case, go=True, insist=True, because="asked"))["left"] == {"restricted": 1}
    assert (await replay(world, role="person", case=case))["status"] == 403
    for wrong in (
        {},
        {"case": case, "insist": True},
        {"recipient": "a", "since": "yesterday"},
        {"case": "\x00"},
    ):
        assert (await replay(world, **wrong))["status"] == 422
    assert (await replay(world, recipient="nobody"))["status"] == 404
    assert (await replay(world, case="northshire/never"))["would_send"] == 0
