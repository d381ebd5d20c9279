"""Enrichment's tables and the SQL that joins incidents. What councils send is stored by `records_store`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import asyncpg
import orjson

from services.enrichment import domain
from shared import telemetry
from shared.contracts.history import Involvement
from shared.db import Row, Transaction

_log = telemetry.logger()

_REGISTER_LOCK: Final = 7_283_101
"""One schema holds one register."""

_Known = tuple[str, str]
"""A person of social care's records: the source and its id."""


@dataclass(slots=True)
class Standing:
    """A case as it stands: its newest revision, what it last emitted (`digest`), and whether its history
    could not be looked up then."""

    case: domain.Case
    revision: int
    digest: bytes
    pending: bool


@dataclass(slots=True)
class Picture:
    """All that is known of some families: every case and record of each, and what ties their people.

    `families`: the numbers of those that were asked for.
    """

    standing: dict[str, Standing] = field(default_factory=dict)
    records: list[domain.Record] = field(default_factory=list)
    ties: dict[tuple[str, str], domain.Tie] = field(default_factory=dict)
    rulings: dict[int, domain.Ruling] = field(default_factory=dict)
    families: list[int] = field(default_factory=list)


class LookupFailed(Exception):
    """The history could not be read, or not in time; the transaction can go on."""


async def lock_register(tx: Transaction, *, budget_ms: int = 0) -> None:
    """Wait until nobody else joins or learns anything, and keep it so until the transaction ends.

    With a budget, no statement after it may take longer until `within_budget` has been left: said here,
    it costs no statement of its own.
    """
    await tx.execute(
        "SELECT pg_advisory_xact_lock(:lock), set_config('statement_timeout', :limit, true)",
        lock=_REGISTER_LOCK,
        limit=str(budget_ms),
    )


@asynccontextmanager
async def within_budget(tx: Transaction, budget_ms: int | None = None) -> AsyncIterator[None]:
    """Read, each statement within the budget given here or to `lock_register`. Raises LookupFailed, the
    transaction as it was before, where that fails while the connection holds."""
    await tx.execute("SAVEPOINT lookup")
    try:
        if budget_ms is not None:
            await _limit_statements(tx, budget_ms)
        yield
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        await tx.execute("ROLLBACK TO SAVEPOINT lookup")
        await _limit_statements(tx, 0)
        _log.warning("enrichment.look_up_failed", error=type(error).__name__)
        raise LookupFailed from error
    await _limit_statements(tx, 0)


async def _limit_statements(tx: Transaction, milliseconds: int) -> None:
    await tx.execute("SELECT set_config('statement_timeout', :limit, true)", limit=str(milliseconds))


async def load(
    tx: Transaction, families: Collection[int], *, cases: Collection[str] = (), people: Collection[_Known] = ()
) -> tuple[list[Standing], list[domain.Record]]:
    """The families whole, with cases, and with records by source and id, that may be in none."""
    standing = [
        Standing(_case(row), row["revision"], row["digest"], row["pending"])
        for row in await tx.rows(
            """
            SELECT i."case", i.revision, i.accepted_at, i.family, i.pending, i.digest, i.account,
                d."case" IS NOT NULL AS decided, d.child_level, d.notified_css, d.marac_on, d.about, a.taken,
                a.heard
            FROM incidents i LEFT JOIN decisions d USING ("case") LEFT JOIN answers a USING ("case")
            WHERE i.family = ANY(CAST(:families AS bigint[])) OR i."case" = ANY(CAST(:cases AS text[]))
            """,
            families=sorted(families),
            cases=sorted(cases),
        )
    ]
    records = [
        _record(row)
        for row in await tx.rows(
            """
            WITH chosen AS (
                SELECT source, id FROM records WHERE family = ANY(CAST(:families AS bigint[]))
                UNION SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]))
            )
            SELECT r.source, r.id, r.person, r.involvement, r.involvement_as_of,
                GREATEST(o.as_of, r.involvement_as_of) AS source_as_of,
                r.family, (
                SELECT jsonb_agg(jsonb_build_array(t.other, t.kind) ORDER BY t.other, t.kind) FROM (
                    SELECT to_id AS other, kind FROM relationships s
                    WHERE s.source = r.source AND s.from_id = r.id
                    UNION SELECT from_id, kind FROM relationships s
                    WHERE s.source = r.source AND s.to_id = r.id
                ) AS t
            ) AS related
            FROM chosen JOIN records r USING (source, id) LEFT JOIN sources o USING (source) WHERE NOT r.removed
            """,
            families=sorted(families),
            sources=[source for source, _ in people],
            ids=[number for _, number in people],
        )
    ]
    return standing, records


