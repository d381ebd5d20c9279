"""Narrower models of the decisions and outcomes that enrichment reads: what becomes history, and no more."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from shared import vocabulary as v
from shared.contracts.base import Contract, Day, Moment
from shared.contracts.envelope import Envelope
from shared.privacy import CIRCUMSTANCE, OPERATIONAL


class ResultForHistory(Contract):
    """Of a result, the child's level."""

    child_level: Annotated[int | None, OPERATIONAL] = None


class RouteForHistory(Contract):
    """Of a route, the service and whom it was about."""

    service: Annotated[str, OPERATIONAL]
    about: Annotated[list[str], OPERATIONAL]


class ReceiptForHistory(Contract):
    """Of a receipt, the result and the routes."""

    result: Annotated[ResultForHistory, OPERATIONAL]
    routes: Annotated[list[RouteForHistory], OPERATIONAL]


class DecisionForHistory(Contract):
    """Of a decision, the receipt."""

    receipt: Annotated[ReceiptForHistory, OPERATIONAL]


class DecidedForHistory(Contract):
    """Of `waymark.decided/1`, when it holds from, its state and the decision."""

    as_of: Annotated[Moment, OPERATIONAL]
    state: Annotated[str, OPERATIONAL]
    decision: Annotated[DecisionForHistory, OPERATIONAL]


class AnswerForHistory(Contract):
    """Of an answer, who chose which pathway when."""

    service: Annotated[str, OPERATIONAL]
    kind: Annotated[str, OPERATIONAL]
    pathway: Annotated[v.Pathway | None, CIRCUMSTANCE] = None
    at: Annotated[Moment, OPERATIONAL]


class HearingForHistory(Contract):
    """Of a hearing, at which kind of meeting and when."""

    kind: Annotated[str, OPERATIONAL]
    heard_on: Annotated[Day, CIRCUMSTANCE]


class AnsweredForHistory(Contract):
    """Of `waymark.outcomes/1`, the answers and hearings."""

    answers: Annotated[list[AnswerForHistory], CIRCUMSTANCE]
    heard: Annotated[list[HearingForHistory], CIRCUMSTANCE, Field(default_factory=list)]


DECIDED_FOR_HISTORY: Final = TypeAdapter(Envelope[DecidedForHistory])
ANSWERED_FOR_HISTORY: Final = TypeAdapter(Envelope[AnsweredForHistory])
