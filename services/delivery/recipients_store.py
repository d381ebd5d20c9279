"""The tables of recipients: those described over HTTP, changes that wait for a second person, and what is
known of their addresses. Whoever writes here raises the directory's number in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.contracts.base import write_moment
from shared.db import Row, Transaction


@dataclass(frozen=True, slots=True)
class Address:
    """What is known of a webhook's address."""

    recipient: str
    url: str
    verified_at: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None


async def version(tx: Transaction) -> int:
    """The directory's number."""
    return int(await tx.value("SELECT version FROM directory"))


async def lock(tx: Transaction) -> None:
    """One change of the directory at a time."""
    await tx.execute("SELECT 1 FROM directory FOR UPDATE")


async def changed(tx: Transaction) -> None:
    """The directory has changed: every copy of the service reads it again."""
    await tx.execute("UPDATE directory SET version = version + 1")


async def described(tx: Transaction) -> list[dict[str, Any]]:
    """All recipients described over HTTP."""
    return [row["described"] for row in await tx.rows("SELECT described FROM recipients ORDER BY id")]


async def addresses(tx: Transaction) -> list[Address]:
    """All that is known of addresses."""
    return [Address(**row) for row in await tx.rows("SELECT * FROM addresses")]


async def save(tx: Transaction, recipient: str, describing: Mapping[str, Any]) -> None:
    """Store a recipient whole."""
    await tx.execute(
        """
        INSERT INTO recipients (id, described) VALUES (:id, CAST(:described AS json))
        ON CONFLICT (id) DO UPDATE SET described = excluded.described, changed_at = now()
        """,
        id=recipient,
        described=orjson.dumps(describing).decode(),
    )
    await changed(tx)


async def ask_for_change(
    tx: Transaction,
    number: str,
    recipient: str,
    describing: Mapping[str, Any],
    *,
    what: Sequence[str],
    asked_by: str,
) -> None:
    """Keep a change until a second person confirms it. One that the same person asked for before gives way."""
    await tx.execute(
        """
        UPDATE recipient_changes SET state = 'withdrawn', decided_by = :by, decided_at = now()
        WHERE recipient = :recipient AND state = 'waiting' AND asked_by = :by
        """,
        recipient=recipient,
        by=asked_by,
    )
    await tx.execute(
        """
        INSERT INTO recipient_changes (id, recipient, described, what, asked_by)
        VALUES (:id, :recipient, CAST(:described AS json), CAST(:what AS text[]), :by)
        """,
        id=number,
        recipient=recipient,
        described=orjson.dumps(describing).decode(),
        what=list(what),
        by=asked_by,
    )


async def change(tx: Transaction, recipient: str, number: str) -> Row | None:
    """A change, locked until the transaction ends."""
    return await tx.row(
        "SELECT * FROM recipient_changes WHERE recipient = :recipient AND id = :id FOR UPDATE",
        recipient=recipient,
        id=number,
    )


async def waiting_changes(tx: Transaction, recipient: str | None = None) -> list[Row]:
    """Changes that wait for a second person, of one recipient or of all."""
    return await tx.rows(
        """
        SELECT id, recipient, described, what, asked_by, asked_at FROM recipient_changes
        WHERE state = 'waiting' AND recipient = coalesce(CAST(:recipient AS text), recipient)
        ORDER BY asked_at
        """,
        recipient=recipient,
    )


async def decide_change(tx: Transaction, number: str, state: str, by: str) -> None:
    """A change was confirmed or withdrawn."""
    await tx.execute(
        "UPDATE recipient_changes SET state = :state, decided_by = :by, decided_at = now() WHERE id = :id",
        id=number,
        state=state,
        by=by,
    )


async def note_verified(tx: Transaction, recipient: str, url: str) -> None:
    """An address answered its challenge: it may be used (again)."""
    await tx.execute(
        """
        INSERT INTO addresses (recipient, url, verified_at) VALUES (:recipient, :url, now())
        ON CONFLICT (recipient, url) DO UPDATE
        SET verified_at = now(), disabled_at = NULL, disabled_because = NULL, failing_since = NULL
        """,
        recipient=recipient,
        url=url,
    )
    await changed(tx)


async def note_unverified(tx: Transaction, recipient: str) -> None:
    """The recipient's addresses have to show anew that they are its own: a secret has changed."""
    await tx.execute(
        "UPDATE addresses SET verified_at = NULL WHERE recipient = :recipient", recipient=recipient
    )
    await changed(tx)


async def note_health(tx: Transaction, recipient: str, url: str, *, well: bool) -> None:
    """An address stopped answering, or is back."""
    if well:
        await tx.execute(
            "UPDATE addresses SET failing_since = NULL WHERE recipient = :recipient AND url = :url",
            recipient=recipient,
            url=url,
        )
        return
    await tx.execute(
        """
        INSERT INTO addresses AS a (recipient, url, failing_since) VALUES (:recipient, :url, now())
        ON CONFLICT (recipient, url) DO UPDATE SET failing_since = coalesce(a.failing_since, now())
        """,
        recipient=recipient,
        url=url,
    )


