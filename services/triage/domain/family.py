"""Who is in a case: victims, suspects, their pairs, and every child of the family, known or possible.

A child is whoever the police list, whoever is under 18 among the adults (London 2008 s16.1, s17.2.2),
whoever the history knows, an unborn child, the child who called, and a listed child whose entry could
not be read. Where children were not spoken of at all, a child is possible and not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.triage.domain.values import HOLDS_NOT, NEVER, Value, any_of, yes_no
from shared.contracts.history import History, KnownChild
from shared.contracts.incident import Adult, Child, Incident

ADULT_AT: Final = 18 * 12
UNBORN_WITHIN: Final = timedelta(days=280)
_TAKEN_OUT: Final = re.compile(r"^(/[a-z_/]*?)/(\d+)$")


def months_old(born: date, on: date) -> int:
    """Completed calendar months from `born` to `on`."""
    return (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)


@dataclass(frozen=True, slots=True)
class Member:
    """A child of the family. `about` is the id that a route names: for an unborn child, the mother's.

    `hinges_on`: for a child that is only possible, the question that settles whether there is one.
    `named`: the police named it, so that they can be asked about it. `births`: its recorded birth dates.
    """

    id: str
    about: str
    births: tuple[date, ...] = ()
    child: Child | None = None
    adult: Adult | None = None
    known: KnownChild | None = None
    hinges_on: str | None = None
    named: bool = True
    unborn: bool = False
    area: str | None = None

    @property
    def sure(self) -> bool:
        """Known to exist."""
        return self.hinges_on is None

    def months(self, on: date) -> Value:
        """Its age; the younger where records differ, so that no record takes a baby's protection away."""
        if self.births:
            youngest = min(max(0, months_old(born, on)) for born in self.births)
            return Value(youngest, youngest)
        return Value(ADULT_AT - 1, 0, "youngest_child_months" if self.named else None)


@dataclass(frozen=True, slots=True)
class Family:
    """The people of a case on the day of the incident."""

    on: date
    victims: tuple[Adult, ...]
    suspects: tuple[Adult, ...]
    adults_known: bool
    pairs: frozenset[tuple[str, str]]
    children: tuple[Member, ...]
    broken: frozenset[str]
    """Lists of the incident from which an unreadable entry was taken out: they may be incomplete."""

    @property
    def victim_ids(self) -> tuple[str, ...]:
        """In the incident's order."""
        return tuple(adult.id for adult in self.victims)

    @property
    def suspect_ids(self) -> tuple[str, ...]:
        """In the incident's order, without those who are victims too."""
        victims = self.victim_ids
        return tuple(adult.id for adult in self.suspects if adult.id not in victims)


def gather_family(incident: Incident, history: History | None, on: date, *, likely: bool) -> Family:
    """The family as incident and history tell it; with `likely`, with what only may be theirs."""
    adults = incident.adults or ()
    # A role that was not recorded may be the victim's: whoever it is, pregnancy and needs count.
    victims = tuple(a for a in adults if a.role in ("victim", "both", None))
    suspects = tuple(a for a in adults if a.role in ("suspect", "both"))
    broken = _broken_lists(incident)
    return Family(
        on=on,
        victims=victims,
        suspects=suspects,
        adults_known=incident.adults is not None and "/adults" not in broken,
        pairs=frozenset((v.id, s.id) for v in victims for s in suspects if v.id != s.id),
        children=tuple(_children(incident, history, on, (*victims, *suspects), likely)),
        broken=broken,
    )


def pregnancy(adults: tuple[Adult, ...], ask: str, *, known: bool) -> Value:
    """Whether one of `adults` is pregnant; unknown where there may be others (`known` False)."""
    values = [HOLDS_NOT if a.pregnant is None and a.sex == "male" else yes_no(a.pregnant, ask) for a in adults]
    if not known:
        values.append(Value(False, True, ask))
    return any_of(values)


def _children(
    incident: Incident, history: History | None, on: date, involved: tuple[Adult, ...], likely: bool
) -> Iterator[Member]:
    known = [k for k in (history.children_known or ()) if likely or k.link == "certain"] if history else []
    any_child = False
    for child in incident.children or ():
        any_child = True
        yield _listed(child, [k for k in known if k.child == child.id], on)
    for fault in incident.faults or ():
        if fault.at.startswith("/children/") and fault.at.count("/") == 2:
            any_child = True
            yield Member(id=f"unread-{fault.at[10:]}", about=f"unread-{fault.at[10:]}")
    for adult in incident.adults or ():
        if adult.born is not None and months_old(adult.born, on) < ADULT_AT:
            any_child = True
            yield Member(adult.id, adult.id, births=(adult.born,), adult=adult, area=adult.area)
    listed = {child.id for child in incident.children or ()}
    for one in known:
        if one.child is None or one.child not in listed:
            any_child = True
            births = (one.born,) if one.born is not None else ()
            yield Member(one.id, one.id, births=births, known=one, named=False, area=one.area)
    for adult in {a.id: a for a in involved}.values():
        if adult.pregnant or (adult.pregnant is None and adult.sex != "male"):
            ask = "suspect_pregnant" if adult.role == "suspect" else "victim_pregnant"
            yield Member(
                f"unborn-{adult.id}", adult.id, hinges_on=None if adult.pregnant else ask, unborn=True,
                area=adult.area,
            )  # fmt: skip
    if not any_child and incident.caller == "child":
        yield Member("caller", "caller")
    if incident.children is None:
        yield Member("possible", "possible", hinges_on="children")


def _listed(child: Child, records: list[KnownChild], on: date) -> Member:
    births = {r.born for r in records if r.born is not None}
    if child.born is not None and child.born <= on + UNBORN_WITHIN:
        births.add(child.born)
    area = child.area or next((r.area for r in records if r.area and r.link == "certain"), None)
    return Member(
        id=child.id,
        about=child.id,
        births=tuple(sorted(births)),
        child=child,
        known=next((r for r in records if r.school is not None), None),
        unborn=bool(births) and min(births) > on,
        area=area,
    )


def _broken_lists(incident: Incident) -> frozenset[str]:
    if not incident.faults:
        return frozenset()
    found = (_TAKEN_OUT.match(fault.at) for fault in incident.faults)
    return frozenset(match[1] for match in found if match is not None)


def youngest(children: tuple[Member, ...], on: date) -> Value:
    """Months of the youngest born child; NEVER where there is none. Unborn children are a fact apart."""
    least, greatest, ask = NEVER, NEVER, None
    for member in children:
        if member.unborn:
            continue
        if not member.sure:
            greatest, ask = 0, ask or member.hinges_on
            continue
        months = member.months(on)
        least = min(least, months.least)
        if months.greatest < greatest:
            greatest = months.greatest
            ask = months.ask or ask
    return Value(least, greatest, ask if least != greatest else None)
