"""Who a field is about and how sensitive it is, and values that do not print.

Each field of a contract is classed once, where it is declared, with `about(...)`. Profiles of what a
recipient may see (delivery), what may be logged (telemetry) and what a model shows of itself when it
is printed all rest on that one class. A field without a class is treated as the most sensitive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Whose = Literal["case", "victim", "suspect", "adult", "child", "caller", "service", "family"]
"""`case`: about the event itself; `adult`: of whichever adult the entry describes."""

Sensitivity = Literal["operational", "circumstance", "personal", "identifying", "contact", "special"]
"""From least to most: ids and times that ops may see; what happened; facts of a person; what names
them; what leads to their door or phone; health, ethnicity and the like."""

MASK: Final = "•••"


@dataclass(frozen=True, slots=True)
class About:
    """The class of one field: whose it is and how sensitive."""

    whose: Whose
    sensitivity: Sensitivity


OPERATIONAL: Final = About("case", "operational")
CIRCUMSTANCE: Final = About("case", "circumstance")


def about(whose: Whose, sensitivity: Sensitivity) -> About:
    """Class a field: `Annotated[str | None, about("victim", "contact")]`."""
    return About(whose, sensitivity)


class Secret(str):
    """Text that prints as `•••` unless asked for by name (`reveal`): signing secrets, keys, addresses."""

    __slots__ = ()

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK
