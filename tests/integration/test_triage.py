"""Triage whole: events in, decisions out, people's acts over HTTP, on the real broker and database."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from services.triage.live import LiveProtocols
from services.triage.main import create_app
from services.triage.protocols import load_library
from services.triage.settings import Settings
from shared import keys
from shared.areas import load_areas
from shared.canonical import digest
from shared.contracts.events import CaseDecided, IncidentEnriched
from shared.contracts.history import EarlierIncident, History
from shared.contracts.incident import Incident
from shared.contracts.topics import DECIDED, ENRICHED
from shared.db import Database
from shared.errors import Retryable
from shared.kafka import Producer
from shared.outbox import EmittingTransaction, Outbox
from shared.stage import Event, Stage
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.waiting import until
from tests.protocols.test_checking import CASES
from tests.protocols.test_files import HEAD, rule

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTHING_BEFORE = History(status="complete", incidents=[], involvement=[], marac=[], children_known=[])
PEOPLE: dict[str, dict[str, Any]] = {
    "officer": {"role": "person", "person": "officer-7", "agency": "police", "areas": ("northbury",)},
    "colleague": {"role": "person", "person": "officer-8", "agency": "police", "areas": ("northbury",)},
    "worker": {
        "role": "person",
        "person": "worker-3",
        "agency": "childrens_services",
        "areas": ("northbury",),
    },
    "elsewhere": {
        "role": "person",
        "person": "worker-9",
        "agency": "childrens_services",
        "areas": ("southmere",),
    },
    "ops": {"role": "ops"},
    "police": {"role": "police", "force": "northshire"},
    "board": {"role": "board", "person": "chair"},
}


def now() -> datetime:
    return datetime.now(UTC)


def enriched(reference: str, *, revision: int = 1, **over: Any) -> IncidentEnriched:
    """A quarrel of two adults with a child of nine in the house, unless told otherwise."""
    about = {"history": NOTHING_BEFORE, "as_of": now(), "why": "accepted"}
    about |= {name: over.pop(name) for name in list(over) if name in about}
    incident = an_incident(reference=reference, revision=revision, **over)
    return IncidentEnriched(
        incident=Incident.model_validate(incident), revision=revision, accepted_at=about["as_of"], **about
    )


def mild(reference: str, **over: Any) -> IncidentEnriched:
    """An incident that asks for little: words only, an older child, nothing breached."""
    quarrel = {
        "violence": ["verbal"], "weapons": [], "injuries": [], "threats": [], "strangulation": False,
        "sexual_offence": False, "property_damaged": False, "stalking": False, "contact_dispute": False,
        "separation_intended": False, "honour_based": False, "forced_marriage": False,
        "animals_harmed": False, "escalating": False, "offences": [],
    }  # fmt: skip
    child = {"id": "c1", "born": "2014-05-16", "area": "northbury", "presence": "not_on_premises"}
    given = {"incident": quarrel, "children": [child], "relationships": [], "risk": {"level": "standard"}}
    given |= {"consent": {}}
    return enriched(reference, **(given | over))


def strangling(body: IncidentEnriched) -> dict[str, Any]:
    return {**orjson.loads(body.incident.as_bytes())["incident"], "strangulation": True}


class World:
    """Triage running, with what came before and what comes after played by the test."""

    def __init__(
        self, servers: Servers, sender: Outbox, client: httpx.AsyncClient, held: dict[str, str]
    ) -> None:
        self.servers = servers
        self.sender = sender
        self.client = client
        self.held = held
        self.decided: list[Event[CaseDecided]] = []

    async def note(self, _: EmittingTransaction, events: Any) -> None:
        self.decided.extend(events)

    async def tell(self, *bodies: IncidentEnriched) -> None:
        async with self.sender.transaction() as tx:
            for body in bodies:
                tx.emit(ENRICHED, body.incident.case, body, started=now())

    def of(self, case: str) -> list[Event[CaseDecided]]:
        return [event for event in self.decided if event.case == case]

    async def come(self, case: str, count: int = 1) -> CaseDecided:
        await until(lambda: len(self.of(case)) >= count, f"{count} decisions of {case}")
        found: CaseDecided = self.of(case)[count - 1].body
        return found

    async def get(self, who: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {self.held[who]}"})

    async def act(self, who: str, case: str, **said: Any) -> httpx.Response:
        return await self.client.post(
            f"/v1/cases/{case}/decisions", json=said, headers={"Authorization": f"Bearer {self.held[who]}"}
        )

    async def rows(self, sql: str, **params: Any) -> list[Any]:
        database = Database(self.servers.database, "triage", pool_size=2)
        try:
            async with database.transaction() as tx:
                return await tx.rows(sql, **params)
        finally:
            await database.close()


def describe_trial(folder: Path) -> None:
    """A board's own protocol, as it would lie in its folder."""
    folder.mkdir()
    trial = (HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}")).replace(
        "id: trial", "id: board-trial"
    )
    (folder / "board-trial.v1.yaml").write_text(trial)
    (folder / "board-trial.v1.cases.yaml").write_text(
        CASES.replace("trial/1", "board-trial/1").replace("child_level: 3", "child_level: 4")
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        outboxes = {}
        for service in ("enrichment", "delivery"):
            database = Database(servers.database, service)
            stack.push_async_callback(database.close)
            producer = Producer(servers.kafka, f"test-{service}", servers.partitions)
            stack.push_async_callback(producer.close)
            outboxes[service] = Outbox(database, producer)
            stack.push_async_callback(outboxes[service].close)
        held = {}
        owner = Database(servers.database, "tests", as_owner=True)
        async with owner.transaction() as tx:
            for name, who in PEOPLE.items():
                held[name] = (await keys.create(tx, **who))[1]
        await owner.close()
        own = Path(stack.enter_context(TemporaryDirectory())) / "own"
        describe_trial(own)
        app = create_app(
            Settings(
                database=servers.database,
                kafka=servers.kafka,
                partitions=servers.partitions,
                protocols=own,
                named_staff=["worker-3"],
            )
        )
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://triage")
        )
        world = World(servers, outboxes["enrichment"], client, held)
        stage = Stage("delivery", outboxes["delivery"], servers.kafka, {DECIDED: world.note})
        reading = asyncio.create_task(stage.run())
        stack.push_async_callback(_stop, reading)
        yield world


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_urgent_case_is_routed_at_once_and_a_person_looks_after(world: World) -> None:
    case = "northshire/urgent"
    baby = {"id": "c1", "born": "2026-05-01", "area": "northbury", "presence": "asleep"}
    body = enriched("urgent", children=[baby])
    await world.tell(body)
    decided = await world.come(case)
    assert decided.state == "to_route"
    assert decided.decision.version == 1
    assert decided.decision.supersedes is None
    assert decided.as_of == body.as_of.replace(microsecond=body.as_of.microsecond // 1000 * 1000)
    assert decided.decision.receipt["result"]["css_response"] == "section_47"
    event = world.of(case)[0]
    assert [entry.stage for entry in event.envelope.ledger] == ["enrichment", "triage"]

    seen = (await world.get("officer", f"/v1/cases/{case}")).json()
    assert seen["decision"]["receipt"] == decided.decision.receipt
    assert seen["digest"] == digest(decided.decision.receipt)
    assert [version["version"] for version in seen["versions"]] == [1]
    assert seen["review"]["because"] == ["section_47"]

    queued = (await world.get("officer", "/v1/queue")).json()["cases"]
    assert case in [one["case"] for one in queued]
    answer = await world.act("officer", case, act="seen-1", kind="confirm", version=1)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    queued = (await world.get("officer", "/v1/queue")).json()["cases"]
    assert case not in [one["case"] for one in queued]
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()
    assert seen["review"] == {
        "waiting": False,
        "due": None,
        "because": [],
        "words": [],
        "looked_by": "officer-7",
        "looked_at": seen["review"]["looked_at"],
    }


async def test_a_case_that_may_have_a_child_is_held_and_then_told_to_childrens_services(world: World) -> None:
    case = "northshire/held"
    long_ago = now() - timedelta(days=10)
    await world.tell(mild("held", children=None, as_of=long_ago))
    held = await world.come(case)
    assert (held.state, held.held_by, held.decision.receipt["routes"]) == ("held", "northbury-screening", [])
    released = await world.come(case, 2)
    assert (released.state, released.held_by, released.why) == ("to_route", None, "waited")
    (route,) = released.decision.receipt["routes"]
    assert (route["service"], route["response"]) == ("childrens_services", "inform")
    assert route["rules"] == ["safeguards/1#waited"]
    assert [one["by"] for one in released.decision.people_decided] == ["waymark"]
    assert [entry.stage for entry in world.of(case)[1].envelope.ledger] == ["enrichment", "screening", "triage"]


async def test_a_case_that_waits_still_has_time_until_office_closing_on_the_next_working_day(
    world: World,
) -> None:
    case = "northshire/waits"
    await world.tell(mild("waits", children=None))
    await world.come(case)
    (timer,) = await world.rows("SELECT due_at FROM timers WHERE key = :case", case=case)
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()
    assert datetime.fromisoformat(seen["held_until"]) == timer["due_at"] > now()
    await world.act("worker", case, act="seen-2", kind="confirm", version=1)
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()
    assert (seen["state"], seen["review"]["waiting"]) == ("held", False)
    assert await world.rows("SELECT 1 FROM timers WHERE key = :case", case=case)


async def test_a_case_without_a_child_stays_held_until_a_person_lets_it_rest(world: World) -> None:
    case = "northshire/adults"
    await world.tell(mild("adults", children=[], as_of=now() - timedelta(days=10)))
    held = await world.come(case)
    assert held.state == "held"

    async def given_up() -> bool:
        return bool(
            await world.rows("SELECT 1 FROM audit WHERE \"case\" = :case AND act = 'unheld'", case=case)
        )

    await until(given_up, "the timer of the case without a child")
    assert len(world.of(case)) == 1
    queued = {one["case"]: one for one in (await world.get("officer", "/v1/queue")).json()["cases"]}
    assert queued[case]["overdue"]
    refused = await world.act("officer", case, act="rest-0", kind="confirm", version=1)
    assert refused.status_code == 422
    rested = await world.act(
        "officer", case, act="rest-1", kind="confirm", version=1, reason="Seen; she is safe."
    )
    assert rested.json()["state"] == "no_recipient_by_rule"
    assert (await world.come(case, 2)).state == "no_recipient_by_rule"
    await world.tell(mild("adults", children=[]))
    await world.tell(mild("after-adults"))
    await world.come("northshire/after-adults")
    assert len(world.of(case)) == 2


async def test_what_says_nothing_new_makes_no_version(world: World) -> None:
    case = "northshire/again"
    await world.tell(mild("again"))
    await world.come(case)
    later = NOTHING_BEFORE.model_copy(update={"as_of": now()})
    await world.tell(mild("again", history=later, why="late_knowledge"))
    earlier = EarlierIncident(
        force="northshire", reference="NS-0", occurred_at=now() - timedelta(days=90), violence=["punch"]
    )
    known = NOTHING_BEFORE.model_copy(update={"incidents": [earlier]})
    await world.tell(mild("again", history=known, why="late_knowledge"))
    second = await world.come(case, 2)
    assert (second.decision.version, second.decision.supersedes) == (2, 1)
    assert second.why == "late_knowledge"
    assert second.history.incidents is not None
    assert second.news == ["1 earlier incident not known before"]
    assert (await world.get("officer", f"/v1/cases/{case}")).json()["news"] == second.news
    rows = await world.rows('SELECT version FROM decisions WHERE "case" = :case ORDER BY version', case=case)
    assert [row["version"] for row in rows] == [1, 2]


async def test_an_older_revision_never_replaces_a_newer_one(world: World) -> None:
    case = "northshire/straggler"
    await world.tell(mild("straggler", revision=2))
    await world.come(case)
    await world.tell(mild("straggler", revision=1))
    await world.tell(mild("straggler", revision=3))
    second = await world.come(case, 2)
    assert (second.revision, second.decision.version) == (3, 2)
    (row,) = await world.rows('SELECT * FROM reconcile WHERE "case" = :case', case=case)
    assert (row["revision"], row["version"], row["state"], row["seq_emitted"]) == (3, 2, "to_route", 2)


async def test_each_of_several_revisions_counts_however_they_come(world: World) -> None:
    case = "northshire/several"
    first = mild("several")
    await world.tell(
        mild("several", incident=strangling(first)), mild("several", revision=2), mild("several", revision=3)
    )

    async def at_three() -> bool:
        rows = await world.rows('SELECT version FROM cases WHERE "case" = :case', case=case)
        return bool(rows) and rows[0]["version"] == 3

    await until(at_three, "three versions")
    await until(lambda: [event.body.revision for event in world.of(case)][-1:] == [3], "the newest")
    decided = world.of(case)[-1].body.decision
    assert decided.version == 3
    assert decided.receipt["result"]["css_response"] == "section_47"
    assert "strangulation" not in str(decided.receipt["proposal"])
    assert decided.receipt["proposal"]["css_response"] != "section_47"


async def test_one_person_raises_and_saying_it_twice_does_it_once(world: World) -> None:
    case = "northshire/raised"
    await world.tell(mild("raised"))
    assert (await world.come(case)).decision.receipt["result"]["css_response"] == "early_help"
    said = {
        "act": "raise-1", "kind": "raise", "to": {"css_response": "section_17", "services": ["idva"]},
        "reason": "Her sister rang us.",
    }  # fmt: skip
    for _ in range(2):
        answer = await world.act("officer", case, **said)
        assert answer.status_code == 200
        assert answer.json()["version"] == 2
    raised = await world.come(case, 2)
    assert raised.why == "person_decided"
    assert raised.decision.receipt["result"]["css_response"] == "section_17"
    assert {"childrens_services", "idva"} <= {route["service"] for route in raised.decision.receipt["routes"]}
    assert "sister" not in raised.as_bytes().decode()
    assert len(raised.decision.receipt["inputs"]["people"]) == 1

    other = await world.act("worker", case, **said)
    assert other.status_code == 409
    nothing = await world.act(
        "worker", case, act="raise-2", kind="raise", to={"css_response": "inform"}, reason="x"
    )
    assert nothing.status_code == 409
    await world.tell(mild("raised", revision=2))
    third = await world.come(case, 3)
    assert third.decision.receipt["result"]["css_response"] == "section_17"
    audited = await world.rows('SELECT who, act, details FROM audit WHERE "case" = :case', case=case)
    assert [(row["who"], row["act"]) for row in audited] == [("officer-7", "raise")]
    assert "sister" not in str(audited[0]["details"])
    acts = (await world.get("worker", f"/v1/cases/{case}")).json()["acts"]
    assert [act["reason"] for act in acts] == ["Her sister rang us."]


async def test_two_people_of_two_agencies_lower_and_a_new_reason_raises_again(world: World) -> None:
    case = "northshire/lowered"
    body = mild("lowered")
    await world.tell(mild("lowered", incident=strangling(body)))
    await world.come(case)
    nothing = await world.act("officer", case, act="l-0", kind="lower", version=1, reason="It was not so.")
    assert nothing.status_code == 409  # the rules ask for it on the facts as they stand
    await world.tell(mild("lowered", revision=2))
    high = await world.come(case, 2)
    assert high.decision.receipt["result"]["css_response"] == "section_47"

    waits = await world.act("officer", case, act="l-1", kind="lower", version=2, reason="The record was wrong.")
    assert (waits.status_code, waits.json()["standing"]) == (202, "waiting")
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()
    assert "reason" not in seen["acts"][0]
    for alone in ("officer", "colleague"):
        refused = await world.act(
            alone, case, act=f"l-{alone}", kind="lower", version=2, reason="I agree.", confirms="l-1"
        )
        assert refused.status_code == 409
    agreed = await world.act(
        "worker", case, act="l-2", kind="lower", version=2, reason="We asked her.", confirms="l-1"
    )
    assert (agreed.status_code, agreed.json()["version"]) == (200, 3)
    low = await world.come(case, 3)
    assert low.decision.receipt["result"]["css_response"] == "early_help"
    assert [one["by"] for one in low.decision.people_decided] == ["officer-7", "worker-3"]
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()
    assert [act["reason"] for act in seen["acts"]] == ["The record was wrong.", "We asked her."]

    await world.tell(mild("lowered", revision=3))
    assert (await world.come(case, 4)).decision.receipt["result"]["css_response"] == "early_help"
    await world.tell(mild("lowered", revision=4, incident=strangling(body)))
    assert (await world.come(case, 5)).decision.receipt["result"]["css_response"] == "section_47"


async def test_a_proposal_to_lower_lapses_when_the_case_is_decided_anew(world: World) -> None:
    case = "northshire/lapsed"
    await world.tell(mild("lapsed"))
    await world.come(case)
    await world.act(
        "officer", case, act="up", kind="raise", to={"css_response": "section_17"}, reason="A call."
    )
    await world.come(case, 2)
    waits = await world.act("officer", case, act="down", kind="lower", version=2, reason="A mistake of mine.")
    assert waits.status_code == 202
    await world.tell(mild("lapsed", revision=2))
    await world.come(case, 3)
    late = await world.act("worker", case, act="agree", kind="lower", version=2, reason="Yes.", confirms="down")
    assert late.status_code == 409
    repeated = await world.act(
        "officer", case, act="down", kind="lower", version=2, reason="A mistake of mine."
    )
    assert repeated.json()["standing"] == "lapsed"


async def test_a_withdrawn_incident_is_withdrawn_and_nobody_decides_about_it(world: World) -> None:
    case = "northshire/withdrawn"
    await world.tell(mild("withdrawn", children=None))
    assert (await world.come(case)).state == "held"
    await world.tell(mild("withdrawn", revision=2, withdrawn=True, why="withdrawn"))
    gone = await world.come(case, 2)
    assert (gone.state, gone.held_by, gone.revision) == ("withdrawn", None, 2)
    assert not await world.rows("SELECT 1 FROM timers WHERE key = :case", case=case)
    refused = await world.act("officer", case, act="w", kind="raise", to={"child_level": 4}, reason="x")
    assert refused.status_code == 409


async def test_an_area_nobody_knows_is_decided_by_the_default_protocol_and_marked(world: World) -> None:
    case = "northshire/lost"
    adults = [{"id": "a1", "role": "victim", "sex": "female"}]
    child = {"id": "c1", "born": "2014-05-16", "presence": "witnessed"}
    await world.tell(mild("lost", area="atlantis", adults=adults, children=[child]))
    decided = await world.come(case)
    assert decided.decision.receipt["protocol"] == {"id": "london-dvrim", "version": 1}
    assert "area_unknown" in decided.decision.receipt["degraded"]
    assert (await world.get("officer", f"/v1/cases/{case}")).status_code == 200  # of the same force
    assert (await world.get("elsewhere", f"/v1/cases/{case}")).status_code == 404


async def test_each_sees_their_own_areas_and_ops_see_ids_alone(world: World) -> None:
    case = "northshire/own"
    await world.tell(mild("own", children=None))
    await world.come(case)
    path = f"/v1/cases/{case}"
    found = {who: (await world.get(who, path)).status_code for who in PEOPLE}
    assert found == {
        "officer": 200,
        "colleague": 200,
        "worker": 200,
        "elsewhere": 404,
        "ops": 403,
        "police": 403,
        "board": 403,
    }
    assert (await world.client.get(path)).status_code == 401
    raised = await world.act("elsewhere", case, kind="raise", to={"child_level": 4}, reason="x")
    assert raised.status_code == 404
    assert case not in [one["case"] for one in (await world.get("elsewhere", "/v1/queue")).json()["cases"]]
    for_ops = {one["case"]: one for one in (await world.get("ops", "/v1/queue")).json()["cases"]}
    assert "level" not in for_ops[case]
    assert "why" not in for_ops[case]


async def test_a_reference_may_hold_slashes_written_or_encoded(world: World) -> None:
    case = "northshire/NS/2026/7"
    await world.tell(mild("NS/2026/7"))
    await world.come(case)
    for written in (case, f"northshire/{quote('NS/2026/7', safe='')}", quote(case, safe="")):
        assert (await world.get("officer", f"/v1/cases/{written}")).json()["case"] == case
        seen = await world.act("officer", written, kind="confirm", version=1)
        assert (seen.status_code, seen.json()["case"]) == (200, case)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({"kind": "close"}, "/kind"),
        ({"kind": "raise", "to": {"child_level": 5}, "reason": "x"}, "/to/child_level"),
        ({"kind": "raise", "to": {"child_level": 4}}, "/reason"),
        ({"kind": "raise", "reason": "x"}, "/to"),
        ({"kind": "lower", "reason": "x"}, "/version"),
        ({"kind": "confirm"}, "/version"),
        ({"kind": "confirm", "version": 1, "by": "somebody"}, "/by"),
    ],
)
async def test_an_act_that_cannot_be_read_is_refused_with_its_place(
    world: World, said: dict[str, Any], at: str
) -> None:
    case = "northshire/unreadable"
    if not world.of(case):
        await world.tell(mild("unreadable"))
        await world.come(case)
    refused = await world.act("officer", case, **said)
    assert (refused.status_code, refused.json()["at"]) == (422, at)


