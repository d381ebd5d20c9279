"""A caller that takes its time, sends too much or does not fetch its answer is let go; others are not."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from shared.http_server import Limits, server_config
from shared.web import application, read_body
from tests.integration.waiting import until

QUICK = Limits(head_within_s=0.4, rest_within_s=0.4, head_bytes=4096, ahead=3, connections=5)
POST = b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def _nothing_to_start(_: FastAPI) -> AsyncIterator[None]:
    yield


async def _healthy() -> dict[str, str]:
    return {}


def an_app() -> FastAPI:
    """Echoes a body; refuses one unread; sends megabytes."""
    app = application("test", "Test", "A service", lifespan=_nothing_to_start, health=_healthy)

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await read_body(request, limit=100_000, within_s=0.4))

    @app.post("/unread")
    async def unread() -> Response:
        return Response("not wanted", 401)

    @app.get("/much")
    async def much() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(1000):
                yield bytes(100_000)

        return StreamingResponse(pieces())

    return app


@asynccontextmanager
async def served(limits: Limits = QUICK) -> AsyncIterator[int]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(an_app(), limits=limits, stop_within_s=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await until(lambda: server.started, "the server")
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed: the test fails where it never is."""
    came = bytearray()
    with suppress(ConnectionError):
        async with asyncio.timeout(20):
            while piece := await reader.read(65536):
                came += piece
    return bytes(came)


async def answer_to(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What the server says to the pieces before it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(everything(reader))
    for piece in pieces:
        if reading.done():
            break
        writer.write(piece)
        await asyncio.sleep(pause_s)
    answer = await reading
    writer.close()
    return answer


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
    return head + await reader.readexactly(length)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def problem_of(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return dict(orjson.loads(body))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param((), id="nothing"),
        pytest.param((b"POST /echo HTTP/1.1\r\nHost: here\r\nX-Slow: ",), id="half a head"),
        pytest.param((b"\r\n",) * 40, id="empty lines, one at a time"),
        pytest.param((b"POST /echo HTTP/1.1\r\n", *(b"X: y\r\n",) * 40), id="a header at a time"),
    ],
)
async def test_a_head_that_does_not_come_whole_is_not_waited_for(sent: tuple[bytes, ...]) -> None:
    async with served() as port:
        assert await answer_to(port, *sent, pause_s=0.05) == b""


async def test_the_second_head_of_a_connection_is_limited_as_the_first() -> None:
    async with served() as port:
        answer = await answer_to(port, POST + b"POST /echo HTTP/1.1\r\nX-Slow: ")
    assert statuses(answer) == [200]


async def test_a_body_that_does_not_come_is_answered_408_and_the_connection_ends() -> None:
    async with served() as port:
        answer = await answer_to(port, POST[:-2])
    assert statuses(answer) == [408]
    assert problem_of(answer)["title"] == "Too slow"


async def test_a_body_cut_short_is_no_failure_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST[:-2])
        writer.write_eof()
        await everything(reader)
        writer.close()
        assert statuses(await answer_to(port, POST + b"junk")) == [200]
    assert "web.failed" not in capsys.readouterr().err


async def test_the_rest_of_a_body_that_was_answered_is_not_waited_for() -> None:
    async with served() as port:
        answer = await answer_to(
            port, b"POST /unread HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nhello"
        )
    assert statuses(answer) == [401]


async def test_the_rest_of_a_body_over_the_limit_is_read_on_and_the_connection_stays() -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 200000\r\n\r\n" + bytes(1000))
        assert statuses(await one_answer(reader)) == [413]
        writer.write(bytes(199_000) + POST)
        assert (await one_answer(reader)).endswith(b"hello")
        writer.close()


@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_head_over_the_limit_is_answered_431(pieces: int) -> None:
    head = b"GET /health/live HTTP/1.1\r\nHost: here\r\n" + b"X-Long: " + b"y" * 9000 + b"\r\n\r\n"
    size = len(head) // pieces + 1
    async with served() as port:
        answer = await answer_to(
            port, *(head[at : at + size] for at in range(0, len(head), size)), pause_s=0.002
        )
    assert statuses(answer) == [431]
    assert problem_of(answer)["status"] == 431


async def test_trailers_of_a_body_are_limited_as_a_head_is() -> None:
    start = b"POST /echo HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Long: "
    async with served() as port:
        answer = await answer_to(port, start, *(b"y" * 1000,) * 10, pause_s=0.002)
    assert statuses(answer) == [431]


async def test_what_is_not_http_is_answered_400_after_the_requests_before_it() -> None:
    async with served() as port:
        garbage = await answer_to(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20)
        between = await answer_to(port, POST + POST + b"\x00\xff junk\r\n\r\n")
        within = await answer_to(
            port, b"POST /echo HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n"
        )
    assert statuses(garbage) == [400]
    assert problem_of(garbage)["status"] == 400
    assert statuses(between) == [200, 200]
    assert statuses(within) == [400]


async def test_only_so_many_requests_are_taken_ahead_of_their_answers() -> None:
    async with served() as port:
        answer = await answer_to(port, POST * 200)
    assert 1 <= statuses(answer).count(200) <= QUICK.ahead + 1


async def test_an_answer_that_nobody_fetches_is_not_kept() -> None:
    async with served(Limits(rest_within_s=0.4)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /much HTTP/1.1\r\nHost: here\r\n\r\n")
        await reader.readline()
        await asyncio.sleep(2)
        # What lay in the sockets can still be read; the hundred megabytes cannot.
        assert len(await everything(reader)) < 50_000_000
        writer.close()


async def test_whoever_comes_beyond_the_limit_is_told_and_those_who_are_in_stay_served() -> None:
    async with served(Limits(connections=3)) as port:
        inside = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in inside:
            writer.write(POST)
            await one_answer(reader)
        beyond = await answer_to(port)
        assert statuses(beyond) == [503]
        assert b"retry-after:" in beyond
        for reader, writer in inside:
            writer.write(POST)
            assert statuses(await one_answer(reader)) == [200]
            writer.close()

        async def taken_again() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST)
            status = statuses(await one_answer(reader))
            writer.close()
            return status == [200]

        await until(taken_again, "a place for the next once others have left")
