"""Who counts as a child, and what holds where none is known (design.md, "A protocol")."""

from __future__ import annotations

import pytest

from shared.contracts.reading import read_incident
from tests.unit.triage.builders import asked, child, decided, history, incident, raw, route, rules


def levels(body: dict) -> dict[str, int]:  # type: ignore[type-arg]
    return {one["id"]: one["child_level"] for one in body["children"]}


def test_no_child_spoken_of_is_no_level_but_a_child_is_possible() -> None:
    body = decided(incident("children", relationships=[]))
    assert body["result"]["child_level"] is None
    assert body["result"]["css_response"] == "none"
    assert body["children"] == []
    assert body["possible"]["child_level"] == 4
    assert body["possible"]["css_response"] == "section_47"
    assert "children" in asked(body)


def test_children_known_to_be_none_are_none_and_nobody_is_asked() -> None:
    body = decided(incident(children=[], relationships=[]))
    assert body["result"]["child_level"] is None
    assert body["possible"]["child_level"] is None
    assert body["possible"]["css_response"] == "none"
    assert "childrens_services" not in body["possible"]["services"]
    assert asked(body) == set()
    assert body["review"]["needed"] is False


def test_a_child_that_only_the_history_knows_is_known() -> None:
    known = history(children_known=[{"id": "k1", "child": None, "born": "2020-01-01", "area": "northbury"}])
    body = decided(incident(children=[], relationships=[]), known)
    assert levels(body) == {"k1": 2}
    assert route(body, "childrens_services")["about"] == ["k1"]


def test_a_pregnant_victim_without_children_has_an_unborn_child_at_the_top() -> None:
    body = decided(incident(children=[], relationships=[], adults__0__pregnant=True))
    assert levels(body) == {"unborn-a1": 4}
    assert body["result"]["css_response"] == "section_47"
    assert route(body, "childrens_services")["about"] == ["a1"]
    assert route(body, "midwifery")["about"] == ["a1"]


def test_pregnancy_not_recorded_without_children_counts_in_possible_only() -> None:
    body = decided(incident(children=[], relationships=[], adults__0__pregnant=None))
    assert body["result"]["css_response"] == "none"
    assert body["result"]["child_level"] is None
    assert body["possible"]["css_response"] == "section_47"
    assert {"midwifery", "childrens_services", "marac"} <= set(body["possible"]["services"])
    assert asked(body) == {"victim_pregnant"}


def test_a_man_is_not_asked_whether_he_is_pregnant() -> None:
    body = decided(incident(children=[], relationships=[], adults__0__pregnant=None, adults__0__sex="male"))
    assert body["possible"]["css_response"] == "none"
    assert asked(body) == set()


@pytest.mark.parametrize(
    ("born", "level", "rule"),
    [("2026-11-19", 4, "baby"), ("2026-11-20", 4, "baby"), ("2027-08-26", 4, "baby")],
)
def test_a_birth_date_up_to_280_days_after_the_incident_is_an_unborn_child(
    born: str, level: int, rule: str
) -> None:
    body = decided(incident(children__0__born=born))
    assert levels(body) == {"c1": level}
    assert {rule, "s1"} <= rules(body)
    assert "school-told" not in rules(body)


def test_a_birth_date_281_days_after_is_no_birth_date() -> None:
    body = decided(incident(children__0__born="2027-08-27"))
    assert levels(body) == {"c1": 1}
    assert body["possible"]["child_level"] == 4
    assert "youngest_child_months" in asked(body)


@pytest.mark.parametrize(("born", "is_baby"), [("2025-11-20", True), ("2025-11-19", False)])
def test_a_child_is_a_baby_until_its_first_birthday(born: str, is_baby: bool) -> None:
    assert ("s1" in rules(decided(incident(children__0__born=born)))) is is_baby


def test_a_baby_that_was_not_there_counts_for_the_whole_family() -> None:
    body = decided(incident(children=[child("c1"), child("c2", born="2026-09-01")]))
    assert levels(body) == {"c1": 4, "c2": 4}


def test_each_child_has_a_level_of_its_own() -> None:
    body = decided(incident(children=[child("c1", presence="witnessed"), child("c2")]))
    assert levels(body) == {"c1": 3, "c2": 1}
    assert {one["id"]: one["css_response"] for one in body["children"]} == {
        "c1": "section_17",
        "c2": "early_help",
    }
    assert body["result"]["child_level"] == 3
    assert route(body, "childrens_services")["response"] == "section_17"


