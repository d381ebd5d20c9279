"""The SQL of social care's records: what a council sends, and what of it is not yet joined to families."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from services.enrichment import domain
from services.enrichment.records import Import
from shared.db import Transaction

_SLICE: Final = 2000
_AS_STORED: Final[dict[str, Any]] = {
    "by_alias": True, "exclude_none": True, "exclude": {"child", "as_of", "link"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries were taken; older ones than what was stored are not among them."""

    people: int
    relationships: int
    involvement: int
    removed: int


async def newest_as_of(tx: Transaction, source: str) -> datetime | None:
    """The moment of the newest import of a source; None for a source that never sent any."""
    moment: datetime | None = await tx.value(
        "SELECT max(as_of) FROM records WHERE source = :source AND NOT removed", source=source
    )
    return moment


async def known_ids(tx: Transaction, source: str, ids: Collection[str]) -> set[str]:
    """Which of the ids the source's records have."""
    rows = await tx.rows(
        "SELECT id FROM records WHERE source = :source AND id = ANY(CAST(:ids AS text[])) AND NOT removed",
        source=source,
        ids=sorted(ids),
    )
    return {row["id"] for row in rows}


async def save(tx: Transaction, found: Import) -> Counts:
    """Write an import. What it changed is marked stale, for `join_records` to join to families."""
    removed = await _remove(tx, found)
    people = await _save_people(tx, found)
    related = await _save_relationships(tx, found)
    involved = await _save_involvement(tx, found)
    return Counts(people, related, involved, removed)


async def _save_people(tx: Transaction, found: Import) -> int:
    taken = 0
    for slice_ in _slices(sorted(found.people)):
        people = [domain.mention_recorded(found.people[number]) for number in slice_]
        taken += await tx.execute(
            """
            INSERT INTO records AS r (source, id, person, keys, as_of)
            SELECT :source, t.id, t.person,
                   ARRAY(SELECT jsonb_array_elements_text(t.keys)), :as_of
            FROM unnest(CAST(:ids AS text[]), CAST(:people AS bytea[]), CAST(:keys AS jsonb[]))
                AS t(id, person, keys)
            ON CONFLICT (source, id) DO UPDATE SET person = excluded.person, keys = excluded.keys,
                as_of = excluded.as_of, removed = false,
                stale = r.stale OR r.removed OR r.person <> excluded.person
            WHERE r.as_of <= excluded.as_of
            """,
            source=found.source,
            as_of=found.as_of,
            ids=slice_,
            people=[orjson.dumps(person.as_data()) for person in people],
            keys=[orjson.dumps(person.keys).decode() for person in people],
        )
    return taken


def _slices(ids: list[str]) -> Iterator[list[str]]:
    """So many at a time that the event loop is never held for long."""
    for start in range(0, len(ids), _SLICE):
        yield ids[start : start + _SLICE]


async def _save_relationships(tx: Transaction, found: Import) -> int:
    """The last word on two people counts. In a whole import what is not there any more is forgotten."""
    told = {(one.from_, one.to): one.kind for _, one in found.relationships}
    pairs = sorted(told)
    arrays = {"froms": [one for one, _ in pairs], "tos": [other for _, other in pairs]}
    if found.whole:
        await tx.execute(
            """
            WITH gone AS (
                DELETE FROM relationships WHERE source = :source AND (from_id, to_id) NOT IN (
                    SELECT * FROM unnest(CAST(:froms AS text[]), CAST(:tos AS text[]))
                )
                RETURNING from_id, to_id
            )
            UPDATE records AS r SET stale = true WHERE r.source = :source AND NOT r.stale
                AND r.id IN (SELECT from_id FROM gone UNION SELECT to_id FROM gone)
            """,
            source=found.source,
            **arrays,
        )
    if pairs:
        await tx.execute(
            """
            WITH written AS (
                INSERT INTO relationships AS s (source, from_id, to_id, kind)
                SELECT :source, t.from_id, t.to_id, t.kind
                FROM unnest(CAST(:froms AS text[]), CAST(:tos AS text[]), CAST(:kinds AS text[]))
                    AS t(from_id, to_id, kind)
                ON CONFLICT (source, from_id, to_id) DO UPDATE SET kind = excluded.kind
                WHERE s.kind IS DISTINCT FROM excluded.kind
                RETURNING from_id, to_id
            )
            UPDATE records AS r SET stale = true WHERE r.source = :source AND NOT r.stale
                AND r.id IN (SELECT from_id FROM written UNION SELECT to_id FROM written)
            """,
            source=found.source,
            kinds=[told[pair] for pair in pairs],
            **arrays,
        )
    return len(pairs)


