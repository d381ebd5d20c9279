"""The two published JSON Schemas (2020-12) of an incident: what the door takes, and what a good sender sends.

`door_schema` is honest about a lenient door: three fields are needed, and any JSON may stand in the others,
because what cannot be read is taken as unknown and named. `good_sender_schema` is what a supplier tests
against: closed lists, types and formats, and no field that the contract does not have, so that a misspelt
name is seen. Both are made from the contract itself and carry its descriptions.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Final

import orjson

from shared.contracts.incident import Incident
from shared.contracts.reading.needed import (
    FORCE_PATTERN,
    NEEDED,
    OCCURRED_AT_PATTERN,
    REFERENCE_PATTERN,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DOOR_ID: Final = "waymark.incident.door.json"
GOOD_SENDER_ID: Final = "waymark.incident.json"

_OWN: Final[dict[str, Any]] = {
    "description": "A sender's own field: kept with the submission, not read, and no fault."
}
_EXT: Final[dict[str, Any]] = {"description": "A sender's own fields: kept with the submission, not read."}
_PATTERNS: Final = {"force": FORCE_PATTERN, "reference": REFERENCE_PATTERN, "occurred_at": OCCURRED_AT_PATTERN}
_WRITTEN: Final = {
    "date": "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$",
    "date-time": "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    "(?::[0-5][0-9](?:[.][0-9]+)?)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
}
"""A good sender's days and moments: nothing to interpret, so a moment always has its offset."""

_REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "Incident": (*NEEDED, "recorded_at", "place", "adults", "children", "relationships", "incident"),
    "Adult": ("id", "role"),
    "Child": ("id",),
    "Relationship": ("from", "to", "kind"),
}
"""What a good sender always says. What is not known stays away or null; `[]` says that there is none."""

_TAKEN_AS_UNKNOWN: Final = "Anything else is taken too: kept as written, treated as unknown and named."


def good_sender_schema() -> dict[str, Any]:
    """What a good sender sends: a new copy of the schema, ready to be written as JSON."""
    return deepcopy(_good_sender())


def door_schema() -> dict[str, Any]:
    """What the door takes: a new copy of the schema, ready to be written as JSON.

    Whatever it lets through is taken, and whatever the door refuses with 422 it does not let through; the
    one thing JSON Schema cannot say is that a reference must be well-formed Unicode.
    """
    return deepcopy(_door())


@cache
def _contract() -> dict[str, Any]:
    """The contract as pydantic tells it, without what is only pydantic's: titles, defaults of null."""
    told = Incident.model_json_schema(mode="validation", by_alias=True)
    definitions = told.pop("$defs")
    definitions["Incident"] = told
    # What the door itself writes down is not for a sender to say.
    del told["properties"]["faults"]
    definitions.pop("Fault", None)
    return {name: _plain(one) for name, one in definitions.items()}


def _plain(said: Any) -> Any:
    if isinstance(said, list):
        return [_plain(one) for one in said]
    if not isinstance(said, dict):
        return said
    plain: dict[str, Any] = {}
    for key, value in said.items():
        if key == "properties":
            plain[key] = {name: _plain(one) for name, one in value.items()}
        elif key == "title" or (key == "default" and value is None):
            continue
        elif key == "description":
            plain[key] = re.sub(r"\s+", " ", value).strip()
        else:
            plain[key] = _plain(value)
    return plain


@cache
def _example() -> dict[str, Any]:
    """The contract by example, of made-up people."""
    example: dict[str, Any] = orjson.loads(
        (resources.files(__package__) / "incident.example.json").read_bytes()
    )
    return example


def _head(name: str, title: str, description: str, definitions: dict[str, Any]) -> dict[str, Any]:
    root = definitions.pop("Incident")
    body = {key: value for key, value in root.items() if key != "description"}
    return {
        "$schema": DIALECT,
        "$id": name,
        "title": title,
        "description": description,
        "examples": [_example()],
        **body,
        "$defs": definitions,
    }


@cache
def _good_sender() -> dict[str, Any]:
    definitions = deepcopy(_contract())
    for name, one in definitions.items():
        one["additionalProperties"] = False
        one["patternProperties"] = {"^x_": dict(_OWN)}
        one["properties"]["ext"] = dict(_EXT)
        one["required"] = list(_REQUIRED.get(name, one.get("required", ())))
        if not one["required"]:
            del one["required"]
        for field, inner in one["properties"].items():
            _sharpen(name, field, inner)
    for field in ("force", "reference"):
        definitions["Incident"]["properties"][field]["pattern"] = _PATTERNS[field]
    return _head(
        GOOD_SENDER_ID,
        "An incident as a good sender sends it",
        "Closed lists, types, formats and names are checked. Absent or null: not known. [] : known to be none.",
        definitions,
    )


def _sharpen(owner: str, field: str, inner: dict[str, Any]) -> None:
    """Say more exactly than a type and a format what a good sender writes."""
    for option in inner.get("anyOf", [inner]):
        # A format is a remark to most checkers; a pattern is checked by all.
        if option.get("format") in _WRITTEN:
            option["pattern"] = _WRITTEN[option["format"]]
        if (owner, field) == ("Child", "presence") and "enum" in option:
            # Forms have a word of their own for it; it is read as unknown.
            option["enum"] = [*option["enum"], "not_recorded"]


@cache
def _door() -> dict[str, Any]:
    definitions = deepcopy(_contract())
    for name, one in definitions.items():
        one.pop("required", None)
        one.pop("additionalProperties", None)
        for field, inner in one["properties"].items():
            if name == "Incident" and field in NEEDED:
                described = {"description": inner["description"]}
                one["properties"][field] = {**described, "type": "string", "pattern": _PATTERNS[field]}
            else:
                one["properties"][field] = _intended_or_anything(inner)
    definitions["Incident"]["required"] = list(NEEDED)
    return _head(
        DOOR_ID,
        "An incident as the door takes it",
        "Only force, reference and occurred_at are needed. Any other field may hold anything: what cannot be "
        "read is kept as written, treated as unknown and named in the answer's faults. "
        "See waymark.incident.json.",
        definitions,
    )


def _intended_or_anything(inner: dict[str, Any]) -> dict[str, Any]:
    meant = {key: value for key, value in inner.items() if key not in ("description", "default", "examples")}
    options = meant["anyOf"] if set(meant) == {"anyOf"} else [meant]
    kept: dict[str, Any] = {key: inner[key] for key in ("description", "examples") if key in inner}
    return {**kept, "anyOf": [*options, {"description": _TAKEN_AS_UNKNOWN}]}
