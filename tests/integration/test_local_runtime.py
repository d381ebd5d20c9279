"""The local runtime with the real Kafka and the real PostgreSQL: started, killed, started again, gone."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local import LocalRuntime, Name, Parts, PartStatus, RuntimeTrouble, ports, read_parts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def parts(data: Path) -> Iterator[Parts]:
    """A runtime of this module's own: it is killed here, which the others should not notice."""
    with LocalRuntime(data) as parts:
        yield parts


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A new data directory. Not below pytest's own, which is closed to the user that PostgreSQL runs as
    under root, so that nothing has to be put elsewhere; the module's `data` takes that way."""
    with tempfile.TemporaryDirectory(prefix="waymark-test-") as directory:
        yield Path(directory)


async def make_topic(kafka: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def produce(kafka: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(kafka: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(60):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def fetch(database: str, query: str) -> list[object]:
    connection = await asyncpg.connect(database)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def is_up_again(name: Name, restarts: int) -> Callable[[Parts], bool]:
    def holds(parts: Parts) -> bool:
        status = parts.status()[name]
        return status.restarts == restarts and status.state == "up"

    return holds


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ended_within(seconds: float, *pids: int) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(is_gone(pid) for pid in pids):
        time.sleep(0.02)
    return all(is_gone(pid) for pid in pids)


async def test_a_record_goes_through_the_broker(parts: Parts) -> None:
    await make_topic(parts.kafka, "through")
    await produce(parts.kafka, "through", [b"one"])
    assert await consume(parts.kafka, "through", 1) == [b"one"]


async def test_the_database_answers_asyncpg_and_sqlalchemy_whatever_the_environment_says(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "9999")
    monkeypatch.setenv("PGHOST", "example.org")
    assert await fetch(parts.database, "select 1") == [1]
    engine = create_async_engine(parts.database.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("select current_database()"))).scalar() == "waymark"
    await engine.dispose()


async def test_committed_rows_outlive_a_crash_and_no_statement_is_logged(parts: Parts) -> None:
    wanted = await fetch(parts.database, "select name || '=' || setting from pg_settings")
    assert {"fsync=on", "synchronous_commit=on", "full_page_writes=on"} <= set(wanted)
    with pytest.raises(asyncpg.PostgresError):
        await fetch(parts.database, "select 'Morgan Example'::integer")
    assert parts.postgres_pid is not None
    log = Path(f"/proc/{parts.postgres_pid}/fd/2") if sys.platform == "linux" else None
    assert log is None or "Morgan" not in log.read_text()


async def test_a_killed_broker_is_back_at_its_address_with_what_it_acknowledged(parts: Parts) -> None:
    await make_topic(parts.kafka, "kept")
    sent = [str(number).encode() for number in range(50)]
    await produce(parts.kafka, "kept", sent)
    address, killed = parts.kafka, parts.kafka_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert await asyncio.to_thread(parts.wait_until, is_up_again("kafka", 1))
    assert parts.kafka == address
    assert parts.kafka_pid not in (None, killed)
    await produce(parts.kafka, "kept", [b"after"])
    assert await consume(parts.kafka, "kept", 51) == [*sent, b"after"]


async def test_a_killed_database_is_back_with_every_committed_row(parts: Parts) -> None:
    await fetch(parts.database, "create table kept as select generate_series(1, 1000) as number")
    address, killed = parts.database, parts.postgres_pid
    assert killed is not None
    busy = await asyncpg.connect(parts.database)
    working = asyncio.ensure_future(busy.execute("select pg_sleep(60)"))
    await asyncio.sleep(0.1)
    os.kill(killed, signal.SIGKILL)
    assert await asyncio.to_thread(parts.wait_until, is_up_again("postgres", 1))
    assert parts.database == address
    assert parts.postgres_pid not in (None, killed)
    assert await fetch(parts.database, "select count(*) from kept") == [1000]
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await working


async def test_a_broker_whose_guard_is_killed_is_started_again(parts: Parts) -> None:
    restarts, killed = parts.status()["kafka"].restarts, parts.kafka_pid
    assert killed is not None
    os.kill(psutil.Process(killed).ppid(), signal.SIGKILL)
    assert await asyncio.to_thread(parts.wait_until, is_up_again("kafka", restarts + 1))
    assert is_gone(killed)


def test_what_runs_where_can_be_read_by_another_process(parts: Parts, data: Path) -> None:
    told = read_parts(data)
    assert told["kafka"]["address"] == parts.kafka
    assert told["postgres"]["pid"] == parts.postgres_pid


async def test_a_second_run_on_the_same_data_is_refused_by_name(parts: Parts, data: Path) -> None:
    with pytest.raises(RuntimeTrouble, match=f"in use by process {os.getpid()}"):
        async with LocalRuntime(data):
            pytest.fail("two runs share one data directory")
    assert await fetch(parts.database, "select 1") == [1]


async def test_two_runtimes_live_side_by_side(parts: Parts, fresh: Path) -> None:
    async with LocalRuntime(fresh) as others:
        assert others.kafka != parts.kafka
        assert others.database != parts.database
        pids = [pid for pid in (others.kafka_pid, others.postgres_pid) if pid is not None]
        assert len(pids) == 2
        await make_topic(others.kafka, "only-here")
        assert await fetch(others.database, "select 1") == [1]
    assert all(is_gone(pid) for pid in pids)
    assert await fetch(parts.database, "select 1") == [1]


async def test_servers_started_outside_are_used_and_left_alone(parts: Parts, fresh: Path) -> None:
    seen: list[PartStatus] = []
    async with LocalRuntime(fresh, kafka=parts.kafka, database=parts.database, changed=seen.append) as outside:
        assert (outside.kafka, outside.database) == (parts.kafka, parts.database)
        assert outside.kafka_pid is None
        assert outside.postgres_pid is None
        await asyncio.sleep(0)
    assert {status.state for status in seen} == {"outside"}
    assert not (fresh / "kafka").exists()
    assert await fetch(parts.database, "select 1") == [1]


def test_a_port_that_is_taken_stops_the_start_and_leaves_nothing_running(fresh: Path) -> None:
    pids: set[int | None] = set()
    with socket.create_server((ports.HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(RuntimeTrouble, match=f"Port {port}"):
            LocalRuntime(fresh, kafka_port=port, changed=lambda status: pids.add(status.pid)).__enter__()
    assert all(is_gone(pid) for pid in pids if pid is not None)


OWNER = """
import sys, time
from deploy.local import LocalRuntime
with LocalRuntime(sys.argv[1]) as parts:
    print(parts.kafka_pid, parts.postgres_pid, flush=True)
    time.sleep(120)
"""


def test_nothing_is_left_behind_when_the_owner_is_killed(fresh: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(fresh)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        kafka, postgres = (int(pid) for pid in owner.stdout.readline().split())
        owner.kill()
        owner.wait(60)
        assert ended_within(60, kafka, postgres)
    # Both were stopped cleanly, not killed: neither has anything to recover.
    assert (fresh / "kafka" / "data" / ".kafka_cleanshutdown").exists()
    with LocalRuntime(fresh, kafka="127.0.0.1:9") as parts:
        assert asyncio.run(fetch(parts.database, "select 1")) == [1]


async def test_a_start_that_is_cancelled_leaves_nothing_running(fresh: Path) -> None:
    started: list[int] = []

    def note(status: PartStatus) -> None:
        if status.pid is not None:
            started.append(status.pid)

    runtime = LocalRuntime(fresh, changed=note)
    entering = asyncio.ensure_future(runtime.__aenter__())
    while not started:  # the database is up, the broker is on its way
        await asyncio.sleep(0.01)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert all(is_gone(pid) for pid in started)
    assert {status.state for status in runtime.parts.status().values()} == {"stopped"}
