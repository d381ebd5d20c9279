"""Mutants: a protocol with one rule broken. Cases that notice none of them hold nothing.

Every rule is dropped, its condition is turned round, each of its thresholds is shifted by one, each part of
its condition left out, each of its effects lowered; so are the baseline's and what levels mean. A mutant is
noticed when the file is refused, a proof breaks, or a case comes out otherwise; else it must be shown that
it comes to the same wherever it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from services.triage.domain.conditions import Unfit
from services.triage.domain.facts import FACTS, Fact
from services.triage.domain.findings import NOTHING, same_everywhere
from services.triage.domain.proofs import prove
from services.triage.domain.protocol import LADDERS, Protocol, build_protocol, rule_book
from services.triage.protocols.cases import CasesFile, run_cases

Broken = Literal["dropped", "turned", "lowered", "shifted"]
Verdict = Literal["refused", "proofs", "cases", "equivalent", "survived"]
Document = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A protocol's document with one thing broken. `rule`: whose; `how`: in words."""

    rule: str
    broken: Broken
    how: str
    document: Document


@dataclass(frozen=True)
class Judgement:
    """Who noticed a mutant."""

    mutant: Mutant
    verdict: Verdict


def mutants(document: Mapping[str, Any]) -> Iterator[Mutant]:
    """Every mutant of a protocol's plain content; mitigating rules, which are never computed, aside."""
    for i, rule in enumerate(document.get("rules", ())):
        if rule.get("mitigating"):
            continue
        dropped = _copy(document)
        del dropped["rules"][i]
        _forget(dropped, rule["id"])
        yield Mutant(rule["id"], "dropped", "dropped", dropped)
        for part in ("when", "only_if"):
            if rule.get(part):
                turned = _copy(document)
                turned["rules"][i][part] = {"not": turned["rules"][i][part]}
                yield Mutant(rule["id"], "turned", f"{part} turned round", turned)
            for how, other in _shift(rule[part]) if rule.get(part) else ():
                shifted = _copy(document)
                shifted["rules"][i][part] = other
                yield Mutant(rule["id"], "shifted", how, shifted)
        for how, lower in _lower(rule, rule.get("at_least") or {}):
            lowered = _copy(document)
            lowered["rules"][i] = lower
            _forget(lowered, rule["id"])
            yield Mutant(rule["id"], "lowered", how, lowered)
    if document.get("baseline"):
        for how, lower in _lower(document["baseline"], document["baseline"]):
            yield Mutant("baseline", "lowered", how, _copy(document) | {"baseline": lower})
    for table in ("levels", "without_child"):
        for level, meaning in (document.get(table) or {}).items():
            for how, lower in _lower(meaning, meaning):
                lowered = _copy(document)
                lowered[table][level] = lower
                yield Mutant(f"{table} {level}", "lowered", how, lowered)


def _copy(document: Mapping[str, Any]) -> Document:
    return deepcopy(dict(document))


def _forget(document: Document, rule: str) -> None:
    """Let no rule be left out of the reasons for one that is broken."""
    for one in document["rules"]:
        if rule in (one.get("covered_by") or ()):
            one["covered_by"] = [name for name in one["covered_by"] if name != rule]


def _shift(condition: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    """The condition with one threshold one higher or lower, one word or one part left out."""
    ((key, inner),) = condition.items()
    if key == "not":
        for how, other in _shift(inner):
            yield how, {"not": other}
    elif key in ("all", "any"):
        for i, part in enumerate(inner):
            if len(inner) > 1:
                yield f"{key} without {next(iter(part))}", {key: [*inner[:i], *inner[i + 1 :]]}
            for how, other in _shift(part):
                yield how, {key: [*inner[:i], other, *inner[i + 1 :]]}
    elif isinstance(inner, Mapping):
        ((operator, operand),) = inner.items()
        for near in _near(FACTS[key], operand):
            yield f"{key} {operator} {near}", {key: {operator: near}}


def _near(fact: Fact, operand: Any) -> Iterator[Any]:
    if isinstance(operand, list):
        if len(operand) > 1:
            yield from ([word for word in operand if word != gone] for gone in operand)
    elif isinstance(operand, int) and not isinstance(operand, bool):
        yield from (near for near in (operand - 1, operand + 1) if near >= 0)
    elif operand in fact.scale:
        place = fact.scale.index(operand)
        yield from (fact.scale[near] for near in (place - 1, place + 1) if 0 <= near < len(fact.scale))


def _lower(said: Mapping[str, Any], minima: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    """The same with each of its effects one lower, or gone."""
    own = minima is said
    for ladder, rungs in LADDERS.items():
        if minima.get(ladder) in (None, rungs[0]):
            continue
        lower = rungs[rungs.index(minima[ladder]) - 1]
        changed = {**minima, ladder: lower}
        yield f"{ladder} {lower}", dict(changed) if own else {**said, "at_least": changed}
    if said.get("step_up"):
        yield "no step", {name: value for name, value in said.items() if name != "step_up"}
    for kind in ("routes", "consider", "handling"):
        for one in said.get(kind) or ():
            yield f"{kind} without {one}", {**said, kind: [other for other in said[kind] if other != one]}


def judge_mutants(
    document: Mapping[str, Any], protocol: Protocol, safeguards: Protocol, cases: CasesFile
) -> Iterator[Judgement]:
    """Try every mutant of `protocol`, whose plain content is `document`."""
    for mutant in mutants(document):
        yield Judgement(mutant, _verdict(mutant, protocol, safeguards, cases))


def _verdict(mutant: Mutant, protocol: Protocol, safeguards: Protocol, cases: CasesFile) -> Verdict:
    try:
        broken = build_protocol(mutant.document, "broken")
    except Unfit:
        return "refused"
    own = protocol.ref == safeguards.ref
    if any(outcome.differences for outcome in run_cases(cases, broken, broken if own else safeguards)):
        return "cases"
    if not prove(broken, broken if own else safeguards).holds:
        return "proofs"
    if own:
        whole, less = rule_book(NOTHING, protocol), rule_book(NOTHING, broken)
    else:
        whole, less = rule_book(protocol, safeguards), rule_book(broken, safeguards)
    ours = [one for one in protocol.rules if one.ref == f"{protocol.ref}#{mutant.rule}"]
    theirs = [one for one in broken.rules if one.ref == f"{broken.ref}#{mutant.rule}"]
    if ours and mutant.broken != "turned" and all(same_everywhere(one, whole, less) for one in ours + theirs):
        return "equivalent"
    return "survived"


def summarise(judgements: list[Judgement]) -> dict[str, Any]:
    """Counts per way of breaking and verdict, and every mutant that survived."""
    counts = Counter((one.mutant.broken, one.verdict) for one in judgements)
    return {
        "mutants": len(judgements),
        **{verdict: sum(n for (_, v), n in counts.items() if v == verdict) for verdict in _VERDICTS},
        "by": {
            broken: {verdict: counts[broken, verdict] for verdict in _VERDICTS if counts[broken, verdict]}
            for broken in ("dropped", "turned", "shifted", "lowered")
        },
        "survivors": [
            f"{one.mutant.rule}: {one.mutant.how}" for one in judgements if one.verdict == "survived"
        ],
        "equivalents": [
            f"{one.mutant.rule}: {one.mutant.how}" for one in judgements if one.verdict == "equivalent"
        ],
    }


_VERDICTS: tuple[Verdict, ...] = ("refused", "proofs", "cases", "equivalent", "survived")
