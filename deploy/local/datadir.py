"""A directory for one system's data, held by one run at a time.

DIR/lock         who holds it
DIR/parts.json   what runs: per part its address, process id, state, since when
DIR/kafka/       the broker's data, settings and logs
DIR/postgres/    the database's (see postgres.py for where it goes under root)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil

from .trouble import RuntimeTrouble, explain_os_error, require_space

ROOT_HOME = Path("/var/lib/waymark")
SPACE_MB = 400  # the broker and the database take about 60 MB empty; the rest is room to work in
OURS = "waymark-data"  # a file that marks a directory made for this and nothing else
WAIT_FOR_LEFTOVERS_S = 20.0


def is_root() -> bool:
    return os.geteuid() == 0


def default_data_dir(purpose: str) -> Path:
    """Where the data of `purpose` ("up", "demo", "bench", "tests") lies unless a directory is given:
    under /var/lib/waymark for root, else under the user's state directory (XDG)."""
    if is_root():
        return ROOT_HOME / purpose
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "waymark" / purpose


class DataDirectory:
    """The directory, once it is held. `hold` opens it; `release` gives it up.

    The lock is on an open file that the servers inherit: a directory whose owner was killed stays
    locked until the servers it left are gone too, so two brokers never meet on one log.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock

    @classmethod
    def hold(cls, path: Path, say: Callable[[str], None] = lambda _: None) -> DataDirectory:
        """Make `path` if need be and lock it.

        Raises RuntimeTrouble when another run holds it (naming its process), when it cannot be written,
        or when the disk is almost full.
        """
        path = path.expanduser().resolve()
        try:
            adopt(path)
            require_space(path, SPACE_MB)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain_os_error(error, f"preparing the data directory {path}") from error
        try:
            wait_for_lock(path, lock, say)
            note = {"pid": os.getpid(), "since": now(), "command": Path(sys.argv[0]).name}
            os.ftruncate(lock, 0)
            os.pwrite(lock, orjson.dumps(note), 0)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    def part(self, name: str) -> Path:
        place = self.path / name
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    def note_parts(self, parts: dict[str, Any]) -> None:
        """Write parts.json, whole or not at all, for other processes to read."""
        fresh = self.path / "parts.json.new"
        # A full disk or a directory that was removed must not stop the servers being looked after.
        with contextlib.suppress(OSError):
            fresh.write_bytes(orjson.dumps(parts, option=orjson.OPT_INDENT_2))
            fresh.replace(self.path / "parts.json")

    def release(self) -> None:
        (self.path / "parts.json").unlink(missing_ok=True)
        os.close(self.lock)


def adopt(path: Path) -> None:
    """Make `path` and close it to other users. One that holds other things already (somebody's home, the
    system's temporary directory) is used but its permissions are left alone, here and in account.py."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if next(path.iterdir(), None) is None:
        path.chmod(0o700)
        (path / OURS).write_text("The data of a Waymark system. See deploy/local/datadir.py.\n")


def is_ours(path: Path) -> bool:
    return (path / OURS).exists()


def wait_for_lock(path: Path, lock: int, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + WAIT_FOR_LEFTOVERS_S
    told = False
    while not try_lock(lock):
        owner = read_owner(path)
        alive = owner is not None and psutil.pid_exists(owner["pid"])
        if alive or time.monotonic() > deadline:
            raise in_use(path, owner, alive)
        if not told:
            told = True
            say("Waiting for the servers of an earlier run, which was killed, to stop")
        time.sleep(0.1)


def try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = orjson.loads((path / "lock").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return owner if isinstance(owner, dict) and isinstance(owner.get("pid"), int) else None


def in_use(path: Path, owner: dict[str, Any] | None, alive: bool) -> RuntimeTrouble:
    if owner is not None and alive:
        return RuntimeTrouble(
            f"The data directory {path} is in use by process {owner['pid']} ({owner.get('command')}, since"
            f" {owner.get('since')}). Stop that one, or give another directory with --data."
        )
    left = ", ".join(
        f"{name} (process {part['pid']})" for name, part in read_parts(path).items() if part.get("pid")
    )
    return RuntimeTrouble(
        f"The data directory {path} is still held by servers that an earlier run left"
        f"{f': {left}' if left else ''}. Stop them, or give another directory with --data."
    )


def read_parts(path: Path) -> dict[str, dict[str, Any]]:
    """What runs on the data directory `path`, as its owner last wrote it: per part `address`, `pid`
    (null for a server started outside), `state`, `since`, `restarts`. Empty when nothing runs there."""
    try:
        parts = orjson.loads((path / "parts.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return parts if isinstance(parts, dict) else {}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
