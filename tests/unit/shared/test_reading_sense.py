"""What cannot be true is named, and judged to the safe side: the dangerous statement stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts.reading import Reading, read_incident
from shared.contracts.reading.rules import RULES
from tests.builders import an_incident

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read(**changes: Any) -> Reading:
    """The builders' incident as the door reads it, with changes by path: `children__0__born="x"`."""
    made: Any = an_incident()
    for path, value in changes.items():
        *steps, last = path.split("__")
        level = made
        for step in steps:
            level = level[int(step)] if isinstance(level, list) else level.setdefault(step, {})
        level[int(last) if isinstance(level, list) else last] = value
    return read_incident(made, now=NOW)


def named(reading: Reading) -> list[tuple[str, str]]:
    return [(fault.at, fault.because) for fault in reading.faults]


def because(rule: str) -> str:
    return RULES[rule].because


def value_at(reading: Reading, at: str) -> Any:
    value: Any = reading.incident
    for step in at.removeprefix("/").split("/"):
        value = (
            value[int(step)] if isinstance(value, list) else getattr(value, {"from": "from_"}.get(step, step))
        )
    return value


TIE = {"from": "a2", "to": "a1"}


@pytest.mark.parametrize(
    ("rule", "at", "changes"),
    [
        ("time_in_future", "/reported_at", {"reported_at": "2027-01-01T00:00:00Z", "attended_at": None}),
        ("reported_before", "/reported_at", {"reported_at": "2026-11-20T20:00:00Z"}),
        ("attended_before", "/attended_at", {"attended_at": "2026-11-20T22:41:00Z"}),
        ("attended_before", "/attended_at", {"attended_at": "2026-11-19T23:00:00Z", "reported_at": None}),
        ("recorded_before", "/recorded_at", {"recorded_at": "2026-11-20T12:00:00Z"}),
        ("not_attended", "/attended", {"attended": False}),
        ("birth_impossible", "/children/0/born", {"children__0__born": "1899-12-31"}),
        ("birth_impossible", "/children/0/born", {"children__0__born": "2027-08-28"}),
        ("birth_impossible", "/adults/0/born", {"adults__0__born": "2026-11-21"}),
        ("absent_but_involved", "/children/0/presence", {
            "children__0__presence": "not_on_premises", "children__0__held_by_adult": True}),
        ("absent_but_involved", "/children/0/presence", {
            "children__0__presence": "not_on_premises", "children__0__intervened": True}),
        ("absent_but_involved", "/children/0/presence", {
            "children__0__presence": "not_on_premises", "children__0__assaulted": True}),
        ("absent_but_involved", "/children/0/presence", {
            "children__0__presence": "not_on_premises", "children__0__injured": None,
            "incident__injuries": [{"to": "c1"}]}),
        ("no_children", "/children", {"children": [], "relationships": None, "caller": "child"}),
        ("no_children", "/children", {
            "children": [], "relationships": None, "incident__offences": ["child_cruelty"]}),
        ("no_children", "/children", {
            "children": [], "relationships": None, "incident__threats": ["take_children"]}),
        ("unhurt_but_injured", "/children/0/injured", {
            "children__0__injured": False, "incident__injuries": [{"to": "c1", "severity": "minor"}]}),
        ("separated_impossible", "/relationships/0/separated_on", {
            "relationships": [{**TIE, "kind": "ex_partner", "separated_on": "2027-05-01"}]}),
        ("separated_impossible", "/relationships/0/separated_on", {
            "relationships": [{**TIE, "kind": "ex_partner", "separated_on": "1990-05-01"}]}),
        ("still_together", "/relationships/0/kind", {
            "relationships": [{**TIE, "kind": "partner"}, {"from": "a1", "to": "a2", "kind": "ex_partner"}]}),
        ("not_together", "/relationships/1/lives_together", {
            "relationships": [{**TIE, "kind": "partner", "lives_together": True}, {
                "from": "a1", "to": "a2", "kind": "partner", "lives_together": False}]}),
        ("stranger_injured", "/incident/injuries/0/to", {"incident__injuries": [{"to": "nobody"}]}),
        ("stranger_armed", "/incident/weapons/0/by", {"incident__weapons": [{"by": "nobody"}]}),
        ("no_strangulation", "/incident/strangulation", {
            "incident__violence": ["strangulation"], "incident__strangulation": False}),
        ("no_strangulation", "/incident/strangulation", {
            "incident__offences": ["strangulation"], "incident__strangulation": False}),
        ("no_sexual_offence", "/incident/sexual_offence", {
            "incident__violence": ["sexual"], "incident__sexual_offence": False}),
        ("no_sexual_offence", "/incident/sexual_offence", {
            "incident__offences": ["rape"], "incident__sexual_offence": False}),
        ("no_weapons", "/incident/weapons", {"incident__violence": ["weapon"], "incident__weapons": []}),
        ("no_violence", "/incident/violence", {"incident__violence": [], "incident__strangulation": True}),
        ("no_violence", "/incident/violence", {
            "incident__violence": [], "incident__weapons": [{"kind": "knife", "use": "used"}]}),
        ("no_violence", "/incident/violence", {
            "incident__violence": [], "incident__offences": ["common_assault"]}),
        ("no_injuries", "/incident/injuries", {"incident__injuries": [], "children__0__injured": True}),
        ("no_injuries", "/incident/injuries", {
            "incident__injuries": [], "incident__weapons": [{"kind": "knife", "use": "injured"}]}),
        ("no_injuries", "/incident/injuries", {
            "incident__injuries": [], "incident__offences": ["grievous_bodily_harm"]}),
        ("no_threats", "/incident/threats", {
            "incident__threats": [], "incident__weapons": [{"kind": "knife", "use": "threatened"}]}),
        ("no_threats", "/incident/threats", {
            "incident__threats": [], "incident__offences": ["threats_to_kill"]}),
        ("no_stalking", "/incident/stalking", {
            "incident__stalking": False, "incident__offences": ["stalking"]}),
        ("no_damage", "/incident/property_damaged", {
            "incident__property_damaged": False, "incident__offences": ["criminal_damage"]}),
        ("given_unasked", "/consent/given", {"consent": {"asked": False, "given": True}}),
    ],
)  # fmt: skip
def test_the_reassuring_or_impossible_statement_is_named_and_becomes_unknown(
    rule: str, at: str, changes: dict[str, Any]
) -> None:
    reading = read(**changes)
    assert named(reading) == [(at, because(rule))]
    assert RULES[rule].treated == "unknown"
    assert value_at(reading, at) is None


