"""A message held against the published schema of a good sender: what it has that the contract has not, and
what it writes otherwise than the contract says. The door takes all of that; a good sender sends none of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from shared.contracts.incident import Gap
from shared.contracts.schemas import good_sender_schema

_NAMED: Final = 50
_REASONS: Final = {
    "type": "not of the schema's type",
    "enum": "not a word of the closed list",
    "const": "not what the schema says stands there",
    "pattern": "not written as the schema says",
    "format": "not written as the schema says",
    "minimum": "too small",
    "maximum": "too large",
    "minLength": "too short",
    "maxLength": "too long",
}


class GoodSender:
    """The schema, ready to be held against messages."""

    def __init__(self) -> None:
        self._validator = Draft202012Validator(good_sender_schema())

    def breaches(self, content: Any) -> Iterator[Gap]:
        """Where a message (parsed) is not as the schema says, at most fifty, with nothing of what it says."""
        for number, error in enumerate(self._validator.iter_errors(content)):
            if number == _NAMED:
                return
            yield from _told(error)


def _told(error: ValidationError) -> Iterator[Gap]:
    if error.validator in ("anyOf", "oneOf") and error.context:
        # A value or null: what counts is why it is not the value.
        serious = [inner for inner in error.context if inner.validator_value != "null"]
        deepest = max(serious or error.context, key=lambda inner: len(inner.absolute_path))
        yield from _told(deepest)
        return
    at = "".join(f"/{_step(step)}" for step in error.absolute_path)
    instance: Any = error.instance
    if error.validator == "additionalProperties" and isinstance(instance, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for name in instance:
            if name not in known and not name.startswith("x_"):
                yield Gap(at=f"{at}/{_step(name)}", because="not a field of the contract")
    elif error.validator == "required" and isinstance(instance, dict):
        required = error.validator_value if isinstance(error.validator_value, list) else []
        for name in required:
            # One error per missing name: this one's is the name that its message ends on.
            if name not in instance and error.message.startswith(repr(name)):
                yield Gap(at=f"{at}/{name}", because="a good sender always says it")
    else:
        yield Gap(at=at, because=_REASONS.get(str(error.validator), "not as the schema says"))


def _step(step: object) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
