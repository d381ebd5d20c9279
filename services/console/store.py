"""The console's tables and all its SQL. What is written here is written in batches, in order of case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.console.domain.pace import Counts, slot_start
from shared.db import Row, Transaction

_COMMON: Final = (
    ("case", "text"),
    ("force", "text"),
    ("trace_id", "text"),
    ("at", "timestamptz"),
    ("ledger", "text"),
)
_INCIDENT: Final = (("area", "text"), ("test", "boolean"), ("accepted_at", "timestamptz"))

# A stage's ledger holds all that came before it, so the latest is the one to keep.
_KEEP_LEDGER: Final = """
    ledger = CASE WHEN excluded.ledger_at >= coalesce(c.ledger_at, '-infinity')
        THEN excluded.ledger ELSE c.ledger END,
    ledger_at = greatest(excluded.ledger_at, c.ledger_at)
"""
_KEEP_LATEST: Final = f"""
    area = coalesce(excluded.area, c.area),
    test = excluded.test,
    accepted_at = excluded.accepted_at,
    trace_id = coalesce(excluded.trace_id, c.trace_id), {_KEEP_LEDGER}
"""


def _unnest(columns: Sequence[tuple[str, str]]) -> str:
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns)
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return f"unnest({arrays}) AS t({names})"


def _arrays(columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name, _ in columns}


_ACCEPTED_COLUMNS: Final = (*_COMMON, *_INCIDENT, ("revision", "bigint"))
_ACCEPTED: Final = f"""
    INSERT INTO cases AS c ("case", force, area, test, trace_id, accepted_at, ledger, ledger_at,
        revision, incident_at)
    SELECT t."case", t.force, t.area, t.test, t.trace_id, t.accepted_at, CAST(t.ledger AS jsonb), t.at,
        t.revision, t.at
    FROM {_unnest(_ACCEPTED_COLUMNS)}
    ON CONFLICT ("case") DO UPDATE SET {_KEEP_LATEST},
        revision = excluded.revision, incident_at = excluded.incident_at
"""  # noqa: S608 (column names of this module)


async def save_accepted(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """What intake said of each case."""
    await tx.execute(_ACCEPTED, **_arrays(_ACCEPTED_COLUMNS, rows))


_ENRICHED_COLUMNS: Final = (
    *_COMMON, *_INCIDENT, ("revision", "bigint"), ("why", "text"), ("history_status", "text"),
    ("repeat", "boolean"), ("traced", "boolean"),
)  # fmt: skip
_ENRICHED: Final = f"""
    INSERT INTO cases AS c ("case", force, area, test, trace_id, accepted_at, ledger, ledger_at,
        enriched_revision, enriched_at, why, history_status, repeat, traced)
    SELECT t."case", t.force, t.area, t.test, t.trace_id, t.accepted_at, CAST(t.ledger AS jsonb), t.at,
        t.revision, t.at, t.why, t.history_status, t.repeat, t.traced
    FROM {_unnest(_ENRICHED_COLUMNS)}
    ON CONFLICT ("case") DO UPDATE SET {_KEEP_LATEST},
        enriched_revision = excluded.enriched_revision, enriched_at = excluded.enriched_at,
        why = excluded.why, history_status = excluded.history_status,
        repeat = coalesce(excluded.repeat, c.repeat), traced = coalesce(excluded.traced, c.traced)
"""  # noqa: S608


async def save_enriched(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """What enrichment said of each case."""
    await tx.execute(_ENRICHED, **_arrays(_ENRICHED_COLUMNS, rows))


_DECIDED_COLUMNS: Final = (
    *_COMMON, *_INCIDENT, ("revision", "bigint"), ("state", "text"), ("held_by", "text"),
    ("version", "bigint"), ("css_response", "text"), ("child_level", "smallint"), ("victim_level", "text"),
    ("services", "text"), ("protocol", "text"), ("review", "text"), ("routes_due", "timestamptz"),
)  # fmt: skip
_DECIDED: Final = f"""
    INSERT INTO cases AS c ("case", force, area, test, trace_id, accepted_at, ledger, ledger_at,
        decided_revision, decided_at, decided_state, held_by, version, css_response, child_level,
        victim_level, services, protocol, review, routes_due)
    SELECT t."case", t.force, t.area, t.test, t.trace_id, t.accepted_at, CAST(t.ledger AS jsonb), t.at,
        t.revision, t.at, t.state, t.held_by, t.version, t.css_response, t.child_level,
        t.victim_level, string_to_array(t.services, ','), t.protocol, t.review, t.routes_due
    FROM {_unnest(_DECIDED_COLUMNS)}
    ON CONFLICT ("case") DO UPDATE SET {_KEEP_LATEST},
        decided_revision = excluded.decided_revision, decided_at = excluded.decided_at,
        decided_state = excluded.decided_state, held_by = excluded.held_by, version = excluded.version,
        css_response = excluded.css_response, child_level = excluded.child_level,
        victim_level = excluded.victim_level, services = excluded.services, protocol = excluded.protocol,
        review = excluded.review, routes_due = excluded.routes_due