async def test_who_looked_at_an_older_version_is_told_so(world: World) -> None:
    case = "northshire/stale"
    await world.tell(mild("stale"))
    await world.come(case)
    await world.tell(mild("stale", revision=2))
    await world.come(case, 2)
    stale = await world.act("officer", case, kind="confirm", version=1)
    assert (stale.status_code, stale.json()["version"]) == (409, 2)


async def test_acts_and_events_at_the_same_moment_each_count_once(world: World) -> None:
    case = "northshire/crowd"
    await world.tell(mild("crowd"))
    await world.come(case)
    steps = ["section_17", "section_47"]
    services = ["idva", "housing", "midwifery", "camhs", "victim_support", "interpreter"]
    acts = [
        world.act(who, case, act=f"crowd-{i}-{who}", kind="raise", to=to, reason="x")
        for i, to in enumerate(
            [*({"css_response": step} for step in steps), *({"services": [s]} for s in services)]
        )
        for who in ("officer", "worker")
    ]
    events = [world.tell(mild("crowd", revision=revision)) for revision in range(2, 8)]
    answers = [one for one in await asyncio.gather(*acts, *events) if one is not None]
    assert {one.status_code for one in answers} == {200, 409}
    raised = [one for one in answers if one.status_code == 200]
    assert len({one.json()["version"] for one in raised}) == len(raised)
    await world.tell(mild("crowd", revision=8))
    await until(lambda: world.of(case)[-1].body.revision == 8, "the last revision")
    last = world.of(case)[-1].body
    assert last.decision.receipt["result"]["css_response"] == "section_47"
    assert set(services) <= set(last.decision.receipt["result"]["services"])
    rows = await world.rows('SELECT version FROM decisions WHERE "case" = :case ORDER BY version', case=case)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert last.decision.version == len(rows)
    told = [event.body.decision.version or 0 for event in world.of(case)]
    assert told == sorted(set(told))
    assert not await world.rows("SELECT 1 FROM dead_letters")


