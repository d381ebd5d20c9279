"""One incident, one trace, from the police's POST to the services' webhooks; the time ledger says the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import orjson
import pytest

from shared.contracts.envelope import LedgerEntry
from shared.contracts.topics import DECIDED, ENRICHED, INCIDENTS, OUTCOMES, TOPICS
from shared.ledger import without_gaps
from tests.e2e.otlp import Span
from tests.e2e.traced import CASE, PEOPLE, Evidence, play, trace_id

WRITTEN_TO_MS: Final = 1.001
"""Ledger moments are written to the millisecond, downwards, and spans to the nanosecond, both by the same
clock of this machine: so a moment of the ledger stands up to a millisecond before the same one of a span.
That is all that may lie between them; nothing here depends on how fast anything was."""


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    place = Path(tempfile.mkdtemp(prefix="waymark-trace-"))
    try:
        seen = asyncio.run(play(place))
        seen.logs = {log.name: log.read_text(errors="replace") for log in place.glob("*.log")}
        yield seen
    finally:
        shutil.rmtree(place, ignore_errors=True)


# One trace


def test_the_trace_named_in_the_202_holds_everything_that_was_done_for_the_revision(evidence: Evidence) -> None:
    of_amendment = trace_id(evidence.amended["trace"])
    of_case = {span.trace for span in evidence.spans if span.attributes.get("waymark.case") == CASE}

    assert of_case == {evidence.trace, of_amendment}


def test_the_trace_is_one_tree_that_begins_with_the_polices_post(evidence: Evidence) -> None:
    spans = evidence.of_trace(evidence.trace)
    known = {span.id for span in spans}

    assert [span.id for span in spans if span.parent is None] == [evidence.server_span.id]
    assert [span.name for span in spans if span.parent is not None and span.parent not in known] == []
    assert len(known) == len(spans)
    assert [span.name for span in spans if span.failed] == []
    assert evidence.accepted["trace"].split("-")[2] == evidence.server_span.id
    assert evidence.server_span.service == "intake"
    assert evidence.server_span.attributes["http.route"] == "/v1/incidents"
    assert evidence.server_span.attributes["http.response.status_code"] == 202


def test_each_stage_is_the_child_of_the_one_before_it_across_kafka(evidence: Evidence) -> None:
    enrichment = evidence.process_span("enrichment", INCIDENTS.name)
    triage = evidence.process_span("triage", ENRICHED.name)
    delivery = evidence.process_span("delivery", DECIDED.name)

    assert enrichment.parent == evidence.server_span.id
    assert triage.parent == enrichment.id
    assert delivery.parent == triage.id
    for told in (evidence.process_span("intake", DECIDED.name), evidence.process_span("console", DECIDED.name)):
        assert told.parent == triage.id
    for told in (
        evidence.process_span("intake", OUTCOMES.name),
        evidence.process_span("console", OUTCOMES.name),
    ):
        assert told.parent == delivery.id


def test_each_webhook_is_a_client_span_under_deliverys_work_on_the_decision(evidence: Evidence) -> None:
    delivery = evidence.process_span("delivery", DECIDED.name)
    sent = {span.attributes["waymark.delivery"]: span for span in webhooks(evidence)}
    arrived = {
        arrival.id: arrival.headers["traceparent"]
        for arrival in evidence.arrivals
        if (arrival.notification()["case"], arrival.notification()["version"]) == (CASE, 1)
    }

    assert arrived
    assert set(sent) == set(arrived)
    for number, span in sent.items():
        assert (span.service, span.name, span.parent) == ("delivery", "POST", delivery.id)
        assert span.attributes["http.response.status_code"] == 204
        version, trace, parent, flags = arrived[number].split("-")
        assert (version, trace, parent) == ("00", evidence.trace, span.id)
        assert int(flags, 16) & 1


def webhooks(evidence: Evidence) -> list[Span]:
    return [
        span
        for span in evidence.of_trace(evidence.trace)
        if span.kind == "client" and "http.request.method" in span.attributes
    ]


# The conventions


def test_process_spans_follow_the_messaging_conventions(evidence: Evidence) -> None:
    spans = [span for span in evidence.of_trace(evidence.trace) if span.name.startswith("process ")]
    names = {lane for topic in TOPICS for lane in topic.lanes}

    assert len(spans) >= 7
    for span in spans:
        said = span.attributes
        topic = said["messaging.destination.name"]
        assert topic in names
        assert (span.kind, span.name) == ("consumer", f"process {topic}")
        assert said["messaging.system"] == "kafka"
        assert said["messaging.operation.name"] == said["messaging.operation.type"] == "process"
        assert said["messaging.consumer.group.name"] == span.service
        assert said["messaging.kafka.message.key"] == CASE
        assert isinstance(said["messaging.destination.partition.id"], str)
        assert isinstance(said["messaging.kafka.offset"], int)
        assert "messaging.batch.message_count" not in said


def test_a_send_is_linked_to_the_work_that_made_the_message(evidence: Evidence) -> None:
    delivery = evidence.process_span("delivery", DECIDED.name)
    made_by = {
        INCIDENTS.name: evidence.server_span,
        ENRICHED.name: evidence.process_span("enrichment", INCIDENTS.name),
        DECIDED.name: evidence.process_span("triage", ENRICHED.name),
        OUTCOMES.name: delivery,
    }
    for topic, maker in made_by.items():
        sends = [
            span
            for span in evidence.spans
            if span.name == f"send {topic}" and (evidence.trace, maker.id) in span.links
        ]
        assert sends, topic
        for send in sends:
            assert (send.kind, send.service) == ("client", maker.service)
            assert send.attributes["messaging.system"] == "kafka"
            assert send.attributes["messaging.operation.name"] == "send"
            assert send.attributes["messaging.operation.type"] == "send"
            assert send.attributes["messaging.destination.name"] == topic


def test_a_batch_of_messages_is_sent_in_one_span_linked_to_each(evidence: Evidence) -> None:
    traces = {trace_id(answer["trace"]) for answer in evidence.batch}
    sends = [
        span
        for span in evidence.spans
        if span.name == f"send {INCIDENTS.name}" and span.attributes.get("messaging.batch.message_count", 1) > 1
    ]

    assert sends
    for send in sends:
        assert send.attributes["messaging.batch.message_count"] == len(send.links)
        assert send.parent is None
        assert {trace for trace, _ in send.links} <= traces


def test_each_line_of_a_batch_is_a_trace_of_its_own_linked_to_the_batch(evidence: Evidence) -> None:
    [request] = [span for span in evidence.spans if span.name == "POST /v1/incidents/batch"]
    traces = [trace_id(answer["trace"]) for answer in evidence.batch]

    assert len({*traces, request.trace}) == len(traces) + 1
    for trace in traces:
        spans = evidence.of_trace(trace)
        [line] = [span for span in spans if span.parent is None]
        assert line.links == [(request.trace, request.id)]
        assert {"enrichment", "triage", "delivery"} <= {span.service for span in spans}


# Whose trace it is


def test_an_amendment_is_a_trace_of_its_own_that_goes_the_whole_way(evidence: Evidence) -> None:
    """It is another request, perhaps days later; the two are found together by the case's id."""
    spans = evidence.of_trace(trace_id(evidence.amended["trace"]))

    assert evidence.amended["status"] == "amended"
    assert trace_id(evidence.amended["trace"]) != evidence.trace
    for service, topic in (("enrichment", INCIDENTS), ("triage", ENRICHED), ("delivery", DECIDED)):
        assert [span for span in spans if (span.service, span.name) == (service, f"process {topic.name}")]


