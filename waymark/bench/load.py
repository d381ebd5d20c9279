"""An open-loop load: arrivals on a clock, whatever the answers do. Runs as a process of its own.

Reads one JSON order on standard input: `{"url", "keys": {force: key}, "incidents": FILE, "skip", "rate",
"seconds", "result": FILE}`, and writes `{"posts": [[case, scheduled, answered, status], ...]}` into the
result's file, with times in seconds since 1970.
"""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop


def read_slice(path: Path, skip: int, count: int) -> list[tuple[str, str, bytes]]:
    """`count` incidents after the first `skip`: case, force, body."""
    found = []
    with path.open("rb") as file:
        for line in islice(file, skip, skip + count):
            incident = orjson.loads(line)
            found.append((f"{incident['force']}/{incident['reference']}", incident["force"], line.strip()))
    return found


async def post_on_the_clock(order: dict[str, Any], bodies: list[tuple[str, str, bytes]]) -> list[list[Any]]:
    """Post each body at its moment; a late answer delays no other post."""
    headers = {
        force: {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        for force, key in order["keys"].items()
    }
    url = f"{order['url']}/v1/incidents"
    results: list[list[Any]] = []
    pending: set[asyncio.Task[None]] = set()
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as http:

        async def post(case: str, force: str, body: bytes, due: float) -> None:
            status = 0
            try:
                async with http.post(url, data=body, headers=headers[force]) as response:
                    await response.read()
                    status = response.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 599
            results.append([case, due, time.time(), status])

        # Connections are opened before the clock starts: a police system keeps its own.
        await asyncio.gather(*(http.get(f"{order['url']}/health/live") for _ in range(16)))
        start = time.time() + 0.2
        for i, (case, force, body) in enumerate(bodies):
            due = start + i / order["rate"]
            pause = due - time.time()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(post(case, force, body, due))
            pending.add(task)
            task.add_done_callback(pending.discard)
        if pending:
            await asyncio.wait(pending)
    return results


def main() -> None:
    order = orjson.loads(sys.stdin.buffer.read())
    count = max(1, int(order["rate"] * order["seconds"]))
    bodies = read_slice(Path(order["incidents"]), order["skip"], count)
    results = uvloop.run(post_on_the_clock(order, bodies))
    Path(order["result"]).write_bytes(orjson.dumps({"posts": results}))


if __name__ == "__main__":
    main()
