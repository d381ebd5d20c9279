"""The bodies of the four events, one per topic, each the case's whole state at that stage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Day, ExactMoment, Moment
from shared.contracts.decision import Decision
from shared.contracts.envelope import LedgerEntry
from shared.contracts.history import History
from shared.contracts.incident import Gap, Incident
from shared.privacy import CIRCUMSTANCE, OPERATIONAL, about


class IncidentAccepted(Contract):
    """`waymark.incidents/1`, intake: the newest revision of an incident, stored and promised."""

    schema_id: ClassVar[str] = "waymark.incidents/1"
    type: ClassVar[str] = "incident.accepted"

    incident: Annotated[Incident, about("case", "special")]
    revision: Annotated[int, OPERATIONAL, Field(ge=1)]
    accepted_at: Annotated[ExactMoment, OPERATIONAL]
    """When the case's first revision was accepted: its place in the family's history. To the
    microsecond, since an order to the millisecond has ties."""
    revision_accepted_at: Annotated[Moment, OPERATIONAL]
    gaps: Annotated[list[Gap], OPERATIONAL] = []
    again: Annotated[bool, OPERATIONAL] = False
    """Whether this revision stood here before and goes on otherwise: it was taken for a test, and a live
    one has come behind it."""


class IncidentEnriched(Contract):
    """`waymark.enriched/1`, enrichment: the incident with what was known of the family."""

    schema_id: ClassVar[str] = "waymark.enriched/1"
    type: ClassVar[str] = "incident.enriched"

    incident: Annotated[Incident, about("case", "special")]
    revision: Annotated[int, OPERATIONAL, Field(ge=1)]
    accepted_at: Annotated[ExactMoment, OPERATIONAL]
    as_of: Annotated[Moment, OPERATIONAL]
    """When this revision was accepted, or the knowledge came that caused this event: deadlines count
    from here."""
    why: Annotated[Literal["accepted", "amended", "withdrawn", "late_knowledge"], OPERATIONAL] = "accepted"
    cause: Annotated[v.LateCause | None, OPERATIONAL] = None
    """Of late knowledge: what brought it."""
    family: Annotated[str | None, OPERATIONAL] = None
    history: Annotated[History, about("family", "special")]
    gaps: Annotated[list[Gap], OPERATIONAL] = []


class CaseDecided(Contract):
    """`waymark.decided/1`, triage: the decision, with what a notification is made of."""

    schema_id: ClassVar[str] = "waymark.decided/1"
    type: ClassVar[str] = "case.decided"

    incident: Annotated[Incident, about("case", "special")]
    revision: Annotated[int, OPERATIONAL, Field(ge=1)]
    accepted_at: Annotated[ExactMoment, OPERATIONAL]
    as_of: Annotated[Moment, OPERATIONAL]
    why: Annotated[str, OPERATIONAL] = "accepted"
    cause: Annotated[v.LateCause | None, OPERATIONAL] = None
    """Of late knowledge: what brought it."""
    history: Annotated[History, about("family", "special")]
    news: Annotated[list[str] | None, about("family", "circumstance")] = None
    """What the history tells that the one of the decision before did not, in words; none where it is new."""
    decision: Annotated[Decision, about("case", "circumstance")]
    state: Annotated[Literal["to_route", "held", "no_recipient_by_rule", "withdrawn"], OPERATIONAL]
    """What triage made of the revision; `held` names its owner in `held_by`."""
    held_by: Annotated[str | None, OPERATIONAL] = None


class Answer(Contract):
    """What a recipient answered, in time order. `kind` as in a receipt."""

    version: Annotated[int, OPERATIONAL]
    recipient: Annotated[str, OPERATIONAL]
    service: Annotated[v.Service, OPERATIONAL]
    delivery: Annotated[str | None, OPERATIONAL] = None
    kind: Annotated[v.ReceiptKind, OPERATIONAL]
    pathway: Annotated[v.Pathway | None, CIRCUMSTANCE] = None
    reason: Annotated[str | None, about("service", "personal")] = None
    at: Annotated[Moment, OPERATIONAL]


class Branch(Contract):
    """One delivery's part of the time ledger: from the decision to the recipient's receipt."""

    delivery: Annotated[str, OPERATIONAL]
    recipient: Annotated[str, OPERATIONAL]
    service: Annotated[v.Service, OPERATIONAL]
    version: Annotated[int, OPERATIONAL]
    state: Annotated[str, OPERATIONAL]
    due: Annotated[Moment | None, OPERATIONAL] = None
    attempts: Annotated[int, OPERATIONAL] = 0
    breached: Annotated[bool, OPERATIONAL] = False
    chases: Annotated[int, OPERATIONAL] = 0
    """How often its recipient was asked again to open it or to decide."""
    passed_to: Annotated[str | None, OPERATIONAL] = None
    """The recipient whose it is, in place of this one, which said that it is not theirs."""
    ledger: Annotated[list[LedgerEntry], OPERATIONAL] = []


class Hearing(Contract):
    """That a case was heard at a meeting: it counts for the repeat criterion (London 2008 app. 6)."""

    kind: Annotated[v.MeetingKind, OPERATIONAL]
    area: Annotated[str, OPERATIONAL]
    heard_on: Annotated[Day, CIRCUMSTANCE]


class CaseAnswered(Contract):
    """`waymark.outcomes/1`, delivery: what became of a case, all its deliveries and answers so far."""

    schema_id: ClassVar[str] = "waymark.outcomes/1"
    type: ClassVar[str] = "case.answered"

    schema_: Annotated[Literal["waymark.outcome/1"], OPERATIONAL, Field(alias="schema")] = "waymark.outcome/1"
    case: Annotated[str, OPERATIONAL]
    seq: Annotated[int | None, OPERATIONAL] = None
    version: Annotated[int, OPERATIONAL]
    revision: Annotated[int, OPERATIONAL]
    state: Annotated[v.CaseState, OPERATIONAL]
    answers: Annotated[list[Answer], OPERATIONAL] = []
    branches: Annotated[list[Branch], OPERATIONAL] = []
    heard: Annotated[list[Hearing], OPERATIONAL] = []
    """The meetings that have heard it."""


class DeadLetter(Contract):
    """`waymark.dead-letters/1`, any service: why an event could not be handled, and its shape only."""

    schema_id: ClassVar[str] = "waymark.dead-letters/1"
    type: ClassVar[str] = "event.dead_lettered"

    service: Annotated[str, OPERATIONAL]
    topic: Annotated[str, OPERATIONAL]
    partition: Annotated[int, OPERATIONAL]
    offset: Annotated[int, OPERATIONAL]
    case: Annotated[str | None, OPERATIONAL] = None
    reason: Annotated[str, OPERATIONAL]
    shape: Annotated[dict[str, Any], OPERATIONAL] = {}
    size_bytes: Annotated[int, OPERATIONAL]
    at: Annotated[Moment, OPERATIONAL]
    resolution: Annotated[str | None, OPERATIONAL] = None
    """Told once more with this where somebody has dealt with it: `resent`. `at` is then when."""
