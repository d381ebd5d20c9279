"""CPU time of the processes of a run, children included."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psutil


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its living children, in seconds."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system
            if member is process:
                total += times.children_user + times.children_system
    return total


def snapshot(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far, by name."""
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two snapshots, by name."""
    return {name: max(0.0, after[name] - before[name]) for name in before}
