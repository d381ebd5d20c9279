"""The way of a case whose webhook fails: the inbox and a notice, the second contact, a person on call; and a
reader without a system of their own, who signs in with a code from a real mail server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import yaml
from aiosmtpd.controller import Controller

from deploy.local import ports
from services.delivery.main import create_app
from shared import keys
from shared.contracts.base import write_moment
from shared.contracts.topics import DECIDED
from shared.db import Database
from shared.kafka import Producer
from shared.outbox import Outbox
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.test_delivery import SECRET, describe_areas, serve, settings
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHOOL = "northbury-school"


class Mail:
    """What the mail server took: to whom, which subject, which text."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, str]] = []
        self.busy = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        if self.busy:
            return "451 Try again later"
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body()
        self.came.append((envelope.rcpt_tos[0], str(message["Subject"]), body.get_content() if body else ""))
        return "250 OK"

    def to(self, address: str, word: str = "") -> list[tuple[str, str, str]]:
        return [one for one in self.came if one[0] == address and word in one[1]]


class World:
    """Delivery running, with a mail server, a webhook that fails, and a school without a system."""

    def __init__(self, client: httpx.AsyncClient, database: Database, sender: Outbox, mail: Mail) -> None:
        self.client = client
        self.database = database
        self.sender = sender
        self.mail = mail
        self.tried = 0
        self.heals = False
        self.ops = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Its webhook's server."""
        await receive()
        self.tried += 1
        status = 204 if self.heals else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def decide(self, reference: str, service: str, due_s: float) -> str:
        due = write_moment(datetime.now(UTC) + timedelta(seconds=due_s))
        body = case_decided(a_route(service, due=due), incident=an_incident(reference=reference))
        async with self.sender.transaction() as tx:
            tx.emit(DECIDED, body.incident.case, body, started=datetime.now(UTC))
        return body.incident.case

    async def row(self, case: str) -> Any:
        async with self.database.transaction() as tx:
            return await tx.row('SELECT * FROM deliveries WHERE "case" = :case', case=case)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("fallback")
    (folder / "recipients").mkdir()
    describe_areas(folder / "areas")
    mail = Mail()
    server = Controller(mail, hostname="127.0.0.1", port=ports.choose())
    server.start()
    async with AsyncExitStack() as stack:
        stack.callback(server.stop)
        triage = Database(servers.database, "triage")
        stack.push_async_callback(triage.close)
        producer = Producer(servers.kafka, "test-triage", servers.partitions)
        stack.push_async_callback(producer.close)
        sender = Outbox(triage, producer)
        stack.push_async_callback(sender.close)
        database = Database(servers.database, "delivery", pool_size=2)
        stack.push_async_callback(database.close)
        world = World(httpx.AsyncClient(), database, sender, mail)
        port = await serve(stack, world)
        (folder / "recipients" / "secret").write_text(SECRET)
        (folder / "recipients" / "all.yaml").write_text(
            yaml.safe_dump(
                [
                    {
                        "id": "northbury-children",
                        "role": "childrens_services",
                        "areas": ["northbury"],
                        "channels": [
                            {"kind": "webhook", "url": f"http://127.0.0.1:{port}/", "secrets": ["file:secret"]},
                            {"kind": "inbox"},
                        ],
                        "hours": "always",
                        "notice": {"email": "duty@children.example"},
                        "contact": {"email": "it@children.example"},
                        "second_contact": {"email": "manager@children.example"},
                    },
                    {
                        "id": SCHOOL,
                        "role": "education",
                        "areas": ["northbury"],
                        "channels": [{"kind": "inbox"}],
                        "hours": "always",
                        "notice": {"email": "Head@school.example"},
                    },
                ]
            )
        )
        mailing = {
            "smtp": f"smtp+plain://127.0.0.1:{server.port}",
            "notice_sender": "waymark@council.example",
            "reader_url": "https://waymark.council.example",
            "on_call": "on-call@council.example",
        }
        app = create_app(settings(servers, folder, **mailing))
        await stack.enter_async_context(app.router.lifespan_context(app))
        world.client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://delivery.test")
        )
        owner = Database(servers.database, "tests", as_owner=True)
        async with owner.transaction() as tx:
            world.ops = (await keys.create(tx, role="ops", person="ops"))[1]
        await owner.close()
        yield world


async def test_a_webhook_that_fails_has_company_long_before_the_deadline_and_each_is_told_in_turn(
    world: World,
) -> None:
    case = await world.decide("failing", "childrens_services", 16)

    async def lies_in_the_inbox() -> bool:
        row = await world.row(case)
        return bool(row and row["inbox_no"] and row["state"] == "waiting" and not row["breached_at"])

    await until(lies_in_the_inbox, "in the inbox, before the deadline, while the webhook is tried")
    await until(lambda: bool(world.mail.to("duty@children.example", "waits")), "a notice that something waits")
    await until(
        lambda: bool(world.mail.to("manager@children.example", "near")), "a warning before the deadline"
    )
    deadlines = (
        await world.client.get("/v1/deadlines", headers={"Authorization": f"Bearer {world.ops}"})
    ).json()
    (shown,) = [one for one in deadlines["deadlines"] if one["case"] == case]
    assert (shown["recipient"], shown["at_risk"], shown["minutes_to_breach"] < 1) == (
        "northbury-children", True, True,
    )  # fmt: skip
    await until(lambda: bool(world.mail.to("on-call@council.example", "missed")), "the person on call")
    tried = world.tried
    assert tried >= 2
    world.heals = True

    async def received() -> bool:
        return bool((await world.row(case))["state"] == "received")

    await until(received, "received by the webhook after all")
    for _, subject, text in world.mail.came:
        for of_the_case in ("failing", "northshire", "d-", "Alfie", "NB4"):
            assert of_the_case not in subject + text


