"""What the rules say of a case: once as the facts stand, once as they could be.

Minima; the highest wins; steps raise by one after the minima; then a level's meaning; services add up.
Each child is judged by itself (safeguard S10), rules of the case count for every child.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from services.triage.domain import effects
from services.triage.domain.evidence import tell
from services.triage.domain.facts import FACTS
from services.triage.domain.family import Family, Member, gather_family
from services.triage.domain.past import tell_past
from services.triage.domain.people import tell_child
from services.triage.domain.protocol import Protocol, Rule, RuleBook
from services.triage.domain.truths import Truths
from services.triage.domain.values import COULD, YES, Facts, exactly, riskier
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.history import History
from shared.contracts.incident import Incident

TOP_LEVEL = v.CHILD_LEVELS[-1]
TOP_RESPONSE = len(v.CSS_RESPONSES) - 1
MOST_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class Case:
    """The facts of a case, of the family and of each child by itself."""

    family: Family
    facts: Facts
    children: tuple[tuple[Member, Facts], ...]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedChild:
    """A child with its facts and the rules about it that hold, or could."""

    member: Member
    facts: Facts
    holding: tuple[Rule, ...]
    open: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Every rule tried on every fact."""

    book: RuleBook
    case: Case
    holding: tuple[Rule, ...]
    open: tuple[Rule, ...]
    children: tuple[JudgedChild, ...]
    sure_children: tuple[JudgedChild, ...]
    """Those known to exist."""
    given: tuple[Rule, ...]
    """The rules that hold, once each, without those that another one stands for."""
    failed: frozenset[str] = frozenset()
    """Rules that could not be tried on these facts: what they say is unknown, never no."""


class Summary(NamedTuple):
    """Levels (as places on their ladders), services and handling that a set of rules comes to.

    `child_level` is None where no child is known. `levels`: per child its level and response. `scale`: the
    level that the case by itself would give, for a victim without children (London 2008 s9.6).
    """

    child_level: int | None
    victim_level: int
    css_response: int
    services: frozenset[str]
    handling: frozenset[str]
    consider: frozenset[str]
    levels: tuple[tuple[int, int], ...]
    scale: int


def gather_case(incident: Incident, history: History | None, area: Area) -> tuple[Case, Case]:
    """The case with what only may be theirs, and without it; the same object where nothing is in doubt."""
    without = _gather(incident, history, area, likely=False)
    if history is None or not _has_likely(history):
        return without, without
    return _join(_gather(incident, history, area, likely=True), without), without


def _gather(incident: Incident, history: History | None, area: Area, *, likely: bool) -> Case:
    family = gather_family(incident, history, area.local_day(incident.occurred_at), likely=likely)
    facts = tell(incident, family)
    tell_past(facts, incident, history, family, area, likely=likely)
    facts["area.marac.escalation.incidents"] = exactly(area.rules.marac.escalation.incidents)
    children = tuple((member, tell_child(member, incident, facts)) for member in family.children)
    return Case(family, facts, children)


def _has_likely(history: History) -> bool:
    parts = (history.incidents, history.involvement, history.marac, history.children_known)
    return any(one.link == "likely" for part in parts for one in part or ())


def _join(likely: Case, without: Case) -> Case:
    """Both pieces of evidence: never less at either end than either says."""
    alone = {member.id: facts for member, facts in without.children}
    children = [
        (member, _riskier(facts, alone.pop(member.id)) if member.id in alone else facts)
        for member, facts in likely.children
    ]
    children += [(member, facts) for member, facts in without.children if member.id in alone]
    return Case(likely.family, _riskier(likely.facts, without.facts), tuple(children))


def _riskier(a: Facts, b: Facts) -> Facts:
    joined: Facts = {}
    for name, value in a.items():
        fact = FACTS.get(name)
        joined[name] = value if fact is None else riskier(value, b[name], fact.kind, fact.falling)
    return joined


def judge(book: RuleBook, case: Case) -> Judged:
    """Try every rule: rules of the case once, rules of a child on each child."""
    facts = case.facts
    failed: set[str] = set()
    holding, open_ = _try(book.case_rules, facts, failed)
    children = []
    for member, own in case.children:
        together = facts | own
        child_holding, child_open = _try(book.child_rules, together, failed)
        children.append(JudgedChild(member, together, child_holding, child_open))
    sure = tuple(child for child in children if child.member.hinges_on is None)
    given = _given(book, holding, sure)
    return Judged(book, case, holding, open_, tuple(children), sure, given, frozenset(failed))


def leave_out(judged: Judged, refs: set[str]) -> Judged:
    """The same without these rules, as though they did not hold."""
    if not refs:
        return judged

    def kept(rules: Sequence[Rule]) -> tuple[Rule, ...]:
        return tuple(rule for rule in rules if rule.ref not in refs)

    children = tuple(replace(child, holding=kept(child.holding)) for child in judged.children)
    sure = tuple(child for child in children if child.member.hinges_on is None)
    holding = kept(judged.holding)
    return replace(
        judged, holding=holding, children=children, sure_children=sure, given=_given(judged.book, holding, sure)
    )


