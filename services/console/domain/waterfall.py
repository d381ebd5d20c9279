"""A case's time ledger as a picture: a row per stage, a branch per delivery, all on one scale of time.

Only geometry here, across in percent of the picture's width, down in pixels; the template draws it, and
it fits a telephone as well as a wall. A case lives on two scales at
once (milliseconds in the pipeline, hours with the police and the services), so the scale is bent: each
stretch between two neighbouring moments gets a width that grows with the logarithm of its length. Order
and contiguity are kept, so that what follows in time stands to the right, without gaps, and every width
adds up to the whole. The exact figures stand in the table beside the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

WIDTH: Final = 100.0
ROW_HEIGHT: Final = 46
_TICK_APART: Final = 26.0
"""Marks nearer than this would write over one another on a narrow screen."""

_LEAST: Final = 1.0
"""Weight of the shortest stretch, so that a stage of a microsecond can still be seen."""

Kind = Literal["waiting", "working"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A stage's share of the time: waited until `start`, worked from there to `end`."""

    stage: str
    waited_ms: float
    worked_ms: float
    start: datetime
    end: datetime

    @property
    def began(self) -> datetime:
        """When its waiting began. An entry of waiting only spans its waiting."""
        return self.start if self.waiting_only else self.start - timedelta(milliseconds=self.waited_ms)

    @property
    def waiting_only(self) -> bool:
        """Whether it is of a stage that is not ours to measure (`police`, a service)."""
        return self.worked_ms == 0 and self.end > self.start


@dataclass(frozen=True, slots=True)
class Line:
    """Entries that follow one another: the trunk of the case, or one delivery's branch."""

    label: str
    entries: tuple[Entry, ...]
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle: hatched where it waited, solid where it worked. `x` and `width` in percent."""

    kind: Kind
    x: float
    width: float
    stage: str
    ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the picture and of the table."""

    label: str
    branch: bool
    y: int
    bars: tuple[Bar, ...]
    waited_ms: float
    worked_ms: float
    ended: datetime | None
    due_x: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the scale: how long after the beginning."""

    x: float
    ms: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole picture. `height` in pixels; times in milliseconds."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    height: int
    total_ms: float
    waited_ms: float
    worked_ms: float


def draw(trunk: Sequence[Entry], branches: Sequence[Line]) -> Waterfall | None:
    """The picture of a case; None while nothing is known of its time.

    The total is the trunk's: from its first moment to the decision. Branches run beside one another,
    so their times are their own and do not add to it.
    """
    if not trunk and not any(line.entries for line in branches):
        return None
    scale = _Scale(trunk, branches)
    rows: list[Row] = []
    for entry in trunk:
        rows.append(_row(entry.stage, False, len(rows), (entry,), scale, None))
    for line in branches:
        rows.append(_row(line.label, True, len(rows), line.entries, scale, line.due))
    return Waterfall(
        rows=tuple(rows),
        ticks=scale.ticks(),
        height=len(rows) * ROW_HEIGHT,
        total_ms=round(sum(entry.waited_ms + entry.worked_ms for entry in trunk), 3),
        waited_ms=round(sum(entry.waited_ms for entry in trunk), 3),
        worked_ms=round(sum(entry.worked_ms for entry in trunk), 3),
    )


def _row(
    label: str, branch: bool, number: int, entries: Sequence[Entry], scale: _Scale, due: datetime | None
) -> Row:
    bars: list[Bar] = []
    for entry in entries:
        solid_from = entry.end if entry.waiting_only else entry.start
        for kind, start, end, ms in (
            ("waiting", entry.began, solid_from, entry.waited_ms),
            ("working", solid_from, entry.end, entry.worked_ms),
        ):
            if end > start:
                x = scale.x(start)
                bars.append(Bar(kind, x, round(scale.x(end) - x, 3), entry.stage, ms))  # type: ignore[arg-type]
    return Row(
        label=label,
        branch=branch,
        y=number * ROW_HEIGHT,
        bars=tuple(bars),
        waited_ms=round(sum(entry.waited_ms for entry in entries), 3),
        worked_ms=round(sum(entry.worked_ms for entry in entries), 3),
        ended=entries[-1].end if entries else None,
        due_x=scale.x(due) if due is not None and scale.holds(due) else None,
    )


class _Scale:
    """Moments to places between 0 and WIDTH: in order, each stretch as wide as the logarithm of its length."""

    def __init__(self, trunk: Sequence[Entry], branches: Sequence[Line]) -> None:
        moments: set[datetime] = set()
        for entry in [*trunk, *(entry for line in branches for entry in line.entries)]:
            moments |= {entry.began, entry.start, entry.end}
        self._moments = sorted(moments)
        stretches = [
            _weight((later - earlier).total_seconds() * 1000)
            for earlier, later in zip(self._moments, self._moments[1:], strict=False)
        ]
        whole = sum(stretches) or 1.0
        self._places = [0.0]
        for weight in stretches:
            self._places.append(self._places[-1] + weight / whole * WIDTH)

    def holds(self, moment: datetime) -> bool:
        """Whether the moment is within the picture."""
        return self._moments[0] <= moment <= self._moments[-1]

    def x(self, moment: datetime) -> float:
        """The place of a moment; between two known ones in proportion to the time."""
        for i in range(len(self._moments) - 1, -1, -1):
            if self._moments[i] <= moment:
                if i + 1 == len(self._moments):
                    return round(self._places[i], 3)
                stretch = (self._moments[i + 1] - self._moments[i]).total_seconds()
                share = (moment - self._moments[i]).total_seconds() / stretch
                return round(self._places[i] + share * (self._places[i + 1] - self._places[i]), 3)
        return 0.0

    def ticks(self) -> tuple[Tick, ...]:
        """Marks at known moments, far enough apart to be read, the first and the last always."""
        chosen: list[Tick] = []
        for moment, place in zip(self._moments, self._places, strict=True):
            tick = Tick(round(place, 3), (moment - self._moments[0]).total_seconds() * 1000)
            last = moment == self._moments[-1]
            if last and len(chosen) > 1 and place - chosen[-1].x < _TICK_APART:
                chosen.pop()
            if last or not chosen or place - chosen[-1].x >= _TICK_APART:
                chosen.append(tick)
        return tuple(chosen)


def _weight(ms: float) -> float:
    return _LEAST + math.log10(1 + ms)
