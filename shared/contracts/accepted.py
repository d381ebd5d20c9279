"""The body of a 202 (`accepted.json`): intake's promise to the police."""

from __future__ import annotations

from typing import Annotated, Literal

from shared.contracts.base import Contract
from shared.contracts.incident import Fault, Gap
from shared.privacy import OPERATIONAL, about


class Accepted(Contract):
    """Stored durably. `trace` is the W3C traceparent that follows the case everywhere.

    `changed`: JSON pointers to what an amendment changed, `healed`: faults and gaps of the revision before
    it that are no more. `not_carried`: what the sender's form has no field for, told once per key and form.
    """

    case: Annotated[str, OPERATIONAL]
    revision: Annotated[int, OPERATIONAL]
    status: Annotated[Literal["accepted", "amended", "repeated", "withdrawn"], OPERATIONAL]
    faults: Annotated[list[Fault], about("case", "special")] = []
    gaps: Annotated[list[Gap], OPERATIONAL] = []
    changed: Annotated[list[str] | None, OPERATIONAL] = None
    healed: Annotated[list[str] | None, OPERATIONAL] = None
    not_carried: Annotated[list[Gap] | None, OPERATIONAL] = None
    links: Annotated[dict[str, str], OPERATIONAL] = {}
    trace: Annotated[str | None, OPERATIONAL] = None
