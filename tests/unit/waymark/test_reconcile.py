"""Every accepted revision is found in one named state by what the records say, or it is unaccounted."""

from __future__ import annotations

from typing import Any

import pytest

from waymark.reconcile import UNACCOUNTED, Broker, find

PLACE = ("waymark.enriched.v1", 0)


def broker(*, committed: int = 5, first: int = 0, end: int = 10) -> Broker:
    places = [(f"waymark.{name}.v1", 0) for name in ("incidents", "enriched", "decided")]
    readers = ("enrichment", "triage", "delivery")
    return Broker(
        {reader: dict.fromkeys(places, committed) for reader in readers}, dict.fromkeys(places, (first, end))
    )


def a_row(**changes: Any) -> dict[str, Any]:
    """A revision that has gone the whole way and was received by everyone."""
    row: dict[str, Any] = {
        "case": "northshire/1", "revision": 1, "status": "accepted", "newest": True,
        "enrichment_revision": 1, "triage_revision": 1, "delivery_revision": 1,
        "delivery_state": "routed", "delivery_waiting": 0,
        "intake_seq": 1, "enrichment_seq": 1, "triage_seq": 1,
        "enrichment_mark": 1, "triage_mark": 1, "delivery_mark": 1,
        "enrichment_dead": False, "triage_dead": False, "delivery_dead": False,
    }  # fmt: skip
    for sender, topic in (("intake", "incidents"), ("enrichment", "enriched"), ("triage", "decided")):
        row |= {
            f"{sender}_row": 7, f"{sender}_topic": f"waymark.{topic}.v1", f"{sender}_partition": 0,
            f"{sender}_offset": 5,
        }  # fmt: skip
    return row | changes


@pytest.mark.parametrize("state", ["routed", "held", "no_recipient_by_rule", "withdrawn", "in_flight"])
def test_what_delivery_keeps_is_the_state(state: str) -> None:
    assert find(a_row(delivery_state=state), broker()).state == state


def test_deliveries_that_wait_are_in_flight() -> None:
    assert find(a_row(delivery_waiting=2), broker()).state == "in_flight"


def test_an_older_revision_is_superseded() -> None:
    assert find(a_row(newest=False, enrichment_revision=2), broker()).state == "superseded"


@pytest.mark.parametrize(
    ("sender", "reader"), [("intake", "enrichment"), ("enrichment", "triage"), ("triage", "delivery")]
)
class TestBetweenTwoServices:
    """The next service has not applied the event: it has to be seen waiting."""

    def test_unsent_in_the_outbox_is_in_flight(self, sender: str, reader: str) -> None:
        row = a_row(**{f"{reader}_mark": 0, f"{sender}_offset": None})
        assert find(row, broker()).state == "in_flight"

    def test_at_or_after_the_committed_offset_is_in_flight(self, sender: str, reader: str) -> None:
        assert find(a_row(**{f"{reader}_mark": None}), broker(committed=5)).state == "in_flight"

    def test_below_the_committed_offset_is_lost(self, sender: str, reader: str) -> None:
        found = find(a_row(**{f"{reader}_mark": None}), broker(committed=6))
        assert (found.state, found.hop, found.outbox_row) == (UNACCOUNTED, f"{sender} -> {reader}", 7)

    def test_beyond_the_end_of_a_broker_that_lost_its_disk_is_lost(self, sender: str, reader: str) -> None:
        assert find(a_row(**{f"{reader}_mark": None}), broker(committed=0, end=5)).state == UNACCOUNTED

    def test_cut_off_by_retention_is_lost(self, sender: str, reader: str) -> None:
        row = a_row(**{f"{reader}_mark": None})
        assert find(row, broker(committed=0, first=6)).state == UNACCOUNTED

    def test_without_a_row_in_the_outbox_is_lost(self, sender: str, reader: str) -> None:
        assert find(a_row(**{f"{reader}_mark": 0, f"{sender}_row": None}), broker()).state == UNACCOUNTED

    def test_dead_lettered_says_so(self, sender: str, reader: str) -> None:
        row = a_row(**{f"{reader}_mark": 0, f"{reader}_dead": True})
        assert find(row, broker()).state == "dead_lettered"

    def test_with_the_broker_away_it_is_counted_as_unverified(self, sender: str, reader: str) -> None:
        found = find(a_row(**{f"{reader}_mark": 0}), None)
        assert (found.state, found.verified) == ("in_flight", False)

    def test_applied_and_not_kept_is_lost(self, sender: str, reader: str) -> None:
        assert find(a_row(**{f"{reader}_revision": 0}), broker()).state == UNACCOUNTED


def test_a_state_that_is_no_state_is_unaccounted() -> None:
    assert find(a_row(delivery_state=None), broker()).state == UNACCOUNTED
