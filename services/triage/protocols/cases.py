"""Cases: what a board says that a protocol must do, as facts given and results expected.

A cases file stands beside its protocol. Facts that a case does not name are known to be at their least:
one child of ten years, nothing happened. `unknown` is the whole scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from services.triage.domain.conditions import Unfit
from services.triage.domain.engine import Case, Summary, as_it_could_be, as_it_stands, judge
from services.triage.domain.facts import FACTS, PARAMETERS, Fact
from services.triage.domain.family import Family, Member
from services.triage.domain.protocol import Protocol, build_protocol, rule_book
from services.triage.domain.routing import meanings
from services.triage.domain.values import NEVER, YES, Facts, Value, exactly
from services.triage.protocols.files import ProtocolFault, read_yaml
from shared import vocabulary as v

TEN_YEARS: Final = 120
ESCALATION: Final = 3

_NOTHING: Final = build_protocol(
    {"id": "nothing", "version": 1, "title": "No protocol", "source": "-", "in_force_from": date(2026, 1, 1)},
    "",
)
"""What the safeguards are tried under: a protocol that asks for nothing."""


class Expected(BaseModel):
    """What must come out; lists name what must be among others."""

    model_config = ConfigDict(extra="forbid")

    child_level: int | None = None
    victim_level: str | None = None
    css_response: str | None = None
    services: list[str] = []
    not_services: list[str] = []
    handling: list[str] = []
    consider: list[str] = []
    not_consider: list[str] = []
    reasons: list[str] = []
    not_reasons: list[str] = []
    mitigating: list[str] = []
    not_mitigating: list[str] = []
    possible: dict[str, Any] = {}


class GivenCase(BaseModel):
    """One case of a file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    why: str
    given: dict[str, Any] = {}
    child_known: bool = True
    expect: Expected


class CasesFile(BaseModel):
    """A whole file."""

    model_config = ConfigDict(extra="forbid")

    protocol: str
    cases: list[GivenCase]


@dataclass(frozen=True)
class Outcome:
    """What a case came to: every difference from what was expected, in words."""

    case: GivenCase
    differences: tuple[str, ...]


def load_cases(path: Path) -> CasesFile:
    """Read a cases file. Raises ProtocolFault."""
    _, document = read_yaml(path.read_bytes(), path.name)
    try:
        return CasesFile.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ProtocolFault(path.name, 1, f"{where}: {first['msg']}.") from None


def run_cases(cases: CasesFile, protocol: Protocol, safeguards: Protocol) -> Iterator[Outcome]:
    """Try every case; the safeguards' own under a protocol that asks for nothing."""
    tried = _NOTHING if protocol.ref == safeguards.ref else protocol
    for case in cases.cases:
        yield Outcome(case, tuple(_differences(case, tried, protocol, safeguards)))


def facts_of(given: Mapping[str, Any]) -> tuple[Facts, Facts]:
    """Facts of the case and of its child: `given` in the words of the vocabulary, the rest at its least."""
    facts = {name: _least(fact) for name, fact in FACTS.items()}
    facts["youngest_child_months"] = exactly(TEN_YEARS)
    for parameter in PARAMETERS:
        facts[parameter] = exactly(ESCALATION)
    for name, said in given.items():
        if name not in FACTS:
            raise Unfit((name,), f"there is no fact {name!r}")
        facts[name] = _value(FACTS[name], said)
    child = {name: value for name, value in facts.items() if name in FACTS and FACTS[name].of == "child"}
    return facts, child


def _least(fact: Fact) -> Value:
    return exactly(_ends(fact)[0])


def _ends(fact: Fact) -> tuple[Any, Any]:
    match fact.kind:
        case "yes_no":
            return False, True
        case "count":
            return 0, NEVER
        case "months" | "days":
            return NEVER, 0
        case "level":
            return 0, len(fact.scale) - 1
        case "words":
            return frozenset(), frozenset(fact.scale)
        case "day":
            return None, date.max
        case _:
            return (), ("c1",)


def _value(fact: Fact, said: Any) -> Value:
    if said == "unknown":
        return Value(*_ends(fact), ask=fact.name)
    match fact.kind:
        case "level":
            return exactly(fact.scale.index(said))
        case "words":
            return exactly(frozenset(said))
        case "people":
            return exactly(tuple(said))
        case _:
            return exactly(said)


def _case(given: GivenCase) -> Case:
    facts, child = facts_of(given.given)
    member = Member("c1", "c1")
    family = Family(date(2026, 11, 20), (), (), True, frozenset(), (member,), frozenset())
    return Case(family, facts, ((member, child),) if given.child_known else ())


def _differences(case: GivenCase, tried: Protocol, own: Protocol, safeguards: Protocol) -> Iterator[str]:
    try:
        judged = judge(rule_book(tried, safeguards), _case(case))
    except (Unfit, ValueError) as fault:
        yield f"cannot be tried: {fault}"
        return
    result, expect = as_it_stands(judged), case.expect
    yield from _unlike(result, expect.model_dump(exclude_defaults=True), "")
    yield from _unlike(as_it_could_be(judged), expect.possible, "possible ")
    refs = {rule.ref for rule in judged.given} | {ref for _, ref, _ in meanings(judged, result)}
    shown = {rule.ref for rule in judged.book.mitigating if rule.holds(judged.case.facts) == YES}
    for name in expect.mitigating:
        if f"{own.ref}#{name}" not in shown:
            yield f"{name} is not shown"
    for name in expect.not_mitigating:
        if f"{own.ref}#{name}" in shown:
            yield f"{name} is shown"
    for name in expect.reasons:
        if f"{own.ref}#{name}" not in refs:
            yield f"{name} does not fire"
    for name in expect.not_reasons:
        if f"{own.ref}#{name}" in refs:
            yield f"{name} fires"


def _unlike(summary: Summary, expect: Mapping[str, Any], where: str) -> Iterator[str]:
    was: dict[str, Any] = {
        "child_level": summary.child_level,
        "victim_level": v.VICTIM_LEVELS[summary.victim_level],
        "css_response": v.CSS_RESPONSES[summary.css_response],
    }
    for ladder, level in was.items():
        if ladder in expect and expect[ladder] != level:
            yield f"{where}{ladder} is {level}, not {expect[ladder]}"
    had = {"services": summary.services, "handling": summary.handling, "consider": summary.consider}
    for name, found in had.items():
        for one in expect.get(name, ()):
            if one not in found:
                yield f"{where}{name} lacks {one}"
        for one in expect.get(f"not_{name}", ()):
            if one in found:
                yield f"{where}{name} has {one}"
