"""The directory over HTTP, on the real database, with cases that follow it: two people for what matters,
addresses that have to show whose they are, secrets that are never shown again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from services.delivery.main import create_app
from shared import keys
from shared.contracts.topics import DECIDED
from shared.db import Database
from shared.kafka import Producer
from shared.outbox import Outbox
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.test_delivery import describe, describe_areas, serve, settings
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Hook:
    """A recipient's own server, written by somebody else: what came, and what it answers to a challenge."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.knows_challenges = True
        self.gone = False
        self.ill = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.came.append((scope["path"], headers, body))
        told = orjson.loads(body)
        answer = b"thank you"
        if told["schema"] == "waymark.challenge/1" and self.knows_challenges:
            answer = orjson.dumps({"challenge": told["challenge"]})
        of_a_case = told["schema"] == "waymark.notification/1"
        status = 410 if self.gone and of_a_case else 503 if self.ill and of_a_case else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    def cases(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [
            (headers, body)
            for where, headers, body in self.came
            if where == path and orjson.loads(body)["schema"] == "waymark.notification/1"
        ]


class World:
    """Delivery running, people who look after its recipients, and a recipient's server."""

    def __init__(self, client: httpx.AsyncClient, database: Database, sender: Outbox, hook: Hook, port: int):
        self.client = client
        self.database = database
        self.sender = sender
        self.hook = hook
        self.port = port
        self.keys: dict[str, str] = {}

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.client.request(
            method, f"/v1/recipients{path}", json=body, headers={"Authorization": f"Bearer {self.keys[who]}"}
        )

    def housing(self, path: str, **changes: Any) -> dict[str, Any]:
        return {
            "schema": "waymark.recipient/1",
            "id": "northbury-housing",
            "role": "housing",
            "areas": ["northbury"],
            "channels": [
                {"kind": "webhook", "url": f"http://127.0.0.1:{self.port}{path}", "secrets": ["new"]},
                {"kind": "inbox"},
            ],
            **changes,
        }

    async def agreed(self, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Asked for by one person and confirmed by another; both answers."""
        asked = await self.ask("ann", "PUT", f"/{body['id']}", body)
        assert asked.status_code == 202, asked.text
        confirmed = await self.ask("bob", "POST", f"/{body['id']}/changes/{asked.json()['change']}/confirm")
        assert confirmed.status_code == 200, confirmed.text
        return asked.json(), confirmed.json()

    async def decide(self, reference: str, service: str = "housing") -> None:
        body = case_decided(a_route(service), incident=an_incident(reference=reference))
        async with self.sender.transaction() as tx:
            tx.emit(DECIDED, body.incident.case, body, started=datetime.now(UTC))

    async def delivery(self, reference: str, *states: str) -> Any:
        async def there() -> bool:
            async with self.database.transaction() as tx:
                found[:] = await tx.rows(
                    'SELECT * FROM deliveries WHERE "case" = :case', case=f"northshire/{reference}"
                )
            return bool(found) and found[0]["state"] in states

        found: list[Any] = []
        await until(there, f"{reference} {states}: {found}")
        return found[0]

    async def audit(self, recipient: str) -> list[tuple[str, str]]:
        async with self.database.transaction() as tx:
            rows = await tx.rows(
                "SELECT who, act FROM audit WHERE details->>'recipient' = :r ORDER BY id", r=recipient
            )
        return [(row["who"], row["act"]) for row in rows]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("directory")
    (folder / "recipients").mkdir()
    describe_areas(folder / "areas")
    describe(folder / "recipients", 1)
    async with AsyncExitStack() as stack:
        hook = Hook()
        port = await serve(stack, hook)
        triage = Database(servers.database, "triage")
        stack.push_async_callback(triage.close)
        producer = Producer(servers.kafka, "test-triage", servers.partitions)
        stack.push_async_callback(producer.close)
        sender = Outbox(triage, producer)
        stack.push_async_callback(sender.close)
        database = Database(servers.database, "delivery", pool_size=2)
        stack.push_async_callback(database.close)
        app = create_app(settings(servers, folder, secrets_key=Fernet.generate_key().decode()))
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://delivery.test")
        )
        world = World(client, database, sender, hook, port)
        owner = Database(servers.database, "tests", as_owner=True)
        async with owner.transaction() as tx:
            for name, areas in (("ann", ("northbury",)), ("bob", ("northbury",)), ("sue", ("southmere",))):
                world.keys[name] = (
                    await keys.create(tx, role="person", person=name, agency="health", areas=areas)
                )[1]
            world.keys["ops"] = (await keys.create(tx, role="ops"))[1]
            world.keys["housing"] = (await keys.create(tx, role="recipient", recipient="northbury-housing"))[1]
        await owner.close()
        yield world


async def test_a_change_of_address_takes_two_people_and_the_address_answers_a_challenge(world: World) -> None:
    asked = await world.ask("ann", "PUT", "/northbury-housing", world.housing("/two"))
    told = asked.json()
    assert (asked.status_code, told["status"]) == (202, "waits_for_confirmation")
    assert set(told["what"]) >= {"address", "secret"}
    (secret,) = told["secrets"]
    confirm = f"/northbury-housing/changes/{told['change']}/confirm"
    assert (await world.ask("ann", "POST", confirm)).status_code == 403
    assert (await world.ask("sue", "POST", confirm)).status_code == 403
    assert (await world.ask("housing", "POST", confirm)).status_code == 403
    assert [one for one in world.hook.came if one[0] == "/two"] == []
    other = await world.ask("bob", "PUT", "/northbury-housing", world.housing("/mine"))
    assert (other.status_code, other.json()["change"]) == (409, told["change"])
    confirmed = (await world.ask("bob", "POST", confirm)).json()
    assert confirmed["addresses"] == {f"http://127.0.0.1:{world.port}/two": "verified"}
    assert (await world.ask("bob", "POST", confirm)).status_code == 409
    await world.decide("two-people")
    await world.delivery("two-people", "received")
    ((headers, body),) = world.hook.cases("/two")
    Webhook(secret).verify(body, headers)
    assert await world.audit("northbury-housing") == [
        ("ann", "recipient.change_asked"),
        ("bob", "recipient.change_confirmed"),
        ("delivery", "address.verified"),
    ]


async def test_a_secret_is_shown_once_and_stored_sealed(world: World) -> None:
    asked, _ = await world.agreed(world.housing("/once"))
    (secret,) = asked["secrets"]
    shown = await world.ask("ann", "GET", "/northbury-housing")
    listed = await world.ask("bob", "GET", "?area=northbury")
    assert "whsec_" not in shown.text + listed.text
    (kept,) = shown.json()["channels"][0]["secrets"]
    assert kept.startswith("fingerprint:")
    async with world.database.transaction() as tx:
        stored = await tx.value("SELECT described::text FROM recipients WHERE id = 'northbury-housing'")
        changes = await tx.rows("SELECT described::text AS d FROM recipient_changes")
    assert "sealed:" in stored
    assert all(secret not in text for text in (stored, *(row["d"] for row in changes)))


async def test_while_secrets_change_both_sign_and_afterwards_the_new_one_alone(world: World) -> None:
    first, _ = await world.agreed(world.housing("/turn"))
    (old,) = first["secrets"]
    shown = (await world.ask("ann", "GET", "/northbury-housing")).json()
    (kept,) = shown["channels"][0]["secrets"]
    turning = world.housing("/turn")
    turning["channels"][0]["secrets"] = [kept, "new"]
    second, _ = await world.agreed(turning)
    assert second["what"] == ["secret"]
    (new,) = second["secrets"]
    await world.decide("both-sign")
    await world.delivery("both-sign", "received")
    headers, body = world.hook.cases("/turn")[-1]
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    turned = world.housing("/turn")
    shown = (await world.ask("ann", "GET", "/northbury-housing")).json()
    turned["channels"][0]["secrets"] = shown["channels"][0]["secrets"][1:]
    await world.agreed(turned)
    await world.decide("new-signs")
    await world.delivery("new-signs", "received")
    headers, body = world.hook.cases("/turn")[-1]
    Webhook(new).verify(body, headers)
    assert len(headers["webhook-signature"].split()) == 1


async def test_an_address_that_has_not_shown_whose_it_is_gets_no_case(world: World) -> None:
    world.hook.knows_challenges = False
    _, confirmed = await world.agreed(world.housing("/strange"))
    assert list(confirmed["addresses"].values()) == ["another answer than the challenge"]
    await world.decide("not-yet")
    await world.delivery("not-yet", "offered")
    assert world.hook.cases("/strange") == []
    state = (await world.ask("ann", "GET", "/northbury-housing")).json()["state"]
    assert (state[0]["usable"], state[0]["why_not"], state[1]["usable"]) == (False, "not verified", True)
    world.hook.knows_challenges = True
    verified = await world.ask("ann", "POST", "/northbury-housing/verify")
    assert list(verified.json()["addresses"].values()) == ["verified"]
    await world.decide("by-now")
    await world.delivery("by-now", "received")
    assert len(world.hook.cases("/strange")) == 1


async def test_a_ping_tries_the_connection_with_nobody_in_it(world: World) -> None:
    await world.agreed(world.housing("/ping"))
    answer = (await world.ask("bob", "POST", "/northbury-housing/ping")).json()
    assert [one["result"] for one in answer["webhooks"]] == ["HTTP 200"]
    (path, headers, body) = world.hook.came[-1]
    assert (path, set(orjson.loads(body))) == ("/ping", {"schema", "recipient", "at"})
    assert "webhook-signature" in headers


async def test_an_address_that_says_it_is_gone_is_used_no_more_and_the_case_goes_another_way(
    world: World,
) -> None:
    await world.agreed(world.housing("/gone"))
    world.hook.gone = True
    await world.decide("gone")
    await world.delivery("gone", "offered")
    world.hook.gone = False

    async def disabled() -> bool:
        state = (await world.ask("ann", "GET", "/northbury-housing")).json()["state"]
        return bool(state[0].get("why_not") == "disabled")

    await until(disabled, "disabled")
    await world.decide("after-it-was-gone")
    await world.delivery("after-it-was-gone", "offered")
    assert len(world.hook.cases("/gone")) == 1
    refused = (await world.ask("ann", "GET", "/northbury-housing")).json()["refusals"]
    assert refused[0]["result"] == "HTTP 410"
    verified = await world.ask("ann", "POST", "/northbury-housing/verify")
    assert list(verified.json()["addresses"].values()) == ["verified"]


async def test_an_address_that_fails_is_left_alone_noted_and_used_again_once_it_is_back(world: World) -> None:
    await world.agreed(world.housing("/ill"))
    world.hook.ill = True
    for number in range(6):
        await world.decide(f"ill-{number}")

    async def failing() -> bool:
        state = (await world.ask("ann", "GET", "/northbury-housing")).json()["state"][0]
        return "failing_since" in state

    await until(failing, "noted as failing")
    listed = (await world.ask("ops", "GET", "")).json()["recipients"]
    work = next(one["work"] for one in listed if one["id"] == "northbury-housing")
    assert (work["breaker"], work["last_answer"]["result"]) != ("closed", "HTTP 200")
    assert work["waiting"] + work["in_inbox"] >= 1
    assert next(one["work"]["waiting"] for one in listed if one["id"] == "southmere-housing") == 0
    world.hook.ill = False
    for number in range(6):
        await world.delivery(f"ill-{number}", "received")

    async def well() -> bool:
        return not await failing()

    await until(well, "noted as back")
    ids = [headers["webhook-id"] for headers, _ in world.hook.cases("/ill")]
    assert len(set(ids)) == 6
    assert len(ids) < 6 * 6


async def test_an_address_that_has_been_silent_for_days_is_used_no_more_and_its_owner_is_told(
    world: World,
) -> None:
    await world.agreed(world.housing("/silent", contact={"email": "it@housing.example"}))
    async with world.database.transaction() as tx:
        await tx.execute(
            "UPDATE addresses SET failing_since = now() - interval '4 days' WHERE url LIKE '%/silent'"
        )

    async def disabled() -> bool:
        state = (await world.ask("ann", "GET", "/northbury-housing")).json()["state"][0]
        return bool(state.get("disabled_because") == "it has not answered for days")

    await until(disabled, "disabled")
    await world.decide("after-days")
    await world.delivery("after-days", "offered")
    assert world.hook.cases("/silent") == []
    async with world.database.transaction() as tx:
        told = await tx.rows(
            "SELECT kind FROM notices WHERE recipient = 'northbury-housing' AND about LIKE '%/silent'"
        )
    assert [row["kind"] for row in told] == ["address_disabled"]


async def test_what_decides_nothing_takes_one_person_and_what_changes_nothing_none(world: World) -> None:
    body = (await world.ask("ann", "GET", "/northbury-programme")).json()
    assert (await world.ask("ann", "PUT", "/northbury-programme", body)).json()["status"] == "unchanged"
    renamed = await world.ask("ann", "PUT", "/northbury-programme", {**body, "name": "The programme"})
    assert (renamed.status_code, renamed.json()["what"]) == (200, ["name"])
    changes: tuple[dict[str, Any], ...] = (
        {"role": "housing"},
        {"areas": []},
        {"contact": {"email": "duty@programme.example"}},
    )
    for change in changes:
        asked = await world.ask("ann", "PUT", "/northbury-programme", {**body, **change})
        assert asked.status_code in (202, 422), asked.text
    asked = await world.ask("ann", "PUT", "/northbury-programme", {**body, "escalate_to": ["northbury-edt"]})
    gone = await world.ask("bob", "POST", f"/northbury-programme/changes/{asked.json()['change']}/withdraw")
    assert gone.json()["status"] == "withdrawn"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"role": "astrologer"}, 422, "role"),
        ({"id": "somebody-else"}, 422, "another id"),
        ({"colour": "blue"}, 422, "colour"),
        ({"channels": []}, 422, "channels"),
        ({"channels": [{"kind": "webhook", "url": "http://css.example/", "secrets": ["new"]}]}, 422, "https"),
        (
            {"channels": [{"kind": "webhook", "url": "https://css.example/", "secrets": ["short"]}]},
            422,
            "whsec_",
        ),
        ({"channels": [{"kind": "webhook", "url": "https://css.example/", "secrets": []}]}, 422, "one secret"),
        ({"channels": [{"kind": "inbox"}, {"kind": "inbox"}]}, 422, "twice"),
        ({"areas": ["southmere"]}, 403, "areas"),
        ({"escalate_to": ["nobody"]}, 422, "nobody"),
        ({"role": "marac"}, 422, "Two recipients answer for marac"),
        ({"contact": {"email": "not an address"}}, 422, "contact/email"),
    ],
)
async def test_what_does_not_fit_is_refused_with_what_is_wrong(
    world: World, changes: dict[str, Any], status: int, word: str
) -> None:
    answer = await world.ask("ann", "PUT", "/northbury-housing", world.housing("/x", **changes))
    assert (answer.status_code, word in answer.text) == (status, True), answer.text


async def test_nobody_else_sees_or_changes_a_recipient(world: World) -> None:
    assert (await world.ask("sue", "GET", "/northbury-housing")).status_code == 404
    seen = (await world.ask("sue", "GET", "")).json()["recipients"]
    assert {area for one in seen for area in one["areas"]} == {"southmere"}
    assert (await world.ask("sue", "PUT", "/northbury-housing", world.housing("/x"))).status_code == 403
    assert (await world.ask("housing", "GET", "/northbury-housing")).status_code == 403
    assert (await world.client.get("/v1/recipients")).status_code == 401
    # Ops in general may look and try a connection; a change is a person's.
    assert (await world.ask("ops", "GET", "/northbury-housing")).status_code == 200
    assert (await world.ask("ops", "PUT", "/northbury-housing", world.housing("/x"))).status_code == 403
    assert (await world.ask("ann", "GET", "/nobody")).status_code == 404


async def test_an_alien_key_cannot_open_what_was_sealed_and_the_recipient_is_as_the_files_say(
    world: World, servers: Servers, tmp_path: Path
) -> None:
    await world.agreed(world.housing("/sealed"))
    (tmp_path / "recipients").mkdir()
    describe_areas(tmp_path / "areas")
    describe(tmp_path / "recipients", 1)
    other = create_app(settings(servers, tmp_path, secrets_key=Fernet.generate_key().decode()))
    async with other.router.lifespan_context(other):
        transport = httpx.ASGITransport(app=other)
        async with httpx.AsyncClient(transport=transport, base_url="http://delivery.test") as client:
            shown = await client.get(
                "/v1/recipients/northbury-housing", headers={"Authorization": f"Bearer {world.keys['ann']}"}
            )
    assert shown.json()["source"] == "file"


async def test_two_changes_at_once_are_one_and_a_conflict(world: World) -> None:
    bodies = [world.housing("/a"), world.housing("/b")]
    answers = await asyncio.gather(
        world.ask("ann", "PUT", "/northbury-housing", bodies[0]),
        world.ask("bob", "PUT", "/northbury-housing", bodies[1]),
    )
    assert sorted(answer.status_code for answer in answers) == [202, 409]
