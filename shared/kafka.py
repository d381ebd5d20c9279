"""Apache Kafka through aiokafka: topics made to the table, an idempotent producer, a consumer's settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.partitioner import murmur2

from shared.contracts.topics import TOPICS, Topic
from shared.errors import Rejected, Retryable

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
_ACK_WITHIN_S: Final = 15.0
_ANSWER_WITHIN_S: Final = 5.0
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


@lru_cache(maxsize=65536)
def partition_of(case: str, partitions: int) -> int:
    """The partition of a case: Kafka's own rule (murmur2 of the key), the same for every client."""
    return int((murmur2(case.encode()) & 0x7FFFFFFF) % partitions)


@dataclass(slots=True)
class Message:
    """One event on its way out; `offset` is filled in when the broker has it."""

    topic: str
    key: str
    value: bytes
    traceparent: str | None = None
    partition: int = -1
    offset: int = -1


class Producer:
    """An idempotent producer (`acks=all`), made anew when it gets stuck.

    `available`: whether the broker answered when it was last needed or asked after (`look`).
    """

    def __init__(self, bootstrap: str, client_id: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()
        self.available = True

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send all and wait until the broker has them on disk. Raises Retryable where it is away, Rejected
        where it will never take one of them; the others may then be there or not.

        A repeat after a failure may double some of them: consumers drop doubles by `seq`.
        """
        if not messages:
            return
        groups: dict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            if message.partition < 0:
                message.partition = partition_of(message.key, self._partitions)
            groups[message.topic, message.partition].append(message)
        try:
            async with asyncio.timeout(_ACK_WITHIN_S):
                producer = await self._started()
                sent = [
                    part
                    for (topic, partition), group in groups.items()
                    for part in await _send_group(producer, topic, partition, group)
                ]
                await _acknowledged(sent)
        except _TOO_LARGE as error:
            # What the broker refused has used up a number of the idempotent producer's.
            self._discard()
            raise Rejected("the event is larger than the broker takes") from error
        except (KafkaError, OSError, TimeoutError) as error:
            self.available = False
            self._discard()
            raise Retryable(f"the broker did not take it ({type(error).__name__})") from error
        self.available = True

    async def look(self) -> None:
        """Ask whether the broker is there, and keep the answer in `available`."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                self.available = bool(await (await self._started()).client.force_metadata_update())
        except (KafkaError, OSError, TimeoutError):
            self.available = False

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    max_batch_size=262_144,
                    max_request_size=MAX_MESSAGE_BYTES,
                    compression_type="zstd",
                    request_timeout_ms=10_000,
                    retry_backoff_ms=100,
                )
                try:
                    await producer.start()
                except BaseException:
                    await _stop_quietly(producer)
                    raise
                self._producer = producer
            return self._producer

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its pending batches are in the outbox too: nobody waits for them. It gives them up by itself
            # after a while; cut short, it would go on trying for ever.
            stopping = asyncio.create_task(_stop(producer))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        """Stop, without waiting for what the outbox still holds."""
        self._discard()
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=3)
        for stopping in list(self._stopping):
            stopping.cancel()


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError):
        await producer.stop()


async def _acknowledged(sent: Sequence[tuple[asyncio.Future[Any], list[Message]]]) -> None:
    """Wait for all, note where each stands; raise the failure that says most."""
    failures: list[BaseException] = []
    answers = await asyncio.gather(*(future for future, _ in sent), return_exceptions=True)
    for metadata, (_, group) in zip(answers, sent, strict=True):
        if isinstance(metadata, BaseException):
            failures.append(metadata)
            continue
        for i, message in enumerate(group):
            message.offset = metadata.offset + i
    if failures:
        raise next((one for one in failures if isinstance(one, _TOO_LARGE)), failures[0])


