"""Which incidents belong to one family: those tied together by people (docs/adr/0006-families.md).

A family is whatever hangs together through persons that incidents have in common, witnesses aside, and
through relationships in social care's records. It is worked out afresh from the accounts each time, so
an amendment or a withdrawal that takes a tie away parts what it had joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Final, Protocol

from services.enrichment.domain.accounts import Case, Place, Record
from services.enrichment.domain.people import Groups, Mention
from services.enrichment.domain.persons import Evidence, Persons, same_grouping
from services.enrichment.domain.ties import Ruling, Tie, tie_all

Couple = frozenset[str]


class Tells(Protocol):
    """Tells the person behind a mention."""

    def of(self, mention: str) -> str:
        """A name for the person."""
        ...


@dataclass(frozen=True, slots=True)
class Cast:
    """Who was in an incident, as persons. `pairs`: victim and perpetrator, each with each; `at_home`: those
    whose household it concerns; `couples`: pairs whichever way round; `told_apart`: those with a full name
    and a birth date."""

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
        told_apart=frozenset(person for one, person in people if one.told_apart),
    )


@dataclass(slots=True)
class Family:
    """Cases in the order of acceptance, the councils' records of the same people, and who is whom.

    `before`: the numbers that its members had. `number`: the one it has now; 0 until it is given one.
    `likely`: ties, the strongest first, with mentions of other families that may be the same people, each
    with that family; `perhaps`: pairs of persons of this family who may be one.
    """

    persons: Tells
    cases: list[Case] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    before: set[int] = field(default_factory=set)
    number: int = 0
    likely: list[tuple[Tie, Family]] = field(default_factory=list, repr=False)
    perhaps: set[Couple] = field(default_factory=set)
    if_joined: Family | None = field(default=None, repr=False)
    """Kept by `likely.as_if_joined`."""
    _casts: dict[str, Cast] = field(default_factory=dict)

    def cast(self, case: Case) -> Cast:
        """Who was in one of the family's incidents."""
        if case.id not in self._casts:
            persons = [self.persons.of(mention) for mention in case.account.mentions]
            self._casts[case.id] = _cast(case, persons)
        return self._casts[case.id]

    def person(self, record: Record) -> str:
        """The person that one of the family's records is of."""
        return self.persons.of(record.holder)

    @property
    def first(self) -> tuple[int, Place]:
        """Where the family comes in the order of families: by its first incident; without one, last."""
        if self.cases:
            return (0, self.cases[0].account.place)
        one = min(self.records, key=lambda record: (record.source, record.person.id))
        return (1, (datetime.max.replace(tzinfo=UTC), one.holder))


@dataclass(slots=True)
class Gathered:
    """Families in order. `open`: of the ties, those for a person to look at: the two may be one, and nothing
    says yet that they are or are not."""

    families: list[Family]
    open: set[tuple[str, str]]
    persons: Persons
    evidence: Evidence
    family_of: Mapping[str, int]
    """By holder, the place of its family among the families."""

    def persons_without(self, holders: Collection[str]) -> Persons:
        """Who would be whom without some of the cases."""
        left = self.evidence.persons(holders)
        self.evidence.place_witnesses(left, self.family_of, holders)
        return left


def gather_families(
    cases: Iterable[Case],
    records: Iterable[Record] = (),
    ties: Iterable[Tie] | None = None,
    rulings: Iterable[Ruling] = (),
) -> Gathered:
    """The families that the cases and records form, in order. Withdrawn incidents are in none.

    `ties`: those among their mentions; without them they are looked for here.
    """
    standing = sorted(
        (case for case in cases if not case.account.withdrawn), key=lambda case: case.account.place
    )
    kept = sorted(records, key=lambda record: (record.source, record.person.id))
    evidence = _evidence(standing, kept, ties, rulings)
    persons = evidence.persons()
    groups: Groups[str] = Groups()
    for mention in evidence.binding:
        if mention in evidence.mentions:
            groups.join(f"person {persons.of(mention)}", evidence.mentions[mention].holder)
    holders = {record.holder for record in kept}
    for record in kept:
        for related in record.related:
            if (other := record.holder_of(related)) in holders:
                groups.join(record.holder, other)
    found: dict[str, Family] = {}
    for case in standing:
        family = found.setdefault(groups.of(case.id), Family(persons))
        family.cases.append(case)
        if case.family is not None:
            family.before.add(case.family)
    for record in kept:
        family = found.setdefault(groups.of(record.holder), Family(persons))
        family.records.append(record)
        if record.family is not None:
            family.before.add(record.family)
    families = sorted(found.values(), key=lambda family: family.first)
    family_of = {
        holder: number
        for number, family in enumerate(families)
        for holder in (*(case.id for case in family.cases), *(record.holder for record in family.records))
    }
    evidence.place_witnesses(persons, family_of)
    gathered = Gathered(families, set(), persons, evidence, family_of)
    _tell_likely(gathered)
    return gathered


