"""The other end of a webhook: verifies, remembers what it had, and answers.

Used by the sandbox (`waymark receive`), by the demo's receivers and by tests. It needs nothing of the
rest of Waymark: a recipient's own developers may copy it.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from standardwebhooks import Webhook

from shared.errors import WaymarkError

REMEMBERED: Final = 100_000
MAX_BYTES: Final = 4 * 1024 * 1024
LONGEST_TEST: Final = 1024
"""A challenge and a ping are shorter; a notification never is."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class NotGenuine(WaymarkError):
    """The signature is missing, malformed, old or not ours."""


class Verifier:
    """Checks signatures by the Standard Webhooks specification, with one or two secrets (rotation)."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """The webhook's id. Raises NotGenuine.

        The library tells some malformed signatures with ValueError, UnicodeDecodeError or binascii's
        own error rather than its own class: whatever it raises, the message is not to be trusted.
        """
        for webhook in self._webhooks:
            try:
                webhook.verify(body, dict(headers), json_parse=False)
            except Exception:  # noqa: S112 (see above: any failure means the next secret, then 401)
                continue
            return headers["webhook-id"]
        raise NotGenuine("the signature does not fit")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A genuine message. `repeated`: the same `webhook-id` was here before and may be dropped."""

    recipient: str
    id: str
    body: bytes
    repeated: bool
    headers: Mapping[str, str]

    def notification(self) -> dict[str, Any]:
        """The content (contracts/notification.json)."""
        return dict(orjson.loads(self.body))


OnArrival = Callable[[Arrival], Awaitable[int | None] | int | None]
"""What to do with an arrival. May return an HTTP status to answer with instead of 204."""


class Receiver:
    """An ASGI app that takes webhooks for one or several recipients, each at `/<recipient>`.

    Gives a challenge (`waymark.challenge/1`) back, and to a ping (`waymark.ping/1`) says 204. Answers 204
    for what is genuine, new or repeated, 401 for what is not, 404 where nobody of that name
    lives, 413 beyond 4 MiB. `on_arrival` is called for repeats too: `arrival.repeated` says so.
    """

    def __init__(
        self, secrets: Mapping[str, Sequence[str]], on_arrival: OnArrival, *, remembered: int = REMEMBERED
    ) -> None:
        self._verifiers = {recipient: Verifier(of) for recipient, of in secrets.items()}
        self._on_arrival = on_arrival
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._remembered = remembered

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await _answer(send, *await self._take(scope, receive))

    async def _take(self, scope: MutableMapping[str, Any], receive: Receive) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            return 405, b""
        recipient = scope["path"].strip("/")
        verifier = self._verifiers.get(recipient)
        if verifier is None:
            return 404, b""
        body = await _body(receive)
        if body is None:
            return 413, b""
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            number = verifier.verify(headers, body)
        except NotGenuine:
            return 401, b""
        test = _test_of(body)
        if test is not None:
            return (200, test) if test else (204, b"")
        key = (recipient, number)
        arrival = Arrival(recipient, number, body, key in self._seen, headers)
        answer = self._on_arrival(arrival)
        if inspect.isawaitable(answer):
            answer = await answer
        status = 204 if answer is None else answer
        if 200 <= status < 300:
            self._remember(key)
        return status, b""

    def _remember(self, key: tuple[str, str]) -> None:
        self._seen[key] = None
        self._seen.move_to_end(key)
        while len(self._seen) > self._remembered:
            self._seen.popitem(last=False)


async def _body(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BYTES:
            return None
        chunks.append(chunk)
        if not message.get("more_body") or message["type"] == "http.disconnect":
            return b"".join(chunks)


def _test_of(body: bytes) -> bytes | None:
    """What to answer to a message about nobody; None where it is a notification."""
    if len(body) > LONGEST_TEST:
        return None
    document = orjson.loads(body)
    if document.get("schema") == "waymark.challenge/1":
        return orjson.dumps({"challenge": document["challenge"]})
    return b"" if document.get("schema") == "waymark.ping/1" else None


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())] if status != 204 else []
    if body:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
