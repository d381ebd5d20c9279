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


class Records(Contract):
    """People, relationships and involvement; whole (replaces what the source sent) or what changed."""

    schema_: Annotated[Literal["waymark.records/1"], OPERATIONAL, Field(alias="schema")] = "waymark.records/1"
    source: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=64)]
    as_of: Annotated[Moment, OPERATIONAL]
    whole: Annotated[bool, OPERATIONAL] = False
    people: Annotated[list[KnownPerson], about("adult", "identifying")] = []
    relationships: Annotated[list[Relationship], about("family", "personal")] = []
    involvement: Annotated[list[Involvement], about("child", "personal")] = []
    removed: Annotated[list[str], OPERATIONAL] = []
