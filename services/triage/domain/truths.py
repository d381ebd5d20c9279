"""Every rule of many files tried at once: one look-up per fact, however many rules there are.

Each rule and each test within a larger condition has a bit. A fact's value stands for the bits of all that
pass at it, looked up at its least end and at its greatest: passing at both is yes, at one could be. So a
case is tried under sixteen protocols at about the price of one (`waymark bench triage`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from services.triage.domain.conditions import All, AnyOf, Condition, Not, Test, predicate, rises
from services.triage.domain.protocol import Rule
from services.triage.domain.values import COULD, NO, YES, Facts

Held = tuple[int, int]
"""The bits of what holds, and of what holds or could."""

_OnBits = Callable[[int, int], int]
LARGEST_TABLE: Final = 4096


class _Passing(dict[Any, int]):
    """Per value of a fact the bits that pass at it, worked out when the value is first met."""

    def __init__(self, tests: Sequence[tuple[int, Test]]) -> None:
        super().__init__()
        self._tests = [(1 << bit, predicate(test)) for bit, test in tests]

    def __missing__(self, value: Any) -> int:
        if len(self) >= LARGEST_TABLE:
            self.clear()
        found = self[value] = sum(bit for bit, passes in self._tests if passes(value))
        return found


class Truths:
    """The rules of several files, ready to be tried together. `of_case`, `of_child`: bits of the rules
    that speak of the case and of a child."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self.place = {id(rule): place for place, rule in enumerate(self.rules)}
        self._next = len(self.rules)
        by_fact: dict[str, list[tuple[int, Test]]] = {}
        self._apart: list[tuple[int, Test]] = []
        self._all: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        self._any: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        self._larger: dict[bool, list[tuple[int, _OnBits]]] = {False: [], True: []}
        self._always = 0
        for place, rule in enumerate(self.rules):
            if rule.condition is None:
                self._always |= 1 << place
            elif isinstance(rule.condition, Test):
                self._give(by_fact, place, rule.condition)
            elif (mask := self._flat(by_fact, rule.condition)) is not None:
                flat = self._all if isinstance(rule.condition, All) else self._any
                flat[rule.of_child].append((1 << place, mask))
            else:
                larger = self._larger[rule.of_child]
                larger.append((1 << place, self._compile(by_fact, rule.condition)))
        tables = [(name, _Passing(found), found[0][1].fact.of) for name, found in by_fact.items()]
        self._case = [(name, table) for name, table, of in tables if of == "case"]
        self._child = [(name, table) for name, table, of in tables if of == "child"]

    def _give(self, by_fact: dict[str, list[tuple[int, Test]]], bit: int, test: Test) -> None:
        if isinstance(test.operand, str) or (rises(test) is None and test.operator in ("is", "in")):
            # Compares with an area's own number, or neither end decides: tried by itself.
            self._apart.append((1 << bit, test))
        else:
            by_fact.setdefault(test.fact.name, []).append((bit, test))

    def _compile(self, by_fact: dict[str, list[tuple[int, Test]]], condition: Condition) -> _OnBits:
        if isinstance(condition, Test):
            bit, self._next = self._next, self._next + 1
            self._give(by_fact, bit, condition)
            mask = 1 << bit
            return lambda held, could: (held & mask != 0) + (could & mask != 0)
        if isinstance(condition, Not):
            part = self._compile(by_fact, condition.part)
            return lambda held, could: YES - part(held, could)
        if (found := self._flat(by_fact, condition)) is not None:
            mask = found
            if isinstance(condition, All):
                return lambda held, could: (held & mask == mask) + (could & mask == mask)
            return lambda held, could: (held & mask != 0) + (could & mask != 0)
        parts = [self._compile(by_fact, part) for part in condition.parts]
        choose: Callable[[Iterable[int]], int] = min if isinstance(condition, All) else max
        return lambda held, could: choose(part(held, could) for part in parts)

    def _flat(self, by_fact: dict[str, list[tuple[int, Test]]], condition: Condition) -> int | None:
        """The bits of the tests of which `condition` wants all or any; None where it is not so simple."""
        if not isinstance(condition, (All, AnyOf)) or not all(isinstance(one, Test) for one in condition.parts):
            return None
        mask = 0
        for part in condition.parts:
            assert isinstance(part, Test)  # noqa: S101 (looked at above)
            self._give(by_fact, self._next, part)
            mask |= 1 << self._next
            self._next += 1
        return mask

    def of_case(self, facts: Facts) -> Held:
        """The rules of the case that hold, and those that hold or could, on its facts."""
        least_bits = greatest_bits = self._always
        for name, table in self._case:
            least, greatest, _ = facts[name]
            at_least = table[least]
            least_bits |= at_least
            greatest_bits |= at_least if greatest is least else table[greatest]
        held, could = least_bits & greatest_bits, least_bits | greatest_bits
        for mask, test in self._apart:
            if test.fact.of == "case" and (outcome := test.outcome(facts)):
                could |= mask
                held |= mask if outcome == YES else 0
        return self._with_larger(held, could, of_child=False)

    def of_child(self, case: Held, own: Mapping[str, Any]) -> Held:
        """The same with the rules of one child, by its own facts; `case` as `of_case` gave it."""
        least_bits = greatest_bits = 0
        for name, table in self._child:
            least, greatest, _ = own[name]
            at_least = table[least]
            least_bits |= at_least
            greatest_bits |= at_least if greatest is least else table[greatest]
        held, could = case[0] | least_bits & greatest_bits, case[1] | least_bits | greatest_bits
        return self._with_larger(held, could, of_child=True)

    def _with_larger(self, held: int, could: int, *, of_child: bool) -> Held:
        yes = perhaps = 0
        for bit, mask in self._all[of_child]:
            if could & mask == mask:
                perhaps |= bit
                if held & mask == mask:
                    yes |= bit
        for bit, mask in self._any[of_child]:
            if could & mask:
                perhaps |= bit
                if held & mask:
                    yes |= bit
        for bit, outcome_of in self._larger[of_child]:
            outcome = outcome_of(held, could)
            if outcome != NO:
                perhaps |= bit
                if outcome != COULD:
                    yes |= bit
        return held | yes, could | perhaps

    def mask(self, rules: Iterable[Rule]) -> int:
        """The bits of these rules."""
        return sum(1 << self.place[id(rule)] for rule in rules)

    def named(self, bits: int) -> Iterator[Rule]:
        """The rules whose bits these are."""
        while bits:
            low = bits & -bits
            yield self.rules[low.bit_length() - 1]
            bits ^= low
