"""A door of the tests' own on loopback, to send to: it answers as it is told to, and keeps what came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from services.intake.sending import Journal, Outcome, Report, Sender, open_source
from tests.builders import an_incident


@dataclass(slots=True)
class Answering:
    """What the door says, by reference: a list of (status, document) used up from the front; without one,
    202. `came`: the references in the order in which they came."""

    told: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    came: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    retry_after: str | None = None
    cut_after: int | None = None
    """The next batch breaks off after so many answers."""
    before: Callable[[str], Awaitable[None]] | None = None

    def judge(self, reference: str) -> tuple[int, dict[str, Any]]:
        self.came.append(reference)
        waiting = self.told.get(reference)
        if waiting:
            return waiting.pop(0)
        return 202, {"status": "accepted", "faults": [], "gaps": []}

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        if self.before is not None:
            await self.before(await request.text())
        if request.path.endswith("batch") or request.content_type == "text/csv":
            return await self._batch(request)
        status, document = self.judge(orjson.loads(await request.read())["reference"])
        headers = {"Retry-After": self.retry_after} if self.retry_after and status in (429, 503) else {}
        return web.json_response(document, status=status, headers=headers)

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        lines = (await request.text()).splitlines()
        if request.content_type == "text/csv":
            references = [line.split(",")[1] for line in lines[1:]]
        else:
            references = [orjson.loads(line)["reference"] for line in lines]
        self.batches.append(references)
        response = web.StreamResponse()
        await response.prepare(request)
        for number, reference in enumerate(references, 1):
            if self.cut_after is not None and number > self.cut_after:
                self.cut_after = None
                assert request.transport is not None
                request.transport.close()
                return response
            status, document = self.judge(reference)
            name = "answer" if status == 202 else "problem"
            await response.write(orjson.dumps({"line": number, "code": status, name: document}) + b"\n")
        return response


@asynccontextmanager
async def answering_door(door: Answering) -> AsyncIterator[str]:
    """Its address, while it is open."""
    app = web.Application()
    app.router.add_post("/v1/{path:.*}", door.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def send_to(door: Answering, file: Path, *, again: bool = False, **options: Any) -> Report:
    """Send a file as `waymark send` does, its journal beside it."""
    seen: list[Outcome] = []
    async with answering_door(door) as url:
        form = options.get("form")
        chosen = {"key": "k", "keys": {}, "concurrency": 4, "patience_s": 5.0, **options}
        sender = Sender(url, **chosen)
        sender.address = sender.address.replace(url, "door")  # the port changes from door to door
        source = open_source(file, form=form is not None)
        journal = Journal.beside(file, digest=source.digest, to=sender.address, again=again)
        sender.address = sender.address.replace("door", url)
        journal.open()
        finished = False
        try:
            report = await sender.send(source, lambda _: None, journal=journal, note=seen.append)
            finished = report.statuses["unsent"] == 0
        finally:
            journal.close(finished=finished)
    return report


def a_file(place: Path, references: Sequence[str], **changes: Any) -> Path:
    place.write_bytes(b"\n".join(orjson.dumps(an_incident(reference=one, **changes)) for one in references))
    return place


async def never() -> None:
    """Waits until it is cancelled."""
    await asyncio.Event().wait()
