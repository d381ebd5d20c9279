"""The queue in memory: deadlines first, so many at once for each, nobody delayed by somebody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from services.delivery.dispatch import BULK_AT_ALL, BULK_ROOM, LIVE_ROOM, Dispatcher
from services.delivery.domain.circuit import FAILURES
from services.delivery.domain.sending import Attempt
from services.delivery.store import Leased

SOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def leased(
    id_: str, recipient: str = "css", *, due_min: int = 0, lease_s: float = 60, **changes: Any
) -> Leased:
    return Leased(
        id=id_,
        case=changes.pop("case", f"case of {id_}"),
        recipient=recipient,
        due=SOON + timedelta(minutes=due_min),
        bulk=changes.pop("bulk", False),
        channel=0,
        trace=None,
        lease_until=datetime.now(UTC) + timedelta(seconds=lease_s),
        payload=b"{}",
    )


class Recipients:
    """Recipients that answer when they are told to, and remember in which order they were asked."""

    def __init__(
        self, *, per_recipient: int = 2, at_once: int = 10, slow: tuple[str, ...] = (), bulk_at_once: int = 8
    ) -> None:
        self.asked: list[str] = []
        self.done: list[str] = []
        self.unused: list[str] = []
        self.slow = {name: asyncio.Event() for name in slow}
        self.dispatcher = Dispatcher(
            self.send, per_recipient=per_recipient, at_once=at_once, attempt_s=10, bulk_at_once=bulk_at_once
        )
        self.dispatcher.report_to(lambda attempt: self.done.append(attempt.delivery), self.unused.append)

    async def send(self, one: Leased) -> Attempt:
        self.asked.append(one.id)
        if one.recipient in self.slow:
            await self.slow[one.recipient].wait()
        else:
            await asyncio.sleep(0)
        return Attempt(one.id, one.case, "received", "HTTP 204", SOON, SOON)

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)


async def test_the_earliest_deadline_goes_first_over_all_recipients() -> None:
    at = Recipients(per_recipient=1, at_once=1)
    at.dispatcher.put(
        [
            leased("c", "x", due_min=30),
            leased("a", "y", due_min=5),
            leased("d", "x", due_min=60),
            leased("b", "z", due_min=15),
        ]
    )
    await at.settle()
    assert at.asked == ["a", "b", "c", "d"]


async def test_urgent_work_never_waits_behind_bulk_whatever_its_deadline() -> None:
    at = Recipients(per_recipient=1, at_once=1)
    at.dispatcher.put([leased(f"bulk-{n}", due_min=-60, bulk=True) for n in range(3)])
    at.dispatcher.put([leased("urgent", due_min=15)])
    await at.settle()
    assert at.asked.index("urgent") <= 1


async def test_a_slow_recipient_takes_its_own_places_and_no_others() -> None:
    at = Recipients(per_recipient=2, at_once=4, slow=("slow",))
    at.dispatcher.put([leased(f"slow-{n}", "slow", due_min=n) for n in range(50)])
    at.dispatcher.put([leased(f"well-{n}", "well", due_min=100 + n) for n in range(50)])
    await at.settle()
    assert len([one for one in at.done if one.startswith("well")]) == 50
    assert [one for one in at.asked if one.startswith("slow")] == ["slow-0", "slow-1"]
    at.slow["slow"].set()
    await at.settle()
    assert [one for one in at.asked if one.startswith("slow")] == [f"slow-{n}" for n in range(50)]


async def test_versions_of_one_case_reach_a_recipient_one_after_the_other() -> None:
    at = Recipients(per_recipient=8, slow=("slow",))
    at.dispatcher.put([leased("v1", "slow", case="one")])
    await at.settle()
    at.dispatcher.put([leased("v2", "slow", case="one", due_min=-30), leased("other", "slow", case="two")])
    await at.settle()
    assert at.asked == ["v1", "other"]
    at.slow["slow"].set()
    await at.settle()
    assert at.asked == ["v1", "other", "v2"]


async def test_what_is_superseded_is_not_sent_and_what_has_begun_is_known() -> None:
    at = Recipients(per_recipient=1, slow=("slow",))
    at.dispatcher.put([leased("begun", "slow"), leased("waiting", "slow"), leased("last", "slow", due_min=9)])
    await at.settle()
    at.dispatcher.drop(["begun", "waiting"])
    assert at.dispatcher.begun("begun")
    assert not at.dispatcher.begun("waiting")
    at.slow["slow"].set()
    await at.settle()
    assert at.asked == ["begun", "last"]
    assert at.dispatcher.begun("begun")
    at.dispatcher.recorded(["begun", "last"])
    assert not at.dispatcher.begun("begun")


async def test_a_delivery_that_waits_or_is_on_its_way_is_not_taken_twice() -> None:
    at = Recipients(per_recipient=1, slow=("slow",))
    at.dispatcher.put([leased("one", "slow"), leased("two", "slow")])
    await at.settle()
    at.dispatcher.put([leased("one", "slow"), leased("two", "slow")])
    at.slow["slow"].set()
    await at.settle()
    assert at.asked == ["one", "two"]


async def test_a_lease_that_would_end_during_the_attempt_is_given_back_and_holds_up_nobody() -> None:
    at = Recipients(per_recipient=1, slow=("slow",))
    at.dispatcher.put(
        [
            leased("now", "slow"),
            leased("stale", "slow", due_min=1, lease_s=5),
            leased("fresh", "slow", due_min=2),
        ]
    )
    await at.settle()
    at.slow["slow"].set()
    await at.settle()
    assert (at.asked, at.unused) == (["now", "fresh"], ["stale"])


async def test_a_defect_in_sending_frees_the_place_and_the_delivery_can_be_taken_again() -> None:
    at = Recipients(per_recipient=1)

    async def broken(one: Leased) -> Attempt:
        at.asked.append(one.id)
        raise ZeroDivisionError

    dispatcher = Dispatcher(broken, per_recipient=1, at_once=1, attempt_s=1)
    dispatcher.report_to(lambda _: None, lambda _: None)
    dispatcher.put([leased("one"), leased("two")])
    await at.settle()
    dispatcher.put([leased("one")])
    await at.settle()
    assert at.asked == ["one", "two", "one"]


async def test_room_is_bounded_and_smaller_for_bulk() -> None:
    at = Recipients(per_recipient=1, slow=("slow",))
    at.dispatcher.put([leased(str(n), "slow") for n in range(101)])
    assert at.dispatcher.room("slow", bulk=True) == BULK_ROOM - 100
    assert at.dispatcher.room("slow", bulk=False) == LIVE_ROOM - 100
    at.slow["slow"].set()
    await at.settle()
    assert at.dispatcher.room("slow", bulk=True) == BULK_ROOM


async def test_an_address_that_fails_again_and_again_rests_and_what_waits_for_it_is_given_back() -> None:
    at = Recipients(per_recipient=2)

    async def nobody_there(one: Leased) -> Attempt:
        at.asked.append(one.id)
        return Attempt(
            one.id, one.case, "later", "not reachable", datetime.now(UTC), datetime.now(UTC), ill=True
        )

    told: list[tuple[str, bool]] = []
    dispatcher = Dispatcher(nobody_there, per_recipient=2, at_once=10, attempt_s=1)
    dispatcher.report_to(lambda _: None, at.unused.append, lambda who, well: told.append((who, well)))
    dispatcher.put([leased(f"{n:02}", due_min=n) for n in range(20)])
    await at.settle()
    assert len(at.asked) in (FAILURES, FAILURES + 1)
    assert sorted(at.asked + at.unused) == [f"{n:02}" for n in range(20)]
    assert told == [("css", False)]
    assert dispatcher.resting("css")
    assert dispatcher.room("css", bulk=False) == 0
    dispatcher.forget("css")
    assert dispatcher.room("css", bulk=False) == LIVE_ROOM


async def test_many_slow_recipients_together_leave_half_of_the_places_to_the_others() -> None:
    slow = tuple(f"slow-{n}" for n in range(10))
    at = Recipients(per_recipient=2, at_once=8, slow=slow)
    for name in slow:
        at.dispatcher._lanes[name].seconds = 5.0
    at.dispatcher.put([leased(f"{name} {n}", name, due_min=n) for name in slow for n in range(5)])
    at.dispatcher.put([leased(f"well {n}", "well", due_min=100 + n) for n in range(20)])
    await at.settle()
    assert len([one for one in at.done if one.startswith("well")]) == 20
    assert len([one for one in at.asked if one.startswith("slow")]) == 4
    for name in slow:
        at.slow[name].set()
    await at.settle()
    assert len(at.done) == 70


async def test_when_it_closes_what_is_under_way_ends_and_nothing_begins() -> None:
    at = Recipients(per_recipient=1, slow=("slow",))
    at.dispatcher.put([leased("one", "slow"), leased("two", "slow")])
    await at.settle()
    closing = asyncio.create_task(at.dispatcher.close())
    await at.settle()
    at.slow["slow"].set()
    await closing
    assert (at.asked, at.done) == (["one"], ["one"])


async def test_bulk_leaves_half_of_a_lane_and_most_of_all_places_to_what_is_live() -> None:
    names = tuple(f"r{n}" for n in range(10))
    at = Recipients(per_recipient=4, at_once=100, slow=names)
    at.dispatcher.put([leased(f"bulk {name} {n}", name, bulk=True) for name in names for n in range(20)])
    await at.settle()
    under_way = [one for one in at.asked if one.startswith("bulk")]
    assert len(under_way) == 8  # of all places; of each lane half at most
    assert max(sum(f" {name} " in one for one in under_way) for name in names) == 2
    at.dispatcher.put([leased(f"live {name} {n}", name) for name in names for n in range(2)])
    await at.settle()
    assert len([one for one in at.asked if one.startswith("live")]) == 20
    for name in names:
        at.slow[name].set()
    await at.settle()
    await at.settle()
    assert len(at.done) == 220


async def test_bulk_of_many_recipients_has_so_many_places_together_and_all_of_it_goes_out() -> None:
    names = tuple(f"r{n}" for n in range(40))
    at = Recipients(per_recipient=4, at_once=100, slow=names)
    at.dispatcher.put([leased(f"bulk {name} {n}", name, bulk=True) for name in names for n in range(3)])
    await at.settle()
    assert len(at.asked) == 8
    assert at.dispatcher.bulk_room() == BULK_AT_ALL - 120 + 8
    for name in names:
        at.slow[name].set()
    for _ in range(5):
        await at.settle()
    assert len(at.done) == 120
    assert at.dispatcher.bulk_room() == BULK_AT_ALL


async def test_no_bulk_begins_while_something_live_is_being_worked_out() -> None:
    at = Recipients()
    with at.dispatcher.bulk_held():
        at.dispatcher.put([leased("bulk", bulk=True), leased("live")])
        await at.settle()
        assert at.asked == ["live"]
    await at.settle()
    assert at.asked == ["live", "bulk"]


async def test_bulk_takes_what_the_process_has_to_spare() -> None:
    names = tuple(f"r{n}" for n in range(40))
    at = Recipients(per_recipient=4, at_once=100, slow=names, bulk_at_once=20)
    at.dispatcher.put([leased(f"bulk {name}", name, bulk=True) for name in names])
    for _ in range(50):
        at.dispatcher.woke(0.0)
    await at.settle()
    assert len(at.asked) == 20
    for _ in range(10):
        at.dispatcher.woke(0.1)
    at.slow["r0"].set()
    await at.settle()
    assert len(at.asked) == 20  # too much is under way already: what ends makes no place
    for name in names:
        at.slow[name].set()
    await at.settle()
    await at.settle()
    assert len(at.done) == 40