async def claim(world: World, who: str, case: str, **said: Any) -> httpx.Response:
    return await world.client.post(
        f"/v1/cases/{case}/claim", json=said, headers={"Authorization": f"Bearer {world.held[who]}"}
    )


async def test_one_person_works_on_a_case_and_raising_stays_open_to_all(world: World) -> None:
    case = "northshire/claimed"
    await world.tell(mild("claimed", children=None))
    await world.come(case)
    taken = await claim(world, "officer", case, minutes=10)
    assert (taken.status_code, taken.json()["by"]) == (200, "officer-7")
    assert (await claim(world, "worker", case)).status_code == 409
    assert (await claim(world, "officer", case)).status_code == 200  # one's own again
    assert (await claim(world, "elsewhere", case)).status_code == 404
    queued = {one["case"]: one for one in (await world.get("worker", "/v1/queue")).json()["cases"]}
    assert queued[case]["claimed_by"] == "officer-7"
    other = await world.act("worker", case, kind="confirm", version=1)
    assert other.status_code == 409
    raised = await world.act("worker", case, kind="raise", to={"services": ["idva"]}, reason="She rang us.")
    assert raised.status_code == 200
    nobody = await claim(world, "officer", case, to="worker-9")  # of another area
    assert (nobody.status_code, nobody.json()["at"]) == (422, "/to")
    assert (await claim(world, "worker", case, to="worker-3")).status_code == 409  # not the worker's to give
    assert (await claim(world, "officer", case, to="worker-3")).json()["by"] == "worker-3"
    assert (await claim(world, "officer", case)).status_code == 409
    held = await world.client.delete(
        f"/v1/cases/{case}/claim", headers={"Authorization": f"Bearer {world.held['worker']}"}
    )
    assert held.status_code == 200
    assert (await claim(world, "officer", case)).status_code == 200
    audited = await world.rows('SELECT act FROM audit WHERE "case" = :case ORDER BY at', case=case)
    assert [row["act"] for row in audited if row["act"] in ("claim", "hand_over", "give_back")] == [
        "claim", "claim", "hand_over", "give_back", "claim",
    ]  # fmt: skip


async def test_a_claim_that_is_over_is_nobodys(world: World) -> None:
    case = "northshire/overdue-claim"
    await world.tell(mild("overdue-claim", children=None))
    await world.come(case)
    assert (await claim(world, "officer", case)).status_code == 200
    await world.rows(
        "UPDATE claims SET until = now() - interval '1 second' WHERE \"case\" = :case RETURNING 1", case=case
    )
    queued = {one["case"]: one for one in (await world.get("worker", "/v1/queue")).json()["cases"]}
    assert queued[case]["claimed_by"] is None
    assert (await claim(world, "worker", case)).status_code == 200
    assert (await world.act("worker", case, kind="confirm", version=1)).status_code == 200
    assert "claim" not in (await world.get("worker", f"/v1/cases/{case}")).json()


RACES = int(os.environ.get("WAYMARK_TEST_RACES", "60"))


async def test_two_screeners_and_one_case_never_make_two_owners(world: World) -> None:
    case = "northshire/raced"
    await world.tell(mild("raced", children=None))
    await world.come(case)
    won: Counter[str] = Counter()
    for _ in range(RACES):
        answers = await asyncio.gather(*(claim(world, who, case) for who in ("officer", "worker", "colleague")))
        owners = [one.json()["by"] for one in answers if one.status_code == 200]
        assert len(owners) == 1, owners
        assert sorted(one.status_code for one in answers) == [200, 409, 409]
        (row,) = await world.rows('SELECT who FROM claims WHERE "case" = :case AND until > now()', case=case)
        assert row["who"] == owners[0]
        won[owners[0]] += 1
        who = next(name for name, key in PEOPLE.items() if key.get("person") == owners[0])
        await world.client.delete(
            f"/v1/cases/{case}/claim", headers={"Authorization": f"Bearer {world.held[who]}"}
        )
    assert won.total() == RACES


