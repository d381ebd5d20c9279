"""How every service is served: uvicorn, with an end to the patience that it has without bound."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal

import orjson
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may cost before the others would feel it.

    `head_within_s`: from a connection, or the first byte of a further request, to the end of the head.
    `rest_within_s`: for a body that was answered before its end, and for an answer nobody fetches.
    `head_bytes`: request line and headers together, and a body's trailers.
    `ahead`: requests sent before the one in work is answered.
    `connections`: open at one time. Whoever comes beyond is told 503; those who are in stay served, which
    uvicorn's own `limit_concurrency` does not promise. Below the 1,024 files a process may usually open.

    No limit counts by address: behind a proxy all callers have the same one.
    """

    head_within_s: float = 20.0
    rest_within_s: float = 20.0
    head_bytes: int = 64 * 1024
    ahead: int = 16
    connections: int = 800

    @property
    def look_every_s(self) -> float:
        """How often a connection is looked at: a limit is kept to within this."""
        return min(self.head_within_s, self.rest_within_s) / 4


def server_config(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    stop_within_s: int = 10,
) -> uvicorn.Config:
    """How `app` is served, by `waymark run` and in tests alike: `uvicorn.Server(server_config(app)).run()`.

    Errors only are logged: a warning for every line of junk would let a stranger fill the logs.
    """
    protocol: Any = partial(BoundedHttp, limits=limits or Limits())
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        proxy_headers=False,  # nothing here goes by the caller's address
        access_log=False,
        log_level="error",
        timeout_keep_alive=65,
        timeout_graceful_shutdown=stop_within_s,
        server_header=False,
    )


def _answer(status: HTTPStatus, detail: str, *headers: str) -> bytes:
    body = orjson.dumps(
        {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    )
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


_NOT_HTTP: Final = _answer(HTTPStatus.BAD_REQUEST, "This could not be read as HTTP.")
_TOO_LARGE: Final = _answer(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request line and headers are too large."
)
_TOO_FAR_AHEAD: Final = _answer(HTTPStatus.BAD_REQUEST, "Too many requests were sent ahead of their answers.")
_TOO_MANY: Final = _answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open. Nothing was stored.", "retry-after: 5"
)


class _TurnedAway(Exception):
    """Leaves the parser: the connection has been dealt with."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 that waits for nobody for ever.

    uvicorn has no limit of time or size for a request's head, none for what is left of a body after an
    early answer, none for requests sent ahead and none for answers that are never fetched: each lets one
    caller hold a connection, or memory, for as long as it likes. Bodies that are still wanted are the
    reader's to limit (`shared.web.read_body`, intake's batch).

    One look every few seconds per connection, so that a request costs nothing for it.
    """

    def __init__(self, *args: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*args, **named)
        self.limits = limits
        self._reading: Literal["head", "body", "nothing"] = "head"
        self._unframed = 0  # bytes since the last piece of a message was complete
        self._steps = 0  # moves whenever the caller has done something it owed
        self._owed: tuple[tuple[int, int], float] | None = None
        self._look_again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()
        if len(self.connections) > self.limits.connections:
            self._turn_away(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Let the connection go if what it owed at the last look is owed still, and for too long."""
        now, limits = self.loop.time(), self.limits
        within = limits.head_within_s if self._reading == "head" else limits.rest_within_s
        owed = (self._steps, self.transport.get_write_buffer_size())
        if not self._owes():
            self._owed = None
        elif self._owed is None or self._owed[0] != owed:
            self._owed = (owed, now)
        elif now - self._owed[1] >= within:
            self.transport.abort()  # closing would wait for the caller to fetch what is written
            return
        self._look_again = self.loop.call_later(limits.look_every_s, self._look)

    def _owes(self) -> bool:
        """Whether the next step is the caller's: the rest of a head or of an answered body, or fetching."""
        if self.transport.is_closing():
            return True
        if self._reading == "nothing":
            return self.transport.get_write_buffer_size() > 0
        if self.flow.read_paused:
            return False
        return self._reading == "head" or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        self._unframed += len(data)
        if self._reading == "nothing":
            self._reading = "head"
            self._steps += 1
        super().data_received(data)
        if self._unframed > self.limits.head_bytes:
            self._turn_away(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._reading = "head"
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # Only where so much came at once: the sum costs more than the look.
        if self._unframed > self.limits.head_bytes and self._head_bytes() > self.limits.head_bytes:
            self._turn_away(_TOO_LARGE)
            raise _TurnedAway
        if len(self.pipeline) >= self.limits.ahead:
            self._turn_away(_TOO_FAR_AHEAD)
            raise _TurnedAway
        self._reading, self._unframed = "body", 0
        self._steps += 1
        super().on_headers_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading, self._unframed = "nothing", 0
        self._steps += 1
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._turn_away(_NOT_HTTP)

    def _turn_away(self, answer: bytes) -> None:
        """Answer what cannot be read on, and close. Whole requests before it are answered first."""
        if self.transport.is_closing():
            return
        waiting = self.cycle is not None and not self.cycle.response_complete
        if waiting and self._reading != "body":
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not waiting or not (self.cycle.response_started or self.pipeline):
            self.transport.write(answer)
        self.transport.close()
