"""The three things without which nothing can be taken, and exactly how they must be written.

The published schema of the door uses the same patterns, so that both say the same.
"""

from __future__ import annotations

import re
from typing import Any, Final

from shared.errors import Refused

NEEDED: Final = ("force", "reference", "occurred_at")

_DAY_OF_YEAR = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
# 0002 to 9998: a year further out cannot be turned into UTC from every offset.
_YEAR = "(?:000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"

FORCE_PATTERN: Final = "^[A-Za-z0-9._-]{1,64}$"
REFERENCE_PATTERN: Final = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]{1,128}$"
"""A reference goes into links, logs and file names: no control characters, no line separators."""

OCCURRED_AT_PATTERN: Final = (
    f"^[ \\t\\r\\n]*(?:{_YEAR}-{_DAY_OF_YEAR}|{_LEAP_YEAR}-02-29)"
    f"(?:[Tt ]{_CLOCK}(?::[0-5][0-9](?:[.,][0-9]+)?)?(?:Z|[+-]{_CLOCK})?)?[ \\t\\r\\n]*$"
)
"""ISO 8601, extended form: a real day, then (after T or a space) hours and minutes, seconds and their
fraction if known, and Z or an offset. Without an offset it is local time in England; without a time, the
start of that day. Basic form (20261120T2240Z), week dates and a 24th hour are not taken."""

_FORCE: Final = re.compile(FORCE_PATTERN[:-1] + r"\Z")
_REFERENCE: Final = re.compile(REFERENCE_PATTERN[:-1].replace("\\u2029", "\\u2029\\ud800-\\udfff") + r"\Z")
_OCCURRED_AT: Final = re.compile(OCCURRED_AT_PATTERN[:-1] + r"\Z")
_PATTERNS: Final = (("force", _FORCE), ("reference", _REFERENCE), ("occurred_at", _OCCURRED_AT))


def is_force(said: str) -> bool:
    """Whether it can be a force's code."""
    return _FORCE.match(said) is not None


def is_reference(said: str) -> bool:
    """Whether it can be a reference."""
    return _REFERENCE.match(said) is not None


def require_needed(raw: dict[str, Any]) -> None:
    """Raise Refused (422) unless force, reference and occurred_at are there and readable."""
    for field, pattern in _PATTERNS:
        said = raw.get(field)
        if not isinstance(said, str) or pattern.match(said) is None:
            _refuse(field, missing=field not in raw)


_AS: Final = {
    "force": "letters, digits, dots, hyphens and underscores, at most 64",
    "reference": "text of at most 128 characters, without control characters",
    "occurred_at": "a date and time as 2026-11-20T22:40:00Z",
}


def _refuse(field: str, *, missing: bool) -> None:
    raise Refused(
        422,
        f"{field} is missing" if missing else f"{field} cannot be read",
        f"Every incident needs force, reference and occurred_at; {field} "
        + ("was not sent." if missing else f"was sent, but it is not {_AS[field]}."),
        at=f"/{field}",
    )
