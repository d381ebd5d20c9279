"""What must not be read anywhere in a view, whatever field it was written into: where the victim and her
children can be found or rung, and for those who may know nothing of her, her name.

The third lock, after groups and classes (`fields.py`): text is written by people, and an address can stand
in a bail condition as well as in the field for it (London 2008 s17.1.4-5; NSPCC 2009 s6.5.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Data = dict[str, Any]

_SHORTEST_LINE: Final = 6
"""Letters and digits of a first line of an address: a shorter one ("The Firs") is matched as it stands."""
_SHORTEST_NUMBER: Final = 7


def _plain(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.casefold())


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)[-10:]


@dataclass(frozen=True)
class Guarded:
    """The words of one incident that a view may not contain. `names`: as whole words."""

    places: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    names: re.Pattern[str] | None = None

    def stands_in(self, text: str) -> bool:
        """Whether `text` gives any of it away."""
        plain = _plain(text)
        if any(place in plain for place in self.places):
            return True
        if self.numbers:
            digits = re.sub(r"\D", "", text)
            if any(number in digits for number in self.numbers):
                return True
        return self.names is not None and self.names.search(text.casefold()) is not None


def guarded_in(incident: Mapping[str, Any], victims: Iterable[Data], *, names_too: bool) -> Guarded:
    """What a view of `incident` must not give away of `victims`, of the children and of where it happened."""
    victims = list(victims)
    children = list(incident.get("children") or ())
    addresses = [person.get("address") for person in (*victims, *children)]
    addresses.append((incident.get("place") or {}).get("address"))
    places, numbers = set(), set()
    for address in addresses:
        for part in ("line1", "postcode"):
            plain = _plain(str((address or {}).get(part) or ""))
            if len(plain) >= (_SHORTEST_LINE if part == "line1" else 5):
                places.add(plain)
    for person in victims:
        for phone in person.get("phones") or ():
            digits = _digits(str(phone.get("number") or ""))
            if len(digits) >= _SHORTEST_NUMBER:
                numbers.add(digits)
    return Guarded(
        frozenset(places), frozenset(numbers), _names(incident, [*victims, *children]) if names_too else None
    )


def _names(incident: Mapping[str, Any], people: Iterable[Data]) -> re.Pattern[str] | None:
    own = {
        str(word).casefold()
        for adult in incident.get("adults") or ()
        if adult.get("role") == "suspect"
        for word in (adult.get("name") or {}).values()
        if isinstance(word, str)
    }
    given = {
        word
        for person in people
        for word in re.findall(r"[^\W\d_]{3,}", str((person.get("name") or {}).get("given") or "").casefold())
    }
    words = sorted(given - own)
    return re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b") if words else None


def without(value: Any, guarded: Guarded) -> tuple[Any, bool]:
    """`value` without any text that gives something away (None where nothing is left), and whether any did.

    Whole texts go, not words out of them: what is left of a sentence can give away as much.
    """
    if isinstance(value, str):
        return (None, True) if guarded.stands_in(value) else (value, False)
    if isinstance(value, dict):
        pairs = [(key, without(one, guarded)) for key, one in value.items()]
        if not any(hit for _, (_, hit) in pairs):
            return value, False
        left = {key: kept for key, (kept, hit) in pairs if not (hit and kept is None)}
        return left or None, True
    if isinstance(value, list):
        items = [without(one, guarded) for one in value]
        if not any(hit for _, hit in items):
            return value, False
        kept = [one for one, hit in items if not (hit and one is None)]
        return kept or None, True
    return value, False
