"""A person as the linkage compares them: read once from plain data, then compared many times.

Everything may be missing. What stands where a fact should, but is none (UNKNOWN, baby, 1 January 1900),
counts as missing: NSPCC 2009 s6.2.3 found names and birth dates wrong or missing in two families of five.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from services.enrichment.domain.linkage.spelling import name_words, words_of

_PLACEHOLDERS: Final = frozenset({"19000101", "19010101", "18000101", "99991231", "19000100"})
_YEAR: Final = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)", re.ASCII)
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_CHILDS_OWN: Final = ("school", "presence", "whereabouts", "home_educated", "voice")
"""What only a child of an incident has (`waymark.incident/1`)."""


@dataclass(frozen=True, slots=True)
class FullName:
    """Given and family names: their words joined, and apart. Empty text: missing."""

    given: str
    family: str
    given_words: tuple[str, ...]
    family_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person as one record names them. Empty text, an empty tuple and None mean: not known.

    `born`: YYYYMMDD as written, possible or not, or its beginning where only that is known.
    """

    id: str
    name: FullName
    others: tuple[FullName, ...]
    born: str
    sex: str
    postcode: str
    line: str
    street: str
    town: str
    area: str
    phones: frozenset[str]
    pnc_id: str
    school: str
    child: bool | None

    def __repr__(self) -> str:
        return f"Person(id={self.id!r}, •••)"


def read_person(data: Mapping[str, Any]) -> Person:
    """A person from plain data of the shape of an incident's adults and children or a council's people.

    Unknown fields are passed over and values of another type count as missing. Raises ValueError where
    there is no `id`.
    """
    identity = data.get("id")
    if identity is None or isinstance(identity, (dict, list, bool)) or str(identity) == "":
        raise ValueError("there is no id")
    name = _mapping(data.get("name"))
    address = _mapping(data.get("address"))
    line = words_of(_text(address.get("line1")))
    street = line + words_of(_text(address.get("line2")))
    return Person(
        id=str(identity),
        name=full_name(_text(name.get("given")), _text(name.get("family"))),
        others=tuple(_other_names(name.get("also_known_as"))),
        born=read_birth(data.get("born")),
        sex=_known(_text(data.get("sex")).casefold()),
        postcode="".join(words_of(_text(address.get("postcode")))),
        line=" ".join(sorted(line)),
        street=" ".join(sorted(street)),
        town=" ".join(words_of(_text(address.get("town")))),
        area=_known(_text(data.get("area")).casefold()),
        phones=frozenset(_phones(data.get("phones"))),
        pnc_id=_pnc(_text(data.get("pnc_id"))),
        school=_school(_mapping(data.get("school"))),
        child=_is_child(data),
    )


def pack(person: Person) -> bytes:
    """A person as stored, without the id: what `read_person` made, so that it need not be made again."""
    name = person.name
    return json.dumps(
        (
            name.given_words, name.family_words, [(o.given_words, o.family_words) for o in person.others],
            person.born, person.sex, person.postcode, person.line, person.street, person.town, person.area,
            sorted(person.phones), person.pnc_id, person.school, person.child,
        ),
        separators=(",", ":"),
    ).encode()  # fmt: skip


def unpack(identity: str, packed: bytes) -> Person:
    """The person whom `pack` wrote."""
    given, family, others, born, sex, postcode, line, street, town, area, phones, *rest = orjson.loads(packed)
    pnc_id, school, child = rest
    return Person(
        id=identity,
        name=_named(given, family),
        others=tuple(_named(*other) for other in others),
        born=born,
        sex=sex,
        postcode=postcode,
        line=line,
        street=street,
        town=town,
        area=area,
        phones=frozenset(phones),
        pnc_id=pnc_id,
        school=school,
        child=child,
    )


def _named(given: list[str], family: list[str]) -> FullName:
    return FullName("".join(given), "".join(family), tuple(given), tuple(family))


def full_name(given: str, family: str) -> FullName:
    """A name by its parts as written."""
    given_words, family_words = name_words(given), name_words(family)
    return FullName("".join(given_words), "".join(family_words), given_words, family_words)


def read_birth(said: Any) -> str:
    """The digits of a birth date, year first, day last; fewer where only the year, or year and month, are
    told; empty where nothing is. A date that no calendar has is kept as it was written: one digit may be
    wrong. Read are YYYY-MM-DD, YYYYMMDD, DD/MM/YYYY (the day first), YYYY-MM and YYYY."""
    text = str(said).strip() if isinstance(said, (str, int)) and not isinstance(said, bool) else ""
    parts = _DIGITS.findall(text.split("T")[0])
    if len(parts) == 1 and len(parts[0]) == 8:
        year, month, day = parts[0][:4], parts[0][4:6], parts[0][6:]
        if not _YEAR.fullmatch(year) and _YEAR.fullmatch(parts[0][4:]):
            day, month, year = parts[0][:2], parts[0][2:4], parts[0][4:]
    elif len(parts) == 3 and len(parts[0]) == 4:
        year, month, day = parts
    elif len(parts) == 3 and len(parts[2]) == 4:
        day, month, year = parts
    elif len(parts) == 2 and len(parts[0]) == 4:
        year, month, day = parts[0], parts[1], ""
    else:
        years = _YEAR.findall(text)
        year, month, day = (years[0], "", "") if len(years) == 1 else ("", "", "")
    if not _YEAR.fullmatch(year) or len(month) > 2 or len(day) > 2:
        return ""
    digits = year
    if month and int(month):
        digits += f"{int(month):02d}"
        if day and int(day):
            digits += f"{int(day):02d}"
    return "" if digits in _PLACEHOLDERS else digits


def _other_names(said: Any) -> Iterable[FullName]:
    """Each other full name: the last word, or what a comma sets first, is the family's."""
    for alias in said if isinstance(said, (list, tuple)) else ():
        text = _text(alias)
        if "," in text:
            family, _, given = text.partition(",")
        else:
            given, _, family = text.strip().rpartition(" ")
        name = full_name(given, family)
        if name.given and name.family:
            yield name


def _phones(said: Any) -> Iterable[str]:
    for phone in said if isinstance(said, (list, tuple)) else ():
        text = _text(phone.get("number")) if isinstance(phone, Mapping) else _text(phone)
        digits = "".join(_DIGITS.findall(text))
        digits = digits.removeprefix("00").removeprefix("44").lstrip("0")
        if len(digits) >= 6 and len(set(digits)) > 1:
            yield digits


def _pnc(said: str) -> str:
    """A police national computer id without its strokes; the year in four digits."""
    text = "".join(words_of(said))
    return text if len(text) >= 6 else ""


def _school(school: Mapping[str, Any]) -> str:
    """The register's number where there is one; else the name's words in order of the alphabet."""
    urn = "".join(_DIGITS.findall(_text(school.get("urn"))))
    return urn or " ".join(sorted(words_of(_text(school.get("name")))))


def _is_child(data: Mapping[str, Any]) -> bool | None:
    role = data.get("role")
    if role == "child":
        return True
    if role:
        return False
    return True if any(data.get(field) is not None for field in _CHILDS_OWN) else None


def _known(word: str) -> str:
    return "" if word in ("unknown", "not_known", "not_recorded", "other", "n/a") else word


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _text(said: Any) -> str:
    if isinstance(said, str):
        return said
    return str(said) if isinstance(said, int) and not isinstance(said, bool) else ""
