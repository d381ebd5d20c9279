"""What became of what was sent: counted, grouped by reason, and each refusal by its line."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from shared.spreadsheets import cell

REASONS_KEPT: Final = 1000
"""Refusals that a report holds one by one; a report file has them all."""

LINES_NAMED: Final = 10
WORDS: Final = ("accepted", "amended", "withdrawn", "repeated", "refused", "unsent")
COLUMNS: Final = ("number", "reference", "status", "title", "detail", "at")
_INDEX: Final = re.compile(r"/\d+(?=/|$)")
_TOLD: Final = ("status", "title", "detail", "at", "differs")


@dataclass(frozen=True, slots=True)
class Named:
    """A fault or a gap that the door named. `at`: its place, `*` for the number of a list's entry."""

    kind: str
    at: str
    because: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item. `problem`: why, where it was refused. `answered`: the door has judged its
    content, so that sending the same again would bring the same."""

    number: int
    word: str
    reference: str | None = None
    problem: Mapping[str, Any] | None = None
    named: tuple[Named, ...] = ()
    answered: bool = True


def taken(number: int, reference: str | None, answer: Mapping[str, Any]) -> Outcome:
    """The outcome that a 202 tells."""
    named = tuple(
        Named(kind, _INDEX.sub("/*", one["at"]), one["because"])
        for kind in ("fault", "gap")
        for one in answer[f"{kind}s"]
    )
    return Outcome(number, answer["status"], reference, None, named)


def refused(number: int, reference: str | None, problem: Mapping[str, Any], *, answered: bool) -> Outcome:
    """The outcome that a refusal tells: of the problem, its shape and what to do."""
    told = {name: problem[name] for name in _TOLD if name in problem}
    return Outcome(number, "refused", reference, {"title": "Refused", **told}, (), answered)


@dataclass(slots=True)
class Report:
    """What became of what was sent. `refusals`: which, and why, as the door said it.

    `unsent` among the statuses: neither taken nor refused; `stopped`: why the rest was not sent, in a
    sentence. `earlier`: how many of them an earlier, interrupted sending had an answer for.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    named: Counter[Named] = field(default_factory=Counter)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    earlier: int = 0
    stopped: str | None = None
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        """Refused, or not sent at all."""
        return self.statuses["refused"] + self.statuses["unsent"]

    def count(self, kind: str) -> int:
        """How many faults (`fault`) or gaps (`gap`) the door named."""
        return sum(count for one, count in self.named.items() if one.kind == kind)

    def note(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.statuses[outcome.word] += 1
        self.named.update(outcome.named)
        if outcome.problem is not None:
            self._refuse(outcome, outcome.problem)

    def _refuse(self, outcome: Outcome, problem: Mapping[str, Any]) -> None:
        place = problem.get("at") or ""
        group = (outcome.word, str(problem["title"]), str(place))
        self.counts[group] += 1
        lines = self.groups.setdefault(group, [])
        if len(lines) < LINES_NAMED:
            lines.append(outcome.number)
        if len(self.refusals) < REASONS_KEPT:
            reference = {} if outcome.reference is None else {"reference": outcome.reference}
            self.refusals.append({"number": outcome.number, **reference, **problem})

    def as_json(self) -> dict[str, Any]:
        """The document of `waymark send --json`."""
        sent = self.statuses.total()
        posted = sent - self.earlier - self.statuses["unsent"]
        return {
            "sent": sent,
            **{word: self.statuses[word] for word in WORDS},
            "earlier": self.earlier,
            "faults": self.count("fault"),
            "gaps": self.count("gap"),
            "seconds": round(self.seconds, 3),
            "per_s": round(posted / self.seconds, 1) if self.seconds else None,
            "stopped": self.stopped,
            "refused_by_reason": [
                {"title": title, "at": at, "count": count, "numbers": sorted(self.groups[word, title, at])}
                for (word, title, at), count in self.counts.most_common()
            ],
            "faults_by_place": self.by_place("fault"),
            "gaps_by_place": self.by_place("gap"),
            "refusals": sorted(self.refusals, key=lambda one: int(one["number"])),
        }

    def by_place(self, kind: str) -> list[dict[str, Any]]:
        """Faults or gaps by place and reason, the most frequent first."""
        return [
            {"at": one.at, "because": one.because, "count": count}
            for one, count in self.named.most_common()
            if one.kind == kind
        ]

    def lines(self) -> list[str]:
        """The report as a person reads it at the terminal."""
        counts = ", ".join(f"{self.statuses[word]} {word}" for word in WORDS if self.statuses[word])
        sent = self.statuses.total() - self.statuses["unsent"]
        told = [f"{sent} sent in {self.seconds:.1f} s: {counts or 'nothing'}."]
        if self.earlier:
            told.append(f"{self.earlier} of them were answered before the interruption.")
        for (word, title, at), count in self.counts.most_common():
            numbers = sorted(self.groups[word, title, at])
            more = ", …" if count > len(numbers) else ""
            where = f" ({at})" if at else ""
            which = "line" if count == 1 else "lines"
            told.append(f"  {count} {word}: {title}{where}: {which} {', '.join(map(str, numbers))}{more}")
        for kind in ("fault", "gap"):
            if self.count(kind):
                told.append(f"{kind.capitalize()}s named by the door: {self.count(kind)}.")
            told += [
                f"  {one['count']} × {one['at']}: {one['because']}" for one in self.by_place(kind)[:LINES_NAMED]
            ]
            if (left := len(self.by_place(kind)) - LINES_NAMED) > 0:
                told.append(f"  and {left} other places: --json lists them.")
        if self.stopped:
            told.append(self.stopped)
        return told


class RefusalFile:
    """The refusals, written one by one as they come: JSON lines, or CSV where the name ends so.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front.
    """

    def __init__(self, path: Path) -> None:
        self._as_csv = path.suffix.lower() == ".csv"
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        if self._as_csv:
            self._rows.writerow(COLUMNS)

    def note(self, outcome: Outcome) -> None:
        """Write an outcome down where it is a refusal."""
        if outcome.problem is None:
            return
        refusal: dict[str, Any] = {
            "number": outcome.number,
            "reference": outcome.reference,
            **outcome.problem,
        }
        if not self._as_csv:
            self._file.write(orjson.dumps(refusal).decode() + "\n")
            return
        refusal["at"] = refusal.get("at") or " ".join(refusal.get("differs", ()))
        self._rows.writerow([cell(refusal.get(name)) for name in COLUMNS])

    def close(self) -> None:
        """Everything is written."""
        self._file.close()
