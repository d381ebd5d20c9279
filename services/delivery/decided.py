"""`waymark.decided/1` as delivery reads it: what it passes on stays data, so that it costs nothing to read
and a field of a newer contract is seen and withheld rather than lost unseen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, TypeAdapter

from services.delivery.domain.case import Decided, Route
from shared import ledger
from shared.contracts.base import Contract, Moment, read_moment
from shared.contracts.envelope import Envelope
from shared.privacy import OPERATIONAL, about


class DecisionRead(Contract):
    """The version and the receipt of a decision."""

    version: Annotated[int | None, OPERATIONAL] = None
    receipt: Annotated[dict[str, Any], about("case", "circumstance")]


class CaseDecidedRead(Contract):
    """What delivery needs of `CaseDecided`."""

    schema_id: ClassVar[str] = "waymark.decided/1"
    type: ClassVar[str] = "case.decided"

    incident: Annotated[dict[str, Any], about("case", "special")]
    revision: Annotated[int, OPERATIONAL, Field(ge=1)]
    as_of: Annotated[Moment, OPERATIONAL]
    why: Annotated[str, OPERATIONAL] = "accepted"
    history: Annotated[dict[str, Any], about("family", "special")]
    decision: Annotated[DecisionRead, about("case", "circumstance")]
    state: Annotated[Literal["to_route", "held", "no_recipient_by_rule", "withdrawn"], OPERATIONAL]
    held_by: Annotated[str | None, OPERATIONAL] = None


EVENT: Final[TypeAdapter[Envelope[CaseDecidedRead]]] = TypeAdapter(Envelope[CaseDecidedRead])


def read(
    envelope: Envelope[CaseDecidedRead], *, trace: str | None, started: datetime, planned: datetime
) -> Decided:
    """The event as the rules take it. Work on it took from `started` to `planned`."""
    body = envelope.body
    receipt = body.decision.receipt
    return Decided(
        case=envelope.case,
        version=body.decision.version or 1,
        revision=body.revision,
        state=body.state,
        held_by=body.held_by,
        why=body.why,
        as_of=body.as_of,
        incident=body.incident,
        history=body.history,
        receipt=receipt,
        routes=tuple(
            Route.read(route, read_moment(route["due"]) if route.get("due") else None)
            for route in receipt.get("routes") or ()
        ),
        lane=envelope.lane,
        caused_by=envelope.id,
        trace=trace,
        ledger=ledger.add_work(envelope.ledger, "delivery", started, planned),
    )
