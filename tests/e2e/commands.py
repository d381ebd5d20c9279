"""Driving the command line: commands in this process, `waymark up` in one of its own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import psutil

from waymark import main
from waymark.system import ROOT


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    errors: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; a second one, or any other word, is an error."""
        return orjson.loads(self.out)

    @property
    def text(self) -> str:
        """All of it, with line breaks as spaces: where lines are broken depends on the terminal."""
        return " ".join(f"{self.out} {self.errors}".split())


def waymark(*arguments: object) -> Said:
    """A command, as the console script runs it."""
    out, errors, before = _stream(), _stream(), sys.argv
    sys.argv = ["waymark", *map(str, arguments)]
    status: Any = 0
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            main.main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = before
    return Said(status, _text(out), _text(errors))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@dataclass(slots=True)
class Up:
    """A `waymark up` on a data directory."""

    data: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    @property
    def status(self) -> dict[str, Any]:
        return dict(orjson.loads((self.data / "status.json").read_bytes()))

    @property
    def keys(self) -> dict[str, dict[str, str]]:
        return dict(orjson.loads((self.data / "keys.json").read_bytes()))

    def wait_until_ready(self) -> None:
        until(self.is_ready, "the system is up")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return (self.data / "status.json").exists()

    def family(self) -> list[psutil.Process]:
        """Every process that it started, and they, now."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def press_ctrl_c(self) -> int:
        """What a terminal does: SIGINT to the whole group. Returns the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


def bring_up(data: Path) -> Up:
    log: IO[bytes]
    with data.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "waymark", "up", "--data", str(data)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Up(data, process)


def until(holds: Callable[[], bool], what: str, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def command_line(process: psutil.Process) -> str:
    """What was started there; empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