def test_a_police_system_with_traces_of_its_own_finds_the_case_in_its_own(evidence: Evidence) -> None:
    assert trace_id(evidence.joined["trace"]) == evidence.theirs
    assert {span.service for span in evidence.of_trace(evidence.theirs)} == {
        "intake", "enrichment", "triage", "delivery", "console",
    }  # fmt: skip


# The time ledger


def test_the_ledgers_waits_and_works_add_up_to_the_whole(evidence: Evidence) -> None:
    trunk = evidence.trunk
    received = [branch for branch in evidence.outcome.branches if branch.state == "received"]

    assert [entry.stage for entry in trunk] == ["police", "intake", "enrichment", "triage", "delivery"]
    assert received
    for branch in received:
        whole = [*trunk, *branch.ledger]
        assert without_gaps(whole)
        follow_one_another(whole)


def follow_one_another(entries: list[LedgerEntry]) -> None:
    """Each entry begins, waiting, where the one before it ended."""
    for earlier, later in pairwise(entries):
        waiting_only = later.worked_ms == 0 and later.to > later.from_
        began = ms(later.from_) - (0 if waiting_only else later.waited_ms)
        assert began == pytest.approx(ms(earlier.to), abs=WRITTEN_TO_MS), (earlier.stage, later.stage)
        assert min(later.waited_ms, later.worked_ms) >= 0


