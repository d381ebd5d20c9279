"""The other reading: a family as it would be if those who may be its people were (design.md, promise 6)."""

from __future__ import annotations

from dataclasses import dataclass

from services.enrichment.domain.families import Family, Tells
from services.enrichment.domain.people import Groups


@dataclass(frozen=True, slots=True)
class _Joined:
    """Persons of several families, some of whom are taken for one."""

    persons: Tells
    groups: Groups[str]

    def of(self, mention: str) -> str:
        """The person behind a mention, in this reading."""
        return self.groups.of(self.persons.of(mention))


def as_if_joined(family: Family) -> Family | None:
    """The family together with those whose people may be its own, as if they were; None where there are none.

    The strongest ties first, and of each other family one person at most for each of this one: two people
    of a family stay two.
    """
    if not family.likely or family.if_joined is not None:
        return family.if_joined
    groups: Groups[str] = Groups()
    taken: set[tuple[str, int]] = set()
    others: dict[int, Family] = {}
    own = {id_ for case in family.cases for id_ in case.account.mentions}
    own |= {record.holder for record in family.records}
    for tie, other in family.likely:
        others[id(other)] = other
        mine, theirs = (tie.one, tie.other) if tie.one in own else (tie.other, tie.one)
        one, their = family.persons.of(mine), other.persons.of(theirs)
        if {(one, id(other)), (their, id(other))}.isdisjoint(taken):
            taken |= {(one, id(other)), (their, id(other))}
            groups.join(one, their)
    cases = [case for one in (family, *others.values()) for case in one.cases]
    records = [record for one in (family, *others.values()) for record in one.records]
    family.if_joined = Family(
        _Joined(family.persons, groups),
        sorted(cases, key=lambda case: case.account.place),
        sorted(records, key=lambda record: (record.source, record.person.id)),
        perhaps={frozenset(map(groups.of, pair)) for one in (family, *others.values()) for pair in one.perhaps},
    )
    return family.if_joined
