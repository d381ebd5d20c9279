"""What each field of a pair weighs, as bars to both sides of a line: for one person to the right, against it
to the left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WIDE: Final = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One field. `x`, `width`: per cent; `speaks`: for, against or neither; `words`: how far the two agree."""

    field: str
    one: str | None
    other: str | None
    words: str
    bits: float
    x: float
    width: float
    speaks: str


def bars(pair: Mapping[str, Any]) -> list[Bar]:
    """The fields of which either side says something, in their order."""
    told = [one for one in pair["fields"] if one["one"] is not None or one["other"] is not None]
    most = max((abs(one["bits"]) for one in told), default=0.0) or 1.0
    return [_bar(one, most) for one in told]


def _bar(one: Mapping[str, Any], most: float) -> Bar:
    width = round(abs(one["bits"]) / most * WIDE / 2, 2)
    return Bar(
        field=one["field"],
        one=one["one"],
        other=one["other"],
        words=str(one["level"]).replace("_", " "),
        bits=round(one["bits"], 1),
        x=round(WIDE / 2 - width if one["bits"] < 0 else WIDE / 2, 2),
        width=width,
        speaks="for" if one["bits"] > 0 else "against" if one["bits"] < 0 else "neither",
    )
