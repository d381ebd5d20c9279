"""`waymark.records/1`: what a council's children's services know of people, families and involvement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Day, Moment
from shared.contracts.history import Involvement
from shared.contracts.incident import Address, Name, Phone, Relationship, School
from shared.privacy import OPERATIONAL, about


class KnownPerson(Contract):
    """A person as the council's case system has them; `id` is the council's own."""

    id: Annotated[str, OPERATIONAL]
    role: Annotated[Literal["child", "adult"] | None, about("adult", "personal")] = None
    name: Annotated[Name | None, about("adult", "identifying")] = None
    born: Annotated[Day | None, about("adult", "identifying")] = None
    sex: Annotated[v.Sex | None, about("adult", "personal")] = None
    address: Annotated[Address | None, about("adult", "contact")] = None
    area: Annotated[str | None, about("adult", "personal")] = None
    phones: Annotated[list[Phone] | None, about("adult", "contact")] = None
    school: Annotated[School | None, about("child", "personal")] = None


class ImportPart(Contract):
    """One call of a whole import that takes many. What the source sent before is replaced at the last call
    only, the one that gives `slices`; until then nobody is forgotten."""

    id: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=64)]
    """The sender's own name of the import, the same in every call of it."""
    slice: Annotated[int | None, OPERATIONAL, Field(ge=1, le=1_000_000)] = None
    """Which slice the entries of this call are; the same again is safe."""
    slices: Annotated[int | None, OPERATIONAL, Field(ge=1, le=1_000_000)] = None
    """How many there were: whoever was in none of them is forgotten now."""
    kept: Annotated[list[str], OPERATIONAL] = []
    """Ids of people whose entries could not be read: they, and what is known of them, stay as they are."""
    unread: Annotated[int, OPERATIONAL, Field(ge=0)] = 0
    """Entries of which not even that can be told. While there are any, nobody is forgotten unasked."""


class Records(Contract):
    """People, relationships and involvement; whole (replaces what the source sent) or what changed."""

    schema_: Annotated[Literal["waymark.records/1"], OPERATIONAL, Field(alias="schema")] = "waymark.records/1"
    source: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=64)]
    as_of: Annotated[Moment, OPERATIONAL]
    whole: Annotated[bool, OPERATIONAL] = False
    import_: Annotated[ImportPart | None, OPERATIONAL, Field(alias="import")] = None
    """Of a whole import in many calls, which this is. Without it a whole import is one call."""
    people: Annotated[list[KnownPerson], about("adult", "identifying")] = []
    relationships: Annotated[list[Relationship], about("family", "personal")] = []
    involvement: Annotated[list[Involvement], about("child", "personal")] = []
    removed: Annotated[list[str], OPERATIONAL] = []
