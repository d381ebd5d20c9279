"""Who is taken for the same person, and who never is."""

from __future__ import annotations

import pytest

from services.enrichment import domain
from services.enrichment.domain.people import identify
from tests.unit.enrichment.builders import Who, accepted, adult, child, victim


def same(one: Who, other: Who) -> bool:
    """Whether two incidents' mentions are one person."""
    accounts = [domain.account_of(accepted(f"R{i}", who)) for i, who in enumerate((one, other))]
    persons = identify((account.case, account.people) for account in accounts)
    return persons["northshire/R0"][0] == persons["northshire/R1"][0]


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


def test_another_name_is_another_person() -> None:
    assert not same(victim("Sian Hughes"), victim("Sean Hughes"))


def test_another_birth_date_is_another_person() -> None:
    assert not same(victim(born="1994-03-07"), victim(born="1994-07-03"))


def test_a_name_also_known_as_counts() -> None:
    assert same(victim("Sian Hughes", known_as=["Sean Hughs"]), victim("Sean Hughs"))
    assert same(victim("Sian Price", known_as=["Sian Hughes"]), victim("S Hughes", known_as=["Sian Hughes"]))


def test_names_of_one_person_are_followed_from_one_incident_to_the_next() -> None:
    accounts = [
        domain.account_of(accepted("R1", victim("Sian Hughes"))),
        domain.account_of(accepted("R2", victim("Sian Price"))),
        domain.account_of(accepted("R3", victim("Sian Price", known_as=["Sian Hughes"]))),
    ]
    persons = identify((account.case, account.people) for account in accounts)
    assert len({person for held in persons.values() for person in held}) == 1


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
    account = domain.account_of(
        accepted("R1", child("Ava Hughes", "2020-01-05", "c1"), child("Mia Hughes", "2020-01-05", "c2"))
    )
    persons = identify([(account.case, account.people)])
    assert len(set(persons[account.case])) == 2


def test_one_person_listed_twice_in_an_incident_is_one_person() -> None:
    account = domain.account_of(
        accepted("R1", victim(), adult("Sian Hughes", "1994-03-07", "a9", role="witness"))
    )
    assert len(set(identify([(account.case, account.people)])[account.case])) == 1


def test_a_test_incident_never_meets_a_real_person() -> None:
    real = domain.account_of(accepted("R1", victim()))
    test = domain.account_of(accepted("R2", victim(), test=True))
    other = domain.account_of(accepted("R3", victim(), test=True))
    assert not set(real.ties) & set(test.ties)
    assert test.ties == other.ties


def test_an_account_is_read_back_as_it_was_written() -> None:
    body = accepted(
        "R1",
        victim(known_as=["Sean Hughs"]),
        child(presence="asleep", school={"urn": "100001"}),
        area="northbury",
    )
    account = domain.account_of(body)
    assert domain.account_from(account.case, account.accepted_at, account.as_data()) == account