@pytest.mark.parametrize(
    ("rule", "at", "changes"),
    [
        ("happened_in_future", "/occurred_at", {
            "occurred_at": "2026-12-20T22:40:00Z", "reported_at": None, "attended_at": None,
            "recorded_at": None}),
        ("same_id", "/adults/1/id", {"adults__1__id": "a1", "relationships": None}),
        ("same_id", "/children/0/id", {"children__0__id": "a1", "relationships": None}),
        ("child_of_age", "/children/0/born", {
            "children__0__born": "2008-11-20", "adults__0__born": "1980-01-01"}),
        ("adult_too_young", "/adults/0/born", {"adults__0__born": "2012-01-01", "relationships": None}),
        ("adult_too_young", "/adults/1/born", {"adults__1__born": "2018-01-01", "relationships": None}),
        ("male_pregnant", "/adults/1/pregnant", {"adults__1__pregnant": True}),
        ("breached_not_in_force", "/adults/1/orders_in_force", {
            "adults__1__orders_in_force": [], "adults__1__orders_breached": ["non_molestation"]}),
        ("parent_too_young", "/relationships/0/kind", {
            "relationships": [{"from": "a1", "to": "c1", "kind": "parent"}],
            "children__0__born": "2002-01-01"}),
    ],
)  # fmt: skip
def test_what_is_dangerous_or_undecided_is_named_and_kept(rule: str, at: str, changes: dict[str, Any]) -> None:
    reading = read(**changes)
    assert (at, because(rule)) in named(reading)
    assert RULES[rule].treated == "kept"
    assert value_at(reading, at) is not None


