"""What the councils know: the shares of tables 32 and 34, and two families in five that disagree (s6.2.3)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shared.contracts.records import Records
from tests.unit.simulate.measure import assert_count, assert_fits
from tests.unit.simulate.sample import PROFILE, month


def families() -> int:
    return len({true["family"] for true in month().truth})


def test_each_council_sends_one_whole_document_in_the_shape_of_the_contract() -> None:
    assert sorted(month().records) == ["northbury-css", "southmere-css"]
    for source, document in month().records.items():
        records = Records.model_validate(document)
        assert records.source == source
        assert records.whole
        ids = [person.id for person in records.people]
        assert len(set(ids)) == len(ids)
        assert {end for tie in records.relationships for end in (tie.from_, tie.to)} <= set(ids)
        assert {one.child for one in records.involvement} <= set(ids)


def test_nobody_is_listed_before_being_born_and_nothing_is_known_of_the_future() -> None:
    for document in month().records.values():
        day = document["as_of"][:10]
        assert all(person["born"] <= day for person in document["people"] if "born" in person)
        for one in document["involvement"]:
            for step in one["pathways"]:
                assert step["from"] <= (step["to"] or day) <= day


def test_one_family_in_eleven_is_not_known_table_32() -> None:
    assert_count(families() - len(month().known), families(), 22 / 251)


def test_levels_of_involvement_table_34() -> None:
    seen = Counter(known["involvement"] for known in month().known)
    lost = seen.pop(None)
    assert_count(lost, families(), 18 / 251)
    shares = PROFILE.shares("involvement")
    del shares["missing"]
    assert_fits(seen, shares)


def test_the_level_is_what_the_pathways_say_section_6_4() -> None:
    for document in month().records.values():
        for one in document["involvement"]:
            taken = {step["pathway"] for step in one["pathways"]}
            expected = (
                "open"
                if one["open"]
                else "high"
                if one["plans"]
                else "medium"
                if taken & {"section_17", "section_47", "early_help"}
                else "low"
                if taken
                else "none"
            )
            assert one["level"] == expected
            assert one["open"] == (one["worker"] is not None)


def test_two_families_in_five_differ_between_police_and_council_section_6_2_3() -> None:
    told: dict[str, bool] = {}
    first = [true for true in month().truth if true["repeat"] == 1]
    for true in first:
        told[true["family"]] = any(error["error"] != "moved" for error in true["errors"])
    known = [one for one in month().known if one["family"] in told]
    differ = sum(
        told[one["family"]] or any(error["error"] != "moved" for error in one["errors"]) for one in known
    )
    assert_count(differ, len(known), PROFILE.number("data_quality", "name_dob_or_member_discrepancy") / 179)


def test_council_ids_belong_to_the_same_true_people_as_the_incidents() -> None:
    of_family: dict[str, set[str]] = {}
    for true in month().truth:
        of_family.setdefault(true["family"], set()).update(true["people"].values())
        if true["left_out"]:
            of_family[true["family"]].add(true["left_out"])
    entries = {
        (source, person["id"]): person
        for source, document in month().records.items()
        for person in document["people"]
    }
    listed: set[tuple[str, str]] = set()
    for known in month().known:
        assert set(known["people"].values()) <= of_family[known["family"]]
        listed |= {(known["source"], council_id) for council_id in known["people"]}
    assert listed == set(entries)


def test_a_child_whom_the_police_left_out_is_known_to_the_council_section_6_2_3() -> None:
    known = {one["family"]: set(one["people"].values()) for one in month().known}
    left_out = [true for true in month().truth if true["left_out"] and true["family"] in known]
    found = sum(true["left_out"] in known[true["family"]] for true in left_out)
    assert found / len(left_out) > 0.9


def test_a_council_error_reads_as_the_truth_says() -> None:
    people: dict[tuple[str, str], dict[str, Any]] = {
        (source, person["id"]): person
        for source, document in month().records.items()
        for person in document["people"]
    }
    checked = 0
    for known in month().known:
        for error in known["errors"]:
            if error["error"] in ("moved", "person_missing"):
                continue
            council_id, *path = error["at"].split("/")
            holder: Any = people[known["source"], council_id]
            for step in path[:-1]:
                holder = holder[step]
            assert holder.get(path[-1]) == error["said"]
            checked += 1
    assert checked
