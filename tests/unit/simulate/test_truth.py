"""The truth beside a month says who is who and every error that was made, and nothing that was not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.unit.simulate.measure import assert_count, said_at
from tests.unit.simulate.sample import PROFILE, SIZE, month


def pairs() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(zip(month().incidents, month().truth, strict=True))


def errors(kind: str) -> list[dict[str, Any]]:
    return [error for true in month().truth for error in true["errors"] if error["error"] == kind]


def test_each_truth_stands_beside_its_incident() -> None:
    assert [f"{one['force']}/{one['reference']}" for one in month().incidents] == [
        t["case"] for t in month().truth
    ]


def test_every_id_of_an_incident_is_a_true_person() -> None:
    for one, true in pairs():
        known = {person["id"] for person in (*one["adults"], *one["children"])}
        # A relative who was hurt (a3) is nobody whose identity is followed.
        assert known - {"a3"} == set(true["people"])
        assert len(set(true["people"].values())) == len(true["people"])


def test_every_error_is_where_the_truth_says_and_reads_as_it_says() -> None:
    for one, true in pairs():
        for slip in (*true["errors"], *true["faults"]):
            if slip.get("error") != "child_left_out":
                assert said_at(one, slip["at"]) == slip["said"]
                assert slip["said"] != slip["was"]


def test_the_same_person_reads_the_same_wherever_no_error_was_seeded() -> None:
    seen: dict[str, dict[str, Any]] = {}
    compared = 0
    for one, true in pairs():
        spoiled = {slip["at"] for slip in (*true["errors"], *true["faults"])}
        for group in ("adults", "children"):
            for place, person in enumerate(one[group]):
                if person["id"] not in true["people"]:
                    continue
                known = seen.setdefault(true["people"][person["id"]], {})
                for pointer in ("/name/given", "/name/family", "/born"):
                    at = f"/{group}/{place}{pointer}"
                    if at not in spoiled:
                        compared += pointer in known
                        assert known.setdefault(pointer, said_at(one, at)) == said_at(one, at)
    assert compared > SIZE / 20


def test_a_child_left_out_is_missing_from_the_incident_and_nowhere_in_it() -> None:
    left_out = [(one, true) for one, true in pairs() if true["left_out"]]
    assert_count(len(left_out), SIZE, PROFILE.number("data_quality", "child_omitted_from_notification") / 251)
    for one, true in left_out:
        assert true["left_out"] not in true["people"].values()
        people = {person["id"] for person in (*one["adults"], *one["children"])}
        assert all({tie["from"], tie["to"]} <= people for tie in one["relationships"])
        assert one["children"]


def test_one_incident_in_five_has_wrong_or_missing_details_section_5_2() -> None:
    wrong = sum(
        any(e["error"] not in ("child_left_out", "moved") for e in true["errors"]) for true in month().truth
    )
    assert_count(
        wrong, SIZE, PROFILE.number("data_quality", "police_record_missing_or_wrong_demographics") / 251
    )


@pytest.mark.parametrize(
    "kind",
    [
        "typo",
        "nickname",
        "surname_changed",
        "day_and_month_swapped",
        "both_wrong",
        "missing_birth_date",
        "moved",
    ],
)
def test_every_kind_of_error_occurs(kind: str) -> None:
    assert len(errors(kind)) >= SIZE / 251


def test_a_swapped_date_is_the_same_figures_the_other_way_round() -> None:
    for error in errors("day_and_month_swapped"):
        year, month_, day = error["was"].split("-")
        assert error["said"] == f"{year}-{day}-{month_}"


def test_faults_come_at_their_rates() -> None:
    for kind in ("unreadable_date", "unknown_word"):
        count = sum(fault["fault"] == kind for true in month().truth for fault in true["faults"])
        assert_count(count, SIZE, PROFILE.number("faults", kind))


def test_repeats_are_numbered_within_the_family_as_they_happened() -> None:
    by_family: dict[str, list[tuple[int, str]]] = {}
    for one, true in pairs():
        by_family.setdefault(true["family"], []).append((true["repeat"], one["occurred_at"]))
    assert Counter(len(own) for own in by_family.values())[2] > 1
    for own in by_family.values():
        own.sort()
        assert [number for number, _ in own] == list(range(1, len(own) + 1))
        assert [when for _, when in own] == sorted(when for _, when in own)
