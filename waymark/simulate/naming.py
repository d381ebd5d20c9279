"""How well the door names what is wrong and what is missing, measured where the truth is known.

Some errors no reader can see: a misspelt name reads like a name. Others stand in the submission for anyone
to see, and each of those should be named, at its place; and nothing should be named where nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from shared.contracts.reading import Reading, read_incident

What = Literal["fault", "gap"]

_FAULT_KINDS: Final = ("unreadable_date", "unknown_word", "unknown_field", "contradiction")
_GAP_KINDS: Final = ("missing_birth_date", "presence_left_out", "answers_left_out", "weapon_left_out")
_UNSEEN: Final = (
    "typo", "nickname", "surname_changed", "day_and_month_swapped", "both_wrong", "moved", "child_left_out",
)  # fmt: skip
_NARRATIVE: Final = "narrative"
_OTHER: Final = "other_gap"


@dataclass(frozen=True, slots=True)
class NamingRow:
    """One kind of seeded fault or gap. Counts.

    `seeded`: made by the simulator; `visible`: of those, what a reader of the submission alone can see;
    `named`: of the visible, named at its place; `also_named`: of this kind, named without having been
    seeded, and rightly (the simulator leaves much unsaid on its own); `falsely`: of this kind, named where
    nothing is wrong or missing.
    """

    kind: str
    what: What
    seeded: int = 0
    visible: int = 0
    named: int = 0
    also_named: int = 0
    falsely: int = 0


@dataclass(frozen=True, slots=True)
class NamingTable:
    """The rows, and over how many submissions they were counted."""

    incidents: int
    rows: tuple[NamingRow, ...]

    @property
    def visible(self) -> int:
        """Everything seeded that could be seen."""
        return sum(row.visible for row in self.rows)

    @property
    def named(self) -> int:
        """Of that, what was named at its place."""
        return sum(row.named for row in self.rows)

    @property
    def falsely(self) -> int:
        """Named where nothing is wrong or missing."""
        return sum(row.falsely for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Plain data, a row per kind, and the sums."""
        return {
            "incidents": self.incidents,
            "visible": self.visible,
            "named": self.named,
            "falsely": self.falsely,
            "kinds": [asdict(row) for row in self.rows],
        }

    def lines(self) -> list[tuple[str, ...]]:
        """A printed table: the heading, then a row per kind, all text."""
        heading = ("kind", "named as", "seeded", "visible", "named", "also named", "falsely")
        return [heading, *(tuple(str(value) for value in asdict(row).values()) for row in self.rows)]


def measure(incidents: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]]) -> NamingTable:
    """Read each submission and compare what is named with what its truth says (`waymark.simulate`).

    `truth` has one entry per incident, in the same order. Raises ValueError where they are not of one month.
    """
    counts: dict[str, dict[str, int]] = {}

    def count(kind: str, column: str) -> None:
        row = counts.setdefault(kind, {})
        row[column] = row.get(column, 0) + 1

    for said, true in zip(incidents, truth, strict=True):
        if f"{said['force']}/{said['reference']}" != true["case"]:
            raise ValueError(f"the truth of {true['case']} does not stand beside its incident")
        reading = read_incident(dict(said))
        for kind, column in _judged(said, true, reading):
            count(kind, column)
    rows = [NamingRow(kind, "fault", **counts.pop(kind, {})) for kind in _FAULT_KINDS]
    rows += [NamingRow(kind, "gap", **counts.pop(kind, {})) for kind in _GAP_KINDS]
    rows += [NamingRow(kind, "fault", **counts.pop(kind, {})) for kind in _UNSEEN]
    rows += [NamingRow(kind, "gap", **counts.pop(kind, {})) for kind in (_NARRATIVE, _OTHER)]
    if counts:
        raise ValueError(f"the truth has kinds that nobody measures: {', '.join(sorted(counts))}")
    return NamingTable(len(incidents), tuple(rows))


def _judged(said: Mapping[str, Any], true: Mapping[str, Any], reading: Reading) -> Iterator[tuple[str, str]]:
    """What to count for one submission: (kind, column)."""
    faults = {fault.at: _kind_of_fault(fault.because) for fault in reading.faults}
    gaps = {gap.at for gap in reading.gaps}
    seeded_faults = {fault["at"]: fault["fault"] for fault in true["faults"]}
    seeded_gaps = {gap["at"]: gap["gap"] for gap in true.get("gaps", ())}
    for slip in true["errors"]:
        if slip["error"] == "missing_birth_date":
            seeded_gaps[slip["at"]] = slip["error"]
        else:
            yield slip["error"], "seeded"
    for seeded, named in ((seeded_faults, set(faults)), (seeded_gaps, gaps)):
        for at, kind in seeded.items():
            yield kind, "seeded"
            yield kind, "visible"
            if at in named:
                yield kind, "named"
    for at, kind in faults.items():
        if at not in seeded_faults:
            yield kind, "falsely"
    for gap in reading.gaps:
        if gap.at in seeded_gaps:
            continue
        if "word list" in gap.because:
            # The narrative of a simulated incident says what the fields said before anything was left out.
            yield _NARRATIVE, "also_named" if gap.at in seeded_faults else "falsely"
        else:
            missing = _is_missing(said, gap.at) or _held_by_a_fault(gap.at, faults)
            yield _kind_of_gap(gap.at), "also_named" if missing else "falsely"


def _kind_of_fault(because: str) -> str:
    if because.startswith("not a date:"):
        return "unreadable_date"
    if because.startswith("not a word of the closed list"):
        return "unknown_word"
    if because.startswith("not a field"):
        return "unknown_field"
    return "contradiction"


def _kind_of_gap(at: str) -> str:
    if at.startswith("/children/") and at.endswith("/presence"):
        return "presence_left_out"
    if at.endswith("/born"):
        return "missing_birth_date"
    if at == "/risk/yes_answers":
        return "answers_left_out"
    return _OTHER


def _held_by_a_fault(at: str, faults: Mapping[str, str]) -> bool:
    """What could not be read, and what stands in it or hangs on it, is as missing as what was not written."""
    return any(fault == at or fault.startswith(f"{at}/") or at.startswith(f"{fault}/") for fault in faults)


def _is_missing(said: Mapping[str, Any], at: str) -> bool:
    """Whether the submission says nothing at a pointer. A pointer to a whole person or list is about what
    is said of it elsewhere, and counts as missing where no relationship tells it."""
    value: Any = said
    for step in at.removeprefix("/").split("/"):
        if isinstance(value, list):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        if value is None:
            return True
    if at.startswith("/children/") and isinstance(value, dict):
        ties = said.get("relationships") or ()
        return not any(
            tie.get("kind") in ("parent", "step_parent") and tie["to"] == value["id"] for tie in ties
        )
    if at == "/place":
        return value.get("kind") is None
    return False
