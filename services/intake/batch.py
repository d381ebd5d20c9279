"""JSON lines in, an answer per line out, both in bounded pieces however long the stream is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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
from shared.vocabulary import Lane
from shared.web import MAX_BODY_BYTES, too_slow

WINDOW: Final = 400
"""Lines that may be on their way into the store at one time."""

WINDOW_BYTES: Final = 16 * 1024 * 1024
"""Bytes of such lines: of long ones fewer may be on their way, or a few callers would fill our memory."""

UNFETCHED_BYTES: Final = 256 * 1024 * 1024
"""Answers that may wait on our disk for one caller: those of some hundred thousand lines."""

_AT_A_STRETCH: Final = 8
"""Lines that are read before others have their turn: a millisecond of work."""

_PIECE_BYTES: Final = 64 * 1024
_IN_MEMORY_BYTES: Final = 1024 * 1024
_log = telemetry.logger()

Keep = Callable[[Refused, bytes], Awaitable[Refused]]
Read = Callable[[bytes, str], Submission]
Submit = Callable[[Submission], "asyncio.Future[Answered]"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a batch may come: only the time that we wait for the caller counts, never our own.

    `idle_s`: the longest time without any byte. `bytes_per_s`: the least on average, once `grace_s` have
    been spent waiting: a fraction of one incident each second.
    """

    idle_s: float = 30.0
    grace_s: float = 30.0
    bytes_per_s: float = 256.0


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

    @property
    def unfetched(self) -> int:
        """Bytes that wait for the caller."""
        return self._written - self._read

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


PACE: Final = Pace()
_END: Final = "The lines answered above were taken; send the rest again."


_Answer = asyncio.Future[Answered] | asyncio.Future[Refused] | Exception


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its number, and the promise of its answer or why there will be none; without a number,
    why the batch was ended."""

    number: int | None
    answer: _Answer
    text: bytes = b""


class LineStream:
    """One batch: reads lines, submits each, answers in the order of the lines.

    `read` is called with a line and its own traceparent: each line starts a trace, linked to `trace`,
    the batch's, so that every incident can be followed by itself. `keep` keeps a line that was refused.

    A batch that comes too slowly (`pace`), or whose answers nobody fetches (`unfetched` bytes at most), is
    ended: what was taken is answered, and a last line without a number says why no more was.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        read: Read,
        submit: Submit,
        *,
        keep: Keep,
        trace: str,
        lane: Lane = "live",
        pace: Pace = PACE,
        unfetched: int = UNFETCHED_BYTES,
    ) -> None:
        self._chunks = _paced(chunks, pace)
        self._unfetched = unfetched
        self._read = read
        self._submit = submit
        self._keep = keep
        self._trace = trace
        self._lane = lane
        self._under_way: asyncio.Queue[_Line | None] = asyncio.Queue(WINDOW)
        self._spool = Spool()
        self._held = 0
        self._answered = asyncio.Event()

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
                if self._spool.unfetched > self._unfetched:
                    raise Refused(413, "Answers not fetched", f"Read the answers while you send. {_END}")
                number += 1
                if line is None or line.strip():
                    await self._make_room(len(line or b""))
                    await self._under_way.put(_Line(number, self._take(line), line or b""))
                    if number % _AT_A_STRETCH == 0:
                        await asyncio.sleep(0)  # other callers' turn: reading a line is work
        except ClientDisconnect:
            _log.info("intake.batch_left", lines=number)
        except Refused as ended:
            _log.info("intake.batch_ended", lines=number, status=ended.status)
            await self._under_way.put(_Line(None, ended))
        await self._under_way.put(None)

    async def _make_room(self, size: int) -> None:
        while self._held and self._held + size > WINDOW_BYTES:
            self._answered.clear()
            await self._answered.wait()
        self._held += size

    def _take(self, line: bytes | None) -> _Answer:
        if line is None:
            return Refused(413, "Too large", f"The limit for a line is {MAX_BODY_BYTES} bytes.")
        span = telemetry.start_span(
            "line of a batch",
            SpanKind.SERVER,
            attributes={telemetry.LANE: self._lane},
            links=[self._trace],
        )
        try:
            answer = self._submit(self._read(line, telemetry.traceparent(span)))
        except Refused as refused:
            span.end()
            return asyncio.ensure_future(self._keep(refused, line))
        except Exception as error:  # told in the line's answer: it spoils no other
            span.end()
            return error
        if span.is_recording():
            answer.add_done_callback(lambda _: span.end())
        return answer

    async def _answer_lines(self) -> None:
        while (line := await self._under_way.get()) is not None:
            self._spool.put(await self._written(line))
            self._held -= len(line.text)
            self._answered.set()

    async def _written(self, line: _Line) -> bytes:
        answer: Answered | Refused
        try:
            if isinstance(line.answer, Exception):
                raise line.answer
            answer = await line.answer
        except Refused as refused:
            answer = await self._keep(refused, line.text) if line.number is not None else refused
        except Exception as error:
            _log.error("intake.line_failed", line=line.number, error=error)
            problem = {"title": "Something went wrong here", "status": 500, "detail": "It was logged."}
            return _answer_line({"line": line.number, "code": 500, "problem": problem})
        if isinstance(answer, Refused):
            problem = {"title": answer.title, "status": answer.status, "detail": answer.detail, **answer.extra}
            return _answer_line({"line": line.number, "code": answer.status, "problem": problem})
        return _answer_line({"line": line.number, "code": 202, "answer": orjson.Fragment(answer.body)})


def _answer_line(answer: dict[str, object]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)


async def _paced(chunks: AsyncIterator[bytes], pace: Pace) -> AsyncIterator[bytes]:
    """The chunks as they come. Raises Refused (408) where they come too slowly."""
    clock = asyncio.get_running_loop().time
    waited, size = 0.0, 0
    while True:
        asked = clock()
        try:
            async with asyncio.timeout(pace.idle_s):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise too_slow(f"No byte came for {pace.idle_s:g} seconds. {_END}") from None
        if chunk is None:
            return
        waited += clock() - asked
        size += len(chunk)
        if waited > pace.grace_s and size < waited * pace.bytes_per_s:
            raise too_slow(f"Less than {pace.bytes_per_s:g} bytes a second came. {_END}")
        yield chunk


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

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, *, ended: Callable[[], None]) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they come; `ended` is called at the end, however it comes."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._ended()
