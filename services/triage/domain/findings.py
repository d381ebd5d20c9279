"""What in a protocol that can be taken is still not as its board will have meant it.

Unreachable and shadowed rules, gaps, conflicts, facts that no rule uses. Exact, not guessed: a rising
condition is looked at in the fewest facts that make it hold (`points.least_that_hold`); what no rule adds
there, it adds nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

from services.triage.domain.conditions import Path, show, tests
from services.triage.domain.engine import Case, Judged, Summary, as_it_could_be, as_it_stands, judge
from services.triage.domain.facts import FACTS
from services.triage.domain.family import Family, Member
from services.triage.domain.points import Named, at_most_risk, least_that_hold, points, quiet
from services.triage.domain.protocol import Protocol, Rule, RuleBook, build_protocol, rule_book
from services.triage.domain.values import YES, exactly
from shared import vocabulary as v

Kind = Literal["unreachable", "always", "shadowed", "conflict", "gap", "unused"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend, or (`note`) to know. `path` leads to its place in the file."""

    kind: Kind
    path: Path
    message: str
    note: bool = False


_EARLY_HELP: Final = v.CSS_RESPONSES.index("early_help")
_NO_OFFER: Final = frozenset({"childrens_services", "education", "allocation_panel"})
"""Being noted, being told and being talked about are no offer (safeguard S11)."""

NOTHING = build_protocol(
    {"id": "nothing", "version": 1, "title": "No protocol", "source": "-", "in_force_from": date(2026, 1, 1)},
    "",
)
"""A protocol that asks for nothing: under it whatever comes out is another's."""


def find(protocol: Protocol, order: Sequence[str], safeguards: Protocol) -> list[Finding]:
    """Everything found in a protocol. `order`: its rules' ids as in the file."""
    place = {f"{protocol.ref}#{name}": i for i, name in enumerate(order)}
    by_itself = rule_book(protocol, NOTHING)
    found: list[Finding] = []
    for rule in protocol.rules:
        path: Path = ("rules", place[rule.ref])
        found += _of_one(rule, path)
        found += _shadows(rule, path, by_itself)
    found += _conflicts(protocol.rules, place)
    found += _gaps(protocol, safeguards)
    found += _unused(protocol, safeguards)
    return found


def _name(rule: Rule) -> str:
    return rule.ref.partition("#")[2]


def _of_one(rule: Rule, path: Path) -> Iterator[Finding]:
    quietly = quiet() | {"youngest_child_months": exactly(float("inf"))}
    if rule.condition is not None and rule.holds(quietly) == YES:
        yield Finding(
            "always",
            path,
            f"{_name(rule)} holds where every fact is at its least: its condition says nothing.",
        )
    both = sorted({*rule.routes} & {*rule.consider})
    if both:
        yield Finding(
            "conflict",
            path,
            f"{_name(rule)} both tells {both[0]} and asks whether to: leave it out of consider.",
        )
    if "no_family_contact" in rule.handling and "perpetrator_programme" in rule.routes:
        yield Finding(
            "conflict", path, f"{_name(rule)} forbids contact with the family and tells perpetrator_programme."
        )


def case_of(named: Named, *, child: bool) -> Case:
    """A case of known facts, those not named at their least; with one child, or none known."""
    facts = quiet() | {name: exactly(value) for name, value in named.items()}
    own = {name: value for name, value in facts.items() if name in FACTS and FACTS[name].of == "child"}
    member = Member("c1", "c1")
    family = Family(date(2026, 11, 20), (), (), True, frozenset(), (member,), frozenset())
    return Case(family, facts, ((member, own),) if child else ())


def without(book: RuleBook, rule: Rule) -> RuleBook:
    """The same rules but one."""
    return replace(
        book,
        case_rules=tuple(one for one in book.case_rules if one is not rule),
        child_rules=tuple(one for one in book.child_rules if one is not rule),
    )


def same_everywhere(rule: Rule, book: RuleBook, other: RuleBook) -> bool | None:
    """Whether two books that differ in `rule` alone come to the same wherever it holds; None: too many ways."""
    ways = least_that_hold(rule.condition)
    if ways is None:
        return None
    return all(
        _summed(book, named, child) == _summed(other, named, child) for named in ways for child in (True, False)
    )


def _summed(book: RuleBook, named: Named, child: bool) -> tuple[Any, ...]:
    summary = as_it_stands(judge(book, case_of(named, child=child)))
    considered = summary.consider - summary.services
    return (
        summary.child_level, summary.victim_level, summary.css_response, summary.services, summary.handling,
        considered, summary.levels,
    )  # fmt: skip


def _shadows(rule: Rule, path: Path, book: RuleBook) -> Iterator[Finding]:
    if not least_that_hold(rule.condition):
        return
    if same_everywhere(rule, book, without(book, rule)):
        judged = judge(book, case_of((least_that_hold(rule.condition) or [{}])[0], child=True))
        by = [_name(one) for one in judged.given if one is not rule and _says_as_much(one, rule)]
        if book.protocol.baseline is not None and not by:
            by = ["baseline"]
        told = f" ({', '.join(by)} says as much)" if by else ""
        yield Finding(
            "shadowed",
            path,
            f"{_name(rule)} is a reason and changes nothing: wherever it holds, others come to the same{told}.",
            note=True,
        )


