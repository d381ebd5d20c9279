"""Who is never one person, whatever the sum of the weights says.

Twins share a birth date, a family name, a home, a school and a mother's telephone; a father and a son may
share the whole name and the home. What they share adds up, so a sum alone would join them. Each rule here
says which difference outweighs all of it. A rule only ever takes away: it makes no pair more likely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance.OSA import distance

from services.enrichment.domain.linkage.comparisons import FIELDS, Levels
from services.enrichment.domain.linkage.person import Person
from services.enrichment.domain.linkage.spelling import is_listed, is_short_form, sound_of

_PLACE: Final = {name: place for place, name in enumerate(FIELDS)}
_GIVEN, _FAMILY, _BORN, _SEX = (_PLACE[name] for name in ("given", "family", "born", "sex"))
_STREET, _POSTCODE, _PHONE, _PNC, _ROLE = (
    _PLACE[name] for name in ("street", "postcode", "phone", "pnc_id", "role")
)


def _at(name: str, *levels: str) -> frozenset[int]:
    return frozenset(FIELDS[name].index(level) for level in levels)


_ANOTHER_GIVEN: Final = _at("given", "different", "alike", "close", "one_slip", "one_of_several")
_SAME_FAMILY: Final = _at("family", "exact", "one_slip", "one_of_several", "close", "also_known_as")
_SAME_FAMILY_OR_SWAPPED: Final = _SAME_FAMILY | _at("family", "swapped", "alike")
_SAME_HOME: Final = _at("street", "same", "close")
_SAME_POSTCODE: Final = _at("postcode", "same", "one_slip")
_DIFFERENT_GIVEN: Final = FIELDS["given"].index("different")
_ALIKE: Final = FIELDS["given"].index("alike")
_SHORT_FORM: Final = FIELDS["given"].index("short_form")
_BORN_DIFFERENT: Final = _at("born", "two_slips", "year", "different", "two_parts", "one_slip")
_BORN_APART_ALTOGETHER: Final = _at("born", "year", "different")
_BORN_APART: Final = _BORN_APART_ALTOGETHER | _at("born", "two_slips")
_TWO_SLIPS: Final = FIELDS["born"].index("two_slips")
_BORN_ALIKE: Final = _at("born", "exact", "day_month_swapped", "one_slip")
_BORN_NEAREST: Final = _at("born", "exact", "day_month_swapped")
_BORN_EXACT: Final = FIELDS["born"].index("exact")
_ONE_SLIP_IN_BIRTH: Final = FIELDS["born"].index("one_slip")
_ANOTHER_PNC: Final = FIELDS["pnc_id"].index("different")
_SHORT_NAME: Final = 4
GENERATION: Final = 13
"""Years between parent and child at the least."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A definite no. `may_be_likely`: a person may still look at the pair; else it counts as new."""

    name: str
    because: str
    may_be_likely: bool


TWINS: Final = Rule(
    "twins", "The same birth date and family or home, but another given name: twins are two people.", False
)
SIBLINGS: Final = Rule(
    "siblings", "The same family or home, but another given name and another birth date.", False
)
PERHAPS_TWINS: Final = Rule(
    "perhaps_twins",
    "The same family or home; the given names differ, but one may be a pet name or a slip.",
    True,
)
LIKE_NAMED_SIBLINGS: Final = Rule(
    "like_named_siblings",
    "Given names alike, but each a name of its own: brothers and sisters are often named alike.",
    True,
)
GENERATIONS: Final = Rule(
    "generations", "The birth dates are a generation apart: a parent and a child of one name.", False
)
PERHAPS_GENERATIONS: Final = Rule(
    "perhaps_generations",
    "The birth years are a generation apart in one digit: a slip, or a parent and a child of one name.",
    True,
)
CHILD_AND_ADULT: Final = Rule(
    "child_and_adult",
    "One is recorded as a child and the other as an adult, and no birth dates tell that the child grew up.",
    True,
)
UNNAMED: Final = Rule(
    "unnamed",
    "Without a given name it may be another of the family: a child always, an adult unless born that day.",
    True,
)
ONE_ADDRESS: Final = Rule(
    "one_address",
    "Of the person's own neither given name nor birth date agrees: what does, many share.",
    True,
)
BORN_OTHERWISE: Final = Rule(
    "born_otherwise", "The birth dates differ by more than a slip: namesakes, until somebody has looked.", True
)
NAMESAKES: Final = Rule(
    "namesakes",
    "Too little agrees: with another home both names and the birth date have to, with the same home two of "
    "the three.",
    True,
)
RULES: Final = (
    TWINS, PERHAPS_TWINS, SIBLINGS, LIKE_NAMED_SIBLINGS, GENERATIONS, PERHAPS_GENERATIONS, CHILD_AND_ADULT,
    UNNAMED, ONE_ADDRESS, BORN_OTHERWISE, NAMESAKES,
)  # fmt: skip

