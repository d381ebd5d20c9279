"""Delivery whole: decisions in, signed webhooks, inboxes and topics out, on the real broker and database."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import uvicorn
import yaml

from services.delivery.main import create_app
from services.delivery.receiver import Arrival, Receiver
from services.delivery.settings import Settings
from shared import keys
from shared.contracts.events import CaseAnswered, CaseDecided
from shared.contracts.notification import Notification
from shared.contracts.topics import DECIDED, OUTCOMES, routed_topic
from shared.db import Database
from shared.kafka import Producer, consumer
from shared.ledger import without_gaps
from shared.outbox import EmittingTransaction, Outbox
from shared.stage import Event, Stage
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_receipt, a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "whsec_" + base64.b64encode(b"only for this test, 32 bytes long").decode()
WEBHOOKS = {
    "northbury-children": "childrens_services",
    "northbury-edt": "childrens_services",
    "northbury-marac": "marac",
    "northbury-idva": "idva",
    "northbury-visitors": "health_visitor",
}
INBOXES = {
    "northbury-programme": "perpetrator_programme",
    "northbury-housing": "housing",
    "southmere-housing": "housing",
}
TOPICS = {"northbury-safety": "community_safety"}


@dataclass
class Post:
    """A recipient's own server: what came, and how it answers next."""

    arrivals: list[Arrival] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    open: dict[str, asyncio.Event] = field(default_factory=dict)
    at_once: dict[str, int] = field(default_factory=dict)
    most_at_once: dict[str, int] = field(default_factory=dict)

    async def take(self, arrival: Arrival) -> int:
        name = arrival.recipient
        self.arrivals.append(arrival)
        self.at_once[name] = self.at_once.get(name, 0) + 1
        self.most_at_once[name] = max(self.most_at_once.get(name, 0), self.at_once[name])
        try:
            if name in self.open:
                await self.open[name].wait()
        finally:
            self.at_once[name] -= 1
        answers = self.answers.get(name)
        return answers.pop(0) if answers else 204

    def of(self, case: str, recipient: str | None = None) -> list[Arrival]:
        return [
            one
            for one in self.arrivals
            if one.notification()["case"] == case and recipient in (None, one.recipient)
        ]


def describe(folder: Path, port: int) -> None:
    """Recipient files of one area, as an integration team would write them."""
    (folder / "secret").write_text(SECRET)
    webhook = [
        {
            "id": name,
            "role": role,
            "areas": ["northbury"],
            "channels": [
                {"kind": "webhook", "url": f"http://127.0.0.1:{port}/{name}", "secrets": ["file:secret"]},
                *([{"kind": "inbox"}] if name == "northbury-idva" else []),
            ],
            "stand_in": name == "northbury-edt",
            "escalate_to": ["northbury-edt"] if name == "northbury-children" else [],
        }
        for name, role in WEBHOOKS.items()
    ]
    others = [
        {"id": name, "role": role, "areas": [name.split("-")[0]], "channels": [{"kind": kind}]}
        for kind, of_kind in (("inbox", INBOXES), ("topic", TOPICS))
        for name, role in of_kind.items()
    ]
    named = {"id": "westmoor-marac", "role": "marac", "areas": ["westmoor"], "channels": [{"kind": "inbox"}]}
    others.append({**named, "named_staff": ["c-1"]})
    (folder / "northbury.yaml").write_text(yaml.safe_dump({"recipients": webhook + others}))


def describe_areas(folder: Path) -> None:
    source = Path(__file__).parents[2] / "deploy" / "areas"
    folder.mkdir()
    for name in ("northbury.yaml", "northbury-2026.csv"):
        (folder / name).write_text((source / name).read_text())
    # Meets every week with a cut-off of more than one: the next meeting's list has always closed.
    weekly = yaml.safe_load((source / "northbury.yaml").read_text())
    weekly |= {"id": "westmoor", "name": "Westmoor", "forces": ["westshire"]}
    weekly["marac"]["every"] = "1 week"
    (folder / "westmoor.yaml").write_text(yaml.safe_dump(weekly))


