"""The lines of a file as bytes: bounded, numbered, and each judged by itself."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

LONGEST: Final = 1024 * 1024
"""Bytes of a line, or of a row over several lines; a longer one is left out."""

_BOM: Final = b"\xef\xbb\xbf"
_QUOTED_AT_MOST: Final = 50
"""Lines that a quoted cell may run over: a quote that never closes must not swallow the rest of the file."""

TOO_LONG: Final = "longer than 1 MiB"
NOT_UTF8: Final = "not UTF-8: saved in another encoding, such as Windows-1252"
HAS_NUL: Final = "holds a NUL character"
OPEN_QUOTE: Final = "a quote opens and does not close"


@dataclass(frozen=True, slots=True)
class Raw:
    """A line, or a row with the lines that its quoted cells run over. `number`: from 1; `read_to`: how far
    the file was read (bytes); `fault`: why it cannot be used, where it cannot."""

    number: int
    said: bytes
    read_to: int
    fault: str | None = None

    def text(self) -> str:
        """What it says. One that is not UTF-8 is read as Windows-1252, to find whom it is about."""
        return self.said.decode("cp1252" if self.fault == NOT_UTF8 else "utf-8", errors="replace")


def lines_of(file: BinaryIO) -> Iterator[Raw]:
    """Every line that is not blank."""
    read_to = number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        read_to += len(line)
        whole = True
        while len(line) > LONGEST and not line.endswith(b"\n"):
            whole = False
            rest = file.readline(LONGEST)
            read_to += len(rest)
            if not rest or rest.endswith(b"\n"):
                break
        said = line.removeprefix(_BOM) if number == 1 else line
        said = said.rstrip(b"\r\n")
        if not whole:
            yield Raw(number, b"", read_to, TOO_LONG)
        elif said.strip():
            yield Raw(number, said, read_to, _fault(said))


def _fault(said: bytes) -> str | None:
    if b"\0" in said:
        return HAS_NUL
    try:
        said.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return None


def rows_of(file: BinaryIO) -> Iterator[Raw]:
    """Every row of a CSV file, numbered by the line that it begins on."""
    lines = lines_of(file)
    waiting: deque[Raw] = deque()
    while True:
        if not waiting:
            if (first := next(lines, None)) is None:
                return
            waiting.append(first)
        row, used = _first_row(waiting, lines)
        for _ in range(used):
            waiting.popleft()
        yield row


def _first_row(waiting: deque[Raw], lines: Iterator[Raw]) -> tuple[Raw, int]:
    """The row that begins with the first waiting line, and how many lines it has."""
    first = waiting[0]
    if first.fault not in (None, NOT_UTF8):
        return first, 1
    quotes = used = size = 0
    fault = None
    while True:
        if used == len(waiting):
            if (line := next(lines, None)) is None:
                break
            waiting.append(line)
        line = waiting[used]
        used += 1
        size += len(line.said)
        quotes += line.said.count(b'"')
        fault = fault or line.fault
        if quotes % 2 == 0:
            said = b"\n".join(waiting[i].said for i in range(used))
            return Raw(first.number, said, line.read_to, fault), used
        if used == _QUOTED_AT_MOST or size > LONGEST:
            break
    return Raw(first.number, first.said, first.read_to, OPEN_QUOTE), 1


def cells_of(raw: Raw) -> list[str]:
    """The cells of a row."""
    return next(csv.reader([raw.text()]), [])
