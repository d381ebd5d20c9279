"""What the console asks of others: each service's health over HTTP, offsets of the broker.

Asked in the background, so that a page never waits for a service that hangs, and often while somebody
watches; what is costly to count in the console's own tables is counted with it, once for all who watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import aiohttp

from services.console import months_store, store
from services.console.domain.condition import (
    SERVICES,
    Checked,
    Health,
    Notice,
    ServiceHealth,
    Waiting,
    notices,
)
from services.console.settings import Settings
from shared import telemetry
from shared.contracts.topics import TOPICS, Topic, group_of
from shared.db import Database, Row
from shared.errors import Retryable
from shared.kafka import end_offsets, group_offsets
from shared.web import HealthCheck

_ANSWERS_WITHIN_S: Final = 2.0
_WATCHED_FOR_S: Final = 60.0
_UNWATCHED_EVERY_S: Final = 30.0
_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found when the others were last asked. `lag`: service -> Kafka topic -> events waiting.

    `totals` as `store.totals` counts them; None while the database is away. `conservation`: the last check.
    """

    health: tuple[ServiceHealth, ...] = ()
    lag: Mapping[str, Mapping[str, int]] | None = None
    totals: Row | None = None
    waiting: tuple[Waiting, ...] = ()
    dead_letters: int = 0
    conservation: Row | None = None
    at: float = field(default=0.0)

    def waiting_for(self, service: str) -> int | None:
        """Events on all topics that the service has not yet dealt with; None where it is not known."""
        return None if self.lag is None else sum(self.lag.get(service, {}).values())

    @property
    def checked(self) -> Checked | None:
        """The last conservation check; None where none was made."""
        made = self.conservation
        return None if made is None else Checked(made["at"], int(made["found"]["unaccounted"]))

    def notices(self, now: datetime) -> list[Notice]:
        """What to say at the top of a page."""
        if self.totals is None:
            return [Notice("wrong", "The console cannot read its own database just now.")] if self.at else []
        return notices(
            self.health,
            self.waiting,
            lag_known=self.lag is not None,
            overdue=self.totals["overdue"],
            dead_letters=self.dead_letters,
            without_history=self.totals["without_history"],
            now=now,
            checked=self.checked,
        )


class Watch:
    """Asks the others, every few seconds while somebody watches, twice a minute while nobody does."""

    def __init__(self, settings: Settings, own_health: HealthCheck, database: Database) -> None:
        self._settings = settings
        self._own_health = own_health
        self._database = database
        self._sight = Sight()
        self._wanted_until = 0.0
        self._fresh = asyncio.Condition()
        self._wake = asyncio.Event()
        self._http: aiohttp.ClientSession | None = None

    async def sight(self) -> Sight:
        """What is known, at most a few seconds old; waits for the first answers after a pause."""
        self._wanted_until = time.monotonic() + _WATCHED_FOR_S
        self._wake.set()
        oldest = time.monotonic() - 3 * self._settings.watch_every_s
        if self._sight.at < oldest:
            try:
                async with asyncio.timeout(2 * _ANSWERS_WITHIN_S), self._fresh:
                    await self._fresh.wait_for(lambda: self._sight.at >= oldest)
            except TimeoutError:
                _log.warning("watch.late")
        return self._sight

    def told(self) -> list[Notice]:
        """What to say at the top of every page of those who run the system, as it was last seen."""
        self._wanted_until = time.monotonic() + _WATCHED_FOR_S
        self._wake.set()
        return self._sight.notices(datetime.now(UTC))

    async def run(self) -> None:
        """Run for ever."""
        while True:
            if time.monotonic() > self._wanted_until and self._sight.at:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_UNWATCHED_EVERY_S):
                        await self._wake.wait()
            sight = await self._look()
            async with self._fresh:
                self._sight = sight
                self._fresh.notify_all()
            await asyncio.sleep(self._settings.watch_every_s)

    async def close(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            await self._http.close()

    async def _look(self) -> Sight:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=_ANSWERS_WITHIN_S)
            self._http = aiohttp.ClientSession(timeout=timeout)
        health, lag, counted = await asyncio.gather(
            asyncio.gather(*(self._health_of(self._http, service) for service in SERVICES)),
            self._lag(),
            self._counted(),
        )
        return Sight(tuple(health), lag, *counted, at=time.monotonic())

    async def _counted(self) -> tuple[Row | None, tuple[Waiting, ...], int, Row | None]:
        try:
            async with self._database.transaction() as tx:
                waiting = [Waiting(**row) for row in await store.waiting(tx)]
                dead = await store.dead_letters(tx, limit=1)
                checked = await months_store.conservation(tx)
                return (
                    await store.totals(tx, datetime.now(UTC)),
                    tuple(waiting),
                    dead[0]["total"] if dead else 0,
                    checked,
                )
        except Retryable as error:
            _log.warning("watch.no_totals", error=str(error))
            return None, (), 0, None

    async def _health_of(self, http: aiohttp.ClientSession, service: str) -> ServiceHealth:
        if service == "console":
            parts = await self._own_health()
            return ServiceHealth(service, _worst(parts), parts, None)
        address = self._settings.address_of(service)
        if address is None:
            return ServiceHealth(service, "unknown")
        try:
            async with http.get(f"{address}/health/ready") as answer:
                said = await answer.json(content_type=None)
            parts = {str(part): str(word) for part, word in said["parts"].items()}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return ServiceHealth(service, "unreachable", {}, address)
        return ServiceHealth(service, _worst(parts), parts, address)

    async def _lag(self) -> dict[str, dict[str, int]] | None:
        """Events that each service has still to read, per Kafka topic."""
        readers = {service: _topics_of(service) for service in SERVICES}
        groups = [group for service in readers for group in _groups_of(service)]
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                ends, *committed = await asyncio.gather(
                    end_offsets(self._settings.kafka, TOPICS),
                    *(group_offsets(self._settings.kafka, group) for group in groups),
                )
        except (Retryable, TimeoutError) as error:
            _log.warning("watch.no_offsets", error=type(error).__name__)
            return None
        done = dict(zip(groups, committed, strict=True))
        return {
            service: {
                lane: sum(
                    max(0, end - max(done[group].get(place, 0) for group in _groups_of(service)))
                    for place, end in ends.items()
                    if place[0] == lane
                )
                for topic in topics
                for lane in topic.lanes
            }
            for service, topics in readers.items()
            if topics
        }


def _groups_of(service: str) -> tuple[str, str]:
    """The consumer groups of a service: what it hurries with, and what nobody waits for."""
    return group_of(service), group_of(service, 1)


def _topics_of(service: str) -> list[Topic]:
    return [topic for topic in TOPICS if service in topic.consumers]


def _worst(parts: Mapping[str, str]) -> Health:
    if "down" in parts.values():
        return "down"
    return "degraded" if any(word != "up" for word in parts.values()) else "up"
