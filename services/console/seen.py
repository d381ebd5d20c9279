"""What the console takes of each event: ids, levels, states and times.

Narrower than the contracts on purpose. What is about people is skipped while the message is read and
never becomes an object here; and skipping most of a message is what makes watching cheap. Field names
are those of `shared/contracts/events.py`; a test holds the two together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Generic, NotRequired, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from shared.contracts.topics import DEAD_LETTERS, DECIDED, ENRICHED, INCIDENTS, OUTCOMES, Topic


class _Seen(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


Body = TypeVar("Body", bound=_Seen)


# The functional form, since `from` is a keyword. Entries are kept as they came, times as written.
EntrySeen = TypedDict(
    "EntrySeen", {"stage": str, "waited_ms": float, "worked_ms": float, "from": str, "to": str}
)


class EnvelopeSeen(_Seen, Generic[Body]):
    """The envelope, as far as the stage runner and the console need it."""

    id: str
    case: str
    seq: int = Field(ge=1)
    from_: str = Field(alias="from")
    lane: str = "live"
    at: datetime
    ledger: list[EntrySeen] = []
    body: Body


class IncidentSeen(_Seen):
    """Which incident, never what happened to whom."""

    area: str | None = None
    test: bool | None = None


class AcceptedSeen(_Seen):
    """Of `waymark.incidents/1`."""

    incident: IncidentSeen
    revision: int
    accepted_at: datetime


class EntryOfHistory(_Seen):
    """That something is known, and how surely; not what."""

    link: str = "certain"


class HistorySeen(_Seen):
    """Whether there was a history, whether it knows of an earlier incident and of a council's record; not what
    they say."""

    status: str = "unavailable"
    incidents: list[EntryOfHistory] | None = None
    involvement: list[EntryOfHistory] | None = None


class EnrichedSeen(_Seen):
    """Of `waymark.enriched/1`."""

    incident: IncidentSeen
    revision: int
    accepted_at: datetime
    why: str = "accepted"
    history: HistorySeen


class OutcomeSeen(_Seen):
    """Levels, response and services."""

    child_level: int | None = None
    victim_level: str | None = None
    css_response: str
    services: list[str]


class RouteSeen(_Seen):
    """By when a service is to be told."""

    service: str
    due: datetime | None = None


class ProtocolSeen(_Seen):
    """A protocol by id and version."""

    id: str
    version: int


class ReviewSeen(_Seen):
    """Whether a person has to look, and when."""

    needed: bool = False
    when: str | None = None


class ReceiptSeen(_Seen):
    """Of the receipt; its reasons and facts are about people and stay where they are."""

    result: OutcomeSeen
    routes: list[RouteSeen] = []
    protocol: ProtocolSeen
    review: ReviewSeen = ReviewSeen()


class DecisionSeen(_Seen):
    """Of `waymark.decision/1`."""

    version: int | None = None
    receipt: ReceiptSeen


class DecidedSeen(_Seen):
    """Of `waymark.decided/1`."""

    incident: IncidentSeen
    revision: int
    accepted_at: datetime
    decision: DecisionSeen
    state: str
    held_by: str | None = None


class BranchSeen(TypedDict):
    """One delivery, kept as it came."""

    delivery: str
    recipient: str
    service: str
    version: int
    state: str
    due: NotRequired[str | None]
    attempts: NotRequired[int]
    breached: NotRequired[bool]
    received_at: NotRequired[str]
    """Not the sender's: added here, from the answers."""
    ledger: NotRequired[list[EntrySeen]]


class AnswerSeen(TypedDict):
    """That a recipient answered, when, and which pathway it chose; what it wrote stays where it is."""

    delivery: NotRequired[str | None]
    service: NotRequired[str]
    kind: str
    pathway: NotRequired[str | None]
    at: str


class AnsweredSeen(_Seen):
    """Of `waymark.outcomes/1`."""

    version: int
    revision: int
    state: str
    answers: list[AnswerSeen] = []
    branches: list[BranchSeen] = []


class DeadLetterSeen(_Seen):
    """Of `waymark.dead-letters/1`."""

    service: str
    topic: str
    partition: int
    offset: int
    case: str | None = None
    reason: str
    size_bytes: int
    at: datetime
    resolution: str | None = None


DECODERS: Final[dict[Topic, TypeAdapter[Any]]] = {
    INCIDENTS: TypeAdapter(EnvelopeSeen[AcceptedSeen]),
    ENRICHED: TypeAdapter(EnvelopeSeen[EnrichedSeen]),
    DECIDED: TypeAdapter(EnvelopeSeen[DecidedSeen]),
    OUTCOMES: TypeAdapter(EnvelopeSeen[AnsweredSeen]),
    DEAD_LETTERS: TypeAdapter(EnvelopeSeen[DeadLetterSeen]),
}
