"""The waterfall's geometry adds up, and percentiles read off the histograms are near the true ones."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.domain import pace
from services.console.domain.waterfall import ROW_HEIGHT, WIDTH, Bar, Entry, Line, Waterfall, draw

POSTED = datetime(2026, 11, 21, 1, 15, 2, tzinfo=UTC)
durations = st.floats(0.001, 1e8)


def ms(value: float) -> timedelta:
    return timedelta(milliseconds=value)


def ledger(*stages: tuple[str, float, float], start: datetime = POSTED) -> list[Entry]:
    """Entries without gaps, as the stages write them."""
    entries, at = [], start
    for stage, waited, worked in stages:
        began = at + ms(waited)
        at = began + ms(worked)
        entries.append(Entry(stage, waited, worked, began if worked else began - ms(waited), at))
    return entries


def picture(trunk: list[Entry], *branches: Line) -> Waterfall:
    found = draw(trunk, branches)
    assert found is not None
    return found


def bars(it: Waterfall) -> list[Bar]:
    return [bar for row in it.rows for bar in row.bars]


TRUNK = [
    ("police", 8_582_001.0, 0.0), ("intake", 0.0, 11.2), ("enrichment", 6.1, 9.0), ("triage", 3.0, 4.0),
]  # fmt: skip


def test_the_trunk_fills_the_width_from_edge_to_edge_without_gap_or_overlap() -> None:
    drawn = bars(picture(ledger(*TRUNK)))
    assert drawn[0].x == 0
    assert drawn[-1].x + drawn[-1].width == pytest.approx(WIDTH, abs=0.01)
    for bar, following in itertools.pairwise(drawn):
        assert bar.x + bar.width == pytest.approx(following.x, abs=0.01)


def test_waiting_is_hatched_and_working_is_solid_in_the_order_of_time() -> None:
    drawn = bars(picture(ledger(*TRUNK)))
    assert [(bar.stage, bar.kind) for bar in drawn] == [
        ("police", "waiting"), ("intake", "working"), ("enrichment", "waiting"), ("enrichment", "working"),
        ("triage", "waiting"), ("triage", "working"),
    ]  # fmt: skip


def test_the_figures_beside_the_picture_are_the_ledgers_own() -> None:
    it = picture(ledger(*TRUNK))
    assert it.height == 4 * ROW_HEIGHT
    assert it.before_ms == pytest.approx(8_582_001)
    assert it.waited_ms == pytest.approx(9.1)
    assert it.worked_ms == pytest.approx(24.2)
    assert it.total_ms == pytest.approx(it.before_ms + it.waited_ms + it.worked_ms)


def test_the_scale_counts_from_the_polices_post() -> None:
    ticks = picture(ledger(*TRUNK)).ticks
    assert ticks[0].x == 0
    assert ticks[0].ms == pytest.approx(-8_582_001)
    assert 0 in [tick.ms for tick in ticks]
    assert ticks[-1].x == pytest.approx(WIDTH, abs=0.01)
    assert ticks[-1].ms == pytest.approx(33.3, abs=0.01)
    assert min(b.x - a.x for a, b in itertools.pairwise(ticks)) > 25


def test_a_stage_shorter_than_the_clocks_millisecond_still_has_its_bar() -> None:
    at = POSTED
    entries = [Entry("intake", 0.0, 0.4, at, at), Entry("enrichment", 0.3, 0.3, at, at + ms(1))]
    drawn = bars(picture(entries))
    assert [(bar.stage, bar.kind, bar.ms) for bar in drawn] == [
        ("intake", "working", 0.4), ("enrichment", "waiting", 0.3), ("enrichment", "working", 0.3),
    ]  # fmt: skip


def test_a_branch_starts_where_the_decision_ended_and_runs_beside_the_others() -> None:
    trunk = ledger(*TRUNK)
    decided = trunk[-1].end
    one = Line("northbury-children", tuple(ledger(("delivery", 2.0, 8.0), start=decided)))
    other = Line("northbury-marac", tuple(ledger(("delivery", 3_600_000.0, 8.0), start=decided)))
    it = picture(trunk, one, other)
    trunk_end = it.rows[3].bars[-1].x + it.rows[3].bars[-1].width
    assert it.rows[4].bars[0].x == it.rows[5].bars[0].x == pytest.approx(trunk_end, abs=0.01)
    assert it.rows[5].bars[-1].x + it.rows[5].bars[-1].width == pytest.approx(WIDTH, abs=0.01)
    assert it.total_ms == picture(trunk).total_ms, "branches have times of their own"


def test_a_deadline_is_drawn_where_it_fell_and_not_at_all_beyond_the_picture() -> None:
    trunk = ledger(*TRUNK)
    decided = trunk[-1].end
    entries = tuple(ledger(("delivery", 1000.0, 8.0), start=decided))
    late, early = Line("late", entries, decided + ms(500)), Line("early", entries, decided + ms(9e9))
    rows = picture(trunk, late, early).rows
    start = rows[4].bars[0].x
    assert rows[4].due_x == pytest.approx(start + rows[4].bars[0].width / 2, abs=0.01)
    assert rows[5].due_x is None


def test_a_delivery_that_has_no_time_yet_has_a_row_and_no_bar() -> None:
    row = picture(ledger(*TRUNK), Line("northbury-marac", ())).rows[-1]
    assert (row.bars, row.ended) == ((), None)


def test_there_is_no_picture_of_nothing() -> None:
    assert draw([], []) is None


@given(st.lists(st.tuples(durations, durations), min_size=1, max_size=8), st.tuples(durations, durations))
def test_whatever_the_times_the_picture_keeps_its_order_and_adds_up(
    stages: list[tuple[float, float]], last: tuple[float, float]
) -> None:
    trunk = ledger(*((f"s{i}", waited, worked) for i, (waited, worked) in enumerate(stages)))
    it = picture(trunk, Line("r", tuple(ledger(("delivery", *last), start=trunk[-1].end))))
    drawn = bars(it)
    assert sum(bar.width for bar in drawn) == pytest.approx(WIDTH, abs=0.01 * len(drawn))
    assert all(0 <= bar.x <= WIDTH and bar.width >= 0 for bar in drawn)
    assert [bar.x for bar in drawn] == sorted(bar.x for bar in drawn)
    assert it.total_ms == pytest.approx(sum(w + k for w, k in stages), rel=1e-6, abs=0.01)
    assert [tick.x for tick in it.ticks] == sorted({tick.x for tick in it.ticks})


@given(st.lists(st.floats(0.02, 1e7), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_at_most_a_tenth_from_the_true_one(values: list[float], share: float) -> None:
    buckets: dict[int, int] = {}
    for value in values:
        buckets[pace.bucket_of(value)] = buckets.get(pace.bucket_of(value), 0) + 1
    true = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert pace.percentile(buckets, share) == pytest.approx(true, rel=0.095)


def test_counts_of_two_copies_add_up_to_the_pace_of_the_whole() -> None:
    now = POSTED
    one: pace.Counts = {}
    for second in range(60):
        for _ in range(5):
            pace.count(one, now - timedelta(seconds=second + 10), "triage", 6.0, 4.0)
    buckets: dict[str, dict[int, int]] = {}
    per_slot: dict[datetime, int] = {}
    for (slot, _, measure, bucket), n in one.items():
        buckets.setdefault(measure, {})[bucket] = buckets.get(measure, {}).get(bucket, 0) + 2 * n
        if measure == "whole":
            per_slot[pace.slot_start(slot)] = per_slot.get(pace.slot_start(slot), 0) + 2 * n
    found = pace.pace_of("triage", buckets, per_slot, now=now, window=timedelta(minutes=5))
    assert found.passed == 600
    assert found.p50 == pytest.approx(10, rel=0.095)
    assert found.waited_p50 == pytest.approx(6, rel=0.095)
    assert max(found.rates) == 10.0
    assert len(found.rates) == 30


def test_a_stage_that_nothing_passed_has_no_percentiles() -> None:
    found = pace.pace_of("triage", {}, {}, now=POSTED, window=timedelta(minutes=5))
    assert (found.passed, found.p50, found.per_second) == (0, None, 0.0)


def test_the_outline_of_a_rate_stays_within_its_frame() -> None:
    points = [
        tuple(map(float, point.split(","))) for point in pace.outline([0, 5, 2.5], width=120, height=24).split()
    ]
    assert points == [(0.0, 23.0), (60.0, 1.0), (120.0, 12.0)]
    assert pace.outline([1.0], width=120, height=24) == ""
