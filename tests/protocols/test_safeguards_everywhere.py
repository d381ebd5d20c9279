"""The safeguards that no rule can say, under every protocol there is (safeguards.v1.yaml, held_by_engine)."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from services.triage.domain.engine import Case, Summary, as_it_could_be, as_it_stands, judge
from services.triage.domain.facts import FACTS, INQUIRIES
from services.triage.domain.findings import case_of, find
from services.triage.domain.protocol import Protocol, rule_book
from services.triage.protocols import LIBRARY, load_library
from services.triage.protocols.cases import facts_of
from services.triage.protocols.files import read_whole
from shared import vocabulary as v
from tests.protocols.test_files import HEAD, rule

LIBRARY_READ = load_library()
SAFEGUARDS = LIBRARY_READ.safeguards
every_protocol = pytest.mark.parametrize(
    "protocol", [*LIBRARY_READ.protocols.values()], ids=lambda protocol: protocol.ref
)


def outcome(protocol: Protocol, **given: Any) -> tuple[Summary, Summary]:
    """Result and possible of a family with one child of ten, of whom only `given` is to be said."""
    quiet = case_of({}, child=True)
    facts, own = facts_of(given)
    judged = judge(
        rule_book(protocol, SAFEGUARDS), Case(quiet.family, facts, ((quiet.family.children[0], own),))
    )
    return as_it_stands(judged), as_it_could_be(judged)


@every_protocol
def test_s8_what_is_unknown_counts_as_possible_and_never_lowers(protocol: Protocol) -> None:
    known, _ = outcome(protocol)
    for fact in FACTS.values():
        if fact.direction == "eligibility" or fact.name == "youngest_child_months":
            continue
        result, possible = outcome(protocol, **{fact.name: "unknown"})
        assert (result.child_level, result.css_response) == (known.child_level, known.css_response), fact.name
        assert result.services == known.services
        assert possible.css_response >= result.css_response
    _, possible = outcome(protocol, strangulation="unknown")
    assert possible.css_response >= v.CSS_RESPONSES.index("section_17")


@every_protocol
def test_s10_a_low_police_level_closes_no_childs_case(protocol: Protocol) -> None:
    for grave in ({"child_hurt": True}, {"youngest_child_months": 3}, {"child_called_for_help": True}):
        result, _ = outcome(protocol, police_level="standard", **grave)
        assert result.css_response >= v.CSS_RESPONSES.index("section_17")


@every_protocol
def test_s11_every_family_with_a_child_is_offered_something(protocol: Protocol) -> None:
    """Services only add, so what holds where nothing is known holds everywhere."""
    result, _ = outcome(protocol)
    assert result.css_response >= v.CSS_RESPONSES.index("early_help") or result.services - {
        "childrens_services", "education", "allocation_panel",
    }  # fmt: skip


def test_s11_a_file_that_leaves_a_family_without_an_offer_is_not_good() -> None:
    bare = HEAD[: HEAD.index("levels")] if "levels" in HEAD else HEAD
    bare = "\n".join(line for line in bare.splitlines() if not line.startswith("baseline"))
    text = bare + "\nbaseline: {css_response: contact_record, because: Noted., source: none}\nrules:\n"
    read = read_whole((text + rule("when: {strangulation: true}", "routes: [idva]")).encode(), "trial.v1.yaml")
    assert read.protocol is not None, read.faults
    found = find(read.protocol, ["one"], SAFEGUARDS)
    assert any(one.kind == "gap" and "S11" in one.message for one in found)


@every_protocol
def test_every_safeguard_holds_whatever_the_protocol_says(protocol: Protocol) -> None:
    for given, least in (
        ({"youngest_child_months": 11}, "section_17"),
        ({"child_hurt": True}, "section_47"),
        ({"child_called_for_help": True}, "section_17"),
        ({"threats": ["kill"]}, "section_17"),
        ({"strangulation": True}, "section_17"),
        ({"weapon_use": "threatened"}, "section_17"),
        ({"serious_sexual_offence": True}, "section_17"),
        ({"family_incidents_12_months": 3}, "contact_record"),
        ({"honour_based": True}, "section_47"),
    ):
        result, _ = outcome(protocol, **given)
        assert result.css_response >= v.CSS_RESPONSES.index(least), given
        assert "childrens_services" in result.services
        assert "safe_contact_only" in result.handling


@every_protocol
def test_s6_a_recent_separation_raises_by_a_step_and_never_lowers(protocol: Protocol) -> None:
    before, _ = outcome(protocol)
    after, _ = outcome(protocol, separated=True, days_since_separation=10)
    assert after.levels > before.levels
    twice, _ = outcome(protocol, separated=True, days_since_separation=10, contact_dispute=True)
    assert twice.levels == after.levels


def test_the_fourteen_safeguards_are_all_in_the_file() -> None:
    read = read_whole((LIBRARY / "safeguards.v1.yaml").read_bytes(), "safeguards.v1.yaml")
    document = read.document
    assert document is not None
    ids = [one["id"] for one in (*document["rules"], *document["held_by_engine"], document["never_lower"])]
    assert {f"s{number}" for number in range(1, 15)} <= {name.split("-")[0] for name in ids}
    root = LIBRARY.parents[2]
    for one in document["held_by_engine"]:
        for shown_by in one["shown_by"]:
            path, _, name = shown_by.partition("::")
            tree = ast.parse((root / path).read_text(encoding="utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_question_is_about_what_only_the_history_tells() -> None:
    """The answer would be social care's, and the question would tell the police that there is one to give."""
    asked = {FACTS[name] for name in INQUIRIES if name in FACTS}
    assert not [fact.name for fact in asked if "history." in fact.comes_from]
    assert all(inquiry.to == "police" for inquiry in INQUIRIES.values())
