"""A council's register from files, over the real service: interrupted, gone on with, and never half of it."""

from __future__ import annotations

import asyncio
import csv
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest
import uvicorn

from services.enrichment.main import create_app
from services.enrichment.settings import Settings
from shared import keys
from shared.db import Database, Row
from shared.http_server import server_config
from tests.integration.conftest import Servers
from tests.integration.intake_door import free_port
from tests.integration.waiting import wait_until
from waymark.system import ROOT

PEOPLE: Final = 8_000
SAMPLES: Final = ROOT / "tests" / "contracts" / "samples" / "records"
LATER: Final = "2026-11-30T00:00:00Z"


@dataclass(frozen=True)
class Office:
    """A running enrichment with a council's key for it, and its tables."""

    url: str
    key: str
    servers: Servers

    def post(self, document: dict[str, Any], **params: str) -> httpx.Response:
        """One call."""
        return httpx.post(
            f"{self.url}/v1/records",
            json=document,
            params=params,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        )

    def rows(self, sql: str, **params: Any) -> list[Row]:
        """What the tables hold."""

        async def read() -> list[Row]:
            database = Database(self.servers.database, "enrichment")
            try:
                async with database.transaction() as tx:
                    return await tx.rows(sql, **params)
            finally:
                await database.close()

        return asyncio.run(read())

    def ids(self, source: str) -> set[str]:
        """Whom a source's records have."""
        found = self.rows("SELECT id FROM records WHERE source = :source AND NOT removed", source=source)
        return {row["id"] for row in found}


@pytest.fixture(scope="module")
def office(servers: Servers) -> Iterator[Office]:
    with serving(servers) as url:
        yield Office(url, asyncio.run(_ops_key(servers)), servers)


