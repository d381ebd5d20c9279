"""Who is never one person, and that no rule ever makes a pair more likely."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from services.enrichment.domain.linkage import Person
from services.enrichment.domain.linkage.lookalikes import keep_apart
from tests.unit.enrichment.linkage.people import ELSEWHERE, ask, child, person

SCHOOL = {"name": "Northbury Primary", "urn": "100001"}
PHONE = [{"number": "07700 900123"}]


def rule_of(query: Person, record: Person) -> str | None:
    match = ask(query, record).match
    return None if match is None or match.rule is None else match.rule.name


def test_twins_are_two_people_whatever_else_they_share() -> None:
    owen = child("owen", "Owen", school=SCHOOL, phones=PHONE)
    dylan = child("q", "Dylan", school=SCHOOL, phones=PHONE)
    assert ask(dylan, owen).decision == "new"
    assert rule_of(dylan, owen) == "twins"


def test_without_the_rule_the_weights_would_join_the_twins() -> None:
    owen = child("owen", "Owen", school=SCHOOL, phones=PHONE)
    dylan = child("q", "Dylan", school=SCHOOL, phones=PHONE)
    assert ask(dylan, owen, keep_apart=False).decision == "same"


def test_grown_up_twins_are_two_people_too() -> None:
    assert ask(person("q", "Mark", sex="male"), person("r", "Luke", sex="male")).decision == "new"


@pytest.mark.parametrize(
    ("one", "other"), [("Mia", "Mila"), ("Jayden", "Hayden"), ("Lola", "Lyla"), ("Ella", "Ellie")]
)
def test_twins_named_alike_are_not_taken_for_a_slip_of_the_pen(one: str, other: str) -> None:
    link = ask(child("q", one, sex="female"), child("r", other, sex="female"))
    assert link.decision != "same"


def test_a_boy_and_a_girl_named_alike_are_twins() -> None:
    link = ask(child("q", "Oliver", sex="male"), child("r", "Olivia", sex="female"))
    assert link.decision == "new"


def test_a_boy_and_a_girl_whose_names_differ_in_a_letter_or_two_are_not_one() -> None:
    link = ask(child("q", "Georgia", sex="female", born="2017-08-16"), child("r", "George", sex="male"))
    assert link.decision != "same"


def test_strangers_of_one_birth_date_and_school_are_not_one() -> None:
    link = ask(
        child("q", "Ella", family="Walker", school=SCHOOL, address={**ELSEWHERE, "postcode": "NB4 2QX"}),
        child("r", "Zofia", family="Nowak", school=SCHOOL),
    )
    assert link.decision != "same"


def test_siblings_are_two_people() -> None:
    link = ask(child("q", "Cerys", born="2019-08-02", sex="female"), child("r", "Owen"))
    assert link.decision == "new"


def test_siblings_whose_birth_years_differ_in_one_digit_are_two_people() -> None:
    assert ask(child("q", "Rhys", born="2015-05-16"), child("r", "Owen", born="2017-05-16")).decision == "new"


def test_a_father_and_a_son_of_one_name_are_two_people() -> None:
    father = person("r", "John", "Doyle", born="1962-04-11", sex="male", role="suspect")
    assert (
        ask(person("q", "John", "Doyle", born="1990-09-23", sex="male", role="suspect"), father).decision
        == "new"
    )
    assert rule_of(person("q", "John", "Doyle", born="1990-09-23", sex="male"), father) == "generations"


def test_a_father_and_a_son_born_on_one_day_of_the_year_are_for_a_person_to_tell_apart() -> None:
    father = person("r", "John", "Doyle", born="1962-04-11", sex="male")
    assert ask(person("q", "John", "Doyle", born="1992-04-11", sex="male"), father).decision == "likely"
    boy = child("q", "John", family="Doyle", born="2012-04-11")
    assert ask(boy, person("r", "John", "Doyle", born="1982-04-11", sex="male")).decision == "new"


def test_a_child_and_an_adult_of_one_name_without_birth_dates_are_for_a_person_to_tell_apart() -> None:
    parent = person("r", "John", "Doyle", born=None, sex="male")
    assert ask(child("q", "John", family="Doyle", born=None), parent).decision != "same"


@pytest.mark.parametrize("born", ["1993-08-19", None])
def test_people_at_one_address_are_not_one_for_living_there(born: str | None) -> None:
    link = ask(person("q", "Mark", "Doyle", born=born, sex="male", phones=PHONE), person("r", phones=PHONE))
    assert link.decision != "same"


def test_a_child_without_a_name_may_be_any_of_the_familys() -> None:
    assert ask(child("q", "baby"), child("r", "Owen")).decision == "likely"


def test_namesakes_of_other_homes_and_birth_dates_are_not_joined() -> None:
    link = ask(person("q", address=ELSEWHERE, area="southmere", born="1991-10-21"), person("r"))
    assert link.decision != "same"


def test_a_police_national_computer_id_outweighs_a_changed_name() -> None:
    record = person("r", "Marek", "Nowak", sex="male", pnc_id="2009/0123456X")
    link = ask(person("q", "Mark", "Novak", born="1994-03-08", sex="male", pnc_id="2009/0123456X"), record)
    assert link.decision == "same"


people = st.builds(
    person,
    st.just("x"),
    st.sampled_from(["Sian", "Sean", "Mark", "Mia", "Maya", "Kate", "Katherine", None, "Unknown"]),
    st.sampled_from(["Hughes", "Hughs", "Doyle", "Hughes-Doyle", None]),
    born=st.sampled_from(["1994-03-07", "1994-07-03", "1964-03-07", "2017-05-16", "2017", None]),
    sex=st.sampled_from(["female", "male", None]),
    role=st.sampled_from(["child", "victim", None]),
    phones=st.sampled_from([PHONE, [], None]),
)


@given_that(people, people)
def test_a_rule_never_makes_a_pair_more_likely(one: Person, other: Person) -> None:
    ruled, free = ask(one, other).match, ask(one, other, keep_apart=False).match
    if ruled is not None and free is not None:
        assert ruled.bits <= free.bits


@given_that(people, people)
def test_a_pair_is_the_same_pair_from_both_sides(one: Person, other: Person) -> None:
    def told(query: Person, record: Person) -> Any:
        link = ask(query, record)
        return link.decision, None if link.match is None else link.match.levels

    assert told(one, other)[0] == told(other, one)[0]


def test_of_two_people_of_an_incident_only_the_better_may_keep_a_record() -> None:
    assert keep_apart([("r1", 30.0), ("r1", 12.0), ("r2", 9.0)]) == [True, False, True]


def test_neither_keeps_a_record_that_both_fit_as_well() -> None:
    assert keep_apart([("r1", 20.0), ("r1", 20.4)]) == [False, False]
