"""What the demo knows of each case, read from the topics as any service would read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import DECIDED, OUTCOMES


@dataclass(slots=True)
class Seen:
    """The newest decision and the newest outcome of one case, as envelopes."""

    decided: dict[str, Any] | None = None
    answered: dict[str, Any] | None = None
    versions: int = 0


@dataclass(slots=True)
class Watcher:
    """Follows the decided and outcomes topics from their beginning."""

    kafka: str
    cases: dict[str, Seen] = field(default_factory=dict)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Read for as long as the block lasts."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            *DECIDED.lanes,
            *OUTCOMES.lanes,
            bootstrap_servers=self.kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            group_id=None,
        )
        await consumer.start()
        try:
            async for record in consumer:
                self.take(orjson.loads(record.value))
        finally:
            await consumer.stop()

    def take(self, envelope: dict[str, Any]) -> None:
        """Keep an event if it is newer than the one known."""
        seen = self.cases.setdefault(envelope["case"], Seen())
        if envelope["type"] == "case.decided":
            seen.versions += 1
            if seen.decided is None or envelope["seq"] > seen.decided["seq"]:
                seen.decided = envelope
        elif seen.answered is None or envelope["seq"] > seen.answered["seq"]:
            seen.answered = envelope
