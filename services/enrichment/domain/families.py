"""Which incidents belong to one family: those tied together by people (docs/adr/0006-families.md).

A family is whatever hangs together through persons that incidents have in common, witnesses aside, and
through relationships in social care's records. It is worked out afresh from the accounts each time, so
an amendment or a withdrawal that takes a tie away parts what it had joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.enrichment.domain.accounts import Case, Place, Record
from services.enrichment.domain.people import Groups, Mention, identify

Couple = frozenset[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who was in an incident, as persons. `pairs`: victim and perpetrator, each with each; `at_home`: those
    whose household it concerns; `couples`: pairs whichever way round; `told_apart`: those with a key."""

    people: tuple[tuple[Mention, str], ...]
    pairs: tuple[tuple[str | None, str | None], ...]
    children: tuple[str, ...]
    at_home: frozenset[str]
    suspected: frozenset[str]
    couples: frozenset[Couple]
    told_apart: frozenset[str]


def _cast(case: Case, persons: Sequence[str]) -> Cast:
    people = tuple(zip(case.account.people, persons, strict=True))
    pairs = tuple(case.pairs(persons))
    return Cast(
        people=people,
        pairs=pairs,
        children=tuple(dict.fromkeys(person for one, person in people if one.child)),
        at_home=frozenset(person for one, person in people if one.binds and not one.only_suspected),
        suspected=frozenset(person for one, person in people if one.only_suspected),
        couples=frozenset(frozenset((a, b)) for a, b in pairs if a is not None and b is not None),
        told_apart=frozenset(person for one, person in people if one.keys),
    )


@dataclass(slots=True)
class Family:
    """Cases in the order of acceptance, the councils' records of the same people, and who is whom.

    `before`: the numbers that its members had. `number`: the one it has now; 0 until it is given one.
    """

    cases: list[Case] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    before: set[int] = field(default_factory=set)
    number: int = 0
    _persons: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _casts: dict[str, Cast] = field(default_factory=dict)

    def cast(self, case: Case) -> Cast:
        """Who was in one of the family's incidents."""
        if case.id not in self._casts:
            self._casts[case.id] = _cast(case, self._persons_of(case.id))
        return self._casts[case.id]

    def person(self, record: Record) -> str:
        """The person that one of the family's records is of."""
        return self._persons_of(record.holder)[0]

    def _persons_of(self, holder: str) -> tuple[str, ...]:
        if not self._persons:
            self._persons = identify(
                [
                    *((case.id, case.account.people) for case in self.cases),
                    *((record.holder, (record.person,)) for record in self.records),
                ]
            )
        return self._persons[holder]

    @property
    def first(self) -> tuple[int, Place]:
        """Where the family comes in the order of families: by its first incident; without one, last."""
        if self.cases:
            return (0, self.cases[0].account.place)
        one = min(self.records, key=lambda record: (record.source, record.person.id))
        return (1, (datetime.max.replace(tzinfo=UTC), one.holder))


def gather_families(cases: Iterable[Case], records: Iterable[Record] = ()) -> list[Family]:
    """The families that the cases and records form, in order. Withdrawn incidents are in none."""
    standing = [case for case in cases if not case.account.withdrawn]
    kept = list(records)
    groups: Groups[str] = Groups()
    for case in standing:
        groups.of(f"case {case.id}")
        for key in case.account.ties:
            groups.join(f"case {case.id}", f"key {key}")
    holders = {record.holder for record in kept}
    for record in kept:
        groups.of(record.holder)
        for key in record.person.keys:
            groups.join(record.holder, f"key {key}")
        for related in record.related:
            if (other := record.holder_of(related)) in holders:
                groups.join(record.holder, other)
    families: dict[str, Family] = {}
    for case in sorted(standing, key=lambda case: case.account.place):
        family = families.setdefault(groups.of(f"case {case.id}"), Family())
        family.cases.append(case)
        if case.family is not None:
            family.before.add(case.family)
    for record in sorted(kept, key=lambda record: (record.source, record.person.id)):
        family = families.setdefault(groups.of(record.holder), Family())
        family.records.append(record)
        if record.family is not None:
            family.before.add(record.family)
    return sorted(families.values(), key=lambda family: family.first)


def number_families(families: Sequence[Family]) -> list[Family]:
    """Give each family the lowest number its members had that no family before it took.

    Returns those that need a fresh one.
    """
    taken: set[int] = set()
    new = []
    for family in families:
        free = family.before - taken
        family.number = min(free, default=0)
        if free:
            taken.add(family.number)
        else:
            new.append(family)
    return new


def touched_cases(
    families: Sequence[Family], changed: Collection[str], unsettled: Collection[int]
) -> Iterator[tuple[Family, list[Case]]]:
    """Each family with those of its cases whose history may have changed.

    Those accepted after the first `changed` one, itself included; all of them where the family was
    joined or parted, is one of the `unsettled` (by number: a member's people or records changed), or
    where a changed case has somebody go by several names: two people of the family may now be one.
    """
    claims = Counter(number for family in families for number in family.before)
    unsettled = {*unsettled, *(number for number, claimed in claims.items() if claimed > 1)}
    for family in families:
        news = [i for i, case in enumerate(family.cases) if case.id in changed]
        if (
            len(family.before) > 1
            or not unsettled.isdisjoint(family.before)
            or any(family.cases[i].account.names_several for i in news)
        ):
            yield family, family.cases
        else:
            yield family, family.cases[news[0] :] if news else []
