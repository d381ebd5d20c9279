"""Intake's tables and all its SQL: cases, their revisions as sent, and what the police were told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import Row, Transaction
from shared.errors import Retryable


class Overtaken(Retryable):
    """Another copy of intake made the same case at the same moment: look again, now it is known."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as it is stored. `emitted_seq`: of the event that carries it; None where a newer
    revision was already there. `changed`: pointers to what it changed
    in the newest before it (a JSON list)."""

    case: str
    revision: int
    status: str
    content: bytes
    raw: bytes
    answer: bytes
    door: str
    key: str
    contact_at: datetime
    arrived_at: datetime
    accepted_at: datetime
    emitted_seq: int | None
    changed: bytes | None


@dataclass(frozen=True, slots=True)
class NewestOf:
    """A case's newest revision; `first_accepted_at` is that of the case's first. `live`: some revision of
    it was no test."""

    case: str
    newest: int
    first_accepted_at: datetime
    live: bool


async def lock_cases(tx: Transaction, cases: Sequence[str]) -> dict[str, NewestOf]:
    """The cases that are known, locked until the transaction ends."""
    rows = await tx.rows(
        """
        SELECT "case", newest, first_accepted_at, live FROM cases
        WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY "case" FOR UPDATE
        """,
        cases=sorted(set(cases)),
    )
    return {
        row["case"]: NewestOf(row["case"], row["newest"], row["first_accepted_at"], row["live"]) for row in rows
    }


async def revisions_of(tx: Transaction, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Row]:
    """Content digest and answer of those (case, revision) that are stored."""
    if not wanted:
        return {}
    rows = await tx.rows(
        """
        SELECT "case", revision, content, answer FROM revisions
        WHERE ("case", revision) IN
            (SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:revisions AS bigint[])))
        """,
        cases=[case for case, _ in wanted],
        revisions=[revision for _, revision in wanted],
    )
    return {(row["case"], row["revision"]): row for row in rows}


async def sent_of(tx: Transaction, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Row]:
    """What was sent as those (case, revision), word for word: `raw`, `door`, `key`, and the `answer` it got."""
    if not wanted:
        return {}
    rows = await tx.rows(
        """
        SELECT "case", revision, raw, door, key, answer FROM revisions
        WHERE ("case", revision) IN
            (SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:revisions AS bigint[])))
        """,
        cases=[case for case, _ in wanted],
        revisions=[revision for _, revision in wanted],
    )
    return {(row["case"], row["revision"]): row for row in rows}


async def first_through(tx: Transaction, senders: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those (key, form) of which nothing has come before, and note that something has now."""
    if not senders:
        return set()
    ordered = sorted(senders)
    rows = await tx.rows(
        """
        INSERT INTO told_once (key, form)
        SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:forms AS text[]))
        ON CONFLICT DO NOTHING RETURNING key, form
        """,
        keys=[key for key, _ in ordered],
        forms=[form for _, form in ordered],
    )
    return {(row["key"], row["form"]) for row in rows}


async def not_told(tx: Transaction, senders: Collection[tuple[str, str]]) -> None:
    """Take back the note of `first_through` for those (key, form) who were told nothing after all."""
    if not senders:
        return
    await tx.execute(
        """
        DELETE FROM told_once WHERE (key, form) IN
            (SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:forms AS text[])))
        """,
        keys=[key for key, _ in senders],
        forms=[form for _, form in senders],
    )