async def test_a_school_without_a_system_signs_in_with_a_code_and_says_that_it_has_it(world: World) -> None:
    case = await world.decide("school", "education", 3600)
    await until(lambda: bool(world.mail.to("Head@school.example", "waits")), "the notice")
    (_, _, notice) = world.mail.to("Head@school.example", "waits")[0]
    assert f"https://waymark.council.example/reader/{SCHOOL}" in notice
    asked = await world.client.post("/v1/sign-in", json={"recipient": SCHOOL, "email": "head@SCHOOL.example"})
    assert asked.status_code == 202
    await until(lambda: bool(world.mail.to("Head@school.example", "code")), "the code")
    found = re.search(r"code is ([A-Z0-9]{8})", world.mail.to("Head@school.example", "code")[0][2])
    assert found is not None
    number, code = asked.json()["sign_in"], found[1]
    assert (await world.client.post(f"/v1/sign-in/{number}", json={"code": "AAAAAAAA"})).status_code == 403
    entered = await world.client.post(f"/v1/sign-in/{number}", json={"code": code.lower()})
    assert entered.json()["recipient"] == SCHOOL
    assert (await world.client.post(f"/v1/sign-in/{number}", json={"code": code})).status_code == 403
    session = {"Authorization": f"Bearer {entered.json()['token']}"}
    page = (await world.client.get("/v1/inbox", headers=session)).json()
    (told,) = [one["notification"] for one in page["entries"] if one["notification"]["case"] == case]
    assert told["to"]["role"] == "education"
    receipt = {"schema": "waymark.receipt/1", "kind": "opened", "by": "the head"}
    answered = await world.client.post(
        f"/v1/deliveries/{told['delivery']}/receipts", headers=session, json=receipt
    )
    assert answered.json()["status"] == "recorded"
    assert (await world.client.get("/v1/deadlines", headers=session)).status_code == 401
    await world.client.delete("/v1/sign-in", headers=session)
    assert (await world.client.get("/v1/inbox", headers=session)).status_code == 401
    async with world.database.transaction() as tx:
        stored = await tx.value("SELECT count(*) FROM reader_sessions") + await tx.value(
            "SELECT count(*) FROM sign_in_codes"
        )
    assert stored == 0


async def test_whoever_has_another_address_gets_no_code_and_does_not_learn_it(world: World) -> None:
    before = len(world.mail.came)
    for recipient, email in ((SCHOOL, "father@home.example"), ("nobody", "Head@school.example")):
        asked = await world.client.post("/v1/sign-in", json={"recipient": recipient, "email": email})
        assert (asked.status_code, set(asked.json())) == (202, {"sign_in"})
        entered = await world.client.post(f"/v1/sign-in/{asked.json()['sign_in']}", json={"code": "ABCDEFGH"})
        assert entered.status_code == 403
    assert len(world.mail.came) == before
    assert (await world.client.post("/v1/sign-in", content=b"[]")).status_code == 422


async def test_five_wrong_codes_are_the_last(world: World) -> None:
    asked = await world.client.post("/v1/sign-in", json={"recipient": SCHOOL, "email": "head@school.example"})
    before = len(world.mail.to("Head@school.example", "code"))
    await until(lambda: len(world.mail.to("Head@school.example", "code")) >= before, "the code")
    for _ in range(5):
        await world.client.post(f"/v1/sign-in/{asked.json()['sign_in']}", json={"code": "AAAAAAAA"})

    def codes() -> list[str]:
        return re.findall(r"code is ([A-Z0-9]{8})", " ".join(one[2] for one in world.mail.came))

    for code in codes():
        entered = await world.client.post(f"/v1/sign-in/{asked.json()['sign_in']}", json={"code": code})
        assert entered.status_code == 403


async def test_a_mail_server_that_is_busy_gets_the_notice_later(world: World) -> None:
    world.mail.busy = True
    async with world.database.transaction() as tx:
        await tx.execute("DELETE FROM notices")
    already = len(world.mail.to("Head@school.example", "waits"))
    await world.decide("busy", "education", 3600)

    async def tried() -> bool:
        async with world.database.transaction() as tx:
            row = await tx.row("SELECT tries, result FROM notices WHERE recipient = :r", r=SCHOOL)
        return bool(row and row["result"] and row["tries"] >= 1)

    await until(tried, "refused by the mail server")
    assert len(world.mail.to("Head@school.example", "waits")) == already
    world.mail.busy = False
    await until(lambda: len(world.mail.to("Head@school.example", "waits")) > already, "the notice after all")


async def test_the_audit_says_each_step_and_names_nobody(world: World) -> None:
    async with world.database.transaction() as tx:
        rows = await tx.rows("SELECT act, details FROM audit WHERE \"case\" = 'northshire/failing' ORDER BY id")
    acts = [row["act"] for row in rows]
    assert [act for act in acts if act in (
        "delivery.also_in_inbox", "delivery.deadline_near", "delivery.deadline_missed"
    )] != []  # fmt: skip
    assert acts.index("delivery.deadline_near") < acts.index("delivery.deadline_missed")
    assert "@" not in orjson.dumps([row["details"] for row in rows]).decode()
