"""The SQL of social care's records: what a council sends, and what of it is not yet joined to families."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from services.enrichment import domain, people_store
from services.enrichment.records import Import, is_id
from shared.db import Transaction

_SLICE: Final = 2000
_AS_STORED: Final[dict[str, Any]] = {
    "by_alias": True, "exclude_none": True, "exclude": {"child", "as_of", "source_as_of", "stale", "link"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries were taken; older ones than what was stored are not among them."""

    people: int
    relationships: int
    involvement: int
    removed: int


async def known_ids(
    tx: Transaction, source: str, ids: Collection[str], *, number: int | None = None
) -> set[str]:
    """Which of the ids the source's records have; with the `number` of an import, those that it named."""
    rows = await tx.rows(
        """
        SELECT id FROM records WHERE source = :source AND id = ANY(CAST(:ids AS text[])) AND NOT removed
            AND (CAST(:number AS bigint) IS NULL OR import = :number)
        """,
        source=source,
        ids=sorted(ids),
        number=number,
    )
    return {row["id"] for row in rows}


async def relationships_back(tx: Transaction, found: Import) -> list[tuple[str, str, str | None]]:
    """From, to and kind of what the source told before of the same pairs the other way round."""
    pairs = sorted(
        {(one.to, one.from_) for _, one in found.relationships if is_id(one.to) and is_id(one.from_)}
    )
    if not pairs:
        return []
    rows = await tx.rows(
        """
        SELECT s.from_id, s.to_id, s.kind FROM relationships s
        JOIN unnest(CAST(:froms AS text[]), CAST(:tos AS text[])) AS t(from_id, to_id) USING (from_id, to_id)
        WHERE s.source = :source
        """,
        source=found.source,
        froms=[one for one, _ in pairs],
        tos=[other for _, other in pairs],
    )
    # What this import says anew of the pair counts, and not what was said of it before.
    anew = {(one.from_, one.to) for _, one in found.relationships}
    told = [(row["from_id"], row["to_id"], row["kind"]) for row in rows]
    return [one for one in told if one[:2] not in anew]


async def save(tx: Transaction, found: Import, number: int | None) -> Counts:
    """Write an import, or a slice of the whole import `number`. What it changed is marked stale, for
    `join_records` to join to families."""
    removed = await _remove(tx, found)
    people = await _save_people(tx, found, number)
    related = await _save_relationships(tx, found, number)
    involved = await _save_involvement(tx, found, number)
    if number is None:
        await reach(tx, found.source, found.as_of)
    else:
        await _keep(tx, found, number)
    return Counts(people, related, involved, removed)


async def reach(tx: Transaction, source: str, as_of: datetime) -> None:
    """The source has told all it knows up to `as_of`."""
    await tx.execute(
        """
        INSERT INTO sources AS s (source, as_of) VALUES (:source, :as_of)
        ON CONFLICT (source) DO UPDATE SET as_of = GREATEST(s.as_of, excluded.as_of)
        """,
        source=source,
        as_of=as_of,
    )


async def _save_people(tx: Transaction, found: Import, number: int | None) -> int:
    taken = 0
    before = await _stored(tx, found.source, sorted(found.unsaid))
    for slice_ in _slices(sorted(found.people)):
        people = [_mention(found, one, before) for one in slice_]
        taken += await tx.execute(
            """
            INSERT INTO records AS r (source, id, person, as_of, import, added_by)
            SELECT :source, t.id, t.person, :as_of, CAST(:number AS bigint), CAST(:number AS bigint)
            FROM unnest(CAST(:ids AS text[]), CAST(:people AS bytea[])) AS t(id, person)
            ON CONFLICT (source, id) DO UPDATE SET person = excluded.person,
                as_of = excluded.as_of, removed = false, import = COALESCE(excluded.import, r.import),
                added_by = CASE WHEN r.removed THEN excluded.added_by ELSE r.added_by END,
                stale = r.stale OR r.removed OR r.person <> excluded.person
            WHERE r.as_of <= excluded.as_of
            """,
            source=found.source,
            as_of=found.as_of,
            number=number,
            ids=slice_,
            people=[orjson.dumps(person.as_data()) for person in people],
        )
    return taken


async def _stored(tx: Transaction, source: str, ids: Collection[str]) -> dict[str, domain.Mention]:
    if not ids:
        return {}
    rows = await tx.rows(
        "SELECT id, person FROM records"
        " WHERE source = :source AND id = ANY(CAST(:ids AS text[])) AND NOT removed",
        source=source,
        ids=list(ids),
    )
    return {row["id"]: domain.mention_from(orjson.loads(row["person"])) for row in rows}


