"""What a new version of a case means for each recipient."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain.case import Delivery, delivery_id
from services.delivery.domain.notification import view_of_document
from services.delivery.domain.recipients import Addressed
from services.delivery.domain.versions import Change, change_for, merged, told, with_those_told
from tests.unit.delivery.builders import NOON, a_delivery, a_recipient, decided, route, wanted

HERE = "here"


def change(version: int, *asked: object, earlier: tuple[Delivery, ...] = (), **changes: object) -> Change:
    return change_for(decided(version=version, why="amended", **changes), asked, earlier, HERE)  # type: ignore[arg-type]


def test_a_delivery_has_one_id_for_its_version_recipient_and_role() -> None:
    one = delivery_id("northshire/NS-1", 1, "css", "childrens_services")
    assert one == delivery_id("northshire/NS-1", 1, "css", "childrens_services")
    assert one.startswith("d-")
    others = {
        delivery_id("northshire/NS-2", 1, "css", "childrens_services"),
        delivery_id("northshire/NS-1", 2, "css", "childrens_services"),
        delivery_id("northshire/NS-1", 1, "edt", "childrens_services"),
        delivery_id("northshire/NS-1", 1, "css", "marac"),
    }
    assert len(others | {one}) == 5


def test_who_was_told_nothing_gets_the_case_whole() -> None:
    (sending,) = change(1, wanted()).send
    assert (sending.replaces, sending.why_again, sending.due) == (None, None, NOON + timedelta(hours=4))


def test_fresher_news_of_the_same_is_no_change_of_the_view() -> None:
    def told(**how_fresh: object) -> dict[str, Any]:
        involvement = [{"child": "c1", "level": "low", **how_fresh}]
        return {"incident": {"revision": 1}, "history": {"as_of": "now", "involvement": involvement}}

    before = view_of_document(told(as_of="2026-11-01T00:00:00Z", stale=True))
    assert view_of_document(told(as_of="2026-11-20T00:00:00Z", source_as_of="2026-11-20T00:00:00Z")) == before
    assert view_of_document(told(level="high")) != before


def test_an_unchanged_view_is_not_sent_again() -> None:
    earlier = a_delivery(state="received")
    assert change(2, wanted(), earlier=(earlier,)) == Change()


def test_a_changed_view_names_what_it_replaces_and_why() -> None:
    earlier = a_delivery(state="received")
    found = change(2, wanted("changed"), earlier=(earlier,))
    assert [(s.replaces, s.why_again) for s in found.send] == [(earlier.id, "amended")]
    assert found.superseded == []


def test_what_was_not_seen_gives_way_and_is_not_named() -> None:
    first, second = a_delivery(state="received"), a_delivery(2, view="changed")
    found = change(3, wanted("changed again"), earlier=(first, second))
    assert found.superseded == [second]
    assert [sending.replaces for sending in found.send] == [first.id]


def test_what_may_have_been_seen_is_named() -> None:
    for tried in (
        a_delivery(attempts=1),
        a_delivery(begun=True),
        a_delivery(leased_by="another process"),
        a_delivery(state="offered", leased_by=None),
    ):
        found = change(2, wanted("changed"), earlier=(tried,))
        assert found.superseded == [tried]
        assert [sending.replaces for sending in found.send] == [tried.id]


def test_a_version_waits_for_another_process_that_may_be_sending_the_one_before() -> None:
    tried = a_delivery(leased_by="another process")
    (sending,) = change(2, wanted("changed"), earlier=(tried,)).send
    assert sending.after == tried.lease_until
    mine = a_delivery()
    assert change(2, wanted("changed"), earlier=(mine,)).send[0].after is None


def test_going_back_to_what_they_had_sends_nothing_and_stops_what_was_waiting() -> None:
    first, second = a_delivery(state="received"), a_delivery(2, view="changed")
    found = change(3, wanted(), earlier=(first, second))
    assert (found.send, found.superseded) == ([], [second])


def test_what_was_superseded_before_it_was_received_does_not_count_as_had() -> None:
    first = a_delivery(state="superseded", attempts=1, leased_by=None)
    second = a_delivery(2, view="changed")
    (sending,) = change(3, wanted(), earlier=(first, second)).send
    assert sending.replaces == first.id


def test_what_arrived_after_it_was_superseded_counts_as_had() -> None:
    first = a_delivery(state="superseded", attempts=1, received_at=NOON)
    assert change(3, wanted(), earlier=(first,)).send == []


def test_a_newer_version_never_relaxes_a_deadline_that_is_not_met() -> None:
    late = wanted("changed", due=NOON + timedelta(days=2))
    waiting = a_delivery()
    assert change(2, late, earlier=(waiting,)).send[0].due == waiting.due
    had = a_delivery(state="received")
    assert change(2, late, earlier=(had,)).send[0].due == late.due


def test_an_earlier_deadline_holds_for_what_is_still_waiting() -> None:
    waiting = a_delivery()
    sooner = wanted(due=NOON + timedelta(minutes=15))
    assert change(2, sooner, earlier=(waiting,)) == Change()
    assert waiting.due == sooner.due


def test_a_missed_deadline_is_not_noted_twice() -> None:
    missed = a_delivery(breached_at=NOON)
    (sending,) = change(2, wanted("changed"), earlier=(missed,)).send
    assert sending.breached_at == NOON


def test_a_held_delivery_is_replaced_and_no_longer_held() -> None:
    held = a_delivery(state="held", attempts=3, leased_by=None)
    found = change(2, wanted("changed"), earlier=(held,))
    assert found.superseded == [held]


def test_who_is_no_longer_routed_to_and_was_not_told_yet_is_not_told() -> None:
    waiting = a_delivery(recipient="northbury-marac")
    assert change(2, wanted(), earlier=(waiting,)).superseded == [waiting]


def test_an_amendment_reaches_everyone_who_was_told() -> None:
    received = a_delivery(state="received")
    waiting = a_delivery(recipient="northbury-marac")
    offered = a_delivery(recipient="northbury-edt", state="offered", leased_by=None)
    everybody = with_those_told(
        [],
        [received, waiting, offered],
        HERE,
        lambda delivery: wanted("changed", recipient=a_recipient(delivery.recipient), routed=False),
    )
    assert [one.recipient.id for one in everybody] == ["northbury-children", "northbury-edt"]
    found = change(2, *everybody, earlier=(received, waiting, offered))
    assert [sending.replaces for sending in found.send] == [received.id, offered.id]


def test_who_has_left_the_directory_is_left_out() -> None:
    assert with_those_told([], [a_delivery(state="received")], HERE, lambda _: None) == []


def test_the_last_of_what_they_may_have_seen_is_what_they_have() -> None:
    first, second, third = a_delivery(state="received"), a_delivery(2, attempts=1), a_delivery(3)
    assert told([third, second, first], HERE) == [second]


def test_two_routes_to_one_recipient_are_one_delivery_at_the_higher_response_and_earlier_deadline() -> None:
    recipient = a_recipient()
    soon, late = NOON + timedelta(minutes=15), NOON + timedelta(days=1)
    one = Addressed(route(about=["c1"], response="section_17", due=late, rules=["x"]), recipient)
    other = Addressed(route(about=["c2", "c1"], response="section_47", due=soon, rules=["y"]), recipient)
    (both,) = merged([one, other])
    assert (both.route.about, both.route.response, both.route.due, both.route.rules) == (
        ("c1", "c2"),
        "section_47",
        soon,
        ("x", "y"),
    )


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["seen", "unseen", "failed"])), min_size=1, max_size=8
    )
)
def test_whatever_happens_a_recipient_ends_with_the_newest_view_and_one_delivery_on_its_way(
    story: list[tuple[str, str]],
) -> None:
    deliveries: list[Delivery] = []
    for version, (view, fate) in enumerate(story, start=1):
        found = change(version, wanted(view), earlier=tuple(deliveries))
        for gone in found.superseded:
            gone.state, gone.leased_by = "superseded", None
        for sending in found.send:
            deliveries.append(a_delivery(version, view=sending.wanted.view))
        for waiting in [d for d in deliveries if d.state == "waiting"]:
            if fate == "seen":
                waiting.state, waiting.received_at, waiting.attempts = "received", NOON, 1
            elif fate == "failed":
                waiting.attempts += 1
        on_the_way = [d for d in deliveries if d.awaited]
        assert len(on_the_way) <= 1
        had = [d for d in deliveries if d.received_at is not None]
        last = (on_the_way or had)[-1]
        assert last.view == view
        assert [d.version for d in deliveries] == sorted(d.version for d in deliveries)
