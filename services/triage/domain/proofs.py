"""The statements of design.md, "A protocol", proved for one protocol together with the safeguards.

Each rule is tried at every value at which one of its tests could turn, known and unknown, and the engine's
sum at every level, response and step that rules can come to. What no rule and no sum breaks, no case breaks:
rules only add up (`engine.sum_up`), and a fact that is joined from two records is at both ends the riskier
(`values.riskier`). How incidents and records become facts is code, the same for every protocol; the
properties in tests/unit/triage hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from services.triage.domain.conditions import Test, show, tests
from services.triage.domain.engine import Summary, sum_up
from services.triage.domain.facts import FACTS, PARAMETERS, Fact
from services.triage.domain.points import SETTINGS, intervals, no_more, points, quiet
from services.triage.domain.protocol import Protocol, Rule, RuleBook, make_rule, rule_book
from services.triage.domain.values import COULD, Facts, Value, exactly, riskier
from shared import vocabulary as v

MOST_TRIED: Final = 20_000
"""Beyond so many combinations a rule is proved by its parts: `all`, `any` and `not` keep direction."""

PROTECTED: Final = (
    "ethnicity", "nationality", "religion", "sexuality", "immigration", "no_recourse",
)  # fmt: skip
"""Safeguard S12: what these fields say never changes a level."""

STATEMENTS: Final[dict[str, str]] = {
    "more_risk": "More risk lowers neither the result nor what is possible.",
    "answers": "An answer never lowers the result nor raises what is possible.",
    "within": "The result is never above what is possible.",
    "likely_links": "Likely links only raise: all of them together at least as much as any.",
    "s12": "Ethnicity, nationality, religion, sexuality and immigration status stand in no level.",
}


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Where a statement breaks: at which rule, on which facts, in words."""

    at: str
    facts: dict[str, Any]
    because: str

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {"at": self.at, "facts": self.facts, "because": self.because}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement about one protocol. `tried`: how many combinations were looked at."""

    name: str
    holds: bool
    tried: int
    against: tuple[Counterexample, ...]

    @property
    def says(self) -> str:
        """The statement in words."""
        return STATEMENTS[self.name]

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "statement": self.name, "says": self.says, "holds": self.holds, "tried": self.tried,
            "against": [one.as_data() for one in self.against],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """All statements about one protocol. `by_parts`: rules with too many combinations to try each."""

    protocol: str
    rules: int
    statements: tuple[Statement, ...]
    by_parts: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every statement does."""
        return all(one.holds for one in self.statements)

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "protocol": self.protocol, "rules": self.rules, "holds": self.holds,
            "statements": [one.as_data() for one in self.statements], "by_parts": list(self.by_parts),
        }  # fmt: skip


class _Found:
    """Counterexamples and counts while a proof is made."""

    def __init__(self) -> None:
        self.against: dict[str, list[Counterexample]] = {name: [] for name in STATEMENTS}
        self.tried: dict[str, int] = dict.fromkeys(STATEMENTS, 0)
        self.by_parts: list[str] = []

    def broken(self, name: str, at: str, facts: dict[str, Any], because: str) -> None:
        if len(self.against[name]) < 5:
            self.against[name].append(Counterexample(at, facts, because))


def prove(protocol: Protocol, safeguards: Protocol) -> Proof:
    """Prove the statements for a protocol with the safeguards; for the safeguards, give them as both."""
    found = _Found()
    own = protocol.ref == safeguards.ref
    for rule in protocol.rules:
        _prove_rule(rule, found)
        _prove_rule_says_no_level_by_whom(rule, found)
    for fact in _joined(protocol.rules):
        _prove_joining(fact, protocol.rules, found)
    _prove_protected(found)
    _prove_sums(rule_book(_nothing(protocol), protocol) if own else rule_book(protocol, safeguards), found)
    return Proof(
        protocol=protocol.ref,
        rules=len(protocol.rules),
        statements=tuple(
            Statement(name, not found.against[name], found.tried[name], tuple(found.against[name]))
            for name in STATEMENTS
        ),
        by_parts=tuple(found.by_parts),
    )


# Rules: what each says rises with risk, and an answer only settles it.


def _prove_rule(rule: Rule, found: _Found) -> None:
    if rule.condition is None:
        return
    on_it: dict[str, list[Test]] = {}
    for test in tests(rule.condition):
        on_it.setdefault(test.fact.name, []).append(test)
    ranges = {name: intervals(FACTS[name], points(FACTS[name], ts)) for name, ts in on_it.items()}
    size = 1
    for values in ranges.values():
        size *= len(values)
    if size > MOST_TRIED:
        found.by_parts.append(rule.ref)
        for test in tests(rule.condition):
            part = make_rule({"because": "", "source": ""}, rule.ref, test)
            _try_all(part, {test.fact.name: ranges[test.fact.name]}, found, risen=None)
        return
    _try_all(rule, ranges, found, risen=True)