def _mention(found: Import, id: str, before: Mapping[str, domain.Mention]) -> domain.Mention:
    """A person as told, with what was known before in place of what could not be read."""
    person, unsaid = found.people[id], found.unsaid.get(id, frozenset())
    known = before.get(id)
    if known is None or not unsaid:
        return domain.mention_recorded(person)
    as_known: dict[str, Any] = {
        name: getattr(known, name) for name in ("born", "area", "school") if name in unsaid
    }
    if "role" in unsaid:
        as_known["role"] = "child" if known.child else None
    return domain.mention_recorded(person.model_copy(update=as_known)).with_known(known, unsaid)


def _slices(ids: list[str]) -> Iterator[list[str]]:
    """So many at a time that the event loop is never held for long."""
    for start in range(0, len(ids), _SLICE):
        yield ids[start : start + _SLICE]


async def _save_relationships(tx: Transaction, found: Import, number: int | None) -> int:
    """The last word on two people counts."""
    told = {(one.from_, one.to): one.kind for _, one in found.relationships}
    pairs = sorted(told)
    if pairs:
        await tx.execute(
            """
            WITH told AS (
                SELECT * FROM unnest(CAST(:froms AS text[]), CAST(:tos AS text[]), CAST(:kinds AS text[]))
                    AS t(from_id, to_id, kind)
            ), changed AS (
                SELECT t.from_id, t.to_id FROM told t LEFT JOIN relationships s
                    ON s.source = :source AND s.from_id = t.from_id AND s.to_id = t.to_id
                WHERE s.source IS NULL OR (s.kind IS DISTINCT FROM t.kind AND s.as_of <= :as_of)
            ), written AS (
                INSERT INTO relationships AS s (source, from_id, to_id, kind, as_of, import)
                SELECT :source, t.from_id, t.to_id, t.kind, :as_of, CAST(:number AS bigint) FROM told t
                ON CONFLICT (source, from_id, to_id) DO UPDATE SET kind = excluded.kind,
                    as_of = excluded.as_of, import = COALESCE(excluded.import, s.import)
                WHERE s.as_of <= excluded.as_of
            )
            UPDATE records AS r SET stale = true WHERE r.source = :source AND NOT r.stale
                AND r.id IN (SELECT from_id FROM changed UNION SELECT to_id FROM changed)
            """,
            source=found.source,
            as_of=found.as_of,
            number=number,
            froms=[one for one, _ in pairs],
            tos=[other for _, other in pairs],
            kinds=[told[pair] for pair in pairs],
        )
    return len(pairs)


async def _save_involvement(tx: Transaction, found: Import, number: int | None) -> int:
    """The last word on a child counts."""
    told = {one.child: one for _, one in found.involvement if one.child is not None}
    taken = 0
    for slice_ in _slices(sorted(told)):
        taken += await tx.execute(
            """
            UPDATE records AS r SET stale = r.stale OR r.involvement IS DISTINCT FROM t.involvement,
                involvement = t.involvement, involvement_as_of = :as_of,
                involvement_import = COALESCE(CAST(:number AS bigint), r.involvement_import)
            FROM unnest(CAST(:ids AS text[]), CAST(:involvement AS bytea[])) AS t(id, involvement)
            WHERE r.source = :source AND r.id = t.id
                AND (r.involvement_as_of IS NULL OR r.involvement_as_of <= :as_of)
            """,
            source=found.source,
            as_of=found.as_of,
            number=number,
            ids=slice_,
            involvement=[told[child].model_dump_json(**_AS_STORED).encode() for child in slice_],
        )
    return taken


async def _keep(tx: Transaction, found: Import, number: int) -> None:
    """Whom an entry was about that could not be read stays as known before."""
    for ids, column in ((found.kept, "import"), (found.kept_children, "involvement_import")):
        if ids:
            await tx.execute(
                f"UPDATE records SET {column} = :number"  # noqa: S608 (one of two names, both here)
                " WHERE source = :source AND id = ANY(CAST(:ids AS text[])) AND NOT removed",
                source=found.source,
                number=number,
                ids=sorted(ids),
            )
    if found.kept_pairs:
        pairs = sorted(found.kept_pairs)
        await tx.execute(
            """
            UPDATE relationships AS s SET import = :number
            FROM unnest(CAST(:froms AS text[]), CAST(:tos AS text[])) AS t(from_id, to_id)
            WHERE s.source = :source AND s.from_id = t.from_id AND s.to_id = t.to_id
            """,
            source=found.source,
            number=number,
            froms=[one for one, _ in pairs],
            tos=[other for _, other in pairs],
        )


