"""JSON as police systems write it: read strictly where it is sound, patiently where it is not.

Three faults are of the text itself: a name that stands twice in one object (parsers keep one and drop the
other without a word), half a character pair (a lone surrogate), and a number that is larger than any. All
are named, none loses a submission.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from shared.contracts.incident import Fault
from shared.errors import Refused
from shared.web import MAX_DEPTH, not_json, parse_json, too_deep

_GAP_BEFORE_COLON: Final = re.compile(rb'"[ \t\r\n]+:')
_LONE_HALVES: Final = re.compile("[\ud800-\udfff]")
_FAULTS_AT_MOST: Final = 50
_DIGITS_QUOTED: Final = 24
MAX_DIGITS: Final = 400
"""Longer numbers are no numbers: reading one takes time that grows with the square of its length."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a JSON text says, and what is wrong with the text."""

    value: Any
    faults: list[Fault] = field(default_factory=list)


def parse(text: bytes) -> Parsed:
    """Read a JSON text. What is written twice with different values, and a number larger than any, is None
    (unknown) and named; half a character pair becomes U+FFFD and is named. Raises Refused: 400 where it is
    not JSON, 413 where it is nested too deeply."""
    if text.startswith(BOM_UTF8):  # some systems write one, and nothing is lost without it
        text = text[len(BOM_UTF8) :]
    try:
        value = parse_json(text)
    except Refused as refused:
        if refused.status != 400:
            raise
        return _parse_patiently(text, refused)
    if text.count(b'":') != _names_in(value) or _GAP_BEFORE_COLON.search(text):
        return _parse_patiently(text, None)
    return Parsed(value)


def _names_in(value: Any) -> int:
    """How many names all objects of `value` have together. At most MAX_DEPTH deep."""
    count = 0
    inner = [value] if type(value) in (dict, list) else []
    while inner:
        count += sum(len(one) for one in inner if type(one) is dict)
        inner = [
            one
            for outer in inner
            for one in (outer.values() if type(outer) is dict else outer)
            if type(one) is dict or type(one) is list
        ]
    return count


class _Twice:
    """Stands where one name was given several values: what was said, in order."""

    def __init__(self, said: list[Any]) -> None:
        self.said = said


def _gather(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], _Twice):
            found[name].said.append(value)
        elif not _alike(found[name], value):
            found[name] = _Twice([found[name], value])
    return found


def _alike(one: Any, other: Any) -> bool:
    """Equal in value and in kind, however deep: to Python 1 is True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)


def _no_constant(name: str) -> NoReturn:
    raise Refused(
        400,
        "Not JSON",
        f"{name} is not JSON (RFC 8259): leave the field out, or send null, where a value is not known.",
    )


@dataclass(frozen=True, slots=True)
class _TooLarge:
    """Stands for a number that nothing can hold: how it begins."""

    said: str


def _integer(digits: str) -> int | float | _TooLarge:
    if len(digits) > MAX_DIGITS:
        return _TooLarge(digits[:_DIGITS_QUOTED])
    value = int(digits)
    return value if -(2**63) <= value < 2**64 else _float(digits)  # as the strict parser has it


def _float(digits: str) -> float | _TooLarge:
    value = float(digits)
    return _TooLarge(digits[:_DIGITS_QUOTED]) if math.isinf(value) else value


def _not_utf8(text: bytes, place: int) -> Refused:
    before = text[:place]
    line, column = before.count(b"\n") + 1, place - before.rfind(b"\n")
    return Refused(
        400,
        "Not UTF-8",
        f"Send it in UTF-8: the byte at line {line}, column {column} (in bytes) is none of its characters.",
        line=line,
        column=column,
    )


def _parse_patiently(text: bytes, refused: Refused | None) -> Parsed:
    """Read with the standard library's parser, which shows all three. `refused`: what the strict one
    said, and what stands where this one cannot read it either."""
    try:
        value = json.loads(
            text.decode("utf-8", "strict"),
            object_pairs_hook=_gather,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError as error:
        raise _not_utf8(text, error.start) from None
    except ValueError as error:
        raise refused or not_json(getattr(error, "lineno", 1), getattr(error, "colno", 1)) from None
    faults: list[Fault] = []
    mended = _mended(value, "", faults, 0)
    return Parsed(mended, faults[:_FAULTS_AT_MOST])


def _mended(value: Any, at: str, faults: list[Fault], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise too_deep()
    if isinstance(value, str):
        if not _LONE_HALVES.search(value):
            return value
        whole = _LONE_HALVES.sub("\ufffd", value)
        because = "half of a character pair: read with U+FFFD in its place"
        faults.append(Fault(at=at or "/", said=whole, because=because))
        return whole
    if isinstance(value, _TooLarge):
        because = "a number larger than any: kept as written, treated as unknown"
        faults.append(Fault(at=at or "/", said=value.said, because=because))
        return None
    if isinstance(value, _Twice):
        return _one_of_several(value, at, faults, depth)
    if isinstance(value, dict):
        whole_names: dict[str, Any] = {}
        for name, inner in value.items():
            whole = _LONE_HALVES.sub("\ufffd", name)
            while whole in whole_names:  # two names that differ in their halves only stay two
                whole += "\ufffd"
            whole_names[whole] = _mended(inner, f"{at}/{_step(name)}", faults, depth + 1)
        return whole_names
    if isinstance(value, list):
        return [_mended(inner, f"{at}/{i}", faults, depth + 1) for i, inner in enumerate(value)]
    return value


def _one_of_several(twice: _Twice, at: str, faults: list[Fault], depth: int) -> None:
    said = [_mended(one, at, [], depth) for one in twice.said]
    because = "written twice with different values: kept as written, treated as unknown"
    faults.append(Fault(at=at, said=said, because=because))


def _step(name: str) -> str:
    return _LONE_HALVES.sub("\ufffd", name).replace("~", "~0").replace("/", "~1")