async def disable(tx: Transaction, recipient: str, url: str, because: str) -> bool:
    """Use an address no more until it is verified anew; whether it was in use."""
    changed_rows = await tx.execute(
        """
        INSERT INTO addresses AS a (recipient, url, disabled_at, disabled_because)
        VALUES (:recipient, :url, now(), :because)
        ON CONFLICT (recipient, url) DO UPDATE
        SET disabled_at = now(), disabled_because = excluded.disabled_because, verified_at = NULL
        WHERE a.disabled_at IS NULL
        """,
        recipient=recipient,
        url=url,
        because=because,
    )
    if changed_rows:
        await changed(tx)
    return bool(changed_rows)


async def failing_for(tx: Transaction, days: float) -> list[Row]:
    """Addresses in use that have not answered for so many days: recipient, url, since when."""
    return await tx.rows(
        """
        SELECT recipient, url, failing_since FROM addresses
        WHERE disabled_at IS NULL AND failing_since < now() - make_interval(secs => :seconds)
        FOR UPDATE SKIP LOCKED
        """,
        seconds=days * 86_400.0,
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that failed: the kind of failure, and what is kept of the answer."""

    delivery: str
    recipient: str
    at: datetime
    result: str
    said: str | None


async def add_refusals(tx: Transaction, refusals: Sequence[Refusal]) -> None:
    """Keep what failed."""
    if not refusals:
        return
    await tx.execute(
        """
        INSERT INTO refusals (delivery, recipient, at, result, said)
        SELECT * FROM unnest(
            CAST(:deliveries AS text[]), CAST(:recipients AS text[]), CAST(:ats AS timestamptz[]),
            CAST(:results AS text[]), CAST(:saids AS text[])
        )
        """,
        deliveries=[one.delivery for one in refusals],
        recipients=[one.recipient for one in refusals],
        ats=[one.at for one in refusals],
        results=[one.result for one in refusals],
        saids=[one.said for one in refusals],
    )


async def last_refusals(tx: Transaction, recipient: str, limit: int) -> list[Row]:
    """What failed last at a recipient, the newest first."""
    return await tx.rows(
        """
        SELECT delivery, at, result, said FROM refusals
        WHERE recipient = :recipient ORDER BY id DESC LIMIT :n
        """,
        recipient=recipient,
        n=limit,
    )


async def forget_refusals(tx: Transaction, days: int) -> None:
    """Drop what failed longer ago."""
    await tx.execute("DELETE FROM refusals WHERE at < now() - make_interval(days => :days)", days=days)


async def waiting_work(tx: Transaction) -> dict[str, dict[str, Any]]:
    """Per recipient how much waits for its webhook, lies in its inbox or on its topic, is held; since when,
    and the first deadline."""
    rows = await tx.rows(
        """
        SELECT recipient, sum(n) FILTER (WHERE how = 'waiting')::bigint AS waiting,
            sum(n) FILTER (WHERE how = 'in_inbox')::bigint AS in_inbox,
            sum(n) FILTER (WHERE how = 'held')::bigint AS held, min(since) AS since, min(due) AS due
        FROM (
            SELECT recipient, 'waiting' AS how, count(*) AS n, min(began) AS since, min(due) AS due
                FROM deliveries WHERE state = 'waiting' GROUP BY recipient
            UNION ALL SELECT recipient, 'in_inbox', count(*), min(began), min(due) FROM deliveries
                WHERE inbox_no IS NOT NULL AND state IN ('waiting', 'offered') AND state = 'offered'
                GROUP BY recipient
            UNION ALL SELECT recipient, 'in_inbox', count(*), min(began), min(due) FROM deliveries
                WHERE breached_at IS NULL AND received_at IS NULL AND state IN ('waiting', 'offered', 'held')
                AND state = 'offered' AND inbox_no IS NULL GROUP BY recipient
            UNION ALL SELECT recipient, 'held', count(*), min(began), min(due) FROM deliveries
                WHERE state = 'held' GROUP BY recipient
        ) AS counted GROUP BY recipient
        """
    )
    return {
        row["recipient"]: {
            "waiting": row["waiting"] or 0,
            "in_inbox": row["in_inbox"] or 0,
            "held": row["held"] or 0,
            "oldest_since": write_moment(row["since"]),
            "due": write_moment(row["due"]),
        }
        for row in rows
    }


async def latest_refusals(tx: Transaction, recipients: Iterable[str]) -> dict[str, Row]:
    """Per recipient the last attempt that failed: `at` and `result`, never what its server said."""
    rows = await tx.rows(
        """
        SELECT r.recipient, x.at, x.result FROM unnest(CAST(:recipients AS text[])) AS r(recipient)
        CROSS JOIN LATERAL (
            SELECT at, result FROM refusals f WHERE f.recipient = r.recipient ORDER BY id DESC LIMIT 1
        ) AS x
        """,
        recipients=sorted(recipients),
    )
    return {row["recipient"]: row for row in rows}
