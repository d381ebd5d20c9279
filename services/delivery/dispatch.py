"""The queue in memory: the earliest deadline first over all recipients, live before bulk, and so many at
once for each, so that a slow one delays nobody else.

What waits here is leased in the table. What cannot be sent before its lease ends is given back, and picked
up again by whichever copy of the service has room.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge

from services.delivery.domain.sending import Attempt
from services.delivery.store import Leased
from shared import ledger, telemetry

LIVE_ROOM: Final = 2000
BULK_ROOM: Final = 100
"""How many may wait here for one recipient; the others wait in the table."""

ATTEMPTS = Counter("waymark_delivery_attempts_total", "Attempts to deliver", ["outcome"])
QUEUED = Gauge("waymark_delivery_queued", "Deliveries waiting in memory")
UNDER_WAY = Gauge("waymark_delivery_under_way", "Attempts under way")

_log = telemetry.logger()

Key = tuple[bool, datetime, int]


class Dispatcher:
    """Sends what is leased, by `send`."""

    def __init__(
        self,
        send: Callable[[Leased], Awaitable[Attempt]],
        *,
        per_recipient: int,
        at_once: int,
        attempt_s: float,
    ) -> None:
        self._send = send
        self._done: Callable[[Attempt], None] = _nobody_listens
        self._unused: Callable[[str], None] = _nobody_listens
        self._per_recipient = per_recipient
        self._at_once = at_once
        self._attempt_s = attempt_s
        self._heap: list[tuple[Key, Leased]] = []
        self._parked: dict[str, list[tuple[Key, Leased]]] = defaultdict(list)
        self._behind: dict[tuple[str, str], list[tuple[Key, Leased]]] = defaultdict(list)
        self._waiting: dict[str, int] = defaultdict(int)
        self._busy: dict[str, int] = defaultdict(int)
        self._under_way: set[str] = set()
        self._unrecorded: set[str] = set()
        self._cases_under_way: set[tuple[str, str]] = set()
        self._queued: set[str] = set()
        self._dropped: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._closing = False

    def report_to(self, done: Callable[[Attempt], None], unused: Callable[[str], None]) -> None:
        """Hand each attempt to `done`, and the ids of leases that were not used to `unused`."""
        self._done, self._unused = done, unused

    def room(self, recipient: str, *, bulk: bool) -> int:
        """How many more deliveries for `recipient` may wait here."""
        return max(0, (BULK_ROOM if bulk else LIVE_ROOM) - self._waiting[recipient])

    def begun(self, delivery: str) -> bool:
        """Whether an attempt was begun that is not recorded yet: the recipient may have it."""
        return delivery in self._unrecorded

    def recorded(self, deliveries: Iterable[str]) -> None:
        """Attempts of these are in the table now."""
        self._unrecorded.difference_update(deliveries)

    def put(self, leased: Iterable[Leased]) -> None:
        """Queue what is leased, each once."""
        for one in leased:
            if one.id in self._queued or one.id in self._unrecorded:
                continue
            self._dropped.discard(one.id)
            self._count += 1
            self._queued.add(one.id)
            self._waiting[one.recipient] += 1
            heapq.heappush(self._heap, ((one.bulk, one.due, self._count), one))
        self._go_on()

    def drop(self, deliveries: Iterable[str]) -> None:
        """Do not send these any more, unless an attempt is under way already."""
        self._dropped |= self._queued.intersection(deliveries)

    def _go_on(self) -> None:
        while self._heap and len(self._under_way) < self._at_once and not self._closing:
            key, leased = heapq.heappop(self._heap)
            if leased.id in self._dropped:
                self._leave(leased)
                self._unpark(leased.recipient)
            elif (leased.recipient, leased.case) in self._cases_under_way:
                # Versions of one case reach a recipient one after the other.
                self._behind[leased.recipient, leased.case].append((key, leased))
                self._unpark(leased.recipient)
            elif self._busy[leased.recipient] >= self._per_recipient:
                heapq.heappush(self._parked[leased.recipient], (key, leased))
            elif (leased.lease_until - ledger.now()).total_seconds() < self._attempt_s + 1:
                self._leave(leased)
                self._unused(leased.id)
                self._unpark(leased.recipient)
            else:
                self._begin(leased)
        QUEUED.set(len(self._queued))
        UNDER_WAY.set(len(self._under_way))

    def _leave(self, leased: Leased) -> None:
        self._queued.discard(leased.id)
        self._dropped.discard(leased.id)
        self._waiting[leased.recipient] -= 1

    def _begin(self, leased: Leased) -> None:
        self._leave(leased)
        self._busy[leased.recipient] += 1
        self._under_way.add(leased.id)
        self._unrecorded.add(leased.id)
        self._cases_under_way.add((leased.recipient, leased.case))
        task = asyncio.create_task(self._attempt(leased))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, leased: Leased) -> None:
        try:
            attempt = await self._send(leased)
            ATTEMPTS.labels(attempt.outcome).inc()
            self._done(attempt)
        except Exception as error:
            # A defect of ours. Its lease ends by itself, and it is tried again.
            _log.error("dispatch.failed", delivery=leased.id, error=error)
            self._unrecorded.discard(leased.id)
        finally:
            self._end(leased)

    def _end(self, leased: Leased) -> None:
        self._under_way.discard(leased.id)
        self._busy[leased.recipient] -= 1
        self._cases_under_way.discard((leased.recipient, leased.case))
        for entry in self._behind.pop((leased.recipient, leased.case), ()):
            heapq.heappush(self._heap, entry)
        self._unpark(leased.recipient)
        self._go_on()

    def _unpark(self, recipient: str) -> None:
        """Let the first that waits for `recipient` compete again, where there is a place for it."""
        parked = self._parked.get(recipient)
        if parked and self._busy[recipient] < self._per_recipient:
            heapq.heappush(self._heap, heapq.heappop(parked))

    async def close(self, within_s: float = 5.0) -> None:
        """Begin nothing more; give back what was not begun; let what is under way end."""
        self._closing = True
        for delivery in self._queued:
            self._unused(delivery)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=within_s)
        for task in set(self._tasks):
            task.cancel()


def _nobody_listens(_: object) -> None:
    raise AssertionError("report_to comes before the first delivery")