async def test_an_answer_is_decided_on_as_though_the_incident_had_said_it(world: World) -> None:
    case = "northshire/answered"
    unknown = {**orjson.loads(mild("answered").incident.as_bytes())["incident"], "strangulation": None}
    await world.tell(mild("answered", incident=unknown))
    first = await world.come(case)
    assert "strangulation" in [one["fact"] for one in first.decision.receipt["questions"]]
    for said, at in (({"answer": True}, "/fact"), ({"fact": "strangulation", "answer": "yes"}, "/answer")):
        refused = await world.act("officer", case, kind="answer", **said)
        assert (refused.status_code, refused.json()["at"]) == (422, at)
    never = await world.act("officer", case, kind="answer", fact="stalking", answer=True)
    assert never.status_code == 409
    answer = await world.act("officer", case, act="a-1", kind="answer", fact="strangulation", answer=True)
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    second = await world.come(case, 2)
    receipt = second.decision.receipt
    assert receipt["result"]["css_response"] == "section_47"
    assert "strangulation" not in [one["fact"] for one in receipt["questions"]]
    assert receipt["inputs"]["incident"] == first.decision.receipt["inputs"]["incident"]
    assert len(receipt["inputs"]["people"]) == 1
    again = await world.act("officer", case, act="a-1", kind="answer", fact="strangulation", answer=True)
    assert again.json()["version"] == 2


