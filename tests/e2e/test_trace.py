"""One incident, one trace, from the police's POST to the services' webhooks; the time ledger says the same.

Everything runs once, for all tests here, with an OTLP receiver in the place of a collector. What is looked
at is what the services exported and answered by the time they had stopped.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest

from services.delivery.receiver import Arrival
from shared.contracts.base import write_moment
from shared.contracts.envelope import LedgerEntry
from shared.contracts.events import CaseAnswered
from shared.contracts.topics import DECIDED, ENRICHED, INCIDENTS, OUTCOMES, TOPICS
from shared.ledger import without_gaps
from tests.builders import an_incident
from tests.e2e.otlp import Collector, Span
from tests.e2e.topics import newest
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

CASE: Final = "northshire/TRACE-1"
WRITTEN_TO_MS: Final = 1.001
"""Ledger moments are written to the millisecond, downwards, and spans to the nanosecond, both by the same
clock of this machine: so a moment of the ledger stands up to a millisecond before the same one of a span.
That is all that may lie between them; nothing here depends on how fast anything was."""

PEOPLE: Final = (
    "Zephyrine", "Quistwell", "Thaddeus", "Vorhallow", "Isolde", "07700 900777", "07700900777",
    "77 Canary Row", "ZQ7 7QZ", "1993-02-27", "1990-09-14", "2018-06-21", "a lamp was thrown",
)  # fmt: skip
"""What is said of people in the incident, and must not be found in anything that tells of the work."""


def an_incident_with_canaries() -> dict[str, Any]:
    """An injured child: one that has to go to children's services at once, who have a webhook."""
    address = {"line1": "77 Canary Row", "town": "Northbury", "postcode": "ZQ7 7QZ"}
    incident = an_incident(
        reference="TRACE-1", revision=..., summary="The child was hurt when a lamp was thrown.", **at_hours(3)
    )
    victim, suspect = incident["adults"]
    [child] = incident["children"]
    victim |= {"name": {"given": "Zephyrine", "family": "Quistwell"}, "born": "1993-02-27", "address": address}
    victim["phones"] = [{"number": "07700 900777", "safe": True}]
    suspect |= {"name": {"given": "Thaddeus", "family": "Vorhallow"}, "born": "1990-09-14"}
    child |= {"name": {"given": "Isolde", "family": "Quistwell"}, "born": "2018-06-21", "address": address}
    child |= {"presence": "involved", "assaulted": True, "injured": True}
    incident["place"] = {"kind": "victim_home", "address": address}
    return incident


def at_hours(ago: int) -> dict[str, str]:
    """The moments of an incident that was recorded within the last hours, whenever the test runs."""
    told = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=ago)
    return {
        "occurred_at": write_moment(told - timedelta(minutes=12)),
        "reported_at": write_moment(told),
        "attended_at": write_moment(told + timedelta(minutes=9)),
        "recorded_at": write_moment(told + timedelta(hours=1)),
    }


def another_family(number: int) -> dict[str, Any]:
    """An incident of people who are in no other one."""
    incident = an_incident(reference=f"BATCH-{number}", revision=..., **at_hours(3))
    names = iter(
        f"Made{secrets.token_hex(4)}".translate(str.maketrans("0123456789", "ghijklmnop")) for _ in "abc"
    )
    for person in (*incident["adults"], *incident["children"]):
        person["name"] = {"given": next(names), "family": "Upname"}
    return incident


@dataclass(slots=True)
class Evidence:
    """What was seen from outside, and what was exported."""

    accepted: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, Any] = field(default_factory=dict)
    amended: dict[str, Any] = field(default_factory=dict)
    theirs: str = ""
    joined: dict[str, Any] = field(default_factory=dict)
    batch: list[dict[str, Any]] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    exported: list[bytes] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def trace(self) -> str:
        """The id of the trace that the 202 names."""
        return trace_id(self.accepted["trace"])

    def of_trace(self, trace: str) -> list[Span]:
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.began)

    def process_span(self, service: str, topic: str) -> Span:
        """The first span in which `service` worked on the case's event of `topic`."""
        return next(
            span
            for span in self.of_trace(self.trace)
            if (span.service, span.name) == (service, f"process {topic}")
        )

    @property
    def server_span(self) -> Span:
        [span] = [
            span
            for span in self.of_trace(self.trace)
            if span.kind == "server" and span.name == "POST /v1/incidents"
        ]
        return span

    @property
    def outcome(self) -> CaseAnswered:
        return CaseAnswered.model_validate(self.answered["body"])

    @property
    def trunk(self) -> list[LedgerEntry]:
        """The case's own time, to the end of delivery's planning: every branch begins there."""
        entries = [LedgerEntry.model_validate(one) for one in self.answered["ledger"]]
        return entries[: [entry.stage for entry in entries].index("delivery") + 1]


def trace_id(traceparent: str) -> str:
    return traceparent.split("-")[1]


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    place = Path(tempfile.mkdtemp(prefix="waymark-trace-"))
    try:
        seen = asyncio.run(_play(place))
        seen.logs = {log.name: log.read_text(errors="replace") for log in place.glob("*.log")}
        yield seen
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _play(place: Path) -> Evidence:
    seen = Evidence()
    async with Collector() as collector:
        async with Receivers(place, seen.arrivals.append) as receivers:
            plan = Plan(
                place,
                recipients=receivers.folder,
                environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
            )
            system = System(plan)
            async with system.running(), _client(system) as http:
                await receivers.attend(system)
                seen.accepted = await _post(http, an_incident_with_canaries())
                seen.status = await _until_all_received(http, CASE)
                seen.answered = (await newest(system.parts.kafka, OUTCOMES))[CASE]
                await _go_on(http, seen)
        # The services have stopped, and exported what they had left: nothing more comes.
        seen.spans, seen.exported = collector.spans, collector.raw
    return seen


async def _go_on(http: aiohttp.ClientSession, seen: Evidence) -> None:
    """An amendment; an incident of a police system with traces of its own; a batch."""
    amendment = an_incident_with_canaries() | {"risk": {"tool": "dash", "level": "high", "yes_answers": 17}}
    seen.amended = await _post(http, amendment)
    await _until_all_received(http, CASE)
    seen.theirs = secrets.token_hex(16)
    seen.joined = await _post(
        http, another_family(0), {"traceparent": f"00-{seen.theirs}-{secrets.token_hex(8)}-01"}
    )
    lines = b"".join(orjson.dumps(another_family(number)) + b"\n" for number in range(1, 9))
    headers = {"Content-Type": "application/x-ndjson"}
    async with http.post("/v1/incidents/batch", data=lines, headers=headers) as response:
        assert response.status == 200
        seen.batch = [orjson.loads(line)["answer"] async for line in response.content]
    for answer in (seen.joined, *seen.batch):
        await _until_all_received(http, answer["case"])


def _client(system: System) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        system.url("intake"), headers={"Authorization": f"Bearer {system.keys['police']['northshire']}"}
    )


async def _post(
    http: aiohttp.ClientSession, incident: dict[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    async with http.post("/v1/incidents", json=incident, headers=headers) as response:
        answer = await response.json()
        assert response.status == 202, answer
        return dict(answer)


async def _until_all_received(http: aiohttp.ClientSession, case: str) -> dict[str, Any]:
    """The case as the police see it once its newest revision has reached everybody."""
    async with asyncio.timeout(60):
        while True:
            async with http.get(f"/v1/incidents/{case}") as response:
                found = await response.json()
            if found["state"] == "routed":
                return dict(found)
            await asyncio.sleep(0.1)


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
