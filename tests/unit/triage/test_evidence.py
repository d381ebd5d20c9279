"""What an incident tells: every sign of the same thing, and the field that decides between no and unknown."""

from __future__ import annotations

from typing import Any

import pytest

from services.triage.domain.engine import gather_case
from services.triage.domain.values import Facts
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import NORTHBURY, asked, decided, history, incident, raw, rules


def facts(*without: str, **changes: Any) -> Facts:
    case, _ = gather_case(incident(*without, **changes), history(), NORTHBURY)
    return case.facts


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"incident__offences": ["threats_to_kill"]}, "s4"),
        ({"incident__offences": ["strangulation"]}, "s4-strangulation"),
        ({"incident__violence": ["strangulation"]}, "s4-strangulation"),
        ({"incident__offences": ["rape"]}, "s4-sexual-offence"),
        ({"incident__violence": ["weapon"]}, "s4-weapon"),
        ({"incident__threats": ["weapon"]}, "s4-weapon"),
        ({"incident__threats": ["fire"]}, "s4-weapon"),
        ({"incident__weapons": [{"kind": "knife", "use": "threatened"}]}, "s4-weapon"),
        ({"incident__offences": ["stalking"]}, "stalking"),
        ({"incident__violence": ["harassment"]}, "stalking"),
        ({"incident__offences": ["criminal_damage"]}, "property-damaged"),
        ({"incident__offences": ["breach_of_bail"]}, "order-breached"),
        ({"incident__offences": ["breach_of_injunction"]}, "order-breached"),
        ({"incident__offences": ["child_cruelty"]}, "s2"),
        ({"incident__offences": ["grievous_bodily_harm"]}, "injury-needs-treatment"),
        ({"incident__offences": ["attempted_murder"]}, "life-threatening-violence"),
        ({"incident__threats": ["harm_children"]}, "child-threatened"),
        ({"incident__threats": ["suicide"]}, "suicide-threatened"),
        ({"adults__1__factors": ["suicide_threat"]}, "suicide-threatened"),
        ({"adults__1__controlling": True}, "controlling"),
        ({"incident__offences": ["controlling_or_coercive"]}, "controlling"),
        ({"incident__offences": ["emotional_abuse"]}, "controlling"),
        ({"incident__offences": ["threatening_behaviour"]}, "intimidation"),
        ({"adults__0__needs": ["learning_disability"]}, "vulnerable-adult"),
        ({"adults__0__factors": ["mental_health"]}, "vulnerable-adult"),
        ({"children__0__needs": ["autism"]}, "special-needs"),
        ({"children__0__held_by_adult": True}, "child-present"),
    ],
)
def test_any_sign_is_enough(changes: dict[str, Any], rule: str) -> None:
    assert rule not in rules(decided())
    assert rule in rules(decided(incident(**changes)))


@pytest.mark.parametrize(
    ("path", "fact", "possible"),
    [
        ("incident__strangulation", "strangulation", 4),
        ("incident__threats", "threats", 4),
        ("incident__weapons", "weapon_use", 4),
        ("incident__injuries", "injury_severity", 4),
        ("incident__sexual_offence", "serious_sexual_offence", 4),
        ("incident__stalking", "stalking", 3),
        ("incident__animals_harmed", "animals_harmed", 3),
        ("incident__property_damaged", "property_damaged", 2),
        ("incident__contact_dispute", "contact_dispute", 2),
        ("incident__honour_based", "honour_based", 4),
        ("children__0__presence", "child_saw_or_heard", 3),
        ("children__0__threatened", "child_threatened", 3),
        ("children__0__intervened", "child_intervened", 3),
        ("children__0__injured", "child_hurt", 4),
        ("children__0__born", "youngest_child_months", 4),
        ("adults__0__pregnant", "victim_pregnant", 4),
        ("adults__1__orders_breached", "orders_breached", 3),
        ("adults__1__controlling", "controlling_behaviour", 2),
    ],
)
def test_what_is_missing_lowers_nothing_counts_in_possible_and_is_asked(
    path: str, fact: str, possible: int
) -> None:
    body = decided(incident(**{path: None}))
    assert body["result"]["child_level"] == 1
    assert body["possible"]["child_level"] == possible
    assert fact in asked(body)


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, 0),
        ({"incident__violence": ["verbal", "push"]}, 1),
        ({"incident__injuries": [{"to": "a1", "severity": "minor", "treated": False}]}, 2),
        ({"incident__threats": ["kill"]}, 2),
        ({"incident__threats": ["harm"]}, 0),
        ({"incident__violence": ["burn"]}, 2),
    ],
)
def test_the_level_of_violence_follows_box_10(changes: dict[str, Any], level: int) -> None:
    value = facts(**changes)["violence_level"]
    assert (value.least, value.greatest) == (level, level)


@pytest.mark.parametrize(
    ("injury", "bounds"),
    [
        ({"severity": "minor", "treated": False}, (1, 1)),
        ({"severity": "minor", "treated": True}, (2, 2)),
        ({"severity": "minor"}, (1, 2)),
        ({"severity": "serious", "treated": True}, (3, 3)),
        ({}, (1, 4)),
        ({"treated": True}, (2, 4)),
    ],
)
def test_treatment_makes_an_injury_at_least_moderate(injury: dict[str, Any], bounds: tuple[int, int]) -> None:
    value = facts(incident__injuries=[{"to": "a1", **injury}])["injury_severity"]
    assert (value.least, value.greatest) == bounds


