"""What councils send: matched to people, joined to families, and told to the cases that it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from services.enrichment import people_store
from services.enrichment.domain import Named
from services.enrichment.domain.linkage import read_person
from services.enrichment.importing.command import app
from shared import keys
from shared.db import Database
from tests.integration.conftest import Servers
from tests.integration.register_work import (
    Worker,
    bearing,
    empty,
    served,
    service_on,
    worker_on,
)
from tests.unit.enrichment.builders import (
    accepted,
    case_answered,
    case_decided,
    child,
    stranger,
    told,
    victim,
)

RECORDS: dict[str, Any] = {
    "schema": "waymark.records/1",
    "source": "northbury-css",
    "as_of": "2026-11-01T02:00:00Z",
    "whole": False,
    "people": [
        {"id": "css-1", "role": "adult", "name": {"given": "Sian", "family": "Hughes"}, "born": "1994-03-07"},
        {"id": "css-2", "role": "child", "name": {"given": "Owen", "family": "Hughes"}, "born": "2017-05-16"},
    ],
    "relationships": [{"from": "css-1", "to": "css-2", "kind": "parent"}],
    "involvement": [
        {"child": "css-2", "open": True, "worker": "Assessment Team 1", "pathways": [], "plans": []}
    ],
}


@pytest.fixture
async def worker(servers: Servers) -> AsyncIterator[Worker]:
    """A worker on an empty register."""
    async with worker_on(servers) as one:
        await empty(one)
        yield one


async def test_people_on_file_are_found_by_rare_keys_however_many_share_the_common_ones(worker: Worker) -> None:
    sian = read_person({**RECORDS["people"][0], "address": {"line1": "14 Mill Lane", "postcode": "NB4 2QT"}})
    namesakes = [
        read_person({"id": f"n{i}", "name": {"given": "Sian", "family": "Hughes"}, "born": f"{1950 + i}"})
        for i in range(5)
    ]
    asked = read_person({"id": "q", "name": {"given": "Sian", "family": "Huges"}, "born": "1994-07-03"})
    async with worker.outbox.database.transaction() as tx:
        await people_store.file_people(tx, [Named(one.id, one.id, one) for one in (sian, *namesakes)])
        await people_store.file_people(tx, [Named(sian.id, sian.id, sian)])
        ((few),) = await people_store.find_candidates(tx, [asked], most_per_key=4)
        every, nobody = await people_store.find_candidates(
            tx, [asked, read_person({"id": "nobody"})], most_per_key=50
        )
    assert [one.id for one in few] == ["css-1"]
    assert ({one.id for one in every}, nobody) == ({"css-1", *(one.id for one in namesakes)}, [])
    assert (few[0].name, few[0].born, few[0].line) == (sian.name, sian.born, sian.line)


async def test_who_has_no_rare_key_is_found_by_name_and_birth_date_in_full(worker: Worker) -> None:
    told = {"name": {"given": "Sian", "family": "Hughes"}, "born": "1994-03-07"}
    sian = [read_person({"id": f"s{i}", **told}) for i in range(9)]
    async with worker.outbox.database.transaction() as tx:
        await people_store.file_people(tx, [Named(one.id, one.id, one) for one in sian])
        found, otherwise = await people_store.find_candidates(
            tx, [sian[0], read_person({"id": "q", **told, "born": "1994-07-03"})], most_per_key=4
        )
    assert {one.id for one in found} >= {"s0", "s1", "s2", "s3"}
    assert otherwise == []


async def test_characters_that_the_database_cannot_hold_in_text_hold_up_nothing(
    servers: Servers, worker: Worker
) -> None:
    odd = child(id="c\x00", school={"urn": "\x00"}, area="\x00")
    first, second = accepted("R1", victim("Sian\x00 Hughes"), odd, at=1), accepted("R2", victim(), odd, at=2)
    await worker.accept(first, second)
    await worker.decide(case_decided(first, services={"childrens_services": ["c\x00"]}))
    await worker.answer(case_answered(first))
    newest = await worker.newest()
    assert told(newest["R2"].history) == ["R1"]
    assert [one.child for one in newest["R2"].history.involvement or ()] == ["c\x00"]
    people = [*RECORDS["people"], {"id": "css-\x00"}, {"id": "css-4", "area": "\x00"}]
    involvement = [{"child": "css-\x00"}, {"child": "css-2", "open": True, "worker": "\x00"}]
    document = {**RECORDS, "people": people, "involvement": involvement}
    async with service_on(servers) as (http, key):
        answer = (await http.post("/v1/records", json=document, headers=bearing(key))).json()
    assert (answer["people"], [(bad["list"], bad["index"]) for bad in answer["bad"]]) == (
        3,
        [("people", 2), ("involvement", 0)],
    )


async def test_records_are_matched_to_people_and_their_recent_cases_told_again(
    servers: Servers, worker: Worker
) -> None:
    await worker.accept(accepted("R1", victim(), at=1), accepted("R2", child(id="x"), at=2))
    async with service_on(servers) as (http, key):
        answer = await http.post("/v1/records", json=RECORDS, headers=bearing(key))
        assert answer.status_code == 200, answer.text
        counts = {"people": 2, "relationships": 1, "involvement": 1, "removed": 0}
        assert answer.json() == {"source": "northbury-css", **counts, "bad": [], "faults": []}
        newest = await worker.newest()
        assert newest["R1"].family == newest["R2"].family
        [known] = newest["R1"].history.children_known or []
        [involved] = newest["R1"].history.involvement or []
        assert (known.child, involved.child, involved.level) == (None, known.id, "open")
        assert involved.as_of == datetime(2026, 11, 1, 2, tzinfo=UTC)
        assert [one.child for one in newest["R2"].history.involvement or ()] == ["x"]
        assert told(newest["R2"].history) == ["R1"]
        assert {(body.why, body.cause) for body in newest.values()} == {("late_knowledge", "records")}

        count = await worker.count()
        again = {**RECORDS, "as_of": "2026-11-02T02:00:00Z"}
        assert (await http.post("/v1/records", json=again, headers=bearing(key))).status_code == 200
        assert await worker.count() == count

        closed = {
            **again,
            "people": [],
            "relationships": [],
            "involvement": [{"child": "css-2", "open": False}],
        }
        await http.post("/v1/records", json=closed, headers=bearing(key))
        assert [one.open for one in (await worker.newest())["R2"].history.involvement or ()] == [False]

        gone = {
            **RECORDS,
            "as_of": "2026-11-03T02:00:00Z",
            "people": [],
            "relationships": [],
            "involvement": [],
        }
        await http.post("/v1/records", json={**gone, "removed": ["css-1"]}, headers=bearing(key))
        newest = await worker.newest()
        assert (newest["R1"].history.children_known, told(newest["R2"].history)) == ([], [])


async def test_a_bad_entry_spoils_no_other_and_is_named_with_its_reason(
    servers: Servers, worker: Worker
) -> None:
    document = {
        **RECORDS,
        "people": [
            *RECORDS["people"],
            {"id": "css-3", "born": "31/02/2016", "name": {"given": "Al", "family": "Hughes"}},
            {"role": "child"},
            "Owen",
            RECORDS["people"][0],
        ],
        "relationships": [*RECORDS["relationships"], {"from": "css-1", "to": "css-99", "kind": "parent"}],
        "involvement": [
            *RECORDS["involvement"],
            {"open": True},
            {"child": "css-99"},
            {"child": "css-2", "open": 7},
        ],
    }
    await worker.accept(accepted("R1", victim(), child(), at=1))
    async with service_on(servers) as (http, key):
        answer = (await http.post("/v1/records", json=document, headers=bearing(key))).json()
    assert (answer["people"], answer["relationships"], answer["involvement"]) == (3, 1, 1)
    assert answer["faults"] == [{"list": "people", "index": 2, "at": "born", "because": "cannot be read"}]
    assert [(bad["list"], bad["index"]) for bad in answer["bad"]] == [
        ("people", 3),
        ("people", 4),
        ("people", 5),
        ("relationships", 1),
        ("involvement", 1),
        ("involvement", 2),
        ("involvement", 3),
    ]
    assert "2016" not in str(answer)
    assert [one.level for one in (await worker.newest())["R1"].history.involvement or ()] == ["open"]


async def test_a_whole_import_replaces_what_the_source_sent_and_an_empty_one_is_refused(
    servers: Servers, worker: Worker
) -> None:
    await worker.accept(accepted("R1", victim(), child(), at=1))
    whole = {**RECORDS, "whole": True, "as_of": "2026-11-05T02:00:00Z"}
    async with service_on(servers) as (http, key):

        async def post(document: dict[str, Any], **params: str) -> httpx.Response:
            return await http.post("/v1/records", json=document, headers=bearing(key), params=params)

        assert (await post(RECORDS)).status_code == 200
        fewer = {**whole, "people": RECORDS["people"][1:], "relationships": [], "involvement": []}
        assert (await post(fewer)).json()["removed"] == 1
        assert (await worker.newest())["R1"].history.involvement == []
        nobody = {
            **whole,
            "as_of": "2026-11-06T02:00:00Z",
            "people": [],
            "relationships": [],
            "involvement": [],
        }
        refused = await post(nobody)
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        older = await post({**whole, "as_of": "2026-10-01T02:00:00Z"})
        assert older.status_code == 409
        assert (await post(nobody, empty="yes")).json()["removed"] == 1
    assert (await worker.newest())["R1"].history.children_known == []


async def test_what_a_council_sent_is_told_as_stale_once_nothing_has_come_from_it_for_a_week(
    servers: Servers, worker: Worker
) -> None:
    nine_days = 9 * 24 * 60
    nothing_new = {"people": [], "relationships": [], "involvement": [], "as_of": "2026-11-10T02:00:00Z"}

    async def told_of(reference: str, at: float) -> list[tuple[bool | None, int | None]]:
        await worker.accept(accepted(reference, victim(), child(), at=at))
        involved = (await worker.newest())[reference].history.involvement or []
        return [(one.stale, one.as_of.day if one.as_of else None) for one in involved]

    async with service_on(servers) as (http, key):
        await http.post("/v1/records", json=RECORDS, headers=bearing(key))
        assert await told_of("R1", 1) == [(False, 1)]
        assert await told_of("R2", nine_days) == [(True, 1)]
        await http.post("/v1/records", json={**RECORDS, **nothing_new}, headers=bearing(key))
        assert await told_of("R3", nine_days + 1) == [(False, 1)]


async def test_a_council_sends_its_own_records_only(servers: Servers, worker: Worker) -> None:
    async with service_on(servers) as (http, key):
        other = await http.post(
            "/v1/records", json={**RECORDS, "source": "southmere-css"}, headers=bearing(key)
        )
        assert other.status_code == 403
        assert (await http.post("/v1/records", json=RECORDS)).status_code == 401
        assert (await http.post("/v1/records", content=b"{", headers=bearing(key))).status_code == 400
        unreadable = await http.post("/v1/records", json={"source": "northbury-css"}, headers=bearing(key))
        assert (unreadable.status_code, unreadable.json()["at"]) == (422, "/as_of")


async def test_the_command_sends_a_file_of_records(servers: Servers, worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_bytes(orjson.dumps({**RECORDS, "involvement": [{"child": "css-99"}]}))
    async with service_on(servers) as (http, key), served(http) as url:
        arguments = [str(file), "--url", url, "--key", key, "--json"]
        ran = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        refused = await asyncio.to_thread(CliRunner().invoke, app, [*arguments[:-2], "wmk_none"])
    away = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--patience", "0"])
    assert (away.exit_code, "does not answer" in away.output) == (1, True)
    assert ran.exit_code == 1, ran.output
    assert orjson.loads(ran.stdout)["people"] == 2
    assert [bad["list"] for bad in orjson.loads(ran.stdout)["bad"]] == ["involvement"]
    assert (refused.exit_code, "Unknown key" in refused.output) == (1, True)


async def test_a_person_sees_a_familys_cases_of_their_own_areas_only(servers: Servers, worker: Worker) -> None:
    first = accepted("R1", victim(), at=1, area="northbury")
    await worker.accept(first, accepted("R2", victim(), at=2, area="southmere"))
    await worker.decide(case_decided(first, level=3))
    family = (await worker.newest())["R1"].family
    owner = Database(servers.database, "enrichment", as_owner=True)
    async with owner.transaction() as tx:
        _, here = await keys.create(tx, role="person", person="p1", agency="police", areas=("northbury",))
        _, nowhere = await keys.create(tx, role="person", person="p2", agency="police")
    await owner.close()
    async with service_on(servers) as (http, council):
        seen = await http.get(f"/v1/families/{family}", headers=bearing(here))
        assert [(one["case"], one["child_level"]) for one in seen.json()["cases"]] == [("northshire/R1", 3)]
        assert (await http.get(f"/v1/families/{family}", headers=bearing(nowhere))).status_code == 404
        assert (await http.get("/v1/families/none", headers=bearing(here))).status_code == 404
        assert (await http.get(f"/v1/families/{family}", headers=bearing(council))).status_code == 403


async def test_an_import_larger_than_a_slice_goes_on_by_timer(servers: Servers, worker: Worker) -> None:
    bodies = [accepted(f"R{i}", victim(*stranger(i)), at=i) for i in range(7)]
    await worker.accept(*bodies)

    def known(id: str, role: str, name: str, born: str) -> dict[str, Any]:
        given, family = name.split()
        return {"id": id, "role": role, "name": {"given": given, "family": family}, "born": born}

    people = [known(f"p{i}", "adult", *stranger(i)) for i in range(7)]
    children = [known(f"q{i}", "child", stranger(50 + i)[0], f"2020-01-{1 + i:02}") for i in range(7)]
    related = [{"from": f"p{i}", "to": f"q{i}", "kind": "parent"} for i in range(7)]
    document = {**RECORDS, "people": [*people, *children], "relationships": related, "involvement": []}
    async with service_on(servers, records_slice=3) as (http, key):
        assert (await http.post("/v1/records", json=document, headers=bearing(key))).json()["people"] == 14

        async def all_told() -> bool:
            newest = await worker.newest()
            return all(len(newest[f"R{i}"].history.children_known or ()) == 1 for i in range(7))

        for _ in range(100):
            if await all_told():
                break
            await asyncio.sleep(0.1)
        assert await all_told()
