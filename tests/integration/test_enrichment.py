"""The register on the real database and broker: whatever the order, the histories of the order accepted."""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.enrichment import domain
from shared import ledger
from shared.contracts.events import Hearing, IncidentAccepted, IncidentEnriched
from shared.contracts.history import History
from shared.contracts.topics import DECIDED, INCIDENTS
from tests.integration.conftest import Servers
from tests.integration.register_work import (
    Worker,
    empty,
    histories,
    in_order,
    lookups_stuck,
    service_on,
    worker_on,
)
from tests.integration.test_plumbing import outbox_of
from tests.integration.waiting import until
from tests.unit.enrichment.builders import (
    NOON,
    Who,
    accepted,
    case_answered,
    case_decided,
    child,
    stranger,
    suspect,
    told,
    victim,
)

RACES = int(os.environ.get("WAYMARK_RACES", "50"))
"""How many families are raced for: the issue asks for 1,000, which takes minutes."""


@pytest.fixture
async def worker(servers: Servers) -> AsyncIterator[Worker]:
    """A worker on an empty register."""
    async with worker_on(servers) as one:
        await empty(one)
        yield one


async def test_a_new_incident_is_emitted_with_its_family_and_what_is_known(worker: Worker) -> None:
    body = accepted("R1", victim(), child())
    await worker.accept(body)
    [one] = await worker.emitted()
    assert (one.case, one.seq, one.lane, one.caused_by) == (
        "northshire/R1",
        1,
        "live",
        "waymark.incidents.v1-northshire/R1-1",
    )
    assert one.body.incident == body.incident
    assert (one.body.why, one.body.as_of, one.body.revision) == ("accepted", NOON, 1)
    assert one.body.family is not None
    assert one.body.family.startswith("F-")
    assert one.body.history.status == "complete"
    assert one.body.history.as_of == NOON
    assert [entry.stage for entry in one.ledger] == ["enrichment"]


@pytest.mark.parametrize("batches", [[[1, 2]], [[1], [2]], [[2], [1]], [[2, 1]]])
async def test_two_incidents_of_one_new_family_end_the_same_however_they_come(
    worker: Worker, batches: list[list[int]]
) -> None:
    bodies = {1: accepted("R1", victim(), child(), at=1), 2: accepted("R2", victim(), suspect(), at=2)}
    for batch in batches:
        await worker.accept(*(bodies[i] for i in batch))
    newest = await worker.newest()
    assert await histories(worker) == in_order(domain.case_of(body) for body in bodies.values())
    assert told(newest["R2"].history) == ["R1"]
    assert newest["R1"].family == newest["R2"].family


async def test_a_straggler_takes_its_place_and_those_after_it_are_told_again(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1))
    await worker.accept(accepted("R3", victim(), at=3))
    before = datetime.now(UTC)
    await worker.accept(accepted("R2", victim(), at=2))
    new = (await worker.emitted())[2:]
    assert [(one.body.incident.reference, one.body.why, told(one.body.history)) for one in new] == [
        ("R2", "accepted", ["R1"]),
        ("R3", "late_knowledge", ["R1", "R2"]),
    ]
    assert new[1].body.as_of >= before - timedelta(seconds=1)
    assert new[1].caused_by == new[0].caused_by
    assert [one.body.cause for one in new] == [None, "incident"]


async def test_an_incident_that_joins_two_families_makes_one_with_the_older_number(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1))
    await worker.accept(accepted("R2", suspect(), at=2))
    first, second = (body.family for body in (await worker.newest()).values())
    assert first != second
    await worker.accept(accepted("R3", victim(), suspect(), at=3))
    newest = await worker.newest()
    assert told(newest["R2"].history) == ["R1"]
    assert told(newest["R3"].history) == ["R1", "R2"]
    assert {newest["R2"].family, newest["R3"].family} == {first}


async def test_an_amendment_is_emitted_as_such_and_moves_its_case_between_families(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1), accepted("R2", suspect(), at=2))
    await worker.accept(accepted("R3", victim(), at=3))
    amended = accepted("R3", suspect(), at=3, revision=2)
    await worker.accept(amended)
    newest = await worker.newest()
    assert (newest["R3"].why, newest["R3"].revision, told(newest["R3"].history)) == ("amended", 2, ["R2"])
    assert newest["R3"].as_of == amended.revision_accepted_at
    assert newest["R3"].family == newest["R2"].family != newest["R1"].family


