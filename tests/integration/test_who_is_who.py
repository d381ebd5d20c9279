"""Who is whom in the register, on the real database: written otherwise and found, alike and kept apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest

from services.enrichment import domain
from shared.contracts.incident import Address
from tests.integration.conftest import Servers
from tests.integration.register_work import Worker, empty, histories, in_order, worker_on
from tests.unit.enrichment.builders import NOON, Who, accepted, case_decided, child, suspect, told, victim

HOME: dict[str, Any] = {"address": Address(line1="14 Mill Lane", town="Northbury", postcode="NB4 2QT")}


@pytest.fixture
async def worker(servers: Servers) -> AsyncIterator[Worker]:
    """A worker on an empty register."""
    async with worker_on(servers) as one:
        await empty(one)
        yield one


@pytest.mark.parametrize(
    ("known", "written"),
    [
        (victim(), victim("Sian Huhges")),
        (victim(), victim("Hughes Sian")),
        (victim(), victim(born="1994-07-03")),
        (victim(**HOME), victim("Sian Price", **HOME)),
        (victim(**HOME), victim(born=None, **HOME)),
        (victim(**HOME), victim("Sian Hughes-Price", born="1994-03-08", **HOME)),
        (suspect("William Doyle"), suspect("Bill Doyle")),
        (child(), child("Owen Huhges")),
        (child(**HOME), child("Owen Price", **HOME)),
    ],
    ids=[
        "typo", "names swapped", "day and month swapped", "surname changed", "no birth date",
        "double-barrelled, another day", "nickname", "a child's typo", "a child's surname changed",
    ],
)  # fmt: skip
async def test_who_is_written_otherwise_is_found_with_the_familys_history(
    worker: Worker, known: Who, written: Who
) -> None:
    await worker.accept(accepted("R1", known, at=1))
    await worker.accept(accepted("R2", written, at=2))
    newest = await worker.newest()
    assert newest["R2"].family == newest["R1"].family
    assert [(one.reference, one.link) for one in newest["R2"].history.incidents or ()] == [("R1", "certain")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (child("Ava Hughes", "2020-01-05", **HOME), child("Mia Hughes", "2020-01-05", **HOME)),
        (child("Owen Hughes", **HOME), child("Cerys Hughes", "2019-08-01", **HOME)),
        (suspect("Mark Doyle", **HOME), suspect("Mark Doyle", "1966-11-30", **HOME)),
        (victim(**HOME), victim("Jane Bell", "1990-01-01", **HOME)),
        (victim(), victim(born="1988-10-21")),
    ],
    ids=["twins", "siblings", "father and son of one name", "one address", "namesakes"],
)
async def test_look_alikes_are_not_joined(worker: Worker, one: Who, other: Who) -> None:
    await worker.accept(accepted("R1", one, at=1), accepted("R2", other, at=2))
    newest = await worker.newest()
    assert newest["R2"].family != newest["R1"].family
    assert not [one for one in newest["R2"].history.incidents or () if one.link == "certain"]


async def test_somebody_who_suits_both_of_two_people_joins_neither(worker: Worker) -> None:
    father, son = suspect("Mark Doyle", "1961-11-30", **HOME), suspect("Mark Doyle", "1985-04-02", **HOME)
    await worker.accept(accepted("R1", father, at=1), accepted("R2", son, at=2))
    await worker.accept(accepted("R3", suspect("Mark Doyle", None, **HOME), at=3))
    newest = await worker.newest()
    assert len({body.family for body in newest.values()}) == 3
    links = [(one.reference, one.link) for one in newest["R3"].history.incidents or ()]
    assert links == [("R1", "likely"), ("R2", "likely")]


async def test_what_is_only_likely_is_told_as_such_and_gone_when_it_no_more_is(worker: Worker) -> None:
    """The same rare name without a birth date: perhaps her, so the other's history comes with a mark."""
    first = accepted("R1", victim(), suspect(), child(), at=1)
    await worker.accept(first)
    await worker.decide(case_decided(first, level=3, services={"marac": ["a1"]}))
    await worker.accept(accepted("R2", victim(born=None), at=2))
    newest = await worker.newest()
    history = newest["R2"].history
    assert newest["R2"].family != newest["R1"].family
    assert [(one.reference, one.child_level, one.link) for one in history.incidents or ()] == [
        ("R1", 3, "likely")
    ]
    assert [(one.born, one.link) for one in history.children_known or ()] == [(child().born, "likely")]
    assert [(one.victim, one.referred_on, one.link) for one in history.marac or ()] == [
        ("a1", NOON.date(), "likely")
    ]
    async with worker.outbox.database.transaction() as tx:
        [link] = await tx.rows("SELECT one, other, decision, open FROM links")
    assert (link["one"], link["other"]) == ("northshire/R1\na1", "northshire/R2\na1")
    assert (link["decision"], link["open"]) == ("likely", True)

    await worker.decide(case_decided(first, level=4, services={"marac": ["a1"]}, version=2))
    newest = await worker.newest()
    assert (newest["R2"].why, [one.child_level for one in newest["R2"].history.incidents or ()]) == (
        "late_knowledge",
        [4],
    )
    await worker.accept(accepted("R1", victim("Jane Bell", "1961-01-01"), at=1, revision=2))
    newest = await worker.newest()
    assert (newest["R2"].why, newest["R2"].history.incidents) == ("late_knowledge", [])


