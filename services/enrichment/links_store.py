"""The SQL of links: what ties mentions, what people ruled of them, and which a person should look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import orjson

from services.enrichment.domain import Ruling, Tie
from shared.db import Transaction


async def save_ties(tx: Transaction, ties: Iterable[Tie]) -> None:
    """Write ties of mentions that were filed just now."""
    rows = sorted(ties, key=lambda one: (one.one, one.other))
    if rows:
        await tx.execute(
            """
            INSERT INTO links (one, other, bits, decision, levels, rule)
            SELECT * FROM unnest(
                CAST(:ones AS text[]), CAST(:others AS text[]), CAST(:bits AS double precision[]),
                CAST(:decisions AS text[]), CAST(:levels AS jsonb[]), CAST(:rules AS text[])
            )
            ON CONFLICT (one, other) DO UPDATE SET bits = excluded.bits, decision = excluded.decision,
                levels = excluded.levels, rule = excluded.rule, since = excluded.since
            """,
            ones=[one.one for one in rows],
            others=[one.other for one in rows],
            bits=[one.bits for one in rows],
            decisions=[one.decision for one in rows],
            levels=[orjson.dumps(one.levels).decode() for one in rows],
            rules=[one.rule for one in rows],
        )


async def ties_of(tx: Transaction, mentions: Collection[str]) -> tuple[list[Tie], list[Ruling]]:
    """The ties that have one of the mentions at an end, without what the comparisons said, and the rulings
    that stand."""
    if not mentions:
        return [], []
    rows = await tx.rows(
        """
        WITH asked AS (SELECT unnest(CAST(:mentions AS text[])) COLLATE "C" AS mention)
        SELECT one, other, bits, decision, open, CAST(NULL AS bigint) AS ruling FROM links
            WHERE one IN (SELECT mention FROM asked)
        UNION SELECT one, other, bits, decision, open, NULL FROM links
            WHERE other IN (SELECT mention FROM asked)
        UNION SELECT one, other, NULL, ruling, false, id FROM rulings
            WHERE one IN (SELECT mention FROM asked) AND undone_at IS NULL
        UNION SELECT one, other, NULL, ruling, false, id FROM rulings
            WHERE other IN (SELECT mention FROM asked) AND undone_at IS NULL
        """,
        mentions=sorted(mentions),
    )
    ties = [
        Tie(row["one"], row["other"], row["bits"], row["decision"], open=row["open"])
        for row in rows
        if row["ruling"] is None
    ]
    rulings = [
        Ruling(row["ruling"], row["one"], row["other"], row["decision"] == "join")
        for row in rows
        if row["ruling"] is not None
    ]
    return ties, rulings


async def save_open(tx: Transaction, ties: Iterable[Tie], open_: Collection[tuple[str, str]]) -> None:
    """Write which of the ties a person should look at, where that has changed."""
    changed = [one for one in ties if one.open is not ((one.one, one.other) in open_)]
    if changed:
        await tx.execute(
            """
            UPDATE links SET open = NOT links.open
            FROM unnest(CAST(:ones AS text[]), CAST(:others AS text[])) AS t(one, other)
            WHERE links.one = t.one AND links.other = t.other
            """,
            ones=[one.one for one in changed],
            others=[one.other for one in changed],
        )