async def test_an_amendment_that_takes_a_tie_away_parts_the_families_it_held_together(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1))
    await worker.accept(accepted("R2", victim(), suspect(), at=2))
    await worker.accept(accepted("R3", suspect(), at=3))
    assert told((await worker.newest())["R3"].history) == ["R1", "R2"]
    await worker.accept(accepted("R2", victim(), at=2, revision=2))
    newest = await worker.newest()
    assert (newest["R3"].why, told(newest["R3"].history)) == ("late_knowledge", [])
    assert newest["R2"].family == newest["R1"].family


async def test_a_withdrawn_incident_leaves_history_and_says_so_itself(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1), accepted("R2", victim(), at=2))
    await worker.accept(accepted("R1", victim(), at=1, revision=2, withdrawn=True))
    newest = await worker.newest()
    assert (newest["R1"].why, newest["R1"].revision) == ("withdrawn", 2)
    assert (newest["R2"].why, told(newest["R2"].history)) == ("late_knowledge", [])
    await worker.accept(accepted("R1", victim(), at=1, revision=3))
    newest = await worker.newest()
    assert (newest["R1"].why, told(newest["R2"].history)) == ("amended", ["R1"])


async def test_an_older_revision_never_replaces_a_newer_one(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1, revision=2))
    await worker.accept(accepted("R1", suspect(), at=1, revision=1))
    assert [one.body.revision for one in await worker.emitted()] == [2]


async def test_a_revision_that_is_sent_again_is_not_emitted_again(worker: Worker) -> None:
    body = accepted("R1", victim(), at=1)
    await worker.accept(body)
    await worker.accept(body, accepted("R2", victim(), at=2))
    assert [one.body.incident.reference for one in await worker.emitted()] == ["R1", "R2"]


async def test_of_several_revisions_in_one_batch_the_newest_is_emitted(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim()), accepted("R1", suspect(), revision=2))
    assert [one.body.revision for one in await worker.emitted()] == [2]


async def test_a_decision_becomes_history_of_later_incidents_and_never_tells_its_own_case_again(
    worker: Worker,
) -> None:
    first, second = accepted("R1", victim(), suspect(), at=1), accepted("R2", victim(), suspect(), at=2)
    await worker.accept(first, second)
    await worker.decide(case_decided(first, level=4, services={"marac": ["a1", "a2"]}))
    new = (await worker.emitted())[2:]
    assert [(one.body.incident.reference, one.body.why, one.body.cause) for one in new] == [
        ("R2", "late_knowledge", "decision")
    ]
    history = new[0].body.history
    assert [(one.child_level, one.notified_css) for one in history.incidents or ()] == [(4, False)]
    assert [one.referred_on for one in history.marac or ()] == [NOON.date()]
    await worker.decide(case_decided(second, level=4))
    assert await worker.count() == 3


async def test_the_same_decision_or_answer_again_tells_nobody_anything(worker: Worker) -> None:
    first, second = accepted("R1", victim(), child(), at=1), accepted("R2", victim(), child(), at=2)
    await worker.accept(first, second)
    await worker.decide(case_decided(first))
    await worker.answer(case_answered(first))
    count = await worker.count()
    later = NOON + timedelta(hours=1)
    await worker.decide(case_decided(first, version=2, as_of=later))
    await worker.answer(case_answered(first))
    await worker.accept(accepted("R9", victim("Jane Bell", "1999-09-09")))
    assert await worker.count() == count + 1


async def test_a_case_that_stays_referred_to_marac_was_referred_on_the_first_day(worker: Worker) -> None:
    first, second = accepted("R1", victim(), suspect(), at=1), accepted("R2", victim(), suspect(), at=2)
    await worker.accept(first, second)
    for days in (0, 3):
        await worker.decide(
            case_decided(first, services={"marac": ["a1"]}, as_of=NOON + timedelta(days=days), version=days + 1)
        )
    assert [one.referred_on for one in (await worker.newest())["R2"].history.marac or ()] == [NOON.date()]
    await worker.decide(case_decided(first, services={}, version=9))
    assert (await worker.newest())["R2"].history.marac == []


