"""People held in memory, found by their keys and compared with whoever asks.

The same keys, scorer and rules serve the service's own tables; this is the index of the offline commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from services.enrichment.domain.linkage.answering import Link, keep_incident_apart, link_among
from services.enrichment.domain.linkage.keys import keys_of, probes_of
from services.enrichment.domain.linkage.kin import HARDLY_ANY, Kin
from services.enrichment.domain.linkage.model import Weights
from services.enrichment.domain.linkage.person import Person
from services.enrichment.domain.linkage.scoring import Frequencies, Scorer

MOST_PER_KEY: Final = 400
"""A key that more people share than this is passed over while rarer keys find anybody."""
GROWN_AT: Final = 25
"""Years from which people seldom share their parents' home, so that twins and siblings seldom share one."""
_WORTH_OF_SHIPPED: Final = 20
"""Queries that the model's own share of known people counts for."""
_ENOUGH_ASKED: Final = 1000
"""Queries from which the share learnt is sure enough to reckon with the register's own size, however small."""
_ROUNDS: Final = 12


class Directory:
    """Records by key. Ids are the records' own and must differ.

    `keep_apart`: whether the rules on look-alikes hold. `today`: where it is given, they hold for grown
    people only if somebody on the list has kin there; children and the young are kept apart always.
    """

    def __init__(
        self,
        weights: Weights,
        people: Iterable[Person] = (),
        *,
        keep_apart: bool = True,
        today: date | None = None,
    ) -> None:
        self.people: list[Person] = []
        self.known_share = weights.known_share
        self._least_register = weights.least_register
        self.kin, self.kin_of_asked = Kin(), Kin()
        self._grown_before = "" if today is None else f"{today.year - GROWN_AT:04d}{today:%m%d}"
        self._places: dict[str, list[int]] = {}
        self._ids: set[str] = set()
        self.scorer = Scorer(weights, Frequencies(weights), keep_apart=keep_apart)
        for person in people:
            self.add(person)

    def add(self, person: Person) -> None:
        """File a person. Raises ValueError where the id is filed already."""
        if person.id in self._ids:
            raise ValueError("its id is there already")
        self._ids.add(person.id)
        place = len(self.people)
        self.people.append(person)
        self.scorer.frequencies.count(person)
        self.kin.count(person)
        self._weigh_or_not()
        for key in keys_of(person):
            self._places.setdefault(key, []).append(place)

    @property
    def prior(self) -> float:
        """Log odds, in bits, before anything is compared."""
        return self._prior_bits(self.known_share)

    def _prior_bits(self, known_share: float) -> float:
        return self.scorer.weights.prior_bits(max(len(self.people), self._least_register), known_share)

    def candidates(self, person: Person) -> list[Person]:
        """Everybody worth comparing: each who shares a key that is not too common."""
        found: set[int] = set()
        common: list[list[int]] = []
        for probe in probes_of(person):
            places = self._places.get(probe)
            if places is None:
                continue
            if len(places) > MOST_PER_KEY:
                common.append(places)
            else:
                found.update(places)
        if not found and common:
            # Nothing but common keys: those who share most of them.
            shared: dict[int, int] = {}
            for places in common:
                for place in places:
                    shared[place] = shared.get(place, 0) + 1
            found.update(sorted(shared, key=lambda place: (-shared[place], place))[:MOST_PER_KEY])
        return [self.people[place] for place in sorted(found)]

    def link(self, person: Person) -> Link:
        """Who of the register this is: the best record, and whether it is `same`, `likely` or `new`."""
        return link_among(self.scorer, person, self.candidates(person), self.prior)

    def link_incident(self, people: Sequence[Person]) -> list[Link]:
        """The people of one incident, who are never one another."""
        return keep_incident_apart([self.link(person) for person in people])

    def _weigh_or_not(self) -> None:
        no_kin = self.kin.none_seen and self.kin_of_asked.share < HARDLY_ANY
        self.scorer.weighs_born_before = self._grown_before if no_kin else ""

    def learn_from(self, asked: Sequence[Person]) -> None:
        """Learn from some of the queries whether they have kin among one another, and how many of them the
        register knows; reckon with both from here on.

        The share is learnt by expectation maximisation; the model's own counts for twenty queries more, so
        that few queries change little.
        """
        for person in asked:
            self.kin_of_asked.count(person)
        self._weigh_or_not()
        odds = []
        for person in asked:
            total = 0.0
            for other in self.candidates(person):
                bits, levels = self.scorer.sum(person, other, 0.0)
                bits, _ = self.scorer.limited(person, other, bits, levels)
                total += 2.0 ** min(bits, 200.0)
            odds.append(total)
        if len(odds) >= _ENOUGH_ASKED:
            self._least_register = _ENOUGH_ASKED
        share = shipped = self.scorer.weights.known_share
        for _ in range(_ROUNDS):
            prior = 2.0 ** self._prior_bits(share)
            known = sum(prior * one / (1.0 + prior * one) for one in odds)
            share = (known + _WORTH_OF_SHIPPED * shipped) / (len(odds) + _WORTH_OF_SHIPPED)
        self.known_share = share
