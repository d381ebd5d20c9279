"""Delivery's tables and all its SQL.

Whoever changes deliveries of a case holds the lock of that case's row first, in the order of the cases;
leasing takes delivery rows alone and skips what is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from services.delivery.domain.case import CaseRecord, Delivery, Route
from services.delivery.domain.restricted import UNRELEASED
from shared import audit
from shared.contracts.base import write_exact_moment
from shared.contracts.envelope import LedgerEntry
from shared.db import Row, Transaction

_COLUMNS: Final[Mapping[str, str]] = {
    "id": "text", '"case"': "text", "version": "int", "revision": "bigint", "recipient": "text",
    "service": "text", "route": "json", "due": "timestamptz", "view": "text", "state": "text",
    "channel": "int", "began": "timestamptz", "trace": "text", "replaces": "text", "escalates": "text",
    "bulk": "boolean", "attempts": "int", "first_attempt_at": "timestamptz", "next_at": "timestamptz",
    "leased_by": "text", "lease_until": "timestamptz", "received_at": "timestamptz",
    "breached_at": "timestamptz", "held_because": "text", "last_result": "text", "inbox_no": "bigint",
    "passed_to": "text", "released_by": "text", "released_at": "timestamptz", "chase_at": "timestamptz",
    "chases": "int", "answers": "json", "ledger": "json",
}  # fmt: skip
_CHANGING: Final = (
    "due", "state", "channel", "bulk", "attempts", "first_attempt_at", "next_at", "leased_by", "lease_until",
    "received_at", "breached_at", "held_because", "last_result", "inbox_no", "passed_to", "released_by",
    "released_at", "chase_at", "chases", "answers", "ledger",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """What a delivery carries: the notification as JSON bytes."""

    delivery: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this process may send until its lease ends."""

    id: str
    case: str
    recipient: str
    due: datetime
    bulk: bool
    channel: int
    trace: str | None
    lease_until: datetime
    payload: bytes


def _arrays(columns: Iterable[str]) -> str:
    return ", ".join(f"CAST(:{column.strip(chr(34))} AS {_COLUMNS[column]}[])" for column in columns)


_INSERT: Final = (
    f"INSERT INTO deliveries ({', '.join(_COLUMNS)}) "  # noqa: S608 (names from the table above)
    f"SELECT * FROM unnest({_arrays(_COLUMNS)}) ON CONFLICT (id) DO NOTHING"
)
_UPDATE: Final = (
    "UPDATE deliveries AS d SET "  # noqa: S608 (names from the table above)
    + ", ".join(f"{column} = t.{column}" for column in _CHANGING)
    + f" FROM unnest({_arrays(('id', *_CHANGING))}) AS t(id, {', '.join(_CHANGING)}) WHERE d.id = t.id"
)

_LOAD: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM deliveries "  # noqa: S608 (names from the table above)
    'WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY "case", version, id FOR UPDATE'
)


async def load_cases(tx: Transaction, cases: Iterable[str]) -> dict[str, CaseRecord]:
    """The records of cases, locked until the transaction ends."""
    rows = await tx.rows(
        """
        SELECT "case", version, revision, state, held_by, decided_state, decided_owner, why, trace,
            caused_by, lane, ledger, unaddressed, heard
        FROM cases WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY "case" FOR UPDATE
        """,
        cases=sorted(set(cases)),
    )
    return {
        row["case"]: CaseRecord(**{**row, "ledger": [_entry(entry) for entry in row["ledger"]]}) for row in rows
    }