_FORGET: Final = """
    WITH gone AS (
        UPDATE records SET removed = true, stale = true
        WHERE source = :source AND NOT removed AND as_of <= :as_of AND {whom}
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
"""
"""Mark as gone whom the source no longer has. Who was related to them is stale too: they may have been what
held a family together."""

_THOSE_NAMED: Final = _FORGET.format(whom="id = ANY(CAST(:removed AS text[]))")
_THOSE_LEFT_OUT: Final = _FORGET.format(whom="import IS DISTINCT FROM :number")


async def _remove(tx: Transaction, found: Import) -> int:
    if not found.removed or found.whole:
        return 0  # a whole import tells who is gone by leaving them out
    return await tx.execute(
        _THOSE_NAMED, source=found.source, as_of=found.as_of, removed=sorted(set(found.removed))
    )


async def forget_the_rest(tx: Transaction, found: Import, number: int) -> int:
    """Forget what the source told before the whole import `number` and not in it. Returns how many people."""
    source, as_of = found.source, found.as_of
    gone = await tx.execute(_THOSE_LEFT_OUT, source=source, as_of=as_of, number=number)
    await tx.execute(
        """
        WITH gone AS (
            DELETE FROM relationships
            WHERE source = :source AND as_of <= :as_of AND import IS DISTINCT FROM :number
            RETURNING from_id, to_id
        )
        UPDATE records AS r SET stale = true WHERE r.source = :source AND NOT r.stale
            AND r.id IN (SELECT from_id FROM gone UNION SELECT to_id FROM gone)
        """,
        source=source,
        as_of=as_of,
        number=number,
    )
    await tx.execute(
        """
        UPDATE records
        SET involvement = NULL, involvement_as_of = NULL, involvement_import = NULL, stale = true
        WHERE source = :source AND involvement IS NOT NULL AND involvement_as_of <= :as_of
            AND involvement_import IS DISTINCT FROM :number
        """,
        source=source,
        as_of=as_of,
        number=number,
    )
    return gone


@dataclass(frozen=True, slots=True)
class Stale:
    """Records to be joined to families, with the holders they are or were related to and the families that
    all of them were in. `anew`: those of whom something else is said than is on file; `gone`: the holders of
    whom nothing on file holds any more."""

    people: Sequence[domain.Record]
    anew: Sequence[domain.Record]
    gone: Collection[str]
    related: Collection[str]
    families: Collection[int]


async def take_stale(tx: Transaction, limit: int) -> Stale | None:
    """Some of the stale records, with all that must be looked at to join them; None where there are none.

    They are stale no more; those removed are gone for good, so their family must be settled now.
    """
    rows = await tx.rows(
        """
        WITH slice AS (SELECT source, id FROM records WHERE stale ORDER BY source, id LIMIT :limit),
        gone AS (
            DELETE FROM records AS r USING slice
            WHERE r.source = slice.source AND r.id = slice.id AND r.removed
            RETURNING r.source, r.id, r.family, r.person, true AS removed
        ), kept AS (
            UPDATE records AS r SET stale = false FROM slice
            WHERE r.source = slice.source AND r.id = slice.id AND NOT r.removed
            RETURNING r.source, r.id, r.family, r.person, false AS removed
        )
        SELECT * FROM gone UNION ALL SELECT * FROM kept
        """,
        limit=limit,
    )
    if not rows:
        return None
    people = [
        domain.Record(row["source"], domain.mention_from(orjson.loads(row["person"])))
        for row in rows
        if not row["removed"]
    ]
    gone = {domain.holder_recorded(row["source"], row["id"]) for row in rows if row["removed"]}
    filed = await people_store.filed(tx, [record.holder for record in people])
    anew = [record for record in people if filed.get(record.holder) != record.person.said.encode()]
    related = await tx.rows(
        """
        WITH slice AS (
            SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t(source, id)
        )
        SELECT s.source, s.to_id AS id FROM relationships s JOIN slice
            ON s.source = slice.source AND s.from_id = slice.id
        UNION SELECT s.source, s.from_id FROM relationships s JOIN slice
            ON s.source = slice.source AND s.to_id = slice.id
        """,
        sources=[record.source for record in people],
        ids=[record.person.id for record in people],
    )
    return Stale(
        people,
        anew,
        gone | {record.holder for record in anew if record.holder in filed},
        {domain.holder_recorded(row["source"], row["id"]) for row in related},
        {row["family"] for row in rows if row["family"] is not None},
    )
