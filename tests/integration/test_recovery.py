"""Dead letters over HTTP on the real broker: found, read without anybody's details, sent again, followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx

from shared import keys
from shared.contracts.topics import INCIDENTS
from shared.kafka import Message, Producer
from shared.outbox import EmittingTransaction
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.settings import ServiceSettings
from shared.stage import Event
from shared.web import application
from tests.integration.conftest import Servers
from tests.integration.senders import Senders
from tests.integration.test_console import CANARIES
from tests.integration.waiting import until


class Reader:
    """Stands for enrichment: fails on every event until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.applied: list[str] = []

    async def __call__(self, tx: EmittingTransaction, events: Sequence[Event[Any]]) -> None:
        if not self.mended:
            raise KeyError("Zephyrine Quillfeather")
        self.applied += [event.case for event in events]


@asynccontextmanager
async def reading(servers: Servers, reader: Reader) -> AsyncIterator[httpx.AsyncClient]:
    runtime = Runtime(
        "enrichment",
        ServiceSettings(database=servers.database, kafka=servers.kafka, partitions=servers.partitions),
    )
    runtime.consume({INCIDENTS: reader})
    app = application("enrichment", "Reader", "", lifespan=runtime.running, health=runtime.health)
    app.include_router(recovery_routes(runtime))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://reader.test") as client:
            yield client


async def key_of(servers: Servers, role: keys.Role, person: str | None = None) -> dict[str, str]:
    connection = await asyncpg.connect(servers.database)
    key = keys.new_key()
    await connection.execute(
        "INSERT INTO access.keys (id, digest, role, person, areas) VALUES ($1, $2, $3, $4, $5)",
        keys.digest(key)[:8], keys.digest(key), role, person, ["northbury"],
    )  # fmt: skip
    await connection.close()
    return {"authorization": f"Bearer {key}"}


async def letters(client: httpx.AsyncClient, ops: dict[str, str]) -> dict[str, dict[str, Any]]:
    answer = await client.get("/v1/dead-letters", headers=ops)
    assert answer.status_code == 200
    return {one["id"]: one for one in answer.json()["dead_letters"]}


async def test_a_dead_letter_is_sent_again_once_its_cause_is_mended_and_followed(servers: Servers) -> None:
    reader = Reader()
    senders = Senders(servers)
    async with reading(servers, reader) as client:
        ops = await key_of(servers, "ops", "olu")
        try:
            await senders.accept("spoilt")

            async def put_aside() -> bool:
                return len(await letters(client, ops)) == 1

            await until(put_aside, "a dead letter")
            ((number, letter),) = (await letters(client, ops)).items()
            assert letter["case"] == "northshire/spoilt"
            assert (letter["state"], letter["reason"]) == ("waiting", "the handler failed: KeyError")

            one = await client.get(f"/v1/dead-letters/{number}", headers=ops)
            assert one.json()["shape"]["body"]["incident"]["summary"] == "str", "field by field, what it was"
            assert not [canary for canary in CANARIES if canary in one.text]

            # Sent again too early, it is put aside once more, under a number of its own.
            assert (await client.post(f"/v1/dead-letters/{number}/resend", headers=ops)).status_code == 200

            async def again() -> bool:
                return bool((await letters(client, ops))[number]["state"] == "put_aside_again")

            await until(again, "put aside again")
            assert (await client.post(f"/v1/dead-letters/{number}/resend", headers=ops)).status_code == 409
            found = await letters(client, ops)
            newer = str(found[number]["again"])
            assert found[newer]["state"] == "waiting"
            assert found[number]["resolution"] == "resent by olu"

            reader.mended = True
            answer = await client.post(f"/v1/dead-letters/{newer}/resend", headers=ops)
            assert answer.json()["state"] in ("resent", "applied")

            async def applied() -> bool:
                return bool((await letters(client, ops))[newer]["state"] == "applied")

            await until(applied, "applied")
            assert reader.applied == ["northshire/spoilt"]
        finally:
            await senders.close()


async def test_what_something_newer_took_the_place_of_says_so_and_bytes_are_no_secret_spilt(
    servers: Servers,
) -> None:
    reader = Reader()
    senders = Senders(servers)
    producer = Producer(servers.kafka, "test-bytes", servers.partitions)
    async with reading(servers, reader) as client:
        ops = await key_of(servers, "ops")
        try:
            await senders.accept("overtaken")
            await producer.publish([Message(INCIDENTS.name, "northshire/bytes", b"Zephyrine \xff")])

            async def state_of(case: str) -> dict[str, Any]:
                return next((x for x in (await letters(client, ops)).values() if x["case"] == case), {})

            async def both() -> bool:
                return bool(await state_of("northshire/overtaken") and await state_of("northshire/bytes"))

            await until(both, "both put aside")
            reader.mended = True
            await senders.accept("overtaken", 2)

            async def overtaken() -> bool:
                return bool((await state_of("northshire/overtaken"))["state"] == "overtaken")

            await until(overtaken, "overtaken by the second revision")
            number = (await state_of("northshire/bytes"))["id"]
            shown = await client.get(f"/v1/dead-letters/{number}", headers=ops)
            assert shown.json()["shape"] == "not JSON"
            assert "Zephyrine" not in shown.text
        finally:
            await senders.close()
            await producer.close()


async def test_dead_letters_are_for_ops_alone(servers: Servers) -> None:
    async with reading(servers, Reader()) as client:
        roles: tuple[keys.Role, ...] = (
            "person",
            "coordinator",
            "champion",
            "board",
            "police",
            "recipient",
            "council",
        )
        for role in roles:
            other = await key_of(servers, role, "p")
            for method, path in (("GET", ""), ("GET", "/1"), ("POST", "/1/resend")):
                answer = await client.request(method, f"/v1/dead-letters{path}", headers=other)
                assert answer.status_code == 403, f"{role} {method} {path}"
        assert (await client.get("/v1/dead-letters")).status_code == 401
        ops = await key_of(servers, "ops")
        for unknown in ("999999", "x", "triage:", "9" * 30, "-1"):
            assert (await client.get(f"/v1/dead-letters/{unknown}", headers=ops)).status_code == 404
            assert (await client.post(f"/v1/dead-letters/{unknown}/resend", headers=ops)).status_code == 404
