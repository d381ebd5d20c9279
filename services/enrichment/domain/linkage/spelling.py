"""Names and words as they are compared: folded to plain letters, cut into words, with their sound."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from anyascii import anyascii
from jellyfish import metaphone
from nicknames import name_triplets

NO_NAMES: Final = frozenset(
    {
        "unknown", "unk", "notknown", "notrecorded", "notgiven", "notstated", "refused", "withheld", "nk", "na",
        "none", "null", "nil", "tbc", "tba", "xx", "xxx", "baby", "babygirl", "babyboy", "unborn", "newborn",
        "infant", "child", "boy", "girl", "male", "female", "man", "woman", "mother", "father", "mum", "dad",
        "mummy", "daddy", "twin", "twin1", "twin2", "victim", "suspect", "offender", "witness", "person",
        "anonymous", "name",
    }
)  # fmt: skip
"""Words that stand where a name should: they would make one person of many."""

_TITLES: Final = frozenset({"mr", "mrs", "miss", "ms", "mx", "dr", "master", "sir", "lady", "rev"})
_NOISE: Final = frozenset({"not", "of", "the", "known", "recorded", "given", "stated", "no"})
_APART: Final = re.compile(r"[^a-z0-9]+")
_DROPPED: Final = re.compile(r"['`\u2018\u2019\u02bc.]")


@lru_cache(maxsize=1 << 16)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in plain small letters: accents gone, other alphabets transliterated.

    An apostrophe or a full stop joins (O'Brien is `obrien`); a hyphen or any other mark parts.
    """
    plain = anyascii(_DROPPED.sub("", text)).casefold()
    return tuple(word for word in _APART.split(_DROPPED.sub("", plain)) if word)


@lru_cache(maxsize=1 << 16)
def name_words(text: str) -> tuple[str, ...]:
    """The words of a name that can tell one person from another; none where nothing does.

    Titles, single letters, numbers and words such as `unknown` or `baby` are no names.
    """
    words = words_of(text)
    if "".join(words) in NO_NAMES:
        return ()
    kept = tuple(
        word
        for word in words
        if len(word) > 1 and word not in NO_NAMES and word not in _TITLES and not word.isdigit()
    )
    return () if all(word in _NOISE for word in kept) else kept


@lru_cache(maxsize=1 << 16)
def sound_of(word: str) -> str:
    """How a word sounds, by Metaphone: `mohammed` and `muhammad` are one sound."""
    return metaphone(word) or word[:3].upper()


@cache
def _kin() -> dict[str, frozenset[str]]:
    """For each given name those that it is a short form of, or that are short forms of it (`nicknames`)."""
    kin: dict[str, set[str]] = {}
    for triplet in name_triplets():
        full, short = triplet.name1.casefold(), triplet.name2.casefold()
        kin.setdefault(full, set()).add(short)
        kin.setdefault(short, set()).add(full)
    return {name: frozenset(others - {name}) for name, others in kin.items()}


def short_forms(name: str) -> frozenset[str]:
    """Given names that stand for this one or that it stands for; empty where the list has none."""
    return _kin().get(name, frozenset())


def is_short_form(one: str, other: str) -> bool:
    """Whether one is a short form or nickname of the other, by a list that others keep (`nicknames`)."""
    return other in _kin().get(one, ())


def is_listed(name: str) -> bool:
    """Whether the list of nicknames knows the name: it is then a name and not a slip of the pen."""
    return name in _kin()
