"""`waymark reconcile`: the conservation check. Every accepted revision is found in one named state.

Each is found by joining the services' own records, never by subtraction: an event that a stage sent and
the next has not applied must be seen waiting, in the sender's outbox or on the topic at or after the
consumer's committed offset. What cannot be found that way is unaccounted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Table

from deploy.migrations import SERVICES
from shared.contracts.topics import DECIDED, ENRICHED, INCIDENTS
from shared.db import Database, Transaction
from shared.errors import Retryable
from shared.kafka import group_offsets, kept_offsets
from shared.vocabulary import CASE_STATES
from waymark import terminal
from waymark.access import owner
from waymark.terminal import DataOption, JsonOption
from waymark.watched import watch

UNACCOUNTED: Final = "unaccounted"
_HOPS: Final = (("intake", "enrichment"), ("enrichment", "triage"), ("triage", "delivery"))

Place = tuple[str, int]
"""A topic's lane and a partition."""


@dataclass(frozen=True, slots=True)
class Broker:
    """What the broker said: per consumer group its committed offsets, and what each partition holds, from
    its first offset to the one after its last."""

    committed: Mapping[str, Mapping[Place, int]]
    kept: Mapping[Place, tuple[int, int]]


Offsets = Broker | None
"""None: the broker could not be asked."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one accepted revision. `hop`: where an unaccounted one was last seen leaving."""

    case: str
    revision: int
    state: str
    hop: str | None = None
    outbox_row: int | None = None
    verified: bool = True


_QUERY: Final = """
    SELECT i."case", i.revision, i.status, i.newest,
        e.revision AS enrichment_revision, t.revision AS triage_revision,
        d.revision AS delivery_revision, d.state AS delivery_state, d.waiting AS delivery_waiting,
        i.emitted_seq AS intake_seq, e.seq_emitted AS enrichment_seq, t.seq_emitted AS triage_seq,
        me.seq AS enrichment_mark, mt.seq AS triage_mark, md.seq AS delivery_mark,
        oi.id AS intake_row, oi.topic AS intake_topic, oi.partition AS intake_partition,
        oi.kafka_offset AS intake_offset,
        oe.id AS enrichment_row, oe.topic AS enrichment_topic, oe.partition AS enrichment_partition,
        oe.kafka_offset AS enrichment_offset,
        ot.id AS triage_row, ot.topic AS triage_topic, ot.partition AS triage_partition,
        ot.kafka_offset AS triage_offset,
        EXISTS (SELECT 1 FROM
            (SELECT * FROM enrichment.dead_letters UNION ALL SELECT * FROM intake.dead_letters) l
            WHERE l."case" = i."case" AND l.resolved_at IS NULL
            AND l.sender = 'intake' AND l.seq > coalesce(me.seq, 0)) AS enrichment_dead,
        EXISTS (SELECT 1 FROM
            (SELECT * FROM triage.dead_letters UNION ALL SELECT * FROM enrichment.dead_letters) l
            WHERE l."case" = i."case" AND l.resolved_at IS NULL
            AND l.sender = 'enrichment' AND l.seq > coalesce(mt.seq, 0)) AS triage_dead,
        EXISTS (SELECT 1 FROM
            (SELECT * FROM delivery.dead_letters UNION ALL SELECT * FROM triage.dead_letters) l
            WHERE l."case" = i."case" AND l.resolved_at IS NULL
            AND l.sender = 'triage' AND l.seq > coalesce(md.seq, 0)) AS delivery_dead
    FROM intake.reconcile i
    LEFT JOIN enrichment.reconcile e ON e."case" = i."case"
    LEFT JOIN triage.reconcile t ON t."case" = i."case"
    LEFT JOIN delivery.reconcile d ON d."case" = i."case"
    LEFT JOIN enrichment.marks me ON me."case" = i."case" AND me.sender = 'intake'
    LEFT JOIN triage.marks mt ON mt."case" = i."case" AND mt.sender = 'enrichment'
    LEFT JOIN delivery.marks md ON md."case" = i."case" AND md.sender = 'triage'
    LEFT JOIN intake.outbox oi ON oi."case" = i."case" AND oi.seq = i.emitted_seq
        AND oi.topic LIKE 'waymark.incidents.%'
    LEFT JOIN enrichment.outbox oe ON oe."case" = i."case" AND oe.seq = e.seq_emitted
        AND oe.topic LIKE 'waymark.enriched.%'
    LEFT JOIN triage.outbox ot ON ot."case" = i."case" AND ot.seq = t.seq_emitted
        AND ot.topic LIKE 'waymark.decided.%'
    ORDER BY i."case", i.revision
"""


