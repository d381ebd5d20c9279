"""The stage runner, the outbox, marks, dead letters, timers and feeds on the real broker and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from shared import cursors, dead_letters, keys
from shared.contracts.events import IncidentAccepted, IncidentEnriched
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.contracts.topics import ENRICHED, INCIDENTS
from shared.db import Database
from shared.errors import Refused, Rejected, Retryable
from shared.kafka import Message, Producer, partition_of
from shared.outbox import EmittingTransaction, Outbox
from shared.relay import Relay
from shared.stage import Event, Stage
from shared.timers import Timers, set_timer
from tests.integration.conftest import Servers
from tests.integration.waiting import until

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def accepted(reference: str, revision: int = 1) -> IncidentAccepted:
    incident = Incident(force="northshire", reference=reference, revision=revision, occurred_at=NOON)
    return IncidentAccepted(
        incident=incident, revision=revision, accepted_at=NOON, revision_accepted_at=NOON, gaps=[]
    )


@asynccontextmanager
async def outbox_of(servers: Servers, service: str) -> AsyncIterator[Outbox]:
    database = Database(servers.database, service)
    producer = Producer(servers.kafka, f"test-{service}", servers.partitions)
    outbox = Outbox(database, producer)
    try:
        yield outbox
    finally:
        await outbox.close()
        await producer.close()
        await database.close()


@asynccontextmanager
async def stage_running(servers: Servers, outbox: Outbox, handlers: dict[Any, Any]) -> AsyncIterator[Stage]:
    stage = Stage("enrichment", outbox, servers.kafka, handlers, fetch_wait_ms=20)
    task = asyncio.create_task(stage.run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def emit(outbox: Outbox, *bodies: IncidentAccepted) -> None:
    async with outbox.transaction() as tx:
        for body in bodies:
            tx.emit(INCIDENTS, body.incident.case, body, started=NOON)


async def test_events_come_in_order_once_and_with_the_ledger(servers: Servers) -> None:
    seen: list[Event[IncidentAccepted]] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        seen.extend(events)

    async with outbox_of(servers, "intake") as sender, outbox_of(servers, "enrichment") as outbox:
        await emit(sender, *(accepted("order", revision) for revision in range(1, 6)))
        async with stage_running(servers, outbox, {INCIDENTS: handle}):
            await until(lambda: len(seen) == 5, "five revisions")
            assert [event.body.revision for event in seen] == [1, 2, 3, 4, 5]
            assert [event.envelope.seq for event in seen] == [1, 2, 3, 4, 5]
            assert [entry.stage for entry in seen[0].envelope.ledger] == ["intake"]

            async with sender.database.transaction() as tx:
                rows = await tx.rows('SELECT topic, "case", payload FROM outbox WHERE "case" LIKE \'%order\'')
            again = [Message(row["topic"], row["case"], row["payload"]) for row in rows]
            await sender.producer.publish(again)
            await emit(sender, accepted("after"))
            await until(lambda: seen[-1].case == "northshire/after", "the event after the repeats")
    assert len(seen) == 6


async def test_state_and_event_are_written_together_or_not_at_all(servers: Servers) -> None:
    async with outbox_of(servers, "intake") as sender:

        async def fail_after_storing() -> None:
            async with sender.transaction() as tx:
                tx.emit(INCIDENTS, "northshire/never", accepted("never"), started=NOON)
                await tx.store_emissions()
                raise Rejected("the handler failed after storing")

        with pytest.raises(Rejected):
            await fail_after_storing()
        async with sender.database.transaction() as reading:
            assert await reading.value("SELECT count(*) FROM outbox WHERE \"case\" = 'northshire/never'") == 0


async def test_one_failing_event_is_dead_lettered_and_its_neighbours_go_on(servers: Servers) -> None:
    applied: list[str] = []
    tried: list[str] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        for event in events:
            if event.body.incident.reference == "poison-2":
                tried.append(event.case)
                raise ValueError("a name that must not be seen")
        applied.extend(event.case for event in events)

    async with outbox_of(servers, "intake") as sender, outbox_of(servers, "enrichment") as outbox:
        await emit(sender, *(accepted(f"poison-{n}") for n in range(6)))
        await sender.producer.publish([Message(INCIDENTS.name, "northshire/bytes", b'{"summary": "\xff"}')])
        async with stage_running(servers, outbox, {INCIDENTS: handle}):
            await until(lambda: len([c for c in applied if "poison" in c]) == 5, "the five good ones")
            await emit(sender, accepted("poison-after"))
            await until(lambda: "northshire/poison-after" in applied, "the next event")
            async with outbox.database.transaction() as tx:
                for _ in range(100):
                    dead = await dead_letters.waiting(tx)
                    if len(dead) == 2:
                        break
                    await asyncio.sleep(0.1)
    by_case = {row["case"]: row for row in dead}
    assert set(by_case) == {"northshire/poison-2", "northshire/bytes"}
    assert by_case["northshire/poison-2"]["reason"] == "the handler failed: ValueError"
    assert by_case["northshire/poison-2"]["revision"] == 1
    # What the test before was stopped in the middle of comes again here.
    assert sorted(case for case in applied if "poison" in case) == sorted(
        [f"northshire/poison-{n}" for n in (0, 1, 3, 4, 5)] + ["northshire/poison-after"]
    )


async def test_what_passes_by_itself_is_waited_for_and_never_dead_lettered(servers: Servers) -> None:
    failures = 4
    applied: list[str] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise Retryable("the look-up is away")
        applied.extend(event.case for event in events)

    async with outbox_of(servers, "intake") as sender, outbox_of(servers, "enrichment") as outbox:
        async with outbox.database.transaction() as tx:
            before = len(await dead_letters.waiting(tx))
        await emit(sender, accepted("patient"))
        async with stage_running(servers, outbox, {INCIDENTS: handle}):
            await until(lambda: "northshire/patient" in applied, "the event once the look-up is back")
        async with outbox.database.transaction() as tx:
            assert len(await dead_letters.waiting(tx)) == before
    assert failures == 0


async def test_what_a_dead_process_left_in_the_outbox_is_sent_by_another_copy(servers: Servers) -> None:
    seen: list[str] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        seen.extend(event.case for event in events)

    async with outbox_of(servers, "intake") as dies, dies.transaction(publish=False) as tx:
        tx.emit(INCIDENTS, "northshire/left", accepted("left"), started=NOON)
    async with outbox_of(servers, "intake") as copy, outbox_of(servers, "enrichment") as outbox:
        relay = asyncio.create_task(Relay(copy).run())
        async with stage_running(servers, outbox, {INCIDENTS: handle}):
            await until(lambda: "northshire/left" in seen, "the event left behind")
        # The reader may have it before the sender has noted that it is sent.
        row = None
        async with asyncio.timeout(10):
            while row is None or row["sent_at"] is None:
                async with copy.database.transaction() as reading:
                    row = await reading.row("SELECT * FROM outbox WHERE \"case\" = 'northshire/left'")
        relay.cancel()
    assert row["partition"] == partition_of("northshire/left", servers.partitions)
    assert row["kafka_offset"] >= 0


async def test_live_goes_before_bulk(servers: Servers) -> None:
    seen: list[str] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentEnriched]]) -> None:
        seen.extend(event.envelope.lane for event in events)

    def enriched(reference: str) -> IncidentEnriched:
        body = accepted(reference)
        return IncidentEnriched(
            incident=body.incident, revision=1, accepted_at=NOON, as_of=NOON, history=History(status="complete")
        )

    async with outbox_of(servers, "enrichment") as sender, outbox_of(servers, "triage") as outbox:
        async with sender.transaction(publish=False) as tx:
            for n in range(400):
                tx.emit(ENRICHED, f"northshire/b{n}", enriched(f"b{n}"), started=NOON, lane="bulk")
            for n in range(40):
                tx.emit(ENRICHED, f"northshire/l{n}", enriched(f"l{n}"), started=NOON, lane="live")
        await sender.publish(tx.stored)
        stage = Stage("triage", outbox, servers.kafka, {ENRICHED: handle}, bulk_slice=20, fetch_wait_ms=20)
        task = asyncio.create_task(stage.run())
        await until(lambda: len(seen) == 440, "all of both lanes")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "bulk" in seen[-50:]
    assert seen.index("live") <= 200
    last_live = len(seen) - 1 - seen[::-1].index("live")
    assert last_live < 250, "live events waited behind bulk"


async def test_two_copies_share_the_work_and_each_case_is_applied_once(servers: Servers) -> None:
    applied: list[tuple[str, int]] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        await asyncio.sleep(0.01)
        applied.extend((event.case, event.envelope.seq) for event in events if "shared" in event.case)

    async with (
        outbox_of(servers, "intake") as sender,
        outbox_of(servers, "enrichment") as one,
        outbox_of(servers, "enrichment") as two,
        stage_running(servers, one, {INCIDENTS: handle}),
    ):
        await emit(sender, *(accepted(f"shared-{n}") for n in range(100)))
        async with stage_running(servers, two, {INCIDENTS: handle}):
            await emit(sender, *(accepted(f"shared-{n}") for n in range(100, 200)))
            await until(lambda: len(set(applied)) == 200, "all two hundred")
        async with one.database.transaction() as tx:
            marks = await tx.value("SELECT count(*) FROM marks WHERE \"case\" LIKE 'northshire/shared-%'")
    assert marks == 200


async def test_a_timer_fires_once_in_its_own_transaction_and_comes_back_after_a_failure(
    servers: Servers,
) -> None:
    fired: list[str] = []

    async def ring(tx: EmittingTransaction, key: str, payload: dict[str, Any]) -> None:
        fired.append(key)
        if fired == ["case-1"]:
            raise ValueError("the first time fails")
        assert payload == {"hours": 4}

    async with outbox_of(servers, "triage") as outbox:
        past = datetime.now(UTC) - timedelta(seconds=1)
        async with outbox.transaction() as tx:
            await set_timer(tx, "ring", "case-1", past, hours=4)
            await set_timer(tx, "ring", "case-2", past + timedelta(days=1), hours=4)
        timers = Timers(outbox, {"ring": ring}, lease_s=0.5)
        assert await timers.fire_due() == 1
        await asyncio.sleep(1.1)
        assert await timers.fire_due() == 1
        assert await timers.fire_due() == 0
    assert fired == ["case-1", "case-1"]


async def test_a_timer_is_set_anew_while_its_handler_waits_for_whoever_sets_it(servers: Servers) -> None:
    fired: list[int] = []

    async def ring(tx: EmittingTransaction, key: str, payload: dict[str, Any]) -> None:
        await tx.execute("SELECT pg_advisory_xact_lock(4711)")
        fired.append(payload["round"])

    async with outbox_of(servers, "triage") as outbox:
        past = datetime.now(UTC) - timedelta(seconds=1)
        async with outbox.transaction() as tx:
            await set_timer(tx, "anew", "all", past, round=1)
        timers = Timers(outbox, {"anew": ring})
        async with outbox.transaction() as tx:
            await tx.execute("SELECT pg_advisory_xact_lock(4711)")
            firing = asyncio.create_task(timers.fire_due())

            async def waits() -> bool:
                return bool(
                    await tx.value("SELECT true FROM pg_locks WHERE objid = 4711 AND NOT granted LIMIT 1")
                )

            await until(waits, "the handler waits")
            await set_timer(tx, "anew", "all", past + timedelta(milliseconds=1), round=2)
        assert await firing == 1
        assert await timers.fire_due() == 1
        assert await timers.fire_due() == 0
    assert fired == [1, 2]


async def test_a_timer_whose_lease_ran_out_fires_for_its_next_owner_only(servers: Servers) -> None:
    done: list[str] = []

    async def ring(tx: EmittingTransaction, key: str, payload: dict[str, Any]) -> None:
        if not done:
            done.append("slow")
            await asyncio.sleep(60)
        done.append(key)

    async with outbox_of(servers, "triage") as outbox:
        async with outbox.transaction() as tx:
            await set_timer(tx, "slow", "one", datetime.now(UTC) - timedelta(seconds=1))
        timers = Timers(outbox, {"slow": ring}, lease_s=0.5)
        assert await timers.fire_due() == 1
        await asyncio.sleep(0.6)
        assert await timers.fire_due() == 1
        assert await timers.fire_due() == 0
    assert done == ["slow", "one"]


async def test_a_reader_never_skips_an_entry_of_its_feed(servers: Servers) -> None:
    async with outbox_of(servers, "delivery") as outbox:

        async def add(n: int) -> None:
            async with outbox.transaction() as tx:
                await cursors.append(tx, {"reader-a": [(f"c{n}", b"{}")], "reader-b": [(f"c{n}", b"{}")]})

        await asyncio.gather(*(add(n) for n in range(40)))
        async with outbox.database.transaction() as tx:
            entries = await cursors.read(tx, "reader-a", after=0, limit=100)
            rest = await cursors.read(tx, "reader-a", after=25, limit=100)
    assert [entry["no"] for entry in entries] == list(range(1, 41))
    assert [entry["no"] for entry in rest] == list(range(26, 41))


async def test_a_key_works_until_it_is_revoked_and_is_nowhere_to_be_read(servers: Servers) -> None:

    connection = await asyncpg.connect(servers.database)
    number, key = keys.new_key(), keys.new_key()
    await connection.execute(
        "INSERT INTO access.keys (id, digest, role, force) VALUES ($1, $2, 'police', 'northshire')",
        number,
        keys.digest(key),
    )
    database = Database(servers.database, "intake")
    caller = await keys.KeyRing(database).caller(f"Bearer {key}")
    assert (caller.role, caller.force) == ("police", "northshire")
    await connection.execute("UPDATE access.keys SET revoked_at = now() WHERE id = $1", number)
    with pytest.raises(Refused) as refused:
        await keys.KeyRing(database).caller(f"Bearer {key}")
    assert refused.value.status == 401
    stored = await connection.fetch("SELECT * FROM access.keys")
    assert key not in str([dict(row) for row in stored])
    await database.close()
    await connection.close()


async def test_an_older_event_behind_a_newer_one_and_a_double_fall_away_within_one_batch(
    servers: Servers,
) -> None:
    seen: list[tuple[str, int]] = []

    async def handle(tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        seen.extend((event.case, event.envelope.seq) for event in events if "/mixed" in event.case)

    async with outbox_of(servers, "intake") as sender, outbox_of(servers, "enrichment") as outbox:
        async with sender.transaction(publish=False) as tx:
            for revision in (1, 2, 3):
                tx.emit(INCIDENTS, "northshire/mixed", accepted("mixed", revision), started=NOON)
        one, two, three = (stored.message for stored in tx.stored)
        again = [Message(m.topic, m.key, m.value) for m in (one, three, two, three)]
        await sender.producer.publish(again)
        await emit(sender, accepted("mixed-end"))
        async with stage_running(servers, outbox, {INCIDENTS: handle}):
            await until(lambda: ("northshire/mixed-end", 1) in seen, "the event after the mixture")
    assert [seq for case, seq in seen if case == "northshire/mixed"] == [1, 3]


async def test_dead_letters_are_numbered_apart_from_a_cases_states(servers: Servers) -> None:
    record = dead_letters.Record("waymark.incidents.v1", 0, 10**6, b"northshire/apart", b"{}")
    async with outbox_of(servers, "enrichment") as outbox, outbox.transaction(publish=False) as tx:
        await dead_letters.store(tx, "enrichment", record, "not an event")
        await tx.store_emissions()
        assert await tx.value("SELECT count(*) FROM seqs WHERE \"case\" = 'northshire/apart'") == 0


async def test_a_stuck_consumer_is_rebuilt_each_time_and_a_stop_still_stops_it(servers: Servers) -> None:
    async with outbox_of(servers, "triage") as outbox:
        stage = Stage("triage", outbox, servers.kafka, {ENRICHED: _nothing}, fetch_wait_ms=20)
        task = asyncio.create_task(stage.run())
        for _ in range(3):
            await until(lambda: stage.running, "a consumer with partitions")
            stage._stuck = True
            task.cancel("stuck")
            await until(lambda: not stage.running, "the consumer let go")
        await until(lambda: stage.running, "the consumer built anew")
        task.cancel()
        await asyncio.wait({task}, timeout=20)
        assert task.cancelled()


async def _nothing(tx: EmittingTransaction, events: Sequence[Event[IncidentEnriched]]) -> None:
    """Takes whatever comes."""
