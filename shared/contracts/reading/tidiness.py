"""What is certain is put right without a fault; what nobody reads is named.

Put right: a word of a closed list in other capitals or with spaces or hyphens (`Ex-Partner`); yes and no
as forms write them (`Yes`, `n`, 1, `true`); a word that stands for unknown (`not recorded`, `n/k`, empty)
in anything but free text; a whole number where text belongs (a school's number). Numbers written as text
are read by the contract itself.

Named: fields that the contract does not have (a misspelt name is something written and not read); a yes
or no where a count belongs; text with characters that nothing can store, which is read with U+FFFD in
their place. A sender's own fields go under `ext`, or under names that begin with `x_`, at any level: they
are kept with the submission, not read, and no fault.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from shared.contracts.reading.faults import Faults, has_unwritable, without_unwritable
from shared.contracts.reading.shape import INCIDENT, Part, Shape

MOST_STRANGERS: Final = 50
"""Unknown field names that one submission's faults list."""

MOST_ENTRIES: Final = 20_000
"""A longer list is not read: nobody means it, and naming each bad entry of millions would hold up the door."""

MAY_HOLD_TOO_MANY: Final = 3 * MOST_ENTRIES
"""No list of more entries than that is shorter as JSON, in bytes: each takes three or cannot be read anyway."""

SCHEMA: Final = "waymark.incident/1"
_FOR_UNKNOWN: Final = frozenset({"not_recorded", "unknown", "not_known", "n/k", ""})
_YES_NO: Final = {
    "yes": True, "y": True, "true": True, "t": True, "1": True, "on": True,
    "no": False, "n": False, "false": False, "f": False, "0": False, "off": False,
}  # fmt: skip
_CONTROL_IN_JSON: Final = re.compile(rb"\\(?:u00|b|f)")
_SPACE_OR_HYPHEN: Final = re.compile(r"[\s\-]+")
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.:\-]")


def is_tidy(raw: dict[str, Any]) -> bool:
    """Whether there is nothing here for `tidy` to name but what validation stumbles over too (unknown
    fields among it): checked on every submission, so it is quick."""
    try:
        # orjson refuses what JSON text cannot carry (lone surrogates, numbers beyond 64 bits, deep nesting).
        written = orjson.dumps(raw)
    except (TypeError, ValueError, RecursionError):
        return False
    risk = raw.get("risk")
    return (
        len(written) < MAY_HOLD_TOO_MANY
        and _CONTROL_IN_JSON.search(written) is None
        and raw.get("schema", SCHEMA) == SCHEMA
        and "faults" not in raw
        and not isinstance(raw.get("revision"), bool)
        and not (isinstance(risk, dict) and isinstance(risk.get("yes_answers"), bool))
    )


def tidy(raw: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """A copy of what the contract reads of a submission, put right where that is certain."""
    said = raw.get("schema")
    if said not in (None, SCHEMA):
        faults.add("/schema", said, f"not a schema that the door knows: read as {SCHEMA}")
    read = {name: value for name, value in raw.items() if name not in ("faults", "schema", "schema_")}
    strangers: list[tuple[str, Any]] = []
    tidied = _object(read, INCIDENT, "", faults, strangers)
    for at, said in strangers[:MOST_STRANGERS]:
        faults.add(at, said, "not a field of the contract: kept as written, not read")
    if len(strangers) > MOST_STRANGERS:
        more = len(strangers) - MOST_STRANGERS
        faults.add("", more, f"and {more} more names that are not fields of the contract, not listed")
    return tidied


def _object(
    value: dict[str, Any], shape: Shape, at: str, faults: Faults, strangers: list[tuple[str, Any]]
) -> dict[str, Any]:
    tidied: dict[str, Any] = {}
    for name, said in value.items():
        part = shape.parts.get(name)
        if part is None:
            if name != "ext" and not name.startswith("x_"):
                # Somebody's details may stand where a field's name belongs: a pointer carries no sentence.
                strangers.append((f"{at}/{_NOT_IN_A_NAME.sub('_', name[:40])}", said))
        elif part.many and isinstance(said, list):
            here = f"{at}/{name}"
            if len(said) > MOST_ENTRIES:
                faults.add(here, said, "more entries than can be meant: kept as written, treated as unknown")
                continue
            tidied[name] = [_one(one, part, f"{here}/{i}", faults, strangers) for i, one in enumerate(said)]
        else:
            tidied[name] = _one(said, part, f"{at}/{name}", faults, strangers)
    return tidied


def _one(said: Any, part: Part, at: str, faults: Faults, strangers: list[tuple[str, Any]]) -> Any:
    if isinstance(said, str):
        return _text(said, part, at, faults)
    if part.shape is not None and isinstance(said, dict):
        return _object(said, part.shape, at, faults, strangers)
    if part.kind == "number" and isinstance(said, bool):
        faults.add(at, said, "not a number: kept as written, treated as unknown")
        return None
    if part.kind == "text" and isinstance(said, int) and not isinstance(said, bool) and abs(said) < 10**18:
        return str(said)
    return said


def _text(said: str, part: Part, at: str, faults: Faults) -> Any:
    if has_unwritable(said):
        said = without_unwritable(said)
        because = "holds characters that cannot be stored: read with a sign in their place"
        faults.add(at, said, because)
    if part.kind in ("text", "anything"):
        return said
    folded = _SPACE_OR_HYPHEN.sub("_", said[:100].strip().casefold())
    if part.kind == "word" and folded in part.words:
        return folded
    if part.kind == "yes_no" and folded in _YES_NO:
        return _YES_NO[folded]
    # In a list, an entry that is unknown leaves the list open: that is for validation to name.
    return None if folded in _FOR_UNKNOWN and not part.many else said
