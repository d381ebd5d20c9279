"""No person's details where they must not be: the whole system at work with a canary in every field of a
person, among senders, receivers and readers who make every kind of mistake, and then everything is searched
that tells of the work: logs, spans, metrics, errors, ops pages, audit tables, dead letters."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio

from deploy.migrations import SERVICES
from services.delivery.receiver import Arrival
from shared import keys
from shared.contracts.topics import DEAD_LETTERS, ENRICHED
from shared.db import Database
from shared.kafka import Message, Producer
from tests.e2e.otlp import Collector
from tests.e2e.topics import every
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLES: Final = Path(__file__).parents[1] / "contracts" / "samples" / "v1"
CANARY: Final = re.compile(r"zqx[a-z0-9]{3,}", re.IGNORECASE)
OF_PEOPLE: Final = frozenset(
    {
        "given", "family", "also_known_as", "line1", "town", "postcode", "number", "when", "summary", "voice",
        "heightened_concern", "bail_conditions", "pnc_id", "worker", "reason_closed", "name", "judgement",
    }
)  # fmt: skip
"""Fields of an incident, or of a council's records, in which people write of people."""

PATHS: Final = ("/metrics", "/v1/dead-letters", "/v1/queue", "/v1/held", "/v1/deadlines", "/v1/recipients")
"""Read at every service by ops."""


def with_canaries(document: Any, prefix: str, of_person: bool = False) -> Any:
    """The document with a word of its own in each such field; numbers, dates and closed words stay."""
    if isinstance(document, dict):
        return {
            key: with_canaries(value, f"{prefix}{i}", key in OF_PEOPLE)
            for i, (key, value) in enumerate(document.items())
        }
    if isinstance(document, list):
        return [with_canaries(value, f"{prefix}{i}", of_person) for i, value in enumerate(document)]
    return f"Zqx{prefix} {document}" if isinstance(document, str) and of_person else document


