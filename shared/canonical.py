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

_COULD_DIFFER = re.compile(rb'[:\[,]-?\d(?:(?<=":\d)|(?<=[\[,]\d)|(?<=-\d))(?:\d*[.eE]|\d{15})')
"""A number as a member's value follows `":`: a digest in a string (`sha256:77e1...`), as every second
receipt has one, is none."""
_BEYOND_BASIC = re.compile(rb"[\xf0-\xf4]")


def canonical_bytes(value: Any, *, vouched: bool = False) -> bytes:
    """`value` (plain JSON data) as RFC 8785 bytes. Raises ValueError where it has no canonical form.

    `vouched`: the caller knows from its contract that there are no fractions, no number of 16 digits, and
    no key beyond ASCII, which saves looking.
    """
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise ValueError(f"not plain JSON data: {error}") from None
    if vouched:
        return written
    same = (
        isinstance(value, (dict, list))
        and _COULD_DIFFER.search(written) is None
        and (written.isascii() or _BEYOND_BASIC.search(written) is None)
    )
    return written if same else bytes(rfc8785.dumps(value))


def digest(value: Any, *, vouched: bool = False) -> str:
    """`sha256:` and the hexadecimal digest of the canonical bytes."""
    return f"sha256:{hashlib.sha256(canonical_bytes(value, vouched=vouched)).hexdigest()}"
