"""A council's records as the door reads them: each entry by itself, so that a bad one spoils no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from shared.contracts.base import Contract
from shared.contracts.history import Involvement
from shared.contracts.incident import Relationship
from shared.contracts.records import KnownPerson, Records
from shared.errors import Refused

E = TypeVar("E", bound=Contract)

_LISTS: Final = ("people", "relationships", "involvement", "removed")


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that was left out: which, and why, without a word of what it said."""

    list: str
    index: int
    because: str

    def as_data(self) -> dict[str, Any]:
        """As it is answered."""
        return {"list": self.list, "index": self.index, "because": self.because}


@dataclass(slots=True)
class Import:
    """What could be read, each entry with its index in the document; `bad`: what could not."""

    source: str
    as_of: datetime
    whole: bool
    people: dict[str, KnownPerson] = field(default_factory=dict)
    relationships: list[tuple[int, Relationship]] = field(default_factory=list)
    involvement: list[tuple[int, Involvement]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    bad: list[BadEntry] = field(default_factory=list)

    def named(self) -> set[str]:
        """The ids that relationships and involvement name."""
        named = {one for _, ends in self.relationships for one in (ends.from_, ends.to)}
        named |= {known.child for _, known in self.involvement if known.child is not None}
        return {one for one in named if _is_id(one)}


def read_records(document: object) -> Import:
    """Read a `waymark.records/1`. Raises Refused (422) where source, as_of or a list cannot be read."""
    if not isinstance(document, dict):
        raise Refused(422, "Not records", "Send one JSON object: waymark.records/1.")
    for name in _LISTS:
        if not isinstance(document.get(name) or [], list):
            raise Refused(422, f"{name} is not a list", "Send a list, or leave it out.", at=f"/{name}")
    try:
        head = Records.model_validate({k: said for k, said in document.items() if k not in _LISTS})
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]["loc"]
        at = "/".join(str(step) for step in where)
        raise Refused(
            422,
            f"{at} cannot be read",
            "source says whose records these are, as_of when they were true.",
            at=f"/{at}",
        ) from None
    if not _is_id(head.source):
        raise Refused(
            422, "source cannot be read", "A source is text without control characters.", at="/source"
        )
    found = Import(head.source, head.as_of, head.whole)
    for i, person in _entries(found, document, "people", KnownPerson):
        if not _is_id(person.id):
            found.bad.append(BadEntry("people", i, "id cannot be read"))
        elif person.id in found.people:
            found.bad.append(BadEntry("people", i, "this id stands for another entry already"))
        else:
            found.people[person.id] = person
    found.relationships = list(_entries(found, document, "relationships", Relationship))
    for i, known in _entries(found, document, "involvement", Involvement):
        if known.child is None:
            found.bad.append(BadEntry("involvement", i, "names no child"))
        else:
            found.involvement.append((i, known))
    for i, said in enumerate(document.get("removed") or ()):
        if isinstance(said, str) and _is_id(said):
            found.removed.append(said)
        else:
            found.bad.append(BadEntry("removed", i, "not an id"))
    return found


def _is_id(said: str) -> bool:
    """Control characters have no place in an id, and the database refuses one of them."""
    return bool(said) and said.isprintable()


def _entries(found: Import, document: dict[str, Any], name: str, kind: type[E]) -> Iterator[tuple[int, E]]:
    for i, entry in enumerate(document.get(name) or ()):
        try:
            yield i, kind.model_validate(entry)
        except ValidationError as error:
            found.bad.append(BadEntry(name, i, _because(error)))


def _because(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if not first["loc"]:
        return "not an object"
    where = "/".join(str(step) for step in first["loc"])
    return f"{where} is missing" if first["type"] == "missing" else f"{where} cannot be read"


def relate_only_known(found: Import, known: set[str]) -> None:
    """Move to `bad` what names a person that is in neither this import nor the source's earlier ones."""
    known |= found.people.keys()
    unknown = "names a person who is not in the source's records"
    kept = []
    for i, one in found.relationships:
        if one.from_ == one.to:
            found.bad.append(BadEntry("relationships", i, "relates a person to itself"))
        elif one.from_ in known and one.to in known:
            kept.append((i, one))
        else:
            found.bad.append(BadEntry("relationships", i, unknown))
    found.relationships = kept
    listed = found.involvement
    found.involvement = [(i, one) for i, one in listed if one.child in known]
    found.bad += [BadEntry("involvement", i, unknown) for i, one in listed if one.child not in known]
    found.bad.sort(key=lambda one: (_LISTS.index(one.list), one.index))
