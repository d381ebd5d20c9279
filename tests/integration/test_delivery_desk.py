"""What follows a delivery: asked again, passed on, released by a person; on the real broker and database."""

from __future__ import annotations

from typing import Any

import pytest

from shared import keys
from shared.db import Database
from tests.builders import an_incident
from tests.integration.test_delivery import World, world  # noqa: F401 (a fixture)
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_receipt, a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def a_person(world: World, agency: str, *areas: str) -> dict[str, str]:  # noqa: F811
    owner = Database(world.servers.database, "tests", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, key = await keys.create(tx, role="person", person=f"p-{agency}", agency=agency, areas=areas)
    finally:
        await owner.close()
    return {"Authorization": f"Bearer {key}"}


async def time_to_chase(world: World, delivery: str) -> None:  # noqa: F811
    """As if the time in which it should have been opened were over."""
    await world.rows(
        "UPDATE deliveries SET chase_at = now() WHERE id = :id AND chase_at IS NOT NULL RETURNING id",
        id=delivery,
    )


async def chases_of(world: World, delivery: str) -> int:  # noqa: F811
    return int((await world.rows("SELECT chases FROM deliveries WHERE id = :id", id=delivery))[0]["chases"])


async def test_what_nobody_opens_is_asked_for_again_and_then_told_to_whoever_stands_in(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/unopened"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="unopened")))
    (arrived,) = await world.arrived(case, "northbury-children")
    await world.state(case, "routed")

    async def chased(times: int) -> None:
        async def so_often() -> bool:
            await time_to_chase(world, arrived.id)
            return await chases_of(world, arrived.id) >= times

        await until(so_often, f"asked {times} times")

    await chased(1)
    asked = await world.rows("SELECT recipient, kind FROM notices WHERE about = :id", id=arrived.id)
    assert [(row["recipient"], row["kind"]) for row in asked] == [("northbury-children", "not_answered")]
    assert world.post.of(case, "northbury-edt") == []
    await chased(2)
    (told,) = await world.arrived(case, "northbury-edt")
    assert told.notification()["why_again"] == "not_opened"
    await chased(3)
    left = await world.client.get("/v1/held", headers=await a_person(world, "childrens_services", "northbury"))
    assert arrived.id in {one["delivery"] for one in left.json()["held"]}
    elsewhere = await world.client.get(
        "/v1/held", headers=await a_person(world, "childrens_services", "southmere")
    )
    assert case not in {one["case"] for one in elsewhere.json()["held"]}


async def test_what_was_opened_is_not_asked_for_as_unopened(world: World) -> None:  # noqa: F811
    case = "northshire/opened"
    await world.tell(case_decided(a_route("marac"), incident=an_incident(reference="opened")))
    (arrived,) = await world.arrived(case, "northbury-marac")
    await world.state(case, "routed")
    assert (await world.answer("northbury-marac", arrived.id, kind="opened")).status_code < 300

    async def settled() -> bool:
        rows = await world.rows("SELECT chase_at FROM deliveries WHERE id = :id", id=arrived.id)
        return rows[0]["chase_at"] is None

    await until(settled, "nothing more is owed")
    assert await chases_of(world, arrived.id) == 0


async def test_what_is_not_theirs_goes_on_to_whose_it_is_by_the_same_deadline(world: World) -> None:  # noqa: F811
    case = "northshire/not-ours"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="not-ours")))
    (arrived,) = await world.arrived(case, "northbury-children")
    answered = await world.answer(
        "northbury-children", arrived.id, kind="rejected", reason="moved", not_ours="northbury-edt"
    )
    assert answered.status_code < 300
    (passed,) = await world.arrived(case, "northbury-edt")
    assert passed.notification()["why_again"] == "passed_on"
    assert passed.notification()["asked"]["due"] == arrived.notification()["asked"]["due"]
    outcome = await world.state(case, "routed")
    branches = {branch.recipient: (branch.state, branch.passed_to) for branch in outcome.branches}
    assert branches["northbury-children"] == ("passed_on", "northbury-edt")
    assert branches["northbury-edt"] == ("received", None)

    await world.tell(
        case_decided(
            a_route(response="section_47"), incident=an_incident(reference="not-ours", revision=2), version=2
        )
    )
    newer = await world.arrived(case, "northbury-edt", 2)
    assert newer[1].notification()["version"] == 2
    assert len(world.post.of(case, "northbury-children")) == 1


