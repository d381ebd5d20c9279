"""Which incidents belong to one family (docs/adr/0006-families.md)."""

from __future__ import annotations

from services.enrichment import domain
from tests.unit.enrichment.builders import adult, case, child, record, suspect, victim


def families(*cases: domain.Case, records: tuple[domain.Record, ...] = ()) -> list[list[str]]:
    return [
        [one.account.reference for one in found.cases]
        for found in domain.gather_families(cases, records).families
    ]


def test_strangers_are_in_different_families() -> None:
    assert families(case("R1", victim(), at=1), case("R2", victim("Jane Bell", "1999-09-09"), at=2)) == [
        ["R1"],
        ["R2"],
    ]


def test_any_person_in_common_makes_one_family() -> None:
    assert families(
        case("R1", victim(), suspect(), at=1), case("R2", suspect(), child(), at=2), case("R3", child(), at=3)
    ) == [["R1", "R2", "R3"]]


def test_an_incident_can_join_two_families() -> None:
    first, second = case("R1", victim(), at=1), case("R2", suspect(), at=2)
    assert families(first, second) == [["R1"], ["R2"]]
    assert families(first, second, case("R3", victim(), suspect(), at=3)) == [["R1", "R2", "R3"]]


def test_a_witness_ties_no_families_together() -> None:
    neighbour = adult("Nell Noakes", "1950-05-05", "n", role="witness")
    jane = victim("Jane Bell", "1999-09-09")
    assert families(case("R1", victim(), neighbour, at=1), case("R2", jane, neighbour, at=2)) == [
        ["R1"],
        ["R2"],
    ]


def test_social_cares_relationships_join_families() -> None:
    records = (
        record("css-1", "Sian Hughes", "1994-03-07", ("css-2", "parent"), child=False),
        record("css-2", "Owen Hughes", "2017-05-16"),
    )
    assert families(case("R1", victim(), at=1), case("R2", child(), at=2), records=records) == [["R1", "R2"]]


def test_two_councils_ids_have_nothing_to_do_with_one_another() -> None:
    records = (
        record("css-1", "Sian Hughes", "1994-03-07", ("css-2", "parent"), child=False, source="northbury-css"),
        record("css-2", "Owen Hughes", "2017-05-16", source="southmere-css"),
    )
    assert families(case("R1", victim(), at=1), case("R2", child(), at=2), records=records) == [["R1"], ["R2"]]


def test_a_withdrawn_incident_is_in_no_family_and_ties_nobody() -> None:
    first, second = case("R1", victim(), at=1), case("R2", suspect(), at=2)
    assert families(first, second, case("R3", victim(), suspect(), at=3, withdrawn=True)) == [["R1"], ["R2"]]


def numbered(*cases: tuple[domain.Case, int | None]) -> tuple[list[int], int]:
    for one, family in cases:
        one.family = family
    found = domain.gather_families([one for one, _ in cases]).families
    new = domain.number_families(found)
    return [family.number for family in found], len(new)


def test_joined_families_keep_the_older_number() -> None:
    assert numbered((case("R1", victim(), at=1), 7), (case("R2", victim(), at=2), 4)) == ([4], 0)


def test_of_parted_families_the_first_keeps_the_number_and_the_other_gets_a_fresh_one() -> None:
    assert numbered((case("R1", victim(), at=1), 4), (case("R2", suspect(), at=2), 4)) == ([4, 0], 1)


def touched(
    *cases: tuple[domain.Case, int | None], changed: set[str], unsettled: tuple[int, ...] = ()
) -> set[str]:
    for one, family in cases:
        one.family = family
    found = domain.gather_families([one for one, _ in cases])
    domain.number_families(found.families)
    changed = {f"northshire/{reference}" for reference in changed}
    return {
        case.account.reference for _, some in domain.touched_cases(found, changed, unsettled) for case in some
    }


def test_only_what_was_accepted_later_can_be_touched_by_a_new_incident() -> None:
    cases = [(case(f"R{i}", victim(), at=i), 1) for i in (1, 2, 3)]
    assert touched(*cases, changed={"R2"}) == {"R2", "R3"}
    assert touched(*cases, changed=set()) == set()


def test_all_are_touched_where_families_join_or_part_or_lose_a_member() -> None:
    joined = [(case("R1", victim(), at=1), 1), (case("R2", victim(), at=2), 2)]
    assert touched(*joined, changed={"R2"}) == {"R1", "R2"}
    parted = [(case("R1", victim(), at=1), 1), (case("R2", suspect(), at=2), 1)]
    assert touched(*parted, changed={"R2"}) == {"R1", "R2"}
    assert touched((case("R1", victim(), at=1), 1), changed=set(), unsettled=(1,)) == {"R1"}


def test_all_are_touched_where_a_new_incident_shows_that_two_people_are_one() -> None:
    sian, price = victim("Sian Hughes"), victim("Sian Price")
    cases = [(case("R1", sian, suspect(), at=1), 1), (case("R2", price, suspect(), at=2), 1)]
    alias = (case("R3", victim("Sian Price", known_as=["Sian Hughes"]), at=3), 1)
    assert touched(*cases, alias, changed={"R3"}) == {"R1", "R2", "R3"}
    assert touched(*cases, (case("R3", price, at=3), 1), changed={"R3"}) == {"R3"}


def test_what_changes_in_a_family_touches_those_likely_to_be_of_the_same_people() -> None:
    unborn = victim(born=None)
    cases = [(case("R1", victim(), at=1), 1), (case("R2", unborn, at=2), 2), (case("R3", unborn, at=3), 3)]
    assert touched(*cases, changed={"R2"}) == {"R2", "R3"}
    assert touched(*cases, changed=set(), unsettled=(1,)) == {"R1", "R2", "R3"}
