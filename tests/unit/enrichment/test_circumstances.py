"""Orders, separations and relationships over time: what was said stays in view with the day it was said."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.enrichment.domain.circumstances import (
    Circumstances,
    Recorded,
    Told,
    circumstances_from,
    circumstances_of,
    known_orders,
    known_relationships,
)
from shared.contracts.incident import Relationship
from tests.unit.enrichment.builders import accepted, child, suspect, victim

OWN = frozenset({"a1", "a2", "c1"})
MARCH, JUNE, AUGUST = date(2026, 3, 1), date(2026, 6, 1), date(2026, 8, 1)


def circumstances(*relationships: dict[str, Any], **of_suspect: Any) -> Circumstances:
    related = [Relationship.model_validate(one) for one in relationships]
    return circumstances_of(
        accepted("R1", victim(), suspect(**of_suspect), child(), relationships=related or None).incident
    )


def told(on: date, *relationships: dict[str, Any], **of_suspect: Any) -> Told:
    return Told(on, circumstances(*relationships, **of_suspect), lambda id_: id_)


def couple(kind: str, **more: Any) -> dict[str, Any]:
    return {"from": "a1", "to": "a2", "kind": kind, **more}


def relationships(*said: Told, recorded: list[Recorded] | None = None) -> list[dict[str, Any]]:
    found = known_relationships(said, recorded or [], OWN)
    assert list(found) == sorted(found)
    return [one.as_json() for one in found.values()]


def test_orders_and_bail_against_a_person_of_this_incident_are_told_with_the_day() -> None:
    found = known_orders(
        [
            told(MARCH, orders_in_force=["non_molestation"], bail_conditions=["not to go there"]),
            told(JUNE, orders_in_force=["non_molestation", "restraining"], orders_breached=["restraining"]),
        ],
        OWN,
    )
    assert [(one.order, one.breached, one.told_on) for one in found.values()] == [
        ("bail", False, MARCH),
        ("non_molestation", False, JUNE),
        ("restraining", True, JUNE),
    ]


def test_a_breach_once_told_stays_one() -> None:
    said = [told(MARCH, orders_breached=["restraining"]), told(JUNE, orders_in_force=["restraining"])]
    [one] = known_orders(said, OWN).values()
    assert (one.breached, one.told_on) == (True, JUNE)


def test_an_order_against_somebody_who_is_not_here_is_not_told() -> None:
    assert known_orders([told(MARCH, orders_in_force=["restraining"])], frozenset({"a1"})) == {}


def test_the_words_of_bail_conditions_are_not_kept() -> None:
    assert "High Street" not in repr(circumstances(bail_conditions=["not to enter High Street"]).as_data())


def test_a_couple_that_parted_is_told_with_both_words_and_when() -> None:
    found = relationships(
        told(MARCH, couple("partner", lives_together=True)),
        told(AUGUST, couple("ex_partner", separated_on="2026-07-15")),
    )
    assert found == [
        {
            "from": "a1", "to": "a2", "kind": "ex_partner", "separated_on": "2026-07-15",
            "told_first": "2026-08-01", "told_last": "2026-08-01", "recorded": False, "link": "certain",
        },
        {
            "from": "a1", "to": "a2", "kind": "partner", "lives_together": True, "told_first": "2026-03-01",
            "told_last": "2026-03-01", "ended": "2026-07-15", "recorded": False, "link": "certain",
        },
    ]  # fmt: skip


def test_a_separation_that_proved_to_be_none_does_not_end_the_partnership() -> None:
    """NSPCC 2009 s7.3.4: in two cases of six reports of a separation were misleading."""
    found = relationships(
        told(MARCH, couple("partner")), told(JUNE, couple("ex_partner")), told(AUGUST, couple("partner"))
    )
    [former, partner] = found
    assert (former["kind"], former["told_last"]) == ("ex_partner", "2026-06-01")
    assert "ended" not in partner
    assert (partner["told_first"], partner["told_last"]) == ("2026-03-01", "2026-08-01")


def test_a_couple_is_the_same_couple_from_both_sides_and_a_parent_is_not_a_child() -> None:
    other_way = {"from": "a2", "to": "a1", "kind": "partner"}
    assert len(relationships(told(MARCH, couple("partner")), told(JUNE, other_way))) == 1
    parent = {"from": "a1", "to": "c1", "kind": "parent"}
    [one] = relationships(told(MARCH, parent))
    assert (one["from"], one["to"]) == ("a1", "c1")


def test_what_social_cares_records_say_too_is_marked_and_what_they_alone_say_has_no_day() -> None:
    recorded: list[Recorded] = [("a1", "c1", "parent"), ("a2", "c1", "parents_partner")]
    found = relationships(told(MARCH, {"from": "a1", "to": "c1", "kind": "parent"}), recorded=recorded)
    assert [(one["kind"], one["recorded"], one.get("told_first")) for one in found] == [
        ("parent", True, "2026-03-01"),
        ("parents_partner", True, None),
    ]


def test_those_whom_the_history_may_not_name_and_strangers_to_one_another_are_left_out() -> None:
    unnamed = Told(MARCH, circumstances(couple("partner")), lambda id_: None if id_ == "a2" else id_)
    assert relationships(unnamed) == []
    assert known_relationships([told(MARCH, couple("partner"))], [], frozenset({"c9"})) == {}


def test_circumstances_are_read_back_as_they_were_written() -> None:
    said = circumstances(
        couple("ex_partner", separated_on="2026-07-15", lives_together=False),
        orders_in_force=["restraining"],
        bail_conditions=["any"],
    )
    assert circumstances_from(said.as_data()) == said
    assert circumstances_from(None) == Circumstances()