@contextmanager
def serving(servers: Servers) -> Iterator[str]:
    settings = Settings(
        database=servers.database, kafka=servers.kafka, partitions=servers.partitions, port=free_port()
    )
    server = uvicorn.Server(server_config(create_app(settings), port=settings.port, stop_within_s=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "enrichment serves")
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        server.should_exit = True
        thread.join(20)


async def _ops_key(servers: Servers) -> str:
    owner = Database(servers.database, "access", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, key = await keys.create(tx, role="ops")
        return key
    finally:
        await owner.close()


def importing(office: Office, *arguments: object) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return subprocess.Popen(
        [sys.executable, "-m", "waymark", "records", "import", *map(str, arguments), "--json"],
        cwd=ROOT,
        env={**kept, "WAYMARK_ENRICHMENT_URL": office.url, "WAYMARK_KEY": office.key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def imported(office: Office, *arguments: object) -> tuple[int, dict[str, Any]]:
    process = importing(office, *arguments)
    out, errors = process.communicate(timeout=300)
    assert out, errors.decode()
    return process.returncode, dict(orjson.loads(out))


def register(path: Path, ids: range, *, as_of_lines: int = 1) -> Path:
    """A register of adults, every tenth a parent of the next, who is a child known of."""
    with path.open("wb") as file:
        for n in ids:
            child = n % 10 == 1
            person = {
                "kind": "person", "id": f"p{n}", "role": "child" if child else "adult",
                "name": {"given": f"Given{n}", "family": f"Family{n // 10}"}, "born": born_on(n),
            }  # fmt: skip
            file.write(orjson.dumps(person) + b"\n")
            if child:
                ties = {"kind": "relationship", "from": f"p{n - 1}", "to": f"p{n}", "relationship": "parent"}
                known = {"kind": "involvement", "child": f"p{n}", "open": False, "pathways": [], "plans": []}
                file.write(orjson.dumps(ties) + b"\n" + orjson.dumps(known) + b"\n")
    return path


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_whole_register_that_was_interrupted_ends_whole_and_until_then_nobody_is_forgotten(
    office: Office, tmp_path: Path, stop: signal.Signals, status: int
) -> None:
    source = f"whole-{status}"
    many = PEOPLE if stop == signal.SIGKILL else PEOPLE // 4
    before = register(tmp_path / "before.jsonl", range(many - 100, many + 900))
    assert imported(office, before, "--source", source, "--whole", "--as-of", "2026-11-01T00:00:00Z")[0] == 0
    file = register(tmp_path / "register.jsonl", range(many))
    journal = tmp_path / "register.jsonl.imported.jsonl"
    arguments = (file, "--source", source, "--whole", "--as-of", "2026-11-02T00:00:00Z", "--fewer")

    process = importing(office, *arguments)
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b'"slice"') > 1, "some are taken")
    process.send_signal(stop)
    process.communicate(timeout=60)

    assert process.returncode == status
    meanwhile = office.ids(source)
    assert {f"p{n}" for n in range(many - 100, many + 900)} <= meanwhile
    assert {
        row["as_of"].day for row in office.rows("SELECT as_of FROM sources WHERE source = :s", s=source)
    } == {1}

    ended, report = imported(office, *arguments)

    assert (ended, report["left_out"], report["people"], report["removed"]) == (0, 0, many, 900)
    assert report["earlier"] > 1
    assert office.ids(source) == {f"p{n}" for n in range(many)}
    [counted] = office.rows(
        """
        SELECT (SELECT count(*) FROM relationships WHERE source = :source) AS ties,
            (SELECT count(involvement) FROM records WHERE source = :source AND NOT removed) AS known
        """,
        source=source,
    )
    assert (counted["ties"], counted["known"]) == (many // 10, many // 10)
    assert not journal.exists()


def test_the_sample_folder_is_taken_whole_and_again_changes_nothing(office: Office, tmp_path: Path) -> None:
    arguments = ("--source", "sample", "--whole", "--as-of", "2026-11-20T02:00:00Z")
    folder = copied(tmp_path)
    for _ in range(2):
        ended, report = imported(office, folder, *arguments)
        assert (ended, report["people"], report["relationships"], report["involvement"]) == (0, 4, 3, 2)
        assert (report["bad"], report["faults"], report["removed"]) == ([], [], 0)
    assert office.ids("sample") == {"css-77001", "css-77002", "css-88121", "css-88122"}


def test_an_empty_difference_says_that_nothing_changed(office: Office, tmp_path: Path) -> None:
    assert office.post(document("quiet", 1, people=people(range(3)))).status_code == 200
    (tmp_path / "people.csv").write_text("id,given,family\n")
    ended, report = imported(office, tmp_path, "--source", "quiet", "--as-of", "2026-11-09T00:00:00Z")
    assert (ended, report["people"], report["removed"]) == (0, 0, 0)
    assert len(office.ids("quiet")) == 3
    [heard] = office.rows("SELECT as_of FROM sources WHERE source = 'quiet'")
    assert heard["as_of"].day == 9


def copied(folder: Path) -> Path:
    for sample in SAMPLES.glob("*.csv"):
        (folder / sample.name).write_bytes(sample.read_bytes())
    return folder


def test_bad_lines_are_named_by_file_and_number_and_the_rest_is_taken(office: Office, tmp_path: Path) -> None:
    folder, out = copied(tmp_path), tmp_path / "out"
    people = folder / "people.csv"
    people.write_bytes(
        people.read_bytes()
        + "p1,child,Siân,Vaughan,,2019-02-30,,,,,,,,,\n".encode("cp1252")
        + b"p2,child,Owen,Vaughan,,2019-02-30,,,,,,,,,\np3,child,Unknown,Vaughan,,1900-01-01,,,,,,,,,\n"
    )
    with (folder / "relationships.csv").open("ab") as file:
        file.write(b"css-88121,css-77001,parent,,\np2,nobody,sibling,,\np2,p3,friend,,\n")
    with (folder / "involvement.csv").open("ab") as file:
        file.write(b"p2,perhaps,,,,,,,\np3,no,,,,spells,,,\n")

    ended, report = imported(office, folder, "--source", "bad", "--report", out)

    assert (ended, report["status"], report["stopped"]) == (1, 200, None)
    assert office.ids("bad") == {"css-77001", "css-77002", "css-88121", "css-88122", "p2", "p3"}
    with out.open(newline="") as file:
        rows = {(row["file"], int(row["line"])): row for row in csv.DictReader(file)}
    assert {where: (row["left_out"], row["at"], row["because"]) for where, row in rows.items()} == {
        ("people.csv", 6): ("yes", "", "not UTF-8: saved in another encoding, such as Windows-1252"),
        ("people.csv", 7): ("no", "born", "cannot be read"),
        ("people.csv", 8): ("no", "born", "cannot be true"),
        ("relationships.csv", 5): ("yes", "", "circular: the other way round it is so already"),
        ("relationships.csv", 6): ("yes", "", "names a person who is not in the source's records"),
        ("relationships.csv", 7): ("yes", "", "relationship cannot be read"),
        ("involvement.csv", 5): ("yes", "", "open is neither yes nor no"),
        ("involvement.csv", 6): ("yes", "", "pathways/0/pathway cannot be read"),
    }
    assert not any(word in out.read_text() for word in ("Vaughan", "2019", "perhaps", "spells"))


def test_wrong_use_is_told_before_anything_is_sent(office: Office, tmp_path: Path) -> None:
    def misused(*arguments: object) -> str:
        process = importing(office, *arguments)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        return errors.decode()

    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "people.csv").write_text("id,surname\na,Hughes\n")
    assert "is empty" in misused(tmp_path / "empty.jsonl", "--source", "s")
    assert "'surname'" in misused(tmp_path / "people.csv", "--source", "s")
    assert "There is no file" in misused(tmp_path / "none.jsonl", "--source", "s")
    assert "--source" in misused(SAMPLES / "register.jsonl")
    assert "ISO 8601" in misused(SAMPLES / "register.jsonl", "--source", "s", "--as-of", "Monday")


def born_on(n: int) -> str:
    """Another day for each of many: people who share more than a name are one or the other's twin."""
    return (date(1940, 1, 1) + timedelta(days=37 * n % 25_000)).isoformat()


def people(ids: range) -> list[dict[str, Any]]:
    return [
        {"id": f"p{n}", "name": {"given": f"Given{n}", "family": "Hughes"}, "born": born_on(n)} for n in ids
    ]


def document(source: str, day: int, **more: Any) -> dict[str, Any]:
    return {"source": source, "as_of": f"2026-11-{day:02}T00:00:00Z", "whole": True, **more}


def test_an_import_that_would_forget_everybody_or_many_is_refused_with_the_numbers(office: Office) -> None:
    assert office.post(document("many", 1, people=people(range(100)))).json()["people"] == 100

    fewer = document("many", 2, people=people(range(79)))
    refused = office.post(fewer)
    assert (refused.status_code, refused.json()["before"], refused.json()["leaving"]) == (422, 100, 21)
    assert office.post(document("many", 2, people=people(range(80)))).json()["removed"] == 20

    renumbered = office.post(document("many", 3, people=people(range(1000, 3000))))
    assert (renumbered.status_code, renumbered.json()["leaving"]) == (422, 80)
    nobody = office.post(document("many", 3), fewer="yes")
    assert (nobody.status_code, nobody.json()["before"]) == (422, 80)
    named = office.post({**document("many", 3, removed=[f"p{n}" for n in range(40)]), "whole": False})
    assert (named.status_code, named.json()["leaving"]) == (422, 40)
    assert office.ids("many") == {f"p{n}" for n in range(80)}

    assert (
        office.post({**fewer, "people": people(range(5)), "as_of": LATER}, fewer="yes").json()["removed"] == 75
    )
    assert office.post({**fewer, "people": [], "as_of": LATER}, empty="yes").json()["removed"] == 5


def test_the_command_asks_for_a_flag_and_then_only_finishes(office: Office, tmp_path: Path) -> None:
    before = register(tmp_path / "before.jsonl", range(100))
    assert imported(office, before, "--source", "flag", "--whole", "--as-of", "2026-11-01")[0] == 0
    file = register(tmp_path / "after.jsonl", range(50))
    arguments = (file, "--source", "flag", "--whole", "--as-of", "2026-11-02")

    ended, report = imported(office, *arguments)
    assert (ended, report["status"], report["problem"]["leaving"]) == (1, 422, 50)
    assert "50 of 100 people would be forgotten" in report["stopped"]
    assert len(office.ids("flag")) == 100

    ended, report = imported(office, *arguments, "--fewer")
    assert (ended, report["removed"], report["earlier"]) == (0, 50, report["slices"])


def sliced(source: str, id_: str, **part: Any) -> dict[str, Any]:
    return document(source, 2, **{"import": {"id": id_, **part}})


def test_slices_that_are_missing_are_named_and_nobody_is_forgotten(office: Office) -> None:
    office.post(document("gap", 1, people=people(range(20))))
    assert office.post({**sliced("gap", "i", slice=2), "people": people(range(10))}).json()["removed"] == 0

    refused = office.post(sliced("gap", "i", slices=3))

    assert (refused.status_code, refused.json()["missing"]) == (409, [1, 3])
    assert len(office.ids("gap")) == 20


def test_of_two_imports_of_one_source_the_one_begun_first_is_given_up(office: Office) -> None:
    office.post({**sliced("two", "first", slice=1), "people": people(range(10))})
    office.post({**sliced("two", "second", slice=1), "people": people(range(5, 15))})

    late = [
        office.post({**sliced("two", "first", slice=2), "people": []}),
        office.post(sliced("two", "first", slices=1)),
    ]
    assert [one.status_code for one in late] == [409, 409]
    assert len(office.ids("two")) == 15
    assert office.post(sliced("two", "second", slices=1)).json()["removed"] == 5
    assert office.ids("two") == {f"p{n}" for n in range(5, 15)}


def test_a_finish_whose_answer_was_lost_is_answered_again_and_forgets_nobody_more(office: Office) -> None:
    office.post({**sliced("lost", "i", slice=1), "people": people(range(10))})
    assert office.post(sliced("lost", "i", slices=1)).status_code == 200
    since = {**document("lost", 2), "whole": False, "people": people(range(10, 12))}
    assert office.post(since).status_code == 200

    assert office.post(sliced("lost", "i", slices=1)).json()["removed"] == 0
    assert len(office.ids("lost")) == 12
    assert office.post({**sliced("lost", "i", slice=1), "people": people(range(1))}).status_code == 409


def test_what_changed_while_a_whole_import_runs_is_newer_than_it(office: Office) -> None:
    office.post(document("newer", 1, people=people(range(10))))
    office.post({**sliced("newer", "i", slice=1), "people": people(range(5))})
    during = {**document("newer", 3), "whole": False, "people": people(range(8, 12))}
    assert office.post(during).status_code == 200

    refused = office.post(sliced("newer", "i", slices=1))

    assert (refused.status_code, refused.json()["title"]) == (409, "Older than what is known")
    assert len(office.ids("newer")) == 12


def test_whoever_has_an_entry_that_cannot_be_read_stays_as_known(office: Office) -> None:
    first = document(
        "kept",
        1,
        people=people(range(30)),
        relationships=[{"from": "p0", "to": "p1", "kind": "parent"}],
        involvement=[{"child": "p1", "open": True}],
    )
    assert office.post(first).status_code == 200
    as_known = (
        "SELECT id, person, involvement FROM records WHERE source = 'kept' AND id IN ('p1', 'p2') ORDER BY id"
    )
    before = office.rows(as_known)
    told = people(range(25))
    told[1] = {"id": "p1", "name": 7}
    told[2]["born"] = "31/02/1990"
    second = document(
        "kept",
        2,
        people=told,
        relationships=[{"from": "p0", "to": "p1", "kind": "friend"}],
        involvement=[{"child": "p1", "open": "perhaps"}],
    )
    answer = office.post(second).json()

    assert (answer["removed"], len(answer["bad"]), len(answer["faults"])) == (5, 3, 1)
    assert office.ids("kept") == {f"p{n}" for n in range(25)}
    assert office.rows(as_known) == before
    assert len(office.rows("SELECT 1 AS tie FROM relationships WHERE source = 'kept'")) == 1


def test_a_child_whose_rows_cannot_be_read_stays_as_known_when_the_rest_is_replaced(
    office: Office, tmp_path: Path
) -> None:
    known = [{"child": f"p{n}", "open": True} for n in range(3)]
    assert office.post(document("rows", 1, people=people(range(5)), involvement=known)).status_code == 200
    lines = b"id,given\np0,Al\np1,Al\np2,Al\n" + "p3,Siân\n".encode("cp1252")
    (tmp_path / "people.csv").write_bytes(lines)
    (tmp_path / "involvement.csv").write_text("child,open\np0,perhaps\np1,no\n")

    ended, report = imported(office, tmp_path, "--source", "rows", "--whole", "--as-of", "2026-11-02")

    assert (ended, report["left_out"], report["removed"], report["stopped"]) == (1, 2, 1, None)
    rows = office.rows("SELECT id, involvement FROM records WHERE source = 'rows' AND NOT removed ORDER BY id")
    told = {row["id"]: row["involvement"] and orjson.loads(row["involvement"])["open"] for row in rows}
    assert told == {"p0": True, "p1": False, "p2": None, "p3": None}


def test_nobody_is_forgotten_while_entries_do_not_say_whom_they_are_about(office: Office) -> None:
    office.post(document("unread", 1, people=people(range(20))))
    second = document("unread", 2, people=[*people(range(15)), {"name": {"given": "Owen"}}])

    refused = office.post(second)

    assert (refused.status_code, refused.json()["unread"]) == (422, 1)
    assert len(office.ids("unread")) == 20
    assert office.post(second, fewer="yes").json()["removed"] == 5


def test_a_long_circle_of_parents_holds_up_nothing(office: Office) -> None:
    ring = [{"from": f"p{n}", "to": f"p{(n + 1) % 5}", "kind": "parent"} for n in range(5)]
    answer = office.post(document("ring", 1, people=people(range(5)), relationships=ring)).json()
    assert (answer["relationships"], answer["bad"]) == (5, [])
    wait_until(
        lambda: not office.rows("SELECT 1 AS left FROM records WHERE source = 'ring' AND stale"),
        "the ring is joined",
    )
