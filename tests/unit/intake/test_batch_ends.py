"""When a batch is ended: by a caller that is too slow, or that fetches nothing; what was taken is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson

from services.intake.batch import WINDOW_BYTES, LineStream, Pace
from services.intake.handlers import Answered
from services.intake.submissions import Submission, read_sent, read_submission
from shared.errors import Refused
from shared.keys import Caller
from tests.builders import an_incident

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NORTH = Caller(key="key-1", role="police", force="northshire")
QUICK = Pace(idle_s=0.2, grace_s=0.2, bytes_per_s=1_000_000)


def line(reference: str) -> bytes:
    return orjson.dumps(an_incident(reference=reference), option=orjson.OPT_APPEND_NEWLINE)


async def answers(chunks: AsyncIterator[bytes], taken: list[str], **limits: Any) -> list[dict[str, Any]]:
    def read(raw: bytes, trace: str) -> Submission:
        return read_submission(read_sent(raw, "batch"), caller=NORTH, arrived=NOON, trace=trace)

    def submit(submission: Submission) -> asyncio.Future[Answered]:
        taken.append(submission.case)
        stored: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        stored.set_result(Answered(b"{}", "accepted"))
        return stored

    async def keep(refused: Refused, raw: bytes) -> Refused:
        return refused

    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    stream = LineStream(chunks, read, submit, keep=keep, trace=trace, **limits)
    async with asyncio.timeout(20):
        told = b"".join([piece async for piece in stream.answers()])
    return [orjson.loads(one) for one in told.splitlines()]


async def test_a_batch_that_falls_silent_is_ended_and_its_half_line_is_not_taken() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield line("A") + line("B") + line("C")[:40]
        await asyncio.Event().wait()

    taken: list[str] = []
    told = await answers(chunks(), taken, pace=QUICK)
    assert taken == ["northshire/A", "northshire/B"]
    assert [(one["line"], one["code"]) for one in told] == [(1, 202), (2, 202), (None, 408)]
    assert told[-1]["problem"]["title"] == "Too slow"


async def test_a_batch_that_drips_is_ended() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"\n"
            await asyncio.sleep(0.01)

    assert [one["code"] for one in await answers(chunks(), [], pace=QUICK)] == [408]


async def test_a_batch_whose_answers_nobody_fetches_is_ended() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(line(f"N{n}") for n in range(50))

    taken: list[str] = []
    told = await answers(chunks(), taken, unfetched=0)
    assert told[-1]["code"] == 413
    assert len(taken) == len(told) - 1 < 50


async def test_long_lines_wait_for_one_another_before_they_fill_the_memory() -> None:
    long = b'{"x":"' + b"a" * (1024 * 1024 - 8) + b'"}\n'
    waiting: list[asyncio.Future[Answered]] = []
    at_once: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield long

    def submit(_: Submission) -> asyncio.Future[Answered]:
        waiting.append(asyncio.get_running_loop().create_future())
        return waiting[-1]

    async def keep(refused: Refused, raw: bytes) -> Refused:
        return refused

    async def store() -> None:
        """Stores whatever waits, each time that nothing more comes."""
        while sum(at_once) < 40:
            before = len(waiting)
            await asyncio.sleep(0.05)
            if waiting and len(waiting) == before:
                at_once.append(before)
                for one in waiting:
                    one.set_result(Answered(b"{}", "accepted"))
                waiting.clear()

    some = read_submission(read_sent(line("1"), "batch"), caller=NORTH, arrived=NOON, trace=None)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    stream = LineStream(chunks(), lambda raw, trace: some, submit, keep=keep, trace=trace)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(store())
        told = b"".join([piece async for piece in stream.answers()])
    assert told.count(b'"code":202') == 40
    assert max(at_once) * len(long.strip()) <= WINDOW_BYTES
