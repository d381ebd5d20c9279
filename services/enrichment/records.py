"""A council's records as the door reads them: each entry by itself, so that a bad one spoils no other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeGuard

from pydantic import ValidationError

from shared.contracts.history import Involvement
from shared.contracts.incident import Relationship
from shared.contracts.records import ImportPart, KnownPerson, Records
from shared.errors import Refused

_LISTS: Final = ("people", "relationships", "involvement", "removed")
_CAN_DO_WITHOUT: Final = frozenset({"role", "born", "sex", "address", "area", "phones", "school"})
"""What of a person may be unreadable: the rest of the entry still tells who they are."""

_LONGEST_LIFE: Final = timedelta(days=120 * 365)
_LONGEST_WAIT: Final = timedelta(days=280)
"""A birth date this far ahead is that of an unborn child."""

_OF_A_GENERATION: Final = frozenset({"parent", "step_parent", "parents_partner", "grandparent"})
_UNKNOWN: Final = "names a person who is not in the source's records"
_CIRCULAR: Final = "circular: the other way round it is so already"


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that was left out: which, and why, without a word of what it said."""

    list: str
    index: int
    because: str

    def as_data(self) -> dict[str, Any]:
        """As it is answered."""
        return {"list": self.list, "index": self.index, "because": self.because}


@dataclass(frozen=True, slots=True)
class Fault:
    """A field of an entry that was taken without it: it counts as unknown, or stays as it was known."""

    list: str
    index: int
    at: str
    because: str

    def as_data(self) -> dict[str, Any]:
        """As it is answered."""
        return {"list": self.list, "index": self.index, "at": self.at, "because": self.because}


