"""How submissions are stored in groups: together, and none at the cost of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.intake.handlers import Answer, Answered
from services.intake.store import Overtaken
from services.intake.submissions import Submission, read_sent, read_submission
from services.intake.writer import Writer
from shared.errors import Refused, Retryable
from shared.keys import Caller
from tests.builders import an_incident

POLICE = Caller(key="k1", role="police", force="northshire")


def a_submission(reference: str) -> Submission:
    return read_submission(
        read_sent(orjson.dumps(an_incident(reference=reference)), "json"),
        caller=POLICE,
        arrived=datetime(2026, 11, 21, 9, tzinfo=UTC),
        trace=None,
    )


class FakeOutbox:
    """Transactions that only count."""

    def __init__(self) -> None:
        self.committed = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        yield None
        self.committed += 1


class Store:
    """Accepts every submission unless `trouble` raises; remembers the groups it was given."""

    def __init__(self, trouble: Callable[[list[str]], None] = lambda group: None) -> None:
        self.groups: list[list[str]] = []
        self._trouble = trouble

    async def accept(self, tx: Any, group: Sequence[Submission]) -> list[Answer]:
        references = [submission.incident.reference for submission in group]
        self.groups.append(references)
        self._trouble(references)
        await asyncio.sleep(0)
        return [Answered(reference.encode(), "accepted") for reference in references]


@asynccontextmanager
async def writing(store: Store, *, group_size: int = 300, queue_size: int = 1000) -> AsyncIterator[Writer]:
    outbox: Any = FakeOutbox()
    writer = Writer(outbox, store.accept, group_size=group_size, queue_size=queue_size, within_s=5)
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def bodies(*answers: asyncio.Future[Answered]) -> list[Any]:
    found = await asyncio.gather(*answers, return_exceptions=True)
    return [one.body.decode() if isinstance(one, Answered) else one for one in found]


async def test_what_waits_together_is_stored_together() -> None:
    store = Store()
    async with writing(store) as writer:
        answers = [writer.submit(a_submission(str(n))) for n in range(20)]
        assert await bodies(*answers) == [str(n) for n in range(20)]
    assert store.groups == [[str(n) for n in range(20)]]


async def test_a_rush_is_stored_in_groups_of_the_allowed_size() -> None:
    store = Store()
    async with writing(store, group_size=8) as writer:
        await bodies(*(writer.submit(a_submission(str(n))) for n in range(20)))
    assert [len(group) for group in store.groups] == [8, 8, 4]


async def test_one_incident_alone_goes_before_lines_of_a_batch() -> None:
    store = Store()
    async with writing(store, group_size=2) as writer:
        lines = [writer.submit(a_submission(f"line-{n}"), of_many=True) for n in range(3)]
        single = writer.submit(a_submission("single"))
        await bodies(*lines, single)
    assert store.groups[0] == ["single", "line-0"]


async def test_one_that_fails_spoils_no_other() -> None:
    def refuse_the_bad_one(group: list[str]) -> None:
        if "bad" in group:
            raise ValueError("a defect")

    async with writing(Store(refuse_the_bad_one)) as writer:
        names = ["a", "b", "bad", "c", "d"]
        answered = await bodies(*(writer.submit(a_submission(name)) for name in names))
    assert answered[:2] + answered[3:] == ["a", "b", "c", "d"]
    assert isinstance(answered[2], ValueError)


async def test_a_database_that_is_away_is_told_to_everyone_who_waits() -> None:
    def away(group: list[str]) -> None:
        raise Retryable("the database cannot be reached")

    store = Store(away)
    async with writing(store) as writer:
        answered = await bodies(*(writer.submit(a_submission(str(n))) for n in range(5)))
    assert [(type(one), one.status, one.headers) for one in answered] == [
        (Refused, 503, {"Retry-After": "2"})
    ] * 5
    assert len(store.groups) == 1


async def test_overtaken_by_another_copy_it_looks_again() -> None:
    tries = iter([True, True, False])

    def overtaken_twice(group: list[str]) -> None:
        if next(tries):
            raise Overtaken("another copy made it")

    async with writing(Store(overtaken_twice)) as writer:
        assert await bodies(writer.submit(a_submission("a"))) == ["a"]


async def test_when_too_many_wait_the_next_is_told_to_come_back() -> None:
    async with writing(Store(), queue_size=3) as writer:
        waiting = [writer.submit(a_submission(str(n))) for n in range(3)]
        with pytest.raises(Refused) as refusal:
            writer.submit(a_submission("one too many"))
        assert refusal.value.status == 503
        assert await bodies(*waiting) == ["0", "1", "2"]


async def test_a_caller_who_has_gone_does_not_stop_the_others() -> None:
    async with writing(Store()) as writer:
        gone, stays = writer.submit(a_submission("gone")), writer.submit(a_submission("stays"))
        gone.cancel()
        assert await stays == Answered(b"stays", "accepted")


async def test_when_the_service_stops_nobody_is_left_waiting() -> None:
    async def never(tx: Any, group: Sequence[Submission]) -> list[Answer]:
        await asyncio.Event().wait()
        return []

    store = Store()
    store.accept = never  # type: ignore[method-assign]
    async with writing(store, group_size=1) as writer:
        answers = [writer.submit(a_submission(str(n))) for n in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [one.status for one in await bodies(*answers)] == [503, 503, 503]


async def test_long_submissions_are_stored_a_few_at_a_time() -> None:
    def long(reference: str) -> Submission:
        return replace(a_submission(reference), raw=b" " * 600_000)

    store = Store()
    async with writing(store) as writer:
        await bodies(*(writer.submit(long(str(n))) for n in range(5)))
    assert [len(group) for group in store.groups] == [2, 2, 1]
