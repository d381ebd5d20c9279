"""A data directory belongs to one run at a time, and to nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import psutil
import pytest

from deploy.local import RuntimeTrouble, read_parts
from deploy.local.datadir import DataDirectory, default_data_dir


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def a_dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not psutil.pid_exists(process.pid)
    return process.pid


def test_a_second_run_is_told_which_process_has_the_directory(tmp_path: Path) -> None:
    first = DataDirectory.hold(tmp_path / "data")
    with pytest.raises(RuntimeTrouble, match=rf"is in use by process {os.getpid()} .*Stop that one"):
        DataDirectory.hold(tmp_path / "data")
    first.release()
    DataDirectory.hold(tmp_path / "data").release()


def test_two_directories_are_held_side_by_side(tmp_path: Path) -> None:
    first, second = DataDirectory.hold(tmp_path / "one"), DataDirectory.hold(tmp_path / "two")
    first.release()
    second.release()


def test_a_directory_stays_held_while_servers_of_a_killed_run_still_stop(tmp_path: Path) -> None:
    killed = DataDirectory.hold(tmp_path / "data")
    owner = {"pid": a_dead_process(), "since": "2026-01-01T00:00:00.000Z", "command": "waymark"}
    (killed.path / "lock").write_bytes(orjson.dumps(owner))
    with subprocess.Popen(["/bin/sleep", "0.3"], pass_fds=[killed.lock]) as leftover:
        os.close(killed.lock)
        said: list[str] = []
        after = DataDirectory.hold(tmp_path / "data", said.append)
        assert leftover.poll() == 0
    assert said == ["Waiting for the servers of an earlier run, which was killed, to stop"]
    after.release()


def test_a_new_directory_is_closed_to_other_users(tmp_path: Path) -> None:
    held = DataDirectory.hold(tmp_path / "deep" / "data")
    assert mode(tmp_path / "deep" / "data") == 0o700
    assert mode(held.part("kafka")) == 0o700
    held.release()


def test_the_permissions_of_a_directory_with_other_things_in_it_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("somebody's")
    tmp_path.chmod(0o755)
    for _ in range(2):
        DataDirectory.hold(tmp_path).release()
        assert mode(tmp_path) == 0o755


def test_what_runs_can_be_read_by_another_process_while_it_runs(tmp_path: Path) -> None:
    held = DataDirectory.hold(tmp_path / "data")
    held.note_parts({"kafka": {"address": "127.0.0.1:20001", "pid": 17}})
    assert read_parts(tmp_path / "data")["kafka"]["address"] == "127.0.0.1:20001"
    held.release()
    assert read_parts(tmp_path / "data") == {}


def test_each_purpose_has_a_directory_of_its_own() -> None:
    assert default_data_dir("demo") != default_data_dir("up")


def test_a_directory_that_cannot_be_made_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RuntimeTrouble, match="data directory"):
        DataDirectory.hold(tmp_path / "file" / "data")
