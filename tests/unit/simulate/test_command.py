"""`waymark simulate`: three files, the same bytes for the same seed in any process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from waymark.simulate.commands import app

ROOT = Path(__file__).parents[3]


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def run_in_a_process_of_its_own(folder: Path, hash_seed: str, zone: str) -> dict[str, str]:
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", "from waymark.simulate.commands import app; app()",
         "--incidents", "120", "--seed", "7", "-o", str(folder / "month.jsonl")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone},
        check=True,
        capture_output=True,
    )  # fmt: skip
    return digests(folder)


def test_the_same_seed_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    first = run_in_a_process_of_its_own(tmp_path / "one", "0", "UTC")
    second = run_in_a_process_of_its_own(tmp_path / "two", "4242", "Asia/Tokyo")
    assert sorted(first) == ["month.jsonl", "month.records.jsonl", "month.truth.jsonl"]
    assert first == second


def test_another_seed_gives_another_month(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        folder = tmp_path / seed
        assert (
            CliRunner()
            .invoke(app, ["--incidents", "20", "--seed", seed, "-o", str(folder / "m.jsonl")])
            .exit_code
            == 0
        )
    assert digests(tmp_path / "1") != digests(tmp_path / "2")


def test_json_is_one_document_and_nothing_else(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--incidents", "251", "--json", "-o", str(tmp_path / "month.jsonl")])
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary["incidents"] == 251
    assert summary["by_area"] == {"northbury": 130, "southmere": 121}
    for path in summary["files"].values():
        assert Path(path).exists()


def test_truth_has_a_line_per_incident_and_one_per_known_family(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["--incidents", "50", "-o", str(tmp_path / "m.jsonl")])
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "m.truth.jsonl").read_text().splitlines()]
    assert kinds.count("incident") == 50
    assert kinds.count("council") == len(kinds) - 50 > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--profile", "nowhere"], "nspcc-2009"),
        (["--month", "October"], "YYYY-MM"),
        (["--incidents", "0"], "--incidents"),
    ],
)
def test_wrong_use_ends_with_status_2_and_says_what_would_be_right(
    options: list[str], named: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [*options, "-o", str(tmp_path / "m.jsonl")])
    assert result.exit_code == 2
    assert named in result.output


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(app, ["--help"], terminal_width=200)
    assert result.exit_code == 0
    assert "waymark simulate --incidents 251" in result.output
