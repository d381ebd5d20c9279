"""The pace of a stage: how many a second, and how long each waited and worked, as small histograms.

A duration falls into a bucket of a logarithmic scale, four to each doubling: a percentile read off the
buckets is at most 9 % from the true one, and the counts of copies and of minutes simply add up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PER_DOUBLING: Final = 4
SMALLEST_MS: Final = 0.01
_SLOT_S: Final = 10
SLOT: Final = timedelta(seconds=_SLOT_S)
STAGES: Final = ("intake", "enrichment", "triage", "delivery", "end_to_end")
"""The stages in the order of the pipeline; `end_to_end` is from the police's POST to the service's receipt."""


MEASURES: Final = ("waited", "worked", "whole")

Counts = dict[tuple[int, str, str, int], int]
"""How many durations fell into (slot, stage, measure, bucket); a slot by its number since 1970."""


def bucket_of(ms: float) -> int:
    """The bucket of a duration in milliseconds; everything up to 10 µs is in bucket 0."""
    if ms <= SMALLEST_MS:
        return 0
    return 1 + int(math.log2(ms / SMALLEST_MS) * PER_DOUBLING)


def slot_number(moment: datetime) -> int:
    """The number of the ten-second slot that a moment falls into."""
    return int(moment.timestamp() // _SLOT_S)


def slot_start(number: int) -> datetime:
    """When a slot begins."""
    return datetime.fromtimestamp(number * _SLOT_S, UTC)


def count(counts: Counts, at: datetime, stage: str, waited_ms: float, worked_ms: float) -> None:
    """Add one passage through `stage` that ended at `at`."""
    slot = slot_number(at)
    for measure, ms in (("waited", waited_ms), ("worked", worked_ms), ("whole", waited_ms + worked_ms)):
        key = (slot, stage, measure, bucket_of(ms))
        counts[key] = counts.get(key, 0) + 1


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The duration in milliseconds that `share` (0 to 1) of those counted did not exceed.

    Within a bucket the middle of its scale is taken. None where nothing was counted.
    """
    total = sum(buckets.values())
    if total == 0:
        return None
    rank = max(1, math.ceil(share * total))
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return _middle(bucket)
    raise AssertionError("the ranks of a histogram end at its total")


def _middle(bucket: int) -> float:
    if bucket == 0:
        return SMALLEST_MS
    return float(SMALLEST_MS * 2.0 ** ((bucket - 0.5) / PER_DOUBLING))


@dataclass(frozen=True, slots=True)
class Pace:
    """One stage over the last minutes. Rates per second, durations in milliseconds, None: nothing came."""

    stage: str
    passed: int
    per_second: float
    p50: float | None
    p95: float | None
    p99: float | None
    waited_p50: float | None
    worked_p50: float | None
    rates: tuple[float, ...]
    """Per second in each slot of the window, oldest first."""


def pace_of(
    stage: str,
    histograms: Mapping[str, Mapping[int, int]],
    per_slot: Mapping[datetime, int],
    *,
    now: datetime,
    window: timedelta,
) -> Pace:
    """The pace of `stage`: per measure its buckets within the window, and how many passed in each slot.

    The slot that is still filling is left out of the rates: it would always look like a fall.
    """
    waited, worked, whole = (histograms.get(measure, {}) for measure in MEASURES)
    slots = int(window / SLOT)
    newest = slot_start(slot_number(now)) - SLOT
    rates = tuple(per_slot.get(newest - SLOT * back, 0) / _SLOT_S for back in range(slots - 1, -1, -1))
    lately = rates[-6:]
    return Pace(
        stage=stage,
        passed=sum(whole.values()),
        per_second=round(sum(lately) / len(lately), 2) if lately else 0.0,
        p50=percentile(whole, 0.50),
        p95=percentile(whole, 0.95),
        p99=percentile(whole, 0.99),
        waited_p50=percentile(waited, 0.50),
        worked_p50=percentile(worked, 0.50),
        rates=rates,
    )


def outline(rates: Sequence[float], *, width: int, height: int) -> str:
    """The points of a line through `rates`, the oldest at the left, the highest at the top."""
    if len(rates) < 2:
        return ""
    highest = max(*rates, 0.1)
    step = width / (len(rates) - 1)
    return " ".join(
        f"{i * step:.1f},{height - 1 - rate / highest * (height - 2):.1f}" for i, rate in enumerate(rates)
    )
