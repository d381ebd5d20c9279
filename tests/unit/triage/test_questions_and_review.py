"""What is asked, who looks, what waits (design.md, "A person looks")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.triage.builders import asked, decided, history, incident, receipt, rules


def question(body: dict[str, Any], fact: str) -> dict[str, Any]:
    return next(one for one in body["questions"] if one["fact"] == fact)


def test_a_question_says_what_its_answer_would_add() -> None:
    body = decided(incident(incident__strangulation=None))
    assert question(body, "strangulation") == {
        "fact": "strangulation",
        "to": "police",
        "because": "Strangulation is among the gravest signs.",
        "would_add": {"child_level": 4, "css_response": "section_47", "services": ["marac"]},
    }


def test_a_service_to_consider_is_worth_a_question_too() -> None:
    body = decided(incident(children=[], relationships=[], incident__strangulation=None))
    assert question(body, "strangulation")["would_add"] == {"consider": ["marac"]}


def test_an_unknown_that_changes_nothing_is_not_asked() -> None:
    grave = {"incident__threats": ["kill"], "risk__level": "high"}
    assert "strangulation" not in asked(decided(incident(**grave, incident__strangulation=None)))
    assert "strangulation" in asked(decided(incident(incident__strangulation=None)))


def test_two_unknowns_that_matter_only_together_are_both_asked() -> None:
    known = history(incidents=None)
    body = decided(incident(relationships=None, incident__violence=["verbal"], incident__injuries=None), known)
    assert {"days_since_separation", "injury_severity"} <= asked(body)


def test_an_interpreter_that_was_not_recorded_is_not_asked_about() -> None:
    assert asked(decided(incident(adults__0__interpreter=None))) == set()


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"incident__threats": ["kill"]}, ["section_47"]),
        ({"children__0__assaulted": True}, ["section_47"]),
        ({"children__0__presence": "witnessed"}, []),
        ({}, []),
    ],
)
def test_a_person_looks_at_the_top_after_routing(changes: dict[str, Any], because: list[str]) -> None:
    review = decided(incident(**changes))["review"]
    assert review == {
        "needed": bool(because),
        "when": "after_routing" if because else None,
        "because": because,
    }


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        ({"incident__violence": ["punch"]}, True),
        ({"incident__injuries": [{"to": "a1", "severity": "minor", "treated": False}]}, True),
        ({"summary": "He had his hands round her neck."}, True),
        ({"summary": "She could not breathe."}, True),
        ({"incident__violence": ["push"]}, False),
        ({}, False),
    ],
)
def test_strangulation_not_recorded_but_suggested_has_a_person_look(
    changes: dict[str, Any], looks: bool
) -> None:
    body = decided(incident(incident__strangulation=None, **changes))
    assert ("strangulation_suggested" in body["review"]["because"]) is looks
    assert "strangulation" in asked(body)


def test_a_suggestion_has_nobody_look_where_the_answer_would_not_reach_section_17() -> None:
    body = decided(
        incident(children__0__presence="witnessed", incident__strangulation=None, summary="Held by the neck.",
                 risk__level="high")
    )  # fmt: skip
    assert body["result"]["css_response"] == "section_17"
    assert body["review"]["because"] == []


def test_a_written_concern_without_its_box_has_a_person_look() -> None:
    body = decided(incident(risk={"tool": "dash", "level": "standard", "yes_answers": 1,
                                  "heightened_concern": "She went very quiet."}))  # fmt: skip
    assert body["review"]["because"] == ["assessor_concern_suggested"]


def test_a_case_that_routes_nobody_though_it_could_waits_one_working_day_for_a_person() -> None:
    one = receipt(incident("children", relationships=[]))
    assert one.state == "held"
    assert one.body["review"]["needed"] is True
    assert one.body["review"]["when"] == "before_routing"
    assert "nobody_routed" in one.body["review"]["because"]
    assert one.waits_until == "2026-11-23T17:00:00Z"


def test_a_victim_without_children_whom_marac_may_hear_waits_for_its_coordinator() -> None:
    one = receipt(incident(children=[], relationships=[], incident__strangulation=True))
    assert one.body["result"]["services"] == []
    assert [considered["service"] for considered in one.body["consider"]] == ["marac"]
    assert one.state == "held"


def test_a_case_with_nobody_to_tell_by_rule_does_not_wait() -> None:
    one = receipt(incident(children=[], relationships=[]))
    assert one.state == "no_recipient_by_rule"
    assert one.waits_until is None


def test_after_waiting_in_vain_childrens_services_are_informed() -> None:
    told = incident("children", relationships=[])
    first = receipt(told)
    later = receipt(told, previous=first.body, as_of=datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    assert later.state == "to_route"
    assert later.body["result"]["css_response"] == "inform"
    assert later.body["routes"] == [
        {
            "service": "childrens_services",
            "about": [],
            "area": "northbury",
            "response": "inform",
            "due": "2026-11-26T17:00:00Z",
            "basis": "safeguarding_without_consent",
            "rules": ["safeguards/1#waited"],
        }
    ]
    assert "waited" in rules(dict(later.body))


def test_deciding_again_before_the_day_is_over_does_not_begin_the_wait_anew() -> None:
    told = incident("children", relationships=[])
    first = receipt(told)
    again = receipt(told, previous=first.body, as_of=datetime(2026, 11, 21, 9, 0, tzinfo=UTC))
    assert again.state == "held"
    assert again.waits_until == first.waits_until


def test_where_no_child_is_possible_the_case_stays_held() -> None:
    told = incident(children=[], relationships=[], consent__given=None)
    first = receipt(told)
    assert first.state == "held"
    later = receipt(told, previous=first.body, as_of=datetime(2026, 11, 25, 9, 0, tzinfo=UTC))
    assert later.state == "held"
    assert later.body["routes"] == []


def test_once_routed_after_waiting_it_stays_routed() -> None:
    told = incident("children", relationships=[])
    first = receipt(told)
    second = receipt(told, previous=first.body, as_of=datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    third = receipt(told, previous=second.body, as_of=datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    assert third.body["result"]["css_response"] == "inform"
    assert third.state == "to_route"