@pytest.mark.parametrize(
    ("rule", "tie"),
    [
        ("stranger_related", {"from": "a1", "to": "nobody", "kind": "parent"}),
        ("related_to_self", {"from": "a1", "to": "a1", "kind": "sibling"}),
    ],
)
def test_a_relationship_that_relates_nobody_is_left_aside(rule: str, tie: dict[str, Any]) -> None:
    reading = read(relationships=[{**TIE, "kind": "partner"}, tie])
    assert named(reading) == [("/relationships/1", because(rule))]
    assert [one.kind for one in reading.incident.relationships or ()] == ["partner"]


def test_two_people_who_are_each_other_s_parent_are_both_of_unknown_kin() -> None:
    ties = [{"from": "a1", "to": "c1", "kind": "parent"}, {"from": "c1", "to": "a1", "kind": "parent"}]
    reading = read(relationships=ties)
    assert {
        ("/relationships/0/kind", because("both_ways")),
        ("/relationships/1/kind", because("both_ways")),
    } <= set(named(reading))
    assert [one.kind for one in reading.incident.relationships or ()] == [None, None]
    assert {"/relationships/0/kind", "/relationships/1/kind"} <= {gap.at for gap in reading.gaps}


def test_parent_and_adult_child_of_the_same_two_agree() -> None:
    ties = [{"from": "a1", "to": "a2", "kind": "parent"}, {"from": "a2", "to": "a1", "kind": "adult_child"}]
    assert read(relationships=ties, adults__0__born="1960-01-01").faults == []


def test_a_parted_couple_may_still_be_married_and_live_together() -> None:
    ties = [
        {**TIE, "kind": "spouse", "lives_together": True},
        {**TIE, "kind": "ex_partner", "separated_on": "2026-11-16", "lives_together": True},
    ]
    assert read(relationships=ties).faults == []


def test_people_with_one_id_are_both_kept_and_whom_the_id_means_is_a_gap() -> None:
    reading = read(
        children=[{"id": "c1"}, {"id": "c1"}], relationships=[{"from": "a1", "to": "c1", "kind": "parent"}]
    )
    assert [child.id for child in reading.incident.children or ()] == ["c1", "c1"]
    assert "/relationships/0" in {gap.at for gap in reading.gaps}


def test_one_person_among_adults_and_children_is_named() -> None:
    same = {"name": {"given": "OWEN", "family": "hughes"}, "born": "2017-05-16"}
    reading = read(adults__1__name=same["name"], adults__1__born=same["born"], adults__1__role="witness")
    assert ("/children/0/name", because("listed_twice")) in named(reading)


def test_a_child_who_hits_its_mother_is_a_suspect_and_no_fault() -> None:
    assert read(adults__1__born="2012-01-01", relationships=None).faults == []


@pytest.mark.parametrize(
    "sign",
    [
        {"incident__strangulation": True, "incident__violence": ["verbal"], "incident__offences": []},
        {"incident__weapons": [{"kind": "knife", "use": "used", "by": "a2"}], "incident__violence": ["verbal"]},
        {"children__0__injured": True, "children__0__presence": "not_on_premises"},
        {"incident__threats": ["kill"], "incident__offences": []},
        {"adults__1__pregnant": True},
    ],
)
def test_no_sign_of_danger_is_ever_made_unknown_by_a_reassurance(sign: dict[str, Any]) -> None:
    reading = read(**sign)
    for path, said in sign.items():
        if said is True or path.endswith(("weapons", "threats")):
            kept = value_at(reading, "/" + path.replace("__", "/"))
            assert kept is True or len(kept) == len(said)


def test_clocks_may_differ_and_estimates_be_rough() -> None:
    reading = read(
        reported_at="2026-11-20T22:00:00Z",
        attended_at="2026-11-20T21:56:00Z",
        recorded_at="2026-11-20T22:36:00Z",
    )
    assert reading.faults == []


def test_without_today_nothing_is_in_the_future() -> None:
    made = an_incident(occurred_at="2096-11-20T22:40:00Z", reported_at=None, attended_at=None, recorded_at=None)
    assert "/occurred_at" not in {fault.at for fault in read_incident(made).faults}


def test_every_rule_has_its_reason_and_its_source() -> None:
    for rule in RULES.values():
        assert rule.source
        assert rule.because.startswith(rule.why)
