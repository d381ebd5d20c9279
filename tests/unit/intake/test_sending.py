"""`waymark send`: what it takes from a file, and when it says that it was used wrongly."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from typer.testing import CliRunner

from services.intake.commands import app, running_system
from services.intake.sending import Journal, Outcome, Sender, items_of, open_source
from services.intake.sending.report import RefusalFile, refused, taken
from services.intake.sending.sender import seconds_of
from tests.builders import an_incident
from tests.unit.intake.sending_door import Answering, a_file, never, send_to


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def references(path: Path) -> list[str]:
    return [orjson.loads(item.body)["reference"] for item in items_of(path)]


def test_json_lines_are_sent_line_by_line_as_they_are(tmp_path: Path) -> None:
    lines = [orjson.dumps(an_incident(reference=str(n))) for n in range(3)]
    file = written(tmp_path / "a.jsonl", b"\n".join([lines[0], b"", lines[1], b"{broken", lines[2]]))
    items = list(items_of(file))
    assert [item.number for item in items] == [1, 3, 4, 5]
    assert [item.body for item in items] == [lines[0], lines[1], b"{broken", lines[2]]
    assert items[-1].read_to == file.stat().st_size


def test_one_object_over_many_lines_is_one_incident(tmp_path: Path) -> None:
    pretty = orjson.dumps(an_incident(reference="one"), option=orjson.OPT_INDENT_2)
    assert references(written(tmp_path / "a.json", pretty)) == ["one"]


def test_a_list_is_its_incidents(tmp_path: Path) -> None:
    incidents = orjson.dumps([an_incident(reference="a"), an_incident(reference="b")])
    assert references(written(tmp_path / "a.json", incidents)) == ["a", "b"]


def test_an_incident_of_a_list_goes_to_the_door_as_it_is_written(tmp_path: Path) -> None:
    one = (
        b'{"reference":"a","strangulation":true,\r\n "strangulation":false,"n":123456789012345678901234567890}'
    )
    other = b'{"reference":"b","summary":"half \\ud83d, [\\n]"}'
    items = list(items_of(written(tmp_path / "a.json", b" [" + one + b" ,\n" + other + b"]\n")))
    assert [item.body for item in items] == [one.replace(b"\r\n", b"  "), other]
    assert [item.reference for item in items] == ["a", "b"]
    whole = list(items_of(written(tmp_path / "b.json", b"\n" + one)))
    assert [item.body for item in whole] == [one.replace(b"\r\n", b"  ")]
    assert list(items_of(written(tmp_path / "c.json", b"\n[ ]"))) == []


@pytest.mark.parametrize(
    "text", [b"[{}", b"[{},]", b"[{} {}]", b"[{}] x", b"[", b"{} {}", b"[" * 200_000, b"\xff"]
)
def test_a_list_that_is_cut_short_or_goes_on_is_no_json(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ValueError, match="neither JSON nor JSON lines"):
        list(items_of(written(tmp_path / "a.json", b"\n" + text)))


def test_what_is_no_json_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither JSON nor JSON lines"):
        list(items_of(written(tmp_path / "a.txt", b"Dear Sirs,\nplease find enclosed\n")))


def test_address_and_keys_come_from_the_system_that_runs_here(tmp_path: Path) -> None:
    written(tmp_path / "status.json", b'{"intake": {"url": "http://127.0.0.1:9"}}')
    written(tmp_path / "keys.json", b'{"police": {"northshire": "wmk_x"}}')
    assert running_system(tmp_path) == ("http://127.0.0.1:9", {"northshire": "wmk_x"})
    assert running_system(tmp_path / "nowhere") == (None, {})


def test_without_a_system_or_a_key_it_says_what_to_do(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", orjson.dumps(an_incident()))
    nowhere = CliRunner().invoke(app, [str(file), "--data", str(tmp_path)])
    assert nowhere.exit_code == 2
    assert "waymark up" in nowhere.stderr
    written(tmp_path / "keys.json", b'{"police": {"northshire": "wmk_x"}}')
    elsewhere = CliRunner().invoke(app, [str(file), "--data", str(tmp_path), "--url", "http://127.0.0.1:9"])
    assert elsewhere.exit_code == 2
    assert "--key" in elsewhere.stderr


def test_a_missing_file_is_wrong_use(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "none.jsonl"), "--url", "http://127.0.0.1:9", "--key", "wmk_x"]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 2
    assert "no file" in answer.stderr


# What is sent, and what is said of it


async def test_every_line_is_posted_and_counted(tmp_path: Path) -> None:
    named = {
        "faults": [{"at": "/children/1/born", "because": "not a date"}],
        "gaps": [{"at": "/children/0/presence", "because": "not recorded"}],
    }
    door = Answering(told={"a": [(202, {"status": "accepted", **named})]})
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "abc"))
    assert sorted(door.came) == ["a", "b", "c"]
    assert report.as_json()["accepted"] == 3
    assert report.by_place("fault") == [{"at": "/children/*/born", "because": "not a date", "count": 1}]
    assert report.by_place("gap") == [{"at": "/children/*/presence", "because": "not recorded", "count": 1}]
    assert not (tmp_path / "f.jsonl.sent.jsonl").exists()


async def test_refusals_are_grouped_by_reason_with_their_lines(tmp_path: Path) -> None:
    problem = {"title": "occurred_at cannot be read", "status": 422, "at": "/occurred_at", "detail": "It is."}
    door = Answering(told={one: [(422, problem)] for one in "ac"})
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "abc"))
    assert report.refused == 2
    assert [one["reference"] for one in report.as_json()["refusals"]] == ["a", "c"]
    assert "  2 refused: occurred_at cannot be read (/occurred_at): lines 1, 3" in report.lines()


async def test_the_revisions_of_one_incident_go_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    lines = [an_incident(reference="same", revision=..., summary=str(n)) for n in range(6)]
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    came: list[str] = []

    async def note(body: str) -> None:
        came.append(orjson.loads(body)["summary"])
        await asyncio.sleep(0)

    door = Answering(told={"same": [(503, {"title": "Not stored"})]}, before=note)
    await send_to(door, file, concurrency=6)
    assert came == ["0", "0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("status", [429, 503])
async def test_what_passes_by_itself_is_sent_again_as_the_door_asks(tmp_path: Path, status: int) -> None:
    door = Answering(told={"a": [(status, {"title": "Later"})] * 2}, retry_after="0")
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "ab"))
    assert (report.statuses["accepted"], report.refused) == (2, 0)
    assert door.came.count("a") == 3


async def test_a_rate_limit_is_waited_out_however_long_it_holds(tmp_path: Path) -> None:
    door = Answering(told={"a": [(429, {"title": "Too many"})] * 9}, retry_after="0")
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "a"), patience_s=0.2)
    assert (report.statuses["accepted"], door.came.count("a")) == (1, 10)


async def test_a_door_that_asks_for_an_hour_ends_the_sending_with_a_sentence(tmp_path: Path) -> None:
    door = Answering(told={"a": [(503, {"title": "Not now"})]}, retry_after="3600")
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "ab"), concurrency=1)
    assert report.statuses["unsent"] == 2
    assert "3600 s" in str(report.stopped)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert (seconds_of("Tue, 31 Dec 2199 23:59:59 GMT") or 0) > 1_000_000
    assert (seconds_of("soon"), seconds_of(None)) == (None, None)


async def test_a_key_that_is_not_known_stops_at_once_and_nothing_counts_as_answered(tmp_path: Path) -> None:
    file = a_file(tmp_path / "f.jsonl", "abcdef")
    door = Answering(told={"a": [(401, {"title": "Not known", "detail": "No such key."})]})
    report = await send_to(door, file, concurrency=1)
    assert door.came == ["a"]
    assert (report.statuses["unsent"], report.statuses["refused"]) == (6, 0)
    assert "No such key" in str(report.stopped)
    assert (await send_to(door, file, concurrency=1)).statuses["accepted"] == 6


@pytest.mark.parametrize("chunk", [0, 100])
async def test_what_is_of_a_force_without_a_key_is_left_and_the_rest_is_sent(
    tmp_path: Path, chunk: int
) -> None:
    lines = [an_incident(force=force, reference=force) for force in ("north", "west", "south")]
    file = written(tmp_path / "f.jsonl", b"\n".join(map(orjson.dumps, lines)))
    door = Answering()
    report = await send_to(door, file, key=None, keys={"north": "n", "south": "s"}, chunk=chunk, concurrency=1)
    assert door.came == ["north", "south"]
    assert (report.statuses["accepted"], report.statuses["unsent"]) == (2, 1)
    assert "  1 unsent: No key for its force: line 2" in report.lines()


async def test_a_door_that_cannot_be_reached_ends_the_sending_with_a_sentence(tmp_path: Path) -> None:
    source = open_source(a_file(tmp_path / "f.jsonl", "abc"))
    sender = Sender("http://127.0.0.1:9", key="k", keys={}, concurrency=2, patience_s=0)
    report = await sender.send(source, lambda _: None, note=lambda _: None)
    assert (report.statuses["unsent"], report.refused) == (3, 3)
    assert "cannot be reached" in str(report.stopped)


# Going on after an interruption


async def test_an_interrupted_sending_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = a_file(tmp_path / "f.jsonl", "abcdef")
    problem = {"title": "Same revision, other content", "status": 409, "differs": ["/caller"]}

    async def interrupt(body: str) -> None:
        if orjson.loads(body)["reference"] == "d":
            raise web.HTTPUnauthorized

    first = Answering(told={"b": [(409, problem)]}, before=interrupt)
    stopped = await send_to(first, file, concurrency=1)
    second = Answering()
    report = await send_to(second, file, concurrency=1)
    assert (first.came, stopped.statuses["unsent"]) == (["a", "b", "c"], 3)
    assert second.came == ["d", "e", "f"]
    assert (report.earlier, report.statuses["accepted"], report.statuses["refused"]) == (3, 5, 1)
    assert report.as_json()["refusals"] == [{"number": 2, "reference": "b", **problem}]
    assert not (tmp_path / "f.jsonl.sent.jsonl").exists()


async def test_a_sending_that_was_killed_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    file = a_file(tmp_path / "f.jsonl", "abcd")

    async def hang(body: str) -> None:
        if orjson.loads(body)["reference"] == "c":
            await never()

    sending = asyncio.create_task(send_to(Answering(before=hang), file, concurrency=1))
    journal = tmp_path / "f.jsonl.sent.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    journal.write_bytes(journal.read_bytes() + b'{"n":3,"wo')
    door = Answering()
    report = await send_to(door, file)
    assert sorted(door.came) == ["c", "d"]
    assert report.statuses["accepted"] == 4


async def stopped_after(count: int, file: Path) -> None:
    """A sending of `file` that has `count` answers when it stops."""
    limited = Answering()

    async def enough(_: str) -> None:
        if len(limited.came) >= count:
            raise web.HTTPUnauthorized

    limited.before = enough
    await send_to(limited, file, concurrency=1)


async def test_again_sends_everything(tmp_path: Path) -> None:
    file = a_file(tmp_path / "f.jsonl", "abc")
    await stopped_after(2, file)
    door = Answering()
    report = await send_to(door, file, again=True, concurrency=1)
    assert (door.came, report.earlier) == (["a", "b", "c"], 0)


async def test_a_file_that_has_changed_is_noticed_and_sent_anew(tmp_path: Path) -> None:
    file = a_file(tmp_path / "f.jsonl", "abc")
    await stopped_after(2, file)
    a_file(file, "xbc")
    changed = Journal(tmp_path / "f.jsonl.sent.jsonl", digest=open_source(file).digest, to="door/v1/incidents")
    assert (changed.changed, changed.before) == (True, [])
    door = Answering()
    await send_to(door, file, concurrency=1)
    assert door.came == ["x", "b", "c"]


async def test_what_went_to_another_address_counts_for_nothing_here(tmp_path: Path) -> None:
    place = tmp_path / "j"
    there = Journal(place, digest="d", to="there")
    there.open()
    there.note(Outcome(1, "accepted"))
    there.close(finished=False)
    assert Journal(place, digest="d", to="here").before == []


def test_the_journal_holds_nothing_of_what_an_incident_says(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", digest="d", to="there")
    journal.open()
    answer = {"status": "accepted", "gaps": [], "faults": [{"at": "/x", "said": "Zephyrine", "because": "no"}]}
    journal.note(taken(1, "R-1", answer))
    journal.close(finished=False)
    assert b"Zephyrine" not in (tmp_path / "j").read_bytes()
    assert Journal(tmp_path / "j", digest="d", to="there").before[0].named[0].at == "/x"


# Batches


async def test_a_batch_has_each_incident_once_so_that_revisions_keep_their_order(tmp_path: Path) -> None:
    door = Answering(told={"a": [(503, {"title": "Not stored"})]})
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "abac"), chunk=100)
    assert door.batches == [["a", "b"], ["a"], ["a", "c"]]
    assert report.statuses["accepted"] == 4


async def test_a_batch_that_breaks_off_goes_on_after_its_last_answer(tmp_path: Path) -> None:
    door = Answering(cut_after=2)
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "abcde"), chunk=100)
    assert door.batches == [["a", "b", "c", "d", "e"], ["c", "d", "e"]]
    assert (report.statuses["accepted"], report.refused) == (5, 0)


async def test_one_refused_line_of_a_batch_is_named_by_its_line_in_the_file(tmp_path: Path) -> None:
    door = Answering(told={"d": [(422, {"title": "occurred_at is missing", "status": 422})]})
    report = await send_to(door, a_file(tmp_path / "f.jsonl", "abcde"), chunk=2)
    assert [one["number"] for one in report.as_json()["refusals"]] == [4]


async def test_a_backfill_lets_everything_else_go_first(tmp_path: Path) -> None:
    door = Answering()
    await send_to(door, a_file(tmp_path / "f.jsonl", "a"), chunk=2, bulk=True)
    assert door.paths == ["/v1/incidents/batch?lane=bulk"]


# Forms


async def test_a_forms_csv_goes_row_by_row_as_written_with_its_header(tmp_path: Path) -> None:
    file = written(tmp_path / "f.csv", b"\xef\xbb\xbfforce,reference,circumstances\r\nn,a,x\r\nn,b,y\r\n")
    door = Answering()
    report = await send_to(door, file, form="north")
    assert (door.batches, door.paths) == ([["a", "b"]], ["/v1/forms/north"])
    assert report.statuses["accepted"] == 2


def test_a_line_end_within_quotes_is_part_of_its_row(tmp_path: Path) -> None:
    rows = b'force,reference,circumstances\nn,a,"one\ntwo ""said"" he\n"\nn,b,three\n'
    source = open_source(written(tmp_path / "f.csv", rows), form=True)
    assert [(item.number, item.reference) for item in source.items()] == [(2, "a"), (5, "b")]
    assert b"\n".join(item.body for item in source.items()) in rows


async def test_a_forms_json_goes_to_its_own_door(tmp_path: Path) -> None:
    door = Answering()
    await send_to(door, a_file(tmp_path / "f.jsonl", "a"), form="south")
    assert door.paths == ["/v1/forms/south"]


def test_a_csv_without_a_form_is_wrong_use(tmp_path: Path) -> None:
    file = written(tmp_path / "f.csv", b"force,reference\nn,a\n")
    said = CliRunner().invoke(app, [str(file), "--url", "http://127.0.0.1:9", "--key", "k"])
    assert said.exit_code == 2
    assert "--form" in said.stderr


# The report of what was refused


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_the_report_file_names_each_refused_line_and_why(tmp_path: Path, name: str) -> None:
    refusals = RefusalFile(tmp_path / name)
    problem = {"title": "Same revision, other content", "status": 409, "differs": ["/a", "/b"]}
    refusals.note(refused(7, "=HYPERLINK()", problem, answered=True))
    refusals.note(Outcome(8, "accepted"))
    refusals.close()
    text = (tmp_path / name).read_text()
    if name.endswith("csv"):
        (row,) = csv.DictReader(io.StringIO(text))
        assert (row["number"], row["status"], row["at"]) == ("7", "409", "/a /b")
        assert row["reference"] == "'=HYPERLINK()"
    else:
        assert orjson.loads(text) == {"number": 7, "reference": "=HYPERLINK()", **problem}