@pytest.mark.parametrize("gone", [{"withdrawn": True}, {"adults": None}])
async def test_a_mention_that_is_gone_is_found_no_more(worker: Worker, gone: dict[str, Any]) -> None:
    await worker.accept(accepted("R1", victim(), at=1))
    await worker.accept(accepted("R1", at=1, revision=2, **gone))
    await worker.accept(accepted("R2", victim("Sian Huhges"), at=2))
    assert told((await worker.newest())["R2"].history) == []
    async with worker.outbox.database.transaction() as tx:
        on_file = await tx.value("SELECT array_agg(holder) FROM people")
        keys = await tx.value(
            "SELECT count(*) FROM person_keys WHERE person NOT IN (SELECT number FROM people)"
        )
    assert (on_file, keys) == (["northshire/R2"], 0)


async def test_a_persons_ruling_joins_and_parts_and_taken_back_leaves_what_was(worker: Worker) -> None:
    await worker.accept(accepted("R1", victim(), at=1), accepted("R2", victim(born=None), at=2))
    await worker.accept(accepted("R3", victim(born=None), at=3))
    before = await histories(worker)

    async def rule(ruling: str | None, one: str, other: str) -> None:
        async with worker.outbox.transaction(publish=False) as tx:
            pair = (f"northshire/{one}\na1", f"northshire/{other}\na1")
            await tx.execute("UPDATE rulings SET undone_at = now() WHERE one = :one", one=pair[0])
            if ruling is not None:
                await tx.execute(
                    "INSERT INTO rulings (one, other, ruling, who, why)"
                    " VALUES (:one, :other, :ruling, 'rhian', 'asked')",
                    one=pair[0],
                    other=pair[1],
                    ruling=ruling,
                )
            await worker.handlers.retell_pair(tx, pair, trace="")

    await rule("join", "R1", "R2")
    newest = await worker.newest()
    assert newest["R2"].family == newest["R1"].family
    assert [(one.reference, one.link) for one in newest["R2"].history.incidents or ()] == [("R1", "certain")]
    assert [one.link for one in newest["R3"].history.incidents or ()] == ["likely", "likely"]
    await rule("apart", "R1", "R2")
    assert (await worker.newest())["R2"].history.incidents == []
    await rule(None, "R1", "R2")
    assert await histories(worker) == before


async def test_the_order_in_which_they_come_changes_nothing(worker: Worker) -> None:
    bodies = [
        accepted("R1", victim(**HOME), child("Ava Hughes", "2020-01-05"), at=1),
        accepted("R2", victim("Sian Huhges", born=None, **HOME), suspect("William Doyle"), at=2),
        accepted("R3", victim(born=None), suspect("Bill Doyle"), child("Mia Hughes", "2020-01-05"), at=3),
        accepted("R4", child("Ava Hughs", "2020-05-01", **HOME), at=4),
    ]
    expected = in_order(domain.case_of(body) for body in bodies)
    grouped = None
    for order in permutations(bodies):
        await empty(worker)
        for body in order:
            await worker.accept(body)
        assert await histories(worker) == expected
        async with worker.outbox.database.transaction() as tx:
            rows = await tx.rows('SELECT array_agg("case" ORDER BY "case") AS c FROM incidents GROUP BY family')
        found = sorted(row["c"] for row in rows)
        grouped = grouped or found
        assert found == grouped