async def save(
    tx: Transaction, revisions: Sequence[Revision], *, new: Sequence[NewestOf], moved: Sequence[NewestOf]
) -> None:
    """Store revisions with their cases: `new` ones, and known ones that `moved` (to a newer revision, or
    from a test to live).

    A case that was not known could not be locked. Raises Overtaken where somebody else made it meanwhile.
    """
    if moved:
        await tx.execute(
            """
            UPDATE cases AS c SET newest = t.newest, live = t.live
            FROM unnest(
                CAST(:cases AS text[]), CAST(:newest AS bigint[]), CAST(:live AS boolean[])
            ) AS t("case", newest, live)
            WHERE c."case" = t."case"
            """,
            cases=[one.case for one in moved],
            newest=[one.newest for one in moved],
            live=[one.live for one in moved],
        )
    if not revisions:
        return
    counted = await tx.row(
        """
        WITH made AS (
            INSERT INTO cases ("case", newest, first_accepted_at, live)
            SELECT * FROM unnest(
                CAST(:new AS text[]), CAST(:newest AS bigint[]), CAST(:firsts AS timestamptz[]),
                CAST(:live AS boolean[])
            )
            ON CONFLICT ("case") DO NOTHING
            RETURNING 1
        ), stored AS (
            INSERT INTO revisions (
                "case", revision, status, content, raw, answer, door, key, contact_at, arrived_at,
                accepted_at, emitted_seq, changed
            )
            SELECT * FROM unnest(
                CAST(:cases AS text[]), CAST(:revisions AS bigint[]), CAST(:statuses AS text[]),
                CAST(:contents AS bytea[]), CAST(:raws AS bytea[]), CAST(:answers AS bytea[]),
                CAST(:doors AS text[]), CAST(:keys AS text[]), CAST(:contacts AS timestamptz[]),
                CAST(:arrivals AS timestamptz[]), CAST(:moments AS timestamptz[]), CAST(:seqs AS bigint[]),
                CAST(:changes AS bytea[])
            )
            ON CONFLICT ("case", revision) DO NOTHING
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM stored) AS stored
        """,
        new=[one.case for one in new],
        newest=[one.newest for one in new],
        firsts=[one.first_accepted_at for one in new],
        live=[one.live for one in new],
        cases=[one.case for one in revisions],
        revisions=[one.revision for one in revisions],
        statuses=[one.status for one in revisions],
        contents=[one.content for one in revisions],
        raws=[one.raw for one in revisions],
        answers=[one.answer for one in revisions],
        doors=[one.door for one in revisions],
        keys=[one.key for one in revisions],
        contacts=[one.contact_at for one in revisions],
        arrivals=[one.arrived_at for one in revisions],
        moments=[one.accepted_at for one in revisions],
        seqs=[one.emitted_seq for one in revisions],
        changes=[one.changed for one in revisions],
    )
    if counted is None or counted["made"] != len(new) or counted["stored"] != len(revisions):
        raise Overtaken("another copy of intake made the same case at the same moment")


async def note_emitted(tx: Transaction, emitted: Mapping[str, tuple[int, int]]) -> None:
    """Note, per case, that its revision was emitted again: (revision, the event's `seq`)."""
    for case, (revision, seq) in sorted(emitted.items()):
        await tx.execute(
            'UPDATE revisions SET emitted_seq = :seq WHERE "case" = :case AND revision = :revision',
            seq=seq,
            case=case,
            revision=revision,
        )


async def lock_told(tx: Transaction, cases: Sequence[str]) -> dict[str, Row]:
    """Per known case its newest revision and what is kept of decisions and outcomes (JSON bytes), locked."""
    rows = await tx.rows(
        """
        SELECT "case", newest, decided, answered FROM cases
        WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY "case" FOR UPDATE
        """,
        cases=sorted(set(cases)),
    )
    return {row["case"]: row for row in rows}


async def keep_told(tx: Transaction, told: Mapping[str, tuple[bytes | None, bytes | None]]) -> None:
    """Keep, per case, what of its decision and its outcome the police may know."""
    if not told:
        return
    await tx.execute(
        """
        UPDATE cases AS c SET decided = t.decided, answered = t.answered
        FROM unnest(CAST(:cases AS text[]), CAST(:decided AS bytea[]), CAST(:answered AS bytea[]))
            AS t("case", decided, answered)
        WHERE c."case" = t."case"
        """,
        cases=list(told),
        decided=[decided for decided, _ in told.values()],
        answered=[answered for _, answered in told.values()],
    )


async def case_with_revisions(tx: Transaction, case: str) -> tuple[Row, list[Row]] | None:
    """A case and its revisions in order, without what was sent, and the `answer` of the newest alone; None
    where it is not known."""
    found = await tx.row('SELECT * FROM cases WHERE "case" = :case', case=case)
    if found is None:
        return None
    revisions = await tx.rows(
        """
        SELECT revision, status, contact_at, arrived_at, accepted_at, changed,
            CASE WHEN revision = :newest THEN answer END AS answer
        FROM revisions WHERE "case" = :case ORDER BY revision
        """,
        case=case,
        newest=found["newest"],
    )
    return found, revisions
