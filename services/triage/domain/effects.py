"""All that rules do, as one number: adding rules up is `|`.

A level is written as so many bits in a row (3 is 0111), so that the highest of several levels is the union
of their bits, as it is for services. Every case is summed up under every rule that holds, so this is what
deciding costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from shared import vocabulary as v

_CHILD: Final = v.CHILD_LEVELS[-1]
_VICTIM: Final = len(v.VICTIM_LEVELS) - 1
_CSS: Final = len(v.CSS_RESPONSES) - 1
_SERVICES: Final = len(v.SERVICES)
_PLACES: Final = {word: place for words in (v.SERVICES, v.HANDLINGS) for place, word in enumerate(words)}

_AT_VICTIM: Final = _CHILD
_AT_CSS: Final = _AT_VICTIM + _VICTIM
_AT_STEP: Final = _AT_CSS + _CSS
_AT_SERVICES: Final = _AT_STEP + 1
_AT_CHILD_SERVICES: Final = _AT_SERVICES + _SERVICES
_AT_CONSIDER: Final = _AT_CHILD_SERVICES + _SERVICES
_AT_HANDLING: Final = _AT_CONSIDER + _SERVICES

CHILD_LEVEL: Final = (1 << _CHILD) - 1
VICTIM_LEVEL: Final = ((1 << _VICTIM) - 1) << _AT_VICTIM
CSS_RESPONSE: Final = ((1 << _CSS) - 1) << _AT_CSS
STEP: Final = 1 << _AT_STEP
CHILD_SERVICES: Final = ((1 << _SERVICES) - 1) << _AT_CHILD_SERVICES
CHILDRENS_SERVICES: Final = 1 << (_AT_SERVICES + _PLACES["childrens_services"])


def write(
    *,
    child_level: int = 0,
    victim_level: int = 0,
    css_response: int = 0,
    step: bool = False,
    services: Iterable[str] = (),
    child_services: Iterable[str] = (),
    consider: Iterable[str] = (),
    handling: Iterable[str] = (),
) -> int:
    """The number. Levels are places on their ladders; `child_services` are told only where a child is."""
    return (
        (1 << child_level) - 1
        | ((1 << victim_level) - 1) << _AT_VICTIM
        | ((1 << css_response) - 1) << _AT_CSS
        | (STEP if step else 0)
        | _bits(services) << _AT_SERVICES
        | _bits(child_services) << _AT_CHILD_SERVICES
        | _bits(consider) << _AT_CONSIDER
        | _bits(handling) << _AT_HANDLING
    )


def _bits(words: Iterable[str]) -> int:
    return sum(1 << place for place in {_PLACES[word] for word in words})


def child_level(adds: int) -> int:
    """The child's level."""
    return (adds & CHILD_LEVEL).bit_count()


def victim_level(adds: int) -> int:
    """The victim's level, as a place on its ladder."""
    return (adds & VICTIM_LEVEL).bit_count()


def css_response(adds: int) -> int:
    """The response, as a place on its ladder."""
    return (adds & CSS_RESPONSE).bit_count()


def one_level_up(adds: int) -> int:
    """The same with the child's level one higher, up to the highest."""
    return adds | ((adds & CHILD_LEVEL) << 1 | 1) & CHILD_LEVEL


def one_response_up(adds: int) -> int:
    """The same with the response one higher, up to the highest."""
    return adds | ((adds & CSS_RESPONSE) << 1 | 1 << _AT_CSS) & CSS_RESPONSE


def with_child(adds: int) -> int:
    """The same where there is a child: what is meant for children is told as well."""
    return adds | (adds & CHILD_SERVICES) >> _SERVICES


@cache
def _words(bits: int, scale: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for place, word in enumerate(scale) if bits >> place & 1)


def services(adds: int) -> frozenset[str]:
    """The services told."""
    return _words(adds >> _AT_SERVICES & (1 << _SERVICES) - 1, v.SERVICES)


def consider(adds: int) -> frozenset[str]:
    """The services put before a coordinator."""
    return _words(adds >> _AT_CONSIDER & (1 << _SERVICES) - 1, v.SERVICES)


def handling(adds: int) -> frozenset[str]:
    """How the case is handled."""
    return _words(adds >> _AT_HANDLING, v.HANDLINGS)
