"""Conditions over facts: closed operators, their direction of risk, and their compiled form.

Each condition is compiled once, when it is made, to `outcome`: a function from facts to NO, COULD or YES.
A test rises where more risk can only
make it true; `when` takes rising tests alone, so that more evidence of risk never lowers a result
(design.md, promise 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from services.triage.domain.facts import FACTS, PARAMETERS, Fact
from services.triage.domain.values import COULD, NEVER, NO, YES, Facts, Value

Path = tuple[str | int, ...]
Compiled = Callable[[Facts], int]

OPERATORS: Final[dict[str, tuple[str, ...]]] = {
    "yes_no": ("is",),
    "count": ("at_least", "above", "below", "at_most"),
    "months": ("below", "at_most", "at_least", "above", "some"),
    "days": ("below", "at_most", "at_least", "above", "some"),
    "level": ("is", "in", "at_least", "above", "below", "at_most"),
    "words": ("has_any", "some"),
    "day": ("some",),
    "people": ("some",),
}
"""Per kind of fact the operators that fit it. `some`: there is one at all."""


class Unfit(ValueError):
    """A protocol that cannot be taken; `path` leads to the place in the file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class Test:
    """One fact against one operand; `operand` is in the terms of the fact's values."""

    fact: Fact
    operator: str
    operand: Any
    path: Path
    outcome: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", _compile_test(self))


@dataclass(frozen=True, slots=True)
class All:
    """Holds where every part does."""

    parts: tuple[Condition, ...]
    outcome: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", _all(tuple(part.outcome for part in self.parts)))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one of the parts does."""

    parts: tuple[Condition, ...]
    outcome: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", _any(tuple(part.outcome for part in self.parts)))


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the part does not."""

    part: Condition
    outcome: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", _not(self.part.outcome))


Condition = Test | All | AnyOf | Not


def read_condition(document: Mapping[str, Any], path: Path) -> Condition:
    """A condition from plain data whose shape has been checked. Raises Unfit."""
    (key, inner), *_ = document.items()
    if key in ("all", "any"):
        parts = tuple(read_condition(part, (*path, key, i)) for i, part in enumerate(inner))
        return All(parts) if key == "all" else AnyOf(parts)
    if key == "not":
        return Not(read_condition(inner, (*path, key)))
    return _read_test(key, inner, (*path, key))


def _read_test(name: str, inner: Any, path: Path) -> Test:
    fact = FACTS.get(name)
    if fact is None:
        close = get_close_matches(name, FACTS, n=1)
        raise Unfit(path, f"there is no fact {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    operator, operand = next(iter(inner.items())) if isinstance(inner, Mapping) else ("is", inner)
    fitting = OPERATORS[fact.kind]
    if operator not in fitting:
        raise Unfit(path, f"{operator!r} does not fit {name}, which takes {', '.join(fitting)}")
    return Test(fact, operator, _read_operand(fact, operator, operand, path), path)


def _read_operand(fact: Fact, operator: str, operand: Any, path: Path) -> Any:
    if operator == "some":
        if operand is not True:
            raise Unfit(path, "`some` takes true: write `not` round it for none")
        return True
    if fact.kind == "yes_no":
        if not isinstance(operand, bool):
            raise Unfit(path, f"{fact.name} is true or false, not {operand!r}")
        return operand
    if fact.kind in ("count", "months", "days"):
        if isinstance(operand, str) and fact.kind == "count" and operator == "at_least":
            if operand not in PARAMETERS:
                raise Unfit(path, f"no area sets {operand!r}; there is {', '.join(PARAMETERS)}")
            return operand
        if isinstance(operand, bool) or not isinstance(operand, int) or operand < 0:
            unit = {"months": " of months (a year is 12)", "days": " of days"}.get(fact.kind, "")
            raise Unfit(path, f"{fact.name} is compared with a whole number{unit}, not {operand!r}")
        return operand
    words = operand if operator in ("in", "has_any") else [operand]
    if not isinstance(words, list) or not words:
        raise Unfit(path, f"`{operator}` takes a list of words")
    for word in words:
        if word not in fact.scale:
            close = get_close_matches(str(word), fact.scale, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f": one of {', '.join(fact.scale)}"
            raise Unfit(path, f"{word!r} is not a word of {fact.name}{hint}")
    if fact.kind == "words":
        return frozenset(words)
    places = frozenset(fact.scale.index(word) for word in words)
    return places if operator == "in" else next(iter(places))


def rises(test: Test) -> bool | None:
    """True where more risk can only make it true, False where it can only make it untrue, else None."""
    if test.operator in ("some", "has_any"):
        return True
    if test.operator == "is" and test.fact.kind == "yes_no":
        return bool(test.operand)
    if test.operator in ("is", "in"):
        places = test.operand if test.operator == "in" else {test.operand}
        top = len(test.fact.scale) - 1
        if places == frozenset(range(min(places), top + 1)):
            return True
        return False if places == frozenset(range(max(places) + 1)) else None
    upward = test.operator in ("at_least", "above")
    return not upward if test.fact.falling else upward


def check_direction(condition: Condition, *, eligibility: bool, upright: bool = True) -> None:
    """Raise Unfit where the condition could lower (or where `eligibility` is False, sort people).

    In `only_if` (`eligibility` True) eligibility facts stand in any way and facts of risk in theirs.
    """
    match condition:
        case Not(part):
            check_direction(part, eligibility=eligibility, upright=not upright)
        case All(parts) | AnyOf(parts):
            for part in parts:
                check_direction(part, eligibility=eligibility, upright=upright)
        case Test(fact, operator, _, path):
            if fact.direction == "eligibility":
                if not eligibility:
                    raise Unfit(
                        path,
                        f"{fact.name} says for whom a service is meant and never how grave a case is: "
                        "it may stand in only_if alone",
                    )
                return
            if rises(condition) is not upright:
                less = "more" if fact.falling else "less"
                raise Unfit(
                    path,
                    f"this would hold where there is {less} {fact.name}, which is less risk ({operator}): "
                    "a rule may only raise",
                )


def tests(condition: Condition | None) -> Iterator[Test]:
    """Every test in the condition."""
    match condition:
        case Not(part):
            yield from tests(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from tests(part)
        case Test():
            yield condition


def _not(part: Compiled) -> Compiled:
    return lambda facts: YES - part(facts)


def _all(parts: tuple[Compiled, ...]) -> Compiled:
    first, rest = parts[0], parts[1:]

    def holds(facts: Facts) -> int:
        least = first(facts)
        for part in rest:
            if least == NO:
                return NO
            outcome = part(facts)
            if outcome < least:
                least = outcome
        return least

    return holds


def _any(parts: tuple[Compiled, ...]) -> Compiled:
    first, rest = parts[0], parts[1:]

    def holds(facts: Facts) -> int:
        most = first(facts)
        for part in rest:
            if most == YES:
                return YES
            outcome = part(facts)
            if outcome > most:
                most = outcome
        return most

    return holds


def _compile_test(test: Test) -> Compiled:
    """NO, COULD or YES is how many of the value's two ends pass: at the least risk or at the greatest."""
    name, operand = test.fact.name, test.operand
    passes = predicate(test)
    if isinstance(operand, str):

        def reaches(facts: Facts) -> int:
            threshold = facts[operand][0]
            least, greatest, _ = facts[name]
            return bool(least >= threshold) + bool(greatest >= threshold)

        return reaches
    if rises(test) is None:
        # Neither end decides: only a known value can be known to pass.
        def among(facts: Facts) -> int:
            least, greatest, _ = facts[name]
            passing = sum(passes(place) for place in range(least, greatest + 1))
            return NO if not passing else YES if passing == greatest - least + 1 else COULD

        return among
    if test.fact.kind == "yes_no":
        if operand:
            return lambda facts: int(facts[name][0] + facts[name][1])
        return lambda facts: int(YES - facts[name][0] - facts[name][1])
    if test.fact.kind == "words" and test.operator == "has_any":

        def has_any(facts: Facts) -> int:
            least, greatest, _ = facts[name]
            return (not operand.isdisjoint(least)) + (not operand.isdisjoint(greatest))

        return has_any

    def both_ends(facts: Facts) -> int:
        least, greatest, _ = facts[name]
        return passes(least) + passes(greatest)

    return both_ends


