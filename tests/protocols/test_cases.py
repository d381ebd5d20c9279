"""Every protocol does what its board's cases say, and no rule is without a case both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.triage.domain.protocol import Protocol
from services.triage.protocols import LIBRARY, load_library
from services.triage.protocols.cases import CasesFile, GivenCase, load_cases, run_cases

LIBRARY_READ = load_library()
SAFEGUARDS = LIBRARY_READ.safeguards
PROTOCOLS = [*LIBRARY_READ.protocols.values(), SAFEGUARDS]


def cases_of(protocol: Protocol) -> CasesFile:
    return load_cases(LIBRARY / f"{protocol.id}.v{protocol.version}.cases.yaml")


ALL_CASES = [(protocol, case) for protocol in PROTOCOLS for case in cases_of(protocol).cases]


@pytest.mark.parametrize(
    ("protocol", "case"), ALL_CASES, ids=[f"{protocol.id}: {case.name}" for protocol, case in ALL_CASES]
)
def test_a_protocol_does_what_its_cases_say(protocol: Protocol, case: GivenCase) -> None:
    one = CasesFile(protocol=protocol.ref, cases=[case])
    assert [outcome.differences for outcome in run_cases(one, protocol, SAFEGUARDS)] == [()]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.ref)
def test_no_rule_is_without_a_case_both_ways(protocol: Protocol) -> None:
    cases = cases_of(protocol)
    assert cases.protocol == protocol.ref
    fires = {name for case in cases.cases for name in case.expect.reasons}
    keeps_quiet = {name for case in cases.cases for name in case.expect.not_reasons}
    conditional = {rule.ref.partition("#")[2] for rule in protocol.rules if rule.condition is not None}
    assert conditional - fires == set()
    assert conditional - keeps_quiet == set()
    known = {rule.ref.partition("#")[2] for rule in protocol.rules}
    known |= {f"level-{level}" for level in protocol.levels}
    known |= {f"without-child-{level}" for level in protocol.without_child}
    assert (fires | keeps_quiet) - known == set()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.ref)
def test_dropping_any_rule_breaks_a_case(protocol: Protocol) -> None:
    cases = cases_of(protocol)
    unnoticed = []
    for dropped in protocol.rules:
        without = replace(
            protocol,
            case_rules=tuple(rule for rule in protocol.case_rules if rule is not dropped),
            child_rules=tuple(rule for rule in protocol.child_rules if rule is not dropped),
        )
        safeguards = without if protocol is SAFEGUARDS else SAFEGUARDS
        if not any(outcome.differences for outcome in run_cases(cases, without, safeguards)):
            unnoticed.append(dropped.ref)
    assert unnoticed == []


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.ref)
def test_every_rule_says_why_and_where_it_comes_from(protocol: Protocol) -> None:
    for rule in protocol.rules:
        assert rule.because.endswith("."), rule.ref
        assert any(name in rule.source for name in ("London 2008", "NSPCC 2009", "Act 2024")), rule.ref
