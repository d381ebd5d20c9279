"""What the rules say of a case: once as the facts stand, once as they could be.

Minima; the highest wins; steps raise by one after the minima; then a level's meaning; services add up.
Each child is judged by itself (safeguard S10), rules of the case count for every child.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.triage.domain.evidence import tell
from services.triage.domain.facts import FACTS
from services.triage.domain.family import Family, Member, gather_family
from services.triage.domain.past import tell_past
from services.triage.domain.people import tell_child
from services.triage.domain.protocol import Rule, RuleBook
from services.triage.domain.values import COULD, YES, Facts, exactly, riskier
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.history import History
from shared.contracts.incident import Incident

TOP_LEVEL = v.CHILD_LEVELS[-1]
TOP_RESPONSE = len(v.CSS_RESPONSES) - 1


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


@dataclass(frozen=True, slots=True)
class Summary:
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
    holding, open_ = _try(book.case_rules, facts)
    children = []
    for member, own in case.children:
        together = facts | own
        child_holding, child_open = _try(book.child_rules, together)
        children.append(JudgedChild(member, together, child_holding, child_open))
    sure = tuple(child for child in children if child.member.hinges_on is None)
    return Judged(book, case, holding, open_, tuple(children), sure, _given(holding, sure))


def _given(of_case: Sequence[Rule], children: Iterable[JudgedChild]) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for holding in (of_case, *(child.holding for child in children)):
        refs = {rule.ref for rule in holding}
        for rule in holding:
            if not rule.covered_by or refs.isdisjoint(rule.covered_by):
                found[rule.ref] = rule
    return tuple(found.values())


def _try(rules: Iterable[Rule], facts: Facts) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    holding, could = [], []
    for rule in rules:
        outcome = rule.holds(facts)
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


def sum_up(book: RuleBook, of_case: Sequence[Rule], of_children: Sequence[Sequence[Rule]]) -> Summary:
    """What the rules come to: `of_case` hold for the family, each entry of `of_children` for one child."""
    levels_mean = book.protocol.levels
    baseline = book.protocol.baseline
    level = baseline.child_level if baseline else 0
    css = baseline.css_response if baseline else 0
    victim = 0
    step: str | None = None
    services: set[str] = set()
    child_services: set[str] = set()
    handling: set[str] = set()
    consider: set[str] = set()
    for rule in of_case:
        if rule.child_level > level:
            level = rule.child_level
        if rule.css_response > css:
            css = rule.css_response
        if rule.victim_level > victim:
            victim = rule.victim_level
        if rule.routes:
            services.update(rule.other_routes)
            child_services.update(rule.child_routes)
        if rule.handling:
            handling.update(rule.handling)
        if rule.consider:
            consider.update(rule.consider)
        if rule.step_up:
            step = rule.step_up
    scale = min(level + (step == "child_level"), TOP_LEVEL)
    levels: list[tuple[int, int]] = []
    for rules in of_children:
        own_level, own_css, own_step = level, css, step
        for rule in rules:
            if rule.child_level > own_level:
                own_level = rule.child_level
            if rule.css_response > own_css:
                own_css = rule.css_response
            if rule.victim_level > victim:
                victim = rule.victim_level
            if rule.routes:
                services.update(rule.routes)
            if rule.handling:
                handling.update(rule.handling)
            if rule.consider:
                consider.update(rule.consider)
            own_step = own_step or rule.step_up
        if own_step == "child_level":
            own_level = min(own_level + 1, TOP_LEVEL)
        elif own_step:
            own_css = min(own_css + 1, TOP_RESPONSE)
        meaning = levels_mean.get(own_level)
        if meaning is not None:
            own_css = max(own_css, meaning.css_response)
            services.update(meaning.routes)
            consider.update(meaning.consider)
        levels.append((own_level, own_css))
    if levels:
        services |= child_services
    elif (alone := book.protocol.without_child.get(scale)) is not None:
        services.update(alone.routes)
        consider.update(alone.consider)
    css = max((own for _, own in levels), default=0)
    services.discard("childrens_services")
    if css:
        services.add("childrens_services")
    return Summary(
        child_level=max((own for own, _ in levels), default=None),
        victim_level=victim,
        css_response=css,
        services=frozenset(services),
        handling=frozenset(handling),
        consider=frozenset(consider),
        levels=tuple(levels),
        scale=scale,
    )
