"""Who is one person: mentions gathered by what people ruled, then by ties, the strongest first.

A tie is refused that would bring together two mentions held apart: by a ruling, as two people of one
incident, or because what is written of them tells two people (twins, siblings, a parent and a child of one
name). Whoever is written in a way that suits two such people nearly as well is neither, until somebody has
looked. So persons are a function of the mentions, and not of the order in which they came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeVar

from services.enrichment.domain.linkage import Person
from services.enrichment.domain.people import Groups
from services.enrichment.domain.ties import Named, Ruling, Tie, held_apart, put_down_twice

R = TypeVar("R", Tie, Ruling)

NEARLY_AS_WELL: Final = 4.0
"""Bits within which two ties leave open which of two people somebody is."""


@dataclass(slots=True)
class _Face:
    """Mentions that ties alone hold together: how they are described, and who of them is of which holder."""

    described: dict[Person, None]
    holders: dict[str, list[Person]]


class Persons:
    """Mentions in groups, a group for each person. `of` names the group; it means nothing outside."""

    def __init__(self, mentions: Iterable[Named]) -> None:
        self._whole: Groups[str] = Groups()
        self._faces: Groups[str] = Groups()
        self._face: dict[str, _Face] = {
            one.id: _Face({one.person: None}, {one.holder: [one.person]}) for one in mentions
        }
        self._members: dict[str, list[str]] = {one: [one] for one in self._face}
        self._apart: dict[str, set[str]] = {}

    def of(self, mention: str) -> str:
        """The person behind a mention."""
        return self._whole.of(mention)

    def rule(self, rulings: Iterable[Ruling]) -> None:
        """Follow what people ruled: of several rulings on a pair the newest, and the newest pair first."""
        newest: dict[tuple[str, str], Ruling] = {}
        for one in sorted(rulings, key=lambda one: one.number):
            newest[one.one, one.other] = one
        for one in newest.values():
            if not one.joins:
                self._apart.setdefault(one.one, set()).add(one.other)
                self._apart.setdefault(one.other, set()).add(one.one)
        for one in sorted(newest.values(), key=lambda one: -one.number):
            if one.joins and not self._ruled_apart(one.one, one.other):
                self._join(one.one, one.other, alike=self.may_be_one(one.one, one.other))

    def join(self, ties: Iterable[Tie]) -> None:
        """Follow ties that say `same`, the strongest first."""
        for one in sorted(ties, key=lambda one: one.rank):
            if self._faces.of(one.one) != self._faces.of(one.other) and self.may_be_one(one.one, one.other):
                self._join(one.one, one.other, alike=True)

    def may_be_one(self, one: str, other: str) -> bool:
        """Whether two mentions are one person, or nothing holds apart the persons behind them."""
        if self._whole.of(one) == self._whole.of(other) and self._faces.of(one) == self._faces.of(other):
            return True
        if self._ruled_apart(one, other):
            return False
        mine, theirs = self._face[self._faces.of(one)], self._face[self._faces.of(other)]
        if len(theirs.holders) < len(mine.holders):
            mine, theirs = theirs, mine
        for holder, people in mine.holders.items():
            for a in people:
                if not all(put_down_twice(a, b) for b in theirs.holders.get(holder, ())):
                    return False
        return not any(held_apart(a, b) for a in mine.described for b in theirs.described if a is not b)

    def _join(self, one: str, other: str, *, alike: bool) -> None:
        mine, theirs = self._whole.of(one), self._whole.of(other)
        if mine != theirs:
            self._whole.join(mine, theirs)
            self._members[mine] += self._members.pop(theirs)
        mine, theirs = self._faces.of(one), self._faces.of(other)
        if alike and mine != theirs:
            self._faces.join(mine, theirs)
            into, gone = self._face[mine], self._face.pop(theirs)
            into.described |= gone.described
            for holder, people in gone.holders.items():
                into.holders.setdefault(holder, []).extend(people)

    def _ruled_apart(self, one: str, other: str) -> bool:
        if not self._apart:
            return False
        mine, theirs = self._whole.of(one), self._whole.of(other)
        if mine == theirs:
            return False
        members = set(self._members[theirs])
        return any(not members.isdisjoint(self._apart.get(a, ())) for a in self._members[mine])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Mentions by id, with the ties and rulings among them. `binding`: those that tie families together."""

    mentions: Mapping[str, Named]
    binding: Collection[str]
    ties: Sequence[Tie]
    rulings: Sequence[Ruling]

    def binds(self, one: Tie | Ruling) -> bool:
        """Whether both ends tie their holders to a family."""
        return one.one in self.binding and one.other in self.binding

    def persons(self, without: Collection[str] = ()) -> Persons:
        """The persons behind all mentions, but for those of some holders; by binding mentions alone."""
        persons = Persons(one for one in self.mentions.values() if one.holder not in without)
        persons.rule(one for one in self._left(self.rulings, without) if self.binds(one))
        persons.join(one for one in self._sure(without) if self.binds(one))
        return persons

    def place_witnesses(
        self, persons: Persons, family_of: Mapping[str, int], without: Collection[str] = ()
    ) -> None:
        """Say who the witnesses are, each within its family: by holder, `family_of` tells them apart."""

        def within(one: Tie | Ruling) -> bool:
            ends = (self.mentions[one.one].holder, self.mentions[one.other].holder)
            return not self.binds(one) and family_of[ends[0]] == family_of[ends[1]]

        persons.rule(one for one in self._left(self.rulings, without) if within(one))
        persons.join(one for one in self._sure(without) if within(one))

    def _left(self, said: Iterable[R], without: Collection[str]) -> Iterator[R]:
        for one in said:
            if not without or not {self.mentions[end].holder for end in (one.one, one.other)} & {*without}:
                yield one

    def _sure(self, without: Collection[str]) -> list[Tie]:
        """The ties that say `same`, less those of a mention that suits two people held apart nearly as well."""
        apart = {(one.one, one.other) for one in self.rulings if not one.joins}
        joined = {(one.one, one.other) for one in self.rulings if one.joins}
        same = [
            one
            for one in self._left(self.ties, without)
            if one.decision == "same" and (one.one, one.other) not in apart
        ]
        suits: dict[str, list[tuple[Named, float]]] = {}
        for one in same:
            if (one.one, one.other) not in joined:
                suits.setdefault(one.one, []).append((self.mentions[one.other], one.bits))
                suits.setdefault(one.other, []).append((self.mentions[one.one], one.bits))
        doubtful = {mention: _doubtful(others) for mention, others in suits.items() if len(others) > 1}
        return [
            one
            for one in same
            if one.other not in doubtful.get(one.one, ()) and one.one not in doubtful.get(one.other, ())
        ]


