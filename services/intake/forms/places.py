"""The places of the canonical incident, walked from its contract: which there are and what each holds.

A place is a JSON pointer in which every list index is `*` (`/children/*/born`). Lists of words and of
texts are one place; lists of objects have places of their own for each field of an entry.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Literal

from shared.contracts.base import Contract
from shared.contracts.incident import Incident

Holds = Literal["text", "word", "bool", "number", "day", "moment", "texts", "words", "object", "objects"]

_INDEX = re.compile(r"/\d+(?=/|$)")
_PLAIN: dict[Any, Holds] = {str: "text", bool: "bool", int: "number", date: "day", datetime: "moment"}


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at a place; `words` is its closed list, empty where any text may stand."""

    holds: Holds
    words: tuple[str, ...] = ()

    @property
    def is_leaf(self) -> bool:
        """Whether values stand here, not parts with places of their own."""
        return self.holds not in ("object", "objects")


@cache
def places() -> dict[str, Place]:
    """Every place of `waymark.incident/1`, in the contract's order."""
    return dict(_walk(Incident, ""))


def pattern_of(pointer: str) -> str:
    """The place that a pointer into one incident points at: `/children/0/born` -> `/children/*/born`."""
    return _INDEX.sub("/*", pointer)


def _walk(model: type[Contract], at: str) -> Iterator[tuple[str, Place]]:
    for name, field in model.model_fields.items():
        yield from _place(_known(field.annotation), f"{at}/{field.alias or name}")


def _place(kind: Any, at: str) -> Iterator[tuple[str, Place]]:
    if _is_contract(kind):
        yield at, Place("object")
        yield from _walk(kind, at)
    elif typing.get_origin(kind) is list:
        inner = _known(typing.get_args(kind)[0])
        if _is_contract(inner):
            yield at, Place("objects")
            yield from _walk(inner, f"{at}/*")
        else:
            words = _words(inner)
            yield at, Place("words" if words else "texts", words)
    elif words := _words(kind):
        yield at, Place("word", words)
    elif kind in _PLAIN:
        yield at, Place(_PLAIN[kind])
    # Anything else (what was said in a fault) is no field of a submission.


def _known(kind: Any) -> Any:
    """The type of a value that is known: without `None` and without annotations."""
    if typing.get_origin(kind) is typing.Annotated:
        return _known(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        (only,) = (one for one in typing.get_args(kind) if one is not type(None))
        return _known(only)
    return kind


def _words(kind: Any) -> tuple[str, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _is_contract(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Contract)
