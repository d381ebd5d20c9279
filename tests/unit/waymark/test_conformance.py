"""`waymark check-sender`: what it says of good, incomplete, faulty and refused messages, and what never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from aiohttp import web
from typer.testing import CliRunner, Result

from services.intake.forms import write_csv, write_form
from tests.builders import an_incident
from tests.unit.waymark.test_fields_that_matter import a_calm_incident, rules
from waymark.conformance import messages
from waymark.conformance.command import check_sender
from waymark.conformance.costs import Costs
from waymark.conformance.door import Door
from waymark.conformance.messages import Message, NoMessages, fetch, messages_of
from waymark.conformance.rendering import report_lines
from waymark.conformance.schema import GoodSender
from waymark.conformance.verdict import Check
from waymark.simulate import load_profile, simulate
from waymark.simulate.commands import write_month
from waymark.simulate.naming import measure

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CANARY = "Zephyrine"


def checked(*said: Any, force: str | None = None) -> Check:
    """The check of messages, each given as bytes or as what it says."""
    check = Check(Door(now=NOW, force=force), Costs(*rules()))
    bodies = [one if isinstance(one, bytes) else orjson.dumps(one) for one in said]
    check.read(Message(number, body) for number, body in enumerate(bodies, 1))
    return check


def named(places: Any) -> list[tuple[str, Sequence[int]]]:
    return [(place.at, place.numbers) for place in places.most_common()]


# The verdict


def test_messages_that_leave_nothing_to_ask_are_good() -> None:
    check = checked(a_calm_incident())
    assert (check.word, check.passed) == ("good", True)


def test_a_message_that_leaves_a_question_takes_part_with_gaps() -> None:
    said = a_calm_incident()
    del said["adults"][0]["pregnant"]
    check = checked(said)
    assert (check.word, check.passed) == ("gaps", True)
    assert check.costs.questions["victim_pregnant"] == 1


def test_a_fault_is_named_with_its_place_and_message_and_does_not_pass() -> None:
    check = checked(a_calm_incident(), {**a_calm_incident(), "reference": "R-2", "risk": {"level": "purple"}})
    assert (check.word, check.passed) == ("faults", False)
    assert named(check.faults) == [("/risk/level", [2])]


@pytest.mark.parametrize(
    ("said", "status", "at"),
    [
        (b"{broken", 400, ""),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 413, ""),
        (b'"text"', 422, ""),
        (an_incident(occurred_at=...), 422, "/occurred_at"),
        (an_incident(force="southshire"), 403, "/force"),
    ],
)
def test_what_the_door_would_refuse_is_refused_here_with_its_status(said: Any, status: int, at: str) -> None:
    check = checked(a_calm_incident(), said, force="northshire")
    assert (check.word, check.passed) == ("refused", False)
    assert check.statuses == {202: 1, status: 1}
    assert named(check.refusals) == [(at, [2])]


def test_no_message_at_all_does_not_pass() -> None:
    assert (checked().word, checked().passed) == ("nothing", False)


def test_a_misspelt_field_and_a_word_of_no_list_are_held_against_the_schema() -> None:
    said = {**a_calm_incident(), "sumary": "kicked", "caller": "a passer-by"}
    check = Check(Door(now=NOW), Costs(*rules()), GoodSender())
    check.read([Message(1, orjson.dumps(said))])
    assert ("/sumary", [1]) in named(check.breaches)
    assert ("/caller", [1]) in named(check.breaches)
    assert check.off_schema == 1


def test_a_list_that_a_good_sender_always_has_is_missed_by_name() -> None:
    said = a_calm_incident()
    del said["relationships"]
    check = Check(Door(now=NOW), Costs(*rules()), GoodSender())
    check.read([Message(1, orjson.dumps(said))])
    assert named(check.breaches) == [("/relationships", [1])]


def test_what_is_as_the_schema_says_has_nothing_held_against_it() -> None:
    check = Check(Door(now=NOW), Costs(*rules()), GoodSender())
    check.read([Message(1, orjson.dumps(a_calm_incident()))])
    assert (check.off_schema, check.word) == (0, "good")


# Beside one another


def test_repeats_amendments_and_conflicts_are_those_of_the_door() -> None:
    first = a_calm_incident()
    again = {**first, "revision": 1}
    other = {**first, "caller": "child"}
    amended = {**other, "revision": 2}
    withdrawn = {**first, "revision": 3, "withdrawn": True}
    check = checked(first, again, other, amended, withdrawn)
    assert check.words == {"accepted": 1, "repeated": 1, "amended": 1, "withdrawn": 1}
    assert named(check.refusals) == [("/revision", [3])]
    assert check.statuses[409] == 1


def test_a_revision_that_comes_after_a_higher_one_is_counted() -> None:
    check = checked(*({**a_calm_incident(), "revision": revision} for revision in (2, 1)))
    assert check.door.sequence.backwards == 1
    assert any("lower revision" in line for line in report_lines(check))


def test_forces_test_marks_and_the_order_of_recording_are_told() -> None:
    early = {**a_calm_incident(), "reference": "R-2", "force": "southshire", "test": True, "revision": None}
    early["recorded_at"] = "2026-11-20T23:30:00Z"
    told = checked(a_calm_incident(), early).as_json()["sequence"]
    assert told["forces"] == {"northshire": 1, "southshire": 1}
    assert (told["marked_test"], told["without_revision"]) == (1, 1)
    assert told["recorded_before_the_one_in_front"] == 1


# What gaps cost


def test_a_gap_costs_what_the_filter_could_add_if_it_were_filled() -> None:
    said = a_calm_incident()
    said["incident"]["strangulation"] = None
    other = {**a_calm_incident(), "reference": "R-2"}
    (cost,) = [one for one in checked(said, other).costs.by_cost() if one.asked]
    assert (cost.about.at, cost.lacking, cost.asked, cost.share) == ("/incident/strangulation", 1, 1, 0.5)
    assert cost.could_add["section_17"] + cost.could_add["section_47"] == 1


def test_a_field_that_is_missing_where_nothing_rests_on_it_costs_nothing() -> None:
    said = a_calm_incident()
    said["children"][0]["injured"] = said["children"][0]["assaulted"] = True
    del said["children"][0]["intervened"]
    asked = {one.about.at: one.asked for one in checked(said).costs.by_cost()}
    assert asked["/children/*/intervened"] == 0


def test_a_field_is_counted_only_where_it_could_be() -> None:
    shares = {one["at"]: one for one in checked(a_calm_incident()).as_json()["decisions"]["fields"]}
    assert shares["/children/*/born"]["could"] == 1
    assert shares["/relationships/*/separated_on"]["could"] == 0


def test_the_dearest_gap_stands_first() -> None:
    said = a_calm_incident()
    said["incident"]["strangulation"] = None
    said["consent"] = {"asked": False}
    order = [one.about.at for one in checked(said).costs.by_cost() if one.asked]
    assert order == ["/incident/strangulation", "/consent/given"]


# Reading from a file, a form's file, an address


def test_a_forms_rows_are_read_as_the_door_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(write_csv("north", [an_incident(reference="A-1"), an_incident(reference="A-2")]))
    check = Check(Door(now=NOW, form="north"), Costs(*rules()))
    check.read(messages_of(str(file), "north"))
    assert check.words == {"accepted": 2}


def test_what_a_form_has_no_field_for_is_told_once_and_not_as_a_gap_of_each_message() -> None:
    check = Check(Door(now=NOW, form="north"), Costs(*rules()))
    check.read([Message(1, orjson.dumps(write_form("north", an_incident())))])
    assert check.word in ("gaps", "good")
    assert "/relationships" not in [place.at for place in check.gaps.most_common()]
    assert any(gap["at"].startswith("/relationships") for gap in check.as_json()["form_cannot_carry"])


@asynccontextmanager
async def serving(document: bytes, status: int = 200) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=document, status=status)

    app = web.Application()
    app.router.add_get("/messages", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/messages"
    finally:
        await runner.cleanup()


def all_of(address: str) -> list[Message]:
    return list(messages_of(address))


@pytest.mark.parametrize("separator", [b"\n", b"\r\n\r\n"])
async def test_an_address_may_give_json_lines(separator: bytes) -> None:
    document = separator.join(orjson.dumps(an_incident(reference=one)) for one in "ab") + b"\n{broken"
    async with serving(document) as address:
        found = await asyncio.to_thread(all_of, address)
    assert len(found) == 3
    assert checked(*(one.body for one in found)).statuses == {202: 2, 400: 1}


async def test_an_address_may_give_a_list_or_one_object() -> None:
    for document, count in ((orjson.dumps([an_incident(), an_incident()]), 2), (orjson.dumps({}), 1)):
        async with serving(document) as address:
            assert len(await asyncio.to_thread(all_of, address)) == count


async def test_an_address_that_gives_too_much_or_nothing_is_said() -> None:
    async with serving(b"x" * (messages.MOST_BYTES + 1)) as address:
        with pytest.raises(NoMessages, match="more than"):
            await fetch(address)
    async with serving(b"", 404) as address:
        with pytest.raises(NoMessages, match="answers 404"):
            await fetch(address)
    with pytest.raises(NoMessages, match="cannot be reached"):
        await fetch("http://127.0.0.1:9/messages")


# The command


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(check_sender)
    return CliRunner().invoke(app, [str(one) for one in arguments])


def a_file(place: Path, *said: dict[str, Any]) -> Path:
    place.write_bytes(b"\n".join(map(orjson.dumps, said)))
    return place


def test_the_command_ends_with_0_1_or_2_as_the_messages_are(tmp_path: Path) -> None:
    good = a_file(tmp_path / "good.jsonl", a_calm_incident())
    bad = a_file(tmp_path / "bad.jsonl", an_incident(occurred_at=...), an_incident())
    assert run(good).exit_code == 0
    assert run(bad).exit_code == 1
    assert run(tmp_path / "none.jsonl").exit_code == 2
    assert run(good, "--protocol", "nope").exit_code == 2


def test_json_is_one_document_and_the_report_file_has_every_row(tmp_path: Path) -> None:
    file = a_file(tmp_path / "some.jsonl", an_incident(consent=...))
    said = run(file, "--json", "-o", tmp_path / "report.md")
    document = orjson.loads(said.stdout)
    assert (document["verdict"], document["messages"]) == ("gaps", 1)
    report = (tmp_path / "report.md").read_text()
    asked = [one["at"] for one in document["decisions"]["fields"] if one["messages_asked"]]
    assert asked
    assert all(f"| {at} " in report for at in asked)


def test_a_simulated_month_is_held_against_its_truth(tmp_path: Path) -> None:
    month = simulate(load_profile(), 120, seed=2007)
    files = write_month(month, tmp_path / "month.jsonl")
    said = run(files["incidents"], "--truth", files["truth"], "--json")
    told = orjson.loads(said.stdout)["naming"]
    assert told == measure(month.incidents, month.truth).as_json()
    assert "Seeded in the month" in run(files["incidents"], "--truth", files["truth"]).stdout
    other = a_file(tmp_path / "other.jsonl", an_incident())
    assert run(other, "--truth", files["truth"]).exit_code == 2


def test_the_report_names_places_and_never_what_a_message_says(tmp_path: Path) -> None:
    said = an_incident(summary=CANARY, caller=CANARY, risk={"level": CANARY}, reference=CANARY)
    said["adults"][0]["name"]["given"] = said["adults"][0]["born"] = CANARY
    file = a_file(tmp_path / "some.jsonl", said)
    out = tmp_path / "report.md"
    assert CANARY not in run(file, "-o", out).output
    assert CANARY not in run(file, "--json").output
    assert CANARY not in out.read_text()
