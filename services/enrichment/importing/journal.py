"""What was answered of an import, kept beside its file until it is finished.

`NAME.imported.jsonl`: what is imported where, then a line per slice. It holds numbers, reasons and places;
nothing of what an entry says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from services.enrichment.importing.report import Remark, remark_from
from shared.json_lines import whole_lines

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One import: which content (`digest`) of which source goes to which address, as of when, and by what
    name the service knows it."""

    digest: str
    to: str
    source: str
    whole: bool
    as_of: str
    id: str

    def same(self, other: Task, *, as_of_given: bool) -> bool:
        """Whether to go on with `other` is to do this one. Without a moment of its own it takes the other's."""
        mine, its = asdict(self), asdict(other)
        left_aside = {"id"} if as_of_given else {"id", "as_of"}
        return all(mine[name] == its[name] for name in mine.keys() - left_aside)


@dataclass(frozen=True, slots=True)
class Answered:
    """A slice that the service has taken: what it counted, and what it remarked."""

    slice: int
    counts: Mapping[str, int]
    remarks: Sequence[Remark]


class Journal:
    """The journal of one import. `task`: the one to do, which is the interrupted one where it is the same;
    `before`: the slices already taken; `changed`: a journal was there, but of something else."""

    def __init__(self, place: Path, task: Task, *, as_of_given: bool = False, again: bool = False) -> None:
        self.place = place
        self.task = task
        self.before: dict[int, Answered] = {}
        self.changed = False
        self._file: BinaryIO | None = None
        kept = 0 if again else self._recall(as_of_given)
        if kept:
            with place.open("rb+") as file:
                file.truncate(kept)
        elif place.exists():
            place.unlink()

    @classmethod
    def beside(cls, path: Path, task: Task, *, as_of_given: bool = False, again: bool = False) -> Journal:
        """The journal of the file or folder at `path`. Raises OSError where it cannot be read or cleared."""
        place = path.resolve().with_name(f"{path.resolve().name}.imported.jsonl")
        return cls(place, task, as_of_given=as_of_given, again=again)

    def open(self) -> None:
        """Begin to write. Raises OSError where no file can be kept there."""
        new = not self.place.exists()
        self._file = self.place.open("ab")
        if new:
            self._write({"journal": _VERSION, **asdict(self.task)})

    def note(self, answered: Answered) -> None:
        """Write an answer down. Raises OSError."""
        self._write(
            {
                "slice": answered.slice,
                "counts": answered.counts,
                "remarks": [one.as_data() for one in answered.remarks],
            }
        )

    def close(self, *, finished: bool) -> None:
        """Let go of the file; a finished import leaves no journal."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if finished:
            self.place.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._file.flush()

    def _recall(self, as_of_given: bool) -> int:
        """Read what is there; how many bytes of it hold. A line cut short counts as not written."""
        if not self.place.exists():
            return 0
        kept = 0
        for number, (line, length) in enumerate(whole_lines(self.place)):
            if number == 0:
                if line.pop("journal", None) != _VERSION:
                    return 0
                found = Task(**line)
                if not self.task.same(found, as_of_given=as_of_given):
                    self.changed = True
                    return 0
                self.task = found
            else:
                remarks = [remark_from(one) for one in line["remarks"]]
                self.before[line["slice"]] = Answered(line["slice"], line["counts"], remarks)
            kept += length
        return kept
