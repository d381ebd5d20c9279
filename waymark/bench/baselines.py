"""What the same broker does with no work in between: four hops of consume, decode, encode, produce, commit.

Runs as a process of its own, `python -m waymark.bench.baselines KIND BOOTSTRAP EVENTS RATE`, and prints
`{"per_s"}` (RATE 0: as fast as it can) or `{"p50", "p95", "p99"}` in milliseconds (paced).
Kinds: aiokafka, aiokafka_batch, faststream_per_message, faststream_batch.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, Final

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

HOPS: Final = 4
PARTITIONS: Final = 4
Hop = Callable[[str, str, str], Coroutine[Any, Any, None]]


def event(number: int) -> dict[str, Any]:
    """About 1.4 kB of varied JSON, as an incident is."""
    return {
        "id": f"case-{number}",
        "at": time.time(),
        "hop": 0,
        "people": [
            {"id": f"p{number}-{i}", "name": {"given": f"Given{number * 7 + i}", "family": f"Family{number}"},
             "address": {"line1": f"{number} Street {i}", "postcode": f"NB{i} {number % 10}QT"},
             "flags": [number % 2 == 0, None, number % 3 == 0], "notes": "x" * 60}
            for i in range(5)
        ],
        "summary": f"Something happened at place {number}. " * 8,
    }  # fmt: skip


def producer(bootstrap: str) -> AIOKafkaProducer:
    """As durable as Waymark's own."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0, compression_type="zstd"
    )


