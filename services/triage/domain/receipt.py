"""A decision and its receipt: a pure function of its inputs, as canonical data.

Same inputs, same bytes, on any machine. Every element of the result cites a rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.triage.domain.answers import answered
from services.triage.domain.conditions import Test, show, stood_on
from services.triage.domain.engine import (
    Case,
    Judged,
    Summary,
    as_it_could_be,
    as_it_stands,
    gather_case,
    judge,
    leave_out,
)
from services.triage.domain.facts import FACTS, INQUIRIES
from services.triage.domain.previous import keep_previous, send_after_waiting
from services.triage.domain.protocol import Protocol, Rule, make_rule, rule_book
from services.triage.domain.questions import Question, find_questions
from services.triage.domain.review import find_review
from services.triage.domain.routing import Router, consider, meanings
from services.triage.domain.values import YES, Facts, Value, riskier
from shared import vocabulary as v
from shared.areas import Area
from shared.canonical import canonical_bytes, digest
from shared.contracts.base import write_moment
from shared.contracts.history import History
from shared.contracts.incident import Incident

ENGINE: Final = 1
"""Raised when the same inputs give another receipt than before."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A decision's receipt. `body` is plain data as in contracts/decision.json; never change it."""

    body: Mapping[str, Any]

    def canonical(self) -> bytes:
        """RFC 8785."""
        return canonical_bytes(self.body)

    @property
    def digest(self) -> str:
        """`sha256:...` of the canonical bytes."""
        return digest(self.body)

    @property
    def routed(self) -> bool:
        """Somebody is told."""
        return bool(self.body["routes"])

    @property
    def waits_until(self) -> str | None:
        """Until when a case that routes nobody waits for an answer or a person; None where it does not."""
        until: str | None = self.body["review"].get("waits_until")
        return until

    @property
    def state(self) -> str:
        """`to_route`, `held` (for a person: nobody is told though somebody could be) or
        `no_recipient_by_rule`."""
        if self.routed:
            return "to_route"
        return "held" if "nobody_routed" in self.body["review"]["because"] else "no_recipient_by_rule"


def decide(
    protocol: Protocol,
    safeguards: Protocol,
    area: Area,
    incident: Incident,
    history: History | None,
    as_of: datetime,
    previous: Mapping[str, Any] | None = None,
    people: Sequence[Mapping[str, Any]] = (),
    *,
    neighbours: Mapping[str, Area] | None = None,
    marks: Sequence[str] = (),
) -> Receipt:
    """Decide one case.

    `area` decides (its MARAC windows, its calendar); `neighbours` are other areas by id, whose calendars
    count for what goes there. `history` None is unavailable. `previous` is the body of the case's last
    receipt: the result never falls below it. `people`: human acts, `{"act": "confirm" | "raise", "to":
    {"child_level": .., "victim_level": .., "css_response": .., "services": [..]}, "because": .., ...}`,
    `{"act": "answer", "fact": .., "answer": .., "about": ..}` and `{"act": "set_aside", "rules": {ref:
    facts}}`; raises ValueError on any other. `marks` are added to what the receipt calls degraded.
    """
    book = rule_book(protocol, safeguards)
    said, incident = incident, answered(incident, people)
    case, without = gather_case(incident, history, area)
    judged, aside = set_aside(judge(book, case), people)
    acts = _raises(people)
    result, possible = as_it_stands(judged, acts), as_it_could_be(judged, acts)
    router = Router(judged, result, acts, incident, area, neighbours or {}, as_of)
    routes = router.routes()
    questions = find_questions(judged, result, acts)
    alone = judged if case is without else set_aside(judge(book, without), people)[0]
    doubt = _doubt(judged, result, alone, acts)
    asked = [question.as_data() for question in questions]
    asked += [
        {**Question(ask, {}, False).as_data()} for ask in sorted(router.asks - {q.fact for q in questions})
    ]
    body: dict[str, Any] = {
        "as_of": write_moment(as_of),
        "inputs": {
            "incident": _incident_digest(said),
            "history": None if history is None else digest(history.as_json(), vouched=True),
            "protocol": protocol.digest,
            "safeguards": safeguards.digest,
            "area": _area_digest(area, router.neighbours_used),
            "previous": None if previous is None else digest(previous),
            "people": [digest(act) for act in people],
        },
        "protocol": {"id": protocol.id, "version": protocol.version},
        "safeguards": {"id": safeguards.id, "version": safeguards.version},
        "engine": ENGINE,
        "result": _outcome(result),
        "possible": _outcome(possible),
        "children": [
            {"id": child.member.id, "child_level": level, "css_response": v.CSS_RESPONSES[css]}
            for child, (level, css) in zip(judged.sure_children, result.levels, strict=True)
        ],
        "routes": routes,
        "consider": consider(judged, result, acts),
        "reasons": _reasons(judged, result, acts, alone),
        "mitigating": _mitigating(judged, case.facts),
        "questions": sorted(asked, key=lambda question: question["fact"]),
        "doubt": doubt,
    }
    if aside:
        body["set_aside"] = aside
    if judged.failed:
        body["failed_rules"] = sorted(judged.failed)
    degraded = [*_degraded(area, history), *marks, *(["rule_failed"] if judged.failed else [])]
    if degraded:
        body["degraded"] = degraded
    if previous is not None:
        keep_previous(body, previous, safeguards)
        send_after_waiting(body, previous, safeguards, area, as_of, possible.child_level is not None)
    body["review"] = find_review(
        body,
        questions,
        incident,
        case.family,
        area,
        as_of,
        area_missing=router.area_missing,
        screened=protocol.screen_all is not None,
    )
    return Receipt(body)