@dataclass
class Told:
    """Everything that tells of the work. `arrivals`: what recipients got, as far as their role may see it."""

    places: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What each route answered to each key of another council: status and text."""
    arrivals: list[Arrival] = field(default_factory=list)

    def leaks(self) -> dict[str, set[str]]:
        """Canaries by the place where they were found."""
        return {place: found for place, text in self.places.items() if (found := set(CANARY.findall(text)))}


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((SAMPLES / f"{name}.json").read_bytes())
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    place = tmp_path_factory.mktemp("canaries")
    seen = Told()
    async with Collector() as collector, Receivers(place, seen.arrivals.append) as receivers:
        plan = Plan(
            place / "data",
            recipients=receivers.folder,
            environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
        )
        system = System(plan)
        async with system.running(), aiohttp.ClientSession() as http:
            await receivers.attend(system)
            await use_and_misuse(system, http, seen)
            await look_everywhere(system, http, seen)
            await knock_from_elsewhere(system, http, seen)
        for number, raw in enumerate(collector.raw):
            seen.places[f"spans {number}"] = raw.decode("utf-8", "replace")
    for log in (place / "data").rglob("*.log"):
        seen.places[f"log {log.name}"] = log.read_text(errors="replace")
    yield seen


async def use_and_misuse(system: System, http: aiohttp.ClientSession, seen: Told) -> None:
    """Incidents good and bad, a council's records, an event that nobody can read, names in addresses."""
    police = {"Authorization": f"Bearer {system.keys['police']['northshire']}"}
    council = {"Authorization": f"Bearer {system.keys['council']['northbury-css']}"}
    good = with_canaries(sample("incident"), "inc") | {"reference": "CANARY-1"}
    odd = copy.deepcopy(good) | {"reference": "CANARY-2", "occurred_at": "2026-11-20T21:40:00Z"}
    odd["adults"][0] |= {"born": "Zqxborn", "sex": "Zqxsex", "role": "Zqxrole", "Zqxkey": "Zqxvalue"}
    intake, enrichment = system.url("intake"), system.url("enrichment")

    async def send(what: str, method: str, url: str, headers: dict[str, str], **body: Any) -> None:
        async with http.request(method, url, headers=headers, **body) as answer:
            said = await answer.text()
            if answer.status == 202:  # a fault is told to its own sender as it was written, and to nobody else
                said = orjson.dumps({**orjson.loads(said), "faults": []}).decode()
            seen.places[f"answer to {what}"] = f"{answer.headers} {said}"

    await send("an incident", "POST", f"{intake}/v1/incidents", police, json=good)
    await send("an odd incident", "POST", f"{intake}/v1/incidents", police, json=odd)
    await send(
        "one without a reference", "POST", f"{intake}/v1/incidents", police, json=good | {"reference": None}
    )
    await send("no JSON", "POST", f"{intake}/v1/incidents", police, data=b'{"summary": "Zqxbroken')
    await send("a list", "POST", f"{intake}/v1/incidents", police, json=["Zqxlist"])
    lines = b"\n".join([orjson.dumps(good | {"reference": "CANARY-3"}), b'{"name": "Zqxline', b'["Zqxline2"]'])
    batch = police | {"Content-Type": "application/x-ndjson"}
    await send("a batch", "POST", f"{intake}/v1/incidents/batch", batch, data=lines)
    await send("another force's", "POST", f"{intake}/v1/incidents", police, json=good | {"force": "Zqxforce"})
    records = with_canaries(sample("records"), "rec") | {"source": "northbury-css"}
    records["people"].append({"id": "css-2", "role": "Zqxrole2", "name": "Zqxname", "born": "Zqxborn2"})
    records["people"].append("Zqxperson")
    await send("records", "POST", f"{enrichment}/v1/records", council, json=records)
    for service in SERVICES:
        for path in ("/v1/cases/northshire/Zqxpath", "/Zqxpage?name=Zqxquery", "/v1/Zqxroute"):
            headers = {"Authorization": "Bearer Zqxbearer", "traceparent": "Zqxtrace", "User-Agent": "Zqxagent"}
            await send("", "GET", f"{system.url(service)}{path}", headers)
    seen.places.pop("answer to ")
    producer = Producer(system.parts.kafka, "poisoner", 4)
    poison = orjson.dumps({"seq": 1, "from": "enrichment", "body": {"summary": "Zqxpoison", "Zqxfield": 1}})
    await producer.publish([Message(ENRICHED.name, "northshire/POISON-1", poison)])
    await producer.close()

    async def settled() -> bool:
        async with http.get(f"{intake}/v1/incidents/northshire/CANARY-1", headers=police) as answer:
            found = await answer.json()
        ops = {"Authorization": f"Bearer {system.keys['ops']['ops']}"}
        async with http.get(f"{system.url('console')}/v1/status", headers=ops) as answer:
            waiting = (await answer.json())["dead_letters"]["waiting"]
        return found.get("state") in ("routed", "held") and waiting >= 1 and len(seen.arrivals) >= 4

    await until(settled, "the cases are told and the poison is put aside", within_s=90)


async def look_everywhere(system: System, http: aiohttp.ClientSession, seen: Told) -> None:
    """Metrics, what ops may read over HTTP and on pages, audit tables, the topic of dead letters."""
    ops = {"Authorization": f"Bearer {system.keys['ops']['ops']}", "Accept": "text/html"}
    for service in SERVICES:
        for path in (
            "/metrics",
            "/v1/dead-letters",
            "/v1/queue",
            "/v1/held",
            "/v1/deadlines",
            "/v1/recipients",
        ):
            async with http.get(f"{system.url(service)}{path}", headers=ops) as answer:
                seen.places[f"{service}{path}"] = await answer.text()
    for path in ("/status", "/cases", "/cases/northshire/CANARY-1", "/cases/northshire/POISON-1"):
        async with http.get(f"{system.url('console')}{path}", headers=ops) as answer:
            seen.places[f"page {path}"] = await answer.text()
    connection = await asyncpg.connect(system.parts.database)
    for service in SERVICES:
        rows = await connection.fetch(f'SELECT * FROM "{service}".audit')
        seen.places[f"audit of {service}"] = "\n".join(str(dict(row)) for row in rows)
    for row in await connection.fetch("SELECT * FROM console.cases"):
        seen.places.setdefault("the console's read model", "")
        seen.places["the console's read model"] += str(dict(row))
    await connection.close()
    letters = await every(system.parts.kafka, DEAD_LETTERS)
    seen.places["topic of dead letters"] = str(letters)
    assert letters, "nothing was put aside: the search would prove nothing"


