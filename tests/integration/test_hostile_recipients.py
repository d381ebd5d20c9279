"""Recipients that misbehave: each gets a defined answer, and none delays another."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.delivery.dispatch import Dispatcher
from services.delivery.domain.recipients import Channel
from services.delivery.domain.sending import Attempt
from services.delivery.outbound import Webhooks
from services.delivery.store import Leased
from shared.privacy import Secret
from tests.integration.test_delivery import SECRET
from tests.integration.waiting import until

ATTEMPT_S = 1.5
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
    return head + await reader.readexactly(length)


def answering(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(answer)
            await writer.drain()

    return talk


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drips_its_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    for byte in b"HTTP/1.1 204 No Content\r\n" + b"X-Slow: " + b"y" * 10_000:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def drips_its_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    for _ in range(10_000):
        writer.write(b"z")
        await asyncio.sleep(0.05)


async def sends_a_gigabyte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % 2**30)
    for _ in range(1024):
        writer.write(bytes(2**20))
        await writer.drain()


async def never_ends_its_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(b"X-%d: %s\r\n" % (number, b"y" * 1000))
        await writer.drain()


@asynccontextmanager
async def a_server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def a_delivery(recipient: str = "one", number: int = 0) -> Leased:
    now = datetime.now(UTC)
    return Leased(
        id=f"d-{recipient}-{number}",
        case=f"northshire/{recipient}-{number}",
        recipient=recipient,
        due=now + timedelta(minutes=15),
        bulk=False,
        channel=0,
        trace=None,
        lease_until=now + timedelta(seconds=60),
        payload=b'{"delivery": "made up"}',
    )


def a_channel(url: str) -> Channel:
    return Channel("webhook", url, (Secret(SECRET),))


@asynccontextmanager
async def webhooks(**changes: Any) -> AsyncIterator[Webhooks]:
    made = Webhooks(**{"attempt_s": ATTEMPT_S, "at_once": 50, "loopback": True, **changes})
    try:
        yield made
    finally:
        await made.close()


async def attempt_at(talk: Talk) -> Attempt:
    async with a_server(talk) as port, webhooks() as out:
        return await out.send(a_delivery(), a_channel(f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize(
    ("talk", "outcome", "result", "ill"),
    [
        (hangs, "later", "timed out", True),
        (drips_its_head, "later", "timed out", True),
        (drips_its_body, "received", "HTTP 200", False),
        (sends_a_gigabyte, "later", "HTTP 500", True),
        (never_ends_its_head, "later", "not HTTP", True),
        (answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
         "later", "HTTP 302", False),
        (answering(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"), "gone", "HTTP 410", False),
        (answering(b"HTTP/1.1 204 No Content\r\nContent-Length: abc\r\n\r\n"), "later", "not HTTP", True),
        (answering(b"HTTP/9.9 banana\r\n\r\n"), "later", "not HTTP", True),
        (answering(b"220 mail.example ESMTP\r\n"), "later", "not HTTP", True),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz"),
         "later", "not HTTP", True),
    ],
)  # fmt: skip
async def test_each_way_to_misbehave_has_its_answer(talk: Talk, outcome: str, result: str, ill: bool) -> None:
    attempt = await attempt_at(talk)
    assert (attempt.outcome, attempt.result, attempt.ill) == (outcome, result, ill)


async def test_of_a_refusal_a_few_scrubbed_words_are_kept() -> None:
    body = b'{"detail": "signature mismatch for Alfie Baker"}'
    attempt = await attempt_at(answering(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    assert attempt.said == '{"detail": "signature mismatch for ••• •••"}'


async def test_a_recipient_that_asks_for_patience_is_given_it() -> None:
    attempt = await attempt_at(answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"))
    assert (attempt.outcome, attempt.retry_after_s, attempt.rest_s) == ("later", 90, 90)


async def test_nobody_there_is_told_from_a_name_that_leads_nowhere() -> None:
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    async with webhooks() as out:
        attempt = await out.send(a_delivery(), a_channel(f"http://127.0.0.1:{port}/"))
        assert (attempt.outcome, attempt.result) == ("later", "not reachable")
    async with webhooks(resolver=Names({})) as out:
        attempt = await out.send(a_delivery(), a_channel("https://children.northbury.example/"))
        assert (attempt.outcome, attempt.result) == ("later", "name does not resolve")


class Names(AbstractResolver):
    """A name server of the test's own: for each name the answers in turn, the last for ever."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if host not in self.names:
            raise OSError("no such name")
        answers = self.names[host]
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]  # fmt: skip

    async def close(self) -> None:
        return


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "192.168.0.1"])
async def test_a_name_that_leads_to_a_private_address_is_not_followed(address: str) -> None:
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await request_of(reader))

    async with (
        a_server(note) as port,
        webhooks(loopback=False, resolver=Names({"in.example": [address]})) as out,
    ):
        attempt = await out.send(a_delivery(), a_channel(f"http://in.example:{port}/"))
    assert (attempt.outcome, attempt.result) == ("later", "address not allowed")
    assert came == []


