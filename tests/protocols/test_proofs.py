"""The four statements and S12, proved for every file; and files that break one, with the place where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.triage.domain.conditions import All, Not, read_condition
from services.triage.domain.points import least_that_hold
from services.triage.domain.proofs import Proof, prove
from services.triage.domain.protocol import Protocol, make_rule
from services.triage.protocols import load_library, read_protocol
from tests.protocols.test_files import HEAD, rule

LIBRARY = load_library()
SAFEGUARDS = LIBRARY.safeguards
PROTOCOLS = [*LIBRARY.protocols.values(), SAFEGUARDS]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.ref)
def test_every_protocol_only_ever_raises_and_sorts_nobody(protocol: Protocol) -> None:
    proof = prove(protocol, SAFEGUARDS)
    assert [one.as_data() for one in proof.statements if not one.holds] == []
    assert all(one.tried for one in proof.statements)


def broken(proof: Proof) -> dict[str, str]:
    return {one.name: one.against[0].because for one in proof.statements if not one.holds}


def on_trial(text: str) -> Protocol:
    return read_protocol((HEAD + text).encode())


def test_a_level_that_gives_up_a_service_of_the_one_below_breaks_the_first_statement() -> None:
    text = HEAD.replace("2: {css_response: section_17,", "2: {css_response: section_17, routes: [idva],")
    protocol = read_protocol((text + rule("handling: [restricted]")).encode())
    assert "loses idva" in broken(prove(protocol, SAFEGUARDS))["more_risk"]


def test_a_service_for_the_childless_that_a_child_takes_away_breaks_what_an_answer_may_do() -> None:
    alone = "without_child:\n  2: {routes: [housing], because: Said for the trial., source: none}\nrules:\n"
    protocol = read_protocol((HEAD.replace("rules:\n", alone) + rule("handling: [restricted]")).encode())
    found = broken(prove(protocol, SAFEGUARDS))
    assert "loses housing" in found["answers"]
    assert "loses housing" in found["within"]


def test_a_rule_that_falls_with_risk_is_found_even_where_the_file_check_was_passed_by() -> None:
    protocol = on_trial(rule("when: {strangulation: true}", "at_least: {child_level: 3}"))
    (one,) = protocol.rules
    assert one.condition is not None
    falling = make_rule(
        {"at_least": {"child_level": 3}, "because": "", "source": ""}, one.ref, Not(one.condition)
    )
    proof = prove(replace(protocol, case_rules=(falling,)), SAFEGUARDS)
    assert "graver" in broken(proof)["more_risk"]


def test_telling_childrens_services_by_who_somebody_is_would_be_a_level() -> None:
    protocol = on_trial(rule("only_if: {victim_consents: true}", "routes: [childrens_services]"))
    assert "victim_consents" in broken(prove(protocol, SAFEGUARDS))["s12"]


def test_a_compiled_test_that_forgets_the_unknown_is_found() -> None:
    protocol = on_trial(rule("when: {strangulation: true}", "at_least: {child_level: 3}"))
    (one,) = protocol.rules
    hasty = make_rule({"at_least": {"child_level": 3}, "because": "", "source": ""}, one.ref, one.condition)
    hasty = replace(hasty, holds=lambda facts: 2 if facts["strangulation"][0] else 0)
    assert "settled" in broken(prove(replace(protocol, case_rules=(hasty,)), SAFEGUARDS))["answers"]


def test_the_fewest_facts_that_make_a_condition_hold() -> None:
    condition = read_condition(
        {
            "any": [
                {"police_level": {"at_least": "medium"}},
                {"all": [{"stalking": True}, {"escalating": True}]},
            ]
        },
        (),
    )
    found = least_that_hold(condition)
    assert found is not None
    assert {"police_level": 1, "stalking": False, "escalating": False} in found
    assert {"police_level": 0, "stalking": True, "escalating": True} in found
    assert len(found) == 2


def test_a_condition_that_contradicts_itself_holds_nowhere() -> None:
    agreed = read_condition({"victim_consents": True}, ())
    assert least_that_hold(All((agreed, Not(agreed)))) == []
