"""A case's time ledger as a picture: a row per stage, a branch per delivery, all on one scale of time.

Only geometry here, across in percent of the picture's width, down in pixels; the template draws it, and
it fits a telephone as well as a wall. A case lives on two scales at
once (milliseconds in the pipeline, hours with the police and the services), so the scale is bent: each
stretch between two neighbouring moments gets a width that grows with the logarithm of its length. Order
and contiguity are kept, so that what follows in time stands to the right, without gaps, and every width
adds up to the whole. The exact figures stand in the table beside the picture.

Moments are written to the millisecond, durations to the microsecond. So a line is laid out by its
durations, one after the other, from the moment at which it begins.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

WIDTH: Final = 100.0
ROW_HEIGHT: Final = 46
BEFORE_US: Final = frozenset({"police"})
"""Stages before the POST: not in our hands."""

_TICK_APART: Final = 26.0
"""Marks nearer than this would write over one another on a narrow screen."""

_LEAST: Final = 1.0
"""Weight of the shortest stretch, so that a stage of a microsecond can still be seen."""

_ROUNDING: Final = timedelta(milliseconds=2)

Kind = Literal["waiting", "working"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A stage's share of the time: waited until `start`, worked from there to `end`.

    An entry of waiting only, of a stage that is not ours to measure (`police`, a service), has its waiting
    from `start` to `end`.
    """

    stage: str
    waited_ms: float
    worked_ms: float
    start: datetime
    end: datetime

    @property
    def began(self) -> datetime:
        """When its waiting began."""
        waiting_only = self.worked_ms == 0 and self.end > self.start
        return self.start if waiting_only else self.start - timedelta(milliseconds=self.waited_ms)


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
    """A mark on the scale: milliseconds after the police's POST, below zero before it."""

    x: float
    ms: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole picture. `height` in pixels; times of the trunk in milliseconds.

    `before_ms`: before the police's POST; `waited_ms` and `worked_ms`: in our hands since;
    `total_ms`: all three together.
    """

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    height: int
    total_ms: float
    before_ms: float
    waited_ms: float
    worked_ms: float


def draw(trunk: Sequence[Entry], branches: Sequence[Line]) -> Waterfall | None:
    """The picture of a case; None while nothing is known of its time.

    The total is the trunk's: from its first moment to the last before the branches. Branches run beside
    one another, so their times are their own and do not add to it.
    """
    laid_trunk = _lay(trunk, None)
    last = laid_trunk[-1] if laid_trunk else None
    laid_branches = [_lay(line.entries, last) for line in branches]
    stretches = [*laid_trunk, *(stretch for line in laid_branches for stretch in line)]
    if not stretches:
        return None
    scale = _Scale(stretches)
    rows = [_row(one.entry.stage, False, i, [one], scale, None) for i, one in enumerate(laid_trunk)]
    for line, laid in zip(branches, laid_branches, strict=True):
        rows.append(_row(line.label, True, len(rows), laid, scale, line.due))
    posted = next((one.began for one in laid_trunk if one.entry.stage not in BEFORE_US), stretches[0].began)
    ours = [entry for entry in trunk if entry.stage not in BEFORE_US]
    return Waterfall(
        rows=tuple(rows),
        ticks=scale.ticks(posted),
        height=len(rows) * ROW_HEIGHT,
        total_ms=round(sum(entry.waited_ms + entry.worked_ms for entry in trunk), 3),
        before_ms=round(sum(e.waited_ms + e.worked_ms for e in trunk if e.stage in BEFORE_US), 3),
        waited_ms=round(sum(entry.waited_ms for entry in ours), 3),
        worked_ms=round(sum(entry.worked_ms for entry in ours), 3),
    )


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An entry laid out: waiting from `began` to `turned`, working from there to `ended`."""

    entry: Entry
    began: datetime
    turned: datetime
    ended: datetime


def _lay(entries: Sequence[Entry], after: _Stretch | None) -> list[_Stretch]:
    """One entry after the other. A line that was said to begin where `after` ended begins there."""
    laid: list[_Stretch] = []
    for entry in entries:
        began = laid[-1].ended if laid else entry.began
        if not laid and after is not None and abs(began - after.entry.end) <= _ROUNDING:
            began = after.ended
        turned = began + timedelta(milliseconds=entry.waited_ms)
        laid.append(_Stretch(entry, began, turned, turned + timedelta(milliseconds=entry.worked_ms)))
    return laid


def _row(
    label: str, branch: bool, number: int, laid: Sequence[_Stretch], scale: _Scale, due: datetime | None
) -> Row:
    bars: list[Bar] = []
    for one in laid:
        if one.turned > one.began:
            bars.append(_bar("waiting", one.began, one.turned, one.entry.stage, one.entry.waited_ms, scale))
        if one.ended > one.turned:
            bars.append(_bar("working", one.turned, one.ended, one.entry.stage, one.entry.worked_ms, scale))
    return Row(
        label=label,
        branch=branch,
        y=number * ROW_HEIGHT,
        bars=tuple(bars),
        waited_ms=round(sum(one.entry.waited_ms for one in laid), 3),
        worked_ms=round(sum(one.entry.worked_ms for one in laid), 3),
        ended=laid[-1].entry.end if laid else None,
        due_x=scale.x(due) if due is not None and scale.holds(due) else None,
    )


def _bar(kind: Kind, start: datetime, end: datetime, stage: str, ms: float, scale: _Scale) -> Bar:
    x = scale.x(start)
    return Bar(kind, x, round(scale.x(end) - x, 3), stage, ms)


class _Scale:
    """Moments to places between 0 and WIDTH: in order, each stretch as wide as the logarithm of its length."""

    def __init__(self, stretches: Sequence[_Stretch]) -> None:
        self._moments = sorted({m for one in stretches for m in (one.began, one.turned, one.ended)})
        weights = [
            _weight((later - earlier).total_seconds() * 1000) for earlier, later in pairwise(self._moments)
        ]
        whole = sum(weights) or 1.0
        self._places = [0.0]
        for weight in weights:
            self._places.append(self._places[-1] + weight / whole * WIDTH)

    def holds(self, moment: datetime) -> bool:
        """Whether the moment is within the picture."""
        return self._moments[0] <= moment <= self._moments[-1]

    def x(self, moment: datetime) -> float:
        """The place of a moment within the picture; between two known ones in proportion to the time."""
        i = bisect_right(self._moments, moment) - 1
        if i + 1 == len(self._moments):
            return round(self._places[i], 3)
        stretch = self._moments[i + 1] - self._moments[i]
        share = (moment - self._moments[i]) / stretch
        return round(self._places[i] + share * (self._places[i + 1] - self._places[i]), 3)

    def ticks(self, zero: datetime) -> tuple[Tick, ...]:
        """Marks at known moments, far enough apart to be read; `zero`, the first and the last come first."""
        places = dict(zip(self._moments, self._places, strict=True))
        ends = [self._moments[0], self._moments[-1], zero]
        chosen: list[datetime] = []
        for moment in [*ends, *self._moments]:
            if all(abs(places[moment] - places[other]) >= _TICK_APART for other in chosen):
                chosen.append(moment)
        return tuple(
            Tick(round(places[moment], 3), (moment - zero).total_seconds() * 1000) for moment in sorted(chosen)
        )


def _weight(ms: float) -> float:
    return _LEAST + math.log10(1 + ms)
