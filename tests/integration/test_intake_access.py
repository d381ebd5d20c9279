"""Who may post: keys and tokens, their rotation and their end, and how much each caller may send."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import jwt
import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from typer.testing import CliRunner

from shared import keys
from shared.db import Database
from shared.errors import Rejected
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, a_reference, free_port, open_door, post
from tests.integration.waiting import until
from waymark.access import app as keys_app

ISSUER, AUDIENCE = "https://login.example", "https://waymark.example"
KEYS_PORT = free_port()
POSTS_PER_S = 40
OLD, NEXT = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())
LINES = {"Content-Type": "application/x-ndjson"}


@dataclass
class AnIssuer:
    """Publishes its keys over HTTP, while it is there; counts how often it is asked."""

    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    def _document(self) -> dict[str, Any]:
        found = []
        for number, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            found.append({**orjson.loads(algorithm.to_jwk(key.public_key())), "kid": number, "use": "sig"})
        return {"keys": found}

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response(self._document())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AnIssuer]:
        application = web.Application()
        application.router.add_get("/keys", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", KEYS_PORT).start()
        try:
            yield self
        finally:
            await runner.cleanup()


def a_token(key: Any, number: str, algorithm: str = "RS256", **claims: Any) -> str:
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "records-system",
        "exp": time.time() + 300,
        "scope": "police:northshire",
        **claims,
    }
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": number})


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    tokens = {
        "oauth_issuer": ISSUER,
        "oauth_audience": AUDIENCE,
        "oauth_keys_url": f"http://127.0.0.1:{KEYS_PORT}/keys",
    }
    with open_door(servers, posts_per_s=POSTS_PER_S, **tokens) as opened:
        yield opened


@dataclass(frozen=True)
class Commands:
    """`waymark keys` on the test's database."""

    database: str

    def __call__(self, *words: str) -> tuple[int, str]:
        """The command's exit status, and what it printed."""
        environment = {**os.environ, "WAYMARK_DATABASE": self.database}
        with ThreadPoolExecutor(1) as thread:  # a command has a loop of its own
            done = thread.submit(CliRunner().invoke, keys_app, list(words), env=environment).result()
        return done.exit_code, done.stdout if done.exit_code == 0 else done.output

    def document(self, *words: str) -> Any:
        status, said = self(*words, "--json")
        assert status == 0, said
        return json.loads(said)

    def make(self, force: str = "northshire") -> dict[str, str]:
        return dict(self.document("create", "--role", "police", "--force", force))

    def state(self, number: str) -> dict[str, Any]:
        return next(dict(row) for row in self.document("list") if row["id"] == number)


@pytest.fixture
def commands(servers: Servers) -> Commands:
    return Commands(servers.database)


async def status_of(door: Door, key: str, **changes: Any) -> int:
    async with door.client(key) as client:
        return (await post(client, reference=a_reference(), **changes)).status_code


# Tokens


async def test_a_token_posts_for_the_force_of_its_scope_and_for_no_other(door: Door) -> None:
    async with AnIssuer({"old": OLD, "curve": CURVE}).running():
        token = a_token(OLD, "old")
        assert await status_of(door, token) == 202
        assert await status_of(door, token, force="southshire") == 403
        assert await status_of(door, a_token(CURVE, "curve", "ES256")) == 202
        south = a_token(OLD, "old", scope="openid police:southshire")
        assert await status_of(door, south, force="southshire") == 202
        assert await status_of(door, south) == 403
        async with door.client(south) as client:
            answer = await client.get("/v1/incidents/northshire/anything")
        assert answer.status_code == 403


async def test_a_token_that_is_not_good_is_refused_and_the_answer_says_why(door: Door) -> None:
    bad = {
        "expired": a_token(OLD, "old", exp=time.time() - 60),
        "audience": a_token(OLD, "old", aud="https://another.example"),
        "issuer": a_token(OLD, "old", iss="https://another.example"),
        "signature": a_token(NEXT, "old"),
        "does not publish": a_token(NEXT, "made-up"),
        "lacks": a_token(OLD, "old", sub=None),
    }
    async with AnIssuer({"old": OLD, "curve": CURVE}).running():
        for why, token in bad.items():
            async with door.client(token) as client:
                answer = await post(client, reference=a_reference())
            assert answer.status_code == 401, why
            assert why in answer.json()["detail"]
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        for scope in ("openid", "police:northshire police:southshire", "police", "council:northbury-css"):
            assert await status_of(door, a_token(OLD, "old", scope=scope)) == 403, scope