async def test_what_is_named_to_nobody_we_know_is_left_to_a_person(world: World) -> None:  # noqa: F811
    case = "northshire/to-nobody"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="to-nobody")))
    (arrived,) = await world.arrived(case, "northbury-children")
    await world.answer(
        "northbury-children", arrived.id, kind="rejected", reason="moved", not_ours="nowhere-children"
    )
    outcome = await world.state(case, "held")
    assert outcome.branches[0].state == "held"


def restricted(*routes: dict[str, Any], reference: str) -> Any:
    receipt = a_receipt(list(routes))
    receipt["result"] = {**receipt["result"], "handling": ["restricted", "no_family_contact"]}
    return case_decided(*routes, incident=an_incident(reference=reference), receipt=receipt)


async def test_a_restricted_case_goes_to_childrens_services_at_once_and_to_others_after_a_person_released_it(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/restricted"
    await world.tell(restricted(a_route(), a_route("health_visitor"), reference="restricted"))
    await world.arrived(case, "northbury-children")
    outcome = await world.state(case, "held")
    states = {branch.recipient: branch.state for branch in outcome.branches}
    assert states["northbury-visitors"] == "held"
    assert world.post.of(case, "northbury-visitors") == []
    screener = await a_person(world, "childrens_services", "northbury")
    waiting = (await world.client.get("/v1/held", headers=screener)).json()["held"]
    [delivery] = [one["delivery"] for one in waiting if one["case"] == case]

    async def act(who: dict[str, str], **posted: Any) -> int:
        answer = await world.client.post(f"/v1/deliveries/{delivery}/acts", json=posted, headers=who)
        return answer.status_code

    guessed = await world.answer("northbury-visitors", delivery, kind="received")
    assert guessed.status_code == 404, "nobody has it, whoever knows its id"
    assert await act(await a_person(world, "idva", "northbury"), kind="release") == 403
    assert await act(await a_person(world, "police", "southmere"), kind="release") == 404
    assert await act(world.key("northbury-visitors"), kind="release") == 403
    assert world.post.of(case, "northbury-visitors") == []
    assert await act(screener, kind="release") == 200
    await world.arrived(case, "northbury-visitors")
    assert await act(screener, kind="release") == 200, "once more changes nothing"
    await world.state(case, "routed")
    audited = await world.rows(
        "SELECT who, act FROM audit WHERE act = 'delivery.release' AND \"case\" = :case", case=case
    )
    assert [row["who"] for row in audited] == ["p-childrens_services"]


async def test_a_restricted_case_is_never_sent_unreleased_but_asked_for_before_its_deadline(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/unreleased"
    await world.tell(restricted(a_route("health_visitor"), reference="unreleased"))
    outcome = await world.state(case, "held")
    delivery = next(branch.delivery for branch in outcome.branches if branch.recipient == "northbury-visitors")
    await world.rows(
        "UPDATE deliveries SET chase_at = now(), due = now() + interval '1 hour' WHERE id = :id RETURNING id",
        id=delivery,
    )

    async def asked() -> bool:
        found = await world.rows(
            "SELECT act FROM audit WHERE \"case\" = :case AND act LIKE 'delivery.release_%'", case=case
        )
        return bool(found)

    await until(asked, "the release is asked for")
    await world.rows("UPDATE deliveries SET due = now() WHERE id = :id RETURNING id", id=delivery)

    async def missed() -> bool:
        found = await world.rows("SELECT breached_at FROM deliveries WHERE id = :id", id=delivery)
        return found[0]["breached_at"] is not None

    await until(missed, "the deadline is missed and said to be")
    assert await world.rows("SELECT 1 FROM notices WHERE about = :id", id=delivery) == []
    assert world.post.of(case, "northbury-visitors") == []
