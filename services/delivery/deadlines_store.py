"""What the watch over deadlines asks of the tables. Like leasing, it takes delivery rows alone and skips
what is locked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.delivery.domain.forecast import Pending
from services.delivery.domain.restricted import UNRELEASED
from shared.db import Row, Transaction

_READ_AT_MOST = 2000


async def without_company(tx: Transaction, recipients: Iterable[str], limit: int) -> list[Row]:
    """Live deliveries that wait for these recipients' webhooks, are half-way to their deadline or an hour
    old, and do not lie in the inbox yet: id and case."""
    return await tx.rows(
        """
        SELECT x.id, x."case"
        FROM unnest(CAST(:recipients AS text[])) AS r(recipient)
        CROSS JOIN LATERAL (
            SELECT d.id, d."case", d.due FROM deliveries d
            WHERE d.recipient = r.recipient AND d.state = 'waiting' AND NOT d.bulk AND d.inbox_no IS NULL
              AND d.began + least((d.due - d.began) / 2, interval '1 hour') <= clock_timestamp()
            ORDER BY d.due LIMIT :n
        ) AS x
        ORDER BY x.due LIMIT :n
        """,
        recipients=sorted(recipients),
        n=limit,
    )


async def pending(tx: Transaction) -> list[Pending]:
    """What has not been received and is not late yet, the earliest deadline first, 2,000 at most."""
    rows = await tx.rows(
        """
        SELECT id, "case", recipient, service, state, began, due, next_at, alarmed_at IS NOT NULL AS alarmed,
            (row_number() OVER (PARTITION BY recipient ORDER BY bulk, due))::int - 1 AS place
        FROM (
            SELECT * FROM deliveries
            WHERE breached_at IS NULL AND received_at IS NULL AND state IN ('waiting', 'offered', 'held')
              AND due > clock_timestamp()
            ORDER BY due LIMIT :n
        ) AS earliest
        ORDER BY due
        """,
        n=_READ_AT_MOST,
    )
    return [Pending(**row) for row in rows]


async def alarm(tx: Transaction, deliveries: Sequence[str], now: datetime) -> list[Row]:
    """Note that somebody is warned of these, each once: id, case, recipient and service of those that were
    not, and whether it waits for its release (`unreleased`)."""
    if not deliveries:
        return []
    return await tx.rows(
        """
        UPDATE deliveries SET alarmed_at = :now WHERE id IN (
            SELECT id FROM deliveries
            WHERE id = ANY(CAST(:ids AS text[])) AND alarmed_at IS NULL AND received_at IS NULL
              AND state IN ('waiting', 'offered', 'held')
            FOR UPDATE SKIP LOCKED
        )
        RETURNING id, "case", recipient, service,
            state = 'held' AND held_because IS NOT DISTINCT FROM :unreleased AS unreleased
        """,
        ids=list(deliveries),
        now=now,
        unreleased=UNRELEASED,
    )
