"""How a submission is read: lenient, and honest about what it could not read.

`read_incident` refuses only what has no `force`, `reference` or readable `occurred_at` (design.md,
"Contracts"). Every other fault is treated as unknown and named; what is missing and could matter is
named as a gap. Used at the door and by the offline commands, so that both take the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from shared.contracts.incident import Adult, Child, Fault, Gap, Incident
from shared.errors import Refused

NEEDED: Final = ("force", "reference", "occurred_at")
UNBORN_WITHIN: Final = timedelta(days=280)
"""A birth date up to this long after the incident is an unborn child's (design.md)."""

_TEXT_FOR_UNKNOWN: Final = frozenset({"not_recorded", "not recorded", "unknown", "not known", "n/k", ""})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, what could not be, and what is missing."""

    incident: Incident
    faults: list[Fault]
    gaps: list[Gap]


def read_incident(raw: object, *, now: datetime | None = None) -> Reading:
    """Read a submission (parsed JSON). Raises Refused (422) where it cannot be taken at all.

    `now` lets times in the future be named as faults; without it they are not checked.
    """
    if not isinstance(raw, dict):
        raise Refused(422, "Not an incident", "Send one JSON object with force, reference and occurred_at.")
    data = {key: value for key, value in raw.items() if key not in ("faults", "schema")}
    faults: list[Fault] = []
    try:
        incident = Incident.model_validate(data)
    except ValidationError:
        data = deepcopy(data)
        _drop_placeholders(data)
        incident = _validate(data, faults)
    incident = _check_sense(incident, data, faults, now)
    faults.sort(key=lambda fault: fault.at)
    if faults:
        incident = incident.model_copy(update={"faults": faults})
    return Reading(incident, faults, list(_gaps(incident)))


def _drop_placeholders(data: dict[str, Any]) -> None:
    """Words that stand for `unknown` in closed lists are unknown, not faults."""
    children = data.get("children")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict) and _is_placeholder(child.get("presence")):
            child["presence"] = None
    risk = data.get("risk")
    if isinstance(risk, dict) and _is_placeholder(risk.get("level")):
        risk["level"] = None


def _is_placeholder(said: object) -> bool:
    return isinstance(said, str) and said.strip().lower() in _TEXT_FOR_UNKNOWN


class _Removed:
    """Marks a list entry that could not be read, so that the indexes of its neighbours stay true."""


_REMOVED: Final = _Removed()


def _validate(data: dict[str, Any], faults: list[Fault]) -> Incident:
    """Validate, taking out what cannot be read and naming it, until the rest is valid."""
    positions: dict[int, list[int]] = {}
    while True:
        try:
            return Incident.model_validate(data)
        except ValidationError as error:
            trouble = error.errors(include_url=False, include_context=False)
        removed_from: list[list[Any]] = []
        for one in trouble:
            # Null where a part cannot be unknown (an entry's id) is as good as missing: without taking the
            # entry out the loop would never end.
            where = one["loc"]
            null = one["input"] is None and len(where) > 1 and isinstance(where[-1], str)
            missing = one["type"] == "missing" or null
            _take_out(data, where, missing, one["msg"], faults, positions, removed_from)
        for entries in removed_from:
            kept = [i for i, entry in enumerate(entries) if entry is not _REMOVED]
            before = positions.get(id(entries)) or list(range(len(entries)))
            positions[id(entries)] = [before[i] for i in kept]
            entries[:] = [entries[i] for i in kept]


def _take_out(
    data: dict[str, Any],
    where: tuple[int | str, ...],
    missing: bool,
    message: str,
    faults: list[Fault],
    positions: dict[int, list[int]],
    removed_from: list[list[Any]],
) -> None:
    if len(where) == 1 and where[0] in NEEDED:
        field = str(where[0])
        raise Refused(
            422,
            f"{field} is missing" if missing else f"{field} cannot be read",
            f"Every incident needs force, reference and occurred_at; {field} "
            + ("was not sent." if missing else "was sent, but not as the contract says."),
            at=f"/{field}",
        )
    if missing:
        # A part of an entry without which the entry says nothing (an id, the ends of a relationship).
        where = where[:-1]
    parent: Any = data
    pointer: list[str] = []
    for step in where[:-1]:
        pointer.append(_place(parent, step, positions))
        parent = parent[step]
        if parent is _REMOVED:
            return
    last: Any = where[-1]
    pointer.append(_place(parent, last, positions))
    said = parent[last]
    if said is _REMOVED or (said is None and isinstance(parent, dict)):
        return
    if isinstance(parent, list):
        parent[last] = _REMOVED
        if not any(parent is seen for seen in removed_from):
            removed_from.append(parent)
    else:
        parent[last] = None
    because = f"{_in_plain_words(message, missing)}: kept as written, treated as unknown"
    faults.append(Fault(at="/" + "/".join(pointer), said=said, because=because))


def _place(parent: Any, step: int | str, positions: dict[int, list[int]]) -> str:
    if isinstance(parent, list) and isinstance(step, int) and id(parent) in positions:
        return str(positions[id(parent)][step])
    return str(step).replace("~", "~0").replace("/", "~1")


def _in_plain_words(message: str, missing: bool) -> str:
    if missing:
        return "has no id or lacks an end"
    text = message.removeprefix("Value error, ").removeprefix("Input should be ").split(", ")[0]
    if "instance of" in text:
        return "not an object"
    if text.startswith(("'", "one of")) or " or '" in text:
        return "not a word of the closed list"
    if "is out of range" in text or "must be in range" in text or text == "not a date":
        return "not a date"
    return f"not {text}" if not text.startswith("not ") else text


def _check_sense(
    incident: Incident, data: dict[str, Any], faults: list[Fault], now: datetime | None
) -> Incident:
    """Name what can be read but cannot be true; such values are treated as unknown."""
    update: dict[str, Any] = {}
    if now is not None and incident.occurred_at > now + timedelta(days=1):
        faults.append(
            Fault(
                at="/occurred_at",
                said=data["occurred_at"],
                because="lies in the future: kept, please check the date",
            )
        )
    on = incident.occurred_at.date()
    for field, people, latest in (
        ("adults", incident.adults, on),
        ("children", incident.children, on + min(UNBORN_WITHIN, date.max - on)),
    ):
        possible = [
            _without_impossible_birth(person, f"/{field}/{i}", faults, latest=latest)
            for i, person in enumerate(people or ())
        ]
        if any(after is not before for after, before in zip(possible, people or (), strict=True)):
            update[field] = possible
    known = {person.id for person in (*(incident.adults or ()), *(incident.children or ()))}
    kept = []
    for i, relationship in enumerate(incident.relationships or ()):
        if relationship.from_ in known and relationship.to in known:
            kept.append(relationship)
        else:
            faults.append(
                Fault(
                    at=f"/relationships/{i}",
                    said=f"{relationship.from_} -> {relationship.to}",
                    because="names a person who is not in the incident: kept as written, left aside",
                )
            )
    if len(kept) < len(incident.relationships or ()):
        update["relationships"] = kept
    return incident.model_copy(update=update) if update else incident


def _without_impossible_birth(person: Any, at: str, faults: list[Fault], latest: Any) -> Any:
    born = person.born
    if born is None or (born <= latest and born.year >= 1900):
        return person
    faults.append(
        Fault(
            at=f"{at}/born",
            said=born.isoformat(),
            because="not a possible birth date: kept as written, treated as unknown",
        )
    )
    return person.model_copy(update={"born": None})


def _gaps(incident: Incident) -> Iterator[Gap]:
    for field in ("adults", "children", "relationships", "incident", "risk", "consent", "reported_at"):
        if getattr(incident, field) is None:
            yield Gap(at=f"/{field}", because="not recorded")
    for i, adult in enumerate(incident.adults or ()):
        yield from _adult_gaps(adult, f"/adults/{i}")
    for i, child in enumerate(incident.children or ()):
        yield from _child_gaps(child, f"/children/{i}")
    if incident.risk is not None and incident.risk.level and incident.risk.yes_answers is None:
        yield Gap(at="/risk/yes_answers", because="a level without the answers it rests on")
    related = {end for r in incident.relationships or () if r.kind is not None for end in (r.from_, r.to)}
    for i, child in enumerate(incident.children or ()):
        if incident.relationships is not None and child.id not in related:
            yield Gap(at=f"/children/{i}", because="relationship to the adults not recorded")


def _adult_gaps(adult: Adult, at: str) -> Iterator[Gap]:
    for field in ("role", "name", "born"):
        if getattr(adult, field) is None:
            yield Gap(at=f"{at}/{field}", because="not recorded")
    if adult.role in ("victim", "both"):
        if adult.pregnant is None and adult.sex != "male":
            yield Gap(at=f"{at}/pregnant", because="not recorded")
        if adult.address is None:
            yield Gap(at=f"{at}/address", because="not recorded")


def _child_gaps(child: Child, at: str) -> Iterator[Gap]:
    for field in ("name", "born", "presence"):
        if getattr(child, field) is None:
            yield Gap(at=f"{at}/{field}", because="not recorded")
