"""What two people's records say of one another, field by field: each comparison ends at one named level.

The names are those of the model file; a comparison gives the place of its level there. None: one side does
not know, which says nothing for or against. Edit distance counts two letters changed about as one slip.
"""

from __future__ import annotations

from typing import Final

from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.fuzz import ratio

from services.enrichment.domain.linkage.person import FullName, Person
from services.enrichment.domain.linkage.spelling import is_short_form, sound_of

GIVEN: Final = ("exact", "short_form", "one_slip", "one_of_several", "close", "alike", "swapped", "different")
FAMILY: Final = (
    "exact", "one_slip", "one_of_several", "close", "alike", "swapped", "also_known_as", "different",
)  # fmt: skip
BORN: Final = (
    "exact", "day_month_swapped", "one_slip", "two_parts", "partial", "two_slips", "year", "different",
)  # fmt: skip
STREET: Final = ("same", "close", "different")
TOWN: Final = ("same", "close", "different")
POSTCODE: Final = ("same", "one_slip", "two_slips", "district", "different")
AGREES: Final = ("same", "different")
NUMBER: Final = ("same", "one_slip", "different")

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "given": GIVEN,
    "family": FAMILY,
    "born": BORN,
    "sex": AGREES,
    "street": STREET,
    "town": TOWN,
    "postcode": POSTCODE,
    "area": AGREES,
    "phone": AGREES,
    "pnc_id": NUMBER,
    "school": AGREES,
    "role": AGREES,
}
"""Every comparison with its levels, the nearest first and the farthest last."""

Levels = tuple[int | None, ...]
"""The level of each field, in the order of FIELDS."""

_G_EXACT, _G_SHORT, _G_SLIP, _G_PART, _G_CLOSE, _G_ALIKE, _G_SWAPPED, _G_DIFFERENT = range(8)
_F_EXACT, _F_SLIP, _F_PART, _F_CLOSE, _F_ALIKE, _F_SWAPPED, _F_AKA, _F_DIFFERENT = range(8)

_slips = OSA.distance
_near = JaroWinkler.similarity


def compare(one: Person, other: Person) -> Levels:
    """Every field of two people, in the order of FIELDS."""
    given, family = _names(one, other)
    a, b = one.born, other.born
    return (
        given,
        family,
        (0 if a == b and len(a) == 8 else _births(a, b)) if a and b else None,
        int(one.sex != other.sex) if one.sex and other.sex else None,
        _streets(one, other) if one.street and other.street else None,
        _towns(one.town, other.town) if one.town and other.town else None,
        _postcodes(one.postcode, other.postcode) if one.postcode and other.postcode else None,
        int(one.area != other.area) if one.area and other.area else None,
        int(one.phones.isdisjoint(other.phones)) if one.phones and other.phones else None,
        _numbers(one.pnc_id, other.pnc_id) if one.pnc_id and other.pnc_id else None,
        _schools(one.school, other.school) if one.school and other.school else None,
        None if one.child is None or other.child is None else int(one.child is not other.child),
    )


def _names(one: Person, other: Person) -> tuple[int | None, int | None]:
    given, family = _one_name(one.name, other.name)
    if not (one.others or other.others) or (given == _G_EXACT and family == _F_EXACT):
        return given, family
    best = _rank(given, family)
    for mine in (one.name, *one.others):
        for theirs in (other.name, *other.others):
            if mine is one.name and theirs is other.name:
                continue
            their_given, their_family = _one_name(mine, theirs)
            if _rank(their_given, their_family) < best:
                best = _rank(their_given, their_family)
                given = their_given
                family = _F_AKA if their_family in (_F_EXACT, _F_SLIP) else their_family
    return given, family


def _rank(given: int | None, family: int | None) -> int:
    return (3 if given is None else given) + (3 if family is None else family)


def _one_name(mine: FullName, theirs: FullName) -> tuple[int | None, int | None]:
    given = _givens(mine, theirs) if mine.given and theirs.given else None
    family = _families(mine, theirs) if mine.family and theirs.family else None
    if (given is None or given >= _G_CLOSE) and (family is None or family >= _F_CLOSE):
        there, back = _crossed(mine.given, theirs.family), _crossed(mine.family, theirs.given)
        if there + back >= 3:
            return _G_SWAPPED, _F_SWAPPED
        if given is None and (there == 2 or back == 2):
            # The one name there is stands in the other's box; the second name is not known.
            return _G_SWAPPED, None
    return given, family


