"""What earlier incidents told of orders, couples, homes and hearings, as a later case's history tells it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from services.enrichment import domain
from shared.contracts.history import History
from shared.contracts.incident import Address, Relationship
from tests.unit.enrichment.builders import NOON, case, child, decided, record, risk, suspect, victim

DAY = 24 * 60
"""Minutes."""
HERS = Address(line1="14 Mill Lane", postcode="NB4 2QT")
HIS = Address(line1="8 Harbour Street", postcode="SX1 1AA")


def history(cases: list[domain.Case], reference: str, records: list[domain.Record] | None = None) -> History:
    return domain.join_in_order(cases, records or [])[f"northshire/{reference}"]


def couple(kind: str, one: str = "a1", other: str = "a2", **more: Any) -> list[Relationship]:
    return [Relationship.model_validate({"from": one, "to": other, "kind": kind, **more})]


def earlier(reference: str, *people: Any, days: float, **said: Any) -> domain.Case:
    """An incident that happened so many days before noon of the day."""
    moment = NOON - timedelta(days=days)
    return case(reference, *people, at=-days * DAY, occurred_at=moment, **said)


def test_orders_and_bail_of_earlier_incidents_are_told_of_the_person_who_is_here() -> None:
    cases = [
        earlier("R1", victim(), suspect(orders_in_force=["restraining"], bail_conditions=["any"]), days=60),
        case("R2", victim(id="v"), suspect(id="s")),
    ]
    found = history(cases, "R2").orders or []
    assert [(one.person, one.order, one.told_on) for one in found] == [
        ("s", "bail", date(2026, 9, 3)),
        ("s", "restraining", date(2026, 9, 3)),
    ]
    assert history(cases, "R1").orders == []


def test_a_couple_is_told_over_time_with_the_day_they_parted() -> None:
    cases = [
        earlier("R1", victim(), suspect(), days=200, relationships=couple("partner", lives_together=True)),
        earlier(
            "R2", victim(), suspect(), days=30, relationships=couple("ex_partner", separated_on="2026-09-20")
        ),
        case("R3", victim(), suspect()),
    ]
    found = {one.kind: one for one in history(cases, "R3").relationships or []}
    assert (found["partner"].ended, found["partner"].lives_together) == (date(2026, 9, 20), True)
    assert found["ex_partner"].separated_on == date(2026, 9, 20)


def test_an_adult_who_moved_from_one_family_to_another_brings_the_relationship_and_not_the_names() -> None:
    another = victim("Jane Bell", "1988-09-09")
    cases = [
        earlier("R1", another, suspect(), days=300, relationships=couple("partner")),
        case("R2", victim(), suspect()),
    ]
    [one] = history(cases, "R2").relationships or []
    assert one.kind == "partner"
    assert one.to == "a2" or one.from_ == "a2"
    assert {one.from_, one.to} - {"a2"} == {name for name in (one.from_, one.to) if name.startswith("p-")}
    assert "Bell" not in str(one.as_json())


def test_what_social_care_says_of_a_parent_is_marked_as_recorded() -> None:
    records = [
        record("css-1", "Sian Hughes", "1994-03-07", ("css-2", "parent"), child=False),
        record("css-2", "Owen Hughes", "2017-05-16", ("css-1", "parent")),
    ]
    [one] = history([case("R1", victim(), child())], "R1", records).relationships or []
    assert (one.from_, one.to, one.kind, one.recorded) == ("a1", "c1", "parent", True)
    assert one.told_first is None


def test_a_child_that_lived_in_two_homes_within_a_year_is_told_as_such() -> None:
    cases = [
        earlier("R1", victim(), child(address=HERS), days=90),
        earlier("R2", suspect(), child(address=HIS), days=400),
        case("R3", victim(), child()),
    ]
    [known] = history(cases, "R3").children_known or []
    assert known.homes == 1
    cases[1] = earlier("R2", suspect(), child(address=HIS), days=40)
    [known] = history(cases, "R3").children_known or []
    assert known.homes == 2


def test_earlier_incidents_are_counted_by_window_level_and_pair_and_rising_is_told() -> None:
    cases = [
        earlier("R1", victim(), suspect(), days=300, risk=risk("standard")),
        earlier("R2", victim(), suspect(), days=100, risk=risk("standard")),
        earlier("R3", victim(), suspect(), days=20, risk=risk("high")),
        case("R4", victim(), suspect()),
    ]
    found = history(cases, "R4")
    assert [(one.months, one.incidents) for one in found.repeats or []] == [(6, 2), (12, 3), (24, 3)]
    assert (found.repeats or [])[1].by_police_level == {"high": 1, "standard": 2}
    assert [(one.victim, one.incidents) for one in (found.repeats or [])[2].pairs] == [("a1", 3)]
    assert found.escalating == ["more_often", "graver"]
    assert history(cases, "R1").repeats == []


def test_decisions_change_no_count() -> None:
    def counted(level: int) -> Any:
        first = earlier("R1", victim(), suspect(), days=9, decided=decided(level))
        return history([first, case("R2", victim(), suspect())], "R2").repeats

    assert counted(0) == counted(4)


def test_when_a_marac_heard_a_case_is_told_beside_when_it_was_referred() -> None:
    first = case("R1", victim(), suspect(), at=1, decided=decided(marac="2026-10-02"))
    first.heard = date(2026, 10, 15)
    unreferred = case("R2", victim(), suspect(), at=2, decided=decided())
    unreferred.heard = date(2026, 10, 29)
    found = history([first, unreferred, case("R3", victim(id="v"), suspect(id="s"), at=3)], "R3").marac or []
    assert [(one.victim, one.referred_on, one.heard_on) for one in found] == [
        ("v", date(2026, 10, 2), date(2026, 10, 15)),
        ("v", None, date(2026, 10, 29)),
    ]


def test_what_only_a_likely_family_tells_is_marked_likely() -> None:
    cases = [
        earlier("R1", victim("Lauren Pugh", address=HERS, orders_in_force=["undertaking"]), days=60),
        case("R2", victim("Loz Pugh", address=HERS)),
    ]
    found = history(cases, "R2")
    assert [one.link for one in found.incidents or []] == ["likely"]
    assert [(one.person, one.order, one.link) for one in found.orders or []] == [
        ("a1", "undertaking", "likely")
    ]
    assert (found.repeats, found.escalating) == ([], [])
