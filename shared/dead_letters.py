"""Dead letters: reason and shape on a topic that ops may read, the bytes in the service's own table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from shared import ledger
from shared.contracts.events import DeadLetter
from shared.contracts.topics import DEAD_LETTERS
from shared.db import Row, Transaction
from shared.kafka import Message
from shared.outbox import EmittingTransaction

_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it came."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    traceparent: str | None = None

    @property
    def case(self) -> str:
        """The case it is keyed by, as far as that can be read."""
        return (self.key or b"").decode("utf-8", "replace").replace("\x00", "�")


async def store(tx: EmittingTransaction, service: str, record: Record, reason: str) -> None:
    """Put a record aside for a person. Storing the same record twice keeps one."""
    envelope = _parsed(record.value)
    stored = await tx.value(
        """
        INSERT INTO dead_letters
            (topic, partition, kafka_offset, "case", sender, seq, revision, reason, payload, traceparent)
        VALUES (:topic, :partition, :offset, :case, :sender, :seq, :revision, :reason, :payload, :trace)
        ON CONFLICT (topic, partition, kafka_offset) DO NOTHING
        RETURNING id
        """,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        case=record.case,
        sender=_text(envelope.get("from")),
        seq=_number(envelope.get("seq")),
        revision=_number(_dict(envelope.get("body")).get("revision")),
        reason=reason[:500],
        payload=record.value,
        trace=record.traceparent,
    )
    if stored is None:
        return
    now = ledger.now()
    tx.emit(
        DEAD_LETTERS,
        record.case or "unknown",
        DeadLetter(
            service=service,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            case=record.case or None,
            reason=reason[:500],
            shape=shape_of(envelope) if envelope else {},
            size_bytes=len(record.value),
            at=now,
        ),
        started=now,
        trace=record.traceparent,
    )


def shape_of(value: Any, depth: int = 0) -> Any:
    """The kinds of things in a message, none of their content: names of fields, types, lengths."""
    if isinstance(value, dict):
        if depth >= _DEEPEST:
            return f"object({len(value)})"
        return {field_name(key): shape_of(inner, depth + 1) for key, inner in list(value.items())[:60]}
    if isinstance(value, list):
        return f"list({len(value)})"
    return type(value).__name__


def field_name(key: str) -> str:
    """Only what looks like a field's name, in lower case as the contracts write them: a key can be content."""
    plain = key.isascii() and key.replace("_", "").isalpha() and key == key.lower() and len(key) <= 40
    return key if plain else "?"


async def waiting(tx: Transaction) -> list[Row]:
    """Dead letters that nobody has dealt with, oldest first, without their bytes."""
    return await tx.rows(
        """
        SELECT id, at, topic, partition, kafka_offset, "case", sender, seq, revision, reason,
            length(payload) AS size_bytes
        FROM dead_letters WHERE resolved_at IS NULL ORDER BY id
        """
    )


_SEEN: Final = """
    SELECT d.id, d.at, d.topic, d.partition, d.kafka_offset, d."case", d.sender, d.seq, d.revision, d.reason,
        length(d.payload) AS size_bytes, d.resolved_at, d.resolution, m.seq AS applied,
        (SELECT min(n.id) FROM dead_letters n
            WHERE n.id > d.id AND n.topic = d.topic AND n."case" IS NOT DISTINCT FROM d."case"
            AND n.seq IS NOT DISTINCT FROM d.seq AND n.payload = d.payload) AS again
    FROM dead_letters d LEFT JOIN marks m ON m."case" = d."case" AND m.sender = d.sender
"""


async def known(tx: Transaction, *, dealt_with_since: datetime, limit: int) -> list[Row]:
    """Those that wait and those dealt with lately, newest first, without their bytes. `applied`: the highest
    `seq` of the case that was applied; `again`: the number under which the same bytes were put aside again."""
    return await tx.rows(
        f"{_SEEN} WHERE d.resolved_at IS NULL OR d.resolved_at >= :since"
        " ORDER BY d.resolved_at IS NOT NULL, d.id DESC LIMIT :limit",
        since=dealt_with_since,
        limit=limit,
    )


async def seen(tx: Transaction, number: int) -> Row | None:
    """One as `known` shows it; None where there is none."""
    return await tx.row(f"{_SEEN} WHERE d.id = :id", id=number)


async def one(tx: Transaction, number: int) -> Row | None:
    """One dead letter with its bytes."""
    return await tx.row("SELECT * FROM dead_letters WHERE id = :id", id=number)


def message_of(row: Row) -> Message:
    """A dead letter as it stood on its topic, to be sent there again."""
    return Message(
        row["topic"], row["case"] or "", bytes(row["payload"]), row["traceparent"], partition=row["partition"]
    )


def payload_shape(payload: bytes) -> Any:
    """`shape_of` a message as it came; a sentence where it is no JSON."""
    try:
        return shape_of(orjson.loads(payload))
    except orjson.JSONDecodeError:
        return "not JSON"


async def resolve(tx: Transaction, number: int, how: str) -> bool:
    """Note that a dead letter was dealt with, and how (`resent by ...`); whether that was not known yet."""
    return bool(
        await tx.execute(
            """
            UPDATE dead_letters SET resolved_at = now(), resolution = :how
            WHERE id = :id AND resolved_at IS NULL
            """,
            id=number,
            how=how,
        )
    )


def tell_resolved(tx: EmittingTransaction, service: str, row: Row) -> None:
    """Tell those who watch that one was sent again, so that they count it no more."""
    now = ledger.now()
    told = DeadLetter(
        service=service,
        topic=row["topic"],
        partition=row["partition"],
        offset=row["kafka_offset"],
        case=row["case"] or None,
        reason=row["reason"],
        size_bytes=len(row["payload"]),
        at=now,
        resolution="resent",
    )
    tx.emit(DEAD_LETTERS, row["case"] or "unknown", told, started=now, trace=row["traceparent"])


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value[:64] if isinstance(value, str) and "\x00" not in value else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**62 else None