def test_only_the_child_that_was_hurt_goes_to_the_child_abuse_team() -> None:
    body = decided(incident(children=[child("c1", assaulted=True), child("c2")]))
    assert route(body, "child_abuse_investigation")["about"] == ["c1"]
    assert levels(body) == {"c1": 4, "c2": 1}


def test_a_birth_date_after_the_incident_takes_no_injury_away() -> None:
    body = decided(
        incident(children__0__born="2027-01-01", children__0__assaulted=True, children__0__presence=None)
    )
    assert {"s1", "s2"} <= rules(body)
    assert asked(body) == set()


def test_an_injury_named_to_a_child_is_that_childs() -> None:
    body = decided(incident(incident__injuries=[{"to": "c1", "severity": "minor", "treated": False}]))
    assert {"s2", "child-hurt"} <= rules(body)


def test_a_victim_under_18_is_a_child_in_her_own_right() -> None:
    body = decided(
        incident(children=[], relationships=[], adults__0__born="2009-06-01", incident__violence=["slap"])
    )
    assert levels(body) == {"a1": 4}
    assert "s2" in rules(body)


def test_a_victim_of_18_is_not_a_child() -> None:
    body = decided(incident(children=[], relationships=[], adults__0__born="2008-11-19"))
    assert body["children"] == []


def test_a_suspect_under_18_is_referred_too() -> None:
    body = decided(incident(children=[], relationships=[], adults__1__born="2011-06-01"))
    assert "child-who-abuses" in rules(body)
    assert route(body, "childrens_services")["about"] == ["a2"]


def test_a_child_who_called_is_a_child_though_nobody_named_it() -> None:
    body = decided(incident("children", relationships=[], caller="child"))
    assert body["result"]["css_response"] == "section_17"
    assert "s3" in rules(body)


def test_a_listed_child_that_could_not_be_read_is_still_a_child() -> None:
    sent = raw(children=["two little ones"], relationships=[])
    body = decided(read_incident(sent).incident)
    assert body["result"]["child_level"] == 1
    assert body["possible"]["child_level"] == 4


def test_the_younger_of_two_recorded_birth_dates_protects() -> None:
    known = history(children_known=[{"id": "k1", "child": "c1", "born": "2026-05-01"}])
    assert "s1" in rules(decided(incident(), known))


def test_the_history_fills_in_an_age_that_the_police_did_not_have() -> None:
    known = history(children_known=[{"id": "k1", "child": "c1", "born": "2016-05-01"}])
    body = decided(incident(children__0__born=None), known)
    assert body["possible"]["child_level"] == 1
    assert asked(body) == set()


@pytest.mark.parametrize(
    ("born", "told"),
    [
        ("2022-08-31", True),  # four on the last day before the school year: reception
        ("2022-09-01", False),
        ("2008-11-20", True),  # still seventeen
        ("2008-11-19", False),
    ],
)
def test_the_school_is_told_from_reception_to_seventeen(born: str, told: bool) -> None:
    body = decided(incident(children__0__born=born))
    assert ("education" in body["result"]["services"]) is told


def test_the_school_is_told_though_the_child_was_not_there() -> None:
    assert route(decided(), "education")["about"] == ["c1"]


def test_the_school_is_not_told_where_the_police_did_not_attend() -> None:
    body = decided(incident(attended=False))
    assert "education" not in body["possible"]["services"]


def test_whether_the_police_attended_is_asked_where_it_decides() -> None:
    body = decided(incident(attended=None))
    assert "education" not in body["result"]["services"]
    assert "education" in body["possible"]["services"]
    assert asked(body) == {"attended"}


def test_a_child_of_unknown_age_at_a_named_school_is_of_school_age() -> None:
    body = decided(incident(children__0__born=None, children__0__school={"name": "Northbury Primary"}))
    assert route(body, "education")["about"] == ["c1"]


def test_a_child_related_only_to_a_witness_is_not_the_schools_business() -> None:
    told = raw(
        relationships=[{"from": "a3", "to": "c1", "kind": "parent"}],
    )
    told["adults"].append({"id": "a3", "role": "witness"})
    body = decided(read_incident(told).incident)
    assert "education" not in body["result"]["services"]