_TWO_PEOPLE: Final = frozenset({TWINS, SIBLINGS, LIKE_NAMED_SIBLINGS, GENERATIONS, BORN_OTHERWISE})
"""Rules that speak of two people, where the others say that too little is known of one."""


def are_grown(one: Person, other: Person, born_before: str) -> bool | None:
    """Whether one of two people is known to be born before a day (YYYYMMDD), and neither is said to be a
    child or born later. None: of neither is it known when they were born."""
    if one.child or other.child:
        return False
    known = [person.born < born_before[: len(person.born)] for person in (one, other) if person.born]
    return all(known) if known else None


def forbids(
    one: Person,
    other: Person,
    levels: Levels,
    is_a_name: Callable[[str], bool],
    *,
    weighs_born_before: str = "",
) -> Rule | None:
    """The first rule by which two people are not one; None where none holds.

    `is_a_name` tells whether a given name is one that people bear; a slip of the pen seldom makes one. A
    police national computer id that agrees is the person's own: with it only a generation forbids.
    `weighs_born_before`: of lists in which nobody has kin, the day (YYYYMMDD) before which people born are
    grown. Among them a look-alike is rarer than an error, and only what is the person's own forbids: given
    name and birth date both differ, a man and a woman of two names, two police ids. Where neither's birth is
    known, namesakes are weighed.
    """
    grown = are_grown(one, other, weighs_born_before) if weighs_born_before else False
    if grown:
        return _two_grown(one, other, levels, is_a_name)
    born, given = levels[_BORN], levels[_GIVEN]
    if born is not None and abs(int(one.born[:4]) - int(other.born[:4])) >= GENERATION:
        # One wrong digit in a date that else agrees may be a slip, unless it makes an adult of a child.
        return PERHAPS_GENERATIONS if born == _ONE_SLIP_IN_BIRTH and levels[_ROLE] != 1 else GENERATIONS
    if levels[_PNC] == 0:
        return None
    if levels[_ROLE] == 1 and born is None:
        return CHILD_AND_ADULT
    child = one.child or other.child
    if given is None:
        return UNNAMED if child or born not in _BORN_ALIKE else None
    shares = levels[_FAMILY] in _SAME_FAMILY or levels[_STREET] in _SAME_HOME or levels[_PHONE] == 0
    if given == _DIFFERENT_GIVEN:
        return _of_another_given_name(one, other, born, shares=shares, is_a_name=is_a_name)
    if given != 0 and shares:
        apart = levels[_SEX] == 1
        two = _two_names(one, other, is_a_name)
        if given == _SHORT_FORM:
            # The lists pair names that families give to two children (Aaron and Erin, Sophie and Sophia).
            if apart or born in _BORN_DIFFERENT or (child and two):
                return LIKE_NAMED_SIBLINGS
        elif given in _ANOTHER_GIVEN and two:
            return TWINS if apart and born == _BORN_EXACT else LIKE_NAMED_SIBLINGS
        elif child and given in _ANOTHER_GIVEN and (apart or _may_be_another(one, other, given)):
            # George and Georgia sound alike, differ in two letters, and are two children.
            return LIKE_NAMED_SIBLINGS
    if _born_otherwise(one, other, born):
        return BORN_OTHERWISE
    return None if grown is None or _enough(levels) else NAMESAKES


