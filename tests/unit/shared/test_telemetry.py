"""Which spans are kept: every case of the live lane, a share of the bulk lane's, each trace whole."""

from __future__ import annotations

from random import Random

import pytest
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind

from shared.telemetry import LANE, ByLane, context_of


def kept(sampler: ByLane, trace: int, *, lane: str | None, parent: str | None, kind: SpanKind) -> bool:
    said = {} if lane is None else {LANE: lane}
    found = sampler.should_sample(context_of(parent), trace, "any", kind, said)
    return found.decision is Decision.RECORD_AND_SAMPLE


def traceparent(trace: int, *, sampled: bool) -> str:
    return f"00-{trace:032x}-00000000000000aa-{int(sampled):02x}"


CHANCE = Random(7)
TRACES = [CHANCE.getrandbits(128) | 1 for _ in range(4000)]


@pytest.mark.parametrize("sampled", [True, False])
def test_a_live_case_is_kept_whatever_its_caller_decided_for_itself(sampled: bool) -> None:
    sampler = ByLane(0.0)
    parent = traceparent(TRACES[0], sampled=sampled)
    assert kept(sampler, TRACES[0], lane=None, parent=parent, kind=SpanKind.SERVER)
    assert kept(sampler, TRACES[0], lane="live", parent=parent, kind=SpanKind.CONSUMER)


def test_of_the_bulk_lane_a_share_is_kept_and_each_trace_at_every_stage_or_at_none() -> None:
    sampler = ByLane(0.25)
    at_intake = [kept(sampler, one, lane="bulk", parent=None, kind=SpanKind.SERVER) for one in TRACES]
    later = [
        kept(sampler, one, lane="bulk", parent=traceparent(one, sampled=first), kind=SpanKind.CONSUMER)
        for one, first in zip(TRACES, at_intake, strict=True)
    ]
    assert at_intake == later
    assert 0.2 < sum(at_intake) / len(TRACES) < 0.3


@pytest.mark.parametrize("above", [True, False])
def test_what_names_no_lane_follows_the_work_it_belongs_to(above: bool) -> None:
    parent = traceparent(TRACES[0], sampled=above)
    assert kept(ByLane(0.5), TRACES[0], lane=None, parent=parent, kind=SpanKind.CLIENT) is above