async def test_a_rotated_signing_key_works_without_a_restart_and_known_keys_while_the_issuer_is_away(
    door: Door,
) -> None:
    issuer = AnIssuer({"old": OLD, "curve": CURVE})
    async with issuer.running():
        assert await status_of(door, a_token(OLD, "old")) == 202
        issuer.keys["next"] = NEXT
        token = a_token(NEXT, "next")

        async def is_taken() -> bool:
            return await status_of(door, token) == 202

        await until(is_taken, "a token signed with the new key is taken", 30)
        asked = issuer.asked
        for number in range(20):
            assert await status_of(door, a_token(NEXT, f"made-up-{number}")) == 401
        assert issuer.asked <= asked + 1, "made-up key ids must not become requests"
    # The issuer is gone: what it published before still holds, for tokens never seen before too.
    assert await status_of(door, a_token(NEXT, "next", sub="another system")) == 202
    assert await status_of(door, a_token(OLD, "old", sub="another system")) == 202


# Keys


async def stored_keys(door: Door) -> list[dict[str, Any]]:
    owner = Database(door.servers.database, "access", as_owner=True)
    try:
        async with owner.transaction() as tx:
            return [dict(row) for row in await tx.rows("SELECT * FROM access.keys")]
    finally:
        await owner.close()


def test_a_rotated_key_and_its_successor_both_work_and_there_is_no_third(
    door: Door, commands: Commands
) -> None:
    first = commands.make()
    second = commands.document("rotate", first["id"], "--overlap-hours", "48")
    assert second["succeeds"] == first["id"]
    for key in (first["key"], second["key"]):
        assert asyncio.run(status_of(door, key)) == 202
        assert asyncio.run(status_of(door, key, force="southshire")) == 403
    for number in (first["id"], second["id"]):
        status, said = commands("rotate", number)
        assert status == 1
        assert "Revoke one of the two first" in " ".join(said.split())
    assert commands.state(first["id"])["expires_at"] is not None
    assert commands.state(second["id"])["succeeds"] == first["id"]
    assert commands("revoke", first["id"])[0] == 0
    third = commands.document("rotate", second["id"], "--overlap-hours", "0")
    assert asyncio.run(status_of(door, third["key"])) == 202


def test_two_people_who_rotate_a_key_at_once_get_one_successor(door: Door, commands: Commands) -> None:
    number = commands.make()["id"]

    async def both() -> list[Any]:
        owner = Database(door.servers.database, "access", as_owner=True)

        async def one() -> tuple[str, str]:
            async with owner.transaction() as tx:
                return await keys.rotate(tx, number, overlap=timedelta(hours=1))

        try:
            return list(await asyncio.gather(one(), one(), return_exceptions=True))
        finally:
            await owner.close()

    assert {type(one) for one in asyncio.run(both())} == {tuple, Rejected}


def test_a_revoked_and_an_ended_key_are_refused_within_fifteen_seconds(door: Door, commands: Commands) -> None:
    revoked, ended = commands.make(), commands.make()
    for key in (revoked, ended):
        assert asyncio.run(status_of(door, key["key"])) == 202
    assert commands("revoke", revoked["id"])[0] == 0
    successor = commands.document("rotate", ended["id"], "--overlap-hours", "0")

    async def both_refused() -> bool:
        return [await status_of(door, key["key"]) for key in (revoked, ended)] == [401, 401]

    asyncio.run(until(both_refused, "both keys are refused", 16))
    assert asyncio.run(status_of(door, successor["key"])) == 202
    status, said = commands("revoke", revoked["id"])
    assert (status, "no live key" in " ".join(said.split())) == (1, True)
    assert commands("rotate", ended["id"])[0] == 1
    status, said = commands("list")
    assert status == 0
    assert "revoked" in said


async def test_no_key_is_stored_or_listed_only_what_it_hashes_to(door: Door, commands: Commands) -> None:
    made = commands.make()
    rows = await stored_keys(door)
    (row,) = [row for row in rows if row["id"] == made["id"]]
    assert row["digest"] == keys.digest(made["key"])
    everything = repr(rows)
    assert made["key"] not in everything
    assert keys.PREFIX not in everything
    listed = commands("list", "--json")[1] + commands("list")[1]
    assert made["key"] not in listed
    assert row["digest"] not in listed


# How much one caller may send


async def rush(client: httpx.AsyncClient, posts: int) -> list[httpx.Response]:
    return await asyncio.gather(*(post(client, reference=a_reference()) for _ in range(posts)))


