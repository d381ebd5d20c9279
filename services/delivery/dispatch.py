"""The queue in memory: the earliest deadline first over all recipients, live before bulk, and so many at
once for each, so that a slow one delays nobody else.

What waits here is leased in the table. What cannot be sent before its lease ends, or goes to an address
that is left alone for now, is given back, and picked up again by whichever copy of the service has room.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge

from services.delivery.domain.circuit import Circuit
from services.delivery.domain.sending import Attempt
from services.delivery.store import Leased
from shared import ledger, telemetry

LIVE_ROOM: Final = 2000
BULK_ROOM: Final = 100
"""How many may wait here for one recipient; the others wait in the table."""
SLOW_S: Final = 1.0
"""A recipient whose attempts take longer is slow: all slow ones together have half of the places."""
BULK_AT_ALL: Final = 1000
"""How much bulk may wait here for all recipients."""
UNRECORDED: Final = 300
"""Bulk goes on when fewer attempts wait to be stored: what is not stored is sent again after a crash."""
BULK_AT_LEAST: Final = 2
LOOK_EVERY_S: Final = 0.02
TOO_LATE_S: Final = 0.004
"""Bulk takes what the process has to spare: half as much at once where it wakes so much too late, one more
where it does not."""
_NEWEST_WEIGHS: Final = 0.2

ATTEMPTS = Counter("waymark_delivery_attempts_total", "Attempts to deliver", ["outcome"])
QUEUED = Gauge("waymark_delivery_queued", "Deliveries waiting in memory")
UNDER_WAY = Gauge("waymark_delivery_under_way", "Attempts under way")
RESTING = Gauge("waymark_delivery_addresses_resting", "Recipients whose address is left alone for a while")

_draw = random.SystemRandom().random
_log = telemetry.logger()

Key = tuple[bool, datetime, int]


@dataclass(slots=True)
class Lane:
    """One recipient's: what waits, what is under way, how it has been answering."""

    waiting: int = 0
    busy: int = 0
    bulk_busy: int = 0
    parked: list[tuple[Key, Leased]] = field(default_factory=list)
    circuit: Circuit = field(default_factory=Circuit)
    seconds: float = 0.0
    """How long attempts take, the newest weighing a fifth."""
    tried: bool = False
    last_answer: tuple[datetime, str] | None = None
    """When the last attempt ended, and with what."""

    @property
    def slow(self) -> bool:
        """Whether attempts take long."""
        return self.seconds > SLOW_S

    def took(self, seconds: float) -> None:
        """An attempt took so long."""
        self.tried = True
        self.seconds += (seconds - self.seconds) * _NEWEST_WEIGHS


