"""A fact's value as an interval: its least and its greatest risk, and whom an unknown would be asked of.

Unknown is the whole scale (safeguard S8; London 2008 s9.2.6). A condition on such values has three
outcomes: it does not hold, it could, it does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import Any, Final, NamedTuple

NO, COULD, YES = 0, 1, 2
"""Outcomes of a condition. `all` is their minimum, `any` their maximum, `not` is 2 less the outcome."""

NEVER: Final = math.inf
"""For facts where less is more risk: no such person, no such event. Also a count without a known end."""


class Value(NamedTuple):
    """From `least` to `greatest` risk; equal where it is known. `ask`: the question that would settle it,
    None where it is not to be asked of anyone."""

    least: Any
    greatest: Any
    ask: str | None = None

    @property
    def known(self) -> bool:
        """True where there is nothing left to ask."""
        return bool(self.least == self.greatest)

    def at_least(self) -> Any:
        """The end of least risk."""
        return self.least

    def at_greatest(self) -> Any:
        """The end of greatest risk."""
        return self.greatest


Facts = dict[str, Value]
"""Facts by name (`facts.FACTS`)."""

HOLDS: Final = Value(True, True)
HOLDS_NOT: Final = Value(False, False)
NO_WORDS: Final[frozenset[str]] = frozenset()


def exactly(value: Any) -> Value:
    """A known value."""
    return Value(value, value)


def yes_no(said: bool | None, ask: str | None) -> Value:
    """What was said; unknown where nothing was."""
    if said is None:
        return Value(False, True, ask)
    return HOLDS if said else HOLDS_NOT


def sign(said: bool | None, ask: str, evidence: bool) -> Value:
    """What was said, unless `evidence` shows that it is so."""
    return HOLDS if evidence else yes_no(said, ask)


def any_of(values: Iterable[Value]) -> Value:
    """True where one of the values is: several signs of the same thing."""
    least, greatest, ask = False, False, None
    for value in values:
        if value[0]:
            return HOLDS
        if value[1]:
            greatest = True
            ask = ask or value[2]
    return Value(least, greatest, ask)


def riskier(a: Value, b: Value, kind: str, falling: bool) -> Value:
    """The value that is at both ends the riskier of the two: what both pieces of evidence allow.

    So a record that only may be this person's raises, and never narrows what is possible (design.md,
    promise 6). `falling`: less is more risk.
    """
    if a == b:
        return a
    if kind in ("words", "people"):
        return Value(_union(a.least, b.least), _union(a.greatest, b.greatest), a.ask or b.ask)
    if kind == "day":
        return Value(_later(a.least, b.least), _later(a.greatest, b.greatest), a.ask or b.ask)
    pick = min if falling else max
    return Value(pick(a.least, b.least), pick(a.greatest, b.greatest), a.ask or b.ask)


def _union(a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        return a + tuple(one for one in b if one not in a)
    return a | b


def _later(a: date | None, b: date | None) -> date | None:
    return max((day for day in (a, b) if day is not None), default=None)