"""  # noqa: S608


async def save_decided(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """What triage decided of each case."""
    await tx.execute(_DECIDED, **_arrays(_DECIDED_COLUMNS, rows))


_ANSWERED_COLUMNS: Final = (
    *_COMMON, ("revision", "bigint"), ("version", "bigint"), ("state", "text"), ("branches", "text"),
    ("received", "text"), ("open_deliveries", "int"), ("open_due", "timestamptz"), ("open_service", "text"),
    ("breached", "int"), ("met", "int"), ("late", "int"), ("outcome", "text"),
)  # fmt: skip
_ANSWERED: Final = f"""
    INSERT INTO cases AS c ("case", force, trace_id, ledger, ledger_at,
        told_revision, told_version, told_state, told_at,
        branches, received, open_deliveries, open_due, open_service, breached, met, late, outcome)
    SELECT t."case", t.force, t.trace_id, CAST(t.ledger AS jsonb), t.at, t.revision, t.version, t.state, t.at,
        CAST(t.branches AS jsonb), string_to_array(t.received, E'\\n'), t.open_deliveries, t.open_due,
        t.open_service, t.breached, t.met, t.late, t.outcome
    FROM {_unnest(_ANSWERED_COLUMNS)}
    ON CONFLICT ("case") DO UPDATE SET
        trace_id = coalesce(c.trace_id, excluded.trace_id), {_KEEP_LEDGER},
        told_revision = excluded.told_revision, told_version = excluded.told_version,
        told_state = excluded.told_state, told_at = excluded.told_at, branches = excluded.branches,
        received = excluded.received, open_deliveries = excluded.open_deliveries,
        open_due = excluded.open_due, open_service = excluded.open_service, breached = excluded.breached,
        met = excluded.met, late = excluded.late, outcome = excluded.outcome
"""  # noqa: S608


async def save_answered(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """What delivery said of each case."""
    await tx.execute(_ANSWERED, **_arrays(_ANSWERED_COLUMNS, rows))


async def received_of(tx: Transaction, cases: Sequence[str]) -> dict[str, frozenset[str]]:
    """The deliveries of each case that were known to be received, so that each is counted once."""
    rows = await tx.rows(
        'SELECT "case", received FROM cases WHERE "case" = ANY(CAST(:cases AS text[])) AND received <> \'{}\'',
        cases=list(cases),
    )
    return {row["case"]: frozenset(row["received"]) for row in rows}


_DEAD_COLUMNS: Final = (
    ("service", "text"), ("topic", "text"), ("partition", "int"), ("offset", "bigint"), ("case", "text"),
    ("reason", "text"), ("size_bytes", "bigint"), ("at", "timestamptz"), ("resolved_at", "timestamptz"),
)  # fmt: skip


async def save_dead_letters(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Events that services put aside, and that somebody has dealt with one. Told again, one is left as it is;
    `rows` have each of them once."""
    await tx.execute(
        f"""
        INSERT INTO dead_letters_told AS d
            (service, topic, partition, kafka_offset, "case", reason, size_bytes, at, resolved_at)
        SELECT * FROM {_unnest(_DEAD_COLUMNS)}
        ON CONFLICT (service, topic, partition, kafka_offset)
            DO UPDATE SET resolved_at = coalesce(d.resolved_at, excluded.resolved_at)
        """,  # noqa: S608
        **_arrays(_DEAD_COLUMNS, rows),
    )


async def add_pace(tx: Transaction, counts: Counts) -> None:
    """Add counts to the histograms."""
    ordered = sorted(counts)
    await tx.execute(
        """
        INSERT INTO pace AS p (slot, stage, measure, bucket, n)
        SELECT * FROM unnest(CAST(:slots AS timestamptz[]), CAST(:stages AS text[]),
            CAST(:measures AS text[]), CAST(:buckets AS smallint[]), CAST(:ns AS bigint[]))
        ON CONFLICT (slot, stage, measure, bucket) DO UPDATE SET n = p.n + excluded.n
        """,
        slots=[slot_start(key[0]) for key in ordered],
        stages=[key[1] for key in ordered],
        measures=[key[2] for key in ordered],
        buckets=[key[3] for key in ordered],
        ns=[counts[key] for key in ordered],
    )