def _try_all(rule: Rule, ranges: dict[str, list[Value]], found: _Found, *, risen: bool | None) -> None:
    """Every combination of intervals, and from each every step to more risk or to more knowledge.

    `risen` None: the rule stands for one test, which may fall where a `not` turns it round.
    """
    names = list(ranges)
    for facts in _settings(rule):
        outcomes = {}
        for places in product(*(range(len(ranges[name])) for name in names)):
            for name, place in zip(names, places, strict=True):
                facts[name] = ranges[name][place]
            outcomes[places] = rule.holds(facts)
        steps = [_steps(FACTS[name], ranges[name]) for name in names]
        directions: set[bool] = set()
        for places, outcome in outcomes.items():
            for i, (up, narrower) in enumerate(steps):
                for place in up[places[i]]:
                    found.tried["more_risk"] += 1
                    other = outcomes[(*places[:i], place, *places[i + 1 :])]
                    if other != outcome:
                        directions.add(other > outcome)
                    if risen and other < outcome:
                        _broken_by_risk(rule, names, ranges, places, i, place, found)
                for place in narrower[places[i]]:
                    found.tried["answers"] += 1
                    other = outcomes[(*places[:i], place, *places[i + 1 :])]
                    if outcome != COULD and other != outcome:
                        shown = _shown(names, ranges, places)
                        shown[names[i]] = [shown[names[i]], _word(FACTS[names[i]], ranges[names[i]][place])]
                        found.broken("answers", rule.ref, shown, "an answer turns what was settled")
            found.tried["within"] += 1
            if outcome == COULD and all(ranges[n][p].known for n, p in zip(names, places, strict=True)):
                found.broken("within", rule.ref, _shown(names, ranges, places), "is open though all is known")
        if risen is None and len(directions) > 1 and FACTS[names[0]].direction != "eligibility":
            found.broken("more_risk", rule.ref, {names[0]: None}, "rises with risk here and falls there")


def _settings(rule: Rule) -> Iterator[Facts]:
    """The facts to begin with: once for every setting where the rule compares with an area's."""
    base = quiet()
    if not any(isinstance(test.operand, str) for test in tests(rule.condition)):
        yield base
        return
    for setting in SETTINGS:
        yield base | dict.fromkeys(PARAMETERS, exactly(setting))


def _steps(fact: Fact, values: list[Value]) -> tuple[list[list[int]], list[list[int]]]:
    """Per interval: those that are riskier at both ends, and those that lie within it."""
    up: list[list[int]] = []
    narrower: list[list[int]] = []
    for a in values:
        up.append(
            [
                i
                for i, b in enumerate(values)
                if b != a and fact.direction != "eligibility" and no_more(fact, a[0], b[0])
                and no_more(fact, a[1], b[1])
            ]
        )  # fmt: skip
        narrower.append(
            [
                i
                for i, b in enumerate(values)
                if b != a and no_more(fact, a[0], b[0]) and no_more(fact, b[1], a[1])
            ]
        )
    return up, narrower


def _broken_by_risk(
    rule: Rule, names: list[str], ranges: dict[str, list[Value]], places: tuple[int, ...], i: int, place: int,
    found: _Found,
) -> None:  # fmt: skip
    shown = _shown(names, ranges, places)
    fact = FACTS[names[i]]
    shown[fact.name] = [shown[fact.name], _word(fact, ranges[fact.name][place])]
    found.broken("more_risk", rule.ref, shown, f"holds, and no longer does where {fact.name} is graver")


def _shown(names: list[str], ranges: dict[str, list[Value]], places: tuple[int, ...]) -> dict[str, Any]:
    return {name: _word(FACTS[name], ranges[name][place]) for name, place in zip(names, places, strict=True)}


def _word(fact: Fact, value: Value) -> Any:
    if not value.known:
        return {"least": show(fact, exactly(value[0])), "greatest": show(fact, exactly(value[1]))}
    return show(fact, value)


# Safeguard S12


def _prove_rule_says_no_level_by_whom(rule: Rule, found: _Found) -> None:
    """Facts that say for whom a service is meant stand in no rule that has a level, even the lowest."""
    of_whom = sorted({t.fact.name for t in tests(rule.condition) if t.fact.direction == "eligibility"})
    found.tried["s12"] += 1
    if of_whom and (rule.child_level or rule.victim_level or rule.css_response or rule.step_up):
        found.broken("s12", rule.ref, dict.fromkeys(of_whom), f"a level hangs on {', '.join(of_whom)}")


