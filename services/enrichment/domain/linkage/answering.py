"""Which of several records a person is: the answer to one query, whoever found the candidates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any, Final

from services.enrichment.domain.linkage.lookalikes import keep_apart
from services.enrichment.domain.linkage.person import Person
from services.enrichment.domain.linkage.scoring import Decision, Match, Scorer

_COUNTS: Final = 10.0
"""Bits below the best from which another record no longer changes the answer (one in a thousand)."""
_NAMED: Final = 4.0
"""Bits below the best within which another record is named as a rival."""


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


def link_among(scorer: Scorer, person: Person, candidates: Iterable[Person], prior: float) -> Link:
    """Who of the candidates this is: the best record, and whether it is `same`, `likely` or `new`.

    The person is one of the candidates at most, so what speaks for another record speaks against the best,
    unless the two records are evidently one person's. `prior`: bits, for each record of the register.
    """
    ranked = []
    for other in candidates:
        bits, levels = scorer.sum(person, other, prior)
        if bits > scorer.least:
            bits, _ = scorer.limited(person, other, bits, levels)
        ranked.append((bits, other))
    if not ranked:
        return Link(person.id, None, "new", None)
    ranked.sort(key=lambda one: (-one[0], one[1].id))
    bits, best = ranked[0]
    match = scorer.match(person, best, prior)
    against, rivals = 0.0, []
    if scorer.decide(bits) != "new":
        for others_bits, other in ranked[1:]:
            if others_bits < bits - _COUNTS:
                break
            if scorer.decide(scorer.match(best, other, prior).bits) != "same":
                against += 2.0 ** min(others_bits, 200.0)
                if others_bits >= bits - _NAMED:
                    rivals.append(other.id)
    if against:
        others = -log2(1.0 + against)
        match = replace(match, bits=match.bits + others, others=others)
    decision = scorer.decide(match.bits)
    record = None if decision == "new" else best.id
    return Link(person.id, record, decision, match, best.id, tuple(rivals))


def keep_incident_apart(links: Sequence[Link]) -> list[Link]:
    """The people of one incident, who are never one another: of several who come to one record the best
    alone may be `same`, the others at most `likely`."""
    claims = [(link.record or f"\n{i}", link.match.bits if link.match else 0.0) for i, link in enumerate(links)]
    return [
        link if kept or link.decision != "same" else replace(link, decision="likely")
        for link, kept in zip(links, keep_apart(claims), strict=True)
    ]
