"""The values of a fact at which a rule could turn, so that "for all values" can be tried out.

Between two neighbouring points no test of the file changes its outcome: what holds at every point, and at
every interval between two of them, holds everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import product
from typing import Any, Final

from services.triage.domain.conditions import Condition, Test, tests
from services.triage.domain.facts import FACTS, PARAMETERS, Fact
from services.triage.domain.protocol import Protocol, Rule
from services.triage.domain.values import NEVER, NO_WORDS, Facts, Value, exactly

SOME_DAY: Final = date(2026, 2, 3)
SETTINGS: Final = (2, 3, 5)
"""What an area may set a parameter to: the least that is allowed, the usual, and more."""


def points(fact: Fact, on_it: Iterable[Test] = ()) -> list[Any]:
    """The fact's values at which one of the tests could turn, the least risk first."""
    on_it = [test for test in on_it if test.fact is fact]
    match fact.kind:
        case "yes_no":
            return [False, True]
        case "level":
            return list(range(len(fact.scale)))
        case "day":
            return [None, SOME_DAY]
        case "people":
            return [(), ("c1",)]
        case "words":
            return _sets(fact, on_it)
    numbers: set[Any] = {0, NEVER}
    for test in on_it:
        for limit in SETTINGS if isinstance(test.operand, str) else [test.operand]:
            if test.operator != "some":
                numbers |= {near for near in (limit - 1, limit, limit + 1) if near >= 0}
            else:
                numbers.add(1)
    return sorted(numbers, reverse=fact.kind in ("months", "days"))


def _sets(fact: Fact, on_it: Iterable[Test]) -> list[Any]:
    asked = {word for test in on_it if test.operator == "has_any" for word in test.operand}
    others = [word for word in fact.scale if word not in asked]
    found = [NO_WORDS, *(frozenset({word}) for word in others[:1])]
    found += [frozenset({word}) for word in fact.scale if word in asked]
    whole = frozenset(fact.scale)
    return [*found, whole] if whole not in found else found


def no_more(fact: Fact, a: Any, b: Any) -> bool:
    """Whether `a` is no more risk than `b`."""
    match fact.kind:
        case "words":
            return bool(a <= b)
        case "people":
            return set(a) <= set(b)
        case "day":
            return a is None or b is not None
    return bool(a >= b if fact.falling else a <= b)


def intervals(fact: Fact, places: list[Any]) -> list[Value]:
    """Every interval between two points, single points among them."""
    return [Value(a, b) for a in places for b in places if no_more(fact, a, b)]


def at_least_risk(fact: Fact) -> Any:
    """The fact's value of least risk."""
    return points(fact)[0]


def at_most_risk(fact: Fact) -> Any:
    """The fact's value of most risk."""
    return points(fact)[-1]


def quiet() -> Facts:
    """Every fact known to be at its least; one child of ten years."""
    facts = {name: exactly(at_least_risk(fact)) for name, fact in FACTS.items()}
    facts["youngest_child_months"] = exactly(120)
    return facts | dict.fromkeys(PARAMETERS, exactly(3))


Named = dict[str, Any]
"""Known values by the fact's name; facts not named are at their least."""


def least_that_hold(condition: Condition | None, most: int = 256) -> list[Named] | None:
    """The fewest values that make the condition hold, each way there is; None where there are too many ways.

    A rising condition that holds at any facts holds at no more than one of these: so what is true at each
    of them, of things that more risk cannot undo, is true wherever it holds.
    """
    if condition is None:
        return [{}]
    on_it: dict[str, list[Test]] = {}
    for test in tests(condition):
        on_it.setdefault(test.fact.name, []).append(test)
    places = {name: points(FACTS[name], found) for name, found in on_it.items()}
    size = 1
    for values in places.values():
        size *= len(values)
    if size > 200_000:
        return None
    found: list[Named] = []
    facts = quiet()
    for chosen in product(*places.values()):
        named = dict(zip(places, chosen, strict=True))
        if condition.outcome(facts | {name: exactly(value) for name, value in named.items()}) != 2:
            continue
        if any(_at_most(other, named) for other in found):
            continue
        found = [other for other in found if not _at_most(named, other)]
        found.append(named)
        if len(found) > most:
            return None
    return found


def _at_most(a: Named, b: Named) -> bool:
    """Whether `a` is below `b`: less risk in the facts of risk, and the same in all others."""
    return all(
        value == b[name] if FACTS[name].direction == "eligibility" else no_more(FACTS[name], value, b[name])
        for name, value in a.items()
    )


def unreachable(protocol: Protocol) -> list[Rule]:
    """The rules that can never hold, whatever the facts."""
    return [rule for rule in (*protocol.rules, *protocol.mitigating) if least_that_hold(rule.condition) == []]
