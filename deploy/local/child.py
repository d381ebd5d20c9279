"""A server that dies with its parent: the side of it that Waymark sees. The other side is guard.py."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from .trouble import RuntimeTrouble, explain_os_error

GUARD = Path(__file__).with_name("guard.py")
LOG_BYTES = 1_000_000  # a log longer than this is put aside (one earlier file is kept) at the next start
START_OF_GUARD_S = 60.0
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class Order:
    """What to run and how. `user` and `group` are numbers, given only when Waymark runs as root.
    `environment` is added to the little that every server gets."""

    name: str
    command: list[str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    directory: Path | None = None
    user: int | None = None
    group: int | None = None
    hold: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


class Child:
    """A running server. Usable from any thread; needs no event loop.

    `pid` is the server's own process id (not the guard's). `ended` is set when it is gone, for whatever
    reason, and then `status` is its exit status (negative: the signal that killed it; None: not known,
    because the guard was killed).
    """

    def __init__(self, order: Order) -> None:
        """Start it. Raises RuntimeTrouble when the program cannot be run at all."""
        self.order = order
        self.pid = 0
        self.status: int | None = None
        self.ended = threading.Event()
        self._started = threading.Event()
        self._refused = ""
        put_aside(order.log)
        try:
            with order.log.open("ab") as log:
                self._guard = subprocess.Popen(
                    guard_command(order),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=order.hold,
                    start_new_session=True,
                    env=server_environment() | order.environment,
                )
        except OSError as error:
            raise explain_os_error(error, f"starting {order.name}") from error
        threading.Thread(target=self._listen, name=f"{order.name}-listen", daemon=True).start()
        if not self._started.wait(START_OF_GUARD_S):
            self.kill()
            raise RuntimeTrouble(
                f"{order.name} did not start within {START_OF_GUARD_S:.0f} seconds: this machine is very"
                " busy. Try again when it is less so."
            )
        if not self.pid:
            raise RuntimeTrouble(
                f"{order.name} could not be run: {self._refused or f'see {order.log}'}."
                " Check that the program is there and may be executed."
            )

    @property
    def running(self) -> bool:
        return not self.ended.is_set()

    def stop(self) -> None:
        """Stop it cleanly and wait until it is gone; it is killed when its time of grace is up."""
        self._tell(b"stop\n")
        if not self.ended.wait(self.order.grace_s + 5):
            self.kill()

    def kill(self) -> None:
        """Kill it at once, and wait until it is gone."""
        self._tell(b"kill\n")
        if not self.ended.wait(5):
            self._guard.kill()
            self.ended.wait(5)

    def _tell(self, order: bytes) -> None:
        stdin = self._guard.stdin
        with contextlib.suppress(OSError, ValueError):  # the guard may be gone already, which is the aim
            if stdin is not None:
                stdin.write(order)
                stdin.flush()

    def _listen(self) -> None:
        stdout = self._guard.stdout
        if stdout is None:
            raise AssertionError("the guard is always started with a pipe")
        with stdout:
            for line in stdout:
                word, _, rest = line.decode(errors="replace").strip().partition(" ")
                if word == "pid":
                    self.pid = int(rest)
                    self._started.set()
                elif word == "exit":
                    self.status = int(rest)
                elif word == "failed":
                    self._refused = rest
        self._guard.wait()
        if self.status is None and self.pid:
            # The guard was killed. Linux kills the server with it; elsewhere that is for us to do.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)
        self._started.set()
        self.ended.set()
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()


def server_environment() -> dict[str, str]:
    """The little of the environment that a server needs: no secrets of ours, and none of the variables
    (PGPORT, JAVA_TOOL_OPTIONS, CLASSPATH) that would change what it does."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def guard_command(order: Order) -> list[str]:
    command = [sys.executable, "-I", "-S", str(GUARD)]
    command += [f"--stop-signal={int(order.stop_signal)}", f"--grace={order.grace_s}"]
    if order.directory is not None:
        command.append(f"--directory={order.directory}")
    if order.user is not None:
        command += [f"--user={order.user}", f"--group={order.group}"]
    command += [f"--hold={number}" for number in order.hold]
    return [*command, "--", *order.command]


def put_aside(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".earlier.log"))
