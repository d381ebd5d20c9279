"""The body of a 202 (`accepted.json`): intake's promise to the police."""

from __future__ import annotations

from typing import Annotated, Literal

from shared.contracts.base import Contract
from shared.contracts.incident import Fault, Gap
from shared.privacy import OPERATIONAL, about


class Accepted(Contract):
    """Stored durably. `trace` is the W3C traceparent that follows the case everywhere."""

    case: Annotated[str, OPERATIONAL]
    revision: Annotated[int, OPERATIONAL]
    status: Annotated[Literal["accepted", "amended", "repeated", "withdrawn"], OPERATIONAL]
    faults: Annotated[list[Fault], about("case", "special")] = []
    gaps: Annotated[list[Gap], OPERATIONAL] = []
    links: Annotated[dict[str, str], OPERATIONAL] = {}
    trace: Annotated[str | None, OPERATIONAL] = None