def _crossed(one: str, other: str) -> int:
    """2 where one box holds what the other's other box holds, 1 where it does but for one slip."""
    if not one or not other:
        return 0
    return 2 if one == other else 1 if _slips(one, other, score_cutoff=1) == 1 else 0


def _givens(mine: FullName, theirs: FullName) -> int:
    a, b = mine.given, theirs.given
    if a == b:
        return _G_EXACT
    if is_short_form(mine.given_words[0], theirs.given_words[0]):
        return _G_SHORT
    slips = _slips(a, b, score_cutoff=2)
    if slips == 1 and len(a) > 2 and len(b) > 2:
        return _G_SLIP
    several = len(mine.given_words) > 1 or len(theirs.given_words) > 1
    if several and not set(mine.given_words).isdisjoint(theirs.given_words):
        return _G_PART
    near = _near(a, b)
    if near >= 0.9 or (slips == 2 and len(a) > 5 and len(b) > 5) or _ends_alike(a, b):
        return _G_CLOSE
    if near >= 0.8 or sound_of(a) == sound_of(b):
        return _G_ALIKE
    return _G_DIFFERENT


def _ends_alike(a: str, b: str) -> bool:
    """The one is the end of the other: many short forms are, beyond those of any list (Babatunde, Tunde)."""
    return (len(a) > 3 and b.endswith(a)) or (len(b) > 3 and a.endswith(b))


def _families(mine: FullName, theirs: FullName) -> int:
    a, b = mine.family, theirs.family
    if a == b:
        return _F_EXACT
    slips = _slips(a, b, score_cutoff=2)
    if slips == 1 and len(a) > 2 and len(b) > 2:
        return _F_SLIP
    several = len(mine.family_words) > 1 or len(theirs.family_words) > 1
    if several and not set(mine.family_words).isdisjoint(theirs.family_words):
        return _F_PART
    near = _near(a, b)
    if near >= 0.9 or (slips == 2 and len(a) > 5 and len(b) > 5):
        return _F_CLOSE
    if near >= 0.8 or sound_of(a) == sound_of(b):
        return _F_ALIKE
    return _F_DIFFERENT


def _births(a: str, b: str) -> int:
    """`a` and `b` are not the same whole date."""
    if len(a) < 8 or len(b) < 8:
        short = min(len(a), len(b))
        if a[:short] == b[:short]:
            return 4
        return 6 if a[:4] == b[:4] else 7
    same_year = a[:4] == b[:4]
    if same_year and a[4:6] == b[6:] and a[6:] == b[4:6]:
        return 1
    slips = _slips(a, b, score_cutoff=2)
    if slips == 1:
        return 2
    if (same_year + (a[4:6] == b[4:6]) + (a[6:] == b[6:])) == 2:
        return 3
    if slips == 2:
        return 5
    return 6 if same_year else 7


def _streets(one: Person, other: Person) -> int:
    """House and street; the order of the words and how they fall on two lines say nothing."""
    if one.street == other.street or (one.line and one.line == other.line):
        return 0
    near = ratio(one.street, other.street)
    if near < 85 and one.line and other.line:
        near = max(near, ratio(one.line, other.line))
    if near >= 92:
        return 1 if _other_house(one.street, other.street) else 0
    return 1 if near >= 72 else 2


def _other_house(one: str, other: str) -> bool:
    """Whether no number of the one is a number of the other: the next house is nearly written like this one."""
    mine, theirs = ({word for word in said.split() if word[0].isdigit()} for said in (one, other))
    return bool(mine and theirs) and mine.isdisjoint(theirs)


def _towns(a: str, b: str) -> int:
    return 0 if a == b else 1 if _near(a, b) >= 0.85 else 2


def _postcodes(a: str, b: str) -> int:
    if a == b:
        return 0
    slips = _slips(a, b, score_cutoff=2)
    if slips == 1:
        return 1
    if len(a) > 4 and len(b) > 4 and a[:-3] == b[:-3]:
        return 3
    return 2 if slips == 2 and len(a) > 3 else 4


def _numbers(a: str, b: str) -> int:
    return 0 if a == b else 1 if _slips(a, b, score_cutoff=1) == 1 else 2


def _schools(a: str, b: str) -> int | None:
    if a == b:
        return 0
    if a.isdigit() is not b.isdigit():
        return None
    return 0 if not a.isdigit() and not b.isdigit() and ratio(a, b) >= 90 else 1
