"""What cannot be read is taken out and named, so that the rest is read."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from shared.contracts.incident import Incident
from shared.contracts.reading.faults import Faults


class Places:
    """Where the entries of the lists stood in the submission, after unreadable ones were taken out.

    Lists are named by their pointer (`/children`, `/adults/2/phones`), itself as in the submission.
    """

    def __init__(self) -> None:
        self._moved: dict[str, list[int]] = {}

    def of(self, pointer: str, i: int) -> str:
        """The pointer, in the submission as sent, of what is now the `i`th entry of a list."""
        moved = self._moved.get(pointer)
        return f"{pointer}/{i if moved is None else moved[i]}"

    def keep(self, pointer: str, kept: list[int], before: int) -> None:
        """Of a list's `before` entries only those numbered in `kept` stay."""
        moved = self._moved.get(pointer) or list(range(before))
        self._moved[pointer] = [moved[i] for i in kept]


class _Removed:
    """Marks a list entry that could not be read, so that the indexes of its neighbours stay true."""


_REMOVED: Final = _Removed()


def validate(data: dict[str, Any], faults: Faults, places: Places) -> Incident:
    """Validate, taking out what cannot be read and naming it, until the rest is valid.

    Changes `data`, and tells `places` which list entries went. Each round takes out at least one thing for
    every error, so a few rounds do for any size of document.
    """
    while True:
        try:
            return Incident.model_validate(data)
        except ValidationError as error:
            trouble = error.errors(include_url=False, include_context=False)
        shortened: dict[str, list[Any]] = {}
        for one in trouble:
            # Null where a part cannot be unknown (an entry's id) is as good as missing: without taking the
            # entry out the loop would never end.
            where = one["loc"]
            null = one["input"] is None and len(where) > 1 and isinstance(where[-1], str)
            missing = one["type"] == "missing" or null
            _take_out(data, where, missing, one["msg"], faults, places, shortened)
        for pointer, entries in shortened.items():
            kept = [i for i, entry in enumerate(entries) if entry is not _REMOVED]
            places.keep(pointer, kept, len(entries))
            entries[:] = [entries[i] for i in kept]


def _take_out(
    data: dict[str, Any],
    where: tuple[int | str, ...],
    missing: bool,
    message: str,
    faults: Faults,
    places: Places,
    shortened: dict[str, list[Any]],
) -> None:
    if missing:
        # A part of an entry without which the entry says nothing (an id, the ends of a relationship).
        where = where[:-1]
    parent: Any = data
    pointer = ""
    for step in where[:-1]:
        pointer = _step(parent, pointer, step, places)
        parent = parent[step]
        if parent is _REMOVED:
            return
    last: Any = where[-1]
    said = parent[last]
    if said is _REMOVED or (said is None and isinstance(parent, dict)):
        return
    if isinstance(parent, list):
        shortened[pointer] = parent
        parent[last] = _REMOVED
    else:
        parent[last] = None
    because = f"{_in_plain_words(message, missing)}: kept as written, treated as unknown"
    faults.add(_step(parent, pointer, last, places), said, because)


def _step(parent: Any, pointer: str, step: int | str, places: Places) -> str:
    if isinstance(parent, list) and isinstance(step, int):
        return places.of(pointer, step)
    return f"{pointer}/{step}"


_WORDS_FOR: Final = {
    "valid list": "not a list",
    "valid boolean": "not yes or no",
    "valid integer": "not a whole number",
    "valid string": "not text",
    "instance of": "not an object",
    "valid dictionary": "not an object",
    "greater than or equal to": "too small",
    "less than or equal to": "too large",
    "exceeded maximum size": "too large",
    "is out of range": "not a date",
    "must be in": "not a date",
}
"""What the library says, and what a person who writes police systems is told."""


def _in_plain_words(message: str, missing: bool) -> str:
    if missing:
        return "has no id or lacks an end"
    for said, meant in _WORDS_FOR.items():
        if said in message:
            return meant
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    if text.startswith(("'", "one of")) or " or '" in text:
        return "not a word of the closed list"
    return text
