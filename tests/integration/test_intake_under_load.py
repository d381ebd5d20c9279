"""Two hundred connections, one of them hostile in every way it can think of: the others see no error."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest

from shared.web import MAX_BODY_BYTES
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, a_reference, health, open_door
from tests.integration.waiting import wait_until

HONEST = 199
POSTS_EACH = 5


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


@dataclass
class Hostile:
    """One connection at a time, never without one. It has a good key: nothing is refused for want of it."""

    door: Door
    done: Counter[str] = field(default_factory=Counter)
    told: Counter[int] = field(default_factory=Counter)

    async def run(self) -> None:
        """Every attack in turn, for as long as it is let."""
        attacks: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.drip_a_head,
            self.send_half_a_body,
            self.promise_too_much,
            self.send_too_much,
            self.send_what_is_no_incident,
            self.speak_something_else,
            self.pipeline_junk,
            self.hang_up_halfway,
            self.send_a_long_head,
            self.fetch_no_answer,
        ]
        for attack in itertools.cycle(attacks):
            try:
                async with asyncio.timeout(0.3):
                    await attack()
            except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                pass  # let go, or still held: the next attack either way
            self.done[attack.__name__] += 1

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", int(self.door.url.rpartition(":")[2]))

    def _head(self, *headers: str, path: str = "/v1/incidents") -> bytes:
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: intake",
            f"Authorization: Bearer {self.door.south}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _send(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        """The pieces, then whatever the door answers."""
        reader, writer = await self._open()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
            self.told[int((await reader.readline()).split(b" ")[1] or 0)] += 1
        finally:
            writer.close()

    async def drip_a_head(self) -> None:
        await self._send(*(bytes([byte]) for byte in self._head("Content-Length: 2")), pause_s=0.01)

    async def send_half_a_body(self) -> None:
        await self._send(self._head("Content-Length: 1000") + b'{"force": "southshire"')

    async def promise_too_much(self) -> None:
        await self._send(self._head(f"Content-Length: {50 * MAX_BODY_BYTES}"))

    async def send_too_much(self) -> None:
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        await self._send(self._head("Transfer-Encoding: chunked"), *(chunk,) * 64)

    async def send_what_is_no_incident(self) -> None:
        deep = b"[" * 100_000
        for body in (b"\xff\xfe\x00", b"{}", b"null", deep, b'{"force": "southshire", "reference": 1}'):
            await self._send(self._head(f"Content-Length: {len(body)}", "Connection: close") + body)

    async def speak_something_else(self) -> None:
        await self._send(random.Random(self.done.total()).randbytes(5000))

    async def pipeline_junk(self) -> None:
        await self._send((self._head("Content-Length: 4") + b"junk") * 500)

    async def hang_up_halfway(self) -> None:
        reader, writer = await self._open()
        writer.write(self._head("Content-Length: 1000") + b'{"force"')
        writer.write_eof()
        await reader.read()
        writer.close()

    async def send_a_long_head(self) -> None:
        await self._send(b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000)

    async def fetch_no_answer(self) -> None:
        line = orjson.dumps(an_incident(force="southshire", reference="H"), option=orjson.OPT_APPEND_NEWLINE)
        _, writer = await self._open()
        size = len(line) * 200
        writer.write(self._head(f"Content-Length: {size}", path="/v1/incidents/batch") + line * 200)
        await asyncio.sleep(0.2)
        writer.close()


async def post_honestly(door: Door, codes: list[int]) -> None:
    """One connection, kept: a handful of incidents one after the other."""
    connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=60)
    headers = {"Authorization": f"Bearer {door.north}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as http:
        for _ in range(POSTS_EACH):
            body = orjson.dumps(an_incident(reference=a_reference()))
            async with http.post(f"{door.url}/v1/incidents", data=body) as answer:
                codes.append(answer.status)
                assert (await answer.json())["status"] == "accepted"


async def test_one_hostile_connection_costs_the_honest_ones_nothing(door: Door) -> None:
    codes: list[int] = []
    hostile = Hostile(door)
    attacking = asyncio.create_task(hostile.run())
    try:
        await asyncio.gather(*(post_honestly(door, codes) for _ in range(HONEST)))
        while not all(hostile.done[name] for name in ("drip_a_head", "fetch_no_answer")):
            await post_honestly(door, codes)
    finally:
        attacking.cancel()
        await asyncio.gather(attacking, return_exceptions=True)

    assert set(codes) == {202}
    assert len(codes) >= HONEST * POSTS_EACH
    assert not [status for status in hostile.told if status >= 500]
    assert {400, 413, 422, 431} <= set(hostile.told)
    rows = await door.rows("SELECT count(*) AS cases FROM cases WHERE \"case\" LIKE 'northshire/%'")
    assert rows[0]["cases"] == len(codes)
    wait_until(lambda: health(door) == "up", "all is well afterwards")
