"""Canonical JSON (RFC 8785) and digests: the same data gives the same bytes on every machine.

`rfc8785` is the authority. It is also slow (about 0.3 ms for an incident), so data for which orjson's
sorted output is provably the same (no fractions or exponents, no number of 16 digits or more, no
characters beyond the basic plane, where key order and number form could differ) takes orjson. A
property test holds the two against each other.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
import rfc8785

_COULD_DIFFER = re.compile(rb'[:\[,]-?\d(?:(?<=":\d)|(?<=[\[,]\d)|(?<=-\d))(?:\d*[.eE]|\d{15})|^-?\d')
"""A number as a member's value follows `":`, so a digest in a string (`sha256:77e1...`) is none."""
_BEYOND_BASIC_PLANE = re.compile(rb"[\xf0-\xf4]")


def canonical_bytes(value: Any) -> bytes:
    """`value` (plain JSON data) as RFC 8785 bytes. Raises ValueError where it has no canonical form."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise ValueError(f"not plain JSON data: {error}") from None
    if _COULD_DIFFER.search(written) is not None:
        return bytes(rfc8785.dumps(value))
    if not written.isascii() and _BEYOND_BASIC_PLANE.search(written) is not None:
        return bytes(rfc8785.dumps(value))
    return written


def digest(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the canonical bytes."""
    return f"sha256:{hashlib.sha256(canonical_bytes(value)).hexdigest()}"
