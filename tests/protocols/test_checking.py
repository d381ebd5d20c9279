"""What `waymark protocols check` says of a file: every fault with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.triage.protocols import LIBRARY, load_library
from services.triage.protocols.checking import Report, check_file
from services.triage.protocols.files import read_whole
from tests.protocols.test_files import FIRST_RULE, HEAD, rule

SAFEGUARDS = load_library().safeguards
FILES = sorted(path for path in LIBRARY.glob("*.v*.yaml") if not path.name.endswith(".cases.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_published_file_has_nothing_to_mend(path: Path) -> None:
    report = check_file(path, SAFEGUARDS)
    assert [one.as_data() for one in report.remarks if one.severity != "note"] == []
    assert report.cases


def check(folder: Path, text: str, cases: str | None = None) -> Report:
    path = folder / "trial.v1.yaml"
    path.write_text(text)
    if cases is not None:
        (folder / "trial.v1.cases.yaml").write_text(cases)
    return check_file(path, SAFEGUARDS)


def kinds(report: Report) -> dict[str, str]:
    return {one.kind: one.message for one in report.remarks}


def test_every_fault_is_told_not_only_the_first() -> None:
    text = HEAD + rule("when: {strangulaton: true}", "at_least: {child_level: 4}")
    text += rule("when: {police_level: {at_least: hihg}}", "at_least: {child_level: 4}", id_="two")
    text += rule("when: {stalking: false}", "at_least: {child_level: 4}", id_="three")
    text += rule("handling: [restricted]", "covered_by: [one]", id_="four")
    faults = read_whole(text.encode(), "trial.v1.yaml").faults
    assert [fault.line for fault in faults] == [FIRST_RULE + 1, FIRST_RULE + 6, FIRST_RULE + 11]
    assert "'strangulation'" in faults[0].message
    assert "'high'" in faults[1].message
    assert "may only raise" in faults[2].message


def test_every_misshapen_part_is_told() -> None:
    text = HEAD + rule("when: {strangulation: true}", "rotues: [marac]")
    text += rule("when: {police_level: {atleast: high}}", "at_least: {child_level: 4}", id_="two")
    said = [fault.message for fault in read_whole(text.encode(), "trial.v1.yaml").faults]
    assert any("'routes'" in one for one in said)
    assert any("did you mean 'at_least'" in one for one in said)


def test_a_unit_is_told_where_one_was_written() -> None:
    text = HEAD + rule("when: {youngest_child_months: {below: 1 year}}", "at_least: {child_level: 4}")
    (fault,) = read_whole(text.encode(), "trial.v1.yaml").faults
    assert "a year is 12" in fault.message


@pytest.mark.parametrize(
    "condition",
    [
        "only_if: {all: [{victim_consents: true}, {not: {victim_consents: true}}]}",
        "when: {youngest_child_months: {below: 0}}",
        "when: {police_level: {above: high}}",
    ],
)
def test_a_rule_that_can_never_hold_is_refused_at_load(condition: str) -> None:
    (fault,) = read_whole((HEAD + rule(condition, "routes: [idva]")).encode(), "trial.v1.yaml").faults
    assert "can never hold" in fault.message
    assert fault.line == FIRST_RULE + 1


def test_a_rule_that_changes_nothing_is_told_with_what_says_as_much(tmp_path: Path) -> None:
    text = HEAD + rule("when: {police_level: high}", "at_least: {child_level: 2}")
    text += rule("when: {police_level: {at_least: medium}}", "at_least: {child_level: 3}", id_="two")
    found = kinds(check(tmp_path, text))
    assert "one is a reason and changes nothing" in found["shadowed"]
    assert "two" in found["shadowed"]


def test_a_rule_that_changes_something_is_no_shadow(tmp_path: Path) -> None:
    text = HEAD + rule("when: {police_level: high}", "at_least: {child_level: 4}")
    text += rule("when: {police_level: {at_least: medium}}", "at_least: {child_level: 3}", id_="two")
    text += rule("when: {stalking: true}", "step_up: child_level", id_="three")
    assert "shadowed" not in kinds(check(tmp_path, text))


def test_two_rules_on_the_same_facts_that_name_different_levels_are_a_conflict(tmp_path: Path) -> None:
    text = HEAD + rule("when: {police_level: high}", "at_least: {child_level: 4}")
    text += rule("when: {not: {police_level: {below: high}}}", "at_least: {child_level: 3}", id_="two")
    found = kinds(check(tmp_path, text))
    assert "one and two hold on the same facts" in found["conflict"]


def test_a_service_both_told_and_considered_is_a_conflict(tmp_path: Path) -> None:
    text = HEAD + rule("when: {strangulation: true}", "routes: [marac]", "consider: [marac]")
    assert "leave it out of consider" in kinds(check(tmp_path, text))["conflict"]


def test_a_condition_that_always_holds_is_told(tmp_path: Path) -> None:
    text = HEAD + rule("when: {police_level: {at_least: standard}}", "at_least: {child_level: 2}")
    assert "says nothing" in kinds(check(tmp_path, text))["always"]


def test_a_child_for_whom_nothing_is_said_is_a_gap(tmp_path: Path) -> None:
    text = "\n".join(line for line in HEAD.splitlines() if not line.startswith("baseline")) + "\n"
    text += rule("when: {police_level: {at_least: high}}", "at_least: {child_level: 3}")
    gap = kinds(check(tmp_path, text))["gap"]
    assert "S11" in gap
    assert "police_level medium" in gap


def test_a_level_without_a_meaning_is_a_gap(tmp_path: Path) -> None:
    text = HEAD.replace("  1: {css_response: early_help, because: Said for the trial., source: none}\n", "")
    text += rule("when: {strangulation: true}", "at_least: {child_level: 3}")
    assert "level 1" in kinds(check(tmp_path, text))["gap"]


CASES = """\
protocol: trial/1
cases:
  - name: strangled
    why: Tried.
    given: {strangulation: true}
    expect: {child_level: 3, reasons: [one]}
"""


def test_a_case_that_comes_out_otherwise_is_told_with_its_line(tmp_path: Path) -> None:
    text = HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}")
    report = check(tmp_path, text, CASES)
    (told,) = [one for one in report.remarks if one.kind == "cases"]
    assert (told.line, told.file) == (3, "trial.v1.cases.yaml")
    assert "child_level is 4, not 3" in told.message
    assert not report.good
    assert check(tmp_path, text, CASES.replace("child_level: 3", "child_level: 4")).good


def test_a_protocol_without_cases_is_not_good(tmp_path: Path) -> None:
    report = check(tmp_path, HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}"))
    assert "write trial.v1.cases.yaml" in kinds(report)["cases"]
    assert not report.good
