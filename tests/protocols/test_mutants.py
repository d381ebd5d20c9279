"""Break any one rule of any file: the cases, written from the sources, or the proofs notice it."""

from __future__ import annotations

import pytest

from services.triage.domain.protocol import Protocol
from services.triage.protocols import LIBRARY, load_library, read_protocol
from services.triage.protocols.cases import CasesFile, load_cases
from services.triage.protocols.files import read_whole
from services.triage.protocols.mutants import judge_mutants, summarise
from tests.protocols.test_files import HEAD, rule

LIBRARY_READ = load_library()
SAFEGUARDS = LIBRARY_READ.safeguards
PROTOCOLS = [*LIBRARY_READ.protocols.values(), SAFEGUARDS]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.ref)
def test_no_broken_rule_goes_unnoticed(protocol: Protocol) -> None:
    path = LIBRARY / f"{protocol.id}.v{protocol.version}.yaml"
    read = read_whole(path.read_bytes(), path.name)
    assert read.document is not None
    cases = load_cases(path.with_name(path.name.replace(".yaml", ".cases.yaml")))
    found = summarise(list(judge_mutants(read.document, protocol, SAFEGUARDS, cases)))
    assert found["survivors"] == []
    assert found["cases"] > found["mutants"] / 3


def judged(text: str, *expect: str) -> dict[str, str]:
    cases = {
        "protocol": "trial/1",
        "cases": [
            {
                "name": f"case {i}",
                "why": "Tried.",
                "given": {"police_level": level},
                "expect": {"child_level": n},
            }
            for i, (level, n) in enumerate(one.split() for one in expect)
        ],
    }
    read = read_whole((HEAD + text).encode(), "trial.v1.yaml")
    assert read.document is not None
    protocol = read_protocol((HEAD + text).encode())
    tried = judge_mutants(read.document, protocol, SAFEGUARDS, CasesFile.model_validate(cases))
    return {f"{one.mutant.rule}: {one.mutant.how}": one.verdict for one in tried}


MEDIUM = rule("when: {police_level: {at_least: medium}}", "at_least: {child_level: 2}")


def test_a_case_on_one_side_alone_leaves_the_threshold_open() -> None:
    found = judged(MEDIUM, "high 2")
    assert found["one: dropped"] == "cases"
    assert found["one: when turned round"] == "refused"
    assert found["one: child_level 1"] == "cases"
    assert found["one: police_level at_least high"] == "survived"
    both = judged(MEDIUM, "medium 2", "standard 1")
    assert both["one: police_level at_least high"] == both["one: police_level at_least standard"] == "cases"


def test_a_rule_that_another_stands_for_everywhere_is_shown_to_be_so() -> None:
    text = MEDIUM + rule("when: {police_level: high}", "at_least: {child_level: 2}", id_="two")
    assert judged(text, "high 2")["two: dropped"] == "equivalent"