async def families_of(
    tx: Transaction, cases: Collection[str], people: Collection[_Known]
) -> tuple[set[int], set[str]]:
    """The numbers of the families that cases and records are in, and the cases among them that are in none."""
    rows = await tx.rows(
        """
        SELECT i.family, CASE WHEN i.family IS NULL THEN i."case" END AS alone
        FROM incidents i WHERE i."case" = ANY(CAST(:cases AS text[]))
        UNION
        SELECT r.family, NULL
        FROM records r JOIN unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t(source, id)
            USING (source, id)
        WHERE NOT r.removed
        """,
        cases=sorted(cases),
        sources=[source for source, _ in people],
        ids=[number for _, number in people],
    )
    families = {row["family"] for row in rows if row["family"] is not None}
    return families, {row["alone"] for row in rows if row["alone"] is not None}


def _case(row: Row) -> domain.Case:
    return domain.Case(
        account=domain.account_from(row["case"], row["accepted_at"], orjson.loads(row["account"])),
        decided=domain.Decided(
            row["child_level"], row["notified_css"], row["marac_on"], tuple(orjson.loads(row["about"]))
        )
        if row["decided"]
        else None,
        taken=tuple(domain.Taken(pathway, datetime.fromisoformat(at)) for pathway, at in row["taken"] or ()),
        heard=row["heard"],
        family=row["family"],
    )


def _record(row: Row) -> domain.Record:
    involvement = row["involvement"]
    return domain.Record(
        source=row["source"],
        person=domain.mention_from(orjson.loads(row["person"])),
        related=tuple(domain.Related(other, kind) for other, kind in row["related"] or ()),
        involvement=None
        if involvement is None
        else Involvement.model_validate(
            {
                **orjson.loads(involvement),
                "as_of": row["involvement_as_of"],
                "source_as_of": row["source_as_of"],
            }
        ),
        family=row["family"],
    )


async def fresh_numbers(tx: Transaction, count: int) -> list[int]:
    """Numbers for new families."""
    rows = await tx.rows(
        "SELECT nextval('family_numbers') AS number FROM generate_series(1, :count)", count=count
    )
    return [row["number"] for row in rows]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A revision to be written. `accepted`: the event that brought it, as intake sent it."""

    standing: Standing
    accepted: bytes


async def save_arrivals(tx: Transaction, arrivals: Sequence[Arrived], *, joined: bool = True) -> None:
    """Write revisions as their cases' newest.

    `joined` False: the family was not looked up, so the case stays where it was until it is.
    """
    if not arrivals:
        return
    arrivals = sorted(arrivals, key=lambda one: one.standing.case.id)
    accounts = [one.standing.case.account for one in arrivals]
    await tx.execute(
        """
        INSERT INTO incidents AS i ("case", revision, accepted_at, family, pending, digest, account, accepted)
        SELECT * FROM unnest(
            CAST(:cases AS text[]), CAST(:revisions AS bigint[]), CAST(:moments AS timestamptz[]),
            CAST(:families AS bigint[]), CAST(:pending AS boolean[]), CAST(:digests AS bytea[]),
            CAST(:accounts AS bytea[]), CAST(:accepted AS bytea[])
        )
        ON CONFLICT ("case") DO UPDATE SET revision = excluded.revision, accepted_at = excluded.accepted_at,
            family = CASE WHEN :joined THEN excluded.family ELSE i.family END, pending = excluded.pending,
            digest = excluded.digest, account = excluded.account, accepted = excluded.accepted
        """,
        cases=[account.case for account in accounts],
        revisions=[one.standing.revision for one in arrivals],
        moments=[account.accepted_at for account in accounts],
        families=[one.standing.case.family for one in arrivals],
        pending=[one.standing.pending for one in arrivals],
        digests=[one.standing.digest for one in arrivals],
        accounts=[orjson.dumps(account.as_data()) for account in accounts],
        accepted=[one.accepted for one in arrivals],
        joined=joined,
    )


async def newest_revisions(tx: Transaction, cases: Collection[str]) -> dict[str, int]:
    """The newest revision applied, per case that is known."""
    rows = await tx.rows(
        'SELECT "case", revision FROM incidents WHERE "case" = ANY(CAST(:cases AS text[]))', cases=sorted(cases)
    )
    return {row["case"]: row["revision"] for row in rows}


async def save_standing(tx: Transaction, standing: Iterable[Standing]) -> None:
    """Write family, digest and whether it is pending, of cases whose revision stays."""
    rows = sorted(standing, key=lambda one: one.case.id)
    if rows:
        await tx.execute(
            """
            UPDATE incidents AS i SET family = t.family, digest = t.digest, pending = t.pending
            FROM unnest(
                CAST(:cases AS text[]), CAST(:families AS bigint[]), CAST(:digests AS bytea[]),
                CAST(:pending AS boolean[])
            ) AS t("case", family, digest, pending)
            WHERE i."case" = t."case"
            """,
            cases=[one.case.id for one in rows],
            families=[one.case.family for one in rows],
            digests=[one.digest for one in rows],
            pending=[one.pending for one in rows],
        )


async def save_record_families(tx: Transaction, records: Sequence[domain.Record]) -> None:
    """Write the family of each record."""
    if records:
        await tx.execute(
            """
            UPDATE records AS r SET family = t.family
            FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:families AS bigint[]))
                AS t(source, id, family)
            WHERE r.source = t.source AND r.id = t.id
            """,
            sources=[record.source for record in records],
            ids=[record.person.id for record in records],
            families=[record.family for record in records],
        )


async def accepted_events(tx: Transaction, cases: Sequence[str]) -> dict[str, bytes]:
    """The event that brought each case's newest revision, as intake sent it."""
    rows = await tx.rows(
        'SELECT "case", accepted FROM incidents WHERE "case" = ANY(CAST(:cases AS text[]))', cases=list(cases)
    )
    return {row["case"]: row["accepted"] for row in rows}


