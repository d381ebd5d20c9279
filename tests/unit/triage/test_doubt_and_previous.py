"""Likely links, earlier results and people's acts: what may raise, and what alone may not lower."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.triage.builders import SAFEGUARDS, decided, earlier, history, incident, route, rules


def likely(**parts: Any) -> Any:
    return history(**{name: [{**one, "link": "likely"} for one in ones] for name, ones in parts.items()})


REPEAT = {"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03"}


def test_a_likely_link_decides_at_the_higher_and_says_so() -> None:
    body = decided(known=likely(marac=[REPEAT]))
    assert "marac" in body["result"]["services"]
    assert body["doubt"]["rules"] == ["safeguards/1#marac-repeat"]
    assert "marac" not in body["doubt"]["without"]["services"]
    assert body["review"]["because"] == ["doubt"]


def test_a_likely_link_tells_nothing_of_the_other_record() -> None:
    body = decided(known=likely(marac=[REPEAT]))
    reason = next(r for r in body["reasons"] if r["rule"] == "safeguards/1#marac-repeat")
    assert reason["facts"] == {}
    assert reason["doubt"] is True


def test_a_certain_link_is_no_doubt() -> None:
    body = decided(known=history(marac=[REPEAT]))
    assert body["doubt"] is None
    reason = next(r for r in body["reasons"] if r["rule"] == "safeguards/1#marac-repeat")
    assert reason["facts"] == {"marac_referred_on": "2026-02-03"}


def test_a_likely_link_that_changes_nothing_is_no_doubt() -> None:
    body = decided(known=likely(incidents=[earlier("NS-0", "2020-01-01T20:00:00Z")]))
    assert body["doubt"] is None
    assert body["review"]["needed"] is False


def test_facts_that_a_likely_link_only_adds_to_are_told_without_it() -> None:
    violent = {"violence": ["push"], "violence_level": "medium"}
    known = history(
        incidents=[
            earlier("NS-01", "2024-01-01T20:00:00Z", **violent),
            earlier("NS-02", "2024-02-01T20:00:00Z", link="likely", **violent),
        ]
    )
    reason = next(r for r in decided(known=known)["reasons"] if r["rule"].endswith("#violence-before"))
    assert reason["facts"] == {"earlier_violent_incidents": 1}


def test_a_child_that_only_may_be_of_the_family_is_protected() -> None:
    known = likely(children_known=[{"id": "k9", "child": None, "born": "2026-08-01", "area": "northbury"}])
    body = decided(known=known)
    assert body["result"]["css_response"] == "section_47"
    assert body["doubt"]["without"]["css_response"] == "early_help"


def test_an_age_that_only_may_be_the_childs_takes_nothing_from_what_is_possible() -> None:
    known = likely(children_known=[{"id": "k1", "child": "c1", "born": "2014-01-01"}])
    body = decided(incident(children__0__born=None), known)
    assert body["possible"]["child_level"] == 4


def test_a_result_never_falls_by_itself() -> None:
    first = decided(incident(incident__threats=["kill"], children__0__presence="heard"))
    amended = decided(incident(), previous=first)
    assert amended["result"]["child_level"] == 4
    assert amended["result"]["css_response"] == "section_47"
    assert {"childrens_services", "marac"} <= set(amended["result"]["services"])
    assert route(amended, "childrens_services")["response"] == "section_47"
    assert "safeguards/1#s14" in route(amended, "childrens_services")["rules"]
    assert amended["children"] == [{"id": "c1", "child_level": 4, "css_response": "section_47"}]


def test_a_lower_result_is_a_proposal_to_people() -> None:
    first = decided(incident(incident__threats=["kill"]))
    amended = decided(incident(), previous=first)
    assert amended["proposal"]["css_response"] == "early_help"
    assert "lower_proposed" in amended["review"]["because"]
    assert "s14" in rules(amended)


def test_a_child_no_longer_named_keeps_its_level() -> None:
    first = decided(incident(children__0__assaulted=True))
    amended = decided(incident(children=[], relationships=[]), previous=first)
    assert amended["children"] == [{"id": "c1", "child_level": 4, "css_response": "section_47"}]
    assert route(amended, "childrens_services")["about"] == ["c1"]


def test_a_higher_result_simply_rises() -> None:
    first = decided()
    amended = decided(incident(incident__threats=["kill"]), previous=first)
    assert amended["result"]["css_response"] == "section_47"
    assert "proposal" not in amended
    assert "s14" not in rules(amended)
    assert amended["inputs"]["previous"].startswith("sha256:")


def test_deciding_again_on_the_same_changes_nothing_but_its_inputs() -> None:
    first = decided()
    again = decided(previous=first)
    assert {k: v for k, v in again.items() if k != "inputs"} == {
        k: v for k, v in first.items() if k != "inputs"
    }


def test_a_person_may_raise_alone() -> None:
    act = {"act": "raise", "to": {"child_level": 3, "services": ["family_support"]}, "because": "Seen before."}
    body = decided(people=[act])
    assert body["result"]["child_level"] == 3
    assert body["result"]["css_response"] == "section_17"
    assert route(body, "family_support")["rules"] == ["people#0"]
    assert body["inputs"]["people"][0].startswith("sha256:")


def test_a_confirmation_changes_nothing() -> None:
    assert decided(people=[{"act": "confirm"}])["result"] == decided()["result"]


def test_an_unknown_act_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="lower"):
        decided(people=[{"act": "lower", "to": {}}])


def test_the_safeguards_name_the_rule_that_holds_a_result_up() -> None:
    assert SAFEGUARDS.never_lower is not None
    assert SAFEGUARDS.never_lower.ref == "safeguards/1#s14"
