"""`waymark.notification/1`, what a recipient gets on every channel, and `waymark.receipt/1`, its answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Moment
from shared.privacy import CIRCUMSTANCE, OPERATIONAL, about


class AddressedTo(Contract):
    """The recipient, in which role and for which area."""

    recipient: Annotated[str, OPERATIONAL]
    role: Annotated[v.Service, OPERATIONAL]
    area: Annotated[str | None, OPERATIONAL] = None


class Asked(Contract):
    """What is asked: which response, about whom, by when, and where to answer."""

    response: Annotated[str | None, OPERATIONAL] = None
    about: Annotated[list[str], OPERATIONAL] = []
    due: Annotated[Moment | None, OPERATIONAL] = None
    receipts: Annotated[str, OPERATIONAL]
    no_longer: Annotated[bool | None, OPERATIONAL] = None
    """True: nothing is asked of this service any more; it is told because it was told before."""


class Why(Contract):
    """A reason as the recipient reads it."""

    because: Annotated[str, CIRCUMSTANCE]
    rule: Annotated[str, OPERATIONAL]
    source: Annotated[str, OPERATIONAL]


class Withheld(Contract):
    """A field that the role may not see, and why."""

    field: Annotated[str, OPERATIONAL]
    because: Annotated[str, OPERATIONAL]


class Sharing(Contract):
    """The legal basis, the state of consent, and what was withheld."""

    basis: Annotated[v.SharingBasis, OPERATIONAL]
    consent: Annotated[Literal["given", "not_given", "not_asked", "unknown"], OPERATIONAL]
    withheld: Annotated[list[Withheld], OPERATIONAL] = []


class Notification(Contract):
    """One delivery's content. `replaces` is the delivery id of the version it supersedes, `changed` the
    fields in which it differs from that one; it is always whole."""

    schema_: Annotated[Literal["waymark.notification/1"], OPERATIONAL, Field(alias="schema")] = (
        "waymark.notification/1"
    )
    delivery: Annotated[str, OPERATIONAL]
    case: Annotated[str, OPERATIONAL]
    version: Annotated[int, OPERATIONAL]
    replaces: Annotated[str | None, OPERATIONAL] = None
    why_again: Annotated[str | None, OPERATIONAL] = None
    changed: Annotated[list[str] | None, OPERATIONAL] = None
    news: Annotated[list[str] | None, about("family", "circumstance")] = None
    """Of one that replaces another: what is known of the past now and was not then, in words."""
    to: Annotated[AddressedTo, OPERATIONAL]
    asked: Annotated[Asked, OPERATIONAL]
    why: Annotated[list[Why], CIRCUMSTANCE] = []
    incident: Annotated[dict[str, Any], about("case", "special")]
    history: Annotated[dict[str, Any], about("family", "special")] = {}
    questions_open: Annotated[list[str], OPERATIONAL] = []
    handling: Annotated[list[v.Handling], OPERATIONAL] = []
    restricted_to: Annotated[list[str] | None, OPERATIONAL] = None
    """Of a restricted case: the only people of the recipient who may open it; an empty list: nobody is named
    yet."""
    sharing: Annotated[Sharing, OPERATIONAL]
    test: Annotated[bool | None, OPERATIONAL] = None
    withdrawn: Annotated[bool | None, OPERATIONAL] = None
    replayed_at: Annotated[Moment | None, OPERATIONAL] = None
    """When it was sent once more, though the recipient had acknowledged it, because it asked for that."""
    trace: Annotated[str | None, OPERATIONAL] = None


class Challenge(Contract):
    """`waymark.challenge/1`: sent to a webhook's address before the first case. Whoever answers 2xx and gives
    the challenge back, as JSON (`{"challenge": ...}`) or as plain text, shows that it listens for Waymark."""

    schema_: Annotated[Literal["waymark.challenge/1"], OPERATIONAL, Field(alias="schema")] = (
        "waymark.challenge/1"
    )
    recipient: Annotated[str, OPERATIONAL]
    challenge: Annotated[str, OPERATIONAL]
    at: Annotated[Moment, OPERATIONAL]


class Ping(Contract):
    """`waymark.ping/1`: a test of the connection, about nobody. Any 2xx will do."""

    schema_: Annotated[Literal["waymark.ping/1"], OPERATIONAL, Field(alias="schema")] = "waymark.ping/1"
    recipient: Annotated[str, OPERATIONAL]
    at: Annotated[Moment, OPERATIONAL]


class ReceiptGiven(Contract):
    """What a recipient answers. `not_ours` names who it should go to, if known."""

    schema_: Annotated[Literal["waymark.receipt/1"], OPERATIONAL, Field(alias="schema")] = "waymark.receipt/1"
    delivery: Annotated[str | None, OPERATIONAL] = None
    kind: Annotated[v.ReceiptKind, OPERATIONAL]
    at: Annotated[Moment | None, OPERATIONAL] = None
    by: Annotated[str | None, about("service", "contact"), Field(max_length=200)] = None
    pathway: Annotated[v.Pathway | None, CIRCUMSTANCE] = None
    reason: Annotated[str | None, about("service", "personal"), Field(max_length=4000)] = None
    not_ours: Annotated[str | None, OPERATIONAL, Field(max_length=200)] = None