def _given(book: RuleBook, of_case: Sequence[Rule], children: Iterable[JudgedChild]) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for holding in (of_case, *(child.holding for child in children)):
        refs = {rule.ref for rule in holding}
        for rule in holding:
            if not rule.covered_by or refs.isdisjoint(rule.covered_by):
                found[rule.ref] = rule
    # Steps together are one step: where the protocol's own take it, the safeguards need not say so too.
    own = f"{book.protocol.ref}#"
    if any(rule.step_up and not rule.of_child and rule.ref.startswith(own) for rule in of_case):
        found = {r.ref: r for r in found.values() if r.adds != effects.STEP or r.ref.startswith(own)}
    return tuple(found.values())


def _try(rules: Iterable[Rule], facts: Facts, failed: set[str]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    holding, could = [], []
    for rule in rules:
        try:
            outcome = rule.holds(facts)
        except Exception:  # whatever went wrong with it, it is not known not to hold
            failed.add(rule.ref)
            outcome = COULD
        if outcome == YES:
            holding.append(rule)
        elif outcome == COULD:
            could.append(rule)
    return tuple(holding), tuple(could)


def as_it_stands(judged: Judged, acts: Sequence[Rule] = ()) -> Summary:
    """`result`: every fact at its least."""
    children = [child.holding for child in judged.sure_children]
    return sum_up(judged.book, (*judged.holding, *acts), children)


def as_it_could_be(judged: Judged, acts: Sequence[Rule] = ()) -> Summary:
    """`possible`: every fact at its greatest, possible children included."""
    children = [(*child.holding, *child.open) for child in judged.children]
    return sum_up(judged.book, (*judged.holding, *judged.open, *acts), children)


def sum_up(book: RuleBook, of_case: Iterable[Rule], of_children: Iterable[Iterable[Rule]]) -> Summary:
    """What the rules come to: `of_case` hold for the family, each entry of `of_children` for one child."""
    case = _together(of_case)
    return conclude(book.protocol, case, [case | _together(rules) for rules in of_children])


def _together(rules: Iterable[Rule]) -> int:
    adds = 0
    for rule in rules:
        adds |= rule.adds
    return adds


def conclude(protocol: Protocol, case: int, children: Iterable[int]) -> Summary:
    """What a protocol makes of effects: of the case, and of each child with the case's among them.

    After the minima the steps go up by one, on the child's level where the protocol has levels, else on the
    response; then the level means what the protocol says.
    """
    start, by_level, means = protocol.start, bool(protocol.levels), protocol.level_adds
    whole = case & ~effects.CSS_RESPONSE
    levels = []
    for adds in children:
        adds |= start
        if adds & effects.STEP:
            adds = effects.one_level_up(adds) if by_level else effects.one_response_up(adds)
        level = (adds & effects.CHILD_LEVEL).bit_count()
        if by_level:
            adds |= means.get(level, 0)
        levels.append((level, effects.css_response(adds)))
        whole |= adds
    alone = case | start
    if by_level and alone & effects.STEP:
        alone = effects.one_level_up(alone)
    scale = effects.child_level(alone)
    if levels:
        whole = effects.with_child(whole)
    else:
        whole |= protocol.alone_adds.get(scale, 0)
    response = effects.css_response(whole) if levels else 0
    told = whole | effects.CHILDRENS_SERVICES if response else whole & ~effects.CHILDRENS_SERVICES
    return Summary(
        child_level=max(levels)[0] if levels else None,
        victim_level=effects.victim_level(whole),
        css_response=response,
        services=effects.services(told),
        handling=effects.handling(whole),
        consider=effects.consider(whole),
        levels=tuple(levels),
        scale=scale,
    )


class Panel:
    """Several protocols and the safeguards, ready to be tried together on one derivation of facts."""

    def __init__(self, protocols: Iterable[Protocol], safeguards: Protocol) -> None:
        self.protocols = tuple(protocols)
        files = (*self.protocols, safeguards)
        self.truths = Truths(rule for one in files for rule in one.rules)
        of_case = [self.truths.mask(one.case_rules) for one in files]
        of_child = [self.truths.mask(one.child_rules) for one in files]
        self._masks = [
            (one, case | of_case[-1], child | of_child[-1])
            for one, case, child in zip(self.protocols, of_case, of_child, strict=False)
        ]
        self._adds: dict[int, int] = {}

    def weigh(self, case: Case) -> list[tuple[Summary, Summary]]:
        """`result` and `possible` under each protocol: what `judge` with `as_it_stands` and
        `as_it_could_be` gives, without the rules that it rests on."""
        truths = self.truths
        held, could = whole = truths.of_case(case.facts)
        children = [(member.sure, *truths.of_child(whole, own)) for member, own in case.children]
        found = []
        for protocol, of_case, of_child in self._masks:
            holds = self._add(held & of_case)
            may = self._add(could & of_case)
            sure, all_ = [], []
            for exists, own_held, own_could in children:
                if exists:
                    sure.append(holds | self._add(own_held & of_child))
                all_.append(may | self._add(own_could & of_child))
            found.append((conclude(protocol, holds, sure), conclude(protocol, may, all_)))
        return found

    def _add(self, bits: int) -> int:
        """What the rules with these bits add; remembered, since the same few hold again and again."""
        adds = self._adds.get(bits)
        if adds is None:
            if len(self._adds) >= MOST_REMEMBERED:
                self._adds.clear()
            adds = self._adds[bits] = _together(self.truths.named(bits))
        return adds