async def test_two_people_set_a_reason_aside_and_any_other_raises_again(world: World) -> None:
    case = "northshire/aside"
    body = mild("aside")
    await world.tell(mild("aside", risk={"level": "medium"}, children=[HEARD]))
    first = await world.come(case)
    assert first.decision.receipt["result"]["css_response"] == "section_17"
    heard, medium = "london-dvrim/1#children-witness", "london-dvrim/1#police-medium"
    for i, named in enumerate(("safeguards/1#s9", "london-dvrim/1#level-3", "london-dvrim/1#baby")):
        refused = await world.act(
            "officer", case, kind="lower", version=1, reason="x", set_aside=[named], act=f"no-{i}"
        )
        assert (refused.status_code, refused.json()["at"]) == (422, "/set_aside")
    waits = await world.act(
        "officer", case, act="s-1", kind="lower", version=1, reason="She slept.", set_aside=[heard]
    )
    assert waits.status_code == 202
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()["acts"][0]
    assert "reason" not in seen
    assert "set_aside" not in seen
    differs = await world.act(
        "worker", case, act="s-2", kind="lower", version=1, reason="Yes.", set_aside=[heard, medium]
    )
    assert differs.status_code == 409
    both = [heard, medium]
    anew = await world.act(
        "officer", case, act="s-1b", kind="lower", version=1, reason="She slept; no risk.", set_aside=both
    )
    assert (anew.status_code, anew.json()["standing"]) == (202, "waiting")
    again = await world.act(
        "officer", case, act="s-1c", kind="lower", version=1, reason="She slept after all.", set_aside=[heard]
    )
    assert again.status_code == 202
    seen = (await world.get("worker", f"/v1/cases/{case}")).json()["acts"]
    assert [(one["standing"], "reason" in one) for one in seen] == [
        ("lapsed", False), ("lapsed", False), ("waiting", False)
    ]  # fmt: skip
    agreed = await world.act(
        "worker", case, act="s-3", kind="lower", version=1, reason="She told us.", set_aside=[heard]
    )
    assert (agreed.status_code, agreed.json()["version"]) == (200, 2)
    low = (await world.come(case, 2)).decision
    assert low.receipt["result"]["css_response"] == "early_help"
    assert [one["rule"] for one in low.receipt["set_aside"]] == [heard]
    assert "told us" not in str(low.as_json())
    # The same again raises nothing; another reason does.
    await world.tell(mild("aside", revision=2, risk={"level": "medium"}, children=[HEARD]))
    assert (await world.come(case, 3)).decision.receipt["result"]["css_response"] == "early_help"
    worse = {"risk": {"level": "medium"}, "children": [HEARD], "incident": strangling(body)}
    await world.tell(mild("aside", revision=3, **worse))
    assert (await world.come(case, 4)).decision.receipt["result"]["css_response"] == "section_47"


