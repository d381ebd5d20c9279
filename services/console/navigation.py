"""What each role finds at the top of its pages. The first is where it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation, and the roles that have it."""

    path: str
    words: str
    roles: frozenset[str]


ENTRIES: Final = (
    Entry("/screening", "Screening", frozenset({"person"})),
    Entry("/links", "Links", frozenset({"person"})),
    Entry("/meetings", "Meetings", frozenset({"coordinator", "person"})),
    Entry("/status", "Status", frozenset({"ops", "person"})),
    Entry("/cases", "Cases", frozenset({"ops", "person"})),
    Entry("/recipients", "Recipients", frozenset({"ops", "person"})),
    Entry("/dead-letters", "Dead letters", frozenset({"ops"})),
    Entry("/month", "The month", frozenset({"board", "coordinator", "person", "ops"})),
    Entry("/protocols", "Protocols", frozenset({"ops", "person", "coordinator", "board"})),
)


def entries_for(role: str) -> tuple[Entry, ...]:
    """What a role finds, in order."""
    return tuple(entry for entry in ENTRIES if role in entry.roles)
