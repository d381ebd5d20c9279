"""Feeds that readers follow with a cursor: the recipients' inbox, the police's outcomes.

Entries are numbered under a row lock per reader, so that whoever has read up to a number has missed
none below it, whichever transaction committed first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.db import Row, Transaction


async def append(tx: Transaction, entries: Mapping[str, Sequence[tuple[str, bytes]]]) -> dict[str, int]:
    """Add entries, per reader (a recipient, a force) a list of (case, JSON bytes), in order; the number of
    each reader's last."""
    readers = sorted(reader for reader, items in entries.items() if items)
    if not readers:
        return {}
    counts = [len(entries[reader]) for reader in readers]
    ends = await tx.rows(
        """
        INSERT INTO cursors AS c (reader, last)
        SELECT reader, n FROM unnest(CAST(:readers AS text[]), CAST(:counts AS bigint[])) AS t(reader, n)
        ORDER BY reader
        ON CONFLICT (reader) DO UPDATE SET last = c.last + excluded.last
        RETURNING reader, last
        """,
        readers=readers,
        counts=counts,
    )
    last = {row["reader"]: row["last"] for row in ends}
    flat = [
        (reader, last[reader] - len(entries[reader]) + 1 + i, case, payload)
        for reader in readers
        for i, (case, payload) in enumerate(entries[reader])
    ]
    await tx.execute(
        """
        INSERT INTO feed (reader, no, "case", payload)
        SELECT * FROM unnest(
            CAST(:readers AS text[]), CAST(:nos AS bigint[]), CAST(:cases AS text[]), CAST(:payloads AS bytea[])
        )
        """,
        readers=[entry[0] for entry in flat],
        nos=[entry[1] for entry in flat],
        cases=[entry[2] for entry in flat],
        payloads=[entry[3] for entry in flat],
    )
    return last


async def read(tx: Transaction, reader: str, *, after: int, limit: int = 100) -> list[Row]:
    """Entries of `reader` numbered above `after`, in order: `no`, `case`, `payload`, `at`."""
    return await tx.rows(
        'SELECT no, "case", payload, at FROM feed WHERE reader = :reader AND no > :after ORDER BY no LIMIT :n',
        reader=reader,
        after=after,
        n=limit,
    )


async def entry(tx: Transaction, reader: str, no: int) -> Row | None:
    """One entry of `reader`; None where there is none of that number (any more)."""
    return await tx.row(
        'SELECT no, "case", payload, at FROM feed WHERE reader = :reader AND no = :no', reader=reader, no=no
    )


async def readers(tx: Transaction, kind: str) -> list[str]:
    """The readers whose names begin with `kind`."""
    rows = await tx.rows("SELECT reader FROM cursors WHERE starts_with(reader, :kind)", kind=kind)
    return [row["reader"] for row in rows]


async def forget(tx: Transaction, reader: str, *, up_to: int, days: int) -> None:
    """Drop entries of `reader` numbered up to `up_to`, and those older than `days`. For feeds of things
    that are kept for a while only: an inbox or an outcome is never dropped."""
    await tx.execute(
        """
        DELETE FROM feed
        WHERE reader = :reader AND (no <= :up_to OR at < now() - make_interval(days => :days))
        """,
        reader=reader,
        up_to=up_to,
        days=days,
    )
