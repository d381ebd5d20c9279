"""What became of an import: counted, and each entry left out or read in part by its file and line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from shared.spreadsheets import cell

NAMED_AT_MOST: Final = 1000
"""Entries that a report names one by one; a report file has them all."""

LINES_TOLD: Final = 20
COUNTED: Final = ("people", "relationships", "involvement", "removed")
COLUMNS: Final = ("file", "line", "list", "left_out", "at", "because")


@dataclass(frozen=True, slots=True)
class Remark:
    """An entry that was left out, or of which the field `at` could not be read; never what it said."""

    file: str
    number: int
    list: str
    because: str
    at: str | None = None

    @property
    def left_out(self) -> bool:
        """Whether the whole entry was."""
        return self.at is None

    def as_data(self) -> dict[str, Any]:
        """As it is printed in JSON, and kept in the journal."""
        told = {"file": self.file, "number": self.number, "list": self.list, "because": self.because}
        return told if self.at is None else {**told, "at": self.at}


def remark_from(data: Mapping[str, Any]) -> Remark:
    """A remark from what `as_data` gave."""
    return Remark(data["file"], data["number"], data["list"], data["because"], data.get("at"))


@dataclass(slots=True)
class Report:
    """`problem`: the problem+json that ended it, `stopped`: in a sentence, why it went no further."""

    source: str
    as_of: str
    whole: bool
    counts: Counter[str] = field(default_factory=Counter)
    bad: list[Remark] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)
    left_out: int = 0
    in_part: int = 0
    slices: int = 0
    earlier: int = 0
    problem: Mapping[str, Any] | None = None
    stopped: str | None = None
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether all of it was taken."""
        return not self.left_out and self.stopped is None

    def note(self, remark: Remark) -> None:
        """Count what was left out or read in part."""
        named = self.bad if remark.left_out else self.faults
        self.left_out += remark.left_out
        self.in_part += not remark.left_out
        if len(named) < NAMED_AT_MOST:
            named.append(remark)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        problem = self.problem or {}
        return {
            "status": problem.get("status", 200 if self.stopped is None else None),
            "source": self.source,
            "as_of": self.as_of,
            "whole": self.whole,
            **{name: self.counts[name] for name in COUNTED},
            "left_out": self.left_out,
            "in_part": self.in_part,
            "slices": self.slices,
            "earlier": self.earlier,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "problem": self.problem,
            "bad": [one.as_data() for one in self.bad],
            "faults": [one.as_data() for one in self.faults],
        }

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        counts = ", ".join(f"{self.counts[name]} {name}" for name in COUNTED)
        told = [f"{self.source} as of {self.as_of}: {counts} taken in {self.seconds:.1f} s."]
        if self.earlier:
            told.append(f"{self.earlier} of {self.slices} slices were taken before the interruption.")
        for count, named, word in (
            (self.left_out, self.bad, "left out"),
            (self.in_part, self.faults, "unread"),
        ):
            told += [f"  {word}: {_where(one)}: {_why(one)}" for one in named[:LINES_TOLD]]
            if count > LINES_TOLD:
                told.append(f"  and {count - LINES_TOLD} more: --report FILE.csv has them all.")
        if self.stopped:
            told.append(self.stopped)
        return told


def _where(one: Remark) -> str:
    return f"{one.file}, {one.list}, {one.number}"


def _why(one: Remark) -> str:
    return one.because if one.at is None else f"{one.at} {one.because}"


class ReportFile:
    """Every remark as a row of CSV, as it comes. What a spreadsheet would take for a formula is marked."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def note(self, one: Remark) -> None:
        """Write it down. Raises OSError."""
        cells = (one.file, one.number, one.list, "yes" if one.left_out else "no", one.at or "", one.because)
        self._rows.writerow([cell(one) for one in cells])

    def close(self) -> None:
        """Everything is written."""
        self._file.close()
