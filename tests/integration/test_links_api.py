"""Pairs of people who may be one, over HTTP: what a person sees of them, rules, and takes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.enrichment.domain.linkage import pack, read_person
from shared import keys
from shared.contracts.incident import Address, Phone
from shared.db import Database
from tests.e2e.fuzzer import fuzz
from tests.integration.conftest import Servers
from tests.integration.register_work import Worker, bearing, empty, histories, served, service_on, worker_on
from tests.unit.enrichment.builders import accepted, case_decided, child, happened, suspect, told, victim

HOME = Address(line1="14 Mill Lane", town="Northbury", postcode="NB4 2QT")


@dataclass
class Office:
    """The service with a screening team of two agencies, one of another area, and ops."""

    worker: Worker
    http: httpx.AsyncClient
    social: str
    police: str
    elsewhere: str
    ops: str

    async def get(self, path: str, key: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, headers=bearing(key), params=query)

    async def waiting(self, key: str | None = None, **query: Any) -> list[dict[str, Any]]:
        answer = await self.get("/v1/links", key or self.social, **query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["links"]
        return found

    async def rule(
        self, link: dict[str, Any], act: str, key: str | None = None, /, **said: Any
    ) -> httpx.Response:
        body = {"act": act, "why": "Her sister says so.", "seen": link["stands"], **said}
        return await self.http.post(f"/v1/links/{link['id']}", json=body, headers=bearing(key or self.social))

    async def acts(self, count: int) -> list[str]:
        """What was audited last: nothing ever leaves that table."""
        async with self.worker.outbox.database.transaction() as tx:
            rows = await tx.rows("SELECT act FROM audit ORDER BY id DESC LIMIT :count", count=count)
        return [row["act"] for row in reversed(rows)]


@pytest.fixture
async def office(servers: Servers) -> AsyncIterator[Office]:
    owner = Database(servers.database, "enrichment", as_owner=True)
    made: list[str] = []
    async with owner.transaction() as tx:
        for who, agency, areas in (
            ("rhian", "social_care", ("northbury",)),
            ("dai", "police", ("northbury", "southmere")),
            ("eve", "social_care", ("southmere",)),
        ):
            made.append((await keys.create(tx, role="person", person=who, agency=agency, areas=areas))[1])
        made.append((await keys.create(tx, role="ops"))[1])
    await owner.close()
    async with worker_on(servers) as worker, service_on(servers, named_staff=["dai"]) as (http, _):
        await empty(worker)
        yield Office(worker, http, *made)


async def link(worker: Worker, one: str, other: str, *, decision: str = "likely", bits: float = 1.5) -> None:
    """A link as the register writes it, between people as it files them."""
    one, other = sorted((one, other))
    async with worker.outbox.database.transaction() as tx:
        for mention in (one, other):
            person = read_person(
                {"id": mention, "name": {"given": "Sian", "family": "Hughes"}, "sex": "female"}
            )
            await tx.execute(
                "INSERT INTO people (id, person, holder) VALUES (:id, :person, :holder) ON CONFLICT DO NOTHING",
                id=mention,
                person=pack(person),
                holder=mention.partition("\n")[0],
            )
        await tx.execute(
            """
            INSERT INTO links (one, other, bits, decision, levels, open)
            VALUES (:one, :other, :bits, :decision, '[]', :open)
            """,
            one=one,
            other=other,
            bits=bits,
            decision=decision,
            open=decision == "likely",
        )


async def two_families(office: Office, *, area: str = "northbury", **fields: Any) -> None:
    """Two strangers of whom the register says that they may be one."""
    await office.worker.accept(
        accepted("R1", victim(address=HOME), at=1, area="northbury"),
        accepted("R2", victim("Jane Bell", "1961-12-25", area=area), at=2, area=area, **fields),
    )
    await link(office.worker, "northshire/R1\na1", "northshire/R2\na1")


async def test_a_pair_is_shown_side_by_side_with_what_each_field_weighs(office: Office) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    assert (pair["decision"], pair["bits"], pair["ruling"], pair["rulings"]) == ("likely", 1.5, None, [])
    assert [pair[side]["case"] for side in ("one", "other")] == ["northshire/R1", "northshire/R2"]
    fields = {one["field"]: one for one in pair["fields"]}
    assert (fields["given"]["one"], fields["given"]["other"]) == ("Sian", "Jane")
    assert (fields["street"]["one"], fields["street"]["other"]) == ("14 Mill Lane", None)
    assert all(set(one) == {"field", "one", "other", "level", "bits"} for one in pair["fields"])
    shown = (await office.get(f"/v1/links/{pair['id']}", office.social)).json()
    assert shown == pair
    assert await office.acts(2) == ["links.listed", "link.looked_at"]


async def test_only_people_of_both_areas_see_a_pair_and_nobody_else_may_rule(office: Office) -> None:
    await two_families(office, area="southmere")
    [pair] = await office.waiting(office.police)
    for key in (office.social, office.elsewhere):
        assert await office.waiting(key) == []
        assert (await office.get(f"/v1/links/{pair['id']}", key)).status_code == 404
        assert (await office.rule(pair, "join", key)).status_code == 404
    for key in (office.ops, "nobody"):
        assert (await office.get("/v1/links", key)).status_code in (401, 403)
        assert (await office.rule(pair, "join", key)).status_code in (401, 403)
    assert (await office.rule(pair, "join", office.police)).status_code == 200


async def test_a_restricted_case_is_for_named_staff(office: Office) -> None:
    await two_families(office, incident=happened(forced_marriage=True))
    assert await office.waiting(office.social) == []
    [pair] = await office.waiting(office.police)
    assert (await office.rule(pair, "join", office.social)).status_code == 404
    # So is all that is known of the family besides.
    await office.worker.accept(accepted("R3", victim("Jane Bell", "1961-12-25"), at=3, area="northbury"))
    await link(office.worker, "northshire/R1\na1", "northshire/R3\na1")
    assert [one["other"]["case"] for one in await office.waiting(office.police)] == ["northshire/R3"]
    assert await office.waiting(office.social) == []


async def test_the_gravest_family_comes_first_and_a_page_goes_on_where_the_last_ended(office: Office) -> None:
    families = (("Pemberton", "1991-11-30", "1 Mill Lane"), ("Okafor", "1979-04-05", "22 Quay Street"),
                ("Lindqvist", "1984-08-17", "9 Harbour View"))  # fmt: skip
    bodies = [
        accepted(
            f"R{2 * i + j}",
            victim(f"{given} {family}", born, address=Address(line1=home, postcode=f"NB{i} 2QT"), sex="female"),
            at=2 * i + j,
            area="northbury",
        )
        for i, (family, born, home) in enumerate(families)
        for j, given in enumerate(("Lauren", "Loz"))
    ]
    await office.worker.accept(*bodies)
    await office.worker.decide(
        *(case_decided(body, level=level) for body, level in zip(bodies, (0, 0, 3, 3, 1, 1), strict=True))
    )
    seen, after = [], None
    while True:
        query = {"limit": 1, **({} if after is None else {"after": after})}
        page = (await office.get("/v1/links", office.social, **query)).json()
        seen += [one["one"]["case"] for one in page["links"]]
        if (after := page["next"]) is None:
            break
    assert seen == ["northshire/R2", "northshire/R4", "northshire/R0"]
    family = (await office.worker.newest())["R4"].family
    assert [one["one"]["case"] for one in await office.waiting(family=family)] == ["northshire/R4"]


async def test_what_a_person_rules_is_kept_with_the_reason_and_can_be_taken_back(office: Office) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    kept = (await office.rule(pair, "apart")).json()
    assert (kept["status"], kept["ruling"]["ruling"], kept["ruling"]["who"]) == ("recorded", "apart", "rhian")
    assert (kept["ruling"]["agency"], kept["ruling"]["why"]) == ("social_care", "Her sister says so.")
    assert [one["id"] for one in await office.waiting(decision="apart")] == [pair["id"]]
    undone = (await office.rule(kept, "undo", office.police, why="Another sister.")).json()
    assert (undone["status"], undone["ruling"]) == ("recorded", None)
    assert [(one["who"], one["undone_by"]) for one in undone["rulings"]] == [("rhian", "dai")]
    assert await office.acts(3) == ["link.kept_apart", "links.listed", "link.ruling_undone"]
    assert await office.waiting(decision="apart") == []


async def test_the_same_ruling_sent_again_is_done_once(office: Office) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    first, again = [(await office.rule(pair, "join")).json() for _ in range(2)]
    assert (first["status"], again["status"]) == ("recorded", "repeated")
    assert len(again["rulings"]) == 1
    undone = [(await office.rule(first, "undo")).json()["status"] for _ in range(2)]
    assert undone == ["recorded", "repeated"]
    assert (
        await office.rule((await office.get(f"/v1/links/{pair['id']}", office.social)).json(), "undo")
    ).status_code == 409


async def test_two_people_at_once_do_not_overrule_one_another_unseen(office: Office) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    answers = await asyncio.gather(office.rule(pair, "join"), office.rule(pair, "apart", office.police))
    assert sorted(one.status_code for one in answers) == [200, 409]
    refused = next(one for one in answers if one.status_code == 409).json()
    assert refused["title"] == "It changed meanwhile"
    [changed] = refused["changed"]
    assert changed.startswith(("rhian joined them", "dai kept them apart"))
    now = (await office.get(f"/v1/links/{pair['id']}", office.police)).json()
    assert refused["stands"] == now["stands"]
    other = "apart" if now["ruling"]["ruling"] == "join" else "join"
    assert (await office.rule(now, other, office.police)).json()["ruling"]["ruling"] == other


async def test_a_score_that_changed_meanwhile_is_told(office: Office) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    async with office.worker.outbox.database.transaction() as tx:
        await tx.execute("UPDATE links SET decision = 'same', bits = 9")
    refused = await office.rule(pair, "apart")
    assert refused.status_code == 409
    assert refused.json()["changed"] == ["by their details they are same now"]


async def test_keeping_two_apart_whom_the_score_joined_and_taking_it_back_restores_what_was(
    office: Office,
) -> None:
    worker = office.worker
    sian = victim("Sian Pemberton", "1994-03-07", address=HOME)
    await worker.accept(
        accepted("R1", sian, child("Al Pemberton"), at=1, area="northbury"),
        accepted("R2", sian, suspect(), at=2, area="northbury"),
        accepted("R3", suspect(), at=3, area="northbury"),
    )
    before, families = await histories(worker), {r: one.family for r, one in (await worker.newest()).items()}
    assert (len(set(families.values())), told((await worker.newest())["R3"].history)) == (1, ["R1", "R2"])
    same = await office.waiting(decision="same", family=families["R1"])
    [pair] = [
        one for one in same if {one["one"]["case"], one["other"]["case"]} == {"northshire/R1", "northshire/R2"}
    ]
    count = await worker.count()
    split = (await office.rule(pair, "apart")).json()
    newest = await worker.newest()
    assert (told(newest["R2"].history), told(newest["R3"].history)) == ([], ["R2"])
    assert newest["R1"].family != newest["R2"].family == newest["R3"].family
    new = (await worker.emitted())[count:]
    assert [(one.body.incident.reference, one.body.why, one.body.cause) for one in new] == [
        ("R3", "late_knowledge", "ruling"),
        ("R2", "late_knowledge", "ruling"),
    ]
    assert [one["id"] for one in await office.waiting(decision="same")].count(pair["id"]) == 1
    await office.rule(split, "undo", office.police)
    assert await histories(worker) == before
    assert {r: one.family for r, one in (await worker.newest()).items()} == families


async def test_a_ruling_outlives_an_amendment_and_no_score_overrules_it(office: Office) -> None:
    worker = office.worker
    sian = victim("Sian Pemberton", "1994-03-07", address=HOME)
    await worker.accept(
        accepted("R1", sian, at=1, area="northbury"), accepted("R2", sian, at=2, area="northbury")
    )
    [pair] = await office.waiting(decision="same")
    await office.rule(pair, "apart")
    closer = victim("Sian Pemberton", "1994-03-07", address=HOME, phones=[Phone(number="07700 900123")])
    await worker.accept(
        accepted("R1", closer, at=1, area="northbury", revision=2),
        accepted("R2", closer, at=2, area="northbury", revision=2),
    )
    assert told((await worker.newest())["R2"].history) == []
    await worker.accept(accepted("R1", at=1, area="northbury", revision=3, withdrawn=True))
    await worker.accept(accepted("R1", sian, at=1, area="northbury", revision=4))
    assert told((await worker.newest())["R2"].history) == []


@pytest.mark.parametrize(
    "said",
    [{"act": "merge"}, {"why": " "}, {"why": None}, {"seen": ""}, {"more": 1}],
    ids=str,
)
async def test_what_is_no_ruling_is_refused(office: Office, said: dict[str, Any]) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    answer = await office.rule(pair, "join", **said)
    assert (answer.status_code, answer.json()["title"]) == (422, "Not a ruling")


async def test_the_fuzzer_finds_no_failure(office: Office, tmp_path: Path) -> None:
    await two_families(office)
    [pair] = await office.waiting()
    told = {"WAYMARK_FUZZ_LINK": pair["id"], "WAYMARK_FUZZ_SEEN": pair["stands"]}
    async with served(office.http) as url:
        done = await asyncio.to_thread(
            fuzz, url, office.social, tmp_path, "--include-path-regex", "^/v1/links", seconds=8, **told
        )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "3 selected" in said, said
    assert (await office.get(f"/v1/links/{pair['id']}", office.social)).json()["rulings"], "none was taken"
