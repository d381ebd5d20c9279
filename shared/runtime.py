"""What every service starts and stops, in one place: `main.py` says what is special about its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from shared import telemetry
from shared.contracts.topics import Topic, group_of
from shared.db import Database
from shared.errors import Retryable
from shared.kafka import Producer, make_topics
from shared.keys import KeyRing
from shared.outbox import Outbox
from shared.relay import Relay
from shared.settings import ServiceSettings
from shared.stage import Handler, Stage
from shared.timers import TimerHandler, Timers
from shared.tokens import Issuer, Tokens

_log = telemetry.logger()


def _collect_less_often() -> None:
    """Let the collector of reference cycles alone with what lives as long as the process, and look after
    the rest less often: each event is a few hundred small objects, none in a cycle, and looking through
    them took a fifth of the time of reading an incident."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _tokens(settings: ServiceSettings) -> Tokens | None:
    issuer, audience, keys_url = settings.oauth_issuer, settings.oauth_audience, settings.oauth_keys_url
    return Tokens(Issuer(issuer, audience, keys_url)) if issuer and audience and keys_url else None


class Runtime:
    """Database, outbox, producer, keys, stage and timers of one service."""

    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self.service = service
        self.settings = settings
        self.database = Database(settings.database, service, pool_size=settings.pool_size)
        self.producer = Producer(settings.kafka, f"waymark-{service}", settings.partitions)
        self.outbox = Outbox(self.database, self.producer)
        self.keys = KeyRing(self.database, _tokens(settings))
        self._stages: list[Stage] = []
        self._topics_made = asyncio.Event()
        self._work: list[Callable[[], Awaitable[None]]] = [Relay(self.outbox, lease_s=settings.lease_s).run]
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def consume(
        self,
        handlers: Mapping[Topic, Handler],
        *,
        after_commit: Callable[[], None] | None = None,
        decoders: Mapping[Topic, TypeAdapter[Any]] | None = None,
        patient: bool = False,
    ) -> None:
        """Read the topics of `handlers`, each with its function.

        `patient`: nobody waits for this work, so it is done in larger batches, a few times a second. A
        service that has both urgent and patient topics calls this once for each.

        `decoders`: narrower models of the events of some topics, where a service needs little of them.
        """
        settings = self.settings
        stage = Stage(
            self.service,
            self.outbox,
            settings.kafka,
            handlers,
            batch_events=settings.batch_events,
            bulk_slice=settings.bulk_slice,
            fetch_wait_ms=settings.fetch_wait_ms,
            patient=patient,
            group=group_of(self.service, len(self._stages)),
            stuck_after_s=settings.stuck_after_s,
            after_commit=after_commit,
            decoders=decoders,
        )

        async def read_topics() -> None:
            # Whoever joins before its topics are made gets no partitions, and hears of them minutes later.
            await self._topics_made.wait()
            await stage.run()

        self._stages.append(stage)
        self._work.append(read_topics)

    def keep_time(self, handlers: Mapping[str, TimerHandler]) -> None:
        """Fire timers, each with its function."""
        self._work.append(Timers(self.outbox, handlers, lease_s=self.settings.lease_s).run)

    def keep_running(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` for as long as the service runs; it is started again if it fails."""
        self._work.append(work)

    def at_the_end(self, closing: Callable[[], Awaitable[None]]) -> None:
        """Call `closing` when the service stops, before the database and the broker are let go."""
        self._closing.append(closing)

    @asynccontextmanager
    async def running(self, _: FastAPI | None = None) -> AsyncIterator[None]:
        """The lifespan of the service's app."""
        provider = telemetry.set_up(self.service, bulk_share=self.settings.trace_sample_bulk)
        _collect_less_often()
        tasks = [asyncio.create_task(self._forever(work)) for work in (self._topics, *self._work)]
        try:
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for closing in self._closing:
                await closing()
            await self.outbox.close()
            await self.producer.close()
            await self.database.close()
            await asyncio.to_thread(provider.shutdown)

    async def _topics(self) -> None:
        """Make the topics that are missing; the broker may come later than we do."""
        while True:
            try:
                await make_topics(self.settings.kafka, self.settings.partitions)
            except Retryable:
                await asyncio.sleep(1)
            else:
                self._topics_made.set()
                return

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except Exception as error:
                _log.error("runtime.restarting", work=getattr(work, "__name__", "work"), error=error)
                await asyncio.sleep(1)

    async def health(self) -> dict[str, str]:
        """`down` without the database; `degraded` without the broker: what is accepted is still kept."""
        database = await self.database.ping()
        parts = {
            "database": "up" if database else "down",
            "broker": "up" if self.producer.available else "degraded",
        }
        if self._stages:
            parts["consumer"] = "up" if all(stage.running for stage in self._stages) else "degraded"
        for part, word in parts.items():
            telemetry.DEGRADED.labels(self.service, part).set(word != "up")
        return parts