class Dispatcher:
    """Sends what is leased, by `send`."""

    def __init__(
        self,
        send: Callable[[Leased], Awaitable[Attempt]],
        *,
        per_recipient: int,
        at_once: int,
        attempt_s: float,
        bulk_at_once: int = 64,
    ) -> None:
        self._send = send
        self._done: Callable[[Attempt], None] = _nobody_listens
        self._unused: Callable[[str], None] = _nobody_listens
        self._health: Callable[[str, bool], None] = lambda recipient, well: None
        self._per_recipient = per_recipient
        self._at_once = at_once
        self._attempt_s = attempt_s
        self._bulk_at_once = min(bulk_at_once, at_once)
        self._bulk_now = min(8, self._bulk_at_once)
        self._heap: list[tuple[Key, Leased]] = []
        self._lanes: dict[str, Lane] = defaultdict(Lane)
        self._behind: dict[tuple[str, str], list[tuple[Key, Leased]]] = defaultdict(list)
        self._under_way: set[str] = set()
        self._slow_under_way = 0
        self._bulk_under_way = 0
        self._bulk_waiting = 0
        self._live_at_work = 0
        self._kept_slow: dict[str, None] = {}
        self._kept_bulk: dict[str, None] = {}
        """Lanes that wait for a place among the slow or among bulk, in the order in which they came."""
        self._unrecorded: set[str] = set()
        self._cases_under_way: set[tuple[str, str]] = set()
        self._queued: set[str] = set()
        self._dropped: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting: set[str] = set()
        self._count = 0
        self._closing = False

    def report_to(
        self,
        done: Callable[[Attempt], None],
        unused: Callable[[str], None],
        health: Callable[[str, bool], None] | None = None,
    ) -> None:
        """Hand each attempt to `done`, and the ids of leases that were not used to `unused`. `health` is
        called with a recipient and False when its address is left alone, True when it is back."""
        self._done, self._unused = done, unused
        if health is not None:
            self._health = health

    def room(self, recipient: str, *, bulk: bool) -> int:
        """How many more deliveries for `recipient` may wait here."""
        lane = self._lanes[recipient]
        if not lane.circuit.closed:
            return 0 if lane.circuit.rests(ledger.now()) else max(0, 1 - lane.waiting - lane.busy)
        room = (BULK_ROOM if bulk else LIVE_ROOM) - lane.waiting
        return max(0, min(room, self.bulk_room()) if bulk else room)

    def bulk_room(self) -> int:
        """How much more bulk may wait here for all recipients."""
        return max(0, BULK_AT_ALL - self._bulk_waiting)

    @contextmanager
    def bulk_held(self) -> Iterator[None]:
        """Begin no bulk while something live is being worked out."""
        self._live_at_work += 1
        try:
            yield
        finally:
            self._live_at_work -= 1
            self._go_on_with(self._kept_bulk, self._bulk_is_much)

    def begun(self, delivery: str) -> bool:
        """Whether an attempt was begun that is not recorded yet: the recipient may have it."""
        return delivery in self._unrecorded

    def recorded(self, deliveries: Iterable[str]) -> None:
        """Attempts of these are in the table now."""
        self._unrecorded.difference_update(deliveries)
        self._go_on_with(self._kept_bulk, self._bulk_is_much)

    def resting(self, recipient: str) -> bool:
        """Whether the recipient's address is left alone for a while."""
        return recipient in self._resting

    def lane_of(self, recipient: str) -> Lane | None:
        """What is known of a recipient; None where nothing is."""
        return self._lanes.get(recipient)

    def attempt_s(self, recipient: str) -> float | None:
        """How long an attempt at a recipient takes; None where none was made or its address is left alone."""
        lane = self._lanes.get(recipient)
        return lane.seconds if lane is not None and lane.tried and lane.circuit.closed else None

    def forget(self, recipient: str) -> None:
        """The recipient has another address: what is known of the old one says nothing of it."""
        self._lanes[recipient].circuit = Circuit()
        self._resting.discard(recipient)
        RESTING.set(len(self._resting))

    def put(self, leased: Iterable[Leased]) -> None:
        """Queue what is leased, each once."""
        for one in leased:
            if one.id in self._queued or one.id in self._unrecorded:
                continue
            self._dropped.discard(one.id)
            self._count += 1
            self._queued.add(one.id)
            self._lanes[one.recipient].waiting += 1
            self._bulk_waiting += one.bulk
            heapq.heappush(self._heap, ((one.bulk, one.due, self._count), one))
        self._go_on()

    def drop(self, deliveries: Iterable[str]) -> None:
        """Do not send these any more, unless an attempt is under way already."""
        self._dropped |= self._queued.intersection(deliveries)

    def _go_on(self) -> None:
        while self._heap and len(self._under_way) < self._at_once and not self._closing:
            key, leased = heapq.heappop(self._heap)
            lane = self._lanes[leased.recipient]
            if leased.id in self._dropped:
                self._leave(leased, lane)
                self._unpark(lane)
            elif (leased.recipient, leased.case) in self._cases_under_way:
                # Versions of one case reach a recipient one after the other.
                self._behind[leased.recipient, leased.case].append((key, leased))
                self._unpark(lane)
            elif self._gives_back(leased, lane):
                self._leave(leased, lane)
                self._unused(leased.id)
                self._unpark(lane)
            elif self._places_for(leased, lane) <= 0:
                heapq.heappush(lane.parked, (key, leased))
            elif lane.slow and self._slow_are_many():
                heapq.heappush(lane.parked, (key, leased))
                self._kept_slow[leased.recipient] = None
            elif leased.bulk and self._bulk_is_much():
                heapq.heappush(lane.parked, (key, leased))
                self._kept_bulk[leased.recipient] = None
            else:
                self._begin(leased, lane)
        QUEUED.set(len(self._queued))
        UNDER_WAY.set(len(self._under_way))

    def _places_for(self, leased: Leased, lane: Lane) -> int:
        """How many like it may begin in a lane. Bulk leaves half of the lane's places to what is live."""
        free = (self._per_recipient if lane.circuit.closed else 1) - lane.busy
        return min(free, max(1, self._per_recipient // 2) - lane.bulk_busy) if leased.bulk else free

    def _slow_are_many(self) -> bool:
        """Whether the slow have all the places that they may have together."""
        return self._slow_under_way * 2 >= self._at_once

    def _bulk_is_much(self) -> bool:
        """Whether bulk has all the places that it may have together."""
        return (
            self._bulk_under_way >= self._bulk_now
            or len(self._unrecorded) >= UNRECORDED
            or self._live_at_work > 0
        )

    def _gives_back(self, leased: Leased, lane: Lane) -> bool:
        now = ledger.now()
        return lane.circuit.rests(now) or (leased.lease_until - now).total_seconds() < self._attempt_s + 1

    def _leave(self, leased: Leased, lane: Lane) -> None:
        self._queued.discard(leased.id)
        self._dropped.discard(leased.id)
        lane.waiting -= 1
        self._bulk_waiting -= leased.bulk

    def _begin(self, leased: Leased, lane: Lane) -> None:
        self._leave(leased, lane)
        lane.busy += 1
        lane.bulk_busy += leased.bulk
        slow = lane.slow
        self._slow_under_way += slow
        self._bulk_under_way += leased.bulk
        self._under_way.add(leased.id)
        self._unrecorded.add(leased.id)
        self._cases_under_way.add((leased.recipient, leased.case))
        task = asyncio.create_task(self._attempt(leased, slow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, leased: Leased, slow: bool) -> None:
        try:
            attempt = await self._send(leased)
            ATTEMPTS.labels(attempt.outcome).inc()
            self._learn(leased.recipient, attempt)
            self._done(attempt)
        except Exception as error:
            # A defect of ours. Its lease ends by itself, and it is tried again.
            _log.error("dispatch.failed", delivery=leased.id, error=error)
            self._unrecorded.discard(leased.id)
        finally:
            self._end(leased, slow)

    def _learn(self, recipient: str, attempt: Attempt) -> None:
        """What an attempt says of the recipient's address."""
        lane = self._lanes[recipient]
        lane.took((attempt.ended - attempt.started).total_seconds())
        lane.last_answer = (attempt.ended, attempt.result)
        if attempt.rest_s is not None:
            lane.circuit.asked_to_wait(attempt.ended, attempt.rest_s)
        elif attempt.ill:
            if lane.circuit.failed(attempt.ended, _draw) and recipient not in self._resting:
                self._resting.add(recipient)
                _log.warning("dispatch.address_rests", recipient=recipient, result=attempt.result)
                self._health(recipient, False)
        elif attempt.outcome in ("received", "later") and lane.circuit.succeeded():
            if recipient in self._resting:
                self._resting.discard(recipient)
                _log.info("dispatch.address_back", recipient=recipient)
                self._health(recipient, True)
        else:
            return
        RESTING.set(len(self._resting))

    def _end(self, leased: Leased, slow: bool) -> None:
        lane = self._lanes[leased.recipient]
        self._under_way.discard(leased.id)
        lane.busy -= 1
        lane.bulk_busy -= leased.bulk
        self._slow_under_way -= slow
        self._bulk_under_way -= leased.bulk
        self._cases_under_way.discard((leased.recipient, leased.case))
        for entry in self._behind.pop((leased.recipient, leased.case), ()):
            heapq.heappush(self._heap, entry)
        self._unpark(lane)
        self._go_on()
        self._go_on_with(self._kept_slow, self._slow_are_many)
        self._go_on_with(self._kept_bulk, self._bulk_is_much)

    def _go_on_with(self, kept: dict[str, None], full: Callable[[], bool]) -> None:
        """Give places that have become free to those who wait for them, in turn."""
        while kept and not full() and not self._closing:
            other = next(iter(kept))
            del kept[other]
            self._unpark(self._lanes[other])
            self._go_on()

    def _unpark(self, lane: Lane) -> None:
        """Let the first that wait in a lane compete again, as many as there are places for."""
        moved = 0
        while lane.parked and moved < self._places_for(lane.parked[0][1], lane):
            heapq.heappush(self._heap, heapq.heappop(lane.parked))
            moved += 1

    async def watch(self) -> None:
        """Measure for ever how late this process wakes, and let bulk have as much as that allows."""
        loop = asyncio.get_running_loop()
        while True:
            wanted = loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            self.woke(loop.time() - wanted)

    def woke(self, late_s: float) -> None:
        """The process woke so much later than it should have."""
        if late_s > TOO_LATE_S:
            self._bulk_now = min(self._bulk_now, max(BULK_AT_LEAST, self._bulk_now // 2))
        elif self._bulk_now < self._bulk_at_once:
            self._bulk_now += 1
            self._go_on_with(self._kept_bulk, self._bulk_is_much)

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