def consumer(bootstrap: str, topic: str, group: str | None) -> AIOKafkaConsumer:
    """As patient as Waymark's own."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )


async def aiokafka_hop(bootstrap: str, source: str, target: str) -> None:
    """One hop by `send`."""
    taking, giving = consumer(bootstrap, source, f"g-{source}"), producer(bootstrap)
    await taking.start()
    await giving.start()
    try:
        while True:
            records = await taking.getmany(timeout_ms=100, max_records=500)
            sent = []
            for batch in records.values():
                for record in batch:
                    value = orjson.loads(record.value)
                    value["hop"] += 1
                    sent.append(await giving.send(target, orjson.dumps(value), key=record.key))
            if sent:
                await asyncio.gather(*sent)
                await taking.commit({tp: batch[-1].offset + 1 for tp, batch in records.items()})
    finally:
        await taking.stop()
        await giving.stop()


async def aiokafka_batch_hop(bootstrap: str, source: str, target: str) -> None:
    """One hop by `send_batch`, a batch per partition: the fastest path there is."""
    taking, giving = consumer(bootstrap, source, f"g-{source}"), producer(bootstrap)
    await taking.start()
    await giving.start()
    try:
        while True:
            records = await taking.getmany(timeout_ms=100, max_records=500)
            sent = []
            for tp, batch in records.items():
                building = giving.create_batch()
                for record in batch:
                    value = orjson.loads(record.value)
                    value["hop"] += 1
                    packed = orjson.dumps(value)
                    if building.append(key=record.key, value=packed, timestamp=None) is None:
                        sent.append(await giving.send_batch(building, target, partition=tp.partition))
                        building = giving.create_batch()
                        building.append(key=record.key, value=packed, timestamp=None)
                sent.append(await giving.send_batch(building, target, partition=tp.partition))
            if sent:
                await asyncio.gather(*sent)
                await taking.commit({tp: batch[-1].offset + 1 for tp, batch in records.items()})
    finally:
        await taking.stop()
        await giving.stop()


async def faststream_hop(bootstrap: str, source: str, target: str, *, batch: bool) -> None:
    """One hop by FastStream, acknowledged after the handler."""
    from faststream import AckPolicy
    from faststream.kafka import KafkaBroker

    # publish_batch raises rather than split where a batch outgrows max_batch_size.
    broker = KafkaBroker(
        bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=4_194_304,
        max_request_size=8_388_608,
        logger=None,
    )

    if batch:

        @broker.subscriber(
            source, group_id=f"g-{source}", auto_offset_reset="earliest", batch=True, max_records=500,
            ack_policy=AckPolicy.ACK,
        )  # fmt: skip
        async def pass_on_many(values: list[dict[str, Any]]) -> None:
            for value in values:
                value["hop"] += 1
            await broker.publish_batch(*values, topic=target)

    else:

        @broker.subscriber(
            source, group_id=f"g-{source}", auto_offset_reset="earliest", ack_policy=AckPolicy.ACK
        )
        async def pass_on(value: dict[str, Any]) -> None:
            value["hop"] += 1
            await broker.publish(value, topic=target, key=value["id"].encode())

    await broker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await broker.stop()


def hop_of(kind: str) -> Hop:
    """The hop of a kind."""
    if kind == "aiokafka":
        return aiokafka_hop
    if kind == "aiokafka_batch":
        return aiokafka_batch_hop
    return lambda bootstrap, source, target: faststream_hop(
        bootstrap, source, target, batch=kind == "faststream_batch"
    )


async def measure(kind: str, bootstrap: str, events: int, rate: float) -> dict[str, Any]:
    """Run four hops over `events` events; paced at `rate` per second, or as fast as it goes."""
    run = secrets.token_hex(3)
    topics = [f"bench.{kind}.{run}.{i}" for i in range(HOPS + 1)]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
    source = producer(bootstrap)
    await source.start()
    sink = consumer(bootstrap, topics[-1], None)
    await sink.start()
    hop = hop_of(kind)
    tasks = [asyncio.create_task(hop(bootstrap, here, there)) for here, there in pairwise(topics)]
    try:
        if rate:
            await asyncio.sleep(3)  # groups have formed before the clock starts
            feeding = asyncio.create_task(_feed_on_the_clock(source, topics[0], events, rate))
            took = await _drain(sink, events)
            await feeding
            took = sorted(took[int(rate) :])  # the first second warms up
            return {f"p{p}": round(took[int(len(took) * p / 100)] * 1000, 2) for p in (50, 95, 99)}
        # One event first, so that connecting and joining are not measured.
        await source.send_and_wait(topics[0], orjson.dumps(event(0)), key=b"warm")
        await _drain(sink, 1)
        start = time.perf_counter()
        feeding = asyncio.create_task(_feed(source, topics[0], events))
        await _drain(sink, events)
        await feeding
        return {"per_s": round(events / (time.perf_counter() - start), 1)}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sink.stop()
        await source.stop()
        await admin.delete_topics(topics)
        await admin.close()


async def _feed(source: AIOKafkaProducer, topic: str, events: int) -> None:
    for start in range(0, events, 1000):
        sent = [
            await source.send(topic, orjson.dumps(event(n)), key=b"case-%d" % n)
            for n in range(start, min(events, start + 1000))
        ]
        await asyncio.gather(*sent)


async def _feed_on_the_clock(source: AIOKafkaProducer, topic: str, events: int, rate: float) -> None:
    start = time.time()
    for number in range(events):
        due = start + number / rate
        if (pause := due - time.time()) > 0:
            await asyncio.sleep(pause)
        value = event(number)
        value["at"] = due
        await source.send(topic, orjson.dumps(value), key=b"case-%d" % number)


async def _drain(sink: AIOKafkaConsumer, events: int) -> list[float]:
    took: list[float] = []
    async with asyncio.timeout(300):
        while len(took) < events:
            for batch in (await sink.getmany(timeout_ms=200, max_records=500)).values():
                took.extend(time.time() - orjson.loads(record.value)["at"] for record in batch)
    return took


def main() -> None:
    logging.disable(logging.CRITICAL)  # clients complain while groups form; results are what counts here
    kind, bootstrap, events, rate = sys.argv[1:5]
    result = uvloop.run(measure(kind, bootstrap, int(events), float(rate)))
    sys.stdout.buffer.write(orjson.dumps(result))


if __name__ == "__main__":
    main()