async def test_when_a_marac_heard_a_case_is_told_to_later_ones_and_taken_back(worker: Worker) -> None:
    first, second = accepted("R1", victim(), suspect(), at=1), accepted("R2", victim(), suspect(), at=2)
    await worker.accept(first, second)
    await worker.decide(case_decided(first, services={"marac": ["a1"]}))
    heard = Hearing(kind="marac", area="northbury", heard_on=NOON.date() + timedelta(days=9))
    answer = case_answered(first, kind="received")
    count = await worker.count()
    await worker.answer(answer)
    assert await worker.count() == count
    await worker.answer(answer.model_copy(update={"heard": [heard]}))
    newest = (await worker.newest())["R2"]
    assert [(one.referred_on, one.heard_on) for one in newest.history.marac or ()] == [
        (NOON.date(), heard.heard_on)
    ]
    assert newest.cause == "outcome"
    await worker.answer(answer)
    assert [one.heard_on for one in (await worker.newest())["R2"].history.marac or ()] == [None]


async def test_an_answer_joins_the_childs_involvement_in_later_cases_only(worker: Worker) -> None:
    first, second = accepted("R1", victim(), child(), at=1), accepted("R2", victim(), child(id="x"), at=2)
    await worker.accept(first, second)
    await worker.decide(case_decided(first))
    count = await worker.count()
    await worker.answer(case_answered(first, "section_47", at=NOON))
    new = (await worker.emitted())[count:]
    assert [one.body.incident.reference for one in new] == ["R2"]
    [known] = new[0].body.history.involvement or []
    assert (known.child, known.level) == ("x", "medium")
    await worker.answer(case_answered(second, "section_47"))
    assert await worker.count() == count + 1


async def test_decisions_on_decisions_come_to_an_end(worker: Worker) -> None:
    """Triage answers each event with a decision that rests on the history: as often as it is asked."""
    bodies = {f"R{i}": accepted(f"R{i}", victim(), child(), at=i) for i in range(6)}
    await worker.accept(*reversed(bodies.values()))
    decided, rounds = 0, 0
    while new := (await worker.emitted())[decided:]:
        decided += len(new)
        rounds += 1
        assert rounds < 10
        await worker.decide(
            *(
                case_decided(bodies[one.body.incident.reference], level=min(4, level_after(one.body.history)))
                for one in new
            )
        )
    levels = [i.child_level for i in (await worker.newest())["R5"].history.incidents or ()]
    assert levels == [0, 1, 2, 3, 4]
    assert decided <= 6 * 6


def level_after(history: History) -> int:
    return 1 + max((one.child_level or 0 for one in history.incidents or ()), default=-1)


