"""What a bare httpx loop sends: the baseline of `waymark bench delivery`.

Runs as a process of its own, `python -m waymark.bench.bare_webhooks URL BYTES SECONDS AT_ONCE`: posts a body of
so many bytes again and again, keeps nothing and signs nothing, and prints `{"per_s"}`.
"""

from __future__ import annotations

import asyncio
import sys
import time

import httpx
import orjson
import uvloop


async def measure(url: str, size: int, seconds: float, at_once: int) -> float:
    """Posts a second, over `at_once` kept-alive connections."""
    body = orjson.dumps({"padding": "x" * max(0, size - 14)})
    headers = {"Content-Type": "application/json"}
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    done = 0
    async with httpx.AsyncClient(limits=limits, timeout=10) as client:

        async def post() -> None:
            nonlocal done
            while time.perf_counter() < ends:
                answer = await client.post(url, content=body, headers=headers)
                answer.raise_for_status()
                done += 1

        ends = time.perf_counter() + seconds
        started = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(at_once)))
        return done / (time.perf_counter() - started)


if __name__ == "__main__":
    found = uvloop.run(measure(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
    sys.stdout.buffer.write(orjson.dumps({"per_s": round(found, 1)}))
