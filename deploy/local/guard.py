"""Runs one server and does not let it outlive the process that asked for it.

This file is run as a program of its own (`python -I -S guard.py ...`), with the standard library only.
It is the link between Waymark and a broker or a database:

* its standard input is a pipe from Waymark. A line `stop` stops the server cleanly, `kill` kills it.
  The end of the pipe means that Waymark is gone, however it went, `kill -9` included: the server is
  stopped cleanly all the same, so nothing is left running and nothing has to be recovered.
* its standard output tells Waymark the server's process id (`pid 123`) and its end (`exit 0`).
* on Linux the kernel kills the server if this guard itself is killed.

It lives in a session of its own, so that Ctrl-C in a terminal reaches Waymark alone, which then stops
the parts in its own order.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PARENT_CHECK_S = 1.0  # how soon a parent that died without its pipe closing is noticed


def die_with(parent: int) -> Callable[[], None] | None:
    """A hook for the child: have the kernel kill it when its parent dies (Linux only, else None)."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel was told
            os._exit(1)

    return arrange


def say(line: str) -> None:
    """Tell Waymark; if it is gone there is nobody to tell, and the work here is the same."""
    try:
        os.write(1, f"{line}\n".encode())
    except BrokenPipeError:
        return


def run(arguments: argparse.Namespace) -> int:
    parent = os.getppid()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    ended_read, ended_write = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ended_write, b"t"))
    try:
        child = subprocess.Popen(
            arguments.command,
            stdin=subprocess.DEVNULL,
            stdout=2,
            stderr=2,
            cwd=arguments.directory,
            user=arguments.user,
            group=arguments.group,
            extra_groups=[] if arguments.user is not None else None,
            pass_fds=arguments.hold,
            umask=0o077,
            # Safe here: this process has one thread when it forks.
            preexec_fn=die_with(os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        say(f"failed {error}")
        return 127
    say(f"pid {child.pid}")

    def await_end() -> None:
        child.wait()
        os.write(ended_write, b"e")

    threading.Thread(target=await_end, daemon=True).start()
    order = await_order(child, ended_read, parent)
    if order is not None:
        end(child, order, arguments)
    say(f"exit {child.wait()}")
    return 0


def await_order(child: subprocess.Popen[bytes], ended: int, parent: int) -> str | None:
    """Wait for an order or the end of Waymark. None: the server ended by itself."""
    while True:
        readable, _, _ = select.select([0, ended], [], [], PARENT_CHECK_S)
        if child.poll() is not None:
            return None
        if ended in readable:
            return "stop"  # SIGTERM to the guard
        if 0 in readable:
            order = os.read(0, 64).decode(errors="replace").strip()
            return "kill" if order == "kill" else "stop"
        if os.getppid() != parent:
            return "stop"


def end(child: subprocess.Popen[bytes], order: str, arguments: argparse.Namespace) -> None:
    """Stop the server; one that has not stopped when its time is up is killed."""
    if order != "kill":
        child.send_signal(arguments.stop_signal)
        deadline = time.monotonic() + arguments.grace
        while time.monotonic() < deadline:
            if child.poll() is not None:
                return
            time.sleep(0.01)
    child.kill()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--grace", type=float, default=10.0, help="seconds between the signal and a kill")
    parser.add_argument("--directory")
    parser.add_argument("--user", type=int)
    parser.add_argument("--group", type=int)
    parser.add_argument("--hold", type=int, action="append", default=[], help="a file number to pass on")
    parser.add_argument("command", nargs="+")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