async def test_whatever_comes_in_whatever_order_ends_as_if_joined_in_the_order_accepted(worker: Worker) -> None:
    rng = random.Random(2007)
    people: list[Who] = [
        victim(),
        victim("Sian Price", known_as=["Sian Hughes"]),
        victim("Sian Huhges"),
        victim(born=None),
        victim("Jane Bell", "1999-09-09"),
        suspect(),
        suspect("Marc Doyle"),
        suspect(born="1966-11-30"),
        suspect("Kit Marsh", "1988-08-08"),
        child(),
        child("Cerys Doyle", "2026-03-02", "c2"),
        child("Al Bell", "2019-01-01", "c3"),
        child("Owen Hughes", "2017-05-06", "c2"),
        child("Olwen Hughes", id="c3"),
    ]
    for _ in range(15):
        await empty(worker)
        bodies: dict[str, list[IncidentAccepted]] = defaultdict(list)
        for i in range(8):
            for revision in range(1, rng.choice((1, 1, 2, 3)) + 1):
                drawn = rng.sample(people, rng.randint(1, 3))
                unique = list({one.id: one for one in drawn}.values())
                withdrawn = revision > 1 and rng.random() < 0.3
                bodies[f"R{i}"].append(accepted(f"R{i}", *unique, at=i, revision=revision, withdrawn=withdrawn))
        decisions = {
            reference: case_decided(
                revisions[-1],
                level=rng.randint(0, 4),
                services={"marac": ["a1"]} if rng.random() < 0.4 else None,
            )
            for reference, revisions in bodies.items()
        }
        answers = {r: case_answered(bodies[r][-1], rng.choice(["letter", "section_17"])) for r in bodies}
        steps: list[tuple[set[str], Callable[[], Awaitable[None]]]] = []
        waiting = {reference: list(revisions) for reference, revisions in bodies.items()}
        while waiting:
            some = rng.sample(sorted(waiting), rng.randint(1, len(waiting)))
            batch = [waiting[reference].pop(0) for reference in some]
            waiting = {reference: left for reference, left in waiting.items() if left}
            steps.append((set(some), partial(worker.accept, *batch)))
        for reference in bodies:
            for learn in (
                partial(worker.decide, decisions[reference]),
                partial(worker.answer, answers[reference]),
            ):
                # A case is decided on after it was joined: triage hears of it from enrichment.
                joined = next(i for i, (accepted_now, _) in enumerate(steps) if reference in accepted_now)
                steps.insert(rng.randint(joined + 1, len(steps)), (set(), learn))
        for _, step in steps:
            await step()
        final = [
            domain.case_of(revisions[-1], decisions[reference], answers[reference])
            for reference, revisions in bodies.items()
        ]
        assert await histories(worker) == in_order(final)


async def test_two_workers_at_the_same_instant_end_in_one_family_with_the_order_accepted(
    servers: Servers,
) -> None:
    async with worker_on(servers) as one, worker_on(servers) as other:
        await empty(one)
        for i in range(RACES):
            name, born = stranger(i)
            first = accepted(f"A{i}", victim(name, born), at=1)
            second = accepted(f"B{i}", victim(name, born), at=2)
            await asyncio.gather(one.accept(second), other.accept(first))
        newest = await one.newest()
        for i in range(RACES):
            assert newest[f"A{i}"].family == newest[f"B{i}"].family
            assert told(newest[f"A{i}"].history) == []
            assert told(newest[f"B{i}"].history) == [f"A{i}"]
        assert len({body.family for body in newest.values()}) == RACES


async def test_two_workers_with_overlapping_families_and_decisions_end_as_in_order(servers: Servers) -> None:
    async with worker_on(servers) as one, worker_on(servers) as other:
        await empty(one)
        bodies = [accepted(f"R{i}", victim(*stranger(i % 4)), child(), at=i) for i in range(16)]
        decisions = [case_decided(body, level=i % 5) for i, body in enumerate(bodies)]
        for i in range(0, 16, 4):
            await asyncio.gather(
                one.accept(*bodies[i : i + 2]),
                other.accept(*bodies[i + 2 : i + 4]),
                one.decide(*decisions[max(0, i - 4) : i]) if i else asyncio.sleep(0),
            )
        await asyncio.gather(one.decide(*decisions[::2]), other.decide(*decisions[1::2]))
        expected = in_order(domain.case_of(body, of) for body, of in zip(bodies, decisions, strict=True))
        assert await histories(one) == expected


async def test_many_told_again_take_the_bulk_lane_the_gravest_and_newest_first(servers: Servers) -> None:
    async with worker_on(servers, bulk_above=2, reemit_at_once=3) as worker:
        await empty(worker)
        bodies = [accepted(f"R{i}", victim(), at=i) for i in range(1, 6)]
        await worker.accept(*bodies)
        await worker.decide(case_decided(bodies[1], level=3), case_decided(bodies[2], level=1))
        while await worker.fire():
            pass
        count = await worker.count()
        await worker.accept(accepted("R0", victim(), at=0))
        new = (await worker.emitted())[count:]
        assert [(one.body.incident.reference, one.lane) for one in new] == [
            ("R0", "live"),
            ("R5", "bulk"),
            ("R4", "bulk"),
            ("R1", "bulk"),
        ]
        while await worker.fire():
            pass
        rest = (await worker.emitted())[count + 4 :]
        assert [one.body.incident.reference for one in rest] == ["R2", "R3"]
        assert {one.lane for one in rest} == {"bulk"}
        assert all("R0" in told(body.history) for r, body in (await worker.newest()).items() if r != "R0")