HEARD: dict[str, Any] = {"id": "c1", "born": "2014-05-16", "area": "northbury", "presence": "heard"}


async def test_two_people_of_two_agencies_publish_a_boards_own_version_by_its_digest(world: World) -> None:
    listed = (await world.get("officer", "/v1/protocols")).json()
    own = next(one for one in listed["protocols"] if one["protocol"] == "board-trial/1")
    assert not own["may_decide"]
    assert {one["protocol"] for one in listed["protocols"] if one["live_in"]} == {"london-dvrim/1"}
    path, said = "/v1/protocols/board-trial/1/approvals", {"digest": own["digest"]}

    async def approve(who: str, path: str = path, said: dict[str, str] = said) -> httpx.Response:
        return await world.client.post(path, json=said, headers={"Authorization": f"Bearer {world.held[who]}"})

    assert (await approve("officer", said={"digest": f"sha256:{'0' * 64}"})).status_code == 409
    assert (await approve("officer", path="/v1/protocols/london-dvrim/1/approvals")).status_code == 404
    assert (await approve("ops")).status_code == 403
    for who in ("officer", "officer", "colleague"):  # the same again, and another of the same agency
        answer = await approve(who)
        assert (answer.status_code, answer.json()["published"]) == (202, False)
    assert (await approve("worker")).json()["published"] is True

    async def may_decide() -> bool:
        found = (await world.get("ops", "/v1/protocols")).json()["protocols"]
        return bool(next(one for one in found if one["protocol"] == "board-trial/1")["may_decide"])

    await until(may_decide, "the running service to know of the approvals", within_s=30)