async def test_an_address_written_out_is_judged_like_one_that_a_name_led_to() -> None:
    async with a_server(hangs) as port, webhooks(loopback=False) as out:
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"):
            attempt = await out.send(a_delivery(), a_channel(f"http://{host}:{port}/"))
            assert attempt.result == "address not allowed"


async def test_a_name_that_changes_between_check_and_use_gains_nothing() -> None:
    """The name leads to a public address when it is asked for first, and to this machine from then on."""
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await request_of(reader))

    names = Names({"turns.example": ["203.0.114.9", "127.0.0.1"]})
    async with a_server(note) as port, webhooks(loopback=False, resolver=names) as out:
        first = await names.resolve("turns.example")
        assert first[0]["host"] == "203.0.114.9"
        attempt = await out.send(a_delivery(), a_channel(f"http://turns.example:{port}/"))
    assert names.asked == 2
    assert attempt.result == "address not allowed"
    assert came == []


def a_certificate(folder: Path, *, name: str, days: int) -> ssl.SSLContext:
    """A server that shows a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1))

    async with a_server(note, a_certificate(tmp_path, name="127.0.0.1", days=30)) as port, webhooks() as out:
        attempt = await out.send(a_delivery(), a_channel(f"https://127.0.0.1:{port}/"))
    assert (attempt.outcome, attempt.result) == ("later", "bad certificate")
    assert b"".join(came) == b""


async def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with a_server(plain) as port, webhooks() as out:
        attempt = await out.send(a_delivery(), a_channel(f"https://127.0.0.1:{port}/"))
    assert (attempt.outcome, attempt.result) == ("later", "no TLS")


async def test_none_of_them_delays_a_healthy_recipient() -> None:
    """Every kind at once, each with more than its lane takes; the healthy one has all of its own while the
    others are still being waited for."""
    sick = {
        "hangs": hangs,
        "drips": drips_its_head,
        "floods": sends_a_gigabyte,
        "talks-nonsense": answering(b"220 mail.example ESMTP\r\n"),
    }
    done: list[Attempt] = []
    async with contextlib.AsyncExitStack() as stack:
        out = await stack.enter_async_context(webhooks(attempt_s=20))
        channels = {
            name: a_channel(f"http://127.0.0.1:{await stack.enter_async_context(a_server(talk))}/")
            for name, talk in {
                **sick,
                "healthy": answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
            }.items()
        }

        async def send(leased: Leased) -> Attempt:
            return await out.send(leased, channels[leased.recipient])

        dispatcher = Dispatcher(send, per_recipient=4, at_once=20, attempt_s=20)
        dispatcher.report_to(done.append, lambda _: None)
        stack.push_async_callback(dispatcher.close, 0)
        for number in range(30):
            dispatcher.put(a_delivery(name, number) for name in channels)

        def all_of_the_healthy() -> bool:
            return sum(one.outcome == "received" for one in done) == 30

        await until(all_of_the_healthy, "thirty at the healthy recipient")
        assert not [one for one in done if one.case.startswith("northshire/hangs")]
        assert dispatcher.resting("talks-nonsense")
