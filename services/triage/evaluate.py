"""Deciding offline: incidents from files, the library of protocols, the areas; no broker, no database.

Reads as the door reads, faults and all, and gives the same receipt as the running service would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from services.triage.domain import decide
from services.triage.domain.protocol import Protocol
from services.triage.protocols import Library
from services.triage.screening import governing_area
from shared.areas import Area, Areas
from shared.contracts.history import UNAVAILABLE, History
from shared.contracts.incident import Incident
from shared.contracts.reading import Reading, read_incident
from shared.errors import Refused


class WrongUse(Exception):
    """The command was asked for something that is not there; the sentence says what there is."""


@dataclass(frozen=True)
class Sent:
    """One submission of a file: where it stood, and how it was read or why it was refused."""

    place: str
    reading: Reading | None = None
    refused: str | None = None


def read_submissions(path: Path) -> Iterator[Sent]:
    """The incidents of a file: one JSON object, an array of them, or JSON lines."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}.") from None
    try:
        whole = orjson.loads(content)
    except orjson.JSONDecodeError:
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                yield _read_line(line, f"{path}, line {number}")
        return
    for number, raw in enumerate(whole if isinstance(whole, list) else [whole], start=1):
        yield _read(raw, f"{path}, incident {number}" if isinstance(whole, list) else str(path))


def _read_line(line: bytes, place: str) -> Sent:
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Sent(place, refused="not JSON")
    return _read(raw, place)


def _read(raw: object, place: str) -> Sent:
    try:
        return Sent(place, reading=read_incident(raw))
    except Refused as refused:
        return Sent(place, refused=f"{refused.title}. {refused.detail}")


def read_history(path: Path) -> History:
    """A history file. Raises WrongUse, naming the field."""
    try:
        return History.model_validate(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError:
        raise WrongUse(f"{path} is not JSON.") from None
    except ValidationError as error:
        where = "/".join(str(step) for step in error.errors()[0]["loc"])
        raise WrongUse(f"{path} is not a history: /{where} cannot be read.") from None


def choose_area(areas: Areas, chosen: str | None, incident: Incident, history: History | None) -> Area:
    """The area asked for, else the one that a running system decides in: where a child lives, else the victim,
    else the incident's, else its force's, else the stand-in."""
    if chosen is None:
        return governing_area(areas, incident, history or UNAVAILABLE)
    area = areas.get(chosen)
    if area is None:
        raise WrongUse(f"There is no area {chosen}. There is: {', '.join(sorted(areas.by_id))}.")
    return area


def choose_protocol(library: Library, chosen: str | None, area: Area, as_of: datetime) -> Protocol:
    """The protocol asked for (`id` or `id/version`), else the area's live one on the day of `as_of`."""
    named = chosen or area.rules.protocol.live_on(area.local_day(as_of))
    protocol = library.get(named)
    if protocol is None:
        there = ", ".join(sorted(library.protocols))
        raise WrongUse(f"There is no protocol {named}. There is: {there}.")
    return protocol


def evaluate_incident(
    incident: Incident,
    history: History | None,
    *,
    library: Library,
    areas: Areas,
    protocol: str | None = None,
    area: str | None = None,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """The decision as in contracts/decision.json, with the ids null that only a running system gives.

    Deadlines count from `as_of`, else from when the incident was recorded, reported, or happened.
    """
    where = choose_area(areas, area, incident, history)
    moment = as_of or incident.recorded_at or incident.reported_at or incident.occurred_at
    receipt = decide(
        choose_protocol(library, protocol, where, moment),
        library.safeguards,
        where,
        incident,
        history,
        moment,
        neighbours=areas.by_id,
    )
    return {
        "schema": "waymark.decision/1",
        "case": incident.case,
        "version": 1,
        "family": None,
        "supersedes": None,
        "receipt": receipt.body,
        "people_decided": [],
    }
