"""What the door refused is not lost without a trace: kept word for word, for its own force, within limits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import orjson
import pytest

from services.intake.forms import write_csv
from services.intake.quarantine import LIMITS, Limits, Quarantine, reader_of
from shared import cursors
from shared.db import Database
from shared.errors import Refused
from shared.keys import Caller
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, a_reference, health, open_door, post
from tests.integration.waiting import until, wait_until

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


async def send(client: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/incidents", content=body, headers={**JSON, **headers})


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Everything that is listed, page by page."""
    found: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        page = (await client.get(f"/v1/refused?after={after}&limit=20")).json()
        found += page["refused"]
        after, more = page["next"], page["more"]
    return found


async def shown(client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    answer = await client.get(f"/v1/refused/{number}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["refused"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        (b"\xff\xfe no text", 400),
        (b'{"force": "northshire", "summary": "\xe2\x80\xa8 =cmd()|<b>"}', 422),
        (b"[" * 40 + b"]" * 40, 413),
        (orjson.dumps(an_incident(force="southshire")), 403),
    ],
)
async def test_what_is_refused_is_given_back_byte_for_byte(door: Door, body: bytes, status: int) -> None:
    async with door.client() as client:
        answer = await send(client, body)
        told = answer.json()
        kept = await shown(client, told["kept"])
        (entry,) = [one for one in await listed(client) if one["no"] == told["kept"]]
    assert answer.status_code == status
    content = kept["text"].encode() if "text" in kept else base64.b64decode(kept["base64"])
    assert content == body
    assert (kept["bytes"], kept["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (kept["status"], kept["title"], kept["detail"]) == (status, told["title"], told["detail"])
    assert entry["refused"] == {name: value for name, value in kept.items() if name not in ("text", "base64")}


async def test_a_conflict_is_kept_with_what_differs(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference)
        conflict = (await post(client, reference=reference, caller="victim")).json()
        kept = await shown(client, conflict["kept"])
    assert kept["differs"] == conflict["differs"] == ["/caller"]
    assert orjson.loads(kept["text"])["caller"] == "victim"


async def test_a_long_one_is_kept_in_part_and_known_whole(door: Door) -> None:
    body = b'{"summary": "' + "é".encode() * 100_000 + b'"}'
    async with door.client() as client:
        kept = await shown(client, (await send(client, body)).json()["kept"])
    content = kept["text"].encode() if "text" in kept else base64.b64decode(kept["base64"])
    assert content == body[: LIMITS.bytes_each]
    assert (kept["bytes"], kept["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


async def test_a_force_sees_what_was_refused_of_its_own_only(door: Door) -> None:
    async with door.client() as north, door.client(door.south) as south:
        number = (await send(north, b"{a northern secret")).json()["kept"]
        other = (await send(south, b"{a southern secret")).json()["kept"]
        of_north, of_south = await listed(north), await listed(south)
        assert (await shown(north, number))["text"] == "{a northern secret"
        assert (await shown(south, other))["text"] == "{a southern secret"
        texts = [(await shown(south, entry["no"]))["text"] for entry in of_south]
        missing = await south.get("/v1/refused/1000000")
    assert "{a northern secret" not in texts
    assert {entry["refused"]["key"] for entry in of_north}.isdisjoint(
        {entry["refused"]["key"] for entry in of_south}
    )
    assert missing.status_code == 404
    async with door.client(door.council) as council, httpx.AsyncClient(base_url=door.url) as nobody:
        assert (await council.get("/v1/refused")).status_code == 403
        assert (await nobody.get(f"/v1/refused/{number}")).status_code == 401


async def test_nobodys_submission_is_not_kept(door: Door) -> None:
    async with door.client() as client:
        before = await listed(client)
        async with door.client("wmk_made_up") as stranger, door.client(door.council) as council:
            assert "kept" not in (await send(stranger, b"{")).json()
            assert "kept" not in (await send(council, b"{")).json()
        assert await listed(client) == before


async def test_lines_of_a_batch_and_rows_of_a_sheet_are_kept_each_by_itself(door: Door) -> None:
    reference = a_reference()
    good = orjson.dumps(an_incident(reference=reference))
    lines = [
        good,
        b"{broken",
        orjson.dumps(an_incident(reference=reference, caller="victim")),
        b"x" * 1_100_000,
    ]
    no_date = {name: value for name, value in an_incident(reference="R-1").items() if name != "occurred_at"}
    sheet = write_csv("south", [no_date])
    async with door.client() as client:
        answer = await client.post("/v1/incidents/batch", content=b"\n".join(lines), headers=LINES)
        told = [orjson.loads(line) for line in answer.text.splitlines()]
        rows = await client.post("/v1/forms/south", content=sheet, headers={"Content-Type": "text/csv"})
        (row,) = [orjson.loads(line) for line in rows.text.splitlines()]
        kept = [await shown(client, one["problem"]["kept"]) for one in told[1:]]
        kept_row = await shown(client, row["problem"]["kept"])
    assert [one["code"] for one in told] == [202, 400, 409, 413]
    assert [one["door"] for one in kept] == ["batch"] * 3
    assert [one.get("text", "").encode() for one in kept[:2]] == lines[1:3]
    assert (kept_row["door"], kept_row["status"]) == ("south", 422)
    assert orjson.loads(kept_row["text"])["fields"]["reference"] == "R-1"


@pytest.mark.parametrize(
    ("sheet", "status"), [(b"\xff\xfe\x00broken", 400), (b"colour,shape\r\nred,round\r\n", 422)]
)
async def test_a_whole_sheet_that_cannot_be_read_is_kept(door: Door, sheet: bytes, status: int) -> None:
    async with door.client() as client:
        answer = await client.post("/v1/forms/north", content=sheet, headers={"Content-Type": "text/csv"})
        kept = await shown(client, answer.json()["kept"])
    assert (answer.status_code, kept["status"], kept["door"]) == (status, status, "north")
    assert (kept["text"].encode() if "text" in kept else base64.b64decode(kept["base64"])) == sheet


async def test_many_refused_at_once_get_a_number_each(door: Door) -> None:
    bodies = [b"{%d" % number for number in range(60)]
    async with door.client() as client:
        answers = await asyncio.gather(*(send(client, body) for body in bodies))
        numbers = [answer.json()["kept"] for answer in answers]
        texts = [(await shown(client, number))["text"].encode() for number in numbers]
    assert len(set(numbers)) == len(bodies)
    assert texts == bodies


def test_a_refusal_is_answered_without_a_number_while_the_database_is_away(door: Door) -> None:
    async def while_away() -> tuple[httpx.Response, httpx.Response]:
        async with door.client() as client:
            assert (await post(client, reference=a_reference())).status_code == 202
            door.wire.cut()
            try:
                return await send(client, b"{not json"), await post(client, reference=a_reference())
            finally:
                door.wire.mend()

    refused, unlucky = asyncio.run(while_away())
    assert (refused.status_code, "kept" in refused.json()) == (400, False)
    assert (unlucky.status_code, "kept" in unlucky.json()) == (503, False)
    wait_until(lambda: health(door) == "up", "the database is back")

    async def after() -> None:
        async with door.client() as client:
            assert (await shown(client, (await send(client, b"{again")).json()["kept"]))["text"] == "{again"

    asyncio.run(after())


# Limits, on a quarantine of our own


def a_refusal(status: int = 422) -> Refused:
    return Refused(status, "Not an incident", "Send one.")


@asynccontextmanager
async def running(servers: Servers, limits: Limits) -> AsyncIterator[tuple[Quarantine, Database]]:
    database = Database(servers.database, "intake")
    quarantine = Quarantine(database, limits)
    task = asyncio.create_task(quarantine.run())
    try:
        yield quarantine, database
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await database.close()


async def entries(database: Database, force: str) -> list[dict[str, Any]]:
    async with database.transaction() as tx:
        rows = await cursors.read(tx, reader_of(force), after=0, limit=1000)
    return [{"no": row["no"], **orjson.loads(row["payload"])} for row in rows]


async def test_the_newest_of_a_force_are_kept_and_another_forces_are_not_touched(servers: Servers) -> None:
    one, other = (Caller(key="k", role="police", force=force) for force in ("one", "other"))
    async with running(servers, Limits(entries=3)) as (quarantine, database):
        await quarantine.keep(a_refusal(), b"only", other, "json")
        numbers = [(await quarantine.keep(a_refusal(), b"%d" % n, one, "json")).extra["kept"] for n in range(8)]
        kept = await entries(database, "one")
        assert [entry["no"] for entry in kept] == numbers[-3:]
        assert [entry["text"] for entry in kept] == ["5", "6", "7"]
        assert [entry["text"] for entry in await entries(database, "other")] == ["only"]


async def test_no_more_of_one_is_kept_than_the_limit(servers: Servers) -> None:
    caller = Caller(key="k", role="police", force="long")
    async with running(servers, Limits(bytes_each=4)) as (quarantine, database):
        await quarantine.keep(a_refusal(), b"abcdef", caller, "json")
        await quarantine.keep(a_refusal(), "abcé".encode(), caller, "json")
        first, second = await entries(database, "long")
    assert (first["text"], first["bytes"]) == ("abcd", 6)
    assert base64.b64decode(second["base64"]) == "abcé".encode()[:4]


@pytest.mark.parametrize("status", [401, 404, 408, 429, 500, 503])
async def test_what_passes_or_was_not_looked_at_is_not_kept(servers: Servers, status: int) -> None:
    caller = Caller(key="k", role="police", force="passing")
    async with running(servers, Limits()) as (quarantine, database):
        refused = await quarantine.keep(a_refusal(status), b"{", caller, "json")
        assert "kept" not in refused.extra
        assert await entries(database, "passing") == []


async def test_what_is_too_old_is_dropped_though_nothing_more_is_refused_of_its_force(servers: Servers) -> None:
    quiet = Caller(key="k", role="police", force="quiet")
    async with running(servers, Limits()) as (quarantine, database):
        for text in (b"old", b"new"):
            await quarantine.keep(a_refusal(), text, quiet, "json")
        async with database.transaction() as tx:
            await tx.execute(
                "UPDATE feed SET at = now() - make_interval(days => 31) WHERE reader = :reader AND no = 1",
                reader=reader_of("quiet"),
            )
            await cursors.append(tx, {"quiet": [("quiet/1", b"{}")]})
            await tx.execute("UPDATE feed SET at = now() - make_interval(days => 400) WHERE reader = 'quiet'")
    async with running(servers, Limits(look_every_s=0.05)) as (_, database):

        async def is_dropped() -> bool:
            return [entry["text"] for entry in await entries(database, "quiet")] == ["new"]

        await until(is_dropped, "the old one is dropped")
        async with database.transaction() as tx:
            outcomes = await cursors.read(tx, "quiet", after=0)
        assert len(outcomes) == 1, "an outcome is never dropped, however old"