class World:
    """Delivery running, with triage and the recipients played by the test."""

    def __init__(
        self, servers: Servers, sender: Outbox, post: Post, held: dict[str, str], folder: Path
    ) -> None:
        self.servers = servers
        self.sender = sender
        self.post = post
        self.held = held
        self.folder = folder
        self.answered: list[Event[CaseAnswered]] = []
        self.client: httpx.AsyncClient
        self.address: str
        """Where it listens, for those who come over HTTP."""

    async def note(self, _: EmittingTransaction, events: Any) -> None:
        self.answered.extend(events)

    async def tell(self, *bodies: CaseDecided, trace: str | None = None) -> None:
        started = datetime.now(UTC)
        async with self.sender.transaction() as tx:
            for body in bodies:
                tx.emit(DECIDED, body.incident.case, body, started=started, trace=trace)

    def outcome(self, case: str) -> CaseAnswered | None:
        found = [event.body for event in self.answered if event.case == case]
        return found[-1] if found else None

    async def state(self, case: str, state: str, version: int = 1) -> CaseAnswered:
        def reached() -> bool:
            outcome = self.outcome(case)
            return outcome is not None and (outcome.state, outcome.version) == (state, version)

        await until(reached, f"{case} {state} at version {version}: {self.outcome(case)}")
        outcome = self.outcome(case)
        assert outcome is not None
        return outcome

    async def arrived(self, case: str, recipient: str, count: int = 1) -> list[Arrival]:
        await until(lambda: len(self.post.of(case, recipient)) >= count, f"{count} of {case} at {recipient}")
        return self.post.of(case, recipient)

    async def inbox(self, recipient: str, **params: Any) -> httpx.Response:
        return await self.client.get("/v1/inbox", params=params, headers=self.key(recipient))

    async def answer(self, recipient: str, number: str, /, **receipt: Any) -> httpx.Response:
        return await self.client.post(
            f"/v1/deliveries/{number}/receipts", json=receipt, headers=self.key(recipient)
        )

    def key(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.held[who]}"}

    async def rows(self, sql: str, **params: Any) -> list[Any]:
        database = Database(self.servers.database, "delivery", pool_size=2)
        try:
            async with database.transaction() as tx:
                return await tx.rows(sql, **params)
        finally:
            await database.close()


def settings(servers: Servers, folder: Path, **changes: Any) -> Settings:
    return Settings(
        database=servers.database,
        kafka=servers.kafka,
        partitions=servers.partitions,
        recipients=folder / "recipients",
        areas=folder / "areas",
        allow_loopback=True,
        public_url="http://delivery.test",
        poll_s=0.2,
        **changes,
    )