def _doubtful(others: Sequence[tuple[Named, float]]) -> set[str]:
    """Of those whom a mention suits, who are held apart and suited nearly as well as one another."""
    found: set[str] = set()
    best: dict[Person, float] = {}
    for other, bits in others:
        best[other.person] = max(bits, best.get(other.person, bits))
    apart = [
        {a, b} for a, b in combinations(best, 2) if abs(best[a] - best[b]) < NEARLY_AS_WELL and held_apart(a, b)
    ]
    if apart:
        people = set().union(*apart)
        found |= {other.id for other, _ in others if other.person in people}
    of_one: dict[str, list[tuple[Named, float]]] = {}
    for other, bits in others:
        of_one.setdefault(other.holder, []).append((other, bits))
    for together in of_one.values():
        for (a, mine), (b, theirs) in combinations(together, 2):
            if abs(mine - theirs) < NEARLY_AS_WELL and not put_down_twice(a.person, b.person):
                found |= {a.id, b.id}
    return found


def same_grouping(one: Persons, other: Persons, mentions: Iterable[str]) -> bool:
    """Whether two tell the mentions into the same persons."""
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for mention in mentions:
        a, b = one.of(mention), other.of(mention)
        if there.setdefault(a, b) != b or back.setdefault(b, a) != a:
            return False
    return True
