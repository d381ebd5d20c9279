"""Narrower models of the events that intake reads, since it needs little of them and may keep less.

What they leave out (the history, the reasons, the levels) is what social care knows: it is never even
decoded here.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from shared.contracts.base import Contract
from shared.contracts.decision import Question
from shared.contracts.envelope import Envelope
from shared.privacy import CIRCUMSTANCE, OPERATIONAL


class ReceiptForPolice(Contract):
    """Of a receipt, the questions."""

    questions: Annotated[list[Question], CIRCUMSTANCE, Field(default_factory=list)]


class DecisionForPolice(Contract):
    """Of a decision, its version and the questions."""

    version: Annotated[int | None, OPERATIONAL] = None
    receipt: Annotated[ReceiptForPolice, CIRCUMSTANCE]


class DecidedForPolice(Contract):
    """Of `waymark.decided/1`, which revision was decided, to what state, with which questions."""

    revision: Annotated[int, OPERATIONAL]
    state: Annotated[str, OPERATIONAL]
    decision: Annotated[DecisionForPolice, CIRCUMSTANCE]


DECIDED_FOR_POLICE: Final = TypeAdapter(Envelope[DecidedForPolice])
