"""CloudEvents 1.0 at the door, structured and binary, so that an existing event bus can post as it is.

The incident is the event's `data`. Of the attributes nothing is taken over: a case is known by its force
and reference, whatever the bus calls its messages. So only those four are looked at without which it is
no event. Source: the CloudEvents HTTP binding, version 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from services.intake.json_text import Parsed, parse
from shared.contracts.incident import Fault
from shared.errors import Refused

STRUCTURED: Final = "application/cloudevents+json"
_ATTRIBUTES: Final = ("specversion", "id", "source", "type")


class _Format(JSONFormat):
    """The library's JSON format with the door's own reading of JSON in it. `faults`: found in the incident."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:
        """A structured event. Raises Refused where it is not JSON or no object."""
        parsed = parse(data.encode() if isinstance(data, str) else data)
        if not isinstance(parsed.value, dict):
            raise Refused(422, "Not a CloudEvent", "Send one JSON object with the event's attributes and data.")
        # The others are the bus's own: an incident is not turned away for how they are written.
        attributes = {name: parsed.value[name] for name in _ATTRIBUTES if name in parsed.value}
        # The library would make up an id and a version where there is none.
        if missing := [name for name in _ATTRIBUTES if not attributes.get(name)]:
            raise _not_an_event(missing)
        content = parsed.value.get("data")
        encoded = parsed.value.get("data_base64")
        if content is None and encoded is not None:
            content = self._decoded(encoded)
        else:
            self.faults = [_within_data(fault) for fault in parsed.faults if fault.at.startswith("/data/")]
        return (event_factory or CloudEvent)(attributes, content)

    def _decoded(self, encoded: Any) -> Any:
        try:
            text = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise Refused(422, "data_base64 cannot be read", "It is not base64.", at="/data_base64") from None
        parsed = parse(text)
        self.faults = parsed.faults
        return parsed.value


class _Attributes(JSONFormat):
    """Looks at an event's attributes only."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> None:
        """Leave the body to the door."""


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request is a CloudEvent in binary mode: its body is the incident, nothing else."""
    return "ce-specversion" in headers


def check_binary(headers: Mapping[str, str]) -> None:
    """Check the attributes of a binary event. Raises Refused (400) where it is none."""
    attributes = {f"ce-{name}": headers.get(f"ce-{name}", "") for name in _ATTRIBUTES}
    missing = [name for name in _ATTRIBUTES if not headers.get(f"ce-{name}")]
    _read(lambda: from_binary(HTTPMessage(attributes, b""), _Attributes(), CloudEvent), missing)


def read_structured(body: bytes) -> Parsed:
    """The incident of a structured event. Faults in it are placed in the incident, as everywhere. Raises
    Refused: 400 where it is no event or not JSON."""
    format_ = _Format()
    event = _read(lambda: from_structured(HTTPMessage({}, body), format_, CloudEvent), [])
    return Parsed(event.get_data(), format_.faults)


def _read(read: Callable[[], BaseCloudEvent], missing: list[str]) -> BaseCloudEvent:
    wrong = missing
    if not missing:
        try:
            return read()
        except CloudEventValidationError as error:
            wrong = sorted(error.errors)
    raise _not_an_event(wrong)


def _not_an_event(wrong: list[str]) -> Refused:
    return Refused(
        400,
        "Not a CloudEvent",
        f"Please check these attributes (CloudEvents 1.0): {', '.join(wrong)}.",
        attributes=wrong,
    )


def _within_data(fault: Fault) -> Fault:
    return fault.model_copy(update={"at": fault.at.removeprefix("/data")})
