"""The two ways out that are ours to go: a signed webhook, and the recipient's own topic.

Nothing here raises for what a recipient does: it becomes an `Attempt`. Of an answer its status is kept, and
of a refusal a few words, scrubbed: a body could quote what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from opentelemetry.trace import Span, SpanKind, StatusCode
from standardwebhooks import Webhook
from yarl import URL

from services.delivery.book import Book
from services.delivery.domain.addresses import may_be_reached
from services.delivery.domain.recipients import Channel
from services.delivery.domain.scrubbing import scrubbed
from services.delivery.domain.sending import (
    Attempt,
    Outcome,
    is_ill,
    outcome_of,
    read_retry_after,
    rest_asked,
)
from services.delivery.store import Leased
from shared import ledger, telemetry
from shared.contracts.topics import DAY_MS, routed_topic
from shared.errors import Rejected, Retryable
from shared.kafka import Message, Producer, make_topic

_READ_AT_MOST: Final = 65_536
_READ_WITHIN_S: Final = 1.0
"""What is answered matters little: its status is known before its body comes."""
_CONNECT_WITHIN_S: Final = 5.0
_SILENT_FOR_S: Final = 8.0
_TOPIC_KEPT_MS: Final = 14 * DAY_MS


class _Address:
    """What of a webhook stays the same from one request to the next."""

    def __init__(self, channel: Channel) -> None:
        assert channel.url is not None  # noqa: S101 (the directory refuses a webhook without one)
        parts = urlsplit(channel.url)
        self.written = channel.url
        self.url = URL(channel.url)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.signers = [Webhook(secret.reveal()) for secret in channel.secrets]


_FAILURES: Final = (aiohttp.ClientError, OSError, ValueError, TimeoutError)


class NotAllowed(OSError):
    """The address is not one that webhooks may go to."""


class Webhooks:
    """Posts signed notifications (Standard Webhooks), over connections that are kept open.

    An address is judged when a connection is made to it, by what its name led to at that very moment: a
    name that changes between a check and its use gains nothing. `loopback`: development, where this machine
    may be reached. `resolver`: how names are looked up; by default without threads, so that names that
    nobody answers for hold up no others.
    """

    def __init__(
        self,
        *,
        attempt_s: float,
        at_once: int,
        loopback: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=attempt_s,
            sock_connect=min(_CONNECT_WITHIN_S, attempt_s),
            sock_read=min(_SILENT_FOR_S, attempt_s),
        )
        self._at_once = at_once
        self._loopback = loopback
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._addresses: dict[Channel, _Address] = {}

    async def send(self, leased: Leased, channel: Channel) -> Attempt:
        """One attempt."""
        address = self._addresses.get(channel)
        if address is None:
            address = self._addresses[channel] = _Address(channel)
        started = ledger.now()
        span = telemetry.start_span(
            "POST",
            SpanKind.CLIENT,
            parent=leased.trace,
            attributes={
                "http.request.method": "POST",
                "server.address": address.host,
                "server.port": address.port,
                "waymark.case": leased.case,
                "waymark.delivery": leased.id,
                "waymark.recipient": leased.recipient,
            },
            start=started,
        )
        attempt = await self._post(leased, address, started, span)
        if attempt.outcome != "received":
            span.set_status(StatusCode.ERROR, attempt.result)
        span.end()
        return attempt

    async def _post(self, leased: Leased, address: _Address, started: datetime, span: Span) -> Attempt:
        said: str | None = None
        retry_after: float | None = None
        status = 0
        try:
            headers = signed(leased.id, leased.payload, address.signers, started)
            headers["traceparent"] = telemetry.traceparent(span)
            async with self._client().post(
                address.url, data=leased.payload, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                span.set_attribute("http.response.status_code", status)
                retry_after = read_retry_after(response.headers.get("Retry-After"), started)
                # A short answer is read so that the connection can be used again; a long one is cut off.
                if not response.content.at_eof():
                    body = await _beginning(response)
                    said = scrubbed(body) if body and not 200 <= status < 300 else None
            result, ill = f"HTTP {status}", is_ill(status)
        except _FAILURES as error:
            result, ill = (f"HTTP {status}", is_ill(status)) if status else (failure_of(error), True)
        return Attempt(
            leased.id,
            leased.case,
            outcome_of(status) if status else "later",
            result,
            started,
            ledger.now(),
            retry_after,
            said,
            ill,
            rest_asked(status, retry_after),
            address.written if status == 410 else None,
        )

    async def ask(self, number: str, payload: bytes, channel: Channel) -> tuple[str, bytes]:
        """Post something that is no delivery (a challenge, a ping); the result as an `Attempt` has it, and
        the beginning of the answer's body."""
        address = _Address(channel)
        try:
            headers = signed(number, payload, address.signers, ledger.now())
            async with self._client().post(
                address.url, data=payload, headers=headers, allow_redirects=False
            ) as response:
                return f"HTTP {response.status}", await _beginning(response)
        except _FAILURES as error:
            return failure_of(error), b""

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._at_once,
                    limit_per_host=0,
                    keepalive_timeout=30,
                    ttl_dns_cache=60,
                    resolver=self._resolver or aiohttp.AsyncResolver(),
                    socket_factory=self._socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                headers={"Content-Type": "application/json", "User-Agent": "waymark"},
                skip_auto_headers=["Accept", "Accept-Encoding"],
            )
        return self._session

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Called with the very address that is connected to next."""
        family, kind, protocol, _, where = address
        if not may_be_reached(str(where[0]), loopback=self._loopback):
            raise NotAllowed("not a public address")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer, as far as they come at once."""
    body = b""
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(_READ_WITHIN_S):
            while len(body) < _READ_AT_MOST:
                piece = await response.content.read(_READ_AT_MOST - len(body))
                if not piece:
                    return body
                body += piece
    response.close()
    return body


