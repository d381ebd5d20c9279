"""`seq` marks: the last event applied per case and sender. Repeats and stragglers fall away here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.db import Transaction
from shared.errors import Retryable

if TYPE_CHECKING:
    from shared.stage import Event


async def load(tx: Transaction, events: Sequence[Event[Any]]) -> dict[tuple[str, str], int]:
    """The marks of the events' cases and senders, locked until the transaction ends."""
    pairs = sorted({(event.case, event.envelope.from_) for event in events})
    if not pairs:
        return {}
    rows = await tx.rows(
        """
        SELECT "case", sender, seq FROM marks
        WHERE ("case", sender) IN (SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:senders AS text[])))
        ORDER BY "case", sender
        FOR UPDATE
        """,
        cases=[pair[0] for pair in pairs],
        senders=[pair[1] for pair in pairs],
    )
    return {(row["case"], row["sender"]): row["seq"] for row in rows}


def newer(events: Sequence[Event[Any]], seen: Mapping[tuple[str, str], int]) -> list[Event[Any]]:
    """The events above their mark, and above those before them in the same batch: a relay may send an
    older one after a newer one, or the same twice. Events that are no whole states all count."""
    highest = dict(seen)
    found = []
    for event in events:
        if event.topic.whole_state:
            pair = (event.case, event.envelope.from_)
            if event.envelope.seq <= highest.get(pair, 0):
                continue
            highest[pair] = event.envelope.seq
        found.append(event)
    return found


async def save(tx: Transaction, applied: Sequence[Event[Any]], seen: Mapping[tuple[str, str], int]) -> None:
    """Move the marks past what was applied.

    A case that had no mark could not be locked: if another copy of the service made one meanwhile,
    nothing here may stand, and Retryable is raised so that the batch is looked at afresh.
    """
    highest: dict[tuple[str, str], int] = {}
    for event in applied:
        pair = (event.case, event.envelope.from_)
        highest[pair] = max(highest.get(pair, 0), event.envelope.seq)
    if not highest:
        return
    known = sorted(pair for pair in highest if pair in seen)
    new = sorted(pair for pair in highest if pair not in seen)
    if known:
        await tx.execute(
            """
            UPDATE marks AS m SET seq = t.seq
            FROM unnest(CAST(:cases AS text[]), CAST(:senders AS text[]), CAST(:seqs AS bigint[]))
                AS t("case", sender, seq)
            WHERE m."case" = t."case" AND m.sender = t.sender
            """,
            **_columns(known, highest),
        )
    if new:
        saved = await tx.execute(
            """
            INSERT INTO marks ("case", sender, seq)
            SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:senders AS text[]), CAST(:seqs AS bigint[]))
            ON CONFLICT ("case", sender) DO NOTHING
            """,
            **_columns(new, highest),
        )
        if saved != len(new):
            raise Retryable("another copy of the service applied the same case at the same moment")


def _columns(pairs: Sequence[tuple[str, str]], seqs: Mapping[tuple[str, str], int]) -> dict[str, list[Any]]:
    return {
        "cases": [case for case, _ in pairs],
        "senders": [sender for _, sender in pairs],
        "seqs": [seqs[pair] for pair in pairs],
    }
