"""The page "connect your system": every command on it is run as it stands, against a running intake.

Blocks marked `sh` and `python` run one after the other in one folder; a `json` block after one shows what it
prints: every name that is shown has to be there, and statuses, codes, titles and cases as shown. Blocks
marked `text` are not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from tests.integration.conftest import servers
from tests.integration.intake_door import Door, open_door
from waymark.system import ROOT

__all__ = ["servers"]

PAGE: Final = ROOT / "docs" / "connect.md"
_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_AS_SHOWN: Final = frozenset({"status", "code", "title", "case", "at", "line", "form", "revision", "state"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block to be run, and what the page shows as its answer: JSON lines or one document; empty: nothing."""

    number: int
    language: str
    text: str
    shown: tuple[Any, ...]


def blocks() -> list[Block]:
    fenced = _FENCED.findall(PAGE.read_text())
    found: list[Block] = []
    for number, (language, text) in enumerate(fenced):
        if language in ("sh", "python"):
            after = fenced[number + 1] if number + 1 < len(fenced) else ("", "")
            found.append(Block(len(found), language, text, documents(after[1]) if after[0] == "json" else ()))
    return found


def documents(text: str) -> tuple[Any, ...]:
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError:
        return tuple(orjson.loads(line) for line in text.splitlines() if line.strip())


def differences(shown: Any, said: Any, at: str = "") -> Iterator[str]:
    """Where what was said is not as the page shows it."""
    if isinstance(shown, dict) and isinstance(said, dict):
        for name, value in shown.items():
            if name not in said:
                yield f"{at}/{name} is not there"
            else:
                yield from differences(value, said[name], f"{at}/{name}")
    elif isinstance(shown, list) and isinstance(said, list):
        for number, value in enumerate(shown):
            # What the page shows is an example of the list's entries: one of them has to be like it.
            if not any(not list(differences(value, one)) for one in said):
                yield f"{at}/{number}: nothing like it"
    elif type(shown) is not type(said):
        yield f"{at} is {type(said).__name__}"
    elif at.rpartition("/")[2] in _AS_SHOWN and shown != said:
        yield f"{at} is {said!r}"


@pytest.fixture(scope="module")
def door(servers: Any) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("supplier")


def run(block: Block, door: Door, place: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    settings |= {
        "WAYMARK_INTAKE_URL": door.url,
        "WAYMARK_KEY": door.north,
        "WAYMARK_DATA": str(place / "nothing-runs-here"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        [*command, block.text], cwd=place, env=settings, capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands need curl")
def test_every_command_of_the_page_does_what_the_page_says(door: Door, place: Path) -> None:
    ran = 0
    for block in blocks():
        done = run(block, door, place)
        where = f"block {block.number}: {block.text.splitlines()[0]}"
        assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"
        if block.shown:
            said = documents(done.stdout)
            assert len(said) == len(block.shown), where
            wrong = [one for pair in zip(block.shown, said, strict=True) for one in differences(*pair)]
            assert wrong == [], f"{where}\n{done.stdout}"
        ran += 1
    assert ran >= 15
    assert "NS-2026-900012" in (place / "refused.csv").read_text()
    assert (place / "report.md").read_text().startswith("# ")


def test_the_page_names_every_status_that_the_door_can_answer(door: Door) -> None:
    told = httpx.get(f"{door.url}/openapi.json", timeout=10).json()
    answered = {
        status
        for methods in told["paths"].values()
        for route in methods.values()
        for status in route["responses"]
        if status.startswith(("4", "5"))
    }
    named = set(re.findall(r"^\| (\d{3}) \|", PAGE.read_text(), re.M))
    assert answered <= named