async def test_a_withdrawal_or_amendment_that_could_not_look_up_its_family_still_leaves_it_in_the_end(
    servers: Servers,
) -> None:
    async with worker_on(servers, lookup_budget_ms=150) as worker:
        await empty(worker)
        bodies = [accepted(f"R{i}", victim(), at=i) for i in range(4)]
        await worker.accept(*bodies)
        async with lookups_stuck(servers):
            await worker.accept(accepted("R0", victim(), at=0, revision=2, withdrawn=True))
            await worker.accept(accepted("R1", suspect(), at=1, revision=2))
            await worker.decide(case_decided(bodies[2], level=4))
        newest = await worker.newest()
        assert (newest["R0"].why, newest["R1"].why) == ("withdrawn", "amended")
        await asyncio.sleep(0.01)
        while await worker.fire():
            pass
        newest = await worker.newest()
        assert (newest["R0"].why, told(newest["R1"].history), told(newest["R2"].history)) == (
            "withdrawn",
            [],
            [],
        )
        assert [(i.reference, i.child_level) for i in newest["R3"].history.incidents or ()] == [("R2", 4)]
        assert newest["R1"].family != newest["R3"].family
        async with worker.outbox.database.transaction() as tx:
            assert await tx.value("SELECT count(*) FROM incidents WHERE pending") == 0
            assert await tx.value("SELECT family FROM incidents WHERE \"case\" = 'northshire/R0'") is None


async def test_a_history_that_cannot_be_read_in_time_goes_on_as_unavailable_and_is_completed(
    servers: Servers,
) -> None:
    async with worker_on(servers, lookup_budget_ms=150) as worker:
        await empty(worker)
        await worker.accept(accepted("R1", victim(), at=1))
        async with lookups_stuck(servers):
            await worker.accept(accepted("R2", victim(), at=2), accepted("R3", victim(), at=3))
            new = (await worker.emitted())[1:]
            assert {one.body.history.status for one in new} == {"unavailable"}
            assert {one.body.why for one in new} == {"accepted"}
        await asyncio.sleep(0.01)
        await worker.fire()
        newest = await worker.newest()
        assert {told(newest["R2"].history)[0], newest["R2"].why} == {"R1", "late_knowledge"}
        assert newest["R2"].cause == "looked_up"
        assert told(newest["R3"].history) == ["R1", "R2"]
        assert {body.history.status for body in newest.values()} == {"complete"}
        count = await worker.count()
        while await worker.fire():
            pass
        assert await worker.count() == count


async def test_incidents_and_decisions_go_through_the_topics(servers: Servers, worker: Worker) -> None:
    first, second = accepted("R1", victim(), child(), at=1), accepted("R2", victim(), child(), at=2)
    async with (
        service_on(servers),
        outbox_of(servers, "intake") as intake,
        outbox_of(servers, "triage") as triage,
    ):
        async with intake.transaction() as tx:
            for body in (first, second):
                tx.emit(INCIDENTS, body.incident.case, body, started=ledger.now())
        await until_newest(worker, lambda newest: len(newest) == 2)
        async with triage.transaction() as tx:
            tx.emit(DECIDED, first.incident.case, case_decided(first, level=3), started=ledger.now())
        await until_newest(
            worker,
            lambda newest: [one.child_level for one in newest["R2"].history.incidents or ()] == [3],
        )
    newest_seq = {one.case: one.seq for one in await worker.emitted()}
    async with worker.outbox.database.transaction() as tx:
        rows = await tx.rows('SELECT * FROM reconcile ORDER BY "case"')
    assert [(row["case"], row["revision"], row["seq_emitted"]) for row in rows] == [
        (case, 1, newest_seq[case]) for case in ("northshire/R1", "northshire/R2")
    ]


async def until_newest(worker: Worker, holds: Callable[[dict[str, IncidentEnriched]], bool]) -> None:
    async def so() -> bool:
        return holds(await worker.newest())

    await until(so, "the newest states as expected")
