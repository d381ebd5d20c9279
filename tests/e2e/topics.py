"""What is on a topic, as any reader would see it after the last event came."""

from __future__ import annotations

from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import Topic
from shared.kafka import end_offsets


async def newest(kafka: str, topic: Topic) -> dict[str, dict[str, Any]]:
    """Per case the envelope with the highest `seq`, over both lanes, from the beginning."""
    return {case: told[-1] for case, told in (await every(kafka, topic)).items()}


async def every(kafka: str, topic: Topic) -> dict[str, list[dict[str, Any]]]:
    """Per case its envelopes in the order of `seq`, over both lanes, from the beginning."""
    ends = await end_offsets(kafka, [topic])
    missing = {place for place, end in ends.items() if end > 0}
    found: dict[str, dict[int, dict[str, Any]]] = {}
    consumer = AIOKafkaConsumer(
        *topic.lanes, bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        while missing:
            for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    envelope = orjson.loads(record.value)
                    found.setdefault(envelope["case"], {})[envelope["seq"]] = envelope
                if records[-1].offset + 1 >= ends[tp.topic, tp.partition]:
                    missing.discard((tp.topic, tp.partition))
    finally:
        await consumer.stop()
    return {case: [told[seq] for seq in sorted(told)] for case, told in found.items()}