def _evidence(
    cases: Sequence[Case], records: Sequence[Record], ties: Iterable[Tie] | None, rulings: Iterable[Ruling]
) -> Evidence:
    named = {one.id: one for case in cases for one in case.account.named}
    named |= {one.id: one for record in records for one in record.named}
    binding = {
        mention
        for case in cases
        for mention, one in zip(case.account.mentions, case.account.people, strict=True)
        if one.binds
    }
    return Evidence(
        named,
        binding | {record.holder for record in records},
        [
            one
            for one in (tie_all(named.values()) if ties is None else ties)
            if one.one in named and one.other in named
        ],
        [one for one in rulings if one.one in named and one.other in named],
    )


def _tell_likely(gathered: Gathered) -> None:
    """Find the ties that are for a person to look at, and tell each family of those that concern it."""
    evidence, persons = gathered.evidence, gathered.persons
    for tie in sorted(evidence.ties, key=lambda one: one.rank):
        mine, theirs = (gathered.family_of[evidence.mentions[end].holder] for end in (tie.one, tie.other))
        if mine != theirs and not evidence.binds(tie):
            continue
        ends = frozenset((persons.of(tie.one), persons.of(tie.other)))
        if len(ends) == 1 or not persons.may_be_one(tie.one, tie.other):
            continue
        gathered.open.add((tie.one, tie.other))
        one, other = gathered.families[mine], gathered.families[theirs]
        if one is other:
            one.perhaps.add(ends)
        else:
            one.likely.append((tie, other))
            other.likely.append((tie, one))


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
    gathered: Gathered, changed: Collection[str], unsettled: Collection[int]
) -> Iterator[tuple[Family, list[Case]]]:
    """Each family with those of its cases whose history may have changed.

    Those accepted after the first `changed` one, itself included; all of them where the family was
    joined or parted, is one of the `unsettled` (by number: a member's people or records changed), or
    where it is for a changed case that others' people are who they are. And those accepted after what may
    have changed in a family that is likely to be of the same people.
    """
    claims = Counter(number for family in gathered.families for number in family.before)
    unsettled = {*unsettled, *(number for number, claimed in claims.items() if claimed > 1)}
    left = cache(lambda: gathered.persons_without(changed))
    since = [_since(family, gathered.persons, left, changed, unsettled) for family in gathered.families]
    places = {id(family): place for family, place in zip(gathered.families, since, strict=True)}
    for family, own in zip(gathered.families, since, strict=True):
        theirs = [place for _, other in family.likely if (place := places[id(other)]) is not None]
        first = min((place for place in (own, *theirs) if place is not None), default=None)
        yield family, [] if first is None else [case for case in family.cases if case.account.place >= first]


_EVER: Final[Place] = (datetime.min.replace(tzinfo=UTC), "")


def _since(
    family: Family,
    persons: Persons,
    left: Callable[[], Persons],
    changed: Collection[str],
    unsettled: set[int],
) -> Place | None:
    """The place of the first case whose history may have changed by what changed in its own family."""
    if len(family.before) > 1 or not unsettled.isdisjoint(family.before):
        return _EVER
    news = [i for i, case in enumerate(family.cases) if case.id in changed]
    if not news:
        return None
    before = [mention for case in family.cases[: news[0]] for mention in case.account.mentions]
    if before:
        before += [record.holder for record in family.records]
        if not same_grouping(left(), persons, before):
            return _EVER
    return family.cases[news[0]].account.place
