"""What a part of the local runtime is: a server that can be started, found to be ready, and stopped."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from .child import Child
from .trouble import RuntimeTrouble

Say = Callable[[str], None]


class Stopped(Exception):
    """Raised inside a start that is no longer wanted: the runtime was told to stop meanwhile."""


class Part(ABC):
    """One server. `start` and `stop` block and are called from one thread at a time."""

    name: str
    start_s: float  # how long a start may take before it is given up

    def __init__(self, say: Say, stopping: threading.Event) -> None:
        self._say = say
        self.stopping = stopping
        self.child: Child | None = None

    def say(self, line: str) -> None:
        """Show a line. Raises Stopped where the start is no longer wanted, which ends long preparations."""
        if self.stopping.is_set():
            raise Stopped
        self._say(line)

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child is not None and self.child.running else None

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients find it; the same after a restart."""

    @abstractmethod
    def prepare(self) -> None:
        """Everything before the first start: programs, data formatted, addresses chosen."""

    @abstractmethod
    def start(self) -> None:
        """Start it on the data that are there and return when it serves. Raises RuntimeTrouble."""

    def stop(self) -> None:
        if self.child is not None and self.child.running:
            self.child.stop()

    def await_ready(self, ready: Callable[[], bool], why_not: Callable[[], RuntimeTrouble], log: Path) -> None:
        """Wait until the child serves. On any other end the child is gone when this returns."""
        child = self.child
        if child is None:
            raise AssertionError("start it first")
        deadline = time.monotonic() + self.start_s
        pause = 0.02
        try:
            while not ready():
                if child.ended.wait(pause):
                    raise why_not()
                if self.stopping.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise RuntimeTrouble(
                        f"{self.name} did not come up within {self.start_s:.0f} seconds. Its log may say"
                        f" why: {log}. If this machine is only slow or busy, start again."
                    )
        except BaseException:
            child.kill()
            raise


def tail(log: Path, lines: int = 40) -> str:
    """The last lines of a log; nothing when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
