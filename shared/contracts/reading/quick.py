"""The short way through the reading, for a submission with nothing odd in it: a fifth of the time.

`read_quickly` gives what `read_incident` would, or None: then the long way has the word. It rests on
msgspec structs that are derived from the contract field by field, and on the same rules of sense and the
same gaps. What it does not know for certain to be faultless it leaves alone: another spelling of a word
or a date, an unknown field, a name that stands twice, a control character, a contradiction.
`tests/unit/shared/test_reading_quick.py` holds both ways to the same answers.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, NoReturn, Union, cast, get_args, get_origin

import msgspec
import orjson
from annotated_types import Ge, Le

from shared.contracts.base import Contract
from shared.contracts.incident import Gap, Incident
from shared.contracts.reading.faults import Faults
from shared.contracts.reading.gaps import name_gaps
from shared.contracts.reading.needed import is_force, is_reference
from shared.contracts.reading.sense import check_sense
from shared.contracts.reading.tidiness import MAY_HOLD_TOO_MANY
from shared.contracts.reading.validation import Places

_ESCAPES: Final = re.compile(rb"\\(?:u00(?:[0-2]|3[aA])|u[dD]|b|f)")
"""Control characters, quotes, colons and halves of character pairs, written as escapes: a colon that is
written out again as itself would hide that a name stands twice."""

_PLAIN_MOMENT: Final = re.compile(
    rb'[ \t\r\n]*"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)"'
)
"""msgspec reads more: another offset would have to be turned into UTC, it rounds fractions of a second where
the long way cuts them off, and takes signs (`z`) that the long way does not."""

_TIMES: Final = tuple(
    (name, f'"{name}":'.encode()) for name in ("occurred_at", "reported_at", "attended_at", "recorded_at")
)


@dataclass(frozen=True, slots=True)
class QuickReading:
    """A faultless submission. `incident` has the attributes of the contract's `Incident`, not its methods."""

    incident: Incident
    gaps: list[Gap]
    written: bytes

    def as_bytes(self, revision: int) -> bytes:
        """The incident as JSON, as this revision."""
        if self.incident.revision == revision:
            return self.written
        numbered = msgspec.structs.replace(cast(msgspec.Struct, self.incident), revision=revision)
        return msgspec.json.encode(numbered)


class _Odd(Exception):
    """There is something to be named: the long way does that."""


class _NoFaults(Faults):
    def add(self, at: str, said: Any, because: str) -> NoReturn:
        raise _Odd


class _Unsaid(Mapping[str, Any]):
    """Stands for what was sent where only a fault would quote it."""

    def __getitem__(self, name: str) -> Any:
        raise _Odd

    def __iter__(self) -> NoReturn:
        raise _Odd

    def __len__(self) -> NoReturn:
        raise _Odd


def read_quickly(raw: bytes, *, now: datetime | None = None) -> QuickReading | None:
    """Read a submission's JSON text; None where the long way has to. `now` as for `read_incident`."""
    if len(raw) >= MAY_HOLD_TOO_MANY:
        return None
    if b"\\" in raw and _ESCAPES.search(raw) is not None:
        return None
    try:
        incident = _decoder().decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not (is_force(incident.force) and is_reference(incident.reference)):
        return None
    offsets = 0
    for name, quoted in _TIMES:
        moment = getattr(incident, name)
        if moment is not None:
            plain = _PLAIN_MOMENT.match(raw, raw.find(quoted) + len(quoted))
            if plain is None or not 1 < moment.year < 9999:
                return None
            offsets += plain[0].endswith(b':00"')
    written = msgspec.json.encode(incident)
    if _is_a_name_twice(raw, written, offsets):
        return None
    places = Places()
    try:
        check_sense(incident, cast(Any, _Unsaid()), places, _NoFaults(), now)
    except _Odd:
        return None
    return QuickReading(incident, name_gaps(incident, places), written)


def _is_a_name_twice(raw: bytes, written: bytes, offsets: int) -> bool:
    """Whether some object names a field twice, of which one would be lost: then fewer names are written
    than were read. Each has a colon behind it, and those within texts are written as they came, but for
    `offsets` moments that end in +00:00 and are written with Z. What is null is not written again, so where
    the word stands JSON itself is the measure."""
    if b"null" in raw:
        try:
            written = orjson.dumps(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return True
        return raw.count(b":") != written.count(b":")
    return raw.count(b":") - offsets != written.count(b":") - (b'"schema":' not in raw)


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_struct(Incident))


@cache
def _struct(model: type[Contract]) -> type[msgspec.Struct]:
    """The struct of a contract: its fields but `faults`, which nobody sends."""
    needed: list[tuple[str, Any]] = []
    others: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    for name, field in model.model_fields.items():
        if name in ("schema_", "faults"):
            continue
        kind = _kind(field.annotation, field.metadata)
        if field.is_required():
            needed.append((name, kind))
        else:
            others.append((name, kind, field.default))
        if field.alias:
            rename[name] = field.alias
    return msgspec.defstruct(
        model.__name__,
        [*needed, *others],
        rename=rename,
        forbid_unknown_fields=True,
        omit_defaults=True,
        tag_field="schema" if model.schema_id else None,
        tag=model.schema_id or None,
        frozen=True,
        gc=False,
    )


def _kind(annotation: Any, constraints: list[Any]) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        first, *more = get_args(annotation)
        return _kind(first, [*constraints, *more])
    if origin in (Union, types.UnionType):
        parts = [type(None) if one is type(None) else _kind(one, constraints) for one in get_args(annotation)]
        return Union[tuple(parts)]  # noqa: UP007 (made while running)
    if origin is list:
        return list[_kind(get_args(annotation)[0], [])]  # type: ignore[misc]
    if origin is Literal or annotation in (str, bool, date, datetime):
        return annotation
    if annotation is int:
        least = next((one.ge for one in constraints if isinstance(one, Ge)), None)
        most = next((one.le for one in constraints if isinstance(one, Le)), None)
        return Annotated[int, msgspec.Meta(ge=cast(Any, least), le=cast(Any, most))]
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return _struct(annotation)
    raise TypeError(f"a field of a kind that has no short way: {annotation}")
