"""A submission as the door reads it: what was sent, word for word, and what could be read of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from services.intake import domain
from shared.contracts.incident import Fault, Gap, Incident
from shared.contracts.reading import read_incident
from shared.errors import Refused
from shared.keys import Caller
from shared.vocabulary import Lane

Door = Literal["json", "batch"]
"""Which way in it took."""

_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Submission:
    """One incident on its way into the store. `case`: its id, `force/reference`. `arrived`: when its request
    came (UTC). `raw`: the bytes as sent. `trace`: the traceparent that follows the case from here on."""

    case: str
    raw: bytes
    incident: Incident
    faults: list[Fault]
    gaps: list[Gap]
    judged_on: domain.Submission
    arrived: datetime
    trace: str | None
    key: str
    door: Door
    lane: Lane = "live"

    @property
    def contact_at(self) -> datetime:
        """When the police were told, or as near as is known: the start of the case's time ledger."""
        return min(self.incident.reported_at or self.incident.occurred_at, self.arrived)


def read_submission(
    raw: bytes,
    parsed: Any,
    *,
    caller: Caller,
    arrived: datetime,
    trace: str | None,
    door: Door,
    lane: Lane = "live",
) -> Submission:
    """Read what was sent. Raises Refused: 422 where it is no incident (design.md, "Contracts"), 403 where
    it is another force's."""
    reading = read_incident(parsed, now=arrived)
    incident = reading.incident
    if incident.force != caller.force:
        raise Refused(
            403,
            "Another force's incident",
            f"This key may post incidents of {caller.force} only; /force says otherwise.",
            at="/force",
        )
    if _UNWRITABLE.search(incident.reference):
        raise Refused(
            422,
            "reference cannot be read",
            "A reference is text of at most 128 characters, without control characters.",
            at="/reference",
        )
    return Submission(
        case=incident.case,
        raw=raw,
        incident=incident,
        faults=reading.faults,
        gaps=reading.gaps,
        judged_on=domain.Submission(incident.revision, content_digest(parsed), incident.withdrawn is True),
        arrived=arrived,
        trace=trace,
        key=caller.key,
        door=door,
        lane=lane,
    )


def content_digest(parsed: Mapping[str, Any]) -> bytes:
    """SHA-256 of a submission's content: its JSON with sorted keys, without the revision's number."""
    content = {name: value for name, value in parsed.items() if name != "revision"}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
