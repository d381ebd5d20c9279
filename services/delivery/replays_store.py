"""The SQL of sending once more."""

from __future__ import annotations

from services.delivery.domain.replaying import Asked
from shared.db import Transaction


async def cases_with(tx: Transaction, asked: Asked, *, after: str, limit: int) -> list[str]:
    """The next cases that have such deliveries, in order."""
    rows = await tx.rows(
        """
        SELECT DISTINCT "case" FROM deliveries
        WHERE "case" > :after
          AND (CAST(:recipient AS text) IS NULL OR recipient = :recipient)
          AND (CAST(:only AS text) IS NULL OR "case" = :only)
          AND (CAST(:since AS timestamptz) IS NULL OR began >= :since)
          AND (CAST(:until AS timestamptz) IS NULL OR began < :until)
        ORDER BY "case" LIMIT :limit
        """,
        after=after,
        recipient=asked.recipient,
        only=asked.case,
        since=asked.since,
        until=asked.until,
        limit=limit,
    )
    return [row["case"] for row in rows]


async def change_content(tx: Transaction, delivery: str, payload: bytes) -> None:
    """What a delivery carries from now on."""
    await tx.execute(
        "UPDATE contents SET payload = :payload WHERE delivery = :id", payload=payload, id=delivery
    )
