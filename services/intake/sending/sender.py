"""Posting items to the door: order kept per incident, patience where the door asks for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any, Final

import aiohttp
import orjson

from services.intake.sending.files import Item, Source
from services.intake.sending.journal import Journal
from services.intake.sending.report import Outcome, Report, refused, taken

LINES: Final = "application/x-ndjson"
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What passes by itself: sent again."""

_NOT_OF_THE_CONTENT: Final = frozenset({401, 403, 404, 405})
"""What is said of the caller or the address: the same item may be taken another time."""

_TOO_MANY: Final = "answers 429"
_SHORTEST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 10.0
_LONGEST_WAIT_S: Final = 600.0
"""A `Retry-After` beyond it is told instead of kept to."""

_CHUNK_BYTES: Final = 4 * 1024 * 1024

Note = Callable[[Outcome], None]


class Stopped(Exception):
    """Nothing more can be sent; the sentence says why."""


class NoKey(Exception):
    """There is no key for an item's force."""


class Sender:
    """Posts the items of a file over kept-alive connections; what passes by itself is tried again.

    `keys`: per force its key; `key` is used whatever the force. A repeat after a lost answer is safe: the
    door answers it as the first. Items of one incident go in the order of the file, one after the other's
    answer: the door may have to number them. `chunk`: how many go in one batch, 0 for one post each (CSV
    always goes in batches). `patience_s`: how long one item is tried; a `Retry-After` is kept to.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        keys: Mapping[str, str],
        concurrency: int,
        form: str | None = None,
        chunk: int = 0,
        bulk: bool = False,
        patience_s: float = 60.0,
    ) -> None:
        door = f"{url.rstrip('/')}/v1/"
        lane = "?lane=bulk" if bulk else ""
        self.address = f"{door}forms/{form}" if form else f"{door}incidents"
        self._batch_address = self.address + lane if form else f"{self.address}/batch{lane}"
        self._key = key
        self._keys = keys
        self._concurrency = concurrency
        self._chunk = chunk
        self._patience_s = patience_s
        self._not_before = 0.0
        self._last_answer = 0.0

    async def send(
        self, source: Source, progress: Callable[[int], None], *, journal: Journal | None = None, note: Note
    ) -> Report:
        """Send what `journal` has no answer for; `note` is called with each outcome, the earlier ones first,
        and `progress` with how far the file is done (bytes). Raises what the file's reading raises."""
        report = Report()

        def tell(outcome: Outcome) -> None:
            report.note(outcome)
            note(outcome)

        def keep(outcome: Outcome) -> None:
            try:
                if journal is not None:
                    journal.note(outcome)
                tell(outcome)
            except OSError as error:
                raise Stopped(f"The answers cannot be written down: {error.strerror}.") from None

        done = set()
        for outcome in journal.before if journal is not None else ():
            tell(outcome)
            done.add(outcome.number)
        report.earlier = len(done)
        seen = 0

        def left() -> Iterator[Item]:
            nonlocal seen
            for item in source.items():
                seen += 1
                if item.number not in done:
                    yield item

        items = left()
        # What the reading raises at once is raised here, and not out of a group of workers.
        items = chain([one for one in (next(items, None),) if one is not None], items)
        start = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)
        connector = aiohttp.TCPConnector(limit=self._concurrency)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            try:
                if self._chunk or source.header is not None:
                    await self._send_chunks(http, items, source.header, keep, progress)
                else:
                    await self._send_singly(http, items, keep, progress)
            except* Stopped as stopped:
                report.stopped = str(stopped.exceptions[0])
        report.seconds = time.monotonic() - start
        for _ in items:  # counts what was not tried
            pass
        report.statuses["unsent"] += seen - report.statuses.total()
        return report

    async def _send_singly(
        self,
        http: aiohttp.ClientSession,
        items: Iterator[Item],
        keep: Note,
        progress: Callable[[int], None],
    ) -> None:
        under_way: dict[tuple[str | None, str | None], asyncio.Event] = {}

        async def work() -> None:
            for item in items:
                case = (item.force, item.reference)
                before = under_way.get(case)
                mine = under_way[case] = asyncio.Event()
                if before is not None:
                    await before.wait()
                try:
                    outcome = await self._send_one(http, item)
                finally:
                    mine.set()
                    if under_way.get(case) is mine:
                        del under_way[case]
                if outcome is not None:
                    keep(outcome)
                progress(item.read_to)

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._concurrency):
                workers.create_task(work())

    async def _send_one(self, http: aiohttp.ClientSession, item: Item) -> Outcome | None:
        """None where it could not be delivered though others can."""
        began = time.monotonic()
        pause, why = 0.25, "cannot be reached"
        try:
            headers = self._headers(item.force, "application/json")
        except NoKey:
            return _without_key(item)
        while True:
            await self._wait_until_welcome()
            wait = pause
            try:
                async with http.post(self.address, data=item.body, headers=headers) as response:
                    told = await response.read()
                if response.status not in _PASSING:
                    self._last_answer = time.monotonic()
                    return _outcome(item, response.status, told)
                why = f"answers {response.status}"
                wait = self._hold_back(response.status, response.headers.get("Retry-After"), pause)
                if why == _TOO_MANY:
                    began = time.monotonic()  # it is there, and says when
            except (aiohttp.ClientError, TimeoutError):
                why = "cannot be reached"
            if not await self._be_patient(began, wait, why):
                return None
            pause = min(_LONGEST_PAUSE_S, 2 * pause)

    async def _send_chunks(
        self,
        http: aiohttp.ClientSession,
        items: Iterator[Item],
        header: bytes | None,
        keep: Note,
        progress: Callable[[int], None],
    ) -> None:
        for chunk in _chunks(items, self._chunk or 100):
            left = list(chunk)
            began, least = time.monotonic(), 0.25
            while left:
                await self._wait_until_welcome()
                answered, pause, why = await self._send_chunk(http, left, header, keep)
                left = [item for item in left if item.number not in answered]
                if answered:
                    began, least = time.monotonic(), 0.25
                    self._last_answer = began
                elif why == _TOO_MANY:
                    began = time.monotonic()  # it is there, and says when
                if left and not await self._be_patient(began, max(pause, least), why):
                    break
                least = min(_LONGEST_PAUSE_S, 2 * least)
            progress(chunk[-1].read_to)

    async def _send_chunk(
        self, http: aiohttp.ClientSession, items: Sequence[Item], header: bytes | None, keep: Note
    ) -> tuple[set[int], float, str]:
        """The numbers that have their answer; how long to wait before the rest (s), and why."""
        rows = [item.body for item in items] if header is None else [header, *(item.body for item in items)]
        try:
            headers = self._headers(items[0].force, LINES if header is None else "text/csv; charset=utf-8")
        except NoKey:
            for one in items:
                keep(_without_key(one))
            return {one.number for one in items}, 0.0, ""
        answered: set[int] = set()
        pause, why = 0.0, "cannot be reached"
        waiting = iter(items)
        try:
            body = b"\n".join(rows) + b"\n"
            async with http.post(self._batch_address, data=body, headers=headers) as response:
                if response.status in _PASSING:
                    pause = self._hold_back(response.status, response.headers.get("Retry-After"), 0.0)
                    return answered, pause, f"answers {response.status}"
                if response.status != 200:
                    problem = _problem(response.status, await response.read())
                    raise Stopped(f"The door refused the batch: {_sentence(problem)}")
                async for line in response.content:
                    item = next(waiting, None)
                    if item is None or not line.endswith(b"\n"):
                        break
                    said = orjson.loads(line)
                    if said["code"] in _PASSING:
                        why = f"answers {said['code']}"
                        continue
                    answered.add(item.number)
                    keep(_outcome_of_line(item, said))
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
            why = "broke off"
        return answered, pause, why

    def _headers(self, force: str | None, media_type: str) -> dict[str, str]:
        key = self._key
        if key is None:
            # Without a readable force any key will do: the door says what is wrong.
            known = len(self._keys) > 1 and force is not None
            key = self._keys.get(force or "") if known else next(iter(self._keys.values()), None)
        if key is None:
            raise NoKey
        return {"Authorization": f"Bearer {key}", "Content-Type": media_type}

    async def _wait_until_welcome(self) -> None:
        while (pause := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(pause)

    def _hold_back(self, status: int, retry_after: str | None, otherwise: float) -> float:
        """How long to wait (s). A 429 is meant for the caller, so all wait; a 503 may be of one post."""
        said = seconds_of(retry_after)
        if said is not None and status in (429, 503):
            self._not_before = max(self._not_before, time.monotonic() + said)
        return otherwise if said is None else max(said, _SHORTEST_PAUSE_S)

    async def _be_patient(self, began: float, pause: float, why: str) -> bool:
        """Wait; False where this item has been tried long enough while others got through. Raises Stopped
        where nothing got through meanwhile."""
        if pause > _LONGEST_WAIT_S:
            raise Stopped(f"The door {why} and asks for {pause:.0f} s of patience: try again then.")
        if time.monotonic() - began <= self._patience_s:
            await asyncio.sleep(pause)
            return True
        if self._last_answer >= began:
            return False
        raise Stopped(f"The door {why}; gave up after {self._patience_s:g} s of trying.")


def seconds_of(said: str | None) -> float | None:
    """A `Retry-After` in seconds from now: a number of them, or a date (RFC 9110 s10.2.3)."""
    if said is None:
        return None
    if said.strip().isdigit():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _chunks(items: Iterator[Item], most: int) -> Iterator[list[Item]]:
    """In each chunk an incident stands once, so that a line that has to wait is not overtaken by a later
    one of the same incident. A row without a reference is its own."""
    chunk: list[Item] = []
    cases: set[tuple[str | None, str]] = set()
    size = 0
    for item in items:
        case = None if item.reference is None else (item.force, item.reference)
        full = len(chunk) >= most or size + len(item.body) > _CHUNK_BYTES
        # A caller's key is of one force: a batch too.
        other = bool(chunk) and chunk[0].force != item.force
        if chunk and (full or case in cases or other):
            yield chunk
            chunk, cases, size = [], set(), 0
        chunk.append(item)
        size += len(item.body) + 1
        if case is not None:
            cases.add(case)
    if chunk:
        yield chunk


def _outcome_of_line(item: Item, said: Mapping[str, Any]) -> Outcome:
    if said["code"] == 202:
        return taken(item.number, item.reference, said["answer"])
    return _refusal(item, said["code"], said["problem"])


def _without_key(item: Item) -> Outcome:
    problem = {"title": "No key for its force", "detail": "Give one with --key."}
    return Outcome(item.number, "unsent", item.reference, problem, answered=False)


def _outcome(item: Item, status: int, told: bytes) -> Outcome:
    if status == 202:
        return taken(item.number, item.reference, orjson.loads(told))
    return _refusal(item, status, _problem(status, told))


def _refusal(item: Item, status: int, problem: Mapping[str, Any]) -> Outcome:
    if status in _NOT_OF_THE_CONTENT and "at" not in problem:
        raise Stopped(f"The door lets nothing of this caller in: {_sentence(problem)}")
    return refused(item.number, item.reference, problem, answered=status not in _NOT_OF_THE_CONTENT)


def _sentence(problem: Mapping[str, Any]) -> str:
    return f"{problem.get('title', 'refused')}. {problem.get('detail', '')}".strip()


def _problem(status: int, told: bytes) -> dict[str, Any]:
    try:
        problem = orjson.loads(told)
    except orjson.JSONDecodeError:
        problem = None
    return problem if isinstance(problem, dict) else {"status": status, "title": f"Answered with {status}"}