def test_a_word_that_could_not_be_read_leaves_the_list_open() -> None:
    sent = raw(incident__threats=["harm", "throttle the cat"])
    body = decided(read_incident(sent).incident)
    assert body["result"]["child_level"] == 2
    assert body["possible"]["child_level"] == 4
    assert "threats" in asked(body)


@pytest.mark.parametrize(
    ("relationship", "separated", "days"),
    [
        ({"kind": "ex_partner", "separated_on": "2026-11-16"}, (True, True), (3, 3)),
        ({"kind": "ex_spouse"}, (True, True), (36_500, 0)),
        ({"kind": "partner"}, (False, False), (float("inf"), float("inf"))),
        ({"kind": "sibling"}, (False, False), (float("inf"), float("inf"))),
        ({"kind": "ex_partner", "separated_on": "2026-12-01"}, (False, False), (float("inf"), float("inf"))),
    ],
)
def test_separation_is_read_from_the_relationship_of_victim_and_suspect(
    relationship: dict[str, Any], separated: tuple[bool, bool], days: tuple[float, float]
) -> None:
    told = facts(relationships=[{"from": "a2", "to": "a1", **relationship}])
    assert told["separated"][:2] == separated
    assert told["days_since_separation"][:2] == days


def test_no_relationship_told_is_unknown_separation() -> None:
    body = decided(incident(relationships=None, incident__violence=["push"]))
    assert body["possible"]["child_level"] == 4  # violence after separation, and the separation recent (S6)
    assert "days_since_separation" in asked(body)


def test_violence_after_a_separation_of_unknown_date_counts() -> None:
    body = decided(
        incident(relationships=[{"from": "a1", "to": "a2", "kind": "ex_partner"}], incident__violence=["push"])
    )
    assert "post-separation" in rules(body)
    assert next(r for r in body["reasons"] if r["rule"].endswith("post-separation"))["facts"] == {
        "days_since_separation": {"at_most": 36_500},
        "physical_violence": True,
    }


def test_escalation_as_the_victim_sees_it_needs_violence_before() -> None:
    assert "violence-rising" not in rules(decided(incident(incident__escalating=True)))


def test_consent_to_share_refused_is_not_refusing_an_assessment() -> None:
    assert "assessment-refused" not in rules(decided(incident(consent__given=False)))


@pytest.mark.parametrize(
    ("risk", "sent", "asks"),
    [
        ({"concern": True, "judgement": "He watches her.", "heightened_concern": None}, True, set()),
        ({"concern": True}, False, {"assessor_concern"}),
        ({"concern": False, "heightened_concern": "Baby in arms."}, False, set()),
        ({"concern": None, "heightened_concern": "Baby in arms."}, False, {"assessor_concern"}),
    ],
)
def test_an_assessors_judgement_goes_to_marac_with_its_reason(
    risk: dict[str, Any], sent: bool, asks: set[str]
) -> None:
    body = decided(incident(risk={"tool": "dash", "level": "standard", "yes_answers": 2, **risk}))
    assert ("marac-judgement" in rules(body)) is sent
    assert asked(body) == asks


def test_yes_answers_count_on_dash_alone() -> None:
    assert "marac-high-risk" in rules(decided(incident(risk__yes_answers=14)))
    assert "marac-high-risk" not in rules(decided(incident(risk__yes_answers=14, risk__tool="dara")))


def test_no_risk_assessment_is_one_question() -> None:
    body = decided(incident(risk=None))
    assert asked(body) == {"police_level"}
    assert body["possible"]["victim_level"] == "high"
    assert "marac" in body["possible"]["services"]


def test_words_of_ethnicity_or_immigration_change_no_level() -> None:
    told = raw(adults__0__no_recourse_to_public_funds=True, adults__0__interpreter="Welsh")
    told["adults"][0]["ethnicity"] = "A1"
    told["children"][0]["ethnicity"] = "M9"
    result, plain = decided(read_incident(told).incident)["result"], decided()["result"]
    added = {"interpreter", "no_recourse_advice"}
    assert result == plain | {"services": sorted({*plain["services"], *added})}


def test_facts_that_protect_are_shown_and_change_nothing() -> None:
    body = decided(incident(protective=["safe_accommodation", "nurturing_parent"]))
    assert body["result"] == decided()["result"]
    assert [one["rule"] for one in body["mitigating"]] == [
        "london-dvrim/1#protected-child",
        "london-dvrim/1#safe-place",
    ]


@pytest.mark.parametrize(
    ("needs", "disabilities", "known"),
    [
        ([], [], True),
        ([], None, False),
        (None, [], False),
        (None, None, False),
        (["autism"], None, True),
        (None, ["deaf"], True),
    ],
)
def test_a_victims_vulnerability_is_known_to_be_none_only_by_both_lists(
    needs: list[str] | None, disabilities: list[str] | None, known: bool
) -> None:
    value = facts(adults__0__needs=needs, adults__0__disabilities=disabilities)["victim_vulnerable"]
    assert value.known is known
