"""What was answered of a file, kept beside it while its sending is not finished.

`FILE.sent.jsonl`: which file (by its digest) goes to which address, then a line per answer. It holds
numbers, words and places, and of a refused incident its reference; nothing of what an incident says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from services.intake.sending.report import Named, Outcome
from shared.json_lines import whole_lines

_VERSION: Final = 1


class Journal:
    """The journal of one file and one address.

    `before`: the outcomes that an interrupted sending noted. `changed`: a journal was there, but of another
    content of the file. A line that was cut short by the interruption counts as not written: its incident
    is sent again, which the door answers as a repeat.
    """

    def __init__(self, place: Path, *, digest: str, to: str, again: bool = False) -> None:
        self.place = place
        self.before: list[Outcome] = []
        self.changed = False
        self._head = {"journal": _VERSION, "file": digest, "to": to}
        self._known: dict[Named, int] = {}
        self._file: BinaryIO | None = None
        kept = 0 if again else self._recall()
        if kept:
            with place.open("rb+") as file:
                file.truncate(kept)
        elif place.exists():
            place.unlink()

    @classmethod
    def beside(cls, path: Path, *, digest: str, to: str, again: bool = False) -> Journal:
        """The journal of the file at `path`. Raises OSError where it cannot be read or cleared."""
        return cls(path.with_name(f"{path.name}.sent.jsonl"), digest=digest, to=to, again=again)

    def open(self) -> None:
        """Begin to write. Raises OSError where no file can be kept there."""
        new = not self.place.exists()
        self._file = self.place.open("ab")
        if new:
            self._write(self._file, self._head)

    def note(self, outcome: Outcome) -> None:
        """Write an answer down. What the door has not judged is not written: it is sent again. Raises
        OSError."""
        if not outcome.answered or self._file is None:
            return
        numbers = []
        for named in outcome.named:
            if named not in self._known:
                self._known[named] = len(self._known)
                self._write(self._file, {"named": [named.kind, named.at, named.because]})
            numbers.append(self._known[named])
        line: dict[str, Any] = {"n": outcome.number, "word": outcome.word}
        if numbers:
            line["named"] = numbers
        if outcome.problem is not None:
            line |= {"reference": outcome.reference, "problem": outcome.problem}
        self._write(self._file, line)
        self._file.flush()

    def close(self, *, finished: bool) -> None:
        """Let go of the file; a finished sending leaves no journal."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if finished:
            self.place.unlink(missing_ok=True)

    @staticmethod
    def _write(file: BinaryIO, line: dict[str, Any]) -> None:
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _recall(self) -> int:
        """Read what is there; how many bytes of it hold."""
        if not self.place.exists():
            return 0
        kept = 0
        names: list[Named] = []
        for number, (line, length) in enumerate(whole_lines(self.place)):
            if number == 0:
                if line != self._head:
                    self.changed = line.get("to") == self._head["to"]
                    return 0
            elif "n" in line:
                named = tuple(names[i] for i in line.get("named", ()))
                self.before.append(
                    Outcome(line["n"], line["word"], line.get("reference"), line.get("problem"), named)
                )
            else:
                names.append(Named(*line["named"]))
                self._known[names[-1]] = len(names) - 1
            kept += length
        return kept
