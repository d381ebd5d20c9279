"""What a part of the local runtime is: a server that can be started, found to be ready, and stopped."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from .child import Child, Order
from .trouble import RuntimeTrouble

Say = Callable[[str], None]
LOOK_AGAIN_S = 0.02


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
        self._read_from: dict[Path, int] = {}

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

    @property
    @abstractmethod
    def logs(self) -> list[Path]:
        """Its log files, the one that a person should look into first."""

    @abstractmethod
    def why_it_ended(self) -> RuntimeTrouble:
        """Judge by what it said why it ended before it served."""

    def await_ready(self, ready: Callable[[], bool], order: Order) -> None:
        """Start what `order` says and wait until it serves. On any other end the child is gone then."""
        self._read_from = {log: log.stat().st_size if log.exists() else 0 for log in self.logs}
        self.child = child = Child(order)
        deadline = time.monotonic() + self.start_s
        try:
            while not ready():
                if child.ended.wait(LOOK_AGAIN_S):
                    killed = child.status is None or child.status < 0
                    raise self.killed() if killed else self.why_it_ended()
                if self.stopping.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise RuntimeTrouble(
                        f"{self.name} did not come up within {self.start_s:.0f} seconds. Its log may say"
                        f" why: {self.logs[0]}. If this machine is only slow or busy, start again."
                    )
        except BaseException:
            child.kill()
            raise

    def killed(self) -> RuntimeTrouble:
        return RuntimeTrouble(
            f"{self.name} was killed while it was starting: by somebody, or by the system for want of"
            " memory. Free some memory if it is short, and start again."
        )

    def said(self) -> str:
        """What its logs have gained since its last start (of each the last 20 kB)."""
        return "\n".join(gained(log, self._read_from.get(log, 0)) for log in self.logs)


def gained(log: Path, read_from: int) -> str:
    try:
        with log.open("rb") as file:
            size = log.stat().st_size
            if size >= read_from:  # else it was put aside meanwhile, and all of it is new
                file.seek(max(read_from, size - 20_000))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
