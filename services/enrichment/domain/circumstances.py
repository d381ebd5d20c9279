"""Orders, bail and relationships as incidents and records tell them, gathered over time.

A separation is no end of danger (NSPCC 2009 s7.3.4, s10.4.3: it was taken for one, and was sometimes not even
true), so what was said stays in view with the day that it was said, and a later word does not wipe it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from shared import vocabulary as v
from shared.contracts.history import KnownOrder, KnownRelationship
from shared.contracts.incident import Incident

_OF_A_COUPLE: Final = frozenset({"partner", "ex_partner", "spouse", "ex_spouse"})
_PARTED: Final[dict[str, str]] = {"ex_partner": "partner", "ex_spouse": "spouse"}
EITHER_WAY: Final = _OF_A_COUPLE | {"sibling", "household_member", "other_relative"}
"""Relationships that are the same seen from both."""


@dataclass(frozen=True, slots=True)
class OrderTold:
    """An order or bail against a person of an incident, by the sender's id."""

    against: str
    order: v.OrderOrBail
    breached: bool


@dataclass(frozen=True, slots=True)
class RelationTold:
    """What an incident says of two of its people, by the sender's ids."""

    from_: str
    to: str
    kind: v.RelationshipKind | None
    separated_on: date | None
    lives_together: bool | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What one incident tells of orders and relationships."""

    orders: tuple[OrderTold, ...] = ()
    relations: tuple[RelationTold, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Plain data, as stored."""
        return {
            "orders": [[one.against, one.order, one.breached] for one in self.orders],
            "relations": [
                [
                    one.from_, one.to, one.kind,
                    None if one.separated_on is None else one.separated_on.isoformat(), one.lives_together,
                ]
                for one in self.relations
            ],
        }  # fmt: skip


NOTHING_TOLD: Final = Circumstances()


def circumstances_from(data: dict[str, Any] | None) -> Circumstances:
    """Circumstances from what `as_data` gave; none where an account was stored without."""
    if data is None:
        return NOTHING_TOLD
    return Circumstances(
        tuple(OrderTold(*one) for one in data["orders"]),
        tuple(
            RelationTold(from_, to, kind, None if day is None else date.fromisoformat(day), together)
            for from_, to, kind, day, together in data["relations"]
        ),
    )


def circumstances_of(incident: Incident) -> Circumstances:
    """The orders, bail and relationships that an incident tells."""
    orders = []
    for adult in incident.adults or ():
        breached = set(adult.orders_breached or ())
        for order in dict.fromkeys((*(adult.orders_in_force or ()), *(adult.orders_breached or ()))):
            orders.append(OrderTold(adult.id, order, order in breached))
        if adult.bail_conditions:
            orders.append(OrderTold(adult.id, "bail", breached=False))
    relations = [
        RelationTold(one.from_, one.to, one.kind, one.separated_on, one.lives_together)
        for one in incident.relationships or ()
        if one.kind is not None or one.separated_on is not None or one.lives_together is not None
    ]
    return Circumstances(tuple(orders), tuple(relations))


@dataclass(frozen=True, slots=True)
class Told:
    """What one earlier incident tells: its day, and the ids by which the history names its people (None: nobody
    that it may name)."""

    on: date
    circumstances: Circumstances
    name: Callable[[str], str | None]


def known_orders(told: Iterable[Told], own: frozenset[str]) -> dict[tuple[str, str], KnownOrder]:
    """The orders against people of this incident, each as it was told last. `told` in order of time; a breach
    that was told once stays a breach."""
    found: dict[tuple[str, str], KnownOrder] = {}
    for one in told:
        for order in one.circumstances.orders:
            person = one.name(order.against)
            if person is None or person not in own:
                continue
            before = found.get((person, order.order))
            breached = order.breached or (before is not None and before.breached)
            found[person, order.order] = KnownOrder(
                person=person, order=order.order, breached=breached, told_on=one.on
            )
    return dict(sorted(found.items()))


Recorded = tuple[str, str, v.RelationshipKind | None]
"""From, to and kind of a relationship in social care's records, by the ids of the history."""


def known_relationships(
    told: Sequence[Told], recorded: Iterable[Recorded], own: frozenset[str]
) -> dict[tuple[str, str, str], KnownRelationship]:
    """Who is or was what to whom, of those with somebody of this incident. `told` in order of time."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in told:
        for said in one.circumstances.relations:
            ends = one.name(said.from_), one.name(said.to)
            if ends[0] is None or ends[1] is None or ends[0] == ends[1] or own.isdisjoint(ends):
                continue
            key = _key(ends[0], ends[1], said.kind)
            known = found.setdefault(key, {"kind": said.kind, "told_first": one.on})
            known["told_last"] = one.on
            if said.lives_together is not None:
                known["lives_together"] = said.lives_together
            if said.separated_on is not None:
                known["separated_on"] = said.separated_on
            _end(found, ends[0], ends[1], said, one.on)
    for from_, to, kind in recorded:
        if from_ != to and not own.isdisjoint((from_, to)):
            found.setdefault(_key(from_, to, kind), {"kind": kind})["recorded"] = True
    return {
        key: KnownRelationship.model_validate({"from": key[0], "to": key[1], **known})
        for key, known in sorted(found.items())
    }


def _end(
    found: dict[tuple[str, str, str], dict[str, Any]], one: str, other: str, said: RelationTold, on: date
) -> None:
    """Who is told to be a former partner was one until then; who is told to be one again is no more parted."""
    if said.kind in _PARTED and (before := found.get(_key(one, other, _PARTED[said.kind]))) is not None:
        before.setdefault("ended", said.separated_on or on)
    elif said.kind in _PARTED.values() and (before := found.get(_key(one, other, said.kind))) is not None:
        before.pop("ended", None)


def _key(one: str, other: str, kind: str | None) -> tuple[str, str, str]:
    if kind in EITHER_WAY and other < one:
        one, other = other, one
    return (one, other, kind or "")
