"""A supplier's messages: from a file, or from an address that gives such a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from services.intake.forms import FormName, rows_of
from services.intake.sending import incidents_in, items_of
from shared.contracts.incident import Fault
from shared.errors import Refused

MOST_BYTES: Final = 64 * 1024 * 1024
"""What an address may give at most."""

WITHIN_S: Final = 60.0


class NoMessages(Exception):
    """There is nothing to check; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it would be posted. `number`: its line, or its place in a list (from 1). `faults`: what
    is wrong with a CSV row by itself."""

    number: int
    body: bytes
    faults: tuple[Fault, ...] = ()


def is_address(source: str) -> bool:
    """Whether `source` is an address rather than a file."""
    return urlsplit(source).scheme in ("http", "https")


def messages_of(source: str, form: FormName | None = None) -> Iterator[Message]:
    """The messages of a file or an address: JSON lines, one JSON object, or a list; of a form also a file of
    CSV (`*.csv`). Raises NoMessages."""
    if is_address(source):
        yield from read_document(asyncio.run(fetch(source)))
        return
    try:
        if source.lower().endswith(".csv"):
            yield from _rows(Path(source).read_bytes(), form)
            return
        for item in items_of(Path(source)):
            yield Message(item.number, item.body)
    except OSError as error:
        raise NoMessages(f"{source} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise NoMessages(str(error)) from None


def _rows(export: bytes, form: FormName | None) -> Iterator[Message]:
    if form is None:
        raise NoMessages("A CSV file is of a police form: say of which with --form.")
    try:
        for row in rows_of(form, export):
            yield Message(row.number, orjson.dumps(row.fields), tuple(row.faults))
    except Refused as refused:
        raise NoMessages(f"{refused.title}. {refused.detail}") from None


def read_document(document: bytes) -> Iterator[Message]:
    """The messages of a document as an address gives it; a line that is no JSON is a message as well, and
    the door would refuse it."""
    try:
        incidents = incidents_in(document)
    except ValueError:
        lines = [line.strip() for line in document.split(b"\n")]
        if not any(line.startswith(b"{") for line in lines):
            raise NoMessages("The address gives neither JSON nor JSON lines.") from None
        yield from (Message(number, line) for number, line in enumerate(lines, 1) if line)
        return
    yield from (Message(number, body) for number, (body, _) in enumerate(incidents, 1))


async def fetch(address: str) -> bytes:
    """What an address gives, up to `MOST_BYTES` within `WITHIN_S`. Raises NoMessages."""
    timeout = aiohttp.ClientTimeout(total=WITHIN_S, sock_connect=10)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(address) as response:
            if response.status != 200:
                raise NoMessages(f"{address} answers {response.status}.")
            pieces: list[bytes] = []
            size = 0
            async for piece in response.content.iter_chunked(256 * 1024):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    raise NoMessages(f"{address} gives more than {MOST_BYTES} bytes: check a file instead.")
            return b"".join(pieces)
    except TimeoutError:
        raise NoMessages(f"{address} took longer than {WITHIN_S:g} s.") from None
    except (aiohttp.ClientError, ValueError):
        raise NoMessages(f"{address} cannot be reached.") from None
