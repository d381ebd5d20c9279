"""One case's history in the making: ids for persons, and which persons are of its household."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property, partial
from typing import Final

from services.enrichment.domain.accounts import Case, Record, Taken
from services.enrichment.domain.circumstances import (
    EITHER_WAY,
    NOTHING_TOLD,
    Recorded,
    Told,
    known_orders,
    known_relationships,
)
from services.enrichment.domain.families import Family
from services.enrichment.domain.involvement import involvement_answered, involvement_recorded
from services.enrichment.domain.people import Mention
from services.enrichment.domain.repeats import local_day, months_before
from shared.contracts.history import (
    EarlierIncident,
    Involvement,
    KnownChild,
    KnownOrder,
    KnownRelationship,
    MaracHearing,
    Pair,
)

LONGEST: Final = 200
"""Earlier incidents told one by one; where there were more, the newest, and the history says incomplete."""

_ADULT_AT: Final = 18
_HOMES_WITHIN: Final = 12
"""Months in which a child's homes are counted."""


class Telling:
    """One case's history in the making: ids for persons, and which persons are of its household."""

    def __init__(self, family: Family, case: Case, sure: Telling | None = None) -> None:
        """`sure`: where `family` is taken together with others that may be the same people's, what is told
        without them. Whoever goes by an id there keeps it."""
        self._family = family
        self._case = case
        self._sure = sure
        self._earlier = [one for one in family.cases if one.account.place < case.account.place]
        told = self._earlier if sure is None else sure._earlier
        self._told = {one.id for one in told}
        people = family.cast(case).people
        self._ids: dict[str, str] = {}
        for mention, person in people:
            self._ids.setdefault(person, mention.id)
        self._order = {mention.id: i for i, (mention, _) in enumerate(people)}
        self._own_adults = {person for mention, person in people if not mention.child}
        self._by_holder = {record.holder: record for record in family.records}
        self._children = self._children_told_of()
        self._household = self._gather_household()
        named, strangers = ({}, {}) if sure is None else self._names_in(sure)
        self._known_ids = self._name_children(named)
        self._strangers = strangers
        # Whom could an adult of an earlier incident be? Nobody here, if all here can be told from others.
        self._all_told_apart = case.account.adults_known and all(
            mention.told_apart for mention, _ in people if not mention.child
        )
        here = {person for _, person in people}
        self._may_be_here = {one for pair in family.perhaps if pair & here for one in pair - here}

    @property
    def whole(self) -> bool:
        """Whether no earlier incident is left out for being one of too many."""
        return len(self._to_tell()) <= LONGEST

    def _to_tell(self) -> list[Case]:
        if self._sure is None:
            return self._earlier
        return [one for one in self._earlier if one.id not in self._told]

    def _names_in(self, sure: Telling) -> tuple[dict[str, str], dict[str, str]]:
        """The ids that children and strangers have without the other families, by person in this reading."""
        here = {
            there: self._family.persons.of(mention)
            for one in sure._earlier
            for mention, (_, there) in zip(one.account.mentions, sure._family.cast(one).people, strict=True)
        }
        here |= {sure._family.person(one): self._family.person(one) for one in sure._family.records}
        named, strangers = (
            {here[person]: name for person, name in names.items() if person in here}
            for names in (sure._known_ids, sure._strangers)
        )
        return named, strangers

    def _children_told_of(self) -> dict[str, list[tuple[str, Mention]]]:
        """Per child, who told of it and how: earlier incidents in order, then the councils' records."""
        told: dict[str, list[tuple[str, Mention]]] = {}
        for one in self._earlier:
            for mention, person in self._family.cast(one).people:
                if mention.child:
                    told.setdefault(person, []).append((f"{one.id}\n{mention.id}", mention))
        for record in self._family.records:
            if record.person.child:
                told.setdefault(self._family.person(record), []).append((record.holder, record.person))
        return told

    def _gather_household(self) -> set[str]:
        """The persons whose children are this case's concern (docs/adr/0006-families.md).

        It begins with the case's victims and children, and takes in those of earlier incidents that had
        one of them, or the same two people against each other. Whoever is only suspected brings his
        earlier incidents but not another home's children; where nobody else can be told who they are, he
        does (unknown is not no).
        """
        own = self._family.cast(self._case)
        home, couples = set(own.at_home), set(own.couples)
        suspects = own.suspected if own.at_home.isdisjoint(own.told_apart) else frozenset()
        waiting = [self._family.cast(one) for one in self._earlier]
        records = [record for record in self._family.records if record.person.child]
        grown = True
        while grown:
            grown = False
            apart = []
            for cast in waiting:
                if (
                    home.isdisjoint(cast.at_home)
                    and couples.isdisjoint(cast.couples)
                    and suspects.isdisjoint(cast.suspected)
                ):
                    apart.append(cast)
                else:
                    home |= cast.at_home
                    couples |= cast.couples
            grown, waiting = len(apart) < len(waiting), apart
            for record in records:
                person = self._family.person(record)
                if person not in home and not self._related(record).isdisjoint(home | suspects):
                    home.add(person)
                    grown = True
        return home

    def _related(self, record: Record) -> set[str]:
        """The persons of the household that a council's record relates a child to."""
        others = (self._by_holder.get(record.holder_of(r)) for r in record.related if r.of_the_household)
        return {self._family.person(other) for other in others if other is not None}

    def _name_children(self, named: Mapping[str, str]) -> dict[str, str]:
        """An id for each child, from where it was first told of: it says nothing of the child and stays."""
        names = dict(named)
        for person, told in self._children.items():
            if person in names:
                continue
            digits = hashlib.sha256(told[0][0].encode()).hexdigest()
            length = 8
            while (name := f"k-{digits[:length]}") in self._order or name in names.values():
                length += 1
            names[person] = name
        return names

    def _child_id(self, person: str) -> str:
        return self._ids.get(person) or self._known_ids[person]

    def _adult_id(self, person: str | None, one: Case) -> str | None:
        """The incident's id; an id apart for somebody known not to be in it; None where they may be."""
        if person is None:
            return None
        if found := self._ids.get(person) or self._known_ids.get(person):
            return found
        if not self._all_told_apart or person in self._may_be_here:
            return None
        if person not in self._family.cast(one).told_apart:
            return None
        if person not in self._strangers:
            # The first incident to tell of them names them: those after it come by here with the name made.
            index = [who for _, who in self._family.cast(one).people].index(person)
            origin = f"{one.id}\n{one.account.people[index].id}"
            self._strangers[person] = f"p-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"
        return self._strangers[person]

    def _pairs(self, one: Case) -> list[Pair]:
        return [
            Pair(victim=self._adult_id(victim, one), perpetrator=self._adult_id(suspect, one))
            for victim, suspect in self._family.cast(one).pairs
        ]

    def incidents(self) -> dict[str, EarlierIncident]:
        """The earlier incidents, by case, with what was decided on each; of very many the newest."""
        return {one.id: self._incident(one) for one in self._to_tell()[-LONGEST:]}

    def _incident(self, one: Case) -> EarlierIncident:
        account, decided = one.account, one.decided
        return EarlierIncident(
            force=account.force,
            reference=account.reference,
            occurred_at=account.occurred_at,
            pairs=self._pairs(one) if account.adults_known else None,
            children=[self._child_id(person) for person in self._family.cast(one).children]
            if account.children_known
            else None,
            children_present=account.children_present,
            police_level=account.police_level,
            violence_level=account.violence_level,
            violence=None if account.violence is None else list(account.violence),
            injury=account.injury,
            child_level=None if decided is None else decided.child_level,
            notified_css=None if decided is None else decided.notified_css,
        )

    def marac(self) -> dict[tuple[str | None, str | None, date], MaracHearing]:
        """Referrals and hearings of pairs of which at least one is in this incident (London 2008 app. 6)."""
        found: dict[tuple[str | None, str | None, date], MaracHearing] = {}
        own = set(self._ids.values())
        for one in self._earlier:
            referred = None if one.decided is None else one.decided.marac_on
            if (day := referred or one.heard) is None:
                continue
            for pair in self._pairs(one):
                if own & {pair.victim, pair.perpetrator}:
                    key = (pair.victim, pair.perpetrator, day)
                    days = (one.heard, found[key].heard_on if key in found else None)
                    heard = max((day for day in days if day is not None), default=None)
                    found[key] = MaracHearing(
                        victim=pair.victim, perpetrator=pair.perpetrator, referred_on=referred, heard_on=heard
                    )
        return dict(sorted(found.items(), key=lambda item: (item[0][2], item[0][0] or "", item[0][1] or "")))

    def orders(self) -> dict[tuple[str, str], KnownOrder]:
        """Orders and bail against people of this incident, as earlier ones told them last."""
        return known_orders(self._circumstances, self._own())

    def relationships(self) -> dict[tuple[str, str, str], KnownRelationship]:
        """Who is or was what to whom, of those with somebody of this incident."""
        return known_relationships(self._circumstances, self._recorded(), self._own())

    def _own(self) -> frozenset[str]:
        return frozenset(self._ids.values())

    @cached_property
    def _circumstances(self) -> list[Told]:
        """What each earlier incident told that told anything, in order of time."""
        told = []
        telling = [one for one in self._earlier if one.account.circumstances != NOTHING_TOLD]
        for one in sorted(telling, key=lambda one: (one.account.occurred_at, one.id)):
            people = {mention.id: person for mention, person in self._family.cast(one).people}
            name = partial(self._name_there, one, people)
            told.append(Told(local_day(one.account.occurred_at), one.account.circumstances, name))
        return told

    def _name_there(self, one: Case, people: Mapping[str, str], own_id: str) -> str | None:
        return self._adult_id(people.get(own_id), one)

    def _recorded(self) -> Iterator[Recorded]:
        """Relationships of the councils' records. They do not keep which end is which: of parents and the like
        the child is known, and of others it makes no difference."""
        for record in self._family.records:
            mine = self._named_here(self._family.person(record))
            for related in record.related:
                other = self._by_holder.get(record.holder_of(related))
                theirs = None if other is None else self._named_here(self._family.person(other))
                if mine is None or theirs is None or other is None or related.kind is None:
                    continue
                if related.kind in EITHER_WAY or (other.person.child and not record.person.child):
                    yield mine, theirs, related.kind

    def _named_here(self, person: str) -> str | None:
        return self._ids.get(person) or self._known_ids.get(person) or self._strangers.get(person)

    def children_known(self) -> dict[str, KnownChild]:
        """The household's children that earlier incidents or records name, those of this incident first."""
        known = []
        on = self._case.account.occurred_at.date()
        for person, told in self._children.items():
            if person in self._own_adults or person not in self._household:
                continue
            mentions = [mention for _, mention in told]
            born = next((one.born for one in reversed(mentions) if one.born is not None), None)
            if born is not None and _age(born, on) >= _ADULT_AT:
                continue
            known.append(
                KnownChild(
                    id=self._known_ids[person],
                    child=self._ids.get(person),
                    born=born,
                    area=next((one.area for one in reversed(mentions) if one.area), None),
                    school=next((one.school for one in reversed(mentions) if one.school), None),
                    homes=self._homes_of(person),
                )
            )
        known.sort(key=lambda one: self._order.get(one.child or "", len(self._order)))
        return {one.id: one for one in known}

    def _homes_of(self, person: str) -> int | None:
        """In how many homes a child was said to live within a year before this incident; by postcode where
        there is one, so that one home written in two ways is one."""
        on = local_day(self._case.account.occurred_at)
        since = months_before(on, _HOMES_WITHIN)
        recent = [
            one for one in (*self._earlier, self._case) if since <= local_day(one.account.occurred_at) <= on
        ]
        described = [
            mention.person for one in recent for mention, who in self._family.cast(one).people if who == person
        ]
        described += [one.person.person for one in self._family.records if self._family.person(one) == person]
        homes = {one.postcode or one.line for one in described} - {""}
        return len(homes) or None

    def involvement(self) -> dict[tuple[str, str], Involvement]:
        """Per child of the incident or its household: each council's record, then earlier cases' answers."""
        found: list[tuple[str, str, Involvement]] = []
        for record in self._family.records:
            name = self._concerned(self._family.person(record))
            if record.involvement is not None and name is not None:
                found.append((name, record.holder, involvement_recorded(name, record.involvement)))
        answers: dict[tuple[bool, str], list[Taken]] = {}
        for one in self._earlier:
            if one.taken:
                about = one.decided.about if one.decided is not None else ()
                for mention, person in self._family.cast(one).people:
                    name = self._concerned(person)
                    if name is not None and (mention.id in about if about else mention.child):
                        answers.setdefault((one.id in self._told, name), []).extend(one.taken)
        for (told, name), taken in answers.items():
            in_time = sorted(taken, key=lambda one: (one.at, one.pathway))
            found.append((name, "" if told else "anew", involvement_answered(name, in_time)))
        found.sort(key=lambda item: (self._order.get(item[0], len(self._order)), item[0]))
        return {(origin, name): known for name, origin, known in found}

    def _concerned(self, person: str) -> str | None:
        """The id of a person of the incident or a child of its household; None for anybody else."""
        if person in self._ids:
            return self._ids[person]
        return self._known_ids.get(person) if person in self._household else None


def _age(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