_WITH_FAMILY: Final = (
    'SELECT i."case", i.family FROM written JOIN incidents i USING ("case") WHERE i.family IS NOT NULL'
)


_LEARN_DECISIONS: Final = """
    WITH written AS (
        INSERT INTO decisions AS d ("case", child_level, notified_css, marac_on, about)
        SELECT * FROM unnest(
            CAST(:cases AS text[]), CAST(:levels AS int[]), CAST(:notified AS boolean[]),
            CAST(:marac AS date[]), CAST(:about AS bytea[])
        )
        ON CONFLICT ("case") DO UPDATE SET child_level = excluded.child_level,
            notified_css = excluded.notified_css, about = excluded.about,
            marac_on = CASE WHEN excluded.marac_on IS NOT NULL
                THEN LEAST(d.marac_on, excluded.marac_on) END
        WHERE (d.child_level, d.notified_css, d.about, d.marac_on) IS DISTINCT FROM (
            excluded.child_level, excluded.notified_css, excluded.about,
            CASE WHEN excluded.marac_on IS NOT NULL THEN LEAST(d.marac_on, excluded.marac_on) END
        )
        RETURNING d."case"
    )
"""
_LEARN_ANSWERS: Final = """
    WITH written AS (
        INSERT INTO answers AS a ("case", taken, heard)
        SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:taken AS jsonb[]), CAST(:heard AS date[]))
        ON CONFLICT ("case") DO UPDATE SET taken = excluded.taken, heard = excluded.heard
        WHERE (a.taken, a.heard) IS DISTINCT FROM (excluded.taken, excluded.heard)
        RETURNING a."case"
    )
"""


async def learn_decisions(tx: Transaction, decided: Mapping[str, domain.Decided]) -> dict[str, int]:
    """Keep what was decided. Per case whose facts changed, its family.

    A case that stays referred to MARAC was referred on the first day, however often it is decided again.
    """
    cases = sorted(decided)
    rows = await tx.rows(
        _LEARN_DECISIONS + _WITH_FAMILY,
        cases=cases,
        levels=[decided[case].child_level for case in cases],
        notified=[decided[case].notified_css for case in cases],
        marac=[decided[case].marac_on for case in cases],
        about=[orjson.dumps(decided[case].about) for case in cases],
    )
    return {row["case"]: row["family"] for row in rows}


async def heard_before(tx: Transaction, cases: Collection[str]) -> set[str]:
    """Those of the cases of which a hearing is on file."""
    rows = await tx.rows(
        'SELECT "case" FROM answers WHERE heard IS NOT NULL AND "case" = ANY(CAST(:cases AS text[]))',
        cases=sorted(cases),
    )
    return {row["case"] for row in rows}


async def learn_answers(
    tx: Transaction, told: Mapping[str, tuple[Sequence[domain.Taken], date | None]]
) -> dict[str, int]:
    """Keep what children's services answered and when a MARAC heard it. Per case with news, its
    family."""
    cases = sorted(told)
    rows = await tx.rows(
        _LEARN_ANSWERS + _WITH_FAMILY,
        cases=cases,
        taken=[
            orjson.dumps([(one.pathway, one.at.isoformat()) for one in told[case][0]]).decode()
            for case in cases
        ],
        heard=[told[case][1] for case in cases],
    )
    return {row["case"]: row["family"] for row in rows}


async def told_of(tx: Transaction, cases: Collection[str]) -> set[str]:
    """Those of the cases that others are told of: with later incidents in their family, or in a family that is
    likely to be of the same people as another."""
    rows = await tx.rows(
        """
        SELECT i."case" FROM incidents i
        WHERE i."case" = ANY(CAST(:cases AS text[])) AND (EXISTS (
            SELECT 1 FROM incidents l
            WHERE l.family = i.family AND (l.accepted_at, l."case") > (i.accepted_at, i."case")
        ) OR EXISTS (
            SELECT 1 FROM (
                SELECT f."case" AS holder FROM incidents f WHERE f.family = i.family
                UNION ALL SELECT '#' || r.source || E'\\n' || r.id FROM records r WHERE r.family = i.family
            ) AS h JOIN people p ON p.holder = h.holder, LATERAL (
                SELECT 1 FROM links l WHERE l.one = p.id AND l.open
                UNION ALL SELECT 1 FROM links l WHERE l.other = p.id AND l.open
            ) AS doubt
        ))
        """,
        cases=sorted(cases),
    )
    return {row["case"] for row in rows}