def test_the_police_see_the_same_ledger_as_the_services_kept(evidence: Evidence) -> None:
    shown = [LedgerEntry.model_validate(one) for one in evidence.status["stages"]]

    assert shown == evidence.trunk[: len(shown)]
    assert [entry.stage for entry in shown] == ["police", "intake", "enrichment", "triage"]
    kept = [[entry.as_json() for entry in branch.ledger] for branch in evidence.outcome.branches]
    assert sorted(kept, key=str) == sorted((one["ledger"] for one in evidence.status["services"]), key=str)


def test_each_stages_work_in_the_ledger_lies_in_its_span(evidence: Evidence) -> None:
    """The ledger's work ends when the event is written; the span goes on to its commit and publication."""
    spans = {
        "enrichment": evidence.process_span("enrichment", INCIDENTS.name),
        "triage": evidence.process_span("triage", ENRICHED.name),
        "delivery": evidence.process_span("delivery", DECIDED.name),
    }
    for entry in evidence.trunk:
        if entry.stage in spans:
            span = spans[entry.stage]
            assert ms(entry.from_) == pytest.approx(span.began, abs=WRITTEN_TO_MS), entry.stage
            assert ms(entry.to) <= span.ended, entry.stage
    intake = evidence.trunk[1]
    assert evidence.server_span.began - WRITTEN_TO_MS <= ms(intake.from_)
    assert ms(intake.to) <= evidence.server_span.ended


def test_each_attempt_in_the_ledger_is_the_webhooks_span(evidence: Evidence) -> None:
    attempts = {
        branch.delivery: entry
        for branch in evidence.outcome.branches
        for entry in branch.ledger
        if entry.stage == "attempt"
    }
    for span in webhooks(evidence):
        entry = attempts[span.attributes["waymark.delivery"]]
        assert ms(entry.from_) == pytest.approx(span.began, abs=WRITTEN_TO_MS)
        assert span.ended <= ms(entry.to) + WRITTEN_TO_MS


def ms(moment: datetime) -> float:
    return moment.timestamp() * 1000


def test_each_change_of_the_case_is_one_log_line_with_its_trace(evidence: Evidence) -> None:
    for service, change in (
        ("intake", "incident.accepted"),
        ("enrichment", "incident.enriched"),
        ("triage", "case.decided"),
    ):
        lines = [orjson.loads(line) for line in evidence.logs[f"{service}.log"].splitlines() if line[:1] == "{"]
        of_case = [line for line in lines if line["event"] == change and line["case"] == CASE]
        assert [line["trace_id"] for line in of_case].count(evidence.trace) == 1, service
        assert len({line["seq"] for line in of_case}) == len(of_case), service
        assert {line["service"] for line in of_case} == {service}


# What is not in it


def test_nobodys_details_are_in_any_span_or_log(evidence: Evidence) -> None:
    exported = b"\n".join(evidence.exported).decode("utf-8", "replace").casefold()
    logs = "\n".join(evidence.logs.values()).casefold()

    assert CASE.casefold() in exported
    assert {"intake.log", "delivery.log"} <= set(evidence.logs)
    assert [said for said in PEOPLE if said.casefold() in exported] == []
    assert [said for said in PEOPLE if said.casefold() in logs] == []
    bodies = b"".join(arrival.body for arrival in evidence.arrivals).decode()
    assert "Isolde" in bodies, "the canaries were not in what was delivered: nothing was tried"