def _says_as_much(one: Rule, rule: Rule) -> bool:
    return (
        one.child_level >= rule.child_level
        and one.css_response >= rule.css_response
        and one.victim_level >= rule.victim_level
    )


def _conflicts(rules: Sequence[Rule], place: dict[str, int]) -> Iterator[Finding]:
    """Two rules that hold on the same facts and name different minima: only the higher ever counts."""
    ways = {rule.ref: least_that_hold(rule.condition) for rule in rules if rule.condition is not None}
    for i, a in enumerate(rules):
        for b in rules[i + 1 :]:
            mine, theirs = ways.get(a.ref), ways.get(b.ref)
            if not mine or not theirs or _sorted(mine) != _sorted(theirs):
                continue
            for ladder in ("child_level", "css_response", "victim_level"):
                x, y = a.at_least.get(ladder), b.at_least.get(ladder)
                if x is not None and y is not None and x != y:
                    yield Finding(
                        "conflict",
                        ("rules", place[b.ref]),
                        f"{_name(a)} and {_name(b)} hold on the same facts and name {ladder} {x} and {y}: "
                        "the higher wins, so make one rule of them.",
                    )


def _sorted(ways: Iterable[Named]) -> list[str]:
    return sorted(repr(sorted(way.items(), key=lambda item: item[0])) for way in ways)


def _gaps(protocol: Protocol, safeguards: Protocol) -> Iterator[Finding]:
    """Combinations of facts for which nothing is said: a level without a meaning, a child for whom nobody
    does anything."""
    if protocol.levels:
        unsaid = sorted(level for level in _levels_reached(protocol) - set(protocol.levels) if level)
        for level in unsaid:
            yield Finding(
                "gap", ("levels",), f"A child can come to level {level}, and levels says nothing of it."
            )
        for level in sorted(set(protocol.levels) - _levels_reached(protocol)):
            yield Finding("unreachable", ("levels", level), f"No child ever comes to level {level}.", note=True)
        if unsaid:
            return
    if protocol.ref == safeguards.ref:
        return
    book = rule_book(protocol, safeguards)
    least = _summary(book, {}, child=True)
    # Services only add: a family that is offered something here is offered something everywhere.
    if least.css_response >= _EARLY_HELP or least.services - _NO_OFFER:
        return
    silent = [words for name, words in _silent(protocol, book)]
    alone = f", nor of any of these alone: {'; '.join(silent)}" if silent else ""
    yield Finding(
        "gap",
        ("rules",),
        f"Nothing is offered to a family of which no more is known than that there is a child{alone}. "
        "Say in baseline, or in a rule without a condition, what it is offered (S11): early help or a service.",
    )


def _silent(protocol: Protocol, book: RuleBook) -> Iterator[tuple[str, str]]:
    """Facts that the protocol's rules use, with the most of each that by itself still brings nothing."""
    used = {test.fact.name: test.fact for rule in protocol.rules for test in tests(rule.condition)}
    for name, fact in sorted(used.items()):
        if fact.direction == "eligibility":
            continue
        on_it = [test for rule in protocol.rules for test in tests(rule.condition) if test.fact is fact]
        most = None
        for value in points(fact, on_it)[1:]:
            if not _summary(book, {name: value}, child=True).services - _NO_OFFER:
                most = value
        if most is not None:
            shown = show(fact, exactly(most))
            yield name, name if shown is True else f"{name} {'any number' if most == float('inf') else shown}"


def _summary(book: RuleBook, named: Named, *, child: bool) -> Summary:
    return as_it_stands(_judged(book, named, child=child))


def _judged(book: RuleBook, named: Named, *, child: bool) -> Judged:
    return judge(book, case_of(named, child=child))


def _levels_reached(protocol: Protocol) -> set[int]:
    """Every level that a child can come to: from the least facts by any one rule, and all of them together."""
    book = rule_book(protocol, NOTHING)
    steps = [rule for rule in protocol.rules if rule.step_up == "child_level"]
    reached: set[int] = set()
    for rule in (None, *protocol.rules):
        for way in least_that_hold(rule.condition if rule else None) or []:
            for step in (None, *steps):
                for more in least_that_hold(step.condition) or [{}] if step else [{}]:
                    level = _summary(book, {**more, **way}, child=True).child_level
                    if level is not None:
                        reached.add(level)
    everything = {name: at_most_risk(fact) for name, fact in FACTS.items() if fact.direction != "eligibility"}
    top = as_it_could_be(_judged(book, everything, child=True)).child_level
    return reached | ({top} if top is not None else set())


def _unused(protocol: Protocol, safeguards: Protocol) -> Iterator[Finding]:
    used = {t.fact.name for one in (protocol, safeguards) for rule in one.rules for t in tests(rule.condition)}
    used |= {
        t.fact.name for one in (protocol, safeguards) for rule in one.mitigating for t in tests(rule.condition)
    }
    idle = [name for name, fact in FACTS.items() if name not in used and fact.direction != "eligibility"]
    if idle and protocol.ref != safeguards.ref:
        yield Finding(
            "unused",
            (),
            f"under this protocol and the safeguards {len(idle)} facts of risk change nothing: "
            f"{', '.join(idle[:6])}{f' and {len(idle) - 6} more' if len(idle) > 6 else ''}.",
            note=True,
        )