def set_aside(judged: Judged, people: Sequence[Mapping[str, Any]]) -> tuple[Judged, list[dict[str, Any]]]:
    """The case without the reasons that two people set aside, and these (safeguard S14).

    A reason is a rule on the facts it stood on: on other facts it is a new reason, which raises again, as
    does any other rule. What the safeguards ask for, nobody sets aside.
    """
    wanted: dict[str, list[Any]] = {}
    for act in people:
        if act.get("act") == "set_aside":
            for ref, facts in act["rules"].items():
                wanted.setdefault(ref, []).append(facts)
    if not wanted:
        return judged, []
    guarded = f"{judged.book.safeguards.ref}#"
    gone = {
        rule.ref: _facts_of(rule, judged)
        for rule in judged.given
        if rule.ref in wanted
        and not rule.ref.startswith(guarded)
        and _facts_of(rule, judged) in wanted[rule.ref]
    }
    return leave_out(judged, set(gone)), [{"rule": ref, "facts": facts} for ref, facts in sorted(gone.items())]


def _raises(people: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    acts = []
    for number, act in enumerate(people):
        if act.get("act") in ("confirm", "answer", "set_aside"):
            continue
        if act.get("act") != "raise":
            raise ValueError(f"an act of a person that is not known: {act.get('act')!r}")
        to = act["to"]
        said = {
            "at_least": {
                ladder: to[ladder] for ladder in ("child_level", "victim_level", "css_response") if ladder in to
            },
            "routes": to.get("services", ()),
            "because": act["because"],
            "source": "a person",
        }
        acts.append(make_rule(said, f"people#{number}"))
    return tuple(acts)


def _outcome(summary: Summary) -> dict[str, Any]:
    return {
        "child_level": summary.child_level,
        "victim_level": v.VICTIM_LEVELS[summary.victim_level],
        "css_response": v.CSS_RESPONSES[summary.css_response],
        "services": sorted(summary.services),
        "handling": sorted(summary.handling),
    }


def _reasons(judged: Judged, result: Summary, acts: Sequence[Rule], alone: Judged) -> list[dict[str, Any]]:
    """Every rule that holds, with the facts it stood on; levels and the baseline among them.

    A rule that holds only through a likely link is marked `doubt` and tells no facts: nothing of the other
    record is told until a person confirms it (design.md, promise 6).
    """
    without = {rule.ref for rule in alone.given} if alone is not judged else None
    reasons = []
    for rule in (*judged.given, *acts):
        if without is not None and rule.ref not in without and rule not in acts:
            reasons.append(_steps_on({**_reason(rule, {}), "doubt": True}, judged))
        else:
            reasons.append(_steps_on(_reason(rule, _facts_of(rule, alone)), judged))
    protocol = judged.book.protocol
    for level, ref, meaning in meanings(judged, result):
        reasons.append(
            {
                "rule": ref,
                "at_least": {"css_response": v.CSS_RESPONSES[meaning.css_response]}
                if meaning.css_response
                else {},
                "routes": list(meaning.routes),
                "facts": {"child_level" if result.levels else "scale": level},
                "because": meaning.because,
                "source": meaning.source,
            }
        )
    baseline = protocol.baseline
    if baseline is not None and result.levels and _baseline_stands(judged, baseline, acts):
        reasons.append(_reason(baseline, {}))
    own = f"{protocol.ref}#"
    return sorted(reasons, key=lambda reason: (not reason["rule"].startswith(own), reason["rule"]))


def _baseline_stands(judged: Judged, baseline: Rule, acts: Sequence[Rule]) -> bool:
    """Some child's level, or response, is the baseline's: no rule sets as high a one."""
    for child in judged.sure_children:
        rules = (*judged.holding, *acts, *child.holding)
        if baseline.child_level and not any(rule.child_level >= baseline.child_level for rule in rules):
            return True
        if baseline.css_response and not any(rule.css_response >= baseline.css_response for rule in rules):
            return True
    return False


def _reason(rule: Rule, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**rule.shown, "facts": facts}


def _steps_on(reason: dict[str, Any], judged: Judged) -> dict[str, Any]:
    """The safeguards raise by a step whichever ladder the protocol has: say which it was."""
    if "step_up" in reason:
        reason["step_up"] = "child_level" if judged.book.protocol.levels else "css_response"
    return reason


def _facts_of(rule: Rule, judged: Judged) -> dict[str, Any]:
    found: dict[str, Value] = {}
    if isinstance(rule.condition, Test) and not rule.of_child:
        fact = rule.condition.fact
        return {fact.name: show(fact, judged.case.facts[fact.name])}
    if rule.condition is not None:
        if not rule.of_child:
            stood_on(rule.condition, judged.case.facts, found)
        else:
            for child in judged.sure_children:
                if rule in child.holding:
                    own: dict[str, Value] = {}
                    stood_on(rule.condition, child.facts, own)
                    for name, value in own.items():
                        fact = FACTS[name]
                        found[name] = riskier(found.get(name, value), value, fact.kind, fact.falling)
    return {name: show(FACTS[name], value) for name, value in sorted(found.items())}


def _mitigating(judged: Judged, facts: Facts) -> list[dict[str, Any]]:
    shown = []
    for rule in judged.book.mitigating:
        if rule.holds(facts) == YES:
            one = _reason(rule, _facts_of(rule, judged))
            shown.append({key: one[key] for key in ("rule", "facts", "because", "source")})
    return shown


def _doubt(judged: Judged, result: Summary, alone: Judged, acts: Sequence[Rule]) -> dict[str, Any] | None:
    """What the result would be without the likely links; None where that is the same."""
    if alone is judged:
        return None
    without = as_it_stands(alone, acts)
    if _outcome(without) == _outcome(result):
        return None
    before = {rule.ref for rule in alone.given}
    return {
        "because": "likely_link",
        "rules": sorted(rule.ref for rule in judged.given if rule.ref not in before),
        "without": _outcome(without),
    }


def _degraded(area: Area, history: History | None) -> list[str]:
    marks = []
    if history is None or history.status == "unavailable":
        marks.append("history_unavailable")
    elif history.status == "incomplete":
        marks.append("history_incomplete")
    if not area.known:
        marks.append("area_unknown")
    return marks


def _incident_digest(incident: Incident) -> str:
    data = incident.as_json()
    # Nothing in an incident is a fraction or a large number, but what a fault quotes may be anything.
    for fault in data.get("faults", ()):
        fault["said"] = repr(fault.get("said"))
    return digest(data, vouched=True)


def _area_digest(area: Area, neighbours: Mapping[str, Area]) -> str:
    if not neighbours:
        return area.digest
    return digest([area.digest, *(neighbours[name].digest for name in sorted(neighbours))])


__all__ = ["ENGINE", "INQUIRIES", "Case", "Receipt", "decide"]
