"""`envelope.json`: round every event on a topic.

`seq` counts per case and sender, given under the case's row lock: a consumer applies an event only
above the last one it applied. `id` is derived from sender, case and seq, so that a repeat has the same.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Moment
from shared.privacy import OPERATIONAL, about

_EVENT_IDS = uuid.UUID("5b7d3c62-6a0e-5f7e-9c39-27d7c7b3a1f4")

Body = TypeVar("Body", bound=Contract)


class LedgerEntry(Contract):
    """A stage's share of the time, in milliseconds; entries follow one another without gaps.

    `waited_ms` before `from_` for a stage that works, `worked_ms` from `from_` to `to`. An entry of
    waiting only (`police`) spans its waiting.
    """

    stage: Annotated[str, OPERATIONAL]
    waited_ms: Annotated[float, OPERATIONAL]
    worked_ms: Annotated[float, OPERATIONAL]
    from_: Annotated[Moment, OPERATIONAL, Field(alias="from")]
    to: Annotated[Moment, OPERATIONAL]


class Envelope(Contract, Generic[Body]):
    """One event."""

    id: Annotated[str, OPERATIONAL]
    type: Annotated[str, OPERATIONAL]
    schema_: Annotated[str, OPERATIONAL, Field(alias="schema")]
    case: Annotated[str, OPERATIONAL]
    seq: Annotated[int, OPERATIONAL, Field(ge=1)]
    from_: Annotated[str, OPERATIONAL, Field(alias="from")]
    caused_by: Annotated[str | None, OPERATIONAL] = None
    lane: Annotated[v.Lane, OPERATIONAL] = "live"
    at: Annotated[Moment, OPERATIONAL]
    ledger: Annotated[list[LedgerEntry], OPERATIONAL] = []
    body: Annotated[Body, about("case", "special")]


def event_id(sender: str, case: str, seq: int) -> str:
    """The id of the event that `sender` gave `seq` for `case`: the same every time."""
    return str(uuid.uuid5(_EVENT_IDS, f"{sender}\n{case}\n{seq}"))