async def _save_involvement(tx: Transaction, found: Import) -> int:
    """The last word on a child counts. In a whole import a child of whom none is told has none any more."""
    told = {one.child: one for _, one in found.involvement if one.child is not None}
    if found.whole:
        await tx.execute(
            """
            UPDATE records SET involvement = NULL, involvement_as_of = NULL, stale = true
            WHERE source = :source AND involvement IS NOT NULL
                AND id NOT IN (SELECT unnest(CAST(:ids AS text[])))
            """,
            source=found.source,
            ids=sorted(told),
        )
    taken = 0
    for slice_ in _slices(sorted(told)):
        taken += await tx.execute(
            """
            UPDATE records AS r SET stale = r.stale OR r.involvement IS DISTINCT FROM t.involvement,
                involvement = t.involvement, involvement_as_of = :as_of
            FROM unnest(CAST(:ids AS text[]), CAST(:involvement AS bytea[])) AS t(id, involvement)
            WHERE r.source = :source AND r.id = t.id
                AND (r.involvement_as_of IS NULL OR r.involvement_as_of <= :as_of)
            """,
            source=found.source,
            as_of=found.as_of,
            ids=slice_,
            involvement=[told[number].model_dump_json(**_AS_STORED).encode() for number in slice_],
        )
    return taken


async def _remove(tx: Transaction, found: Import) -> int:
    """Mark as gone whom the source no longer has: those it names, or in a whole import all it leaves out.

    Who was related to them is stale too: they may have been what held a family together.
    """
    return await tx.execute(
        """
        WITH gone AS (
            UPDATE records SET removed = true, stale = true
            WHERE source = :source AND NOT removed AND as_of <= :as_of AND CASE WHEN :whole
                THEN id NOT IN (SELECT unnest(CAST(:kept AS text[])))
                ELSE id IN (SELECT unnest(CAST(:removed AS text[]))) END
            RETURNING id
        ), parted AS (
            DELETE FROM relationships AS s USING gone
            WHERE s.source = :source AND gone.id IN (s.from_id, s.to_id)
            RETURNING s.from_id, s.to_id
        ), left_behind AS (
            UPDATE records AS r SET stale = true
            WHERE r.source = :source AND r.id IN (SELECT from_id FROM parted UNION SELECT to_id FROM parted)
                AND r.id NOT IN (SELECT id FROM gone)
        )
        SELECT id FROM gone
        """,
        source=found.source,
        as_of=found.as_of,
        whole=found.whole,
        kept=sorted(found.people),
        removed=sorted(found.removed),
    )


@dataclass(frozen=True, slots=True)
class Stale:
    """Records to be joined to families: by source and id, and the families and cases they touch."""

    people: Sequence[tuple[str, str]]
    keys: Sequence[str]
    families: Sequence[int]
    cases: Sequence[str]


async def take_stale(tx: Transaction, limit: int) -> Stale | None:
    """Some of the stale records, with all that must be looked at to join them; None where there are none.

    They are stale no more; those removed are gone for good, so their family must be settled now.
    """
    people = await tx.rows(
        """
        WITH slice AS (SELECT source, id FROM records WHERE stale ORDER BY source, id LIMIT :limit),
        gone AS (
            DELETE FROM records AS r USING slice
            WHERE r.source = slice.source AND r.id = slice.id AND r.removed
            RETURNING r.source, r.id, r.family, r.keys, true AS removed
        ), kept AS (
            UPDATE records AS r SET stale = false FROM slice
            WHERE r.source = slice.source AND r.id = slice.id AND NOT r.removed
            RETURNING r.source, r.id, r.family, r.keys, false AS removed
        )
        SELECT * FROM gone UNION ALL SELECT * FROM kept
        """,
        limit=limit,
    )
    if not people:
        return None
    staying = [(row["source"], row["id"]) for row in people if not row["removed"]]
    keys = sorted({key for row in people if not row["removed"] for key in row["keys"]})
    others = await tx.rows(
        """
        WITH slice AS (
            SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t(source, id)
        ), related AS (
            SELECT s.source, s.to_id AS id FROM relationships s JOIN slice
                ON s.source = slice.source AND s.from_id = slice.id
            UNION SELECT s.source, s.from_id FROM relationships s JOIN slice
                ON s.source = slice.source AND s.to_id = slice.id
        )
        SELECT r.source, r.id, r.family, NULL AS "case" FROM related JOIN records r USING (source, id)
            WHERE NOT r.removed
        UNION SELECT r.source, r.id, r.family, NULL FROM records r
            WHERE r.keys && CAST(:keys AS text[]) AND NOT r.removed
        UNION SELECT NULL, NULL, i.family, i."case" FROM keys k JOIN incidents i USING ("case")
            WHERE k.key = ANY(CAST(:keys AS text[]))
        """,
        sources=[source for source, _ in staying],
        ids=[number for _, number in staying],
        keys=keys,
    )
    families = {row["family"] for row in (*people, *others) if row["family"] is not None}
    apart = [(row["source"], row["id"]) for row in others if row["source"] and row["family"] is None]
    alone = [row["case"] for row in others if row["case"] and row["family"] is None]
    return Stale(sorted({*staying, *apart}), keys, sorted(families), sorted(alone))
