"""`waymark send`: what it takes from a file, and when it says that it was used wrongly."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from services.intake.commands import app, running_system
from services.intake.sending import items_of
from tests.builders import an_incident


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
