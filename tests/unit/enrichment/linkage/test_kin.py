"""What a list shows of look-alikes, and what follows: children are kept apart always, grown people where
anybody has kin in the files."""

from __future__ import annotations

from datetime import date

import pytest

from services.enrichment.domain.linkage import Directory, Person, shipped_model
from services.enrichment.domain.linkage.kin import ENOUGH_PEOPLE
from tests.unit.enrichment.linkage.people import child, person, single_people

TODAY = date(2026, 11, 27)


def directory(*people: Person, singles: int = ENOUGH_PEOPLE, today: date | None = TODAY) -> Directory:
    return Directory(shipped_model(), [*people, *single_people(singles)], today=today)


def sian(identity: str = "q", **said: object) -> Person:
    return person(identity, "Grace", **said)


def test_where_nobody_has_kin_a_grown_persons_other_given_name_is_weighed() -> None:
    assert directory(person("r")).link(sian()).decision == "same"


def test_in_a_register_of_families_grown_twins_are_two_people() -> None:
    kin = [person(f"k{i}", f"Given{i}", f"Clan{i // 4}", born=None) for i in range(200)]
    assert directory(person("r"), *kin).link(sian()).decision != "same"


def test_where_those_who_ask_have_kin_grown_twins_are_two_people() -> None:
    register = directory(person("r"))
    register.learn_from([sian("a"), person("b", "Mair"), person("c", "Nia")])
    assert register.link(sian()).decision != "same"


@pytest.mark.parametrize("singles", [0, ENOUGH_PEOPLE - 10])
def test_too_few_people_show_nothing_and_grown_twins_are_two_people(singles: int) -> None:
    assert directory(person("r"), singles=singles).link(sian()).decision != "same"


def test_without_a_day_to_reckon_ages_from_nobody_is_grown() -> None:
    assert directory(person("r"), today=None).link(sian()).decision != "same"


@pytest.mark.parametrize("born", ["2017-05-16", "2008-05-16", "2002-01-01"])
def test_twins_who_are_children_or_young_are_two_people_on_any_list(born: str) -> None:
    assert directory(person("r", born=born)).link(sian(born=born)).decision == "new"


def test_whoever_is_said_to_be_a_child_is_none_of_the_grown() -> None:
    assert (
        directory(child("r", "Owen", born="1994-03-07")).link(child("q", "Dylan", born="1994-03-07")).decision
        == "new"
    )


def test_of_unknown_age_twins_and_siblings_are_two_people_on_any_list() -> None:
    assert directory(person("r", born=None)).link(sian(born=None)).decision != "same"


def test_grown_siblings_are_two_people_on_any_list() -> None:
    assert directory(person("r")).link(sian(born="1996-10-21")).decision == "new"


def test_a_grown_man_and_woman_of_two_names_are_two_people_on_any_list() -> None:
    assert directory(person("r")).link(person("q", "Mark", sex="male")).decision == "new"


def test_two_police_ids_and_two_names_are_two_people_on_any_list() -> None:
    register = directory(person("r", pnc_id="2009/0123456X"))
    assert register.link(sian(pnc_id="2014/7654321B")).decision == "new"


def test_how_many_are_known_is_learnt_from_those_who_ask() -> None:
    register = directory()
    known = single_people(300)
    unknown = [person(f"u{i}", "Zelda", f"Other{i}", born=None, address=None) for i in range(300)]
    register.learn_from(known)
    assert register.known_share > 0.9
    register.learn_from(unknown)
    assert register.known_share < 0.1


def test_a_few_who_ask_change_little() -> None:
    register = directory()
    register.learn_from(single_people(2))
    assert 0.4 < register.known_share < 0.7
