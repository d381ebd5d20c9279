"""`waymark send` and the real door: interrupted, gone on with, and nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import orjson
import pytest

from services.intake.forms import write_csv
from tests.builders import an_incident
from tests.integration.conftest import Servers
from tests.integration.intake_door import Door, open_door
from tests.integration.waiting import wait_until
from waymark.system import ROOT

INCIDENTS: Final = 400


@pytest.fixture(scope="module")
def door(servers: Servers) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


def sending(door: Door, errors: IO[bytes], *arguments: object) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return subprocess.Popen(
        [sys.executable, "-m", "waymark", "send", *map(str, arguments), "--json"],
        cwd=ROOT,
        env={**kept, "WAYMARK_INTAKE_URL": door.url, "WAYMARK_KEY": door.north},
        stdout=subprocess.PIPE,
        stderr=errors,
    )


def sent(door: Door, *arguments: object) -> tuple[int, dict[str, object]]:
    process = sending(door, sys.stderr.buffer, *arguments)
    out, _ = process.communicate(timeout=120)
    return process.returncode, dict(orjson.loads(out))


async def kept(door: Door, prefix: str) -> list[int]:
    """How many revisions are stored of each incident whose reference begins so."""
    rows = await door.rows(
        'SELECT count(*) AS many FROM revisions WHERE "case" LIKE :cases GROUP BY "case"',
        cases=f"northshire/{prefix}-%",
    )
    return [row["many"] for row in rows]


@pytest.mark.parametrize(
    ("how", "stop", "status"),
    [("SINGLY", signal.SIGINT, 130), ("BATCH", signal.SIGINT, 130), ("KILLED", signal.SIGKILL, -9)],
)
async def test_what_was_interrupted_is_sent_by_the_same_command_and_nothing_is_stored_twice(
    door: Door, tmp_path: Path, how: str, stop: signal.Signals, status: int
) -> None:
    file = tmp_path / "month.jsonl"
    lines = [an_incident(reference=f"{how}-{n}", revision=...) for n in range(INCIDENTS)]
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    journal = tmp_path / "month.jsonl.sent.jsonl"
    options = ["--batch"] if how == "BATCH" else ["--concurrency", "1"]

    def well_under_way() -> bool:
        return journal.exists() and journal.read_bytes().count(b'"n"') > 5

    with (tmp_path / "errors").open("w+b") as errors:
        process = sending(door, errors, file, *options)
        wait_until(well_under_way, "some are answered")
        process.send_signal(stop)
        process.communicate(timeout=60)
        errors.seek(0)
        said = errors.read().decode()
    assert process.returncode == status
    assert journal.exists()
    if stop == signal.SIGINT:
        assert "the same command sends the rest" in said

    ended, report = sent(door, file, *options)

    assert ended == 0
    assert report["sent"] == INCIDENTS
    assert int(str(report["earlier"])) > 5
    assert await kept(door, how) == [1] * INCIDENTS
    assert not journal.exists()


async def test_a_forms_export_is_sent_row_by_row(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(write_csv("south", [an_incident(reference=f"FORM-{n}") for n in range(3)]))

    ended, report = sent(door, file, "--form", "south")

    assert (ended, report["accepted"], report["refused"]) == (0, 3, 0)
    assert await kept(door, "FORM") == [1, 1, 1]
