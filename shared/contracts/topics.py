"""The table of topics: what stands on each, who writes, who reads, its key, retention and lanes.

Every topic is keyed by case and has the same number of partitions, so that a case stays in its
partition at every hop. Each hop has a live topic and a `.bulk` one; live is read first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared import vocabulary as v
from shared.contracts.base import Contract
from shared.contracts.events import CaseAnswered, CaseDecided, DeadLetter, IncidentAccepted, IncidentEnriched

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` is how long Kafka keeps it; the senders' outboxes keep longer.

    `whole_state`: an event replaces what came before it of the same case and sender. Where it does not
    (each dead letter stands for itself), readers drop repeats by what the event is about, not by `seq`.
    """

    name: str
    contract: type[Contract]
    producer: str
    consumers: tuple[str, ...]
    retention_ms: int = 14 * DAY_MS
    has_bulk: bool = True
    key: str = "case"
    whole_state: bool = True

    def lane(self, lane: v.Lane) -> str:
        """The Kafka name of this topic's lane."""
        return f"{self.name}.bulk" if lane == "bulk" and self.has_bulk else self.name

    @property
    def lanes(self) -> tuple[str, ...]:
        """All Kafka names, live first."""
        return (self.name, f"{self.name}.bulk") if self.has_bulk else (self.name,)


INCIDENTS: Final = Topic("waymark.incidents.v1", IncidentAccepted, "intake", ("enrichment", "console"))
ENRICHED: Final = Topic("waymark.enriched.v1", IncidentEnriched, "enrichment", ("triage", "console"))
DECIDED: Final = Topic(
    "waymark.decided.v1", CaseDecided, "triage", ("delivery", "intake", "enrichment", "console")
)
OUTCOMES: Final = Topic("waymark.outcomes.v1", CaseAnswered, "delivery", ("intake", "enrichment", "console"))
DEAD_LETTERS: Final = Topic(
    "waymark.dead-letters.v1",
    DeadLetter,
    "any",
    ("console",),
    retention_ms=90 * DAY_MS,
    has_bulk=False,
    whole_state=False,
)

TOPICS: Final[tuple[Topic, ...]] = (INCIDENTS, ENRICHED, DECIDED, OUTCOMES, DEAD_LETTERS)


def routed_topic(recipient: str) -> str:
    """The Kafka name of a recipient's own topic: access is granted by topic."""
    return f"waymark.routed.{recipient}.v1"


def topic_named(name: str) -> Topic:
    """The topic that has `name` as one of its lanes. Raises KeyError where none has."""
    for topic in TOPICS:
        if name in topic.lanes:
            return topic
    raise KeyError(name)


def group_of(service: str, stage: int = 0) -> str:
    """The consumer group of a service's stage: the first reads what somebody waits for, a second one what
    nobody does."""
    return f"{service}.{stage}" if stage else service
