"""A month in figures for a board: counted, small numbers kept back, ready to be drawn. Pure.

Small numbers are kept back (`shared/small_numbers.py`). Shares are of the rounded figures, in whole per cent,
and of 20 cases or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.console.domain.study import STUDY
from shared.small_numbers import told

OF_AT_LEAST: Final = 20
MONTHS_SHOWN: Final = 12
RULE: Final = (
    "Numbers from 1 to 4 are not told; all others are told to the nearest 5, so figures may not add up. "
    "Shares are of the rounded figures and are told of 20 or more. Test records are left out."
)
SMALL: Final = "1 to 4"

RESPONSES: Final = ("section_47", "section_17", "early_help", "contact_record", "inform", "none")
OUTCOMES: Final = (
    "section_47", "section_17", "early_help", "visit_or_call", "open_case_updated", "contact_record",
    "letter", "none", "accepted", "rejected",
)  # fmt: skip
"""Pathways from most to least done, then what was answered without one."""
_PATHWAYS: Final = OUTCOMES[:-2]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """Cases that have all of this in common, in one month and area. `met`, `late`: their deliveries."""

    month: str
    area: str | None
    response: str | None
    outcome: str | None
    repeat: bool | None
    traced: bool | None
    cases: int
    met: int
    late: int


def share(part: int, whole: int) -> int | None:
    """`part` of `whole` in per cent, from the numbers as told; None where that would tell too much."""
    of, some = told(whole), told(part)
    if of is None or some is None or of < OF_AT_LEAST:
        return None
    return min(100, round(100 * some / of))


def say_month(month: str) -> str:
    """`2026-11` as `November 2026`."""
    year, number = month.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def month_of(cells: Sequence[Cell], month: str, area: str | None) -> dict[str, Any]:
    """The figures of one month, of one area or (None) of all that `cells` has."""
    of_area = [one for one in cells if area is None or one.area == area]
    these = [one for one in of_area if one.month == month]
    total = _cases(these)
    answered = [one for one in these if one.outcome in _PATHWAYS]
    parts = {
        "deadlines_met": (sum(one.met for one in these), sum(one.met + one.late for one in these)),
        "traced": _known(these, "traced"),
        "repeats": _known(these, "repeat"),
        "nothing_or_letter": (
            _cases(one for one in answered if one.outcome in ("none", "letter")),
            _cases(answered),
        ),
        "assessed": (
            _cases(one for one in answered if one.outcome in ("section_17", "section_47")),
            _cases(answered),
        ),
    }
    return {
        "month": month,
        "month_words": say_month(month),
        "area": area,
        "cases": told(total),
        "figures": {name: _figure(name, *counts) for name, counts in parts.items()},
        "responses": _split(these, "response", (*RESPONSES, None), total),
        "outcomes": _split(these, "outcome", (*OUTCOMES, None), total),
        "months": _course(of_area, month),
        "rule": RULE,
    }


def rows_of(document: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """The same as lines of a table: month, area, measure, of what, value. A small number stands as `1 to 4`."""
    month, area = document["month"], document["area"] or "all"
    rows = [(month, area, "cases", "", _written(document["cases"]))]
    for name, figure in document["figures"].items():
        rows += [
            (month, area, name, "number", _written(figure["part"])),
            (month, area, name, "of", _written(figure["whole"])),
            (month, area, name, "per cent", "" if figure["share"] is None else str(figure["share"])),
            (month, area, name, "per cent in the study", str(figure["study"]["share"])),
        ]
    for measure in ("responses", "outcomes"):
        rows += [(month, area, measure, one["id"], _written(one["cases"])) for one in document[measure]]
    rows += [(one["month"], area, "cases", "", _written(one["cases"])) for one in document["months"][:-1]]
    return rows


def _figure(name: str, part: int, whole: int) -> dict[str, Any]:
    found = STUDY[name]
    return {
        "part": told(part),
        "whole": told(whole),
        "share": share(part, whole),
        "study": {"share": found.share, "words": found.words, "source": found.source},
    }


def _known(cells: Iterable[Cell], name: str) -> tuple[int, int]:
    known = [one for one in cells if getattr(one, name) is not None]
    return _cases(one for one in known if getattr(one, name)), _cases(known)


def _split(cells: Sequence[Cell], name: str, codes: Sequence[str | None], total: int) -> list[dict[str, Any]]:
    counts: Counter[str | None] = Counter()
    for one in cells:
        counts[getattr(one, name)] += one.cases
    return [
        {"id": code or "not_yet", "cases": told(counts[code]), "share": share(counts[code], total)}
        for code in codes
    ]


def _course(cells: Sequence[Cell], until: str) -> list[dict[str, Any]]:
    """The cases of each of the twelve months up to one."""
    counts: Counter[str] = Counter()
    for one in cells:
        counts[one.month] += one.cases
    months = [until]
    while len(months) < MONTHS_SHOWN:
        months.append(_before(months[-1]))
    return [
        {"month": month, "words": say_month(month), "cases": told(counts[month])} for month in reversed(months)
    ]


def _before(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def _cases(cells: Iterable[Cell]) -> int:
    return sum(one.cases for one in cells)


def _written(count: int | None) -> str:
    return SMALL if count is None else str(count)
