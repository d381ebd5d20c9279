"""The door on the real database and broker: stored before it is answered, once, in the right order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from deploy.local import Parts
from services.intake.commands import app as send_app
from shared.contracts.decision import Decision
from shared.contracts.events import Answer, Branch, CaseAnswered, CaseDecided
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.contracts.topics import DECIDED, INCIDENTS, OUTCOMES
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, a_reference, health, open_door, post, published
from tests.integration.waiting import wait_until

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


async def test_a_new_incident_is_stored_as_sent_and_goes_on(door: Door) -> None:
    reference = a_reference()
    body = json.dumps(an_incident(reference=reference, mood="kept as written"), indent=3).encode()
    async with door.client() as client:
        answer = await client.post("/v1/incidents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    told = answer.json()
    case = f"northshire/{reference}"
    assert (told["case"], told["revision"], told["status"]) == (case, 1, "accepted")
    assert told["links"] == {"self": f"/v1/incidents/{case}"}
    (kept,) = await door.rows('SELECT * FROM revisions WHERE "case" = :case', case=case)
    assert bytes(kept["raw"]) == body
    assert orjson.loads(kept["answer"]) == told
    (event,) = await published(door, case)
    assert event.body.incident.reference == reference
    assert event.body.accepted_at == event.body.revision_accepted_at.replace(
        microsecond=event.body.accepted_at.microsecond
    )
    assert [entry.stage for entry in event.ledger] == ["police", "intake"]
    assert event.ledger[0].from_ == datetime(2026, 11, 20, 22, 52, tzinfo=UTC)
    assert event.ledger[0].to == event.ledger[1].from_


async def test_faults_and_gaps_are_named_and_go_with_the_case(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        answer = await post(client, reference=reference, risk={"level": "purple"}, consent=...)
    told = answer.json()
    assert [fault["at"] for fault in told["faults"]] == ["/risk/level"]
    assert told["faults"][0]["said"] == "purple"
    assert "/consent" in [gap["at"] for gap in told["gaps"]]
    (event,) = await published(door, f"northshire/{reference}")
    assert [fault.at for fault in event.body.incident.faults or ()] == ["/risk/level"]
    assert [gap.as_json() for gap in event.body.gaps] == told["gaps"]


async def test_a_repeat_gets_the_first_answer_and_goes_nowhere(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        first = await post(client, reference=reference)
        second = await post(client, reference=reference)
        amended = await post(client, reference=reference, revision=2, summary="More.")
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == {**first.json(), "status": "repeated"}
    assert amended.json()["status"] == "amended"
    events = await published(door, f"northshire/{reference}", 2)
    assert [event.body.revision for event in events] == [1, 2]


async def test_an_amendment_keeps_the_cases_place_in_history(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference)
        await post(client, reference=reference, revision=2, caller="child")
    first, second = await published(door, f"northshire/{reference}", 2)
    assert second.body.accepted_at == first.body.accepted_at
    assert second.body.revision_accepted_at >= first.body.revision_accepted_at
    assert second.body.incident.caller == "child"
    assert second.seq > first.seq


async def test_the_same_revision_with_other_content_is_refused_and_says_where(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference)
        answer = await post(client, reference=reference, summary="Another story.", caller="victim")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["differs"] == ["/caller", "/summary"]
    assert "story" not in answer.text


async def test_without_a_revision_waymark_numbers(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        answers = [
            (await post(client, reference=reference, revision=..., summary=summary)).json()
            for summary in ("a", "a", "b", "b", "a")
        ]
    assert [(a["revision"], a["status"]) for a in answers] == [
        (1, "accepted"),
        (1, "repeated"),
        (2, "amended"),
        (2, "repeated"),
        (3, "amended"),
    ]


async def test_recorded_in_error_goes_on_and_deletes_nothing(door: Door) -> None:
    reference = a_reference()
    case = f"northshire/{reference}"
    async with door.client() as client:
        await post(client, reference=reference)
        answer = await post(client, reference=reference, revision=2, withdrawn=True)
        assert answer.json()["status"] == "withdrawn"
        where = (await client.get(f"/v1/incidents/{case}")).json()
    assert [one["status"] for one in where["revisions"]] == ["accepted", "withdrawn"]
    events = await published(door, case, 2)
    assert events[-1].body.incident.withdrawn is True


async def test_revisions_in_the_wrong_order_end_with_the_highest(door: Door) -> None:
    reference = a_reference()
    case = f"northshire/{reference}"
    async with door.client() as client:
        await post(client, reference=reference, revision=3, summary="third")
        late = await post(client, reference=reference, revision=1, summary="first")
        await post(client, reference=reference, revision=4, summary="fourth")
        where = (await client.get(f"/v1/incidents/{case}")).json()
    assert late.status_code == 202
    assert late.json()["revision"] == 1
    assert where["revision"] == 4
    assert [one["revision"] for one in where["revisions"]] == [1, 3, 4]
    events = await published(door, case, 2)
    assert [event.body.revision for event in events] == [3, 4]
    rows = await door.rows('SELECT * FROM reconcile WHERE "case" = :case ORDER BY revision', case=case)
    assert [(row["revision"], row["newest"], row["emitted_seq"]) for row in rows] == [
        (1, False, None),
        (3, False, 1),
        (4, True, 2),
    ]


async def test_fifty_at_once_of_one_revision_are_one_and_49_repeats(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        answers = await asyncio.gather(*(post(client, reference=reference) for _ in range(50)))
    statuses = [answer.json()["status"] for answer in answers]
    assert statuses.count("accepted") == 1
    assert statuses.count("repeated") == 49
    assert {answer.json()["trace"] for answer in answers} == {answers[0].json()["trace"]}


async def test_fifty_amendments_at_once_are_all_kept_and_the_highest_is_the_newest(door: Door) -> None:
    reference = a_reference()
    case = f"northshire/{reference}"
    async with door.client() as client:
        answers = await asyncio.gather(
            *(post(client, reference=reference, revision=n, summary=str(n)) for n in range(1, 51))
        )
        where = (await client.get(f"/v1/incidents/{case}")).json()
    assert {answer.status_code for answer in answers} == {202}
    assert len(where["revisions"]) == 50
    assert where["revision"] == 50
    newest = await door.rows('SELECT emitted_seq FROM reconcile WHERE "case" = :case AND newest', case=case)
    (sent,) = await door.rows('SELECT max(seq) AS seq FROM outbox WHERE "case" = :case', case=case)
    assert newest == [{"emitted_seq": sent["seq"]}]


async def test_moments_of_acceptance_are_all_different(door: Door) -> None:
    references = [a_reference() for _ in range(40)]
    async with door.client() as client:
        await asyncio.gather(*(post(client, reference=reference) for reference in references))
    rows = await door.rows(
        'SELECT accepted_at FROM revisions WHERE "case" = ANY(CAST(:cases AS text[]))',
        cases=[f"northshire/{reference}" for reference in references],
    )
    assert len({row["accepted_at"] for row in rows}) == 40


@pytest.mark.parametrize(
    ("body", "media_type", "status", "says"),
    [
        (b"{not json", "application/json", 400, "Not JSON"),
        (b'"text"', "application/json", 422, "Not an incident"),
        (b"{}", "application/json", 422, "force is missing"),
        (b"<incident/>", "application/xml", 415, "media type"),
        (b"[" * 40 + b"]" * 40, "application/json", 413, "Nested too deeply"),
        (b'{"summary": "' + b"x" * 1_100_000 + b'"}', "application/json", 413, "Too large"),
        (orjson.dumps(an_incident(occurred_at="soon")), "application/json", 422, "occurred_at cannot be read"),
        (orjson.dumps(an_incident(reference="a\nb")), "application/json", 422, "reference cannot be read"),
        (orjson.dumps(an_incident(reference="a\x00b")), "application/json", 422, "reference cannot be read"),
        (orjson.dumps(an_incident(force="southshire")), "application/json", 403, "Another force"),
    ],
)
async def test_what_cannot_be_taken_is_answered_with_a_problem(
    door: Door, body: bytes, media_type: str, status: int, says: str
) -> None:
    async with door.client() as client:
        answer = await client.post("/v1/incidents", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["title"] + answer.json()["detail"]


async def test_only_the_police_may_post(door: Door) -> None:
    async with httpx.AsyncClient(base_url=door.url) as nobody:
        answer = await nobody.post("/v1/incidents", json=an_incident())
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    async with door.client("wmk_guessed") as stranger:
        assert (await stranger.post("/v1/incidents", json=an_incident())).status_code == 401
    async with door.client(door.council) as council:
        assert (await council.post("/v1/incidents", json=an_incident())).status_code == 403


async def test_another_force_sees_nothing(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        await post(client, reference=reference)
    async with door.client(door.south) as other:
        assert (await other.get(f"/v1/incidents/northshire/{reference}")).status_code == 403
        assert (await other.get(f"/v1/incidents/southshire/{reference}")).status_code == 404
        assert (await other.get("/v1/outcomes")).json()["outcomes"] == []


@pytest.mark.parametrize("written", ["DV/2026/14 ?#é", "14%2F5"])
async def test_a_reference_may_hold_a_slash_or_any_sign(door: Door, written: str) -> None:
    reference = f"{written}/{a_reference()}"
    async with door.client() as client:
        told = (await post(client, reference=reference)).json()
        found = await client.get(told["links"]["self"])
        assert found.json()["reference"] == reference
        encoded = told["links"]["self"].replace("northshire/", "northshire#").replace("/", "%2F")
        again = await client.get(
            encoded.replace("%2Fv1%2Fincidents%2Fnorthshire#", "/v1/incidents/northshire/")
        )
        assert again.json()["reference"] == reference


async def test_a_batch_answers_each_line_and_one_bad_line_spoils_no_other(door: Door) -> None:
    good, other = a_reference(), a_reference()
    lines = [
        orjson.dumps(an_incident(reference=good)),
        b"{broken",
        b"",
        orjson.dumps(an_incident(reference=good)),
        orjson.dumps(an_incident(reference=good, caller="victim")),
        b'{"summary": "' + b"x" * 1_100_000 + b'"}',
        orjson.dumps(an_incident(force="southshire")),
        orjson.dumps(an_incident(reference=other)),
    ]
    async with door.client() as client:
        answer = await client.post(
            "/v1/incidents/batch", content=b"\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
        )
    assert answer.status_code == 200
    told = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [(one["line"], one["code"]) for one in told] == [
        (1, 202),
        (2, 400),
        (4, 202),
        (5, 409),
        (6, 413),
        (7, 403),
        (8, 202),
    ]
    assert told[0]["answer"]["status"] == "accepted"
    assert told[2]["answer"]["status"] == "repeated"
    assert told[3]["problem"]["differs"] == ["/caller"]
    assert told[0]["answer"]["trace"][3:35] != told[6]["answer"]["trace"][3:35]


async def test_a_long_batch_is_taken_from_a_caller_who_reads_no_answer_before_the_end(door: Door) -> None:
    lines = 3000
    # Three-quarters of a megabyte of faults come back for each hundred lines: more than sockets hold.
    fault = "x" * 6000
    body = b"\n".join(
        orjson.dumps(
            {"force": "northshire", "reference": a_reference(), "occurred_at": "2026-11-20", "caller": fault}
        )
        for _ in range(lines)
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1]))
    head = [
        "POST /v1/incidents/batch?lane=bulk HTTP/1.1",
        "Host: intake",
        f"Authorization: Bearer {door.north}",
        "Content-Type: application/x-ndjson",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    async with asyncio.timeout(60):
        for start in range(0, len(body), 65536):
            writer.write(body[start : start + 65536])
            await writer.drain()
        answered = await reader.read()
    writer.close()
    told = [orjson.loads(line) for line in dechunked(answered).splitlines()]
    assert [one["line"] for one in told] == list(range(1, lines + 1))
    assert Counter(one["code"] for one in told) == {202: lines}
    (bulk,) = await door.rows(f"SELECT count(*) AS n FROM outbox WHERE topic = '{INCIDENTS.name}.bulk'")
    assert bulk["n"] == lines


def dechunked(response: bytes) -> bytes:
    """The body of a raw HTTP/1.1 response in chunks."""
    rest = response.partition(b"\r\n\r\n")[2]
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


def a_decision(
    reference: str, *, version: int = 1, state: Any = "to_route", asked: bool = False
) -> CaseDecided:
    questions = [
        {"fact": "victim_pregnant", "to": "police", "because": "Midwifery would be told.", "would_add": {}},
        {"fact": "child_on_a_plan", "to": "childrens_services", "because": "Known to them.", "would_add": {}},
    ]
    return CaseDecided(
        incident=Incident(force="northshire", reference=reference, revision=1, occurred_at=NOON),
        revision=1,
        accepted_at=NOON,
        as_of=NOON,
        history=History(status="complete"),
        decision=Decision(
            case=f"northshire/{reference}",
            version=version,
            receipt={"questions": questions if asked else [], "result": {"css_response": "section_47"}},
        ),
        state=state,
    )


def an_outcome(reference: str, *, version: int = 1) -> CaseAnswered:
    told: dict[str, Any] = {"recipient": "northbury-children", "service": "childrens_services"}
    return CaseAnswered(
        case=f"northshire/{reference}",
        version=version,
        revision=1,
        state="routed",
        answers=[
            Answer(version=version, kind="decided", pathway="section_17", reason="their words", at=NOON, **told)
        ],
        branches=[Branch(delivery="d-1", version=version, state="received", **told)],
    )


async def test_the_police_hear_what_became_of_a_case_and_no_more(door: Door) -> None:
    reference = a_reference()
    case = f"northshire/{reference}"
    async with door.client() as client:
        await post(client, reference=reference)
        start = (await client.get("/v1/outcomes?limit=1000")).json()["next"]
        waiting = asyncio.create_task(client.get(f"/v1/outcomes?after={start}&wait=30"))
        async with door.sender("triage") as triage, triage.transaction() as tx:
            tx.emit(DECIDED, case, a_decision(reference, asked=True), started=NOON)
        asked = (await waiting).json()
        assert asked["outcomes"][0]["outcome"]["questions"] == [
            {"fact": "victim_pregnant", "because": "Midwifery would be told."}
        ]
        async with door.sender("delivery") as delivery, delivery.transaction() as tx:
            tx.emit(OUTCOMES, case, an_outcome(reference), started=NOON)
        answered = (await client.get(f"/v1/outcomes?after={asked['next']}&wait=30")).json()
        where = await client.get(f"/v1/incidents/{case}")
    (entry,) = answered["outcomes"]
    assert entry["outcome"]["state"] == "routed"
    assert entry["outcome"]["answers"][0]["pathway"] == "section_17"
    assert where.json()["state"] == "routed"
    assert where.json()["services"][0]["service"] == "childrens_services"
    assert [stage["stage"] for stage in where.json()["stages"]] == ["triage"]
    for text in (orjson.dumps(asked), orjson.dumps(answered), where.content):
        assert b"child_on_a_plan" not in text
        assert b"section_47" not in text
        assert b"their words" not in text


async def test_until_it_is_decided_an_incident_is_in_flight_and_its_ledger_ends_here(door: Door) -> None:
    reference = a_reference()
    async with door.client() as client:
        told = (await post(client, reference=reference, consent=...)).json()
        where = (await client.get(told["links"]["self"])).json()
    assert where["state"] == "in_flight"
    assert [stage["stage"] for stage in where["stages"]] == ["police", "intake"]
    assert where["gaps"] == told["gaps"]
    assert where["trace"] == told["trace"]


async def test_a_database_that_is_away_is_answered_with_503_and_nothing_is_lost_after_it_is_back(
    door: Door,
) -> None:
    reference = a_reference()
    async with door.client() as client:
        assert (await post(client, reference=reference)).status_code == 202
        door.wire.cut()
        try:
            away = await asyncio.gather(*(post(client, reference=a_reference()) for _ in range(10)))
            assert health(door) == "down"
        finally:
            door.wire.mend()
        assert {answer.status_code for answer in away} == {503}
        assert {answer.headers["retry-after"] for answer in away} == {"2"}
        wait_until(lambda: health(door) != "down", "the database is back")
        assert (await post(client, reference=reference)).json()["status"] == "repeated"
        assert (await post(client, reference=a_reference())).status_code == 202
    wait_until(lambda: health(door) == "up", "all is well again")


def test_send_posts_a_file_and_says_what_became_of_each(door: Door, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_bytes(orjson.dumps({"intake": {"url": door.url}}))
    police = {"northshire": door.north, "southshire": door.south}
    (tmp_path / "keys.json").write_bytes(orjson.dumps({"police": police}))
    month = [an_incident(reference=a_reference()) for _ in range(30)]
    lines = [
        *month,
        an_incident(force="southshire", reference=a_reference(), risk={"level": "purple"}),
        {**month[0], "caller": "victim"},
        an_incident(force="westshire"),
    ]
    file = tmp_path / "month.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    first = CliRunner().invoke(send_app, [str(file), "--data", str(tmp_path), "--concurrency", "1", "--json"])
    assert first.exit_code == 1, first.output
    told = orjson.loads(first.stdout)
    assert (told["sent"], told["accepted"], told["faults"]) == (33, 31, 1)
    assert (told["refused"], told["unsent"]) == (1, 1), "the third force's has no key here"
    assert [one["number"] for one in told["refusals"]] == [32, 33]
    assert told["refusals"][0]["differs"] == ["/caller"]

    file.write_bytes(b"\n".join(orjson.dumps(line) for line in month))
    again = CliRunner().invoke(send_app, [str(file), "--data", str(tmp_path)])
    assert again.exit_code == 0
    assert "30 repeated" in again.stdout


async def test_a_broker_that_is_away_does_not_stop_the_door(door: Door, runtime: Parts) -> None:
    pid = runtime.kafka_pid
    if pid is None:
        pytest.skip("the broker was started outside: it is not ours to kill")
    reference = a_reference()
    case = f"northshire/{reference}"
    os.kill(pid, signal.SIGKILL)
    async with door.client() as client:
        answers = [
            await post(client, reference=reference, revision=n, summary=f"revision {n}") for n in (1, 2, 3)
        ]
        assert {answer.status_code for answer in answers} == {202}
    runtime.wait_until(lambda parts: parts.kafka_pid not in (None, pid), 60)
    events = await published(door, case, 3)
    assert [event.body.revision for event in events] == [1, 2, 3]
    wait_until(lambda: health(door) == "up", "all is well again")
