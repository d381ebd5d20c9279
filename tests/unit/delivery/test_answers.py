"""What happens to a delivery: attempts, receipts, cursors, deadlines; and what becomes of its case."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain import answers
from services.delivery.domain.answers import Closed, Said
from services.delivery.domain.case import CaseRecord, Delivery
from services.delivery.domain.recipients import Channel
from services.delivery.domain.sending import (
    GIVEN_UP_AFTER,
    LONGEST_PAUSE_S,
    Attempt,
    outcome_of,
    pause_s,
    read_retry_after,
)
from shared.contracts.events import CaseAnswered
from shared.ledger import without_gaps
from tests.unit.delivery.builders import NOON, a_delivery, a_recipient


def an_attempt(outcome: Any = "later", *, at: datetime = NOON, **changes: Any) -> Attempt:
    return Attempt(
        delivery="d",
        case="c",
        outcome=outcome,
        result="HTTP 500",
        started=at + timedelta(seconds=1),
        ended=at + timedelta(seconds=2),
        **changes,
    )


def said(kind: Any, *, at: datetime = NOON, **changes: Any) -> Said:
    return Said(delivery="d", recipient="northbury-children", kind=kind, came=at, **changes)


def a_case(**changes: Any) -> CaseRecord:
    record = CaseRecord(
        case="northshire/NS-2026-000001", version=1, revision=1, state="in_flight", held_by=None,
        decided_state="to_route", decided_owner=None, why="accepted", trace=None, caused_by=None, lane="live",
        ledger=[],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def test_two_hundreds_are_received_and_410_is_the_end_and_all_else_is_tried_again() -> None:
    assert {status: outcome_of(status) for status in (200, 204, 299)} == dict.fromkeys(
        (200, 204, 299), "received"
    )
    assert outcome_of(410) == "gone"
    assert {outcome_of(status) for status in (100, 301, 302, 307, 400, 401, 404, 429, 500, 503)} == {"later"}


def test_pauses_grow_from_seconds_to_minutes_with_full_jitter() -> None:
    longest = [pause_s(attempts, lambda: 0.999999) for attempts in range(1, 15)]
    assert longest[0] == pytest.approx(2, rel=0.01)
    assert longest == sorted(longest)
    assert longest[-1] == pytest.approx(LONGEST_PAUSE_S, rel=0.01)
    assert pause_s(10, lambda: 0.0) == 0.5


@given(st.integers(1, 10_000), st.floats(0, 0.999), st.one_of(st.none(), st.floats(0, 1e6)))
def test_a_recipient_that_asks_for_patience_gets_it_but_not_for_ever(
    attempts: int, drawn: float, asked: float | None
) -> None:
    pause = pause_s(attempts, lambda: drawn, asked)
    assert 0 < pause <= 4 * 3600
    if asked is not None and asked <= 4 * 3600:
        assert pause >= asked


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert read_retry_after("120", NOON) == 120
    assert read_retry_after("Mon, 23 Nov 2026 12:05:00 GMT", NOON) == 300
    assert read_retry_after("Mon, 23 Nov 2020 12:05:00 GMT", NOON) == 0
    assert read_retry_after("9" * 400, NOON) == 10**6
    for nothing in (None, "", "soon", "-5", "٣"):
        assert read_retry_after(nothing, NOON) is None


def test_a_failed_attempt_is_tried_again_later_and_a_good_one_is_received() -> None:
    delivery = a_delivery()
    answers.attempted(delivery, an_attempt(), a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.attempts, delivery.lease_until) == ("waiting", 1, None)
    assert delivery.next_at == NOON + timedelta(seconds=3)
    again = NOON + timedelta(seconds=10)
    answers.attempted(delivery, an_attempt("received", at=again), a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.received_at) == ("received", again + timedelta(seconds=2))
    assert [entry.worked_ms for entry in delivery.ledger] == [1000, 1000]
    assert [entry.waited_ms for entry in delivery.ledger] == [1000, 9000]
    assert without_gaps(delivery.ledger)


def test_retry_after_is_honoured() -> None:
    delivery = a_delivery()
    answers.attempted(delivery, an_attempt(retry_after_s=600), a_recipient(), lambda: 0.5)
    assert delivery.next_at == NOON + timedelta(seconds=602)


@pytest.mark.parametrize("how", ["gone", "used up"])
def test_when_a_webhook_is_of_no_use_any_more_the_next_channel_is_taken_then_a_person(how: str) -> None:
    first = NOON - GIVEN_UP_AFTER if how == "used up" else None
    attempt = an_attempt("later" if how == "used up" else "gone")
    delivery = a_delivery(first_attempt_at=first)
    answers.attempted(delivery, attempt, a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.channel) == ("waiting", 1)
    alone = a_delivery(first_attempt_at=first)
    only = a_recipient(channels=(Channel("webhook", "https://example.org"),))
    answers.attempted(alone, attempt, only, lambda: 0.5)
    assert (alone.state, alone.next_at) == ("held", None)
    assert alone.held_because is not None


def test_what_goes_into_an_inbox_instead_was_not_an_attempt() -> None:
    delivery = a_delivery()
    answers.attempted(delivery, an_attempt("not_sent"), a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.attempts, delivery.channel, delivery.ledger) == ("waiting", 0, 0, [])


def test_a_late_answer_to_what_was_superseded_is_kept_and_starts_nothing() -> None:
    delivery = a_delivery(state="superseded")
    answers.attempted(delivery, an_attempt("received"), a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.received_at) == ("superseded", NOON + timedelta(seconds=2))
    failed = a_delivery(state="superseded")
    answers.attempted(failed, an_attempt("gone"), a_recipient(), lambda: 0.5)
    assert (failed.state, failed.channel) == ("superseded", 0)


def test_on_a_topic_is_offered_and_received_only_by_receipt() -> None:
    delivery = a_delivery()
    answers.attempted(delivery, an_attempt("published"), a_recipient(), lambda: 0.5)
    assert (delivery.state, delivery.received_at) == ("offered", None)
    answers.receipt(delivery, said("received", at=NOON + timedelta(minutes=1)))
    assert delivery.state == "received"


def test_a_cursor_that_moves_past_an_entry_says_it_was_received_once() -> None:
    delivery = a_delivery(state="offered")
    answers.cursor_passed(delivery, NOON + timedelta(minutes=1))
    answers.cursor_passed(delivery, NOON + timedelta(minutes=9))
    assert delivery.received_at == NOON + timedelta(minutes=1)
    assert [entry.stage for entry in delivery.ledger] == ["received"]


def test_who_decided_has_received() -> None:
    delivery = a_delivery(state="offered")
    assert answers.receipt(delivery, said("decided", pathway="section_47")) == "recorded"
    assert (delivery.state, delivery.received_at) == ("received", NOON)


def test_repeats_are_fine_and_steps_out_of_order_are_kept_and_change_nothing() -> None:
    delivery = a_delivery(state="received", received_at=NOON)
    assert answers.receipt(delivery, said("received")) == "repeated"
    assert answers.receipt(delivery, said("decided", pathway="section_17")) == "recorded"
    assert answers.receipt(delivery, said("decided", pathway="section_17")) == "repeated"
    assert answers.receipt(delivery, said("accepted")) == "late"
    assert answers.receipt(delivery, said("decided", pathway="section_47")) == "recorded"
    assert [one["kind"] for one in delivery.answers] == ["decided", "accepted", "decided"]


def test_a_rejected_case_is_held_for_a_person_with_the_clock_running() -> None:
    delivery = a_delivery(state="received", received_at=NOON)
    answers.receipt(delivery, said("rejected", reason="lives elsewhere"))
    assert delivery.state == "held"
    assert answers.receipt(delivery, said("opened")) == "late"
    assert delivery.state == "held"
    with pytest.raises(Closed):
        answers.receipt(delivery, said("decided"))


def test_what_was_decided_cannot_be_rejected_any_more() -> None:
    delivery = a_delivery(state="received")
    answers.receipt(delivery, said("decided"))
    with pytest.raises(Closed):
        answers.receipt(delivery, said("rejected", reason="no"))


def test_what_was_never_sent_takes_no_receipt_and_receipts_do_not_grow_without_end() -> None:
    with pytest.raises(Closed):
        answers.receipt(a_delivery(state="test_withheld"), said("received"))
    delivery = a_delivery(state="received")
    for number in range(answers.MOST_RECEIPTS):
        answers.receipt(delivery, said("opened", reason=str(number)))
    with pytest.raises(Closed):
        answers.receipt(delivery, said("opened", reason="once more"))


@pytest.mark.parametrize("wrong_by", [timedelta(days=-400), timedelta(days=400)])
def test_a_recipients_wrong_clock_does_not_move_the_ledger(wrong_by: timedelta) -> None:
    delivery = a_delivery(state="offered")
    came = NOON + timedelta(minutes=5)
    answers.receipt(delivery, Said("d", "r", "opened", came=came, at=NOON + wrong_by))
    assert delivery.answers[0]["at"] == "2026-11-23T12:05:00Z"
    assert delivery.ledger[-1].to == came


def test_a_held_delivery_whose_recipient_answers_has_arrived_after_all() -> None:
    delivery = a_delivery(state="held", held_because="no way left to reach it")
    answers.receipt(delivery, said("opened"))
    assert delivery.state == "received"


def test_a_deadline_is_missed_once_and_only_while_nothing_was_received() -> None:
    late = NOON + timedelta(hours=5)
    delivery = a_delivery()
    assert not answers.missed(delivery, NOON)
    assert answers.missed(delivery, late)
    assert not answers.missed(delivery, late)
    assert answers.missed(a_delivery(state="held"), late)
    for done in (
        a_delivery(state="received", received_at=NOON),
        a_delivery(state="superseded"),
        a_delivery(state="test_withheld"),
    ):
        assert not answers.missed(done, late)


@pytest.mark.parametrize(
    ("deliveries", "changes", "state", "owner"),
    [
        ([], {}, "routed", None),
        (["received", "superseded", "test_withheld"], {}, "routed", None),
        (["received", "waiting"], {}, "in_flight", None),
        (["offered"], {}, "in_flight", None),
        (["received", "held"], {}, "held", "delivery"),
        (["received"], {"unaddressed": [{"service": "marac"}]}, "held", "delivery"),
        ([], {"decided_state": "held", "decided_owner": "screening"}, "held", "screening"),
        (["received"], {"decided_state": "withdrawn"}, "withdrawn", None),
        (["waiting"], {"decided_state": "withdrawn"}, "in_flight", None),
        ([], {"decided_state": "no_recipient_by_rule"}, "no_recipient_by_rule", None),
    ],
)
def test_a_case_is_always_in_one_named_state(
    deliveries: list[Any], changes: dict[str, Any], state: str, owner: str | None
) -> None:
    found = answers.state_of(a_case(**changes), [a_delivery(state=one) for one in deliveries])
    assert found == (state, owner)


def test_what_became_of_a_case_is_told_whole() -> None:
    first: Delivery = a_delivery(state="received", received_at=NOON + timedelta(minutes=1), attempts=1)
    answers.receipt(first, said("decided", at=NOON + timedelta(hours=1), pathway="section_47"))
    second = a_delivery(2, recipient="northbury-marac")
    told = CaseAnswered.model_validate_json(answers.answered(a_case(version=2), [second, first]).as_bytes())
    assert [(one.version, one.kind, one.pathway) for one in told.answers] == [
        (1, "received", None),
        (1, "decided", "section_47"),
    ]
    assert [(one.version, one.state) for one in told.branches] == [(1, "received"), (2, "waiting")]
    assert told.branches[0].ledger[-1].stage == "decided"
