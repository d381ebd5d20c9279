"""What was found wrong in one submission, gathered on the way, and told in a bounded answer."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from shared.contracts.incident import Fault

MOST_LISTED: Final = 200
"""Faults, and likewise gaps, that one answer lists; a last entry says how many more there were."""

_SAID_AT_MOST: Final = 300
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What PostgreSQL or UTF-8 cannot hold, and the control characters nobody writes. Tab, line feed and
carriage return are text; so are the C1 characters, which old code pages leave in names."""

_ENTRY: Final = re.compile(r"(.*)/\d+\Z", re.S)


def without_unwritable(text: str) -> str:
    """The text with each control character and lone surrogate replaced by U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text)


def has_unwritable(text: str) -> bool:
    """Whether the text holds a control character or a lone surrogate."""
    return _UNWRITABLE.search(text) is not None


def as_said(value: Any) -> Any:
    """What a fault quotes: the value as written, or (where it is long, or JSON cannot carry it on) enough
    of it to know it again. The submission itself is kept word for word."""
    if isinstance(value, str):
        text = without_unwritable(value[: _SAID_AT_MOST + 1])
        return text if len(value) <= _SAID_AT_MOST else f"{text[:-1]}… ({len(value)} characters)"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else f"a whole number of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    try:
        written = orjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        written = None
    if written is not None and len(written) <= _SAID_AT_MOST and b"\\u00" not in written:
        return value
    return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)} fields"


class Faults:
    """Gathers faults. Pointers are those of the submission as it was sent."""

    def __init__(self) -> None:
        self._found: list[tuple[str, Any, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, at: str, said: Any, because: str) -> None:
        """Name one fault: where, what was written there, and why it is not taken as it stands."""
        self._found.append((at, said, because))

    def listed(self) -> list[Fault]:
        """In the order of the document, at most MOST_LISTED and one that says how many more.

        Where there are more, every list that lost an entry keeps one fault that says so: whoever decides
        on the incident must know that the list is not whole.
        """
        found = self._found
        if not found:
            return []
        left_out = 0
        if len(found) > MOST_LISTED:
            found.sort(key=_in_order)
            first_of_list: dict[str, tuple[str, Any, str]] = {}
            for one in found:
                if (entry := _ENTRY.match(one[0])) is not None:
                    first_of_list.setdefault(entry[1], one)
            must = list(first_of_list.values())[:MOST_LISTED]
            chosen = {id(one) for one in must}
            rest = [one for one in found if id(one) not in chosen]
            left_out = len(found) - MOST_LISTED
            found = must + rest[: MOST_LISTED - len(must)]
        named = [
            Fault(at=at, said=as_said(said), because=because)
            for at, said, because in sorted(found, key=_in_order)
        ]
        if left_out:
            named.append(Fault(at="", said=left_out, because=f"and {left_out} more faults, not listed"))
        return named


def _in_order(fault: tuple[str, Any, str]) -> list[tuple[int, str]]:
    return [(int(s) if s.isascii() and s.isdigit() and len(s) < 9 else -1, s) for s in fault[0].split("/")]
