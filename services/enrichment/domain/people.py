"""People as incidents and councils name them: each naming is a mention, and who is whom is for `persons`."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from services.enrichment.domain.linkage import Person, full_keys, pack, read_person, unpack
from shared import vocabulary as v
from shared.contracts.incident import Address, Adult, Child, Name, Phone, School
from shared.contracts.records import KnownPerson

H = TypeVar("H", bound=Hashable)

_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "role": ("child",), "born": ("born",), "sex": ("sex",), "area": ("area",), "phones": ("phones",),
    "address": ("postcode", "line", "street", "town"), "school": ("school",),
}  # fmt: skip
"""By what a council tells of a person, the parts of it that are compared."""

_NOTHING: Final = pack(read_person({"id": "-"})).decode()


@lru_cache(maxsize=1 << 16)
def _unpacked(said: str) -> Person:
    """One object for all who are described alike, so that what is known of it is worked out once."""
    return unpack("", said.encode())


@dataclass(frozen=True, slots=True)
class Mention:
    """One person as one incident, or one council, names them.

    `id` is the namer's own. `said`: all that the linkage compares, as `linkage.pack` writes it.
    """

    id: str
    child: bool
    role: v.AdultRole | None
    said: str
    born: date | None = None
    area: str | None = None
    school: School | None = None

    @property
    def person(self) -> Person:
        """Whom the linkage compares."""
        return _unpacked(self.said)

    @property
    def told_apart(self) -> bool:
        """Whether a full name and a birth date tell the person from others."""
        return bool(full_keys(self.person))

    @property
    def binds(self) -> bool:
        """Whether the mention ties its incident to a family: a witness may live next door to several."""
        return self.role != "witness"

    @property
    def only_suspected(self) -> bool:
        """A perpetrator who is not a victim too: brings the incident, but not another home's children."""
        return self.role == "suspect"

    def with_known(self, before: Mention, unsaid: Collection[str]) -> Mention:
        """The mention with what was known before of fields that could not be read now."""
        kept = {part: getattr(before.person, part) for name in unsaid for part in _PARTS[name]}
        return replace(self, said=pack(replace(self.person, **kept)).decode())

    def as_data(self) -> dict[str, Any]:
        """Plain data, as stored."""
        return {
            "id": self.id,
            "child": self.child,
            "role": self.role,
            "said": self.said,
            "born": None if self.born is None else self.born.isoformat(),
            "area": self.area,
            "school": None if self.school is None else self.school.as_json(),
        }


def mention_from(data: dict[str, Any]) -> Mention:
    """A mention from what `as_data` gave."""
    born, school = data["born"], data["school"]
    return Mention(
        id=data["id"],
        child=data["child"],
        role=data["role"],
        # Stored before people were linked: nothing to go by until the case or the record is sent again.
        said=data.get("said", _NOTHING),
        born=None if born is None else date.fromisoformat(born),
        area=data["area"],
        school=None if school is None else School(**school),
    )


def mention_adult(adult: Adult) -> Mention:
    """An adult of an incident."""
    said = _said(adult, adult.role or "adult", phones=adult.phones, pnc_id=adult.pnc_id)
    return Mention(adult.id, False, adult.role, said, adult.born, adult.area)


def mention_child(child: Child) -> Mention:
    """A child of an incident."""
    said = _said(child, "child", school=child.school)
    return Mention(child.id, True, None, said, child.born, child.area, child.school)


def mention_recorded(person: KnownPerson) -> Mention:
    """A person of social care's records."""
    said = _said(person, person.role, phones=person.phones, school=person.school)
    return Mention(person.id, person.role == "child", None, said, person.born, person.area, person.school)


def person_asked(name: Name, born: date) -> Person:
    """A child that somebody asks about by name and birth date."""
    return read_person({"id": "-", "role": "child", "name": _name(name), "born": born.isoformat()})


def _said(
    one: Adult | Child | KnownPerson,
    role: str | None,
    *,
    phones: list[Phone] | None = None,
    pnc_id: str | None = None,
    school: School | None = None,
) -> str:
    return pack(
        read_person(
            {
                "id": "-",
                "role": role,
                "name": _name(one.name),
                "born": None if one.born is None else one.born.isoformat(),
                "sex": one.sex,
                "address": _address(one.address),
                "area": one.area,
                "phones": [phone.number for phone in phones or ()],
                "pnc_id": pnc_id,
                "school": None if school is None else {"urn": school.urn, "name": school.name},
            }
        )
    ).decode()


def _name(name: Name | None) -> dict[str, Any] | None:
    if name is None:
        return None
    return {"given": name.given, "family": name.family, "also_known_as": name.also_known_as}


def _address(address: Address | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "line1": address.line1, "line2": address.line2, "town": address.town, "postcode": address.postcode,
    }  # fmt: skip


class Groups(Generic[H]):
    """Things joined two by two; `of` names the group that a thing has ended up in."""

    def __init__(self) -> None:
        self._above: dict[H, H] = {}

    def of(self, thing: H) -> H:
        """The group's representative."""
        above = self._above
        top = above.setdefault(thing, thing)
        while top != above[top]:
            above[top] = above[above[top]]
            top = above[top]
        above[thing] = top
        return top

    def join(self, one: H, other: H) -> H:
        """Put both into one group. Returns its representative, which is the first one's."""
        top = self.of(one)
        self._above[self.of(other)] = top
        return top
