"""Who is taken for the same person, and who never is."""

from __future__ import annotations

import pytest

from services.enrichment import domain
from shared.contracts.events import IncidentAccepted
from shared.contracts.incident import Address
from tests.unit.enrichment.builders import Who, accepted, adult, child, suspect, victim


def persons_in(*bodies: IncidentAccepted) -> list[list[str]]:
    """Per incident the person behind each of its people."""
    cases = [domain.case_of(body) for body in bodies]
    persons = domain.gather_families(cases).persons
    return [[persons.of(mention) for mention in case.account.mentions] for case in cases]


def same(one: Who, other: Who) -> bool:
    """Whether two incidents' mentions are one person."""
    (mine,), (theirs,) = persons_in(accepted("R0", one), accepted("R1", other))
    return mine == theirs


@pytest.mark.parametrize(
    "spelt",
    [
        "SIAN HUGHES",
        "Siân Hughes",
        " Sian  Hughes ",
        "Si'an Hugh-es",
    ],
)
def test_case_accents_spaces_and_punctuation_do_not_make_another_person(spelt: str) -> None:
    assert same(victim("Sian Hughes"), victim(spelt))


def test_letters_without_a_separable_accent_are_folded_too() -> None:
    assert same(victim("Søren Łukasz-Ægir"), victim("Soren Lukasz Aegir"))


HOME = {"line1": "12 Hill Road", "postcode": "NB1 4QT"}


@pytest.mark.parametrize(
    "written",
    [
        victim("Sian Huhges"),
        victim("Hughes Sian"),
        victim(born="1994-07-03"),
        victim(born="1994-03-08", address=HOME),
        victim("Sian Price", address=HOME),
        victim("Sian Hughes-Price", address=HOME),
        victim(born=None, address=HOME),
    ],
)
def test_one_wrong_field_does_not_make_another_person(written: Who) -> None:
    assert same(victim(address=HOME), written)


def test_a_short_form_of_the_name_is_the_same_person() -> None:
    assert same(suspect("William Doyle"), suspect("Bill Doyle"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (child("Ava Hughes", "2020-01-05"), child("Mia Hughes", "2020-01-05")),  # twins
        (child("Ava Hughes", "2020-01-05"), child("Ada Hughes", "2020-01-05")),  # twins named alike
        (child("Ava Hughes", "2020-01-05"), child("Ava-Mae Hughes", "2021-06-09")),
        (child("Owen Hughes", "2017-05-16"), child("Cerys Hughes", "2019-08-01")),  # siblings
        (suspect("Mark Doyle", "1991-11-30"), suspect("Mark Doyle", "1966-11-30")),  # father and son
        (suspect("Mark Doyle", "1981-11-30"), child("Mark Doyle", None)),
        (victim("Sian Hughes"), victim("Sean Hughes")),
        (victim(), victim("Jane Hughes", "1990-01-01")),  # two people at one address
    ],
)
def test_look_alikes_at_one_address_are_never_one_person(one: Who, other: Who) -> None:
    at_home = [who.model_copy(update={"address": Address(**HOME)}) for who in (one, other)]
    assert not same(*at_home)


def test_namesakes_born_on_other_days_are_two_people() -> None:
    assert not same(victim(born="1994-03-07"), victim(born="1988-10-21"))


def test_a_name_also_known_as_counts() -> None:
    assert same(victim("Sian Hughes", known_as=["Sean Hughs"]), victim("Sean Hughs"))
    assert same(victim("Sian Price", known_as=["Sian Hughes"]), victim("S Hughes", known_as=["Sian Hughes"]))


def test_names_of_one_person_are_followed_from_one_incident_to_the_next() -> None:
    persons = persons_in(
        accepted("R1", victim("Sian Hughes")),
        accepted("R2", victim("Sian Price")),
        accepted("R3", victim("Sian Price", known_as=["Sian Hughes"])),
    )
    assert len({person for held in persons for person in held}) == 1


@pytest.mark.parametrize(
    "nobody",
    [
        victim(born=None),
        adult(None, "1994-03-07", "a1"),
        adult("Sian", "1994-03-07", "a1"),
        adult("S Hughes", "1994-03-07", "a1"),
        adult("Unknown Hughes", "1994-03-07", "a1"),
        adult("UNKNOWN UNKNOWN", "1994-03-07", "a1"),
        victim(born="1900-01-01"),
        child("Baby Hughes", "2026-10-01"),
        child("Unborn Hughes", "2027-02-01"),
        adult(None, "1994-03-07", "a1", known_as=["Sian", "Mrs Hughes"]),
    ],
)
def test_who_cannot_be_told_from_others_is_joined_to_nobody(nobody: Who) -> None:
    assert not same(nobody, nobody)


def test_twins_are_two_people_of_one_incident() -> None:
    [persons] = persons_in(
        accepted("R1", child("Ava Hughes", "2020-01-05", "c1"), child("Mia Hughes", "2020-01-05", "c2"))
    )
    assert len(set(persons)) == 2


def test_one_person_listed_twice_in_an_incident_is_one_person() -> None:
    [persons] = persons_in(accepted("R1", victim(), adult("Sian Hughes", "1994-03-07", "a9", role="witness")))
    assert len(set(persons)) == 1


def test_two_surnames_that_many_bear_are_not_one_written_otherwise() -> None:
    """One given name and one birth date are no rarity among many children."""
    assert not same(child("Ava Walker", "2023-08-14"), child("Ava Parker", "2023-08-14"))
    assert not same(child("Grace Johnson", "2020-02-26"), child("Grace Jones", "2020-02-26"))
    assert same(child("Ava Walker", "2023-08-14"), child("Ava Wlaker", "2023-08-14"))
    assert same(child("Grace Clarke", "2020-02-26"), child("Grace Clark", "2020-02-26"))


def test_who_suits_two_people_nearly_as_well_is_neither() -> None:
    """A son's name and home, and no birth date: it may be the father, who is called the same."""
    father, son = suspect(born="1961-11-30", address=HOME), suspect(born="1985-04-02", address=HOME)
    [[a], [b], [either]] = persons_in(
        accepted("R1", father), accepted("R2", son), accepted("R3", suspect(born=None, address=HOME))
    )
    assert len({a, b, either}) == 3


def test_a_test_incident_never_meets_a_real_person() -> None:
    [[real], [test], [other]] = persons_in(
        accepted("R1", victim()), accepted("R2", victim(), test=True), accepted("R3", victim(), test=True)
    )
    assert real != test
    assert test == other


def test_an_account_is_read_back_as_it_was_written() -> None:
    body = accepted(
        "R1",
        victim(known_as=["Sean Hughs"]),
        child(presence="asleep", school={"urn": "100001"}),
        area="northbury",
    )
    account = domain.account_of(body)
    assert domain.account_from(account.case, account.accepted_at, account.as_data()) == account
