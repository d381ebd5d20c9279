"""Every way in, on the real store: the same incident whichever way it came, and what an answer promises."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from services.intake.forms import FormName, not_carried, write_csv, write_form
from services.intake.liveness import BEHIND_A_TEST, STAYS_LIVE
from shared import keys
from shared.db import Database
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, a_reference, open_door, post, published

FORMS: tuple[FormName, ...] = ("north", "south")


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


async def a_key(door: Door, force: str = "northshire") -> str:
    owner = Database(door.servers.database, "access", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, key = await keys.create(tx, role="police", force=force)
        return key
    finally:
        await owner.close()


async def kept(door: Door, reference: str) -> list[dict[str, Any]]:
    return await door.rows(
        'SELECT * FROM revisions WHERE "case" = :case ORDER BY revision', case=f"northshire/{reference}"
    )


def an_event(incident: Any, **attributes: Any) -> CloudEvent:
    said = {"id": secrets.token_hex(4), "source": "/records/northshire", "type": "waymark.incident.v1"}
    return CloudEvent({**said, "specversion": "1.0", **attributes}, incident)


async def send(client: httpx.AsyncClient, message: HTTPMessage) -> httpx.Response:
    return await client.post("/v1/incidents", headers=message.headers, content=message.body)


# CloudEvents


@pytest.mark.parametrize("written", [to_structured, to_binary])
async def test_an_event_as_the_library_writes_it_is_taken_and_kept_word_for_word(
    door: Door, written: Any
) -> None:
    reference = a_reference()
    message = written(an_event(an_incident(reference=reference)), JSONFormat())
    async with door.client() as client:
        answer = await send(client, message)
        again = await send(client, written(an_event(an_incident(reference=reference)), JSONFormat()))
    assert (answer.status_code, answer.json()["status"], answer.json()["faults"]) == (202, "accepted", [])
    assert (again.status_code, again.json()) == (202, {**answer.json(), "status": "repeated"})
    (row,) = await kept(door, reference)
    assert bytes(row["raw"]) == message.body
    (event,) = await published(door, f"northshire/{reference}")
    assert event.body.incident.children == (await as_posted(door)).children


async def as_posted(door: Door) -> Any:
    """The sample incident as it goes on when it was posted as plain JSON."""
    reference = a_reference()
    async with door.client() as client:
        assert (await post(client, reference=reference)).json()["status"] == "accepted"
    (event,) = await published(door, f"northshire/{reference}")
    return event.body.incident


async def test_the_same_incident_as_json_and_as_an_event_is_one_incident(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        plain = await post(client, reference=reference)
        for written in (to_structured, to_binary):
            event = await send(client, written(an_event(an_incident(reference=reference)), JSONFormat()))
            assert event.json() == {**plain.json(), "status": "repeated"}
    assert len(await kept(door, reference)) == 1


async def test_data_in_base64_is_the_incident_and_faults_have_their_place_in_it(door: Door) -> None:
    reference = a_reference()
    incident = an_incident(reference=reference, mood="not in the contract")
    message = to_structured(an_event(orjson.dumps(incident)), JSONFormat())
    assert b"data_base64" in message.body
    async with door.client() as client:
        answer = await send(client, message)
        spoilt = await send(client, HTTPMessage(message.headers, message.body.replace(b'64": "', b'64": "!')))
    assert answer.status_code == 202
    assert [fault["at"] for fault in answer.json()["faults"]] == ["/mood"]
    assert (spoilt.status_code, spoilt.json()["at"]) == (422, "/data_base64")


@pytest.mark.parametrize("attribute", ["id", "source", "type", "specversion"])
async def test_an_event_without_an_attribute_is_refused_by_its_name(door: Door, attribute: str) -> None:
    event = an_event(an_incident(reference=a_reference()))
    structured = to_structured(event, JSONFormat())
    body = {name: value for name, value in orjson.loads(structured.body).items() if name != attribute}
    binary = to_binary(event, JSONFormat())
    empty = {**binary.headers, f"ce-{attribute}": ""}
    async with door.client() as client:
        refused = await send(client, HTTPMessage(structured.headers, orjson.dumps(body)))
        assert (refused.status_code, refused.json()["attributes"]) == (400, [attribute])
        refused = await send(client, HTTPMessage(empty, binary.body))
        assert (refused.status_code, refused.json()["attributes"]) == (400, [attribute])


async def test_an_event_of_another_force_is_refused_as_any_other(door: Door) -> None:
    message = to_structured(an_event(an_incident(force="southshire")), JSONFormat())
    async with door.client() as client:
        assert (await send(client, message)).status_code == 403


# Forms


def sheet(form: FormName, *incidents: dict[str, Any]) -> bytes:
    return write_csv(form, incidents)


async def post_form(client: httpx.AsyncClient, form: FormName, fields: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/v1/forms/{form}", json=fields)


async def post_csv(client: httpx.AsyncClient, form: FormName, text: bytes) -> list[dict[str, Any]]:
    answer = await client.post(f"/v1/forms/{form}", content=text, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_is_taken_as_json_and_as_a_row_of_an_export(door: Door, form: FormName) -> None:
    one, two, three = a_reference(), a_reference(), a_reference()
    async with door.client() as client:
        answer = await post_form(client, form, write_form(form, an_incident(reference=one)))
        text = sheet(form, an_incident(reference=two), an_incident(reference=three))
        lines = await post_csv(client, form, text)
    assert (answer.status_code, answer.json()["status"], answer.json()["faults"]) == (202, "accepted", [])
    assert [(line["line"], line["code"]) for line in lines] == [(1, 202), (2, 202)]
    assert [line["answer"]["case"] for line in lines] == [f"northshire/{two}", f"northshire/{three}"]
    (as_json,), (as_row,) = (
        await published(door, f"northshire/{one}"),
        await published(door, f"northshire/{two}"),
    )
    leave = {"reference"}
    assert as_json.body.incident.model_dump(exclude=leave) == as_row.body.incident.model_dump(exclude=leave)
    assert [row["door"] for row in await kept(door, two)] == [form]


@pytest.mark.parametrize("form", FORMS)
async def test_faults_of_a_form_stand_at_its_own_fields(door: Door, form: FormName) -> None:
    reference = a_reference()
    fields = {**write_form(form, an_incident(reference=reference)), "withdrawn": "perhaps", "moon": "full"}
    async with door.client() as client:
        answer = (await post_form(client, form, fields)).json()
        where = (await client.get(answer["links"]["self"])).json()
    assert {"/withdrawn", "/moon"} <= {fault["at"] for fault in answer["faults"]}
    assert where["faults"] == answer["faults"]
    boxes = {*fields, *(name for rows in fields.values() if isinstance(rows, list) for name in rows[0])}
    for told in (*answer["faults"], *answer["gaps"]):
        assert told["at"].split("/")[1] in boxes | {""}, told


@pytest.mark.parametrize("form", FORMS)
async def test_what_a_form_cannot_carry_is_told_once_per_key_and_stands_on_every_case(
    door: Door, form: FormName
) -> None:
    key, other = await a_key(door), await a_key(door)
    references = [a_reference() for _ in range(4)]
    incidents = [an_incident(reference=reference, consent=..., risk=...) for reference in references]
    async with door.client(key) as client:
        first = (await post_form(client, form, write_form(form, incidents[0]))).json()
        second = (await post_form(client, form, write_form(form, incidents[1]))).json()
        (row,) = await post_csv(client, form, sheet(form, incidents[2]))
    async with door.client(other) as client:
        (told,) = await post_csv(client, form, sheet(form, incidents[3]))
    assert first["not_carried"] == [gap.as_json() for gap in not_carried(form)]
    assert "not_carried" not in second
    assert "not_carried" not in row["answer"]
    assert told["answer"]["not_carried"] == first["not_carried"], "another system has not been told"
    events = [(await published(door, f"northshire/{reference}"))[0] for reference in references]
    gaps = [[gap.at for gap in event.body.gaps] for event in events]
    assert gaps[0] == gaps[1] == gaps[2] == gaps[3]
    assert len(gaps[0]) > len(first["gaps"]), "the case has those too that the form has no box for"


async def test_who_was_refused_or_repeated_first_is_told_the_next_time_what_is_not_carried(door: Door) -> None:
    reference = a_reference()
    key = await a_key(door)
    async with door.client() as client:
        await post(client, reference=reference, revision=1)
    async with door.client(key) as client:
        conflict = await post_form(client, "north", write_form("north", an_incident(reference=reference)))
        stored = await post_form(client, "north", write_form("north", an_incident(reference=a_reference())))
    assert conflict.status_code == 409
    assert stored.json()["not_carried"] == [gap.as_json() for gap in not_carried("north")]


async def test_rows_sent_at_the_same_moment_tell_once_what_is_not_carried(door: Door) -> None:
    key = await a_key(door)
    async with door.client(key) as client:
        answers = await asyncio.gather(
            *(
                post_form(client, "north", write_form("north", an_incident(reference=a_reference())))
                for _ in range(20)
            )
        )
    assert sum("not_carried" in answer.json() for answer in answers) == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_sent_again_is_a_repeat_and_a_changed_one_an_amendment(door: Door, form: FormName) -> None:
    reference = a_reference()
    fields = write_form(form, an_incident(reference=reference, revision=...))
    other_order = dict(reversed(fields.items()))
    changed = {**fields, "attended": "No"} if "attended" in fields else {**fields, "authority": "southbury"}
    async with door.client() as client:
        first = (await post_form(client, form, fields)).json()
        again = (await post_form(client, form, other_order)).json()
        amended = (await post_form(client, form, changed)).json()
    assert again == {**first, "status": "repeated"}
    assert (amended["revision"], amended["status"]) == (2, "amended")
    assert len(amended["changed"]) == 1
    assert len(await kept(door, reference)) == 2


async def test_an_incident_that_came_as_json_may_be_amended_by_form_and_the_other_way_round(
    door: Door,
) -> None:
    as_json, as_form = a_reference(), a_reference()
    async with door.client() as client:
        await post(client, reference=as_json, revision=1)
        fields = write_form("south", an_incident(reference=as_json, revision=2, caller="victim"))
        by_form = (await post_form(client, "south", fields)).json()
        await post_form(client, "south", write_form("south", an_incident(reference=as_form, revision=1)))
        by_json = (await post(client, reference=as_form, revision=2)).json()
        same_number = write_form("south", an_incident(reference=as_json, revision=1))
        conflict = await post_form(client, "south", same_number)
    assert (by_form["status"], by_json["status"]) == ("amended", "amended")
    assert by_form["changed"], "places in the contract's shape"
    assert by_json["changed"]
    assert (conflict.status_code, conflict.json()["differs"]) == (409, ["/"])
    for reference in (as_json, as_form):
        events = await published(door, f"northshire/{reference}", 2)
        assert [event.body.revision for event in events] == [1, 2]


async def test_an_amendment_by_another_form_claims_nothing_healed_that_it_cannot_say(door: Door) -> None:
    """The north form has no box for how people are related: the gap is there as before, and not named."""
    reference = a_reference()
    fields = write_form("north", an_incident(reference=reference, revision=2))
    async with door.client() as client:
        first = (await post(client, reference=reference, revision=1, relationships=..., risk=...)).json()
        second = (await post_form(client, "north", fields)).json()
        third = (await post(client, reference=reference, revision=3)).json()
    assert {"/relationships", "/risk"} <= {gap["at"] for gap in first["gaps"]}
    assert "/relationships" not in second["healed"]
    assert "/risk" in second["healed"]
    assert "/relationships" in third["healed"]


async def test_a_bad_row_spoils_no_other(door: Door) -> None:
    good, other = a_reference(), a_reference()
    head, first, second = sheet("north", an_incident(reference=good), an_incident(reference=other)).splitlines()
    nobody = b"," * head.count(b",")
    async with door.client() as client:
        lines = await post_csv(client, "north", b"\r\n".join([head, first, nobody[:-3] + b",x,,", second]))
    assert [line["code"] for line in lines] == [202, 422, 202]
    assert lines[2]["answer"]["case"] == f"northshire/{other}"


# Amendments


async def test_an_amendment_says_what_it_changed_and_what_it_healed(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        first = (await post(client, reference=reference, revision=1, reported_at="soon", consent=...)).json()
        second = (await post(client, reference=reference, revision=2)).json()
        where = (await client.get(second["links"]["self"])).json()
    told = {one["at"] for one in (*first["faults"], *first["gaps"])}
    still = {one["at"] for one in (*second["faults"], *second["gaps"])}
    assert "changed" not in first
    assert "healed" not in first
    assert set(second["changed"]) == {"/reported_at", "/consent"}
    assert "/reported_at" in second["healed"]
    assert sorted(second["healed"]) == sorted(told - still)
    assert [one.get("changed") for one in where["revisions"]] == [None, second["changed"]]


async def test_another_order_of_fields_and_other_spaces_are_the_same_content(door: Door) -> None:
    numbered, unnumbered = a_reference(), a_reference()
    headers = {"Content-Type": "application/json"}
    async with door.client() as client:
        for incident in (an_incident(reference=numbered), an_incident(reference=unnumbered, revision=...)):
            first = (await client.post("/v1/incidents", json=incident)).json()
            turned = json.dumps(dict(reversed(incident.items())), indent=2)
            again = await client.post("/v1/incidents", content=turned, headers=headers)
            assert (again.status_code, again.json()) == (202, {**first, "status": "repeated"})
    assert len(await kept(door, numbered)) == len(await kept(door, unnumbered)) == 1


async def test_a_date_written_another_way_is_other_content_under_its_revision(door: Door) -> None:
    """What is compared is what was sent, not what was made of it: the door does not guess at meanings."""
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference, occurred_at="2026-11-20T22:40:00Z")
        answer = await post(client, reference=reference, occurred_at="2026-11-20T22:40:00+00:00")
    assert (answer.status_code, answer.json()["differs"]) == (409, ["/occurred_at"])


async def test_revisions_in_the_wrong_order_end_as_the_highest_says(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        answers = [
            (await post(client, reference=reference, revision=revision, summary=f"the {revision}.")).json()
            for revision in (3, 1, 2)
        ]
        where = (await client.get(f"/v1/incidents/northshire/{reference}")).json()
        repeat = (await post(client, reference=reference, revision=2, summary="the 2.")).json()
    assert [answer["status"] for answer in answers] == ["accepted", "amended", "amended"]
    assert where["revision"] == 3
    assert [one["revision"] for one in where["revisions"]] == [1, 2, 3]
    assert repeat["status"] == "repeated"
    (event,) = await published(door, f"northshire/{reference}")
    assert event.body.incident.summary == "the 3."


async def test_a_withdrawal_behind_a_higher_revision_does_not_take_the_case_back(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference, revision=1)
        await post(client, reference=reference, revision=3)
        late = (await post(client, reference=reference, revision=2, withdrawn=True)).json()
        where = (await client.get(f"/v1/incidents/northshire/{reference}")).json()
    assert late["status"] == "withdrawn"
    assert (where["revision"], where["status"], where["state"]) == (3, "amended", "in_flight")


# What is live stays live


def live_faults(answer: dict[str, Any]) -> list[str]:
    return [fault["because"] for fault in answer["faults"] if fault["at"] == "/test"]


@pytest.mark.parametrize("odd", [False, True])
async def test_a_live_case_is_no_test_whatever_a_later_revision_says(door: Door, odd: bool) -> None:
    reference = a_reference()
    oddity = {"mood": "not in the contract"} if odd else {}
    async with door.client() as client:
        first = (await post(client, reference=reference, revision=1, test=...)).json()
        second = await post(client, reference=reference, revision=2, test=True, **oddity)
        again = await post(client, reference=reference, revision=2, test=True, **oddity)
        where = (await client.get(first["links"]["self"])).json()
        healed = (await post(client, reference=reference, revision=3)).json()
    assert (second.status_code, second.json()["status"]) == (202, "amended")
    assert live_faults(second.json()) == [STAYS_LIVE]
    assert again.json() == {**second.json(), "status": "repeated"}
    assert where["faults"] == second.json()["faults"]
    assert "/test" in healed["healed"]
    events = await published(door, f"northshire/{reference}", 3)
    assert [event.body.incident.test for event in events] == [None, None, False]
    assert [fault.at for fault in events[1].body.incident.faults or []][-1] == "/test"
    assert orjson.loads(bytes((await kept(door, reference))[1]["raw"]))["test"] is True


async def test_a_form_cannot_make_a_live_case_a_test_either(door: Door) -> None:
    reference = a_reference()
    fields = write_form("north", an_incident(reference=reference, revision=2, test=True))
    async with door.client() as client:
        await post(client, reference=reference, revision=1)
        answer = (await post_form(client, "north", fields)).json()
    assert live_faults(answer) == [STAYS_LIVE]
    assert [event.body.incident.test for event in await published(door, f"northshire/{reference}", 2)][
        1
    ] is None


async def test_a_test_may_be_sent_live_and_then_stays_live(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        answers = [
            (await post(client, reference=reference, revision=n, test=test)).json()
            for n, test in ((1, True), (2, True), (3, False), (4, True))
        ]
    assert [live_faults(answer) for answer in answers] == [[], [], [], [STAYS_LIVE]]
    events = await published(door, f"northshire/{reference}", 4)
    assert [event.body.incident.test for event in events] == [True, True, False, None]


async def test_a_live_revision_that_comes_behind_a_test_makes_the_case_live_at_once(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference, revision=2, test=True)
        late = (await post(client, reference=reference, revision=1)).json()
        third = (await post(client, reference=reference, revision=3, test=True)).json()
    assert live_faults(late) == [BEHIND_A_TEST]
    assert live_faults(third) == [STAYS_LIVE]
    events = await published(door, f"northshire/{reference}", 3)
    assert [(event.body.revision, event.body.incident.test, event.body.again) for event in events] == [
        (2, True, False),
        (2, None, True),
        (3, None, False),
    ]


async def test_within_a_batch_too_a_live_revision_behind_a_test_makes_the_case_live(door: Door) -> None:
    reference = a_reference()
    lines = [
        orjson.dumps(an_incident(reference=reference, revision=n, test=test))
        for n, test in ((2, True), (1, None))
    ]
    async with door.client() as client:
        await client.post(
            "/v1/incidents/batch", content=b"\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
        )
    events = await published(door, f"northshire/{reference}", 1)
    assert (events[-1].body.revision, events[-1].body.incident.test) == (2, None)


async def test_revisions_in_one_batch_are_held_to_the_same_rule(door: Door) -> None:
    reference = a_reference()
    lines = [
        orjson.dumps(an_incident(reference=reference, revision=n, test=test))
        for n, test in ((1, True), (2, False), (3, True))
    ]
    async with door.client() as client:
        answer = await client.post(
            "/v1/incidents/batch", content=b"\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
        )
        later = (await post(client, reference=reference, revision=4, test=True)).json()
    told = [orjson.loads(line)["answer"] for line in answer.text.splitlines()]
    assert [live_faults(one) for one in told] == [[], [], [STAYS_LIVE]]
    assert live_faults(later) == [STAYS_LIVE]


async def test_a_test_and_a_live_revision_at_the_same_moment_leave_the_case_live(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await asyncio.gather(
            *(post(client, reference=reference, revision=n, test=n % 2 == 0) for n in range(1, 9))
        )
        last = (await post(client, reference=reference, revision=9, test=True)).json()
    assert live_faults(last) == [STAYS_LIVE]
