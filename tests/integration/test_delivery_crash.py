"""Delivery killed at the points where it matters: nothing is lost, and a repeat has the same `webhook-id`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.delivery.receiver import Receiver
from shared.contracts.events import CaseDecided
from shared.contracts.topics import DECIDED
from shared.db import Database
from shared.kafka import Producer
from shared.outbox import Outbox
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.test_delivery import SECRET, WEBHOOKS, Post, describe, describe_areas, serve
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_route, case_decided

ROOT = Path(__file__).resolve().parents[2]


class Service:
    """Delivery as a process of its own, with leases short enough to wait for."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")},
            "PYTHONPATH": str(ROOT),
            "WAYMARK_DATABASE": servers.database,
            "WAYMARK_KAFKA": servers.kafka,
            "WAYMARK_PARTITIONS": str(servers.partitions),
            "WAYMARK_RECIPIENTS": str(folder / "recipients"),
            "WAYMARK_AREAS": str(folder / "areas"),
            "WAYMARK_ALLOW_LOOPBACK": "true",
            "WAYMARK_LEASE_S": "3",
            "WAYMARK_ATTEMPT_S": "1",
            "WAYMARK_POLL_S": "0.2",
        }

    @asynccontextmanager
    async def running(self, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "waymark.serve",
            "delivery",
            cwd=ROOT,
            env={**self.environment, **{f"WAYMARK_{name.upper()}": value for name, value in settings.items()}},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def a_world(servers: Servers, folder: Path) -> AsyncIterator[tuple[Service, Post, Outbox, Database]]:
    (folder / "recipients").mkdir()
    describe_areas(folder / "areas")
    async with AsyncExitStack() as stack:
        post = Post()
        port = await serve(stack, Receiver({name: [SECRET] for name in WEBHOOKS}, post.take))
        describe(folder / "recipients", port)
        triage = Database(servers.database, "triage")
        stack.push_async_callback(triage.close)
        producer = Producer(servers.kafka, "test-triage", servers.partitions)
        stack.push_async_callback(producer.close)
        outbox = Outbox(triage, producer)
        stack.push_async_callback(outbox.close)
        delivery = Database(servers.database, "delivery", pool_size=2)
        stack.push_async_callback(delivery.close)
        yield Service(servers, folder), post, outbox, delivery


async def tell(outbox: Outbox, *bodies: CaseDecided) -> None:
    async with outbox.transaction() as tx:
        for body in bodies:
            tx.emit(DECIDED, body.incident.case, body, started=datetime.now(UTC))


async def rows(database: Database, sql: str, **params: Any) -> list[Any]:
    async with database.transaction() as tx:
        return await tx.rows(sql, **params)


async def test_killed_at_each_point_of_a_delivery_it_repeats_the_same_id_and_loses_nothing(
    servers: Servers, tmp_path: Path
) -> None:
    async with a_world(servers, tmp_path) as (service, post, outbox, database):
        # While a recipient is answering eight requests, and two more are stored and not sent yet.
        references = [f"answering-{number}" for number in range(10)]
        post.open["northbury-marac"] = asyncio.Event()
        await tell(
            outbox, *(case_decided(a_route("marac"), incident=an_incident(reference=r)) for r in references)
        )
        async with service.running() as process:
            await until(lambda: _all_under_way(post, database), "eight of ten under way")
            process.kill()
        begun = {arrival.notification()["case"] for arrival in post.arrivals}
        post.open.pop("northbury-marac").set()
        found = await rows(database, "SELECT state, waiting FROM reconcile")
        assert [(row["state"], row["waiting"]) for row in found] == [("in_flight", 1)] * 10

        # After a 2xx that was not recorded yet: results are gathered for a second here.
        await tell(outbox, case_decided(a_route("idva"), incident=an_incident(reference="answered")))
        async with service.running(record_every_ms="1000") as process:
            await until(lambda: _came(post, "answered", 1), "the attempt at another recipient")
            process.kill()

        async with service.running():
            await until(lambda: _all_received(database), "everything received")
        for reference in (*references, "answered"):
            arrivals = post.of(f"northshire/{reference}")
            assert len({arrival.id for arrival in arrivals}) == 1
            assert len({arrival.body for arrival in arrivals}) == 1
            if f"northshire/{reference}" in begun or reference == "answered":
                assert len(arrivals) >= 2
        assert post.of("northshire/answered")[-1].repeated


async def _all_under_way(post: Post, database: Database) -> bool:
    return len(post.arrivals) == 8 and len(await rows(database, "SELECT 1 FROM deliveries")) == 10


async def _came(post: Post, reference: str, count: int) -> bool:
    return len(post.of(f"northshire/{reference}")) >= count


async def _all_received(database: Database) -> bool:
    found = await rows(database, "SELECT state, waiting FROM reconcile")
    return bool(found) and all((row["state"], row["waiting"]) == ("routed", 0) for row in found)


async def test_a_case_that_lacked_a_recipient_is_addressed_again_when_there_is_one(
    servers: Servers, tmp_path: Path
) -> None:
    async with a_world(servers, tmp_path) as (service, post, outbox, database):
        await tell(
            outbox, case_decided(a_route(), a_route("housing"), incident=an_incident(reference="addressed"))
        )
        file = tmp_path / "recipients" / "northbury.yaml"
        described = yaml.safe_load(file.read_text())
        without = [one for one in described["recipients"] if one["id"] != "northbury-housing"]
        file.write_text(yaml.safe_dump({"recipients": without}))
        case = "northshire/addressed"
        async with service.running() as process:
            await until(lambda: _state(database, case, "held"), "held for want of a recipient")
            await until(lambda: _came(post, "addressed", 1), "the other recipient's notification")
            process.terminate()
            await process.wait()
        file.write_text(yaml.safe_dump(described))
        async with service.running():
            await until(lambda: _state(database, case, "in_flight"), "in the new recipient's inbox")
        deliveries = await rows(
            database,
            'SELECT recipient, state FROM deliveries WHERE "case" = :case ORDER BY recipient',
            case=case,
        )
        assert [tuple(row.values()) for row in deliveries] == [
            ("northbury-children", "received"),
            ("northbury-housing", "offered"),
        ]
        assert len(post.of(case)) == 1


async def _state(database: Database, case: str, state: str) -> bool:
    found = await rows(database, 'SELECT state FROM reconcile WHERE "case" = :case', case=case)
    return bool(found) and found[0]["state"] == state


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": []}, "channels"),
        ({"role": "astrologer"}, "role"),
        ({"areas": ["northbury"], "id": "northbury-marac"}, "described twice"),
    ],
)
async def test_recipients_that_cannot_be_read_stop_the_start_with_a_sentence(
    servers: Servers, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    async with a_world(servers, tmp_path) as (service, _, _, _):
        file = tmp_path / "recipients" / "northbury.yaml"
        described = yaml.safe_load(file.read_text())
        described["recipients"][0].update(change)
        file.write_text(yaml.safe_dump(described))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "waymark.serve", "delivery", cwd=ROOT, env=service.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 1
        assert sentence in said.decode()
        assert "Traceback" not in said.decode()