def predicate(test: Test) -> Callable[[Any], bool]:
    """Whether a known value of the fact passes."""
    operand = test.operand
    match test.operator, test.fact.kind:
        case "is", "yes_no":
            return bool if operand else lambda value: not value
        case "is", _:
            return lambda value: bool(value == operand)
        case "in", _:
            return lambda value: value in operand
        case "has_any", _:
            return lambda value: not operand.isdisjoint(value)
        case "some", "months" | "days":
            return lambda value: bool(value != NEVER)
        case "some", "day":
            return lambda value: value is not None
        case "some", _:
            return bool
        case "below", _:
            return lambda value: bool(value < operand)
        case "at_most", _:
            return lambda value: bool(value <= operand)
        case "above", _:
            return lambda value: bool(value > operand)
        case _:
            return lambda value: bool(value >= operand)


def stood_on(condition: Condition, facts: Facts, found: dict[str, Value]) -> None:
    """Collect the facts that make the condition hold."""
    match condition:
        case Not(part):
            for test in tests(part):
                found[test.fact.name] = facts[test.fact.name]
        case All(parts) | AnyOf(parts):
            for part in parts:
                if part.outcome(facts) == YES:
                    stood_on(part, facts, found)
        case Test(fact):
            found[fact.name] = facts[fact.name]


def hangs_on(condition: Condition, facts: Facts, found: set[str]) -> None:
    """Collect the facts that an open condition waits for."""
    if condition.outcome(facts) != COULD:
        return
    match condition:
        case Not(part):
            hangs_on(part, facts, found)
        case All(parts) | AnyOf(parts):
            for part in parts:
                hangs_on(part, facts, found)
        case Test(fact):
            found.add(fact.name)


def show(fact: Fact, value: Value) -> Any:
    """A fact's value as plain data, in the words of the contracts; a range by its known bound."""
    least, greatest = value.least, value.greatest
    if fact.kind == "words":
        return [word for word in fact.scale if word in least]
    if fact.kind == "people":
        return list(least)
    if fact.kind == "day":
        return least.isoformat() if isinstance(least, date) else None
    if fact.kind == "yes_no":
        return bool(least)
    if least == greatest:
        return fact.scale[least] if fact.kind == "level" else None if least == NEVER else least
    bound = fact.scale[least] if fact.kind == "level" else least
    return {"at_most" if fact.falling else "at_least": bound}
