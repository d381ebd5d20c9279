"""Whatever is simulated could have happened: the fields of an incident agree with one another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from shared.contracts.reading import read_incident
from shared.vocabulary import PHYSICAL_VIOLENCE
from tests.unit.simulate.measure import restored
from tests.unit.simulate.sample import month
from waymark.simulate import load_profile, simulate

NAMED_PHYSICAL = frozenset(PHYSICAL_VIOLENCE)


@cache
def cases() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(restored(one, true), true) for one, true in zip(month().incidents, month().truth, strict=True)]


def physical(one: dict[str, Any]) -> bool:
    return bool(NAMED_PHYSICAL & set(one["incident"]["violence"]))


def hurt_by_another(one: dict[str, Any]) -> bool:
    suspects = {adult["id"] for adult in one["adults"] if adult["role"] == "suspect"}
    return any(injury["to"] not in suspects for injury in one["incident"]["injuries"])


def test_the_door_reads_every_incident_and_finds_exactly_the_seeded_faults() -> None:
    for one, true in zip(month().incidents, month().truth, strict=True):
        reading = read_incident(one, now=datetime(2026, 11, 22, tzinfo=UTC))
        found = sorted((fault.at, fault.said) for fault in reading.faults)
        assert found == sorted((fault["at"], fault["said"]) for fault in true["faults"])


def test_the_level_of_violence_is_that_of_box_10() -> None:
    for one, true in cases():
        happened = one["incident"]
        severe = (
            hurt_by_another(one)
            or "kill" in happened["threats"]
            or bool(happened["weapons"])
            or bool({"strangulation", "sexual"} & set(happened["violence"]))
        )
        expected = "high" if severe else "medium" if physical(one) else "none_low"
        assert true["violence_level"] == expected, true["case"]


def test_injuries_come_only_with_physical_violence() -> None:
    assert all(physical(one) for one, _ in cases() if one["incident"]["injuries"])


def test_an_injury_that_was_treated_is_at_least_moderate_box_10() -> None:
    injuries = [injury for one, _ in cases() for injury in one["incident"]["injuries"]]
    assert not [i for i in injuries if i.get("treated") and i["severity"] == "minor"]


def test_a_telephone_call_touches_nobody_and_finds_no_child_on_the_premises() -> None:
    calls = [one for one, _ in cases() if one["place"]["kind"] == "telephone"]
    assert calls
    for one in calls:
        assert not physical(one)
        assert not one["incident"]["injuries"]
        assert not one["incident"]["weapons"]
        assert not [child for child in one["children"] if "presence" in child]


def test_a_child_was_on_the_premises_where_the_file_says_so() -> None:
    for one, true in cases():
        if true["left_out"]:
            continue
        there = [c for c in one["children"] if c.get("presence") not in (None, "not_on_premises")]
        assert bool(there) == true["children_present"]


def test_a_child_who_called_was_there_and_old_enough_section_5_3_4() -> None:
    called = [
        (one, child)
        for one, _ in cases()
        if one["caller"] == "child"
        for child in one["children"]
        if child.get("called_for_help")
    ]
    assert len(called) == sum(one["caller"] == "child" for one, _ in cases())
    for one, child in called:
        assert child["presence"] in ("witnessed", "on_premises", "another_room")
        assert date.fromisoformat(one["occurred_at"][:10]) >= date.fromisoformat(child["born"]) + timedelta(
            5 * 365
        )


def test_an_injured_child_is_named_among_the_injured_and_was_assaulted() -> None:
    for one, _ in cases():
        hurt = {injury["to"] for injury in one["incident"]["injuries"]}
        for child in one["children"]:
            assert (child["id"] in hurt) == (child.get("injured") is True)
            assert child.get("assaulted") is True or not child.get("injured")


def test_only_women_are_pregnant() -> None:
    pregnant = [adult for one, _ in cases() for adult in one["adults"] if adult.get("pregnant") is not None]
    assert pregnant
    assert {adult["sex"] for adult in pregnant} == {"female"}


def test_nobody_was_a_parent_before_sixteen_and_no_mother_after_fifty() -> None:
    for one, _ in cases():
        people = {person["id"]: person for person in (*one["adults"], *one["children"])}
        for tie in one["relationships"]:
            if tie["kind"] != "parent" or "born" not in people[tie["from"]] or "born" not in people[tie["to"]]:
                continue
            parent = people[tie["from"]]
            years = (
                date.fromisoformat(people[tie["to"]]["born"]) - date.fromisoformat(parent["born"])
            ).days / 365.25
            assert years >= 15.9
            assert parent["sex"] == "male" or years < 50


def test_siblings_are_nine_months_apart_or_twins() -> None:
    for one, _ in cases():
        born = sorted(date.fromisoformat(child["born"]) for child in one["children"] if "born" in child)
        for older, younger in pairwise(born):
            assert younger == older or (younger - older).days >= 280


def test_what_happened_comes_before_what_was_written_of_it() -> None:
    for one, _ in cases():
        moments = [one.get(name) for name in ("occurred_at", "reported_at", "attended_at", "recorded_at")]
        known = [datetime.fromisoformat(moment) for moment in moments if moment]
        assert known == sorted(known)
        assert one["attended"] or "attended_at" not in one


def test_incidents_are_sent_as_they_are_recorded_and_numbered_by_force() -> None:
    recorded = [one["recorded_at"] for one in month().incidents]
    assert recorded == sorted(recorded)
    for force in ("northshire", "southshire"):
        references = [one["reference"] for one in month().incidents if one["force"] == force]
        assert references == sorted(set(references))


def test_two_victims_means_no_suspect_no_offence_and_no_arrest_section_4_4_1() -> None:
    both = [one for one, _ in cases() if [a["role"] for a in one["adults"][:2]] == ["victim", "victim"]]
    assert both
    for one in both:
        assert one["area"] == "southmere"
        assert not one["incident"]["offences"]
        assert not physical(one)
        assert not one["actions"]["arrested"]


def test_orders_and_bail_are_broken_by_former_partners() -> None:
    for one, _ in cases():
        if {"breach_of_bail", "breach_of_injunction"} & set(one["incident"]["offences"]):
            assert one["relationships"][0]["kind"].startswith("ex_")
        if "breach_of_injunction" in one["incident"]["offences"]:
            assert any(adult.get("orders_breached") for adult in one["adults"])


def test_telephone_numbers_are_those_kept_free_for_drama_and_never_shared() -> None:
    owners: dict[str, set[str]] = {}
    for one, true in zip(month().incidents, month().truth, strict=True):
        for adult in one["adults"]:
            for phone in adult.get("phones", ()):
                owners.setdefault(phone["number"], set()).add(true["people"][adult["id"]])
    assert owners
    assert all(number.startswith("07700 900") for number in owners)
    assert all(len(people) == 1 for people in owners.values())


def test_schools_are_of_the_childs_area_and_only_for_those_of_school_age() -> None:
    urns: dict[str, set[str]] = {}
    for one, _ in cases():
        for child in one["children"]:
            if "school" in child:
                urns.setdefault(one["area"], set()).add(child["school"]["urn"])
                if "born" in child:
                    assert date.fromisoformat(one["occurred_at"][:10]).year - int(child["born"][:4]) >= 4
    assert len(urns) == 2
    assert not urns["northbury"] & urns["southmere"]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_small_months_hold_together_too(size: int) -> None:
    made = simulate(load_profile(), size, seed=3)
    assert len(made.incidents) == len(made.truth) == size
    for one in made.incidents:
        read_incident(one)


def test_the_month_is_the_one_asked_for() -> None:
    made = simulate(load_profile(), 60, seed=3, month=date(2026, 1, 1))
    reported = [datetime.fromisoformat(one["reported_at"]) for one in made.incidents if "reported_at" in one]
    assert {(moment.year, moment.month) for moment in reported} == {(2026, 1)}