async def forget_pace(tx: Transaction, before: datetime) -> int:
    """Drop histograms older than `before`; how many rows."""
    return await tx.execute("DELETE FROM pace WHERE slot < :before", before=before)


async def histograms(tx: Transaction, since: datetime) -> list[Row]:
    """Of the slots from `since` on, together: `stage`, `measure`, `bucket`, `n`."""
    return await tx.rows(
        """
        SELECT stage, measure, bucket, CAST(sum(n) AS bigint) AS n FROM pace
        WHERE slot >= :since GROUP BY stage, measure, bucket
        """,
        since=since,
    )


async def passages(tx: Transaction, since: datetime) -> list[Row]:
    """How many passed each stage in each slot from `since` on: `stage`, `slot`, `n`."""
    return await tx.rows(
        """
        SELECT stage, slot, CAST(sum(n) AS bigint) AS n FROM pace
        WHERE slot >= :since AND measure = 'whole' GROUP BY stage, slot
        """,
        since=since,
    )


async def waiting(tx: Transaction) -> list[Row]:
    """Per service that cases wait for: `service`, `cases`, `since` (the first of them)."""
    return await tx.rows(
        """
        SELECT waiting_for AS service, count(*) AS cases, min(waiting_since) AS since
        FROM cases WHERE waiting_for IS NOT NULL GROUP BY waiting_for
        """
    )


async def deadlines(tx: Transaction, *, areas: Sequence[str] | None, limit: int) -> list[Row]:
    """The nearest deadlines still to be met: `case`, `due`, `service`, earliest first, passed ones too."""
    return await tx.rows(
        """
        SELECT "case", next_due AS due,
            CASE WHEN told_version >= coalesce(version, 0) THEN open_service END AS service
        FROM cases WHERE next_due IS NOT NULL
            AND (CAST(:areas AS text[]) IS NULL OR area = ANY(CAST(:areas AS text[])))
        ORDER BY next_due LIMIT :limit
        """,
        areas=None if areas is None else list(areas),
        limit=limit,
    )


async def totals(tx: Transaction, now: datetime) -> Row:
    """`open` deadlines, `overdue` ones, `breaches` and states of a day, cases without history of an hour."""
    found = await tx.row(
        """
        SELECT
            (SELECT count(*) FROM cases WHERE next_due IS NOT NULL) AS open,
            (SELECT count(*) FROM cases WHERE next_due < :now) AS overdue,
            (SELECT coalesce(sum(breached), 0) FROM cases
                WHERE breached > 0 AND accepted_at > :day) AS breaches,
            (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (
                SELECT state, count(*) AS n FROM cases WHERE accepted_at > :day GROUP BY state
            ) AS s) AS states,
            (SELECT count(*) FROM cases WHERE accepted_at > :hour AND history_status = 'unavailable')
                AS without_history
        """,
        now=now,
        day=now - timedelta(days=1),
        hour=now - timedelta(hours=1),
    )
    assert found is not None  # noqa: S101 (an aggregate always answers)
    return found


# A dead letter is dealt with when its service says so, and taken as that when it has since said something newer
# of the same case, or put aside something else of it.
_STILL_WAITING: Final = """
    d.resolved_at IS NULL AND d.at >= coalesce(CASE d.service
        WHEN 'enrichment' THEN c.enriched_at WHEN 'triage' THEN c.decided_at WHEN 'delivery' THEN c.told_at
    END, '-infinity')
    AND NOT EXISTS (
        SELECT 1 FROM dead_letters_told AS n
        WHERE n."case" = d."case" AND n.service = d.service AND n.topic = d.topic AND n.at > d.at
    )
"""


async def dead_letters(tx: Transaction, *, limit: int) -> list[Row]:
    """Events that were put aside and are still waiting, newest first; `total` counts all of them."""
    return await tx.rows(
        f"""
        SELECT d.*, count(*) OVER () AS total
        FROM dead_letters_told AS d LEFT JOIN cases AS c ON c."case" = d."case"
        WHERE {_STILL_WAITING} ORDER BY d.at DESC LIMIT :limit
        """,  # noqa: S608
        limit=limit,
    )


_SHOWN: Final = f"""
    c."case", c.force, c.area, c.test, c.revision, c.version, c.why, c.history_status, c.css_response,
    c.child_level, c.victim_level, c.services, c.protocol, c.review, c.held_by, c.accepted_at, c.incident_at,
    c.enriched_at, c.enriched_revision, c.decided_at, c.decided_revision, c.decided_state, c.told_at,
    c.told_revision, c.told_version, c.next_due, c.open_deliveries, c.breached, c.waiting_for,
    c.waiting_since, c.trace_id,
    EXISTS (SELECT 1 FROM dead_letters_told AS d WHERE d."case" = c."case" AND {_STILL_WAITING})
        AS dead_lettered,
    c.state
"""  # noqa: S608