async def test_too_many_posts_are_told_when_to_come_again_and_then_they_are_taken(
    door: Door, commands: Commands
) -> None:
    async with door.client(commands.make()["key"]) as client:
        answers: list[httpx.Response] = []
        while all(answer.status_code == 202 for answer in answers):
            answers = await rush(client, 3 * POSTS_PER_S)
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} <= {202, 429}
        assert refused[0].headers["content-type"] == "application/problem+json"
        await asyncio.sleep(int(refused[-1].headers["retry-after"]))
        assert (await post(client, reference=a_reference())).status_code == 202


async def test_one_caller_at_its_limit_does_not_hinder_another(door: Door, commands: Commands) -> None:
    wild, calm = commands.make(), commands.make()
    async with door.client(wild["key"]) as running_wild, door.client(calm["key"]) as client:
        rushing = asyncio.create_task(rush(running_wild, 5 * POSTS_PER_S))
        answers = [await post(client, reference=a_reference()) for _ in range(POSTS_PER_S // 2)]
        rushed = await rushing
    assert {answer.status_code for answer in answers} == {202}
    assert 429 in {answer.status_code for answer in rushed}


@dataclass
class OpenBatch:
    """A batch under way whose lines are sent by hand, on a connection of its own."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, door: Door, key: str, path: str = "/v1/incidents/batch") -> OpenBatch:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1]))
        head = [
            f"POST {path} HTTP/1.1",
            "Host: intake",
            f"Authorization: Bearer {key}",
            "Content-Type: application/x-ndjson",
            "Transfer-Encoding: chunked",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode())
        batch = cls(reader, writer)
        await batch.send(orjson.dumps(an_incident(reference=a_reference())) + b"\n")
        return batch

    async def send(self, piece: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await self.writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(20):
            line = await self.reader.readline()
        return int(line.split()[1])

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        async with asyncio.timeout(20):
            while b'"line"' not in await self.reader.readline():
                pass
        await self.leave()

    async def leave(self) -> None:
        """Go in the middle."""
        self.writer.transport.abort()
        await asyncio.sleep(0)


async def test_four_batches_run_at_once_and_a_place_comes_back_however_one_ends(
    door: Door, commands: Commands
) -> None:
    key = commands.make()["key"]

    async def is_free() -> bool:
        """Whether one more batch is taken; it is empty and ends at once."""
        async with door.client(key) as client:
            return (await client.post("/v1/incidents/batch", content=b"", headers=LINES)).status_code == 200

    async def fill(*already: OpenBatch) -> list[OpenBatch]:
        batches = list(already)
        while len(batches) < 4:
            batches.append(await OpenBatch.start(door, key))
            assert await batches[-1].status() == 200
        async with door.client(key) as client:
            fifth = await client.post("/v1/incidents/batch", content=b"", headers=LINES)
        assert (fifth.status_code, int(fifth.headers["retry-after"]) >= 1) == (429, True)
        return batches

    batches = await fill()
    await batches[0].end()
    await until(is_free, "a place after a batch that was ended")
    batches = await fill(*batches[1:])
    await batches[0].leave()
    await until(is_free, "a place after a batch whose caller left")
    batches = await fill(*batches[1:])
    batches[0].writer.write(b"not a chunk\r\n")
    await until(is_free, "a place after a batch that broke the protocol")
    batches[0].writer.close()
    batches = await fill(*batches[1:])
    for batch in batches:
        await batch.leave()
    await until(is_free, "places after all have left")
    await fill()


async def test_a_refused_batch_takes_no_place(door: Door, commands: Commands) -> None:
    key = commands.make()["key"]
    async with door.client(key) as client:
        for _ in range(6):
            answer = await client.post(
                "/v1/incidents/batch", content=b"{}", headers={"Content-Type": "text/xml"}
            )
            assert answer.status_code == 415
        sheet = b"column\r\n" + b"x\r\n"
        for _ in range(6):
            answer = await client.post("/v1/forms/north", content=sheet, headers={"Content-Type": "text/csv"})
            assert answer.status_code in (200, 422)
        assert (await client.post("/v1/incidents/batch", content=b"", headers=LINES)).status_code == 200


async def test_a_batch_of_many_lines_is_one_post(door: Door, commands: Commands) -> None:
    lines = [orjson.dumps(an_incident(reference=a_reference())) for _ in range(3 * POSTS_PER_S)]
    async with door.client(commands.make()["key"]) as client:
        answer = await client.post("/v1/incidents/batch", content=b"\n".join(lines), headers=LINES)
        assert {orjson.loads(line)["code"] for line in answer.text.splitlines()} == {202}
        assert (await post(client, reference=a_reference())).status_code == 202
