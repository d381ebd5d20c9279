"""A receiver that only notes when each case's first webhook came, and costs as little as it can.

Runs as a process of its own: `python -m waymark.bench.sink PORT`. `GET /seen` gives, and forgets,
`{case: seconds since 1970}` and the number of webhooks.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import httptools
import orjson
import uvloop

_OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Seen:
    """What has come since it was last asked for."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.webhooks = 0

    def note(self, body: bytes) -> None:
        """Take the case out of a notification without reading the rest of it."""
        start = body.find(b'"case":"') + 8
        case = body[start : body.find(b'"', start)].decode()
        self.webhooks += 1
        self.first.setdefault(case, time.time())

    def take(self) -> bytes:
        """Everything so far, as JSON; a case already noted stays noted."""
        return orjson.dumps({"first": self.first, "webhooks": self.webhooks})


class Connection(asyncio.Protocol):
    """One kept-alive connection, parsed by httptools."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._url = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._url == b"/seen":
            answer = self._seen.take()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        else:
            self._seen.note(b"".join(self._body))
            self._transport.write(_OK)
        self._body.clear()


async def serve(port: int) -> None:
    """Listen until killed."""
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seen), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