@dataclass(slots=True)
class Import:
    """What could be read, each entry with its index in the document; `bad`: what could not.

    `unsaid`: per person the fields that could not be read; what was known of them before stays. Of entries
    that were left out, `kept`, `kept_children` and `kept_pairs` name whom they were about, who stays as
    known before; `unread` counts those of whom not even that can be told.
    """

    source: str
    as_of: datetime
    whole: bool
    part: ImportPart | None = None
    people: dict[str, KnownPerson] = field(default_factory=dict)
    unsaid: dict[str, frozenset[str]] = field(default_factory=dict)
    relationships: list[tuple[int, Relationship]] = field(default_factory=list)
    involvement: list[tuple[int, Involvement]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    bad: list[BadEntry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    kept_children: set[str] = field(default_factory=set)
    kept_pairs: set[tuple[str, str]] = field(default_factory=set)
    unread: int = 0

    @property
    def finishes(self) -> bool:
        """Whether whoever the import did not name is to be forgotten now."""
        return self.whole and (self.part is None or self.part.slices is not None)

    def named(self) -> set[str]:
        """The ids that relationships and involvement name."""
        named = {one for _, ends in self.relationships for one in (ends.from_, ends.to)}
        named |= {known.child for _, known in self.involvement if known.child is not None}
        return {one for one in named if is_id(one)}


def read_records(document: object) -> Import:
    """Read a `waymark.records/1`. Raises Refused (422) where source, as_of or a list cannot be read."""
    if not isinstance(document, dict):
        raise Refused(422, "Not records", "Send one JSON object: waymark.records/1.")
    for name in _LISTS:
        if not isinstance(document.get(name) or [], list):
            raise Refused(422, f"{name} is not a list", "Send a list, or leave it out.", at=f"/{name}")
    found = _read_head(document)
    _read_people(found, document)
    _read_relationships(found, document)
    _read_involvement(found, document)
    for i, said in enumerate(document.get("removed") or ()):
        if is_id(said):
            found.removed.append(said)
        else:
            found.bad.append(BadEntry("removed", i, "not an id"))
    return found


def _read_head(document: dict[str, Any]) -> Import:
    try:
        head = Records.model_validate({k: said for k, said in document.items() if k not in _LISTS})
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]["loc"]
        at = "/".join(str(step) for step in where)
        raise Refused(
            422,
            f"{at} cannot be read",
            "source says whose records these are, as_of when they were true; a sliced import has an id.",
            at=f"/{at}",
        ) from None
    part = head.import_
    for at, said in (("source", head.source), ("import/id", "-" if part is None else part.id)):
        if not is_id(said):
            raise Refused(422, f"{at} cannot be read", "Text without control characters, please.", at=f"/{at}")
    if part is not None and not head.whole:
        raise Refused(
            422,
            "Only a whole import has slices",
            "What changed since may be sent in as many calls as you like, without `import`.",
            at="/import",
        )
    found = Import(head.source, head.as_of, head.whole, part)
    if part is not None:
        found.kept = {one for one in part.kept if is_id(one)}
        found.kept_children = set(found.kept)
        found.unread = part.unread
    return found


def _read_people(found: Import, document: dict[str, Any]) -> None:
    for i, entry in enumerate(document.get("people") or ()):
        try:
            person, unread = _read_person(entry)
        except ValidationError as error:
            _leave_out(found, BadEntry("people", i, _because(error)), _text(entry, "id"))
            continue
        if not is_id(person.id):
            _leave_out(found, BadEntry("people", i, "id cannot be read"), None)
        elif person.id in found.people:
            found.bad.append(BadEntry("people", i, "this id stands for another entry already"))
        else:
            found.faults += [Fault("people", i, name, "cannot be read") for name in sorted(unread)]
            if person.born is not None and not _can_be(person.born, found.as_of.date()):
                found.faults.append(Fault("people", i, "born", "cannot be true"))
                person = person.model_copy(update={"born": None})
            found.people[person.id] = person
            if unread:
                found.unsaid[person.id] = unread


def _read_person(entry: object) -> tuple[KnownPerson, frozenset[str]]:
    """A person without the fields that cannot be read, and which those are. Raises ValidationError where
    it cannot do without one of them."""
    try:
        return KnownPerson.model_validate(entry), frozenset()
    except ValidationError as error:
        wrong = frozenset(str(one["loc"][0]) for one in error.errors(include_url=False) if one["loc"])
        if not isinstance(entry, dict) or not wrong or not wrong <= _CAN_DO_WITHOUT:
            raise
    return KnownPerson.model_validate({k: said for k, said in entry.items() if k not in wrong}), wrong


def _can_be(born: date, on: date) -> bool:
    """Whether somebody alive, or soon to be, may have that birth date. Forms put 1 January 1900 for none."""
    return on - _LONGEST_LIFE <= born <= on + _LONGEST_WAIT


def _leave_out(found: Import, bad: BadEntry, about: str | None) -> None:
    found.bad.append(bad)
    if about is None:
        found.unread += 1
    else:
        found.kept.add(about)


def _read_relationships(found: Import, document: dict[str, Any]) -> None:
    for i, entry in enumerate(document.get("relationships") or ()):
        try:
            found.relationships.append((i, Relationship.model_validate(entry)))
        except ValidationError as error:
            found.bad.append(BadEntry("relationships", i, _because(error)))
            ends = _text(entry, "from"), _text(entry, "to")
            if ends[0] is None or ends[1] is None:
                found.unread += 1
            else:
                found.kept_pairs.add((ends[0], ends[1]))


def _read_involvement(found: Import, document: dict[str, Any]) -> None:
    for i, entry in enumerate(document.get("involvement") or ()):
        child = _text(entry, "child")
        try:
            known = Involvement.model_validate(entry)
        except ValidationError as error:
            found.bad.append(BadEntry("involvement", i, _because(error)))
        else:
            if child is not None:
                found.involvement.append((i, known))
                continue
            found.bad.append(BadEntry("involvement", i, "names no child"))
        if child is None:
            found.unread += 1
        else:
            found.kept_children.add(child)


def is_id(said: object) -> TypeGuard[str]:
    """Control characters have no place in an id, and the database refuses one of them."""
    return isinstance(said, str) and bool(said) and said.isprintable()


def _text(entry: object, name: str) -> str | None:
    said = entry.get(name) if isinstance(entry, dict) else None
    return said if is_id(said) else None


def _because(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if not first["loc"]:
        return "not an object"
    where = "/".join(str(step) for step in first["loc"])
    return f"{where} is missing" if first["type"] == "missing" else f"{where} cannot be read"


def relate_only_known(found: Import, known: set[str], told: Collection[tuple[str, str, str | None]]) -> None:
    """Move to `bad` what names a person that is in neither this import nor the source's earlier ones, and
    what would make a parent of one's own parent. `told`: from, to and kind of what is known already."""
    known |= found.people.keys()
    above = {(from_, to) for from_, to, kind in told if kind in _OF_A_GENERATION}
    kept = []
    for i, one in found.relationships:
        because = None
        if one.from_ == one.to:
            because = "relates a person to itself"
        elif one.from_ not in known or one.to not in known:
            because = _UNKNOWN
        elif one.kind in _OF_A_GENERATION:
            because = _CIRCULAR if (one.to, one.from_) in above else None
            above.add((one.from_, one.to))
        if because is None:
            kept.append((i, one))
        else:
            found.bad.append(BadEntry("relationships", i, because))
    found.relationships = kept
    listed = found.involvement
    found.involvement = [(i, one) for i, one in listed if one.child in known]
    found.bad += [BadEntry("involvement", i, _UNKNOWN) for i, one in listed if one.child not in known]
    found.bad.sort(key=lambda one: (_LISTS.index(one.list), one.index))