async def serve(stack: AsyncExitStack, app: Any) -> int:
    """`app` over real HTTP on a port of its own, until the stack is left."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))

    async def stop() -> None:
        server.should_exit = True
        await task

    stack.push_async_callback(stop)
    await until(lambda: server.started, "the server")
    return int(listening.getsockname()[1])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("delivery")
    (folder / "recipients").mkdir()
    describe_areas(folder / "areas")
    async with AsyncExitStack() as stack:
        post = Post()
        port = await serve(stack, Receiver({name: [SECRET] for name in WEBHOOKS}, post.take))
        describe(folder / "recipients", port)
        outboxes = {}
        for service in ("triage", "console"):
            database = Database(servers.database, service)
            stack.push_async_callback(database.close)
            producer = Producer(servers.kafka, f"test-{service}", servers.partitions)
            stack.push_async_callback(producer.close)
            outboxes[service] = Outbox(database, producer)
            stack.push_async_callback(outboxes[service].close)
        held = {}
        owner = Database(servers.database, "tests", as_owner=True)
        async with owner.transaction() as tx:
            for name in (*WEBHOOKS, *INBOXES, *TOPICS):
                held[name] = (await keys.create(tx, role="recipient", recipient=name))[1]
            held["police"] = (await keys.create(tx, role="police", force="northshire"))[1]
        await owner.close()
        world = World(servers, outboxes["triage"], post, held, folder)
        stage = Stage("console", outboxes["console"], servers.kafka, {OUTCOMES: world.note})
        reading = asyncio.create_task(stage.run())
        stack.push_async_callback(_stop, reading)
        app = create_app(settings(servers, folder))
        await stack.enter_async_context(app.router.lifespan_context(app))
        world.client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://delivery.test")
        )
        world.address = f"http://127.0.0.1:{await serve(stack, app)}"
        yield world


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_decision_reaches_each_service_signed_and_with_what_its_role_may_see(world: World) -> None:
    case = "northshire/first"
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await world.tell(
        case_decided(
            a_route(), a_route("health_visitor"), a_route("housing"), incident=an_incident(reference="first")
        ),
        trace=trace,
    )
    (children,) = await world.arrived(case, "northbury-children")
    (visitors,) = await world.arrived(case, "northbury-visitors")
    told = children.notification()
    Notification.model_validate(told)
    assert children.id == told["delivery"]
    assert children.headers["traceparent"].split("-")[1] == trace.split("-")[1]
    assert told["asked"]["receipts"] == f"http://delivery.test/v1/deliveries/{children.id}/receipts"
    assert told["incident"]["adults"][0]["address"]["postcode"] == "NB4 2QT"
    other = visitors.notification()
    assert "address" not in other["incident"]["adults"][0]
    assert {"field": "adults[a1].address", "because": "role"} in other["sharing"]["withheld"]
    outcome = await world.state(case, "in_flight")
    assert {branch.recipient: branch.state for branch in outcome.branches} == {
        "northbury-children": "received",
        "northbury-visitors": "received",
        "northbury-housing": "offered",
    }
    event = [event for event in world.answered if event.case == case][-1]
    planned = event.envelope.ledger[1]
    assert [entry.stage for entry in event.envelope.ledger] == ["triage", "delivery", "delivery"]
    (branch,) = [branch for branch in outcome.branches if branch.recipient == "northbury-children"]
    assert without_gaps([*event.envelope.ledger[:2], *branch.ledger])
    assert branch.ledger[0].from_ - timedelta(
        milliseconds=branch.ledger[0].waited_ms
    ) <= planned.to + timedelta(milliseconds=2)


async def test_a_recipient_that_fails_is_tried_again_under_the_same_id(world: World) -> None:
    case = "northshire/again"
    world.post.answers["northbury-marac"] = [500, 503]
    await world.tell(case_decided(a_route("marac"), incident=an_incident(reference="again")))
    arrivals = await world.arrived(case, "northbury-marac", 3)
    assert len({arrival.id for arrival in arrivals}) == 1
    assert len({arrival.body for arrival in arrivals}) == 1
    outcome = await world.state(case, "routed")
    (branch,) = outcome.branches
    assert (branch.state, branch.attempts, len(branch.ledger)) == ("received", 3, 3)
    assert without_gaps(branch.ledger)


async def test_a_slow_recipient_delays_no_other(world: World) -> None:
    world.post.open["northbury-marac"] = asyncio.Event()
    cases = [f"slow-{number}" for number in range(20)]
    await world.tell(
        *(case_decided(a_route("marac"), a_route("idva"), incident=an_incident(reference=one)) for one in cases)
    )
    for one in cases:
        await world.arrived(f"northshire/{one}", "northbury-idva")
    waiting = [a for one in cases for a in world.post.of(f"northshire/{one}", "northbury-marac")]
    assert len(waiting) == 8
    assert world.post.at_once["northbury-marac"] == 8
    world.post.open.pop("northbury-marac").set()
    for one in cases:
        await world.state(f"northshire/{one}", "routed")
    assert world.post.most_at_once["northbury-marac"] == 8


async def test_an_inbox_is_read_in_order_and_its_cursor_says_what_was_received(world: World) -> None:
    first = await world.inbox("northbury-programme", after=0)
    assert first.json() == {"entries": [], "next": 0}
    waiting = asyncio.create_task(world.inbox("northbury-programme", after=0, wait=20))
    await world.tell(
        *(
            case_decided(
                a_route("perpetrator_programme", about=["a2"]),
                incident=an_incident(reference=f"inbox-{number}"),
            )
            for number in range(3)
        )
    )
    page = (await waiting).json()
    while len(page["entries"]) < 3:
        page = (await world.inbox("northbury-programme", after=0, wait=1)).json()
    assert [entry["no"] for entry in page["entries"]] == [1, 2, 3]
    assert page["next"] == 3
    cases = [entry["notification"]["case"] for entry in page["entries"]]
    assert (await world.state(cases[0], "in_flight")).branches[0].state == "offered"
    rest = (await world.inbox("northbury-programme", after=2)).json()
    assert [entry["no"] for entry in rest["entries"]] == [3]
    for case in cases[:2]:
        outcome = await world.state(case, "routed")
        assert [answer.kind for answer in outcome.answers] == ["received"]
    assert (await world.state(cases[2], "in_flight")).branches[0].state == "offered"
    ahead = await world.inbox("northbury-programme", after=99)
    assert (ahead.status_code, ahead.json()["last"]) == (422, 3)
    assert (await world.state(cases[2], "in_flight")).branches[0].state == "offered"


async def test_only_a_recipient_reads_an_inbox(world: World) -> None:
    assert (await world.inbox("police")).status_code == 403
    assert (await world.client.get("/v1/inbox")).status_code == 401
    assert (await world.inbox("northbury-housing", limit=0)).status_code == 422


async def test_no_council_reaches_the_cases_of_another_by_any_path(world: World) -> None:
    north, south = "northbury-housing", "southmere-housing"
    for name, area in (("of-the-north", "northbury"), ("of-the-south", "southmere")):
        await world.tell(case_decided(a_route("housing", area=area), incident=an_incident(reference=name)))
        await world.state(f"northshire/{name}", "in_flight")
    told = {}
    for who in (north, south):
        page = (await world.inbox(who, limit=500)).json()
        told[who] = {one["notification"]["case"]: one["notification"] for one in page["entries"]}
    assert set(told[south]) == {"northshire/of-the-south"}
    assert "northshire/of-the-north" in told[north]
    assert "northshire/of-the-south" not in told[north]
    foreign = told[south]["northshire/of-the-south"]["delivery"]
    receipts = f"/v1/deliveries/{foreign}/receipts"
    answered = await world.client.post(receipts, json={"kind": "opened"}, headers=world.key(north))
    assert answered.status_code == 404
    for path in ("/v1/recipients", f"/v1/recipients/{south}", "/v1/deadlines"):
        assert (await world.client.get(path, headers=world.key(north))).status_code == 403
    put = await world.client.put(f"/v1/recipients/{south}", json={}, headers=world.key(north))
    assert put.status_code == 403


async def test_what_a_recipient_answers_is_kept_and_told(world: World) -> None:
    case = "northshire/answers"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="answers")))
    (arrival,) = await world.arrived(case, "northbury-children")
    await world.state(case, "routed")
    decided = {"kind": "decided", "pathway": "section_47", "by": "duty worker 12"}
    said = await world.answer("northbury-children", arrival.id, **decided)
    assert (said.status_code, said.json()["status"]) == (200, "recorded")
    assert (await world.answer("northbury-children", arrival.id, **decided)).json()["status"] == "repeated"
    opened = await world.answer("northbury-children", arrival.id, kind="opened")
    assert opened.json()["status"] == "late"
    await until(
        lambda: len(getattr(world.outcome(case), "answers", ())) == 3, "the answers on the outcomes' topic"
    )
    outcome = world.outcome(case)
    assert outcome is not None
    assert [(answer.kind, answer.pathway) for answer in outcome.answers] == [
        ("received", None),
        ("decided", "section_47"),
        ("opened", None),
    ]
    assert [entry.stage for entry in outcome.branches[0].ledger] == ["attempt", "decided", "opened"]
    assert without_gaps(outcome.branches[0].ledger)
    closed = await world.answer("northbury-children", arrival.id, kind="rejected", reason="not ours")
    assert closed.status_code == 409


async def test_receipts_that_cannot_be_taken_each_have_their_answer(world: World) -> None:
    case = "northshire/receipts"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="receipts")))
    (arrival,) = await world.arrived(case, "northbury-children")
    foreign = await world.answer("northbury-marac", arrival.id, kind="opened")
    unknown = await world.answer("northbury-marac", "d-nobody", kind="opened")
    assert (foreign.status_code, foreign.json()["detail"]) == (404, unknown.json()["detail"])
    assert (await world.answer("police", arrival.id, kind="opened")).status_code == 403
    assert (await world.answer("northbury-children", arrival.id, kind="filed")).status_code == 422
    assert (await world.answer("northbury-children", arrival.id, kind="rejected")).status_code == 422
    other = await world.answer("northbury-children", arrival.id, kind="opened", delivery="d-another")
    assert other.status_code == 422


async def test_a_rejected_case_goes_to_a_person(world: World) -> None:
    case = "northshire/rejected"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="rejected")))
    (arrival,) = await world.arrived(case, "northbury-children")
    await world.answer("northbury-children", arrival.id, kind="rejected", not_ours="southmere-children")
    outcome = await world.state(case, "held")
    assert outcome.branches[0].state == "held"
    (row,) = await world.rows('SELECT held_by FROM cases WHERE "case" = :case', case=case)
    assert row["held_by"] == "delivery"
    lines = await world.rows('SELECT act, details FROM audit WHERE "case" = :case', case=case)
    assert [line["act"] for line in lines] == ["delivery.not_passed_on", "delivery.held"]


async def test_a_newer_version_replaces_what_was_seen_and_goes_only_where_the_view_changed(
    world: World,
) -> None:
    case = "northshire/versions"
    incident = an_incident(reference="versions")
    await world.tell(case_decided(a_route(), a_route("marac"), incident=incident))
    (first,) = await world.arrived(case, "northbury-children")
    await world.arrived(case, "northbury-marac")
    await world.state(case, "routed")
    same = {**incident, "revision": 2}
    await world.tell(case_decided(a_route(), a_route("marac"), version=2, why="amended", incident=same))
    await world.state(case, "routed", 2)
    assert len(world.post.of(case)) == 2
    voiced = {**same, "children": [{**incident["children"][0], "needs": ["autism"]}]}
    await world.tell(case_decided(a_route(), a_route("idva"), version=3, why="amended", incident=voiced))
    (_, third) = await world.arrived(case, "northbury-children", 2)
    await world.arrived(case, "northbury-marac", 2)
    await world.arrived(case, "northbury-idva")
    told = third.notification()
    assert (told["version"], told["replaces"], told["why_again"]) == (3, first.id, "amended")
    assert world.post.of(case, "northbury-idva")[0].notification()["replaces"] is None
    await world.state(case, "routed", 3)
    await world.tell(case_decided(a_route(), version=2, why="amended", incident=incident))
    await world.tell(case_decided(a_route("marac"), incident=an_incident(reference="after-versions")))
    await world.arrived("northshire/after-versions", "northbury-marac")
    assert len(world.post.of(case, "northbury-children")) == 2
    (row,) = await world.rows('SELECT * FROM reconcile WHERE "case" = :case', case=case)
    assert (row["version"], row["state"], row["waiting"]) == (3, "routed", 0)


async def test_an_undelivered_version_gives_way_to_the_newer(world: World) -> None:
    case = "northshire/undelivered"
    world.post.answers["northbury-children"] = [500]
    incident = an_incident(reference="undelivered")
    await world.tell(case_decided(a_route(), incident=incident))
    (first,) = await world.arrived(case, "northbury-children")
    # Not retried for as long as the pause is drawn; the newer version does not wait for it.
    changed = {**incident, "summary": "He came back the next morning."}
    await world.tell(case_decided(a_route(), version=2, why="amended", incident=changed))
    outcome = await world.state(case, "routed", 2)
    assert {(branch.version, branch.state) for branch in outcome.branches} == {
        (1, "superseded"),
        (2, "received"),
    }
    last = world.post.of(case, "northbury-children")[-1].notification()
    assert (last["version"], last["replaces"]) == (2, first.id)


async def test_a_withdrawal_reaches_exactly_those_who_were_told(world: World) -> None:
    case = "northshire/withdrawn"
    incident = an_incident(reference="withdrawn")
    await world.tell(case_decided(a_route(), incident=incident))
    await world.arrived(case, "northbury-children")
    await world.state(case, "routed")
    gone = {
        "force": "northshire",
        "reference": "withdrawn",
        "withdrawn": True,
        "occurred_at": incident["occurred_at"],
    }
    await world.tell(
        case_decided(version=2, state="withdrawn", why="withdrawn", incident=gone, receipt=a_receipt([]))
    )
    (_, notice) = await world.arrived(case, "northbury-children", 2)
    told = notice.notification()
    assert told["withdrawn"] is True
    assert set(told["incident"]) == {"schema", "force", "reference", "withdrawn"}
    await world.state(case, "withdrawn", 2)
    assert len(world.post.of(case)) == 2


async def test_a_route_that_nobody_answers_for_is_held_with_an_owner(world: World) -> None:
    case = "northshire/nobody"
    await world.tell(
        case_decided(
            a_route(),
            a_route("midwifery"),
            a_route("marac", area=None),
            incident=an_incident(reference="nobody"),
        )
    )
    await world.arrived(case, "northbury-children")
    await world.state(case, "held")
    (row,) = await world.rows('SELECT held_by, decided FROM cases WHERE "case" = :case', case=case)
    assert row["held_by"] == "delivery"
    assert row["decided"] is not None
    lines = await world.rows('SELECT act, details FROM audit WHERE "case" = :case ORDER BY id', case=case)
    assert {line["details"]["service"] for line in lines} == {"midwifery", "marac"}


async def test_nobody_is_told_where_no_rule_names_anybody(world: World) -> None:
    case = "northshire/none"
    await world.tell(
        case_decided(
            state="no_recipient_by_rule", incident=an_incident(reference="none"), receipt=a_receipt([])
        )
    )
    outcome = await world.state(case, "no_recipient_by_rule")
    assert outcome.branches == []


async def test_a_test_record_goes_the_whole_way_and_to_nobody_live(world: World) -> None:
    case = "northshire/test"
    await world.tell(case_decided(a_route(), incident=an_incident(reference="test", test=True)))
    outcome = await world.state(case, "routed")
    assert [branch.state for branch in outcome.branches] == ["test_withheld"]
    assert world.post.of(case) == []


async def test_a_missed_deadline_is_noted_once_and_told_to_the_stand_in(world: World) -> None:
    case = "northshire/late"
    world.post.open["northbury-children"] = asyncio.Event()
    due = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await world.tell(case_decided(a_route(due=due), incident=an_incident(reference="late")))
    (stand_in,) = await world.arrived(case, "northbury-edt")
    world.post.open.pop("northbury-children").set()
    told = stand_in.notification()
    assert told["why_again"] == "deadline_missed"
    assert told["to"]["recipient"] == "northbury-edt"
    assert told["incident"]["adults"][0]["address"]["postcode"] == "NB4 2QT"
    outcome = await world.state(case, "routed")
    assert {(branch.recipient, branch.state, branch.breached) for branch in outcome.branches} == {
        ("northbury-children", "received", True),
        ("northbury-edt", "received", False),
    }
    lines = await world.rows('SELECT act FROM audit WHERE "case" = :case', case=case)
    assert [line["act"] for line in lines] == ["delivery.deadline_missed"]


async def test_a_webhook_that_is_gone_falls_back_to_the_inbox_else_to_a_person(world: World) -> None:
    world.post.answers["northbury-idva"] = [410]
    world.post.answers["northbury-visitors"] = [410]
    case = "northshire/gone"
    await world.tell(
        case_decided(a_route("idva"), a_route("health_visitor"), incident=an_incident(reference="gone"))
    )
    await until(
        lambda: {b.state for b in getattr(world.outcome(case), "branches", ())} == {"offered", "held"},
        "one in the inbox, one with a person",
    )
    (entry,) = (await world.inbox("northbury-idva")).json()["entries"]
    (arrival,) = world.post.of(case, "northbury-idva")
    assert entry["notification"]["delivery"] == arrival.id
    assert len(world.post.of(case, "northbury-visitors")) == 1
    # A receipt shows that it came after all.
    (held,) = world.post.of(case, "northbury-visitors")
    await world.answer("northbury-visitors", held.id, kind="opened")
    await world.inbox("northbury-idva", after=entry["no"])
    await world.state(case, "routed")


async def test_a_recipient_s_own_topic_is_made_and_received_only_by_receipt(world: World) -> None:
    case = "northshire/topic"
    await world.tell(case_decided(a_route("community_safety"), incident=an_incident(reference="topic")))
    outcome = await world.state(case, "in_flight")
    (branch,) = outcome.branches
    assert branch.state == "offered"
    reader = consumer(world.servers.kafka, "community-safety", client_id="test", fetch_wait_ms=50)
    await reader.start()
    try:
        reader.subscribe([routed_topic("northbury-safety")])
        async with asyncio.timeout(30):
            record = await reader.getone()
    finally:
        await reader.stop()
    told = orjson.loads(record.value)
    assert record.key == case.encode()
    assert told["delivery"] == branch.delivery
    assert "children" not in told["incident"]
    said = await world.answer("northbury-safety", branch.delivery, kind="received")
    assert said.json()["status"] == "recorded"
    await world.state(case, "routed")
