"""The SQL of what waits for people: who is to be asked again, and what a person has to see to."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Row, Transaction


async def to_chase(tx: Transaction, limit: int) -> list[str]:
    """Cases with a delivery that is due to be chased, the earliest first."""
    rows = await tx.rows(
        """
        SELECT "case", min(chase_at) AS chase_at FROM (
            SELECT "case", chase_at FROM deliveries
            WHERE chase_at IS NOT NULL AND chase_at <= clock_timestamp() ORDER BY chase_at LIMIT :n
        ) AS late GROUP BY "case" ORDER BY chase_at
        """,
        n=limit,
    )
    return [row["case"] for row in rows]


async def left_to_people(tx: Transaction, areas: Sequence[str] | None, limit: int) -> list[Row]:
    """Deliveries that wait for a person (held, or never opened though asked for), the earliest due first;
    `areas` None: of all areas."""
    return await tx.rows(
        """
        SELECT id, "case", version, recipient, service, due, state, held_because, chases, received_at,
            released_by, route ->> 'area' AS area
        FROM deliveries
        WHERE (state = 'held' OR (chase_at IS NULL AND chases >= 2 AND state = 'received'))
          AND (CAST(:areas AS text[]) IS NULL OR route ->> 'area' = ANY(CAST(:areas AS text[])))
        ORDER BY due LIMIT :n
        """,
        areas=None if areas is None else list(areas),
        n=limit,
    )
