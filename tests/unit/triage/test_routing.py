"""Where a case goes: which area, about whom, by when, on what basis."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.triage.domain import decide
from shared.areas import stand_in
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import (
    AREAS,
    AS_OF,
    LONDON,
    NORTHBURY,
    SAFEGUARDS,
    asked,
    child,
    decided,
    history,
    incident,
    raw,
    route,
)


def test_a_childs_route_goes_to_its_home_area() -> None:
    body = decided(incident(children__0__area="southmere"))
    assert route(body, "childrens_services")["area"] == "southmere"


def test_a_child_known_to_the_records_goes_where_they_say_it_lives() -> None:
    known = history(children_known=[{"id": "k1", "child": "c1", "area": "southmere"}])
    body = decided(incident(children__0__area=None), known)
    assert route(body, "childrens_services")["area"] == "southmere"


def test_a_child_of_no_known_home_goes_where_the_victim_lives_and_nobody_is_asked() -> None:
    body = decided(incident(children__0__area=None, adults__0__area="southmere"))
    assert route(body, "childrens_services")["area"] == "southmere"
    assert asked(body) == set()


def test_where_the_victims_home_is_unknown_too_the_incidents_area_is_told_and_the_police_asked() -> None:
    body = decided(incident(children__0__area=None, adults__0__area=None))
    assert route(body, "childrens_services")["area"] == "northbury"
    assert asked(body) == {"child_home_area"}


def test_where_no_area_is_known_at_all_a_person_looks() -> None:
    body = decided(incident(children__0__area=None, adults__0__area=None, area=None))
    assert route(body, "childrens_services")["area"] is None
    assert body["review"] == {"needed": True, "when": "after_routing", "because": ["area_missing"]}


def test_children_in_two_areas_are_two_routes_each_with_its_own_response() -> None:
    body = decided(incident(children=[child("c1", presence="witnessed"), child("c2", area="southmere")]))
    routes = {one["area"]: one for one in body["routes"] if one["service"] == "childrens_services"}
    assert routes["northbury"]["about"] == ["c1"]
    assert routes["northbury"]["response"] == "section_17"
    assert routes["southmere"]["about"] == ["c2"]
    assert routes["southmere"]["response"] == "early_help"


def test_marac_hears_of_victim_and_perpetrator_in_the_victims_area() -> None:
    body = decided(incident(risk__level="high", adults__0__area="southmere"))
    told = route(body, "marac")
    assert told["about"] == ["a1", "a2"]
    assert told["area"] == "southmere"


@pytest.mark.parametrize(
    ("changes", "response", "due"),
    [
        ({"incident__threats": ["kill"]}, "section_47", "2026-11-20T10:15:00Z"),
        ({"children__0__presence": "witnessed"}, "section_17", "2026-11-20T14:00:00Z"),
        ({}, "early_help", "2026-11-23T17:00:00Z"),
    ],
)
def test_the_response_decides_how_soon(changes: dict[str, Any], response: str, due: str) -> None:
    told = route(decided(incident(**changes)), "childrens_services")
    assert (told["response"], told["due"]) == (response, due)


def test_the_school_is_told_before_the_next_school_day() -> None:
    friday_evening = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
    assert route(decided(as_of=friday_evening), "education")["due"] == "2026-11-23T08:30:00Z"


def test_deadlines_are_those_of_the_area_that_is_told() -> None:
    friday_of_a_week_that_southmere_has_off = datetime(2026, 10, 23, 7, 0, tzinfo=UTC)
    here = decided(as_of=friday_of_a_week_that_southmere_has_off)
    there = decided(incident(children__0__area="southmere"), as_of=friday_of_a_week_that_southmere_has_off)
    assert route(here, "education")["due"] == "2026-10-23T07:30:00Z"
    assert route(there, "education")["due"] == "2026-11-02T08:30:00Z"
    assert here["inputs"]["area"] != there["inputs"]["area"]


@pytest.mark.parametrize(
    ("given", "changes", "service", "basis"),
    [
        (True, {}, "childrens_services", "consent"),
        (False, {}, "childrens_services", "safeguarding_without_consent"),
        (None, {}, "childrens_services", "safeguarding_without_consent"),
        (True, {"incident__threats": ["kill"]}, "childrens_services", "safeguarding_without_consent"),
        (True, {}, "education", "statutory_duty"),
        (True, {"risk__level": "high"}, "marac", "prevention_of_harm"),
        (True, {}, "specialist_domestic_abuse", "consent"),
        (False, {"risk__level": "high"}, "specialist_domestic_abuse", "prevention_of_harm"),
    ],
)
def test_every_route_has_its_legal_basis(
    given: bool | None, changes: dict[str, Any], service: str, basis: str
) -> None:
    body = decided(incident(consent__given=given, **changes))
    assert route(body, service)["basis"] == basis


def test_routes_come_in_the_order_of_the_vocabulary_and_services_sorted() -> None:
    body = decided(incident(risk__level="high", adults__0__pregnant=True, adults__0__needs=["autism"]))
    assert [one["service"] for one in body["routes"]] == [
        "childrens_services", "marac", "specialist_domestic_abuse", "midwifery", "education",
        "adult_safeguarding",
    ]  # fmt: skip
    assert body["result"]["services"] == sorted(body["result"]["services"])


def test_a_willing_suspect_is_told_of_to_a_programme_where_he_lives() -> None:
    told = raw(adults__1__area="southmere")
    told["adults"][1]["programme_willing"] = True
    one = route(decided(read_incident(told).incident), "perpetrator_programme")
    assert (one["about"], one["area"]) == (["a2"], "southmere")


def test_every_route_cites_a_rule_that_is_among_the_reasons() -> None:
    body = decided(incident(incident__threats=["kill"], children__0__presence="heard", caller="child"))
    given = {reason["rule"] for reason in body["reasons"]}
    for one in (*body["routes"], *body["consider"]):
        assert one["rules"]
        assert set(one["rules"]) <= given


def test_a_weaker_sign_of_the_same_thing_is_not_given_as_a_reason() -> None:
    body = decided(incident(incident__weapons=[{"kind": "knife", "use": "injured"}]))
    refs = {reason["rule"] for reason in body["reasons"]}
    assert "london-dvrim/1#weapon-injured" in refs
    assert "london-dvrim/1#weapon" not in refs


def test_an_area_that_nobody_knows_is_marked() -> None:
    body = decide(LONDON, SAFEGUARDS, stand_in(), incident(area=None), history(), AS_OF).body
    assert body["degraded"] == ["area_unknown"]


def test_the_same_inputs_give_the_same_bytes_and_another_input_another_digest() -> None:
    def of(**changes: Any) -> Any:
        return decide(
            LONDON, SAFEGUARDS, NORTHBURY, incident(**changes), history(), AS_OF, neighbours=AREAS.by_id
        )

    assert of().canonical() == of().canonical()
    assert of().digest == of().digest
    assert of(caller="friend").body["inputs"]["incident"] != of().body["inputs"]["incident"]


def test_null_and_absent_are_the_same_input() -> None:
    absent, null = incident("summary"), incident(summary=None)
    assert decided(absent)["inputs"] == decided(null)["inputs"]


def test_a_fault_that_quotes_a_number_beyond_json_does_not_stop_the_decision() -> None:
    sent = raw()
    sent["risk"]["yes_answers"] = 12345678901234567890
    sent["children"][0]["born"] = 1.5
    body = decided(read_incident(sent).incident)
    assert body["result"]["child_level"] == 1
    assert {"dash_yes_answers", "youngest_child_months"} <= asked(body)
