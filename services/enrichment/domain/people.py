"""Who is who, for now by exact name and birth date: two mentions that share both are one person.

A name counts as the same whatever its case, accents, spaces and punctuation; names also known as count.
A mention without a full name or a birth date is a person of its own: NSPCC 2009 s6.2.3 found wrong or
missing names and dates in two families of five, so a guess would join strangers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from unicodedata import normalize

from shared import vocabulary as v
from shared.contracts.incident import Adult, Child, Name, School
from shared.contracts.records import KnownPerson

H = TypeVar("H", bound=Hashable)

_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"}
)
"""Letters that carry no separable accent."""

_NO_NAMES: Final = frozenset(
    {
        "unknown", "unk", "notknown", "notrecorded", "notgiven", "notstated", "refused", "withheld", "nk", "na",
        "none", "tbc", "baby", "babygirl", "babyboy", "unborn", "newborn", "infant", "child", "boy", "girl",
        "male", "female", "man", "woman", "mr", "mrs", "miss", "ms", "mother", "father", "mum", "dad", "twin",
        "victim", "suspect",
    }
)  # fmt: skip
"""Words that stand where a name should: they would make one person of many."""

_PLACEHOLDER_DATES: Final = frozenset({date(1900, 1, 1), date(1901, 1, 1)})


@dataclass(frozen=True, slots=True)
class Mention:
    """One person as one incident, or one council, names them.

    `id` is the namer's own. `keys`: what the person can be told by; none where nothing will do.
    """

    id: str
    child: bool
    role: v.AdultRole | None
    keys: tuple[str, ...]
    born: date | None = None
    area: str | None = None
    school: School | None = None

    @property
    def binds(self) -> bool:
        """Whether the mention ties its incident to a family: a witness may live next door to several."""
        return self.role != "witness"

    @property
    def only_suspected(self) -> bool:
        """A perpetrator who is not a victim too: brings the incident, but not another home's children."""
        return self.role == "suspect"

    def as_data(self) -> dict[str, Any]:
        """Plain data, as stored."""
        return {
            "id": self.id,
            "child": self.child,
            "role": self.role,
            "keys": list(self.keys),
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
        keys=tuple(data["keys"]),
        born=None if born is None else date.fromisoformat(born),
        area=data["area"],
        school=None if school is None else School(**school),
    )


@lru_cache(maxsize=65536)
def fold(name: str) -> str:
    """A name as it is compared: letters and digits only, without case and accents."""
    return "".join(c for c in normalize("NFKD", name.casefold()).translate(_LETTERS) if c.isalnum())


def full_names(name: Name | None) -> list[str]:
    """The folded full names that a person goes by: given and family, and each full name also known as.

    An initial, a lone surname or a word such as `unknown` or `baby` is no full name.
    """
    if name is None:
        return []
    found = []
    given, family = fold(name.given or ""), fold(name.family or "")
    if _names(given) and _names(family):
        found.append(given + family)
    for alias in name.also_known_as or ():
        parts = [folded for word in alias.split() if (folded := fold(word))]
        if len(parts) > 1 and not _NO_NAMES.intersection(parts) and len(parts[0]) > 1:
            found.append("".join(parts))
    return found


def _names(folded: str) -> bool:
    return len(folded) > 1 and folded not in _NO_NAMES


def keys_of(name: Name | None, born: date | None, *, test: bool = False) -> tuple[str, ...]:
    """What a person can be told by: each full name with the birth date; nothing where one is missing.

    People of test incidents have keys of their own, so that a test never touches a real family.
    """
    if born is None or born in _PLACEHOLDER_DATES:
        return ()
    kind = "test|" if test else ""
    return tuple(dict.fromkeys(f"{kind}{full}|{born.isoformat()}" for full in full_names(name)))


def mention_adult(adult: Adult, *, test: bool = False) -> Mention:
    """An adult of an incident."""
    return Mention(
        adult.id, False, adult.role, keys_of(adult.name, adult.born, test=test), adult.born, adult.area
    )


def mention_child(child: Child, *, test: bool = False) -> Mention:
    """A child of an incident."""
    keys = keys_of(child.name, child.born, test=test)
    return Mention(child.id, True, None, keys, child.born, child.area, child.school)


def mention_recorded(person: KnownPerson) -> Mention:
    """A person of social care's records."""
    return Mention(
        person.id,
        person.role == "child",
        None,
        keys_of(person.name, person.born),
        person.born,
        person.area,
        person.school,
    )


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

    def join(self, one: H, other: H) -> None:
        """Put both into one group."""
        self._above[self.of(other)] = self.of(one)


def identify(named: Iterable[tuple[str, Sequence[Mention]]]) -> dict[str, tuple[str, ...]]:
    """Per holder of mentions (an incident, a council's record) the person behind each, in their order.

    Persons are compared, never shown: the text that stands for one means nothing outside this result.
    """
    held = list(named)
    groups: Groups[str] = Groups()
    for _, mentions in held:
        for mention in mentions:
            for key in mention.keys[1:]:
                groups.join(mention.keys[0], key)
    return {
        holder: tuple(
            groups.of(mention.keys[0]) if mention.keys else f"\n{holder}\n{i}"
            for i, mention in enumerate(mentions)
        )
        for holder, mentions in held
    }
