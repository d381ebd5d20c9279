"""How a submission is read: lenient, and honest about what it could not read.

`read_incident` refuses only what has no `force`, `reference` or readable `occurred_at` (design.md,
"Contracts"). Every other fault is treated as unknown and named; what is missing and could matter is
named as a gap. Used at the door and by the offline commands, so that both take the same.

In order: `needed` (what is refused), `tidiness` (what is certain is put right, what nobody reads is named),
`validation` (what cannot be read is taken out), `sense` (what cannot be true, by the table in `rules`),
`gaps` and `narrative` (what is missing). A submission with nothing odd in it is never tidied.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from shared.contracts.incident import Fault, Gap, Incident
from shared.contracts.reading.faults import Faults
from shared.contracts.reading.gaps import name_gaps
from shared.contracts.reading.needed import NEEDED, require_needed
from shared.contracts.reading.rules import UNBORN_WITHIN
from shared.contracts.reading.sense import check_sense
from shared.contracts.reading.tidiness import is_tidy, tidy
from shared.contracts.reading.validation import Places, validate
from shared.errors import Refused

__all__ = ["NEEDED", "UNBORN_WITHIN", "Reading", "read_incident"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, what could not be, and what is missing.

    Pointers are those of the submission as it was sent. `faults` and `gaps` hold at most 200 entries and
    one more, at the whole document (``""``), that says how many were not listed.
    """

    incident: Incident
    faults: list[Fault]
    gaps: list[Gap]


def read_incident(raw: object, *, now: datetime | None = None) -> Reading:
    """Read a submission (parsed JSON). Raises Refused (422) where it cannot be taken at all.

    `now` lets times in the future be named as faults; without it they are not checked. `raw` is not
    changed. Nothing in it, whatever its size or nesting, raises anything else.
    """
    if not isinstance(raw, dict):
        raise Refused(422, "Not an incident", "Send one JSON object with force, reference and occurred_at.")
    require_needed(raw)
    faults = Faults()
    incident: Incident | None = None
    data = raw
    places = Places()
    if is_tidy(raw):
        try:
            # Forbidding, in this one pass, what the contract does not have finds misspelt names at no cost.
            incident = Incident.model_validate(raw, extra="forbid")
        except ValidationError:
            incident = None
    if incident is None:
        data = tidy(raw, faults)
        incident = validate(data, faults, places)
    incident = check_sense(incident, data, places, faults, now)
    named = faults.listed()
    if named:
        incident = incident.model_copy(update={"faults": named})
    return Reading(incident, named, name_gaps(incident, places))
