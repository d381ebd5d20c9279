"""Protocol files that must be refused, each with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.triage.protocols import LIBRARY, ProtocolFault, load_library, load_protocol, read_protocol
from shared.errors import BadSettings

HEAD = """\
id: trial
version: 1
title: A protocol on trial
source: none
in_force_from: 2026-01-01
baseline: {child_level: 1, because: Said for the trial., source: none}
levels:
  1: {css_response: early_help, because: Said for the trial., source: none}
  2: {css_response: section_17, because: Said for the trial., source: none}
  3: {css_response: section_17, because: Said for the trial., source: none}
  4: {css_response: section_47, because: Said for the trial., source: none}
rules:
"""
FIRST_RULE = HEAD.count("\n") + 1


def rule(*lines: str, id_: str = "one") -> str:
    body = [f"  - id: {id_}", *(f"    {line}" for line in lines)]
    return "\n".join([*body, "    because: Said for the trial.", "    source: none", ""])


WHOLE = HEAD + rule("handling: [restricted]")


def refused(text: str) -> ProtocolFault:
    with pytest.raises(ProtocolFault) as fault:
        read_protocol(text.encode(), "trial.v1.yaml")
    return fault.value


def test_a_good_file_is_taken() -> None:
    protocol = read_protocol(
        (HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}")).encode()
    )
    assert protocol.ref == "trial/1"
    assert [one.ref for one in protocol.rules] == ["trial/1#one"]


def test_the_digest_is_of_what_a_file_says_not_of_how_it_is_laid_out() -> None:
    text = HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}")
    spread = HEAD + rule("when:", "  strangulation: true", "at_least:", "  child_level: 4")
    other = HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 3}")
    assert read_protocol(text.encode()).digest == read_protocol(spread.encode()).digest
    assert read_protocol(text.encode()).digest != read_protocol(other.encode()).digest


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (["when: {strangulatoin: true}", "at_least: {child_level: 4}"], 1, "did you mean 'strangulation'"),
        (["when: {strangulation: 4}", "at_least: {child_level: 4}"], 1, "strangulation"),
        (["when: {strangulation: {is: maybe}}", "at_least: {child_level: 4}"], 1, "true or false"),
        (["when: {threats: {has_any: [kil]}}", "at_least: {child_level: 4}"], 1, "did you mean 'kill'"),
        (["when: {threats: {has_any: []}}", "at_least: {child_level: 4}"], 1, "at least 1"),
        (["when: {threats: kill}", "at_least: {child_level: 4}"], 1, "'is' does not fit threats"),
        (["when: {police_level: {at_least: gold}}", "at_least: {child_level: 4}"], 1, "gold"),
        (["when: {police_level: {least: high}}", "at_least: {child_level: 4}"], 1, "did you mean 'at_least'"),
        (["when: {youngest_child_months: {below: -1}}", "at_least: {child_level: 4}"], 1, "whole number"),
        (["when: {youngest_child_months: {below: true}}", "at_least: {child_level: 4}"], 1, "number"),
        (["when: {pair_incidents: {at_least: area.marac.hours}}", "routes: [marac]"], 1, "no area sets"),
        (["when: {marac_referred_on: {some: false}}", "routes: [marac]"], 1, "true"),
        (["when: {any: []}", "at_least: {child_level: 4}"], 1, "at least 1"),
        (["when: {any: [{strangulation: true}], all: [{stalking: true}]}", "routes: [marac]"], 1, "one of all"),
        (["when: {strangulation: true}", "at_least: {child_level: 5}"], 2, "less than or equal to 4"),
        (["when: {strangulation: true}", "at_least: {child_level: true}"], 2, "integer"),
        (["when: {strangulation: true}", "at_least: {child_levle: 4}"], 2, "child_levle"),
        (["when: {strangulation: true}", "at_least: {}"], 2, "names no ladder"),
        (["when: {strangulation: true}", "routes: [marack]"], 2, "did you mean 'marac'"),
        (["when: {strangulation: true}", "rotues: [marac]"], 2, "did you mean 'routes'"),
        (["when: {strangulation: true}"], 0, "does nothing"),
        (["when: {strangulation: true}", "step_up: css_response"], 2, "child_level"),
        (["when: {strangulation: true}", "routes: [marac]", "covered_by: [two]"], 3, "no other rule 'two'"),
        (["mitigating: true", "only_if: {strangulation: true}", "routes: [marac]"], 0, "does nothing"),
    ],
)  # fmt: skip
def test_a_fault_is_refused_with_its_line_and_a_hint(lines: list[str], line: int, says: str) -> None:
    fault = refused(HEAD + rule(*lines))
    assert says in fault.message
    assert fault.line == FIRST_RULE + line
    assert str(fault).startswith(f"trial.v1.yaml, line {fault.line}: ")


@pytest.mark.parametrize(
    "when",
    [
        "{strangulation: false}",
        "{not: {strangulation: true}}",
        "{youngest_child_months: {at_least: 12}}",
        "{police_level: standard}",
        "{police_level: {below: high}}",
        "{police_level: {in: [standard, medium]}}",
        "{police_level: {in: [standard, high]}}",
        "{earlier_violent_incidents: {at_most: 1}}",
        "{not: {threats: {has_any: [kill]}}}",
        "{all: [{strangulation: true}, {not: {stalking: true}}]}",
        "{not: {marac_referred_on: {some: true}}}",
    ],
)
def test_a_rule_that_would_lower_is_refused(when: str) -> None:
    assert "may only raise" in refused(HEAD + rule(f"when: {when}", "at_least: {child_level: 2}")).message


@pytest.mark.parametrize(
    "when",
    [
        "{not: {youngest_child_months: {at_least: 12}}}",
        "{not: {strangulation: false}}",
        "{police_level: {in: [medium, high]}}",
        "{police_level: high}",
        "{not: {police_level: standard}}",
        "{not: {not: {strangulation: true}}}",
    ],
)
def test_a_rule_that_raises_by_a_detour_is_taken(when: str) -> None:
    assert read_protocol((HEAD + rule(f"when: {when}", "at_least: {child_level: 2}")).encode()).rules


@pytest.mark.parametrize(
    "name", ["school_age_children: {some: true}", "victim_consents: true", "suspect_willing: true"]
)
def test_who_a_service_is_meant_for_stands_in_only_if_alone(name: str) -> None:
    assert "only_if" in refused(HEAD + rule(f"when: {{{name}}}", "routes: [education]")).message
    assert read_protocol((HEAD + rule(f"only_if: {{{name}}}", "routes: [education]")).encode()).rules


@pytest.mark.parametrize(
    "raises", ["at_least: {child_level: 2}", "at_least: {css_response: inform}", "step_up: child_level"]
)
def test_only_if_never_raises_a_level(raises: str) -> None:
    fault = refused(HEAD + rule("only_if: {victim_consents: true}", raises))
    assert "never a level" in fault.message


def test_two_rules_of_one_name_are_refused() -> None:
    fault = refused(HEAD + rule("handling: [restricted]") + rule("handling: [restricted]"))
    assert "two rules 'one'" in fault.message


def test_the_engines_own_names_are_not_for_rules() -> None:
    assert "engine" in refused(HEAD + rule("handling: [restricted]", id_="level-4")).message


def test_a_higher_level_cannot_ask_for_less() -> None:
    assert "asks for less" in refused(WHOLE.replace("section_47", "inform")).message


def test_a_rule_cannot_stand_for_one_that_asks_for_more() -> None:
    text = HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 3}")
    text += rule("when: {stalking: true}", "at_least: {child_level: 4}", "covered_by: [one]", id_="two")
    assert "asks for less than this rule" in refused(text).message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("- one\n", "dictionary"),
        ("id: [", "expected"),
        ("id: trial\nid: other\n", "twice"),
        ("rules:\n\t- id: one\n", "tab"),
        ("a: &a [x]\nb: [*a, *a]\n", "anchors"),
        ("id: !!python/object/apply:os.getcwd []\n", "tag"),
        ("id: trial\nversion: 1\n", "missing"),
        ("x" * 300_000, "larger"),
    ],
)
def test_what_is_no_protocol_is_refused(text: str, says: str) -> None:
    assert says in refused(text).message


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ProtocolFault, match="UTF-8"):
        read_protocol(b"\xff\xfe\x00", "trial.v1.yaml")


def test_deep_nesting_is_refused_and_does_not_fall_over() -> None:
    assert "levels deep" in refused("a: " + "[" * 5000 + "]" * 5000).message


def test_a_file_goes_by_its_protocols_name(tmp_path: Path) -> None:
    path = tmp_path / "other.v1.yaml"
    path.write_text(WHOLE)
    with pytest.raises(ProtocolFault, match=r"trial\.v1\.yaml"):
        load_protocol(path)


def test_a_library_without_safeguards_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "trial.v1.yaml").write_text(WHOLE)
    with pytest.raises(BadSettings, match="safeguards"):
        load_library(tmp_path)


def test_the_newest_version_answers_to_the_bare_name(tmp_path: Path) -> None:
    (tmp_path / "safeguards.v1.yaml").write_bytes((LIBRARY / "safeguards.v1.yaml").read_bytes())
    for version in (1, 2, 10):
        (tmp_path / f"trial.v{version}.yaml").write_text(WHOLE.replace("version: 1", f"version: {version}"))
    library = load_library(tmp_path)
    newest, second = library.get("trial"), library.get("trial/2")
    assert newest is not None
    assert second is not None
    assert (newest.version, second.version) == (10, 2)
    assert library.get("trial/3") is None
    assert library.get("safeguards") is None