ELSEWHERE: Final[dict[str, dict[str, Any]]] = {
    "person": {"person": "p-elsewhere", "agency": "childrens_services", "areas": ("southmere",)},
    "coordinator": {"person": "c-elsewhere", "agency": "marac", "areas": ("southmere",)},
    "champion": {"person": "h-elsewhere", "agency": "school", "areas": ("southmere",)},
    "recipient": {"recipient": "southmere-children"},
    "council": {"source": "southmere-css"},
    "police": {"force": "westshire"},
}
"""Everybody of another council and another force."""
PAGES: Final = (
    "/screening", "/screening/{case}", "/links", "/meetings", "/meetings/marac/northbury/next", "/cases",
    "/cases/{case}", "/recipients", "/recipients/northbury-children", "/month.json", "/status",
    "/dead-letters",
)  # fmt: skip


async def knock_from_elsewhere(system: System, http: aiohttp.ClientSession, seen: Told) -> None:
    """Every route that any service documents, and the console's pages, asked for this council's case,
    deliveries, family, recipients, meetings and pairs with each key of another council."""
    owner = Database(system.parts.database, "tests", as_owner=True)
    held: dict[str, str] = {}
    try:
        async with owner.transaction() as tx:
            for role, who in ELSEWHERE.items():
                held[role] = (await keys.create(tx, role=role, **who))[1]  # type: ignore[arg-type]
    finally:
        await owner.close()
    connection = await asyncpg.connect(system.parts.database)
    family = await connection.fetchval("SELECT max(family) FROM enrichment.incidents")
    await connection.close()
    meant = {
        "case": "northshire/CANARY-1", "incident": "northshire/CANARY-1", "delivery": seen.arrivals[0].id,
        "family": f"F-{family:08d}", "name": "northbury-children", "kind": "marac", "area": "northbury",
        "day": "next", "date": "next", "number": "1", "id_": "london-dvrim", "version": "1",
    }  # fmt: skip
    routes = [("console", "get", page) for page in PAGES]
    for service in SERVICES:
        async with http.get(f"{system.url(service)}/openapi.json") as answer:
            documented = (await answer.json())["paths"]
        routes += [(service, method, path) for path, methods in documented.items() for method in methods]
    for service, method, path in routes:
        filled = re.sub(r"\{(\w+)[^}]*\}", lambda found: meant.get(found[1], "1"), path)
        for role, key in held.items():
            headers = {"Authorization": f"Bearer {key}", "Accept": "text/html, application/json"}
            async with http.request(
                method,
                system.url(service) + filled,
                headers=headers,
                allow_redirects=False,
                json=None if method == "get" else {},
            ) as answer:
                text = await answer.text(errors="replace")
            seen.elsewhere[f"{role} {method} {service}{filled}"] = (answer.status, text)


async def test_another_council_reads_nothing_of_this_ones_case_by_any_route(told: Told) -> None:
    assert len(told.elsewhere) > 200
    assert {one for one, (status, _) in told.elsewhere.items() if status >= 500} == set()
    leaked = {
        one: set(CANARY.findall(text)) | ({"CANARY-1"} if status < 400 and "CANARY-1" in text else set())
        for one, (status, text) in told.elsewhere.items()
    }
    assert {one: found for one, found in leaked.items() if found} == {}


async def test_no_canary_is_found_in_anything_that_tells_of_the_work(told: Told) -> None:
    assert told.leaks() == {}


async def test_the_search_saw_everything_and_finds_what_is_there(told: Told) -> None:
    kinds = {place.split(" ")[0] for place in told.places}
    assert kinds >= {
        "log",
        "spans",
        "audit",
        "topic",
        "page",
        "answer",
        *(f"{one}/metrics" for one in SERVICES),
    }
    assert all(told.places[f"{one}/metrics"].count("\n") > 50 for one in SERVICES)
    bodies = " ".join(one.body.decode() for one in told.arrivals)
    planted = Told({"a recipient's own copy": bodies})
    assert planted.leaks(), "recipients are told of people, so the same search has to find it there"
