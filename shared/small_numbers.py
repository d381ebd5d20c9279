"""How numbers of cases are told where figures alone are to be seen: small ones are kept back.

The rule of NHS Digital's mental health services statistics: 1 to 4 is not told, everything above to the
nearest 5, so that no difference of two figures tells of a family either.
"""

from __future__ import annotations

from typing import Final

FEWEST: Final = 5


def told(count: int) -> int | None:
    """A number as it may be told: None for 1 to 4, else to the nearest 5."""
    if count == 0:
        return 0
    return None if count < FEWEST else 5 * ((count + 2) // 5)
