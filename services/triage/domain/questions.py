"""What to ask, of whom, and what the answer could add: only where it could change the result.

An unknown counts only through a rule that it keeps open. A question names the field to settle, in words
that tell the police nothing of what social care knows (design.md, promises 5 and 11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.triage.domain.conditions import hangs_on
from services.triage.domain.engine import TOP_LEVEL, TOP_RESPONSE, Judged, JudgedChild, Summary, sum_up
from services.triage.domain.facts import INQUIRIES
from services.triage.domain.protocol import Rule
from services.triage.domain.values import YES, Facts, Value
from shared import vocabulary as v


@dataclass(frozen=True, slots=True)
class Question:
    """`alone`: this answer by itself would change the result, whatever else stays unknown."""

    fact: str
    would_add: dict[str, Any]
    alone: bool

    def as_data(self) -> dict[str, Any]:
        """As in a receipt."""
        inquiry = INQUIRIES[self.fact]
        return {
            "fact": self.fact, "to": inquiry.to, "because": inquiry.because, "would_add": self.would_add,
        }  # fmt: skip


def find_questions(judged: Judged, result: Summary, acts: Sequence[Rule]) -> list[Question]:
    """The questions whose answer could change `result`, by name."""
    waiting = _waiting(judged, result)
    found = []
    for ask in sorted(waiting):
        for alone in (True, False):
            would = _answered(judged, acts, ask, waiting[ask], alone=alone)
            if adds := difference(result, would):
                found.append(Question(ask, adds, alone))
                break
    return found


_Open = list[tuple[Rule, JudgedChild | None]]


def _waiting(judged: Judged, result: Summary) -> dict[str, _Open]:
    """The open rules that each question would settle; rules that could add nothing are passed over."""
    waiting: dict[str, _Open] = {}
    lowest = (
        min((level for level, _ in result.levels), default=result.scale),
        min((css for _, css in result.levels), default=TOP_RESPONSE),
    )
    for rule in judged.open:
        if rule.ref in judged.failed:
            continue  # nothing that anybody could answer
        if _could_add(rule, result, *lowest):
            for ask in _asks(rule, judged.case.facts):
                waiting.setdefault(ask, []).append((rule, None))
    for child in judged.children:
        hinge = child.member.hinges_on
        if hinge is not None:
            waiting.setdefault(hinge, [])
        for rule in child.open:
            if rule.ref in judged.failed:
                continue
            if hinge is not None or _could_add(rule, result, *lowest):
                for ask in _asks(rule, child.facts):
                    waiting.setdefault(ask, []).append((rule, child))
    return waiting


def _asks(rule: Rule, facts: Facts) -> Iterator[str]:
    if rule.condition is None:
        return
    names: set[str] = set()
    hangs_on(rule.condition, facts, names)
    yield from sorted({ask for name in names if (ask := facts[name].ask) is not None})


def _could_add(rule: Rule, result: Summary, lowest_level: int, lowest_css: int) -> bool:
    """Whether the rule asks for anything that the result has not got; `lowest`: of any child."""
    return (
        rule.child_level > lowest_level
        or rule.victim_level > result.victim_level
        or rule.css_response > lowest_css
        or (rule.step_up is not None and (lowest_level < TOP_LEVEL or lowest_css < TOP_RESPONSE))
        or (bool(rule.routes) and not result.services.issuperset(rule.routes))
        or (bool(rule.handling) and not result.handling.issuperset(rule.handling))
        or (bool(rule.consider) and not (result.consider | result.services).issuperset(rule.consider))
    )


def _answered(judged: Judged, acts: Sequence[Rule], ask: str, rules: _Open, *, alone: bool) -> Summary:
    """The result if the answer to `ask` were the gravest; `alone`: with every other unknown at its least."""
    of_case = [*judged.holding, *acts]
    of_case += [rule for rule, child in rules if child is None and _fires(rule, judged.case.facts, ask, alone)]
    of_children = []
    for child in judged.children:
        if child.member.sure or child.member.hinges_on == ask:
            own = [rule for rule, one in rules if one is child and _fires(rule, child.facts, ask, alone)]
            of_children.append((*child.holding, *own))
    return sum_up(judged.book, of_case, of_children)


def _fires(rule: Rule, facts: Facts, ask: str, alone: bool) -> bool:
    if not alone:
        return True
    answered = {
        name: Value(value.greatest, value.greatest) if value.ask == ask else value
        for name, value in facts.items()
    }
    return rule.holds(answered) == YES


def difference(result: Summary, would: Summary) -> dict[str, Any]:
    """What `would` has beyond `result`, as in a receipt's `would_add`."""
    adds: dict[str, Any] = {}
    if would.child_level is not None and would.child_level > (
        -1 if result.child_level is None else result.child_level
    ):
        adds["child_level"] = would.child_level
    if would.victim_level > result.victim_level:
        adds["victim_level"] = v.VICTIM_LEVELS[would.victim_level]
    if would.css_response > result.css_response:
        adds["css_response"] = v.CSS_RESPONSES[would.css_response]
    for name, more, less in (
        ("services", would.services, result.services),
        ("handling", would.handling, result.handling),
        ("consider", would.consider, result.consider | would.services),
    ):
        if more - less:
            adds[name] = sorted(more - less)
    return adds