async def test_what_the_shadow_differs_by_is_counted_where_anybody_can_see_it(world: World) -> None:
    async def counted() -> bool:
        shadows = (await world.get("ops", "/v1/protocols")).json()["shadows"]
        return any(one["higher"] + one["lower"] + one["same"] + one["services"] for one in shadows)

    await until(counted, "the counts of the shadow", within_s=30)
    (one,) = [
        one for one in (await world.get("ops", "/v1/protocols")).json()["shadows"] if one["area"] == "northbury"
    ]
    assert (one["live"], one["shadow"]) == ("london-dvrim/1", "blackburn-with-darwen/1")
    to_a_board = [
        row[how]
        for row in (await world.get("board", "/v1/protocols")).json()["shadows"]
        for how in ("same", "services", "higher", "lower")
    ]
    assert all(number is None or number % 5 == 0 for number in to_a_board), "small numbers are kept back"


async def test_a_board_reads_what_is_in_force_and_every_rule_in_plain_words(world: World) -> None:
    listed = (await world.get("board", "/v1/protocols")).json()
    here = next(one for one in listed["in_force"] if one["area"] == "northbury")
    assert (here["protocol"], here["since"]) == ("london-dvrim/1", "2026-01-01")
    shown = (await world.get("board", f"/v1/protocols/{here['protocol']}")).json()
    baby = next(rule for rule in shown["rules"] if rule["rule"] == "baby")
    assert baby["says"].endswith("the child's level is at least 4.")
    assert baby["source"] == "London 2008 s9.3.1"
    own = (await world.get("ops", "/v1/protocols/board-trial/1")).json()
    assert own["came_with"] == "board"
    safe = (await world.get("ops", f"/v1/protocols/{listed['safeguards']}")).json()
    assert safe["always_on"]
    assert (await world.get("ops", "/v1/protocols/none/1")).status_code == 404
    for path in ("/v1/protocols", "/v1/protocols/london-dvrim/1"):
        assert (await world.get("police", path)).status_code == 403


async def test_counts_of_the_shadow_that_could_not_be_written_are_kept(world: World) -> None:
    live = LiveProtocols(load_library(), load_areas())
    counted = ("northbury", "london-dvrim/1", "torbay/1", "lower")
    live.counts[counted] = 2
    nowhere = Database(
        make_url(world.servers.database).set(database="nowhere").render_as_string(False), "triage"
    )
    with pytest.raises(Retryable):
        await live.exchange(nowhere)
    await nowhere.close()
    assert live.counts == {counted: 2}


async def test_a_restricted_case_is_open_to_named_staff_alone(world: World) -> None:
    case = "northshire/restricted"
    body = mild("restricted")
    honour = {**orjson.loads(body.incident.as_bytes())["incident"], "honour_based": True}
    await world.tell(mild("restricted", incident=honour))
    decided = await world.come(case)
    assert "restricted" in decided.decision.receipt["result"]["handling"]

    async def seen_by(who: str) -> tuple[int, bool]:
        shown = await world.get(who, f"/v1/cases/{case}")
        queued = (await world.get(who, "/v1/queue?limit=1000")).json()["cases"]
        return shown.status_code, case in [one["case"] for one in queued]

    assert await seen_by("worker") == (200, True)
    assert await seen_by("officer") == (404, False)
    for path, said in (("decisions", {"kind": "confirm", "version": 1}), ("claim", {})):
        answer = await world.client.post(
            f"/v1/cases/{case}/{path}", json=said, headers={"Authorization": f"Bearer {world.held['officer']}"}
        )
        assert answer.status_code == 404
    named = {"Authorization": f"Bearer {world.held['worker']}"}
    assert (await world.client.post(f"/v1/cases/{case}/claim", json={}, headers=named)).status_code == 200
    handed = await world.client.post(f"/v1/cases/{case}/claim", json={"to": "officer-8"}, headers=named)
    assert handed.status_code == 422, "nobody is handed what they may not open"
