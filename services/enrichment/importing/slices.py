"""Entries put together into slices: the same file always makes the same slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from services.enrichment.importing.files import LeftOut, Line

_ENTRIES: Final = 1000
_BYTES: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Slice:
    """Entries of one list (`of`) that go in one call. `left_out`: what was met among them and cannot be sent;
    `read_to`: how far the reading is (bytes). `number` from 1."""

    number: int
    of: str
    lines: list[Line] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    read_to: int = 0

    @property
    def kept(self) -> list[str]:
        """Who is to stay as known before: their entries are left out here."""
        return sorted({one.about for one in self.left_out if one.about is not None})

    @property
    def unread(self) -> int:
        """Of how many entries left out it cannot even be told whom they are about."""
        return sum(one.about is None for one in self.left_out)


def slices_of(entries: Iterable[Line | LeftOut]) -> Iterator[Slice]:
    """At least one slice, holding at most a thousand entries and about four megabytes."""
    slice_ = Slice(1, "people")
    size = 0
    for one in entries:
        full = len(slice_.lines) + len(slice_.left_out) >= _ENTRIES or size >= _BYTES
        other = isinstance(one, Line) and one.list != slice_.of
        if full or (other and slice_.lines):
            yield slice_
            slice_ = Slice(slice_.number + 1, slice_.of)
            size = 0
        if isinstance(one, LeftOut):
            slice_.left_out.append(one)
            continue
        body = orjson.dumps(one.entry)
        size += len(body)
        slice_.of = one.list
        slice_.lines.append(one)
        slice_.bodies.append(body)
        slice_.read_to = one.read_to
    yield slice_
