"""What the door refused: kept for a while, word for word, so that its sender can see what was lost on us.

Within limits: the newest 2,000 of a force, thirty days, 64 KiB of each (`Limits`). Kept before the refusal is
answered, many in one transaction; where that fails (database away) the refusal is answered all the same,
without a number. What was refused for a reason that passes (429, 503) was not looked at and is not kept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from prometheus_client import Counter

from services.intake.submissions import Door
from shared import cursors, telemetry
from shared.contracts.base import write_moment
from shared.db import Database, Row
from shared.errors import Refused, Retryable
from shared.keys import Caller

KEPT_STATUSES: Final = frozenset({400, 403, 409, 413, 415, 422})
_WAITING_AT_MOST: Final = 500
_WITHIN_S: Final = 5.0

NOT_KEPT: Final = Counter("waymark_refused_not_kept_total", "Refused submissions that could not be kept")
_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: the newest `entries` of a force, `bytes_each` of what was sent, for `days`; how
    often what is older is looked for, in seconds."""

    entries: int = 2_000
    days: int = 30
    bytes_each: int = 64 * 1024
    look_every_s: float = 3600.0


LIMITS: Final = Limits()
_KIND: Final = "refused:"


def reader_of(force: str) -> str:
    """The feed of what was refused of a force."""
    return f"{_KIND}{force}"


@dataclass(frozen=True, slots=True)
class _Entry:
    force: str
    payload: bytes
    number: asyncio.Future[int]


class Quarantine:
    """The queue before the quarantine, and the one task that empties it."""

    def __init__(self, database: Database, limits: Limits = LIMITS) -> None:
        self._database = database
        self._limits = limits
        self._waiting: list[_Entry] = []
        self._something = asyncio.Event()

    async def keep(self, refused: Refused, raw: bytes, caller: Caller, door: Door) -> Refused:
        """Keep what was refused; the refusal with its number as `kept`, or as it was where it is not kept.
        `raw`: what came of it, empty where it was not read."""
        if refused.status not in KEPT_STATUSES or caller.force is None:
            return refused
        if len(self._waiting) >= _WAITING_AT_MOST:
            NOT_KEPT.inc()
            return refused
        number: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        payload = _payload(refused, raw, caller.key, door, self._limits.bytes_each)
        self._waiting.append(_Entry(caller.force, payload, number))
        self._something.set()
        try:
            async with asyncio.timeout(_WITHIN_S):
                refused.extra["kept"] = await number
        except (Retryable, TimeoutError):
            NOT_KEPT.inc()
        return refused

    async def run(self) -> None:
        """Run for ever."""
        clock = asyncio.get_running_loop().time
        look_at = clock()
        while True:
            if clock() >= look_at:
                await self._forget()
                look_at = clock() + self._limits.look_every_s
            with suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._something.wait()
            self._something.clear()
            entries, self._waiting = self._waiting, []
            if entries:
                await self._store(entries)

    async def _forget(self) -> None:
        """Drop what is too old, of forces too of which nothing is refused any more."""
        try:
            async with asyncio.timeout(_WITHIN_S), self._database.transaction() as tx:
                for reader in await cursors.readers(tx, _KIND):
                    await cursors.forget(tx, reader, up_to=0, days=self._limits.days)
        except (Retryable, TimeoutError) as error:
            _log.warning("intake.refused_not_forgotten", error=error)

    async def _store(self, entries: Sequence[_Entry]) -> None:
        by_reader: dict[str, list[_Entry]] = {}
        for one in entries:
            by_reader.setdefault(reader_of(one.force), []).append(one)
        try:
            async with asyncio.timeout(_WITHIN_S), self._database.transaction() as tx:
                last = await cursors.append(
                    tx, {reader: [("", one.payload) for one in some] for reader, some in by_reader.items()}
                )
                for reader, number in last.items():
                    await cursors.forget(
                        tx, reader, up_to=number - self._limits.entries, days=self._limits.days
                    )
        except (Retryable, TimeoutError) as error:
            _log.warning("intake.refused_not_kept", count=len(entries), error=error)
            for one in entries:
                if not one.number.done():
                    one.number.set_exception(Retryable("the quarantine cannot be written"))
            return
        for reader, some in by_reader.items():
            for place, one in enumerate(some):
                if not one.number.done():
                    one.number.set_result(last[reader] - len(some) + 1 + place)


def _payload(refused: Refused, raw: bytes, key: str, door: Door, bytes_each: int) -> bytes:
    kept: dict[str, Any] = {
        "door": door,
        "key": key,
        "status": refused.status,
        "title": refused.title,
        "detail": refused.detail,
        "at": refused.extra.get("at"),
        "differs": refused.extra.get("differs"),
    }
    if raw or refused.status != 413:  # what is too large is not read
        content = raw[:bytes_each]
        kept |= {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        try:
            kept["text"] = content.decode()
        except UnicodeDecodeError:
            kept["base64"] = base64.b64encode(content).decode()
    return orjson.dumps({name: value for name, value in kept.items() if value is not None})


def listed(row: Row) -> dict[str, Any]:
    """An entry of the list: why and when, without what was sent."""
    kept = orjson.loads(row["payload"])
    told = {name: value for name, value in kept.items() if name not in ("text", "base64")}
    return {"no": row["no"], "at": write_moment(row["at"]), "refused": told}


def shown(row: Row) -> dict[str, Any]:
    """An entry whole: `text` (or `base64`, where it was no text) is what was sent, at most 64 KiB of it."""
    return {"no": row["no"], "at": write_moment(row["at"]), "refused": orjson.loads(row["payload"])}