def _prove_protected(found: _Found) -> None:
    for fact in FACTS.values():
        found.tried["s12"] += 1
        protected = [name for name in PROTECTED if name in fact.comes_from or name in fact.name]
        if protected and fact.direction != "eligibility":
            found.broken("s12", fact.name, {}, f"is a fact of risk and comes from {protected[0]}")


# Likely links


def _joined(rules: Iterable[Rule]) -> list[Fact]:
    return list({t.fact.name: t.fact for rule in rules for t in tests(rule.condition)}.values())


def _prove_joining(fact: Fact, rules: Iterable[Rule], found: _Found) -> None:
    """Two records joined are at both ends at least as grave as either: then the first statement does the
    rest."""
    on_it = [test for rule in rules for test in tests(rule.condition) if test.fact is fact]
    values = intervals(fact, points(fact, on_it))
    for a, b in product(values, values):
        found.tried["likely_links"] += 1
        both = riskier(a, b, fact.kind, fact.falling)
        for one in (a, b):
            if not (no_more(fact, one[0], both[0]) and no_more(fact, one[1], both[1])):
                found.broken(
                    "likely_links", fact.name, {fact.name: [_word(fact, a), _word(fact, b)]},
                    "joined, two records say less than one of them",
                )  # fmt: skip


# Sums: what the engine makes of levels, responses and steps, with this file's `levels` and baseline.


def _nothing(protocol: Protocol) -> Protocol:
    return Protocol(
        id="nothing", version=1, title="", source="", in_force_from=protocol.in_force_from, baseline=None,
        levels={}, without_child={}, case_rules=(), child_rules=(), mitigating=(), never_lower=None,
        after_waiting=None, screen_all=None, never_live=None, digest="", ref="nothing/1",
    )  # fmt: skip


def _prove_sums(book: RuleBook, found: _Found) -> None:
    """Higher rules, a step more, a child more: never a lower sum. What a level of the file means counts."""
    steps = (None, "child_level" if book.protocol.levels else "css_response")
    sums: dict[tuple[int, int, int, int, bool], Summary] = {}
    for level, victim, css, step, child in product(
        v.CHILD_LEVELS, range(len(v.VICTIM_LEVELS)), range(len(v.CSS_RESPONSES)), (0, 1), (False, True)
    ):
        said = {
            "at_least": {
                "child_level": level, "victim_level": v.VICTIM_LEVELS[victim],
                "css_response": v.CSS_RESPONSES[css],
            },
            "step_up": steps[step], "because": "", "source": "",
        }  # fmt: skip
        rule = make_rule(said, "tried")
        sums[level, victim, css, step, child] = sum_up(book, [rule], [[]] if child else [])
        of_child = sum_up(book, [], [[rule]]) if child else None
        if of_child is not None:
            found.tried["more_risk"] += 1
            if not _not_below(of_child, sums[level, victim, css, step, child]):
                found.broken("more_risk", "sum", {}, "a rule of a child counts for less than one of the case")
    for key, lower in sums.items():
        for i, most in enumerate(
            (v.CHILD_LEVELS[-1], len(v.VICTIM_LEVELS) - 1, len(v.CSS_RESPONSES) - 1, 1, 1)
        ):
            if key[i] >= most:
                continue
            higher = sums[*key[:i], key[i] + 1, *key[i + 1 :]]  # type: ignore[index]
            for name in ("more_risk", "answers", "within", "likely_links"):
                found.tried[name] += 1
                if not _not_below(higher, lower):
                    _broken_sum(name, key, i, higher, lower, found)


def _broken_sum(
    name: str, key: tuple[Any, ...], i: int, higher: Summary, lower: Summary, found: _Found
) -> None:
    raised = ("child_level", "victim_level", "css_response", "step_up", "child_known")
    facts = dict(zip(raised, key, strict=True))
    facts["css_response"] = v.CSS_RESPONSES[key[2]]
    facts["victim_level"] = v.VICTIM_LEVELS[key[1]]
    lost = sorted((lower.services - higher.services) | (lower.consider - higher.consider - higher.services))
    what = f"loses {', '.join(lost)}" if lost else "comes to less"
    found.broken(name, "levels", facts, f"with more {raised[i]} the case {what}")


def _not_below(higher: Summary, lower: Summary) -> bool:
    return (
        (-1 if higher.child_level is None else higher.child_level)
        >= (-1 if lower.child_level is None else lower.child_level)
        and higher.victim_level >= lower.victim_level
        and higher.css_response >= lower.css_response
        and higher.services >= lower.services
        and higher.handling >= lower.handling
        and (higher.consider | higher.services) >= lower.consider
    )


__all__ = ["STATEMENTS", "Counterexample", "Proof", "Statement", "prove"]
