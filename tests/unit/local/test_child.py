"""A server stops when it is told to, and never outlives what started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.local.child import Child, Order

ROOT = Path(__file__).parents[3]


def a_shell(tmp_path: Path, script: str, **more: object) -> Order:
    return Order(name="a server", command=["/bin/sh", "-c", script], log=tmp_path / "log", **more)  # type: ignore[arg-type]


def holds_within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.01)
    return holds()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_stop_is_a_clean_one(tmp_path: Path) -> None:
    script = "trap 'echo tidy >&2; exit 7' INT; echo ready >&2; while :; do sleep 0.01; done"
    child = Child(a_shell(tmp_path, script, stop_signal=signal.SIGINT))
    assert holds_within(5, lambda: "ready" in (tmp_path / "log").read_text())
    child.stop()
    assert child.status == 7
    assert "tidy" in (tmp_path / "log").read_text()
    assert is_gone(child.pid)


def test_a_server_that_will_not_stop_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready >&2; while :; do sleep 0.01; done"
    child = Child(a_shell(tmp_path, script, grace_s=0.2))
    assert holds_within(5, lambda: "ready" in (tmp_path / "log").read_text())
    child.stop()
    assert child.status == -signal.SIGKILL
    assert is_gone(child.pid)


def test_the_end_of_a_server_is_noticed_with_its_status(tmp_path: Path) -> None:
    child = Child(a_shell(tmp_path, "exit 3"))
    assert child.ended.wait(5)
    assert child.status == 3


def test_stopping_what_has_ended_already_is_no_error(tmp_path: Path) -> None:
    child = Child(a_shell(tmp_path, "exit 0"))
    assert child.ended.wait(5)
    child.stop()
    child.kill()


def test_a_server_dies_with_its_guard(tmp_path: Path) -> None:
    child = Child(a_shell(tmp_path, "while :; do sleep 0.01; done"))
    guard = psutil.Process(child.pid).ppid()
    os.kill(guard, signal.SIGKILL)
    assert child.ended.wait(5)
    assert child.status is None
    assert holds_within(5, lambda: is_gone(child.pid))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_server_is_stopped_cleanly_when_its_owner_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    script = "trap 'echo tidy >&2; exit' TERM; echo ready >&2; while :; do sleep 0.01; done"
    owner = f"""
import pathlib, time
from deploy.local.child import Child, Order
log = pathlib.Path({str(tmp_path / "log")!r})
child = Child(Order(name="s", command=["/bin/sh", "-c", {script!r}], log=log))
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert holds_within(5, lambda: "ready" in (tmp_path / "log").read_text())
        process.send_signal(end)
        assert holds_within(5, lambda: is_gone(pid))
    assert "tidy" in (tmp_path / "log").read_text()


def test_a_server_sees_no_secrets_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYMARK_SIGNING_SECRET", "whsec_made_up")
    monkeypatch.setenv("PGPORT", "9999")
    child = Child(a_shell(tmp_path, "env >&2", environment={"GIVEN": "to this one"}))
    assert child.ended.wait(5)
    seen = (tmp_path / "log").read_text()
    assert "GIVEN=to this one" in seen
    assert "whsec_made_up" not in seen
    assert "PGPORT" not in seen


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 1_000_001)
    child = Child(a_shell(tmp_path, "echo new >&2"))
    assert child.ended.wait(5)
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.earlier.log").stat().st_size == 1_000_001
