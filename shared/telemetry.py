"""OpenTelemetry, metrics and logs, set up once per process, with ids only.

Context travels as a W3C `traceparent` in every HTTP call, every Kafka message and every outbox row.
Spans follow the OpenTelemetry messaging conventions. They go where OTEL_EXPORTER_OTLP_ENDPOINT says (any
collector), or to a Zipkin at OTEL_EXPORTER_ZIPKIN_ENDPOINT; without either nothing is recorded or sent, but
trace ids are made and passed on all the same.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes
from prometheus_client import Counter, Gauge, Histogram

_tracer = trace.get_tracer("waymark")
_recording = True
_ids = RandomIdGenerator()
_NOT_SAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)

LANE: Final = "waymark.lane"
"""The attribute that says in which lane a span's event came."""

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400,
    86400, 259200,
)  # fmt: skip
"""Histogram buckets from a millisecond to three days."""

EVENTS = Counter("waymark_events_total", "Events a stage has dealt with", ["service", "topic", "outcome"])
PROCESS_SECONDS = Histogram(
    "waymark_process_duration_seconds", "Work on one batch", ["service"], buckets=SECONDS
)
WAIT_SECONDS = Histogram(
    "waymark_event_age_seconds", "From the sender's commit to the start of work", ["service"], buckets=SECONDS
)
LAG = Gauge("waymark_consumer_lag_events", "Events waiting on a topic for a service", ["service", "topic"])
OUTBOX_UNSENT = Gauge("waymark_outbox_unsent_events", "Events stored and not yet published", ["service"])
DEGRADED = Gauge("waymark_degraded", "1 while a part is away", ["service", "part"])
HTTP_SECONDS = Histogram(
    "waymark_http_request_duration_seconds",
    "Requests answered",
    ["service", "method", "route", "status"],
    buckets=SECONDS,
)


_SELDOM_S: Final = 10.0


class ByLane(Sampler):
    """Keeps every case of the live lane and a share of the bulk lane's, each trace whole or not at all.

    Where no lane is named a span follows the one above it; whatever a caller of ours decided for itself,
    its request is kept.
    """

    def __init__(self, bulk_share: float) -> None:
        self._bulk = TraceIdRatioBased(bulk_share)
        self._follow = ParentBased(ALWAYS_ON)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """As the lane says."""
        lane = (attributes or {}).get(LANE)
        chosen: Sampler = self._follow
        if lane == "bulk":
            chosen = self._bulk
        elif lane == "live" or kind is SpanKind.SERVER:
            chosen = ALWAYS_ON
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """For whoever looks at the set-up."""
        return f"ByLane(bulk={self._bulk.rate})"


def _exporter() -> SpanExporter | None:
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return OTLPSpanExporter()
    return ZipkinExporter() if os.environ.get("OTEL_EXPORTER_ZIPKIN_ENDPOINT") else None


def set_up(service: str, *, bulk_share: float = 1.0, log_level: str = "info") -> TracerProvider:
    """Set up tracing and logging for this process. Returns the provider, to be shut down at the end.

    `bulk_share`: how much of the bulk lane's traces is kept, 0 to 1.
    """
    exporter = _exporter()
    global _recording
    _recording = exporter is not None
    provider = TracerProvider(
        sampler=ByLane(bulk_share) if exporter else ALWAYS_OFF,
        resource=Resource.create({"service.name": f"waymark-{service}", "service.namespace": "waymark"}),
    )
    if exporter is not None:
        provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=500, max_queue_size=20000)
        )
    trace.set_tracer_provider(provider)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_id,
            _no_exception_text,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    libraries = logging.StreamHandler(sys.stderr)
    libraries.addFilter(_Seldom())
    logging.basicConfig(level=logging.ERROR, handlers=[libraries], format="%(name)s %(levelname)s")
    return provider


class _Seldom(logging.Filter):
    """One line in ten seconds from each library: a client whose broker is away writes a hundred a second,
    for hours, and none says more than the first."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self._next.get(record.name, 0.0):
            return False
        self._next[record.name] = record.created + _SELDOM_S
        return True


def logger() -> structlog.stdlib.BoundLogger:
    """The process's logger: an event's name and ids, never a person's details."""
    return structlog.get_logger()  # type: ignore[no-any-return]


def _trace_id(_: Any, __: str, event: Any) -> Any:
    context = trace.get_current_span().get_span_context()
    if context.is_valid and "trace_id" not in event:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event


def _no_exception_text(_: Any, __: str, event: Any) -> Any:
    """An exception's text can quote data: log its kind and where it was raised, nothing else."""
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        trail = error.__traceback__
        while trail is not None and trail.tb_next is not None:
            trail = trail.tb_next
        if trail is not None:
            event["raised_at"] = f"{os.path.basename(trail.tb_frame.f_code.co_filename)}:{trail.tb_lineno}"
    elif error is not None:
        event["error"] = str(error)
    return event


def start_span(
    name: str,
    kind: SpanKind,
    *,
    parent: str | None = None,
    attributes: dict[str, Any] | None = None,
    links: Sequence[str] = (),
    start: datetime | None = None,
) -> Span:
    """A span under `parent` (a traceparent; None starts a trace), linked to other traceparents.

    `start`: when it began, where that was before now.
    """
    if not _recording:
        return _unrecorded(parent)
    return _tracer.start_span(
        name,
        context=context_of(parent),
        kind=kind,
        attributes=attributes,
        links=[Link(context) for link in links if (context := span_context(link)) is not None],
        start_time=None if start is None else round(start.timestamp() * 1e6) * 1000,
    )


def _unrecorded(parent: str | None) -> Span:
    """What passes the ids on where nobody records: a fifth of the price of a span that is not sampled."""
    above = span_context(parent)
    return NonRecordingSpan(
        SpanContext(
            trace_id=_ids.generate_trace_id() if above is None else above.trace_id,
            span_id=_ids.generate_span_id(),
            is_remote=False,
            trace_flags=_NOT_SAMPLED,
        )
    )


def traceparent(span: Span) -> str:
    """The span as a W3C traceparent."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def span_context(parent: str | None) -> SpanContext | None:
    """The span context of a traceparent; None where it is missing or malformed."""
    if parent is None or len(parent) != 55:
        return None
    try:
        context = SpanContext(
            trace_id=int(parent[3:35], 16),
            span_id=int(parent[36:52], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parent[53:55], 16) & 1),
        )
    except ValueError:
        return None
    return context if context.is_valid else None


def context_of(parent: str | None) -> Context:
    """An OpenTelemetry context whose current span is `parent`."""
    context = span_context(parent)
    return Context() if context is None else trace.set_span_in_context(NonRecordingSpan(context), Context())
