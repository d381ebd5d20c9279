"""One system, followed: what a handful of incidents leave in traces, logs, topics and answers.

Everything runs once, with an OTLP receiver in the place of a collector; what is looked at is what the
services exported and answered by the time they had stopped.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from services.delivery.receiver import Arrival
from shared.contracts.base import write_moment
from shared.contracts.envelope import LedgerEntry
from shared.contracts.events import CaseAnswered
from shared.contracts.topics import OUTCOMES
from tests.builders import an_incident
from tests.e2e.otlp import Collector, Span
from tests.e2e.topics import newest
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

CASE: Final = "northshire/TRACE-1"
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


async def play(place: Path) -> Evidence:
    """Bring all up, post, wait, stop; what was seen."""
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
