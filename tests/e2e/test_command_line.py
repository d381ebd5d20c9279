"""The commands, on two running systems side by side: what they print, where, and with which exit status.

`waymark up` runs in processes of its own. The other commands run in this one, by the same function that the
console script calls, so that dozens of them take seconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil
import pytest

from deploy.local import read_parts
from deploy.migrations import SERVICES
from shared.contracts.topics import ENRICHED
from shared.kafka import Message, Producer
from tests.builders import an_incident
from tests.e2e.commands import Up, bring_up, command_line, until, waymark
from waymark.system import ROOT

STORY: Final = ROOT / "tests" / "contracts" / "samples" / "stories" / "machete-at-the-door.json"
CANARY: Final = "Zephyrine"


@dataclass(frozen=True, slots=True)
class Systems:
    """Two that run side by side: `first` for nearly everything, `second` to be stopped."""

    first: Up
    second: Up


@pytest.fixture(scope="module")
def systems() -> Iterator[Systems]:
    place = Path(tempfile.mkdtemp(prefix="waymark-commands-"))
    started = [bring_up(place / name) for name in ("first", "second")]
    try:
        for one in started:
            one.wait_until_ready()
        yield Systems(*started)
    finally:
        for one in started:
            if one.process.poll() is None:
                one.press_ctrl_c()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def first(systems: Systems) -> Up:
    return systems.first


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WAYMARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")


# Exit statuses and documents


def test_a_process_of_its_own_ends_with_the_same_statuses(tmp_path: Path, first: Up) -> None:
    def run(*arguments: object) -> int:
        return subprocess.run(
            [sys.executable, "-m", "waymark", *map(str, arguments)], cwd=ROOT, capture_output=True
        ).returncode

    assert run("reconcile", "--json", "--data", first.data) == 0
    assert run("status", "--data", tmp_path) == 1


# One JSON document


@pytest.mark.parametrize(
    "command", ["status", "reconcile", "keys list", "keys create --role ops", "dead-letters list"]
)
def test_json_is_one_document_on_standard_output_and_nothing_else(command: str, first: Up) -> None:
    said = waymark(*command.split(), "--data", first.data, "--json")

    assert isinstance(said.document, dict | list)
    assert said.errors == ""
    assert said.out.endswith("\n")


# Status


def test_status_shows_every_part_with_its_process_and_health(first: Up) -> None:
    said = waymark("status", "--data", first.data, "--json")
    document = said.document

    assert said.status == 0
    assert set(document) == {"waymark", "kafka", "postgres", *SERVICES}
    assert document["waymark"]["pid"] == first.process.pid
    for name in ("kafka", "postgres", *SERVICES):
        assert document[name]["health"] == "up"
        assert psutil.pid_exists(document[name]["pid"])
        assert document[name]["restarts"] == 0
    for name in SERVICES:
        assert set(document[name]["parts"].values()) == {"up"}
    table = waymark("status", "--data", first.data).out
    for name in SERVICES:
        assert document[name]["url"] in table


def test_status_ends_with_1_while_a_part_is_down_and_counts_its_restarts(first: Up) -> None:
    os.kill(first.status["console"]["pid"], signal.SIGKILL)
    down = waymark("status", "--data", first.data, "--json")
    assert (down.status, down.document["console"]["health"]) == (1, "down")

    def back() -> bool:
        said = waymark("status", "--data", first.data, "--json")
        return said.status == 0 and said.document["console"]["restarts"] == 1

    until(back, "the console is back")


def test_who_looks_after_the_database_is_told_of_its_restarts_too(first: Up) -> None:
    os.kill(read_parts(first.data)["postgres"]["pid"], signal.SIGKILL)

    def back() -> bool:
        said = waymark("status", "--data", first.data, "--json")
        return said.status == 0 and said.document["postgres"]["restarts"] == 1

    until(back, "the database is back")


# Keys


def test_a_key_is_shown_once_opens_its_door_and_no_other_and_not_after_it_is_revoked(first: Up) -> None:
    made = waymark(
        "keys", "create", "--role", "police", "--force", "northshire", "--data", first.data, "--json"
    )
    unused = waymark("keys", "create", "--role", "police", "--force", "northshire", "--data", first.data)
    listed = waymark("keys", "list", "--data", first.data, "--json")
    key, number = made.document["key"], made.document["id"]

    assert number in {one["id"] for one in listed.document}
    assert key not in listed.out
    assert unused.out.strip() not in listed.out
    assert unused.out.strip() not in unused.errors
    assert post(first, an_incident(reference="KEY-1"), key) == 202
    assert post(first, an_incident(reference="KEY-1", force="southshire"), key) == 403
    # The one that was not used yet: a service may remember a key that it has seen for 15 seconds.
    [other] = re.findall(r"Key (\w+) for police", unused.errors)
    assert waymark("keys", "revoke", other, "--data", first.data).status == 0
    assert post(first, an_incident(reference="KEY-2"), unused.out.strip()) == 401
    assert waymark("keys", "revoke", other, "--data", first.data).status == 1
    [revoked] = [
        one for one in waymark("keys", "list", "--data", first.data, "--json").document if one["id"] == other
    ]
    assert revoked["revoked_at"] is not None


def post(system: Up, incident: dict[str, Any], key: str) -> int:
    async def go() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{system.status['intake']['url']}/v1/incidents", json=incident) as response,
        ):
            return response.status

    return asyncio.run(go())


# Making incidents, sending them, deciding them


def test_a_simulated_month_is_sent_once_however_often_and_all_of_it_is_found_again(
    first: Up, tmp_path: Path
) -> None:
    before = waymark("reconcile", "--data", first.data, "--json").document["accepted"]
    month = tmp_path / "month.jsonl"
    made = waymark("simulate", "--incidents", 20, "--seed", 7, "-o", month, "--json")
    sent = waymark("send", month, "--data", first.data, "--json")
    again = waymark("send", month, "--data", first.data, "--json")
    found = waymark("reconcile", "--data", first.data, "--json")

    assert (made.status, made.document["incidents"]) == (0, 20)
    assert (sent.status, sent.document["accepted"], sent.document["refused"]) == (0, 20, 0)
    assert (again.status, again.document["repeated"]) == (0, 20)
    assert (found.status, found.document["accepted"], found.document["unaccounted"]) == (0, before + 20, 0)
    assert waymark("simulate", "--incidents", 20, "--seed", 7, "-o", tmp_path / "other.jsonl").status == 0
    assert (tmp_path / "other.jsonl").read_bytes() == month.read_bytes()


def test_what_the_door_refuses_is_named_and_ends_with_1(first: Up, tmp_path: Path) -> None:
    lines = [an_incident(reference="SENT-1"), an_incident(reference="SENT-2", occurred_at=...)]
    file = tmp_path / "two.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))

    said = waymark("send", file, "--data", first.data, "--json")

    assert said.status == 1
    assert (said.document["accepted"], said.document["refused"]) == (1, 1)
    [refusal] = said.document["refusals"]
    assert (refusal["number"], refusal["status"]) == (2, 422)


def test_what_social_care_knows_is_sent_with_a_councils_key(first: Up, tmp_path: Path) -> None:
    waymark("simulate", "--incidents", 5, "-o", tmp_path / "month.jsonl")
    records = tmp_path / "records.json"
    records.write_bytes((tmp_path / "month.records.jsonl").read_bytes().splitlines()[0])
    source = orjson.loads(records.read_bytes())["source"]
    where = ("--url", first.status["enrichment"]["url"], "--json", "--key")

    taken = waymark("records", records, *where, first.keys["council"][source])
    refused = waymark("records", records, *where, first.keys["police"]["northshire"])

    assert (taken.status, taken.document["bad"]) == (0, [])
    assert (refused.status, refused.document["status"]) == (1, 403)


def test_a_story_is_decided_offline_with_its_receipt() -> None:
    said = waymark("evaluate", "--protocol", "london-dvrim", STORY)

    assert said.status == 0
    assert said.document["receipt"]["result"]["css_response"] == "section_47"


# Dead letters


def test_a_poison_event_is_listed_with_its_reason_and_shown_by_its_shape_and_can_be_sent_again(
    first: Up,
) -> None:
    put_on_topic(first, "northshire/POISON-1", {"seq": 1, "from": "enrichment", "body": {"name": CANARY}})
    until(lambda: "northshire/POISON-1" in letters(first, "triage"), "the dead letter of triage")
    listed = waymark("dead-letters", "list", "--data", first.data)
    letter = letters(first, "triage")["northshire/POISON-1"]
    shown = waymark("dead-letters", "show", letter["id"], "--data", first.data, "--json")

    assert listed.status == 1
    assert letter["reason"].startswith("not a waymark.enriched/1: missing at /")
    assert letter["reason"] in listed.text
    assert (shown.status, shown.document["id"], shown.document["service"]) == (0, letter["id"], "triage")
    assert shown.document["shape"] == {"seq": "int", "from": "str", "body": {"name": "str"}}
    assert CANARY not in listed.text + shown.text
    assert CANARY not in waymark("dead-letters", "show", letter["id"], "--data", first.data).text
    asked = waymark("dead-letters", "show", letter["id"], "--content", "--data", first.data, "--json")
    assert CANARY in asked.document["content"]

    sent = waymark("dead-letters", "resend", letter["id"], "--data", first.data)

    assert (sent.status, sent.out) == (0, "")
    assert ENRICHED.name in sent.errors
    assert waymark("dead-letters", "resend", letter["id"], "--data", first.data).status == 1
    # It is as bad as it was: it comes back under a number of its own, from its new place on the topic.
    until(
        lambda: (
            letters(first, "triage").get("northshire/POISON-1", letter)["kafka_offset"] > letter["kafka_offset"]
        ),
        "the dead letter's return",
    )


def test_the_next_event_goes_on_past_what_is_no_json_at_all(first: Up, tmp_path: Path) -> None:
    put_on_topic(first, "northshire/POISON-2", b"\xff\x00 " + CANARY.encode())
    until(lambda: "northshire/POISON-2" in letters(first, "triage"), "the dead letter of triage")
    letter = letters(first, "triage")["northshire/POISON-2"]
    shown = waymark("dead-letters", "show", letter["id"], "--data", first.data, "--json")
    file = tmp_path / "after.json"
    file.write_bytes(orjson.dumps(an_incident(reference="AFTER-1")))
    assert waymark("send", file, "--data", first.data).status == 0

    def decided() -> bool:
        document = waymark("reconcile", "--data", first.data, "--json").document
        return bool(document["unaccounted"] == 0 and document["unverified"] == 0)

    assert shown.document["shape"] == "not JSON"
    assert CANARY not in shown.text
    until(decided, "all is accounted for")
    for service in SERVICES:
        assert CANARY not in (first.data / f"{service}.log").read_text()


def letters(system: Up, service: str) -> dict[str, dict[str, Any]]:
    """Of each case the newest dead letter of a service, as the command lists them."""
    document = waymark("dead-letters", "list", "--data", system.data, "--json").document
    return {letter["case"]: letter for letter in document if letter["service"] == service}


def put_on_topic(system: Up, case: str, event: dict[str, Any] | bytes) -> None:
    async def go() -> None:
        producer = Producer(system.status["kafka"]["bootstrap"], "poisoner", 4)
        value = event if isinstance(event, bytes) else orjson.dumps(event)
        await producer.publish([Message(ENRICHED.name, case, value)])
        await producer.close()

    asyncio.run(go())


# Who looked


def test_who_looked_at_a_case_is_reported_and_asking_is_written_down(first: Up, tmp_path: Path) -> None:
    file = tmp_path / "looked.json"
    file.write_bytes(orjson.dumps(an_incident(reference="LOOKED-1")))
    assert waymark("send", file, "--data", first.data).status == 0
    key = first.keys["person"]["screener-social-care"]

    def looked() -> bool:
        return waymark("explain", "northshire/LOOKED-1", "--key", key, "--data", first.data).status == 0

    until(looked, "a screener looks at the case")
    said = waymark("audit", "--case", "northshire/LOOKED-1", "--looks", "--data", first.data, "--json")
    as_csv = waymark("audit", "--who", "screener-social-care", "--csv", "--data", first.data)
    again = waymark("audit", "--case", "northshire/LOOKED-1", "--data", first.data, "--json")

    assert [(one["who"], one["act"]) for one in said.document] == [("screener-social-care", "looked")]
    assert as_csv.out.splitlines()[0] == "at,service,who,act,case,details"
    assert "northshire/LOOKED-1" in as_csv.out
    assert "audit.read" in [one["act"] for one in again.document]
    assert waymark("audit", "--case", "northshire/NEVER-1", "--data", first.data).status == 1


# Several systems, and the end of one


def test_migrating_a_migrated_database_changes_nothing(first: Up) -> None:
    said = waymark("migrate", "--data", first.data)

    assert (said.status, said.out) == (0, "")
    assert "up to date" in said.errors


def test_two_systems_side_by_side_share_nothing(systems: Systems, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(orjson.dumps(an_incident(reference="ONLY-HERE")))
    before = [accepted(system) for system in (systems.first, systems.second)]
    assert waymark("send", file, "--data", systems.second.data).status == 0

    assert [accepted(system) for system in (systems.first, systems.second)] == [before[0], before[1] + 1]
    assert addresses(systems.first).isdisjoint(addresses(systems.second))
    assert systems.first.keys["ops"] != systems.second.keys["ops"]


def addresses(system: Up) -> set[str]:
    return {part.get("url") or part["bootstrap"] for name, part in system.status.items() if name != "waymark"}


def accepted(system: Up) -> int:
    return int(waymark("reconcile", "--data", system.data, "--json").document["accepted"])


def test_a_directory_in_use_is_refused_with_the_process_that_has_it(first: Up) -> None:
    said = waymark("up", "--data", first.data)

    assert said.status == 1
    assert f"in use by process {first.process.pid}" in said.text
    assert waymark("status", "--data", first.data).status == 0


def test_ctrl_c_stops_everything_and_leaves_no_child(systems: Systems) -> None:
    second = systems.second
    family = second.family()
    services = [line for line in map(command_line, family) if "waymark.serve" in line]

    assert len(services) >= len(SERVICES)
    assert second.press_ctrl_c() == 0
    assert [command_line(one) for one in psutil.wait_procs(family, timeout=5)[1]] == []
    assert "Traceback" not in second.log.read_text()
    assert waymark("status", "--data", second.data).status == 1
    assert waymark("status", "--data", systems.first.data).status == 0


def test_ctrl_c_while_it_is_still_starting_leaves_no_child_either(systems: Systems) -> None:
    if systems.second.process.poll() is None:
        systems.second.press_ctrl_c()
    again = bring_up(systems.second.data)
    try:
        until(lambda: "Starting Kafka" in again.log.read_text(), "it is starting")
        until(lambda: bool(again.family()), "there are children")
        family = again.family()

        assert again.press_ctrl_c() == 0
        assert [command_line(one) for one in psutil.wait_procs(family, timeout=5)[1]] == []
        assert "Traceback" not in again.log.read_text()
    finally:
        if again.process.poll() is None:
            again.process.kill()


def test_when_it_is_killed_nothing_is_left_and_status_says_so(systems: Systems) -> None:
    first = systems.first
    family = first.family()

    first.process.kill()
    first.process.wait(10)

    assert [command_line(one) for one in psutil.wait_procs(family, timeout=30)[1]] == []
    said = waymark("status", "--data", first.data)
    assert (said.status, said.out) == (1, "")
    assert "was killed" in said.text
