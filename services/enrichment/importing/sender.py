"""Posting a register slice by slice: patient where the service is away, and finished only when all is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import orjson

from services.enrichment.importing.files import LeftOut, Line, Source
from services.enrichment.importing.journal import Answered, Journal, Task
from services.enrichment.importing.report import COUNTED, Remark, Report
from services.enrichment.importing.slices import Slice, slices_of

_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What passes by itself: sent again, which is safe."""

_LONGEST_PAUSE_S: Final = 10.0

Note = Callable[[Remark], None]


class Stopped(Exception):
    """It goes no further; the sentence says why. `problem`: what the service answered."""

    def __init__(self, sentence: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.problem = problem


class Sender:
    """Posts to `POST /v1/records` of one service with one key. `empty`, `fewer`: what a whole import is
    allowed to forget; `patience_s`: how long a slice is tried while the service cannot take it."""

    def __init__(
        self, url: str, key: str, *, empty: bool = False, fewer: bool = False, patience_s: float = 60.0
    ) -> None:
        self.address = f"{url.rstrip('/')}/v1/records"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._params = {name: "yes" for name, said in (("empty", empty), ("fewer", fewer)) if said}
        self._patience_s = patience_s

    async def send(
        self, source: Source, journal: Journal, *, progress: Callable[[int], None], note: Note
    ) -> Report:
        """Send what `journal` has no answer for, then finish a whole import. `note` is called with every
        entry left out or read in part, `progress` with how far the reading is (bytes). Raises OSError, and
        ValueError where the files turn out not to be what they were."""
        task = journal.task
        report = Report(task.source, task.as_of, task.whole)

        def remark(one: Remark) -> None:
            report.note(one)
            note(one)

        start = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=300)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as http:
            try:
                for slice_ in slices_of(source.entries()):
                    report.slices = slice_.number
                    for one in slice_.left_out:
                        remark(_remark_of(one))
                    answered = journal.before.get(slice_.number)
                    if answered is not None:
                        report.earlier += 1
                    elif slice_.lines or task.whole or not slice_.left_out:
                        answered = _answered(slice_, await self._post(http, _document(task, slice_)))
                        journal.note(answered)
                    if answered is not None:
                        report.counts.update(answered.counts)
                        for said in answered.remarks:
                            remark(said)
                    progress(slice_.read_to)
                if task.whole:
                    told = await self._post(http, _finishing(task, report.slices))
                    report.counts.update({name: told[name] for name in COUNTED})
            except Stopped as stopped:
                report.stopped, report.problem = str(stopped), stopped.problem
        report.seconds = time.monotonic() - start
        return report

    async def _post(self, http: aiohttp.ClientSession, document: bytes) -> dict[str, Any]:
        """The answer. Raises Stopped where it is refused, or the service stays away."""
        began, pause = time.monotonic(), 0.25
        while True:
            try:
                async with http.post(self.address, data=document, params=self._params) as response:
                    status, told = response.status, await response.read()
                    asked = response.headers.get("Retry-After", "")
                if status == 200:
                    return dict(orjson.loads(told))
                if status not in _PASSING:
                    problem = _problem(status, told)
                    raise Stopped(_sentence(problem), problem)
                why = f"answers {status}"
                wait = max(pause, float(asked)) if asked.isdigit() else pause
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
                why, wait = "does not answer", pause
            if time.monotonic() - began + wait > self._patience_s:
                raise Stopped(f"Enrichment {why} at {self.address}: the same command goes on from here.")
            await asyncio.sleep(wait)
            pause = min(_LONGEST_PAUSE_S, 2 * pause)


def _document(task: Task, slice_: Slice) -> bytes:
    head: dict[str, Any] = {"source": task.source, "as_of": task.as_of, "whole": task.whole}
    if task.whole:
        head["import"] = {
            "id": task.id, "slice": slice_.number, "kept": slice_.kept, "unread": slice_.unread
        }  # fmt: skip
    return orjson.dumps({**head, slice_.of: [orjson.Fragment(body) for body in slice_.bodies]})


def _finishing(task: Task, slices: int) -> bytes:
    return orjson.dumps(
        {
            "source": task.source,
            "as_of": task.as_of,
            "whole": True,
            "import": {"id": task.id, "slices": slices},
        }
    )


def _answered(slice_: Slice, told: Mapping[str, Any]) -> Answered:
    remarks = [
        _remark_at(slice_.lines, one) for kind in ("bad", "faults") for one in told[kind]
    ]  # both name the entry by its place in the list
    return Answered(slice_.number, {name: told[name] for name in COUNTED}, remarks)


def _remark_at(lines: list[Line], said: Mapping[str, Any]) -> Remark:
    line = lines[said["index"]]
    because = str(said["because"])
    if line.list == "relationships" and because.startswith("kind "):
        because = f"relationship{because[4:]}"  # as the files call it
    return Remark(line.file, line.number, line.list, because, said.get("at"))


def _remark_of(one: LeftOut) -> Remark:
    return Remark(one.file, one.number, one.list, one.because)


def _problem(status: int, told: bytes) -> dict[str, Any]:
    try:
        problem = orjson.loads(told)
    except orjson.JSONDecodeError:
        problem = None
    return problem if isinstance(problem, dict) else {"status": status, "title": f"Answered with {status}"}


def _sentence(problem: Mapping[str, Any]) -> str:
    return f"Enrichment refused: {problem.get('title', 'no reason given')}. {problem.get('detail', '')}".strip()
