"""What goes back to the police: the state, what they are asked, who was told, what was answered."""

from __future__ import annotations

from typing import Any

from services.intake import domain

CASE = "northshire/NS-2026-000001"


def a_decision(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "revision": 1,
        "version": 1,
        "state": "to_route",
        "questions": [],
        "stages": [{"stage": "intake", "waited_ms": 0, "worked_ms": 4.0}],
    }
    return domain.told_of_decision(**{**told, **changes})


def a_branch(**changes: Any) -> dict[str, Any]:
    branch = {
        "delivery": "d-1",
        "recipient": "northbury-children",
        "service": "childrens_services",
        "version": 1,
        "state": "sent",
        "due": "2026-11-21T01:30:02Z",
        "attempts": 1,
        "breached": False,
        "ledger": [],
    }
    return {**branch, **changes}


def an_outcome(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "seq": 1,
        "revision": 1,
        "version": 1,
        "state": "in_flight",
        "answers": [],
        "branches": [a_branch()],
    }
    return domain.told_of_outcome(**{**told, **changes})


def test_questions_to_others_are_not_told_to_the_police() -> None:
    questions = [
        {"fact": "victim_pregnant", "to": "police", "because": "p", "would_add": {"services": ["midwifery"]}},
        {"fact": "child_on_a_plan", "to": "childrens_services", "because": "s", "would_add": {}},
    ]
    assert a_decision(questions=questions)["questions"] == [{"fact": "victim_pregnant", "because": "p"}]


def test_a_recipients_own_words_stay_with_it() -> None:
    answers = [
        {
            "version": 1,
            "recipient": "northbury-children",
            "service": "childrens_services",
            "delivery": "d-1",
            "kind": "rejected",
            "reason": "known to us under another name",
            "at": "2026-11-21T09:40:00Z",
        }
    ]
    assert "known to us" not in str(an_outcome(answers=answers))


def test_a_pathway_is_told() -> None:
    answers = [
        {
            "version": 1,
            "recipient": "northbury-children",
            "service": "childrens_services",
            "kind": "decided",
            "pathway": "section_47",
            "at": "2026-11-21T09:40:00Z",
        }
    ]
    assert an_outcome(answers=answers)["answers"] == answers


def test_of_a_service_told_twice_the_newer_counts() -> None:
    branches = [a_branch(version=2, state="received"), a_branch(version=1, state="sent")]
    services = an_outcome(branches=branches)["services"]
    assert [(service["version"], service["state"]) for service in services] == [(2, "received")]


def test_a_case_not_yet_decided_is_in_flight() -> None:
    assert domain.state_of(1, None, None) == "in_flight"


def test_a_decided_case_is_in_flight_until_it_is_delivered() -> None:
    assert domain.state_of(1, a_decision(), None) == "in_flight"
    assert domain.state_of(1, a_decision(), an_outcome(state="routed")) == "routed"


def test_an_outcome_of_an_older_version_does_not_hide_a_newer_decision() -> None:
    assert domain.state_of(1, a_decision(version=2, state="held"), an_outcome(state="routed")) == "held"


def test_an_amendment_is_in_flight_until_it_is_decided_itself() -> None:
    assert domain.state_of(2, a_decision(), an_outcome(state="routed")) == "in_flight"


def test_an_amendment_not_yet_decided_may_have_answered_the_questions() -> None:
    asked = a_decision(questions=[{"fact": "f", "to": "police", "because": "b"}])
    assert domain.open_questions(1, asked) == [{"fact": "f", "because": "b"}]
    assert domain.open_questions(2, asked) == []


def told(decided: dict[str, Any] | None, answered: dict[str, Any] | None) -> dict[str, Any]:
    return domain.outcome(CASE, 1, decided, answered)


def test_that_a_case_goes_on_its_way_is_no_news() -> None:
    assert not domain.is_news(told(None, None), told(a_decision(), None))
    assert not domain.is_news(told(a_decision(), None), told(a_decision(), an_outcome()))


def test_arrival_and_answers_are_news_once() -> None:
    arrived = told(a_decision(), an_outcome(state="routed"))
    assert domain.is_news(told(a_decision(), an_outcome()), arrived)
    assert not domain.is_news(arrived, told(a_decision(), an_outcome(state="routed", seq=2)))


def test_a_question_is_news_and_so_is_its_end() -> None:
    asked = told(a_decision(questions=[{"fact": "f", "to": "police", "because": "b"}]), None)
    assert domain.is_news(told(None, None), asked)
    assert domain.is_news(asked, told(a_decision(version=2), None))


def test_a_routed_case_that_is_decided_again_is_news() -> None:
    routed = told(a_decision(), an_outcome(state="routed"))
    assert domain.is_news(routed, told(a_decision(version=2), an_outcome(state="routed")))


def test_the_ledger_of_a_service_is_not_in_the_feed() -> None:
    assert all("ledger" not in service for service in told(a_decision(), an_outcome())["services"])


def test_what_was_taken_back_stays_so_while_those_who_were_told_have_yet_to_hear_and_asks_nothing() -> None:
    asked = [{"fact": "victim_pregnant", "to": "police", "because": "p"}]
    withdrawn = a_decision(revision=2, version=2, state="withdrawn", questions=asked)
    on_its_way = an_outcome(revision=2, version=2, state="in_flight")
    assert domain.state_of(2, withdrawn, on_its_way) == "withdrawn"
    assert domain.outcome(CASE, 2, withdrawn, on_its_way)["questions"] == []
    assert domain.state_of(3, withdrawn, on_its_way) == "in_flight", "it was sent again since"
    assert domain.state_of(1, a_decision(), an_outcome()) == "in_flight"