def failure_of(error: BaseException) -> str:
    """What went wrong, in one of a few words: an error's own text may hold an address."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, NotAllowed):
        return "address not allowed"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "bad certificate"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name does not resolve"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "timed out connecting"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "not reachable"
    if isinstance(error, aiohttp.ClientResponseError):
        return "not HTTP"
    return "connection lost"


def signed(delivery: str, payload: bytes, signers: list[Webhook], at: datetime) -> dict[str, str]:
    """The three headers of the specification; one signature per secret."""
    text = payload.decode()
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signer.sign(delivery, at, text) for signer in signers),
    }


class RecipientTopics:
    """Publishes to `waymark.routed.<recipient>.v1`, which is made when it is missing."""

    def __init__(self, producer: Producer, bootstrap: str, partitions: int) -> None:
        self._producer = producer
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._made: set[str] = set()

    async def send(self, leased: Leased) -> Attempt:
        """One attempt. On the topic is not received: that takes a receipt."""
        started = ledger.now()
        topic = routed_topic(leased.recipient)
        span = telemetry.start_span(
            f"send {topic}",
            SpanKind.PRODUCER,
            parent=leased.trace,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "send",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.kafka.message.key": leased.case,
                "waymark.case": leased.case,
                "waymark.delivery": leased.id,
            },
            start=started,
        )
        outcome: Outcome = "published"
        result = "published"
        try:
            await self.make(leased.recipient)
            message = Message(topic, leased.case, leased.payload, telemetry.traceparent(span))
            await self._producer.publish([message])
        except Retryable:
            outcome, result = "later", "the broker is away"
        except Rejected:
            outcome, result = "gone", "larger than the broker takes"
        if outcome != "published":
            span.set_status(StatusCode.ERROR, result)
        span.end()
        return Attempt(leased.id, leased.case, outcome, result, started, ledger.now())

    async def make(self, recipient: str) -> None:
        """Make the recipient's topic if it is missing. Raises Retryable where the broker is away."""
        topic = routed_topic(recipient)
        if topic not in self._made:
            await make_topic(self._bootstrap, topic, self._partitions, retention_ms=_TOPIC_KEPT_MS)
            self._made.add(topic)


class Outbound:
    """Sends a delivery by the channel it goes by."""

    def __init__(self, book: Book, webhooks: Webhooks, topics: RecipientTopics) -> None:
        self._book = book
        self._webhooks = webhooks
        self._topics = topics

    async def send(self, leased: Leased) -> Attempt:
        """One attempt by the delivery's channel."""
        recipient = self._book.get(leased.recipient)
        channel = None
        if recipient is not None and leased.channel < len(recipient.channels):
            channel = recipient.channels[leased.channel]
        if channel is not None and channel.why_not is None:
            if channel.kind == "webhook":
                return await self._webhooks.send(leased, channel)
            if channel.kind == "topic":
                return await self._topics.send(leased)
        # The recipient's channels have changed since it was planned, or this one may not be used now.
        now = ledger.now()
        return Attempt(leased.id, leased.case, "not_sent", "no such channel any more", now, now)

    async def close(self) -> None:
        """Close all connections."""
        await self._webhooks.close()