async def save_cases(tx: Transaction, cases: Sequence[CaseRecord], decided: Mapping[str, bytes]) -> None:
    """Store the records whole. `decided`: the decision's event, for those that could not be addressed."""
    if not cases:
        return
    ordered = sorted(cases, key=lambda case: case.case)
    await tx.execute(
        """
        INSERT INTO cases ("case", version, revision, state, held_by, decided_state, decided_owner, why,
            trace, caused_by, lane, ledger, unaddressed, decided)
        SELECT * FROM unnest(
            CAST(:cases AS text[]), CAST(:versions AS int[]), CAST(:revisions AS bigint[]),
            CAST(:states AS text[]), CAST(:owners AS text[]), CAST(:decided_states AS text[]),
            CAST(:decided_owners AS text[]),
            CAST(:whys AS text[]), CAST(:traces AS text[]), CAST(:causes AS text[]), CAST(:lanes AS text[]),
            CAST(:ledgers AS json[]), CAST(:unaddressed AS json[]), CAST(:decided AS bytea[])
        )
        ON CONFLICT ("case") DO UPDATE SET
            version = excluded.version, revision = excluded.revision, state = excluded.state,
            held_by = excluded.held_by, decided_state = excluded.decided_state,
            decided_owner = excluded.decided_owner, why = excluded.why,
            trace = excluded.trace, caused_by = excluded.caused_by, lane = excluded.lane,
            ledger = excluded.ledger, unaddressed = excluded.unaddressed, decided = excluded.decided,
            updated_at = now()
        """,
        cases=[case.case for case in ordered],
        versions=[case.version for case in ordered],
        revisions=[case.revision for case in ordered],
        states=[case.state for case in ordered],
        owners=[case.held_by for case in ordered],
        decided_states=[case.decided_state for case in ordered],
        decided_owners=[case.decided_owner for case in ordered],
        whys=[case.why for case in ordered],
        traces=[case.trace for case in ordered],
        causes=[case.caused_by for case in ordered],
        lanes=[case.lane for case in ordered],
        ledgers=[_ledger(case.ledger) for case in ordered],
        unaddressed=[_json(case.unaddressed) for case in ordered],
        decided=[decided.get(case.case) for case in ordered],
    )


async def save_states(tx: Transaction, cases: Sequence[CaseRecord]) -> None:
    """Store the state and owner of cases that are locked."""
    if not cases:
        return
    await tx.execute(
        """
        UPDATE cases AS c SET state = t.state, held_by = t.held_by, updated_at = now()
        FROM unnest(CAST(:cases AS text[]), CAST(:states AS text[]), CAST(:owners AS text[]))
            AS t("case", state, held_by)
        WHERE c."case" = t."case"
        """,
        cases=[case.case for case in cases],
        states=[case.state for case in cases],
        owners=[case.held_by for case in cases],
    )


async def load_deliveries(tx: Transaction, cases: Iterable[str]) -> dict[str, list[Delivery]]:
    """All deliveries of cases, oldest version first, locked: nobody leases one that is about to change."""
    rows = await tx.rows(_LOAD, cases=sorted(set(cases)))
    found: dict[str, list[Delivery]] = {}
    for row in rows:
        found.setdefault(row["case"], []).append(_delivery(row))
    return found


async def add_deliveries(tx: Transaction, deliveries: Sequence[Delivery], contents: Sequence[Content]) -> None:
    """Store new deliveries and what they carry."""
    if not deliveries:
        return
    await tx.execute(_INSERT, **_columns(deliveries, _COLUMNS))
    await tx.execute(
        """
        INSERT INTO contents (delivery, payload)
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:payloads AS bytea[]))
        ON CONFLICT (delivery) DO NOTHING
        """,
        ids=[content.delivery for content in contents],
        payloads=[content.payload for content in contents],
    )


