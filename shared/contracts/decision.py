"""`waymark.decision/1`: what triage decided, round a receipt that is a pure function of its inputs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Moment
from shared.privacy import CIRCUMSTANCE, OPERATIONAL, about


class Inputs(Contract):
    """The digest (`sha256:...`) of each input of the decision."""

    incident: Annotated[str, OPERATIONAL]
    history: Annotated[str | None, OPERATIONAL] = None
    protocol: Annotated[str, OPERATIONAL]
    safeguards: Annotated[str, OPERATIONAL]
    area: Annotated[str | None, OPERATIONAL] = None
    previous: Annotated[str | None, OPERATIONAL] = None
    people: Annotated[list[str], OPERATIONAL] = []


class ProtocolRef(Contract):
    """A protocol by id and version."""

    id: Annotated[str, OPERATIONAL]
    version: Annotated[int, OPERATIONAL]


class Outcome(Contract):
    """Levels, response, services and handling: once as the facts stand, once as they could be."""

    child_level: Annotated[int | None, OPERATIONAL, Field(ge=0, le=4)] = None
    victim_level: Annotated[v.VictimLevel | None, OPERATIONAL] = None
    css_response: Annotated[v.CssResponse, OPERATIONAL]
    services: Annotated[list[v.Service], OPERATIONAL]
    handling: Annotated[list[v.Handling], OPERATIONAL]


class ChildDecision(Contract):
    """One child's level and response."""

    id: Annotated[str, OPERATIONAL]
    child_level: Annotated[int | None, OPERATIONAL] = None
    css_response: Annotated[v.CssResponse, OPERATIONAL]


class Route(Contract):
    """A service that is told: about whom (ids), where, by when, on what legal basis, by which rules."""

    service: Annotated[v.Service, OPERATIONAL]
    about: Annotated[list[str], OPERATIONAL]
    area: Annotated[str | None, OPERATIONAL] = None
    response: Annotated[v.CssResponse | None, OPERATIONAL] = None
    due: Annotated[Moment | None, OPERATIONAL] = None
    basis: Annotated[v.SharingBasis, OPERATIONAL]
    rules: Annotated[list[str], OPERATIONAL]


class Consider(Contract):
    """A service put before a coordinator; silence lists the case."""

    service: Annotated[v.Service, OPERATIONAL]
    rules: Annotated[list[str], OPERATIONAL]


class Reason(Contract):
    """A rule that fired, with the facts it stood on, why, and where it comes from."""

    rule: Annotated[str, OPERATIONAL]
    step_up: Annotated[str | None, OPERATIONAL] = None
    at_least: Annotated[dict[str, Any], OPERATIONAL] = {}
    routes: Annotated[list[v.Service], OPERATIONAL] = []
    handling: Annotated[list[v.Handling] | None, OPERATIONAL] = None
    facts: Annotated[dict[str, Any], CIRCUMSTANCE] = {}
    because: Annotated[str, CIRCUMSTANCE]
    source: Annotated[str, OPERATIONAL]


class Question(Contract):
    """Something unknown that could change the result, and whom to ask."""

    fact: Annotated[str, OPERATIONAL]
    to: Annotated[str, OPERATIONAL]
    because: Annotated[str, CIRCUMSTANCE]
    would_add: Annotated[dict[str, Any], CIRCUMSTANCE] = {}


class Review(Contract):
    """Whether a person has to look, before or after routing, and why."""

    needed: Annotated[bool, OPERATIONAL]
    when: Annotated[Literal["before_routing", "after_routing"] | None, OPERATIONAL] = None
    because: Annotated[list[str], OPERATIONAL] = []


class Receipt(Contract):
    """A pure function of its inputs: same inputs, same canonical bytes (RFC 8785)."""

    as_of: Annotated[Moment, OPERATIONAL]
    inputs: Annotated[Inputs, OPERATIONAL]
    protocol: Annotated[ProtocolRef, OPERATIONAL]
    safeguards: Annotated[ProtocolRef, OPERATIONAL]
    engine: Annotated[int, OPERATIONAL]
    result: Annotated[Outcome, OPERATIONAL]
    possible: Annotated[Outcome, OPERATIONAL]
    children: Annotated[list[ChildDecision], OPERATIONAL]
    routes: Annotated[list[Route], OPERATIONAL]
    consider: Annotated[list[Consider], OPERATIONAL]
    reasons: Annotated[list[Reason], CIRCUMSTANCE]
    mitigating: Annotated[list[Reason], CIRCUMSTANCE]
    questions: Annotated[list[Question], CIRCUMSTANCE]
    doubt: Annotated[dict[str, Any] | None, OPERATIONAL] = None
    review: Annotated[Review, OPERATIONAL]
    set_aside: Annotated[list[dict[str, Any]] | None, CIRCUMSTANCE] = None
    """Reasons that two people set aside (`rule`, and the `facts` it stood on)."""
    failed_rules: Annotated[list[str] | None, OPERATIONAL] = None
    """Rules that could not be tried: they count in what is possible, and a person looks."""


class Decision(Contract):
    """The envelope round a receipt: ids (null offline), version, what it supersedes, people's acts."""

    schema_id: ClassVar[str] = "waymark.decision/1"

    schema_: Annotated[Literal["waymark.decision/1"], OPERATIONAL, Field(alias="schema")] = "waymark.decision/1"
    case: Annotated[str, OPERATIONAL]
    version: Annotated[int | None, OPERATIONAL] = None
    family: Annotated[str | None, OPERATIONAL] = None
    supersedes: Annotated[int | None, OPERATIONAL] = None
    receipt: Annotated[dict[str, Any], about("case", "circumstance")]
    """The receipt as canonical data; `Receipt` describes it. Kept as data so that it stays byte for
    byte what was decided, whatever the reader's version of the contract."""
    people_decided: Annotated[list[dict[str, Any]], OPERATIONAL] = []