async def recent(
    tx: Transaction,
    *,
    find: str | None,
    state: str | None,
    response: str | None,
    area: str | None,
    areas: Sequence[str] | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Row]:
    """Cases by when they were accepted, newest first, filtered by what is given.

    `find` is part of the id; `areas` are those that the viewer may see (None: all); `before`, the
    last (accepted_at, case) of a page, goes on from there.
    """
    return await tx.rows(
        f"""
        SELECT {_SHOWN} FROM cases AS c
        WHERE (CAST(:find AS text) IS NULL OR strpos(lower(c."case"), lower(:find)) > 0)
            AND (CAST(:state AS text) IS NULL OR c.state = :state)
            AND (CAST(:response AS text) IS NULL OR c.css_response = :response)
            AND (CAST(:area AS text) IS NULL OR c.area = :area)
            AND (CAST(:areas AS text[]) IS NULL OR c.area = ANY(CAST(:areas AS text[])))
            AND c.accepted_at IS NOT NULL
            AND (CAST(:before AS timestamptz) IS NULL OR (c.accepted_at, c."case") < (:before, :before_case))
        ORDER BY c.accepted_at DESC, c."case" DESC LIMIT :limit
        """,  # noqa: S608
        find=find,
        state=state,
        response=response,
        area=area,
        areas=None if areas is None else list(areas),
        before=before[0] if before else None,
        before_case=before[1] if before else "",
        limit=limit,
    )


async def one(tx: Transaction, case: str) -> Row | None:
    """One case with its `ledger` and `branches`."""
    return await tx.row(
        f'SELECT {_SHOWN}, c.ledger, c.branches FROM cases AS c WHERE c."case" = :case',  # noqa: S608
        case=case,
    )


async def dead_letters_of(tx: Transaction, case: str) -> list[Row]:
    """Events of a case that were put aside, whether dealt with or not."""
    return await tx.rows('SELECT * FROM dead_letters_told WHERE "case" = :case ORDER BY at', case=case)


async def save_session(tx: Transaction, digest: str, sealed: bytes, *, ends_at: datetime) -> None:
    """Begin a session."""
    await tx.execute(
        "INSERT INTO sessions (digest, sealed, ends_at) VALUES (:digest, :sealed, :ends_at)",
        digest=digest,
        sealed=sealed,
        ends_at=ends_at,
    )


async def session(tx: Transaction, digest: str) -> bytes | None:
    """What is kept of a session that has not ended."""
    found: bytes | None = await tx.value(
        "SELECT sealed FROM sessions WHERE digest = :digest AND ends_at > now()", digest=digest
    )
    return found


async def renew_session(tx: Transaction, digest: str, sealed: bytes) -> None:
    """Keep something else of a session."""
    await tx.execute(
        "UPDATE sessions SET sealed = :sealed WHERE digest = :digest", digest=digest, sealed=sealed
    )


async def close_session(tx: Transaction, digest: str) -> None:
    """End a session."""
    await tx.execute("DELETE FROM sessions WHERE digest = :digest", digest=digest)


async def forget_ended_sessions(tx: Transaction) -> None:
    """Drop what has ended."""
    await tx.execute("DELETE FROM sessions WHERE ends_at <= now()")


async def keep_draft(tx: Transaction, digest: str, sealed: bytes, *, ends_at: datetime, most: int) -> None:
    """Keep what somebody wrote; those that have ended go, and the oldest beyond so many."""
    await tx.execute(
        """
        DELETE FROM drafts WHERE ends_at <= now()
            OR digest IN (SELECT digest FROM drafts ORDER BY kept_at DESC OFFSET :most)
        """,
        most=most - 1,
    )
    await tx.execute(
        "INSERT INTO drafts (digest, sealed, ends_at) VALUES (:digest, :sealed, :ends_at)",
        digest=digest,
        sealed=sealed,
        ends_at=ends_at,
    )


async def draft(tx: Transaction, digest: str) -> bytes | None:
    """What somebody wrote, while it is kept."""
    found: bytes | None = await tx.value(
        "SELECT sealed FROM drafts WHERE digest = :digest AND ends_at > now()", digest=digest
    )
    return found


async def drop_draft(tx: Transaction, digest: str) -> None:
    """It has been given back."""
    await tx.execute("DELETE FROM drafts WHERE digest = :digest", digest=digest)
