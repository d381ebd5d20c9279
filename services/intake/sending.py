"""Posting incidents from a file to a running intake: what `waymark send` does."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

TRIES: Final = 6
_REASONS_KEPT: Final = 1000
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Item:
    """One incident of a file: its number (from 1), its bytes, and how far the file was read (bytes)."""

    number: int
    body: bytes
    read_to: int


@dataclass(slots=True)
class Report:
    """What became of what was sent. `refusals`: which, and why, as the door said it."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    gaps: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        """Refused, or not sent at all because the door could not be reached."""
        return self.statuses["refused"] + self.statuses["unsent"]

    def as_json(self) -> dict[str, Any]:
        """The document of `waymark send --json`."""
        sent = self.statuses.total()
        return {
            "sent": sent,
            **{
                word: self.statuses[word]
                for word in ("accepted", "amended", "withdrawn", "repeated", "refused", "unsent")
            },
            "faults": self.faults,
            "gaps": self.gaps,
            "seconds": round(self.seconds, 3),
            "per_s": round(sent / self.seconds, 1) if self.seconds else None,
            "refusals": self.refusals,
        }

    def took(self, answer: Mapping[str, Any]) -> None:
        """Note a 202."""
        self.statuses[answer["status"]] += 1
        self.faults += len(answer["faults"])
        self.gaps += len(answer["gaps"])

    def refuse(self, number: int, problem: Mapping[str, Any], word: str = "refused") -> None:
        """Note a refusal."""
        self.statuses[word] += 1
        if len(self.refusals) < _REASONS_KEPT:
            told = {
                name: problem[name]
                for name in ("status", "title", "detail", "at", "differs")
                if name in problem
            }
            self.refusals.append({"number": number, **told})


def items_of(path: Path) -> Iterator[Item]:
    """The incidents of a file: JSON lines, one JSON object, or a list of them. JSON lines are read one by
    one. Raises ValueError where it is neither, OSError where it cannot be read."""
    with path.open("rb") as file:
        first = file.readline()
        try:
            alone = orjson.loads(first)
        except orjson.JSONDecodeError:
            alone = None
        if isinstance(alone, dict):
            file.seek(0)
            read_to = 0
            for number, line in enumerate(file, 1):
                read_to += len(line)
                if line.strip():
                    yield Item(number, line.rstrip(b"\r\n"), read_to)
            return
        whole = first + file.read()
    try:
        parsed = orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path} is neither JSON nor JSON lines (line {error.lineno}).") from None
    incidents = parsed if isinstance(parsed, list) else [parsed]
    for number, incident in enumerate(incidents, 1):
        yield Item(number, orjson.dumps(incident), len(whole) * number // len(incidents))


class Sender:
    """Posts items over kept-alive connections, several at a time; what passes by itself is tried again.

    `keys`: per force its key; `key` is used whatever the force. A repeat after a lost answer is safe:
    the door answers it as the first.
    """

    def __init__(self, url: str, *, key: str | None, keys: Mapping[str, str], concurrency: int) -> None:
        self._url = url.rstrip("/") + "/v1/incidents"
        self._key = key
        self._keys = keys
        self._concurrency = concurrency

    async def send(self, items: Iterator[Item], progress: Callable[[int], None]) -> Report:
        """Send all; `progress` is called with how far the file is done (bytes). Raises what `items_of`
        raises."""
        report = Report()
        items = chain([one for one in (next(items, None),) if one is not None], items)
        start = time.monotonic()
        connector = aiohttp.TCPConnector(limit=self._concurrency)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:

            async def work() -> None:
                for item in items:
                    await self._send(http, item, report)
                    progress(item.read_to)

            async with asyncio.TaskGroup() as workers:
                for _ in range(self._concurrency):
                    workers.create_task(work())
        report.seconds = time.monotonic() - start
        report.refusals.sort(key=lambda one: int(one["number"]))
        return report

    async def _send(self, http: aiohttp.ClientSession, item: Item, report: Report) -> None:
        key = self._key or self._key_for(item.body)
        if key is None:
            problem = {"title": "No key for its force", "detail": "Give one with --key."}
            report.refuse(item.number, problem)
            return
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        problem = {"title": "Not sent", "detail": "The door could not be reached."}
        for attempt in range(TRIES):
            pause = min(_LONGEST_PAUSE_S, 0.25 * 2**attempt)
            try:
                async with http.post(self._url, data=item.body, headers=headers) as response:
                    told = await response.read()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(pause)
                continue
            if response.status == 202:
                report.took(orjson.loads(told))
                return
            problem = _problem(response.status, told)
            if response.status not in (429, 503):
                report.refuse(item.number, problem)
                return
            await asyncio.sleep(_seconds(response.headers.get("Retry-After"), pause))
        report.refuse(item.number, problem, "unsent")

    def _key_for(self, body: bytes) -> str | None:
        if len(self._keys) == 1:
            return next(iter(self._keys.values()))
        try:
            incident = orjson.loads(body)
        except orjson.JSONDecodeError:
            incident = None
        force = incident.get("force") if isinstance(incident, dict) else None
        # Without a readable force any key will do: the door says what is wrong.
        return self._keys.get(force) if isinstance(force, str) else next(iter(self._keys.values()), None)


def _problem(status: int, told: bytes) -> dict[str, Any]:
    try:
        problem = orjson.loads(told)
    except orjson.JSONDecodeError:
        problem = None
    return problem if isinstance(problem, dict) else {"status": status, "title": f"Answered with {status}"}


def _seconds(said: str | None, otherwise: float) -> float:
    return min(_LONGEST_PAUSE_S, float(said)) if said is not None and said.isdigit() else otherwise
