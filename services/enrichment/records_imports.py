"""A whole import over many calls: begun with its first, replaces the register with its last.

What a slice tells counts at once; who is in no slice is forgotten at the end only, and only where every
slice came and nothing speaks against it. So nobody ever sees half a register as the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from services.enrichment import records_store
from services.enrichment.records import Import
from shared.contracts.base import write_moment
from shared.db import Transaction
from shared.errors import Refused

_A_HANDFUL: Final = 10
"""So few may always leave: in a small register one family that moves away is a large share."""

_NAMED_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Leave:
    """What the sender asked for by name: to forget everybody (`empty`), or many (`fewer`)."""

    empty: bool = False
    fewer: bool = False


async def go_on(tx: Transaction, found: Import) -> tuple[int, bool]:
    """The number of the whole import that this is, or is a part of, begun if need be; and whether it is
    finished already. Raises Refused (409) where what is known is newer, or another import began since."""
    part = found.part
    id_ = uuid4().hex if part is None else part.id
    begun = await tx.row(
        """
        SELECT number, as_of, finished_at,
            number = (SELECT max(number) FROM imports WHERE source = :source) AS newest
        FROM imports WHERE source = :source AND id = :id
        """,
        source=found.source,
        id=id_,
    )
    if begun is None:
        await _must_not_be_older(tx, found)
        number = await tx.value(
            "INSERT INTO imports (source, id, as_of) VALUES (:source, :id, :as_of) RETURNING number",
            source=found.source,
            id=id_,
            as_of=found.as_of,
        )
        return int(number), False
    finished = begun["finished_at"] is not None
    if finished and not found.finishes:
        raise Refused(409, "Finished already", "This import has replaced the register: begin another.")
    if not begun["newest"]:
        raise Refused(409, "Given up", "Another import of this source began since: begin anew.")
    if begun["as_of"] != found.as_of:
        raise Refused(
            409, "Another moment", f"This import began as of {write_moment(begun['as_of'])}.", at="/as_of"
        )
    if not finished:
        await _must_not_be_older(tx, found)
    return int(begun["number"]), finished


async def _must_not_be_older(tx: Transaction, found: Import) -> None:
    newest = await tx.value("SELECT as_of FROM sources WHERE source = :source", source=found.source)
    if newest is not None and newest > found.as_of:
        raise Refused(
            409, "Older than what is known", f"This source was imported as of {write_moment(newest)}."
        )


async def note_slice(tx: Transaction, found: Import, number: int) -> None:
    """Remember that a slice came, and how many of its entries nobody can tell the person of."""
    slice_ = 0 if found.part is None or found.part.slice is None else found.part.slice
    if slice_ or found.unread:
        await tx.execute(
            """
            INSERT INTO import_slices (import, slice, unread) VALUES (:number, :slice, :unread)
            ON CONFLICT (import, slice) DO UPDATE SET unread = excluded.unread
            """,
            number=number,
            slice=slice_,
            unread=found.unread,
        )


async def finish(tx: Transaction, found: Import, number: int, leave: Leave, at_most: float) -> int:
    """Forget whoever the import did not name; how many people. `at_most`: the share of those there before
    that may leave unasked. Raises Refused (409, 422, with the numbers) where it must not."""
    await _must_be_whole(tx, found, number, leave)
    counted = await tx.row(
        """
        SELECT count(*) FILTER (WHERE NOT goes) AS staying,
            count(*) FILTER (WHERE added_by IS DISTINCT FROM :number) AS before,
            count(*) FILTER (WHERE goes) AS leaving
        FROM (
            SELECT added_by, import IS DISTINCT FROM :number AND as_of <= :as_of AS goes
            FROM records WHERE source = :source AND NOT removed
        ) AS r
        """,
        source=found.source,
        as_of=found.as_of,
        number=number,
    )
    assert counted is not None  # noqa: S101 (an aggregate has one row)
    staying, before, leaving = counted["staying"], counted["before"], counted["leaving"]
    if not staying and not leave.empty:
        raise Refused(
            422,
            "Nobody in it",
            f"It would forget everybody of this source ({before} people): to mean it, say ?empty=yes.",
            before=before,
            leaving=leaving,
        )
    if staying:
        must_not_lose(leaving, before, leave, at_most)
    gone = await records_store.forget_the_rest(tx, found, number)
    await records_store.reach(tx, found.source, found.as_of)
    await tx.execute("UPDATE imports SET finished_at = now() WHERE number = :number", number=number)
    return gone


def must_not_lose(leaving: int, before: int, leave: Leave, at_most: float) -> None:
    """Raises Refused (422) where more people would leave than `at_most` of those there before, unasked."""
    if leaving > max(_A_HANDFUL, at_most * before) and not leave.fewer:
        raise Refused(
            422,
            "So many would be forgotten",
            f"{leaving} of {before} people would be forgotten, more than {at_most:.0%}: to mean it, say"
            " ?fewer=yes.",
            before=before,
            leaving=leaving,
        )


async def count_people(tx: Transaction, source: str) -> int:
    """How many people the source's records have."""
    return int(
        await tx.value("SELECT count(*) FROM records WHERE source = :source AND NOT removed", source=source)
    )


async def _must_be_whole(tx: Transaction, found: Import, number: int, leave: Leave) -> None:
    slices = 0 if found.part is None or found.part.slices is None else found.part.slices
    missing = await tx.rows(
        """
        SELECT n FROM generate_series(1, :slices) AS n
        WHERE NOT EXISTS (SELECT 1 FROM import_slices s WHERE s.import = :number AND s.slice = n)
        ORDER BY n LIMIT :limit
        """,
        slices=slices,
        number=number,
        limit=_NAMED_AT_ONCE,
    )
    if missing:
        raise Refused(
            409,
            "Slices are missing",
            "Send them and finish again; nobody was forgotten.",
            missing=[row["n"] for row in missing],
        )
    unread = await tx.value(
        "SELECT coalesce(sum(unread), 0) FROM import_slices WHERE import = :number", number=number
    )
    if unread and not leave.fewer:
        raise Refused(
            422,
            "Not all of it could be read",
            f"Of {unread} entries nobody can tell whom they are about, so nobody was forgotten: put them right"
            " and send it again, or to mean it say ?fewer=yes.",
            unread=int(unread),
        )
