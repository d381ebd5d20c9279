"""What a board's month is counted from, and the last conservation check: the SQL."""

from __future__ import annotations

from datetime import datetime

from services.console.domain.month import Cell
from shared.db import Row, Transaction


async def cells(tx: Transaction, since: datetime) -> list[Cell]:
    """Cases accepted from `since` on, counted by month (of the clock on the wall), area, response, outcome and
    what was known of the family."""
    rows = await tx.rows(
        """
        SELECT date_trunc('month', accepted_at AT TIME ZONE 'Europe/London') AS month, area,
            css_response AS response, outcome, repeat, traced,
            count(*) AS cases, sum(met) AS met, sum(late) AS late
        FROM cases WHERE accepted_at >= :since AND NOT test
        GROUP BY 1, 2, 3, 4, 5, 6
        """,
        since=since,
    )
    return [Cell(**{**row, "month": f"{row['month']:%Y-%m}"}) for row in rows]


async def conservation(tx: Transaction) -> Row | None:
    """The last conservation check: `at`, and what it `found`; None where none was made."""
    return await tx.row("SELECT at, found FROM conservation")