async def _send_group(
    producer: AIOKafkaProducer, topic: str, partition: int, group: list[Message]
) -> list[tuple[asyncio.Future[Any], list[Message]]]:
    sent = []
    rest = group
    while rest:
        batch = producer.create_batch()
        taken = 0
        for message in rest:
            headers = [("traceparent", message.traceparent.encode())] if message.traceparent else []
            # A batch takes its first message however large it is.
            if (
                batch.append(key=message.key.encode(), value=message.value, timestamp=None, headers=headers)
                is None
            ):
                break
            taken += 1
        batch.close()
        sent.append((await producer.send_batch(batch, topic, partition=partition), rest[:taken]))
        rest = rest[taken:]
    return sent


async def _stop_quietly(client: Any) -> None:
    """Stop a client that may already be broken; what it says about that helps nobody."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(3):
            await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


def consumer(
    bootstrap: str, group: str, *, client_id: str, fetch_wait_ms: int, fetch_min_bytes: int = 1
) -> AIOKafkaConsumer:
    """A consumer that commits by hand and starts at the beginning; not yet started or subscribed."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=fetch_wait_ms,
        fetch_min_bytes=fetch_min_bytes,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        session_timeout_ms=15_000,
        heartbeat_interval_ms=3_000,
        max_poll_interval_ms=600_000,
        request_timeout_ms=20_000,
        retry_backoff_ms=100,
    )


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises Retryable where the broker is away."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError) as error:
        raise Retryable(f"the broker cannot be reached ({type(error).__name__})") from error
    finally:
        await _stop_quietly(client)


async def make_topics(bootstrap: str, partitions: int, *, replication: int = 1) -> list[str]:
    """Make the topics of the table that are not there yet; the names of those made."""
    wanted = [(lane, topic.retention_ms) for topic in TOPICS for lane in topic.lanes]
    return await _make(bootstrap, wanted, partitions, replication)


async def make_topic(
    bootstrap: str,
    name: str,
    partitions: int,
    *,
    retention_ms: int,
    replication: int = 1,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> list[str]:
    """Make one topic beyond the table (a recipient's own), for messages of `max_bytes` at most."""
    return await _make(bootstrap, [(name, retention_ms)], partitions, replication, max_bytes)


async def _make(
    bootstrap: str,
    wanted: list[tuple[str, int]],
    partitions: int,
    replication: int,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> list[str]:
    async with admin(bootstrap) as client:
        existing = set(await client.list_topics())
        missing = [
            NewTopic(
                name,
                num_partitions=partitions,
                replication_factor=replication,
                topic_configs={
                    "retention.ms": str(retention_ms),
                    "max.message.bytes": str(max_bytes),
                },
            )
            for name, retention_ms in wanted
            if name not in existing
        ]
        if missing:
            response = await client.create_topics(missing)
            for name, code, *_ in response.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise Retryable(f"topic {name} could not be made ({error.__name__})")
        return [topic.name for topic in missing]


async def group_offsets(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """The committed offset of a consumer group per (topic, partition)."""
    async with admin(bootstrap) as client:
        found = await client.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}


async def end_offsets(bootstrap: str, topics: Sequence[Topic]) -> dict[tuple[str, int], int]:
    """The offset after the last record, per (topic lane, partition)."""
    return {place: end for place, (_, end) in (await kept_offsets(bootstrap, topics)).items()}


async def kept_offsets(bootstrap: str, topics: Sequence[Topic]) -> dict[tuple[str, int], tuple[int, int]]:
    """What is kept, per (topic lane, partition): the first record's offset, and that after the last."""
    lanes = [lane for topic in topics for lane in topic.lanes]
    async with admin(bootstrap) as described:
        found = await described.describe_topics(lanes)
    partitions = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in found
        for partition in topic["partitions"]
    ]
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        await client.start()
        if not partitions:
            return {}
        first = await client.beginning_offsets(partitions)
        ends = await client.end_offsets(partitions)
        return {(tp.topic, tp.partition): (first[tp], end) for tp, end in ends.items()}
    except (KafkaError, OSError) as error:
        raise Retryable(f"the broker cannot be reached ({type(error).__name__})") from error
    finally:
        await _stop_quietly(client)
