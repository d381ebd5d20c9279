"""The items of a file: incidents as JSON lines, one JSON object or a list of them; rows of a form's CSV."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Item:
    """One incident of a file.

    `number`: its line in JSON lines and CSV (from 1), else its place in the list. `body`: its bytes as they
    are posted. `read_to`: how far the file was read (bytes). `force`, `reference`: as far as they are text.
    """

    number: int
    body: bytes
    read_to: int
    force: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be sent. `header`: the first row of a CSV export, None where the items are JSON."""

    path: Path
    digest: str
    header: bytes | None = None

    def items(self) -> Iterator[Item]:
        """Its items, read one by one. Raises what `items_of` raises."""
        return items_of(self.path) if self.header is None else _rows_of(self.path)


def open_source(path: Path, *, form: bool = False) -> Source:
    """A file with its digest (SHA-256); a CSV export only of a form. Raises ValueError, OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if path.suffix.lower() != ".csv":
        return Source(path, digest)
    if not form:
        raise ValueError(f"{path} is a CSV export: say of which police form with --form.")
    with path.open("rb") as file:
        header = next(_records(file), None)
    if header is None:
        raise ValueError(f"{path} is empty.")
    return Source(path, digest, header[1])


def items_of(path: Path) -> Iterator[Item]:
    """The incidents of a file: JSON lines, one JSON object, or a list of them. JSON lines are read one by
    one. Raises ValueError where it is neither, OSError where it cannot be read."""
    with path.open("rb") as file:
        first = file.readline()
        if isinstance(_read(first), dict):
            file.seek(0)
            read_to = 0
            for number, line in enumerate(file, 1):
                read_to += len(line)
                if line.strip():
                    yield _item(number, line.rstrip(b"\r\n"), read_to, _read(line))
            return
        whole = first + file.read()
    try:
        incidents = incidents_in(whole)
    except ValueError as error:
        raise ValueError(
            f"{path} is neither JSON nor JSON lines (line {getattr(error, 'lineno', 1)})."
        ) from None
    for number, (body, said) in enumerate(incidents, 1):
        yield _item(number, body, len(whole) * number // len(incidents), said)


def incidents_in(document: bytes) -> list[tuple[bytes, Any]]:
    """The entries of a JSON list, or the one document: each as it is written, on one line, and what it says.

    Nothing is written anew: of a name that stands twice one would be lost on the way to the door, which
    names both. Raises ValueError where it is not JSON.
    """
    text = document.decode()
    try:
        at = _skip_space(text, 0)
        if not text.startswith("[", at):
            return [(_on_one_line(text), json.loads(text))]
        found: list[tuple[bytes, Any]] = []
        at = _skip_space(text, at + 1)
        while not (text.startswith("]", at) and not found):
            said, end = _DECODER.raw_decode(text, at)
            found.append((_on_one_line(text[at:end]), said))
            at = _skip_space(text, end)
            if not text.startswith(",", at):
                break
            at = _skip_space(text, at + 1)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text[at:].strip(_SPACE) != "]":
        raise json.JSONDecodeError("no end of the list", text, at)
    return found


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _on_one_line(text: str) -> bytes:
    """In JSON a line end stands between values only: within a text it is an escape."""
    return text.strip(_SPACE).replace("\r", " ").replace("\n", " ").encode()


def _read(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _item(number: int, body: bytes, read_to: int, said: Any) -> Item:
    fields = said if isinstance(said, dict) else {}
    force, reference = (
        value if isinstance(value, str) else None for value in (fields.get("force"), fields.get("reference"))
    )
    return Item(number, body, read_to, force, reference)


def _rows_of(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        records = _records(file)
        _, header, _ = next(records)
        names = _cells(header.removeprefix(_BOM))
        for number, row, read_to in records:
            if row.strip():
                yield _item(number, row, read_to, dict(zip(names, _cells(row), strict=False)))


def _records(file: Iterator[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """The records of a CSV file as they were written: the line each begins on, its bytes, how far the file
    was read. A line end within quotes is part of its record."""
    read_to = 0
    held, began = b"", 1
    for number, line in enumerate(file, 1):
        read_to += len(line)
        began = number if not held else began
        held += line
        if held.count(b'"') % 2 == 0:
            yield began, held.rstrip(b"\r\n"), read_to
            held = b""
    if held:
        yield began, held.rstrip(b"\r\n"), read_to


def _cells(record: bytes) -> list[str]:
    return next(csv.reader([record.decode(errors="replace")]), [])
