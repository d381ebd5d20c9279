"""The contract's fields as a tree, for what must know a field before it is validated."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from shared.contracts.base import Contract
from shared.contracts.incident import Incident

Kind = Literal["object", "word", "yes_no", "number", "text", "time", "anything"]


@dataclass(frozen=True, slots=True)
class Part:
    """One field: what it holds, one of them or a list of them."""

    kind: Kind
    many: bool = False
    words: frozenset[str] = frozenset()
    """Of a closed list."""
    shape: Shape | None = None
    """Of an object."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One level of the contract: every field that is read, by each name it may go by."""

    parts: Mapping[str, Part]


def _parts(model: type[Contract]) -> Iterator[tuple[str, Part]]:
    for name, field in model.model_fields.items():
        part = _part(field.annotation)
        yield field.alias or name, part
        if field.alias:
            yield name, part


def _shape(model: type[Contract]) -> Shape:
    return Shape(dict(_parts(model)))


def _part(annotation: Any, many: bool = False) -> Part:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _part(get_args(annotation)[0], many)
    if origin in (Union, types.UnionType):
        (only,) = (one for one in get_args(annotation) if one is not type(None))
        return _part(only, many)
    if origin is list:
        return _part(get_args(annotation)[0], True)
    if origin is Literal:
        return Part("word", many, frozenset(get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return Part("object", many, shape=_shape(annotation))
    kinds: dict[Any, Kind] = {
        bool: "yes_no", int: "number", str: "text", date: "time", datetime: "time", Any: "anything",
    }  # fmt: skip
    return Part(kinds[annotation], many)


INCIDENT: Final = _shape(Incident)
