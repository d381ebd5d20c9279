"""What the study that Waymark answers found, for a board to hold its own month against.

NSPCC 2009, 251 notified incidents of January 2007 at two sites; each figure with the table or section where
it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Found:
    """A figure of the study. `share`: per cent."""

    share: int
    words: str
    source: str


STUDY: Final[Mapping[str, Found]] = {
    "deadlines_met": Found(
        36, "of the northern site's notifications arrived within the 48 hours agreed", "NSPCC 2009 table 29"
    ),
    "traced": Found(78, "of 251 notifications could be traced to a record (196)", "NSPCC 2009 table 32"),
    "repeats": Found(
        53,
        "of the families that got nothing, a letter or one visit came back within 21 months (83 of 156)",
        "NSPCC 2009 tables 36-38",
    ),
    "nothing_or_letter": Found(
        83, "of 184 families traced got no further action or a letter (153)", "NSPCC 2009 table 33"
    ),
    "assessed": Found(
        15,
        "of 184 families traced had family support or safeguarding (28); in 9 the notification led to it",
        "NSPCC 2009 table 33, s6.4",
    ),
}
