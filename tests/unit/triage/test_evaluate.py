"""`waymark evaluate`: takes what the door takes, prints decisions as JSON lines."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.triage.commands import app
from services.triage.evaluate import choose_area, choose_protocol
from shared.areas import Area
from shared.contracts.area import ProtocolChange, ProtocolChoice
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import AREAS, LIBRARY, NORTHBURY, raw


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, args)])


def saved(folder: Path, content: Any, name: str = "incidents.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_incident_is_one_line(tmp_path: Path) -> None:
    done = run(saved(tmp_path, raw()))
    assert done.exit_code == 0
    (decision,) = lines(done)
    assert decision["case"] == "northshire/NS-1"
    assert decision["family"] is None
    assert decision["receipt"]["protocol"] == {"id": "london-dvrim", "version": 1}


def test_json_lines_and_several_files(tmp_path: Path) -> None:
    two = "\n".join(json.dumps(raw(reference=f"NS-{n}")) for n in (1, 2)) + "\n"
    done = run(saved(tmp_path, two), saved(tmp_path, raw(reference="NS-3"), "third.json"))
    assert [one["case"] for one in lines(done)] == [f"northshire/NS-{n}" for n in (1, 2, 3)]


def test_an_array_is_several_incidents(tmp_path: Path) -> None:
    assert len(lines(run(saved(tmp_path, [raw(), raw(reference="NS-2")])))) == 2


def test_one_bad_line_spoils_no_other(tmp_path: Path) -> None:
    done = run(saved(tmp_path, f"{json.dumps(raw())}\nnot json\n[]\n" + json.dumps(raw("force")) + "\n"))
    assert done.exit_code == 1
    assert len(lines(done)) == 1
    assert "line 2: not JSON" in done.stderr
    assert "line 3" in done.stderr
    assert "force is missing" in done.stderr


def test_faults_are_named_without_what_was_said_and_treated_as_unknown(tmp_path: Path) -> None:
    done = run(saved(tmp_path, raw(children__0__born="31/02/2016")))
    assert done.exit_code == 0
    assert "/children/0/born" in done.stderr
    assert "31/02/2016" not in done.stderr
    assert "youngest_child_months" in {q["fact"] for q in lines(done)[0]["receipt"]["questions"]}


def test_deadlines_count_from_when_it_was_recorded_unless_said(tmp_path: Path) -> None:
    path = saved(tmp_path, raw())
    assert lines(run(path))[0]["receipt"]["as_of"] == "2026-11-20T10:00:00Z"
    assert lines(run("--as-of", "2026-12-01T09:00:00Z", path))[0]["receipt"]["as_of"] == "2026-12-01T09:00:00Z"
    unrecorded = saved(tmp_path, raw("recorded_at"), "other.json")
    assert lines(run(unrecorded))[0]["receipt"]["as_of"] == "2026-11-19T20:00:00Z"


def test_the_area_is_where_a_child_lives_as_in_a_running_system_unless_said() -> None:
    incident = read_incident(raw(children__0__area="southmere")).incident
    assert choose_area(AREAS, None, incident, None).id == "southmere"
    assert choose_area(AREAS, "northbury", incident, None).id == "northbury"


def test_an_incident_of_no_area_of_ours_is_decided_and_marked(tmp_path: Path) -> None:
    nowhere = raw(force="elsewhere", area=None, children__0__area=None, adults__0__area=None)
    receipt = lines(run(saved(tmp_path, nowhere)))[0]["receipt"]
    assert "area_unknown" in receipt["degraded"]
    assert receipt["result"]["css_response"] == "early_help"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--protocol", "paris"], "london-dvrim/1"),
        (["--protocol", "safeguards"], "london-dvrim/1"),
        (["--area", "atlantis"], "northbury"),
        (["--as-of", "yesterday"], "--as-of"),
    ],
)
def test_wrong_use_says_what_there_is(tmp_path: Path, args: list[str], says: str) -> None:
    done = run(*args, saved(tmp_path, raw()))
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_a_history_is_of_one_incident(tmp_path: Path) -> None:
    known = saved(tmp_path, {"status": "complete"}, "history.json")
    done = run("--history", known, saved(tmp_path, [raw(), raw(reference="NS-2")]))
    assert done.exit_code == 2
    assert "one incident" in done.stderr


@pytest.mark.parametrize("content", ["not json", '{"status": "nearly"}', "[]"])
def test_a_file_that_is_no_history_is_wrong_use(tmp_path: Path, content: str) -> None:
    done = run("--history", saved(tmp_path, content, "history.json"), saved(tmp_path, raw()))
    assert done.exit_code == 2


def test_the_protocol_is_the_areas_own_on_the_day() -> None:
    chosen = ProtocolChoice(
        live="london-dvrim/1", then=[ProtocolChange(live="torbay/1", since=date(2026, 12, 1))]
    )
    area = Area(NORTHBURY.rules.model_copy(update={"protocol": chosen}), NORTHBURY.terms)
    days = [datetime(2026, 11, 30, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)]
    assert [choose_protocol(LIBRARY, None, area, day).ref for day in days] == ["london-dvrim/1", "torbay/1"]


def test_a_missing_file_is_wrong_use(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere.json").exit_code == 2


def test_help_has_an_example() -> None:
    done = run("--help")
    assert done.exit_code == 0
    assert "Example" in done.stdout