async def update_deliveries(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
    """Store what may have changed of deliveries whose case is locked."""
    if deliveries:
        await tx.execute(_UPDATE, **_columns(deliveries, ("id", *_CHANGING)))


async def case_of(tx: Transaction, delivery: str) -> Row | None:
    """The case and recipient of a delivery, and whether it waits for its release (`unreleased`)."""
    return await tx.row(
        """
        SELECT "case", recipient, state = 'held' AND held_because IS NOT DISTINCT FROM :unreleased AS unreleased
        FROM deliveries WHERE id = :id
        """,
        id=delivery,
        unreleased=UNRELEASED,
    )


async def contents_of(tx: Transaction, deliveries: Iterable[str]) -> dict[str, bytes]:
    """What deliveries carry."""
    rows = await tx.rows(
        "SELECT delivery, payload FROM contents WHERE delivery = ANY(CAST(:ids AS text[]))",
        ids=sorted(set(deliveries)),
    )
    return {row["delivery"]: bytes(row["payload"]) for row in rows}


async def lease(
    tx: Transaction, rooms: Mapping[str, int], *, bulk: bool, running: str, lease_s: float
) -> list[Leased]:
    """Lease what is due to be sent and nobody is sending, of the live lane or of bulk: per recipient at most
    its room, the earliest deadline first."""
    rows = await tx.rows(
        """
        WITH picked AS (
            SELECT x.id
            FROM unnest(CAST(:recipients AS text[]), CAST(:rooms AS int[])) AS r(recipient, room)
            CROSS JOIN LATERAL (
                SELECT d.id FROM deliveries d
                WHERE d.recipient = r.recipient AND d.state = 'waiting' AND d.bulk = :bulk
                  AND (d.next_at IS NULL OR d.next_at <= clock_timestamp())
                  AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
                ORDER BY d.due
                LIMIT r.room
                FOR UPDATE SKIP LOCKED
            ) AS x
        )
        UPDATE deliveries AS d
        SET lease_until = clock_timestamp() + make_interval(secs => :lease), leased_by = :running
        FROM picked, contents c
        WHERE d.id = picked.id AND c.delivery = d.id
        RETURNING d.id, d."case", d.recipient, d.due, d.bulk, d.channel, d.trace, d.lease_until, c.payload
        """,
        recipients=list(rooms),
        rooms=list(rooms.values()),
        bulk=bulk,
        lease=lease_s,
        running=running,
    )
    return [Leased(**{**row, "payload": bytes(row["payload"])}) for row in rows]


async def release(tx: Transaction, deliveries: Sequence[str], *, running: str) -> None:
    """Give back leases of this process that were not used."""
    if not deliveries:
        return
    await tx.execute(
        """
        UPDATE deliveries SET lease_until = NULL, leased_by = NULL
        WHERE id = ANY(CAST(:ids AS text[])) AND leased_by = :running
        """,
        ids=list(deliveries),
        running=running,
    )


async def missed_deadlines(tx: Transaction, limit: int) -> list[str]:
    """Cases with a deadline that passed unmet and was not noted yet, the earliest first."""
    rows = await tx.rows(
        """
        SELECT "case", min(due) AS due FROM (
            (
                SELECT "case", due FROM deliveries
                WHERE breached_at IS NULL AND received_at IS NULL AND state IN ('waiting', 'offered', 'held')
                  AND due <= clock_timestamp()
                ORDER BY due LIMIT :n
            ) UNION ALL (
                -- Rejected: nobody has it, though it was received.
                SELECT "case", due FROM deliveries
                WHERE state = 'held' AND breached_at IS NULL AND received_at IS NOT NULL
                  AND due <= clock_timestamp()
                ORDER BY due LIMIT :n
            )
        ) AS late GROUP BY "case" ORDER BY due
        """,
        n=limit,
    )
    return [row["case"] for row in rows]


async def without_recipient(tx: Transaction, known: Iterable[str]) -> list[Row]:
    """Deliveries that wait for recipients who are not described any more: id and case."""
    return await tx.rows(
        """
        SELECT id, "case" FROM deliveries
        WHERE state = 'waiting' AND NOT recipient = ANY(CAST(:known AS text[])) LIMIT 1000
        """,
        known=sorted(known),
    )


async def unaddressed(tx: Transaction) -> list[Row]:
    """Cases that could not be addressed: case and the event that decided them."""
    return await tx.rows('SELECT "case", decided FROM cases WHERE decided IS NOT NULL ORDER BY "case"')


async def newest_contents(tx: Transaction, recipient: str, cases: Iterable[str]) -> dict[str, bytes]:
    """Per case what its newest version to this recipient carries, sent or held back."""
    rows = await tx.rows(
        """
        SELECT DISTINCT ON (d."case") d."case", c.payload
        FROM deliveries d JOIN contents c ON c.delivery = d.id
        WHERE d.recipient = :recipient AND d."case" = ANY(CAST(:cases AS text[]))
        ORDER BY d."case", d.version DESC
        """,
        recipient=recipient,
        cases=sorted(set(cases)),
    )
    return {row["case"]: bytes(row["payload"]) for row in rows}


async def read_inbox(
    tx: Transaction, recipient: str, *, after: int, limit: int, newest: bool = False
) -> list[Row]:
    """Entries of an inbox numbered above `after`, without those that a newer version replaced unread; with
    `newest` the last so many, else the first."""
    return await tx.rows(
        """
        SELECT f.no, f.payload, f.at, f."case", (
            SELECT d.answers FROM deliveries d
            WHERE d."case" = f."case" AND d.recipient = f.reader AND d.inbox_no = f.no LIMIT 1
        ) AS answers FROM feed f
        WHERE f.reader = :recipient AND f.no > :after AND NOT EXISTS (
            SELECT 1 FROM deliveries d
            WHERE d."case" = f."case" AND d.recipient = f.reader AND d.inbox_no = f.no
              AND d.state = 'superseded' AND d.received_at IS NULL
        )
        ORDER BY CASE WHEN CAST(:newest AS boolean) THEN -f.no ELSE f.no END LIMIT :n
        """,
        recipient=recipient,
        after=after,
        n=limit,
        newest=newest,
    )


async def last_in_inbox(tx: Transaction, recipient: str) -> int:
    """The highest number given in an inbox; 0 where nothing came yet."""
    return int(await tx.value("SELECT last FROM cursors WHERE reader = :reader", reader=recipient) or 0)


async def ends_of(tx: Transaction, recipients: Iterable[str]) -> dict[str, int]:
    """The highest number given per inbox, in the transaction that holds their locks."""
    rows = await tx.rows(
        "SELECT reader, last FROM cursors WHERE reader = ANY(CAST(:readers AS text[]))",
        readers=sorted(set(recipients)),
    )
    return {row["reader"]: row["last"] for row in rows}


async def passed_in_inbox(tx: Transaction, recipient: str, *, after: int) -> list[Row]:
    """Deliveries that a cursor at `after` has moved past and that are not received yet, also by a webhook
    that goes on trying: id and case."""
    return await tx.rows(
        """
        SELECT id, "case" FROM deliveries
        WHERE recipient = :recipient AND inbox_no <= :after AND state IN ('waiting', 'offered')
        LIMIT 5000
        """,
        recipient=recipient,
        after=after,
    )


def _columns(deliveries: Sequence[Delivery], columns: Iterable[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for column in columns:
        name = column.strip('"')
        if name == "ledger":
            found[name] = [_ledger(delivery.ledger) for delivery in deliveries]
        elif name == "answers":
            found[name] = [_json(delivery.answers) for delivery in deliveries]
        elif name == "route":
            found[name] = [_json(delivery.route.as_json()) for delivery in deliveries]
        else:
            found[name] = [getattr(delivery, name) for delivery in deliveries]
    return found


def _delivery(row: Row) -> Delivery:
    data = dict(row)
    data["route"] = Route.read(data["route"], data["due"])
    data["ledger"] = [_entry(entry) for entry in data["ledger"]]
    return Delivery(**data)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _ledger(entries: Sequence[LedgerEntry]) -> str:
    return _json(
        [
            (e.stage, e.waited_ms, e.worked_ms, write_exact_moment(e.from_), write_exact_moment(e.to))
            for e in entries
        ]
    )


def _entry(data: Sequence[Any]) -> LedgerEntry:
    """An entry as this service stored it: checked when it was made, so not checked again."""
    stage, waited, worked, start, end = data
    return LedgerEntry.model_construct(
        stage=stage,
        waited_ms=waited,
        worked_ms=worked,
        from_=datetime.fromisoformat(start),
        to=datetime.fromisoformat(end),
    )


async def note_held(tx: Transaction, delivery: Delivery) -> None:
    """Write into the audit that a delivery waits for a person, and why."""
    await audit.record(
        tx,
        who="delivery",
        act="delivery.held",
        case=delivery.case,
        delivery=delivery.id,
        recipient=delivery.recipient,
        because=delivery.held_because,
    )