def are_two_people(one: Person, other: Person, levels: Levels, is_a_name: Callable[[str], bool]) -> bool:
    """Whether what is written of the two tells that they are never one, whoever else is like both."""
    return forbids(one, other, levels, is_a_name) in _TWO_PEOPLE


def _two_grown(one: Person, other: Person, levels: Levels, is_a_name: Callable[[str], bool]) -> Rule | None:
    if levels[_GIVEN] == _DIFFERENT_GIVEN and levels[_BORN] in _BORN_APART:
        return SIBLINGS
    if levels[_GIVEN] not in _ANOTHER_GIVEN or not _two_names(one, other, is_a_name):
        return None
    return TWINS if levels[_SEX] == 1 or levels[_PNC] == _ANOTHER_PNC else None


def _may_be_another(one: Person, other: Person, given: int) -> bool:
    """Whether a child's given name may be a sibling's that no list holds: only alike, or of four letters at
    most, where one letter makes another name (Mia, Mila)."""
    short = min(len(one.name.given), len(other.name.given)) <= _SHORT_NAME
    return (given == _ALIKE or short) and not _two_spellings(one, other)


def _of_another_given_name(
    one: Person, other: Person, born: int | None, *, shares: bool, is_a_name: Callable[[str], bool]
) -> Rule | None:
    if not shares:
        return ONE_ADDRESS
    if born in _BORN_DIFFERENT:
        return SIBLINGS
    if not _two_names(one, other, is_a_name) or one.name.given[:3] == other.name.given[:3]:
        # Artie, Arthur: lists of short forms are never whole.
        return PERHAPS_TWINS
    return SIBLINGS if born is None else TWINS


def _enough(levels: Levels) -> bool:
    """Whether enough of the person's own agrees, whatever the weights add up to."""
    born, family = levels[_BORN], levels[_FAMILY]
    named = family is not None and family in _SAME_FAMILY_OR_SWAPPED
    home = levels[_STREET] == 0 or (levels[_STREET] in _SAME_HOME and levels[_POSTCODE] in _SAME_POSTCODE)
    if home or levels[_PHONE] == 0:
        return named or born in _BORN_ALIKE
    return named and born in _BORN_NEAREST


def _born_otherwise(one: Person, other: Person, born: int | None) -> bool:
    """Another birth date altogether, or two wrong digits with another year."""
    return born in _BORN_APART_ALTOGETHER or (born == _TWO_SLIPS and one.born[:4] != other.born[:4])


def _two_names(one: Person, other: Person, is_a_name: Callable[[str], bool]) -> bool:
    """Whether both given names are names of their own, and not two spellings of one."""
    if not one.name.given_words or not other.name.given_words:
        return False
    mine, theirs = one.name.given_words[0], other.name.given_words[0]
    if mine == theirs or not all(is_a_name(name) or is_listed(name) for name in (mine, theirs)):
        return False
    return is_short_form(mine, theirs) or not _two_spellings(one, other)


def _two_spellings(one: Person, other: Person) -> bool:
    """Whether the given names sound as one and differ in two letters at most (Mohammed, Muhammad). Of short
    names the sound says little, and least where it could be a brother's or sister's (Lola, Lyla)."""
    mine, theirs = one.name.given_words[0], other.name.given_words[0]
    return (
        min(len(mine), len(theirs)) > (_SHORT_NAME if one.child or other.child else _SHORT_NAME - 1)
        and mine[0] == theirs[0]
        and sound_of(mine) == sound_of(theirs)
        and distance(mine, theirs) <= (2 if len(mine) > 5 else 1)
    )


def keep_apart(best: Iterable[tuple[str, float]]) -> list[bool]:
    """Of one incident's people, who keeps the record that is theirs: two of them are never one.

    `best`: for each person the record and its bits. Of several who come to one record the best keeps it,
    and nobody where the best two are within a bit of one another.
    """
    claims = list(best)
    by_record: dict[str, list[float]] = {}
    for record, bits in claims:
        by_record.setdefault(record, []).append(bits)
    kept = []
    for record, bits in claims:
        rivals = sorted(by_record[record], reverse=True)
        kept.append(bits == rivals[0] and (len(rivals) == 1 or rivals[0] - rivals[1] > 1.0))
    return kept
