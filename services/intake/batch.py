"""JSON lines in, an answer per line out, both in bounded pieces however long the stream is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Final

import orjson
from opentelemetry.trace import SpanKind
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.intake.handlers import Answered
from services.intake.submissions import Submission
from shared import telemetry
from shared.errors import Refused
from shared.web import MAX_BODY_BYTES

WINDOW: Final = 400
"""Lines that may be on their way into the store at one time."""

_PIECE_BYTES: Final = 64 * 1024
_IN_MEMORY_BYTES: Final = 1024 * 1024
_log = telemetry.logger()

Read = Callable[[bytes, str], Submission]
Submit = Callable[[Submission], "asyncio.Future[Answered]"]


class Spool:
    """Answers that the caller has not fetched yet, on disk beyond a megabyte.

    Many clients send everything before they read anything. If we stopped reading because our answers
    pile up, both sides would wait for ever.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 (closed in `close`)
        self._read = 0
        self._written = 0
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, piece: bytes) -> None:
        """Add to the end."""
        self._file.seek(self._written)
        self._file.write(piece)
        self._written += len(piece)
        self._changed.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything, as it comes."""
        while True:
            self._changed.clear()
            if self._read < self._written:
                self._file.seek(self._read)
                piece = self._file.read(_PIECE_BYTES)
                self._read += len(piece)
                if self._read == self._written:
                    self._file.seek(0)
                    self._file.truncate()
                    self._read = self._written = 0
                yield piece
            elif self._ended:
                return
            else:
                await self._changed.wait()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line's number, and the promise of its answer or why there will be none."""

    number: int
    answer: asyncio.Future[Answered] | Exception


class LineStream:
    """One batch: reads lines, submits each, answers in the order of the lines.

    `read` is called with a line and its own traceparent: each line starts a trace, linked to `trace`,
    the batch's, so that every incident can be followed by itself.
    """

    def __init__(self, chunks: AsyncIterator[bytes], read: Read, submit: Submit, *, trace: str) -> None:
        self._chunks = chunks
        self._read = read
        self._submit = submit
        self._trace = trace
        self._under_way: asyncio.Queue[_Line | None] = asyncio.Queue(WINDOW)
        self._spool = Spool()

    async def answers(self) -> AsyncIterator[bytes]:
        """The answers as JSON lines, as soon as they are known."""
        working = asyncio.create_task(self._work())
        try:
            async for piece in self._spool.pieces():
                yield piece
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            self._spool.close()

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._take_lines())
                tasks.create_task(self._answer_lines())
        finally:
            self._spool.end()

    async def _take_lines(self) -> None:
        number = 0
        try:
            async for line in _lines(self._chunks):
                number += 1
                if line is None or line.strip():
                    await self._under_way.put(_Line(number, self._take(line)))
                    await asyncio.sleep(0)  # other callers' turn: reading a line is work
        except ClientDisconnect:
            _log.info("intake.batch_left", lines=number)
        await self._under_way.put(None)

    def _take(self, line: bytes | None) -> asyncio.Future[Answered] | Exception:
        if line is None:
            return Refused(413, "Too large", f"The limit for a line is {MAX_BODY_BYTES} bytes.")
        span = telemetry.start_span("line of a batch", SpanKind.SERVER, links=[self._trace])
        try:
            answer = self._submit(self._read(line, telemetry.traceparent(span)))
        except Exception as error:  # told in the line's answer: it spoils no other
            span.end()
            return error
        answer.add_done_callback(lambda _: span.end())
        return answer

    async def _answer_lines(self) -> None:
        while (line := await self._under_way.get()) is not None:
            self._spool.put(await _written(line))


async def _written(line: _Line) -> bytes:
    try:
        if isinstance(line.answer, Exception):
            raise line.answer
        answered = await line.answer
    except Refused as refused:
        problem = {"title": refused.title, "status": refused.status, "detail": refused.detail, **refused.extra}
        return _answer_line({"line": line.number, "code": refused.status, "problem": problem})
    except Exception as error:
        _log.error("intake.line_failed", line=line.number, error=error)
        problem = {"title": "Something went wrong here", "status": 500, "detail": "It was logged."}
        return _answer_line({"line": line.number, "code": 500, "problem": problem})
    return _answer_line({"line": line.number, "code": 202, "answer": orjson.Fragment(answered.body)})


def _answer_line(answer: dict[str, object]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    """The lines of a stream without their ends; None for one over the limit, of which nothing is kept."""
    held = b""
    skipping = False
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            line, held = held + part, b""
            yield None if skipping or len(line) > MAX_BODY_BYTES else line
            skipping = False
        held = b"" if skipping else held + rest
        if len(held) > MAX_BODY_BYTES:
            held, skipping = b"", True
    if skipping or held:
        yield None if skipping else held


class Streamed(Response):
    """A streamed response that leaves the request's body alone: the one of the framework listens for the
    caller's leaving and would take body chunks meant for the reader."""

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they come."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
