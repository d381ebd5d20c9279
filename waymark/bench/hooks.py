"""The receivers of `waymark bench delivery`: notes when each webhook first came, and costs as little as it can.

Runs as a process of its own: `python -m waymark.bench.hooks PORT`. Recipients live at `/r/NAME`. How they
behave is set by `POST /mode` with `{NAME: "slow" | "hang" | "drop"}`: an answer after three seconds, none, or
the connection closed; all others answer at once. `GET /seen` gives, and forgets, `{webhook-id: seconds since
1970}` and the number of webhooks.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

import httptools
import orjson
import uvloop

SLOW_S: Final = 3.0
_OK: Final = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Seen:
    """What has come since it was last asked for, and how recipients behave."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.webhooks = 0
        self.modes: dict[str, str] = {}

    def take(self) -> bytes:
        """Everything so far, as JSON, and forget it."""
        document = orjson.dumps({"first": self.first, "webhooks": self.webhooks})
        self.first, self.webhooks = {}, 0
        return document


class Connection(asyncio.Protocol):
    """One kept-alive connection, parsed by httptools."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._url = b""
        self._id = ""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._id = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._url == b"/seen":
            self._answer(self._seen.take())
        elif self._url == b"/mode":
            self._seen.modes = orjson.loads(b"".join(self._body))
            self._answer(b"{}")
        else:
            self._seen.webhooks += 1
            self._seen.first.setdefault(self._id, time.time())
            self._behave(self._seen.modes.get(self._url.rpartition(b"/")[2].decode(), "well"))
        self._body.clear()

    def _behave(self, mode: str) -> None:
        if mode == "well":
            self._transport.write(_OK)
        elif mode == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, _OK)
        elif mode == "drop":
            self._transport.close()

    def _answer(self, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def serve(port: int) -> None:
    """Listen until killed."""
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seen), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
