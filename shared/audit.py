"""The append-only audit table that each service has: who did what to which case, and when.

The database itself refuses to change or delete its rows (a trigger of the plumbing migration).
"""

from __future__ import annotations

from typing import Any

import orjson

from shared.db import Row, Transaction


async def record(tx: Transaction, *, who: str, act: str, case: str | None = None, **details: Any) -> None:
    """Add one line. `details` are ids and words of closed lists, never a person's details."""
    await tx.execute(
        'INSERT INTO audit (who, act, "case", details) VALUES (:who, :act, :case, CAST(:details AS jsonb))',
        who=who,
        act=act,
        case=case,
        details=orjson.dumps(details).decode(),
    )


async def of_case(tx: Transaction, case: str) -> list[Row]:
    """The lines of one case in order."""
    return await tx.rows('SELECT at, who, act, details FROM audit WHERE "case" = :case ORDER BY id', case=case)
