"""The event that intake puts on its topic, written by hand: the incident in it is JSON already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import orjson

from services.intake import replies
from shared.contracts.base import write_exact_moment, write_moment
from shared.contracts.events import IncidentAccepted
from shared.contracts.incident import Gap


@dataclass(frozen=True, slots=True)
class AcceptedEvent:
    """`IncidentAccepted` with the incident as it is written already."""

    incident: bytes
    revision: int
    accepted_at: datetime
    revision_accepted_at: datetime
    gaps: Sequence[Gap]
    again: bool
    type: ClassVar[str] = IncidentAccepted.type

    def as_bytes(self) -> bytes:
        """The body as JSON."""
        return orjson.dumps(
            {
                "incident": orjson.Fragment(self.incident),
                "revision": self.revision,
                "accepted_at": write_exact_moment(self.accepted_at),
                "revision_accepted_at": write_moment(self.revision_accepted_at),
                "gaps": [replies.gap_told(gap) for gap in self.gaps],
                "again": self.again,
            }
        )
