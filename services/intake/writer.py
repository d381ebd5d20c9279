"""The writer: submissions wait here and are stored in groups, many in one transaction.

While one group is being stored the next gathers, so a lone submission never waits for company and a
rush is stored at the price of a few transactions. Nothing is answered before its group has committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from prometheus_client import Counter, Histogram

from services.intake.handlers import Answer, Answered
from services.intake.store import Overtaken
from services.intake.submissions import Submission
from shared import telemetry
from shared.errors import Refused, Retryable
from shared.outbox import EmittingTransaction, Outbox

Accept = Callable[[EmittingTransaction, Sequence[Submission]], Awaitable[list[Answer]]]
"""Stores a group and answers each of it, in order."""

_OVERTAKEN_TRIES: Final = 5
_RETRY_AFTER_S: Final = "2"
_WAITING_BYTES: Final = 128 * 1024 * 1024
"""What may wait to be stored; the longest submissions are a thousand times as long as most."""

_GROUP_BYTES: Final = 1024 * 1024
"""A group ends with the submission that brings it over this: long ones go a few at a time."""

SUBMISSIONS: Final = Counter("waymark_submissions_total", "Submissions by what they were", ["door", "status"])
GROUP: Final = Histogram(
    "waymark_submission_group_size",
    "Submissions in one transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
_log = telemetry.logger()

Waiting = tuple[Submission, "asyncio.Future[Answered]"]


class Writer:
    """The queue before the store, and the one task that empties it."""

    def __init__(
        self, outbox: Outbox, accept: Accept, *, group_size: int, queue_size: int, within_s: float
    ) -> None:
        self._outbox = outbox
        self._accept = accept
        self._group_size = group_size
        self._queue_size = queue_size
        self._within_s = within_s
        self._singles: deque[Waiting] = deque()
        self._lines: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._something = asyncio.Event()

    def submit(self, submission: Submission, *, of_many: bool = False) -> asyncio.Future[Answered]:
        """Put a submission in the queue; `of_many`: a line of a batch or a row of an export. The future gives
        its answer once it is stored, or raises Refused: 409 where it conflicts, 503 where it cannot be stored
        now. Raises Refused (503) when too many wait."""
        if len(self._singles) + len(self._lines) >= self._queue_size or self._waiting_bytes > _WAITING_BYTES:
            raise _not_now("More is coming in than can be stored at the moment.")
        self._waiting_bytes += len(submission.raw)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        (self._lines if of_many else self._singles).append((submission, answer))
        self._something.set()
        return answer

    async def run(self) -> None:
        """Run for ever."""
        try:
            while True:
                await self._something.wait()
                while group := self._next_group():
                    await self._write(group)
                self._something.clear()
        finally:
            while group := self._next_group():
                for _, answer in group:
                    _refuse(answer, _not_now("The service is stopping."))

    def _next_group(self) -> list[Waiting]:
        """Everything that waits, up to the size of a group: whoever sent one incident before those who
        sent a thousand."""
        group: list[Waiting] = []
        size = 0
        for queue in (self._singles, self._lines):
            while queue and len(group) < self._group_size and size < _GROUP_BYTES:
                group.append(queue.popleft())
                size += len(group[-1][0].raw)
        self._waiting_bytes -= size
        return group

    async def _write(self, group: Sequence[Waiting]) -> None:
        """Store a group and answer each. What fails for a reason that does not pass is halved until one
        stands alone, so that it spoils no other."""
        try:
            answers = await self._store(group)
        except (Retryable, TimeoutError) as error:
            _log.warning("intake.not_stored", submissions=len(group), error=str(error) or "took too long")
            for _, answer in group:
                _refuse(answer, _not_now("It could not be stored now. If it was after all, it is a repeat."))
        except Exception as error:
            if len(group) > 1:
                half = len(group) // 2
                await self._write(group[:half])
                await self._write(group[half:])
                return
            submission, answer = group[0]
            _log.error("intake.submission_failed", case=submission.case, error=error)
            _refuse(answer, error)
        except BaseException:
            for _, answer in group:
                _refuse(answer, _not_now("The service is stopping."))
            raise
        else:
            for (submission, future), told in zip(group, answers, strict=True):
                _settle(submission, future, told)

    async def _store(self, group: Sequence[Waiting]) -> list[Answer]:
        GROUP.observe(len(group))
        submissions = [submission for submission, _ in group]
        for attempt in range(_OVERTAKEN_TRIES):
            try:
                async with asyncio.timeout(self._within_s), self._outbox.transaction() as tx:
                    answers = await self._accept(tx, submissions)
            except Overtaken:
                if attempt + 1 == _OVERTAKEN_TRIES:
                    raise
            else:
                return answers
        raise AssertionError("unreachable")


def _settle(submission: Submission, future: asyncio.Future[Answered], answer: Answer) -> None:
    refused = isinstance(answer, Refused)
    SUBMISSIONS.labels(submission.door, "conflict" if refused else answer.status).inc()
    if future.done():
        return  # the caller has gone; a repeat gets the same answer
    if isinstance(answer, Refused):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _refuse(future: asyncio.Future[Answered], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _not_now(detail: str) -> Refused:
    return Refused(
        503, "Not now", f"{detail} Please send the same again.", headers={"Retry-After": _RETRY_AFTER_S}
    )