def find(row: Mapping[str, Any], offsets: Offsets) -> Found:
    """The state of one accepted revision, from the services' joined records."""
    case, revision = row["case"], row["revision"]
    if not row["newest"]:
        return Found(case, revision, "superseded")
    for sender, reader in _HOPS:
        seq, mark = row[f"{sender}_seq"], row[f"{reader}_mark"] or 0
        if seq is None:
            return Found(case, revision, UNACCOUNTED, f"{sender} has no event")
        if mark < seq:
            if row[f"{reader}_dead"]:
                return Found(case, revision, "dead_lettered")
            return _on_the_way(row, case, revision, sender, reader, offsets)
        if (row[f"{reader}_revision"] or 0) < revision:
            return Found(case, revision, UNACCOUNTED, f"{reader} applied it and kept nothing")
    state = row["delivery_state"]
    if row["delivery_waiting"] and state != "held":
        state = "in_flight"
    return Found(case, revision, state if state in CASE_STATES else UNACCOUNTED, "delivery")


def _on_the_way(
    row: Mapping[str, Any], case: str, revision: int, sender: str, reader: str, offsets: Offsets
) -> Found:
    hop = f"{sender} -> {reader}"
    number = row[f"{sender}_row"]
    if number is None:
        return Found(case, revision, UNACCOUNTED, hop)
    if row[f"{sender}_offset"] is None:
        return Found(case, revision, "in_flight", hop, number)
    if offsets is None:
        return Found(case, revision, "in_flight", hop, number, verified=False)
    place, offset = (row[f"{sender}_topic"], row[f"{sender}_partition"]), row[f"{sender}_offset"]
    first, end = offsets.kept.get(place, (0, 0))
    waits_on_topic = max(first, offsets.committed[reader].get(place, 0)) <= offset < end
    return Found(case, revision, "in_flight" if waits_on_topic else UNACCOUNTED, hop, number)


async def check(database: Database, kafka: str) -> list[Found]:
    """Look at every accepted revision.

    The committed offsets are read before the database's snapshot: a consumer commits its offset after
    its transaction, so an event below the committed offset has its mark in the snapshot, or is lost. What
    the partitions hold is read after it: an event that was sent stands there then, or is lost.
    """
    try:
        committed = {reader: await group_offsets(kafka, reader) for _, reader in _HOPS}
    except Retryable:
        committed = None
    async with database.transaction() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = [dict(row) for row in await tx.rows(_QUERY)]
    offsets: Offsets = None
    if committed is not None:
        try:
            offsets = Broker(committed, await kept_offsets(kafka, (INCIDENTS, ENRICHED, DECIDED)))
        except Retryable:
            offsets = None
    return [find(row, offsets) for row in rows]


def report(found: list[Found]) -> dict[str, Any]:
    """The counts as `--json` prints them."""
    counts = Counter(one.state for one in found)
    lost = [one for one in found if one.state == UNACCOUNTED]
    return {
        "accepted": len(found),
        **{state: counts.get(state, 0) for state in CASE_STATES},
        "unverified": sum(not one.verified for one in found),
        "unaccounted_cases": [
            {"case": one.case, "revision": one.revision, "last_seen": one.hop} for one in lost[:1000]
        ],
        "unaccounted": len(lost),
    }


