"""Blocking keys: short texts by which a person's record is found again before anything is compared.

A pair is compared when it shares one key. There are many kinds, each of other fields, so that no single
wrong field hides a person. A key is plain text: an index in memory and one in SQL serve alike. What a
record is filed under (`keys_of`) does not depend on who asks; what is asked for (`probes_of`) also covers
short forms, so that the list of nicknames may change without filing anything anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.enrichment.domain.linkage.person import FullName, Person
from services.enrichment.domain.linkage.spelling import short_forms, sound_of

MOST_SHORT_FORMS = 12


def keys_of(person: Person) -> tuple[str, ...]:
    """What a person's record is filed under, without repeats."""
    return tuple(dict.fromkeys(_keys(person, short=False)))


def can_be_found(person: Person) -> bool:
    """Whether anything is known of a person by which they could be found again."""
    return next(_keys(person, short=False), None) is not None


def probes_of(person: Person) -> tuple[str, ...]:
    """What to look under for a person: the keys, and those of the given name's short and full forms."""
    return tuple(dict.fromkeys(_keys(person, short=True)))


def full_keys(person: Person) -> tuple[str, ...]:
    """Each full name with the whole birth date: what a person is told by where nothing is written otherwise.

    So rare a key is never passed over for being common: many people who share it are one person many times.
    """
    if len(person.born) != 8:
        return ()
    names = (person.name, *person.others)
    full = (f"full:{one.given}:{one.family}:{person.born}" for one in names if one.given and one.family)
    return tuple(dict.fromkeys(full))


def _keys(person: Person, *, short: bool) -> Iterator[str]:
    yield from full_keys(person)
    if person.pnc_id:
        yield f"pnc:{person.pnc_id}"
    for phone in sorted(person.phones):
        yield f"tel:{phone}"
    yield from _birth_keys(person.born)
    for name in (person.name, *person.others):
        yield from _name_keys(name, person, short=short)
    first = (person.name.given or person.name.family)[:1]
    if person.street:
        house = person.line or person.street
        yield f"home:{house}"
        if person.postcode:
            yield f"near:{person.postcode}:{first}"
    elif person.postcode:
        yield f"near:{person.postcode}:{first}"
    if person.postcode and person.name.family:
        yield f"post:{person.postcode}:{person.name.family[:2]}"


def _birth_keys(born: str) -> Iterator[str]:
    """The whole birth date, with day and month in order of size: swapped they give the same key."""
    if len(born) == 8:
        low, high = sorted((born[4:6], born[6:]))
        yield f"born:{born[:4]}{low}{high}"


def _name_keys(name: FullName, person: Person, *, short: bool) -> Iterator[str]:
    born = person.born
    givens = _sounds(name.given_words)
    if short:
        for word in name.given_words[:1]:
            others = sorted(short_forms(word), key=lambda other: (abs(len(other) - len(word)), other))
            givens += [sound for other in others[:MOST_SHORT_FORMS] if (sound := sound_of(other)) not in givens]
    families = _sounds(name.family_words)
    for family in families:
        for given in givens:
            low, high = sorted((given, family))
            # In either order: the two boxes of a form change places easily.
            yield f"name:{low}:{high}"
    for sound in dict.fromkeys((*families, *givens)):
        if len(born) >= 4:
            # Not said of which name it is, so that a swapped pair is found.
            yield f"year:{sound}:{born[:4]}"
        if len(born) == 8:
            low, high = sorted((born[4:6], born[6:]))
            yield f"day:{sound}:{low}{high}"
    for family in families:
        # Finds the bearers of rare names with all else wrong; common ones are passed over.
        yield f"kin:{family}:{person.area or person.postcode[:3]}"
    if person.school:
        for given in givens:
            yield f"school:{person.school}:{given}"
    if name.given and name.family:
        low, high = sorted((name.given[:3], name.family[:3]))
        yield f"head:{low}:{high}"
        tails = sorted((name.given[-3:], name.family[-3:]))
        yield f"tail:{tails[0]}:{tails[1]}"


def _sounds(words: tuple[str, ...]) -> list[str]:
    """The sound of every word, and of all together where there are several."""
    sounds = [sound_of(word) for word in words]
    if len(words) > 1:
        sounds.append(sound_of("".join(words)))
    return list(dict.fromkeys(sounds))
