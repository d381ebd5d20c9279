"""The time ledger adds up, and moments are written one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from shared import ledger
from shared.contracts.base import read_moment, write_moment

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
STEPS = st.lists(st.tuples(st.integers(-50_000, 10**9), st.integers(-50_000, 10**9)), min_size=1, max_size=8)


@given(STEPS)
def test_waits_and_works_add_up_to_the_whole_even_when_clocks_disagree(steps: list[tuple[int, int]]) -> None:
    entries = ledger.add_wait([], "police", NOON, NOON + timedelta(hours=2))
    at = entries[-1].to
    for number, (waited, worked) in enumerate(steps):
        started = at + timedelta(microseconds=waited)
        at = started + timedelta(microseconds=worked)
        entries = ledger.add_work(entries, f"stage{number}", started, at)
        at = entries[-1].to
    assert ledger.without_gaps(entries)
    assert all(entry.waited_ms >= 0 and entry.worked_ms >= 0 for entry in entries)


@given(st.integers(-(10**15), 4 * 10**15), st.integers(-720, 720))
def test_a_moment_is_written_in_utc_to_the_millisecond_and_reads_back(micros: int, offset: int) -> None:
    moment = (NOON + timedelta(microseconds=micros)).astimezone(timezone(timedelta(minutes=offset)))
    text = write_moment(moment)
    assert text.endswith("Z")
    assert abs(read_moment(text) - moment) < timedelta(milliseconds=1)
    assert ".000Z" not in text


def test_a_written_entry_is_what_the_contract_writes() -> None:
    entry = ledger.add_work([], "triage", NOON, NOON + timedelta(microseconds=9027))[0]
    assert ledger.written(entry) == entry.as_json()
