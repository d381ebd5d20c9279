"""People held in memory, found by their keys and compared with whoever asks.

The same keys, scorer and rules serve the service's own tables; this is the index of the offline commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.enrichment.domain.linkage.keys import keys_of, probes_of
from services.enrichment.domain.linkage.lookalikes import keep_apart
from services.enrichment.domain.linkage.model import Weights
from services.enrichment.domain.linkage.person import Person
from services.enrichment.domain.linkage.scoring import Decision, Frequencies, Match, Scorer

MOST_PER_KEY: Final = 400
"""A key that more people share than this is passed over while rarer keys find anybody."""
NEARLY_AS_GOOD: Final = 3.0
"""Bits within which a second record is as good an answer as the best."""


@dataclass(frozen=True, slots=True)
class Link:
    """What became of one query. `record` is None where it is new; `match` is the comparison with `best`."""

    query: str
    record: str | None
    decision: Decision
    match: Match | None
    best: str | None = None
    rivals: tuple[str, ...] = ()
    """Records that are nearly as good and are not evidently the same person as the best."""

    def as_json(self) -> dict[str, Any]:
        """`query`, `record`, `decision`, `probability` of the best match and its `weights`."""
        told: dict[str, Any] = {
            "query": self.query,
            "record": self.record,
            "decision": self.decision,
            "probability": 0.0 if self.match is None else round(self.match.probability, 6),
            "weights": {} if self.match is None else self.match.weights(),
        }
        if self.rivals:
            told["rivals"] = list(self.rivals)
        return told


class Directory:
    """Records by key. Ids are the records' own and must differ."""

    def __init__(self, weights: Weights, people: Iterable[Person] = (), *, keep_apart: bool = True) -> None:
        self.people: list[Person] = []
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
        for key in keys_of(person):
            self._places.setdefault(key, []).append(place)

    @property
    def prior(self) -> float:
        """Log odds, in bits, before anything is compared."""
        return self.scorer.weights.prior_bits(len(self.people))

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
        """Who of the register this is: the best record, and whether it is `same`, `likely` or `new`.

        Where two records are nearly as good and are not themselves the same person, neither is `same`.
        """
        scorer, prior = self.scorer, self.prior
        ranked = []
        for other in self.candidates(person):
            bits, levels = scorer.sum(person, other, prior)
            if scorer.decide(bits) != "new":
                bits, _ = scorer.limited(person, other, bits, levels)
            ranked.append((bits, other))
        if not ranked:
            return Link(person.id, None, "new", None)
        ranked.sort(key=lambda one: (-one[0], one[1].id))
        bits, best = ranked[0]
        match = scorer.match(person, best, prior)
        decision = scorer.decide(match.bits)
        rivals = []
        if decision == "same":
            for others_bits, other in ranked[1:]:
                if others_bits < bits - NEARLY_AS_GOOD or scorer.decide(others_bits) != "same":
                    break
                if scorer.decide(scorer.match(best, other, prior).bits) != "same":
                    rivals.append(other.id)
            if rivals:
                decision = "likely"
        record = None if decision == "new" else best.id
        return Link(person.id, record, decision, match, best.id, tuple(rivals))

    def link_incident(self, people: Sequence[Person]) -> list[Link]:
        """The people of one incident, who are never one another: of several who come to one record the
        best alone may be `same`, the others at most `likely`."""
        links = [self.link(person) for person in people]
        claims = [
            (link.record or f"\n{i}", link.match.bits if link.match else 0.0) for i, link in enumerate(links)
        ]
        return [
            link if kept or link.decision != "same" else replace(link, decision="likely")
            for link, kept in zip(links, keep_apart(claims), strict=True)
        ]
