"""A CSV export of a form, read row by row: a header, then a row per incident.

UTF-8 with or without a byte order mark, commas, quoted cells that may hold line breaks (RFC 4180). Other
separators are not guessed. What does not fit is named on its row; no row is left out in silence.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.intake.forms.cells import is_empty
from services.intake.forms.mapping import Form, FormName, load_form, plain
from shared.contracts.incident import Fault
from shared.errors import Refused

LONGEST_CELL: Final = 16 * 1024 * 1024
"""Characters. What a cell may hold is for the door's limits to say; below them no cell is too long."""

_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row. `fields` has every cell as written under the header's names, for `read_form`: one without a
    column as `cell_N`, and what a column says otherwise the second time with a blank behind its name. It is
    empty where the row could not be taken apart, and `faults` says why."""

    number: int
    """The line of the file that the row begins on, from 1."""
    fields: dict[str, str]
    faults: list[Fault]
    """What is wrong with the row as a row; what is wrong with its cells `read_form` finds."""
    as_written: str
    """The row to the letter, for whoever has to look at it."""


class _Lines:
    """The lines of a file, remembering those of the row that is being read."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self.read = 0
        self.current: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline()
        if not line:
            raise StopIteration
        self.read += 1
        self.current.append(line)
        return line


def rows_of(form: FormName, text: bytes) -> Iterator[CsvRow]:
    """The rows of a CSV export, one at a time. Rows with nothing in any cell are passed over.

    Raises Refused (400) where the bytes are not UTF-8, and (422) where the header lacks a column without
    which no row could be taken, naming those that are missing.
    """
    table = load_form(form)
    _check_utf8(text)
    if csv.field_size_limit() < LONGEST_CELL:
        csv.field_size_limit(LONGEST_CELL)
    lines = _Lines(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8-sig", newline=""))
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
    except csv.Error:
        header = []
    header = [name.strip() for name in header]
    _check_header(table, header)
    return _rows(header, lines, reader)


def _check_utf8(text: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(text)
    try:
        for start in range(0, len(view), _PIECE):
            decoder.decode(view[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Refused(400, "Not UTF-8", "Save the export as CSV in UTF-8.") from None


def _check_header(table: Form, header: list[str]) -> None:
    there = {_column(name) for name in header}
    missing = [name for name, box in table.fields.items() if box.needed and name not in there]
    if not missing:
        return
    detail = f"The first line has to name the columns; missing: {', '.join(missing)}."
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        detail += " Cells are divided by commas, not by semicolons or tabs."
    raise Refused(422, "Columns are missing", detail, missing=missing)


def _rows(header: list[str], lines: _Lines, reader: Iterator[list[str]]) -> Iterator[CsvRow]:
    while True:
        lines.current = []
        number = lines.read + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            because = "the quotation marks do not match: the row could not be taken apart"
            if len(lines.current) > 1:
                because += f"; it reaches to line {lines.read}"
            yield CsvRow(number, {}, [Fault(at="", because=because)], "".join(lines.current))
            continue
        if all(is_empty(cell) for cell in row):
            continue
        fields, faults = _under(header, row)
        yield CsvRow(number, fields, faults, "".join(lines.current))


def _under(header: list[str], row: list[str]) -> tuple[dict[str, str], list[Fault]]:
    fields: dict[str, str] = {}
    faults: list[Fault] = []
    if len(row) < len(header):
        because = f"{len(row)} cells under {len(header)} columns: the last columns are taken as empty"
        faults.append(Fault(at="", because=because))
    for position, cell in enumerate(row, start=1):
        name = header[position - 1] if position <= len(header) else ""
        if is_empty(cell):
            if name:
                fields.setdefault(name, cell)
            continue
        name = name or f"cell_{position}"  # no column of any form: `read_form` says so
        while not is_empty(fields.get(name)) and fields[name] != cell:
            name += " "  # the same column to `read_form`, which sees that the two do not agree
        fields[name] = cell
    return fields, faults


def _column(name: str) -> str:
    return plain(name).replace(" ", "_")
