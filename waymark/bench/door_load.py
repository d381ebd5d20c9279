"""A load on one door, for `waymark bench intake`. Runs as a process of its own.

Reads one JSON order on standard input: `{"url", "key", "bodies": FILE of JSON lines, "skip", "count",
"connections", "lines": lines per post (1: singles), "rate": posts a second (0: as fast as they go)}`;
prints `{"posts", "bad", "seconds", "accept_ms": [each]}`.
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


async def post_all(order: dict[str, Any], bodies: list[bytes]) -> dict[str, Any]:
    """Post every body; singles over `connections` kept-alive connections, a batch whole."""
    batch = order["lines"] > 1
    headers = {
        "Authorization": f"Bearer {order['key']}",
        "Content-Type": "application/x-ndjson" if batch else "application/json",
    }
    url = order["url"] + ("/v1/incidents/batch" if batch else "/v1/incidents")
    good = 200 if batch else 202
    took: list[float] = []
    bad = 0
    waiting = iter(enumerate(bodies))
    connector = aiohttp.TCPConnector(limit=order["connections"], keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as http:
        # Connections are opened before the clock starts: a police system keeps its own.
        await asyncio.gather(*(_opened(http, order["url"]) for _ in range(order["connections"])))
        start = time.perf_counter()

        async def work() -> None:
            nonlocal bad
            for number, body in waiting:
                due = start + number / order["rate"] if order["rate"] else time.perf_counter()
                if due > time.perf_counter():
                    await asyncio.sleep(due - time.perf_counter())
                async with http.post(url, data=body) as response:
                    told = await response.read()
                bad += response.status != good or (batch and told.count(b'"code":202') != order["lines"])
                took.append((time.perf_counter() - due) * 1000)

        async with asyncio.TaskGroup() as workers:
            for _ in range(order["connections"]):
                workers.create_task(work())
        seconds = time.perf_counter() - start
    return {"posts": len(took), "bad": bad, "seconds": seconds, "accept_ms": took}


async def _opened(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/health/live") as response:
        await response.read()


def main() -> None:
    order = orjson.loads(sys.stdin.buffer.read())
    with Path(order["bodies"]).open("rb") as file:
        lines = list(islice(file, order["skip"], order["skip"] + order["count"]))
    size = order["lines"]
    bodies = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]
    if size == 1:
        bodies = [body.strip() for body in bodies]
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(post_all(order, bodies))))


if __name__ == "__main__":
    main()