async def conservation(address: str, kafka: str) -> dict[str, Any]:
    """The check's document as it stands now, on a connection of its own; kept for the console to show."""
    database = owner(address)
    try:
        document = report(await check(database, kafka))
        await keep(database, document)
        return document
    finally:
        await database.close()


async def keep(database: Database, document: Mapping[str, Any]) -> None:
    """Leave what was found where the console shows it to ops; of the last check only."""
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO console.conservation (at, found) VALUES (now(), CAST(:found AS jsonb))
            ON CONFLICT (one) DO UPDATE SET at = excluded.at, found = excluded.found
            """,
            found=orjson.dumps(document).decode(),
        )


async def repair(database: Database, found: list[Found]) -> int:
    """Send again, from the outboxes, what the next stage never saw. How many events."""
    rows: dict[str, list[int]] = {}
    for one in found:
        if one.state == UNACCOUNTED and one.outbox_row is not None and one.hop:
            rows.setdefault(one.hop.split(" ")[0], []).append(one.outbox_row)
    async with database.transaction() as tx:
        return sum([await _send_again(tx, service, numbers) for service, numbers in rows.items()])


async def _send_again(tx: Transaction, service: str, numbers: list[int]) -> int:
    if service not in SERVICES:
        raise ValueError(service)
    return await tx.execute(
        f"UPDATE {service}.outbox SET sent_at = NULL, lease_until = NULL, kafka_offset = NULL"  # noqa: S608
        " WHERE id = ANY(CAST(:ids AS bigint[]))",
        ids=numbers,
    )


def reconcile(
    data: DataOption = None,
    as_json: JsonOption = False,
    repair_it: Annotated[
        bool, typer.Option("--repair", help="Send again what the next stage never saw.")
    ] = False,
    watch_s: Annotated[
        float | None,
        typer.Option("--watch", min=1, help="Check every so many seconds, for ever, and serve /metrics."),
    ] = None,
    host: Annotated[str, typer.Option(help="With --watch: the address of /metrics.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --watch: the port of /metrics.", min=1, max=65535)] = 9464,
) -> None:
    """Check that every accepted revision is in one named state. Exit 1 where one is unaccounted.

    Example: waymark reconcile --json
    """
    if watch_s is not None and (as_json or repair_it):
        terminal.fail("--watch goes with neither --json nor --repair.", 2)
    kafka, address = terminal.kafka_of(data), terminal.database_of(data)
    if watch_s is not None:
        asyncio.run(watch(lambda: conservation(address, kafka), every_s=watch_s, host=host, port=port))
        return

    async def work() -> dict[str, Any]:
        database = owner(address)
        try:
            found = await check(database, kafka)
            document = report(found)
            await keep(database, document)
            if repair_it:
                document["sent_again"] = await repair(database, found)
            return document
        finally:
            await database.close()

    document = asyncio.run(work())
    if as_json:
        terminal.print_json(document)
    else:
        terminal.out.print(table_of(document))
        terminal.out.print(f"unaccounted: {document['unaccounted']}")
        for lost in document["unaccounted_cases"][:20]:
            terminal.out.print(f"  {lost['case']} revision {lost['revision']}: {lost['last_seen']}")
        if repair_it:
            terminal.out.print(f"sent again: {document['sent_again']}")
    if document["unaccounted"]:
        raise typer.Exit(1)


def table_of(document: Mapping[str, Any]) -> Table:
    """The counts as a table."""
    table = Table(title="Accepted revisions, by what became of them", title_justify="left")
    table.add_column("state")
    table.add_column("revisions", justify="right")
    for state in CASE_STATES:
        table.add_row(state, str(document[state]))
    table.add_row("accepted", str(document["accepted"]), style="bold")
    return table
