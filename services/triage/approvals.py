"""Publishing a board's own protocol takes two persons of two agencies; what shadows differed by, counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared import audit
from shared.db import Database, Transaction
from shared.errors import Refused
from shared.keys import Caller

DIFFERENCES: Final = ("same", "services", "higher", "lower")
"""How a shadow's decision may differ (`services/triage/live.py: difference`)."""


async def published(tx: Transaction) -> frozenset[tuple[str, str]]:
    """`id/version` and digest of every version that two persons of two agencies approved."""
    rows = await tx.rows(
        """
        SELECT protocol, digest FROM approvals GROUP BY protocol, digest
        HAVING count(DISTINCT who) >= 2 AND count(DISTINCT agency) >= 2
        """
    )
    return frozenset((row["protocol"], row["digest"]) for row in rows)


async def approve(database: Database, caller: Caller, protocol: str, digest: str) -> bool:
    """One person approves one version, by its digest; True where that publishes it.

    Saying it again does nothing. Raises Refused (403) where the key names no person or no agency.
    """
    if caller.person is None or caller.agency is None:
        raise Refused(
            403, "Nobody in particular", "Approving takes a person of an agency; your key names none."
        )
    async with database.transaction() as tx:
        added = await tx.row(
            """
            INSERT INTO approvals (protocol, digest, who, agency) VALUES (:protocol, :digest, :who, :agency)
            ON CONFLICT DO NOTHING RETURNING 1 AS one
            """,
            protocol=protocol,
            digest=digest,
            who=caller.person,
            agency=caller.agency,
        )
        if added is not None:
            await audit.record(tx, who=caller.person, act="approve_protocol", protocol=protocol, digest=digest)
        return (protocol, digest) in await published(tx)


async def approvals_of(tx: Transaction) -> list[dict[str, Any]]:
    """Every approval, oldest first."""
    rows = await tx.rows("SELECT protocol, digest, who, agency, at FROM approvals ORDER BY at")
    return [{**row, "at": row["at"].isoformat()} for row in rows]


async def count(tx: Transaction, counts: Mapping[tuple[str, str, str, str], int]) -> None:
    """Add to what is counted of shadows."""
    for (area, live, shadow, how), number in sorted(counts.items()):
        await tx.execute(
            """
            INSERT INTO shadow_counts (area, live, shadow, difference, cases)
            VALUES (:area, :live, :shadow, :how, :number)
            ON CONFLICT (area, live, shadow, difference)
                DO UPDATE SET cases = shadow_counts.cases + excluded.cases
            """,
            area=area,
            live=live,
            shadow=shadow,
            how=how,
            number=number,
        )


async def counted(tx: Transaction) -> list[dict[str, Any]]:
    """What shadows differed by, per area."""
    rows = await tx.rows(
        """
        SELECT area, live, shadow, difference, cases FROM shadow_counts
        ORDER BY area, live, shadow, difference
        """
    )
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["area"], row["live"], row["shadow"])
        one = found.setdefault(
            key,
            {
                "area": key[0],
                "live": key[1],
                "shadow": key[2],
                **dict.fromkeys(DIFFERENCES, 0),
            },
        )
        one[row["difference"]] = row["cases"]
    return list(found.values())
