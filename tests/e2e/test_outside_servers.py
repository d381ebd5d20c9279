"""The system on servers that somebody else runs: PostgreSQL from the system's packages, over TCP with a
password, as a login that is no superuser; and a broker of its own.

Everything runs once, for all tests here. Where the system has no PostgreSQL the tests are skipped.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import aiohttp
import asyncpg
import orjson
import psutil
import pytest

from deploy.local import LocalRuntime, ports
from deploy.local.child import Child, Order
from deploy.migrations import SERVICES
from services.delivery.receiver import Arrival
from shared.db import role_of
from tests.builders import an_incident
from waymark.demo.receivers import Receivers
from waymark.system import ROOT

PASSWORD: Final = "p@ss/w:rd% of the trust"
"""With everything in it that an address has to have encoded."""

OWNER: Final = "waymark_owner"
PLAIN: Final = "waymark_plain"
CASE: Final = "northshire/OUTSIDE-1"
NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/nothing"


def programs() -> Path | None:
    """Where the programs of the newest PostgreSQL of the system's packages are."""
    packaged = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3].split(".")[0])
    )
    found = packaged[-1] if packaged else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@dataclass(frozen=True, slots=True)
class Outside:
    """The servers, and their addresses for each login."""

    kafka: str
    port: int

    def database(self, login: str, name: str) -> str:
        return f"postgresql://{login}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{name}"

    def environment(self, login: str, name: str) -> dict[str, str]:
        return {"WAYMARK_DATABASE": self.database(login, name), "WAYMARK_KAFKA": self.kafka}


@dataclass(slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    errors: str


@dataclass(slots=True)
class Evidence:
    """What was seen while the system ran, and after."""

    status: Said
    arrivals: list[Arrival] = field(default_factory=list)
    reconciled: Said | None = None
    commands: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    up: Said | None = None
    refused: Said | None = None
    refused_left: list[str] = field(default_factory=list)
    granted: dict[str, Any] = field(default_factory=dict)
    superuser: bool = True


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    binaries = programs()
    if binaries is None:
        pytest.skip("no PostgreSQL of the system's packages: apt-get install postgresql brings one")
    place = Path(tempfile.mkdtemp(prefix="waymark-outside-"))
    place.chmod(0o755)
    try:
        with LocalRuntime(place / "broker", database=NOWHERE) as parts:
            server = start_postgres(binaries, place, port := ports.choose())
            try:
                yield asyncio.run(_play(place, Outside(parts.kafka, port)))
            finally:
                server.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def start_postgres(binaries: Path, place: Path, port: int) -> Child:
    """A server with passwords for everybody and English order of letters, as others would run one."""
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    data, secret = place / "postgres", place / "password"
    secret.write_text(PASSWORD)
    data.mkdir(mode=0o700)
    if account is not None:
        for path in (data, secret):
            os.chown(path, account.pw_uid, account.pw_gid)
    user, group = (account.pw_uid, account.pw_gid) if account else (None, None)
    letters = ["--locale-provider=icu", "--icu-locale=en-GB"] if knows_icu(binaries) else []
    _run_to_its_end(
        Order(
            name="initdb",
            command=[
                str(binaries / "initdb"), "-D", str(data), "-U", "postgres", f"--pwfile={secret}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", *letters,
            ],
            log=place / "initdb.log", user=user, group=group,
        )
    )  # fmt: skip
    return Child(
        Order(
            name="PostgreSQL",
            command=[
                str(binaries / "postgres"), "-D", str(data), f"--port={port}", "--listen_addresses=127.0.0.1",
                "--unix_socket_directories=", "--fsync=off",
            ],
            log=place / "postgres.log", stop_signal=signal.SIGINT, user=user, group=group,
        )
    )  # fmt: skip


def knows_icu(binaries: Path) -> bool:
    """Whether it can be told an order of letters that is the same on every system (version 15 on)."""
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[2].split(".")[0]) >= 15


def _run_to_its_end(order: Order) -> None:
    child = Child(order)
    assert child.ended.wait(60)
    assert child.status == 0, order.log.read_text()


async def _play(place: Path, outside: Outside) -> Evidence:
    await _make_logins(outside)
    refused, left = await _refused(place, outside)
    arrivals: list[Arrival] = []
    async with Receivers(place, arrivals.append) as receivers:
        async with _up(place, outside, receivers.folder) as process:
            seen = Evidence(await waymark("status", "--data", str(place / "data"), "--json"), arrivals)
            seen.refused, seen.refused_left = refused, left
            await _post(place)
            await _until_arrived(arrivals)
            seen.reconciled = await waymark("reconcile", "--data", str(place / "data"), "--json")
            seen.commands = [
                " ".join(child.cmdline()) for child in psutil.Process(process.pid).children(recursive=True)
            ]
            seen.left = sorted(path.name for path in (place / "data").iterdir())
        seen.up = Said(process.returncode or 0, "", (place / "up.log").read_text())
    seen.granted = await _run_as_plain_login(place, outside)
    seen.superuser = await _is_superuser(outside)
    return seen


async def _make_logins(outside: Outside) -> None:
    """Two logins, each the owner of a database: one may make roles, the other may not."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(outside.database("postgres", "postgres"))
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.1)
    for login, may in ((OWNER, "CREATEROLE"), (PLAIN, "NOCREATEROLE")):
        await connection.execute(f"CREATE ROLE {login} LOGIN NOSUPERUSER {may} PASSWORD '{PASSWORD}'")
        await connection.execute(f"CREATE DATABASE {login} OWNER {login}")
    await connection.close()


async def _refused(place: Path, outside: Outside) -> tuple[Said, list[str]]:
    said = await waymark("up", "--data", str(place / "refused"), **outside.environment(PLAIN, PLAIN))
    return said, sorted(path.name for path in (place / "refused").iterdir())


@asynccontextmanager
async def _up(place: Path, outside: Outside, recipients: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`waymark up` until the block ends, and then Ctrl-C."""
    with (place / "up.log").open("wb") as log:
        arguments = ("up", "--data", str(place / "data"), "--recipients", str(recipients))
        process = await start(log, log, *arguments, **outside.environment(OWNER, OWNER))
    try:
        async with asyncio.timeout(90):
            while not (place / "data" / "status.json").exists():
                assert process.returncode is None, (place / "up.log").read_text()
                await asyncio.sleep(0.1)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def start(
    out: IO[bytes] | int, errors: IO[bytes] | int, *arguments: str, **more: str
) -> asyncio.subprocess.Process:
    """A command in a process of its own, with no setting but those in `more`."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waymark", *arguments, cwd=ROOT, env=plain | more, stdout=out, stderr=errors
    )


async def waymark(*arguments: str, **more: str) -> Said:
    """What a command says, to its end."""
    process = await start(asyncio.subprocess.PIPE, asyncio.subprocess.PIPE, *arguments, **more)
    out, errors = await process.communicate()
    return Said(process.returncode or 0, out.decode(), errors.decode())


async def _post(place: Path) -> None:
    """An injured child: children's services have to be told at once."""
    incident = an_incident(reference="OUTSIDE-1")
    incident["children"][0] |= {"presence": "involved", "assaulted": True, "injured": True}
    keys = orjson.loads((place / "data" / "keys.json").read_bytes())
    intake = orjson.loads((place / "data" / "status.json").read_bytes())["intake"]["url"]
    headers = {"Authorization": f"Bearer {keys['police']['northshire']}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{intake}/v1/incidents", json=incident) as response,
    ):
        assert response.status == 202, await response.text()


async def _until_arrived(arrivals: list[Arrival]) -> None:
    async with asyncio.timeout(30):
        while "northbury-children" not in {arrival.recipient for arrival in arrivals}:
            await asyncio.sleep(0.05)


async def _run_as_plain_login(place: Path, outside: Outside) -> dict[str, Any]:
    """What the sentence says: once granted the roles, a login that may not make any runs the services."""
    owner = await asyncpg.connect(outside.database(OWNER, OWNER))
    await owner.execute(f"GRANT {', '.join(map(role_of, SERVICES))} TO {PLAIN}")
    await owner.close()
    port = ports.choose()
    with (place / "run.log").open("wb") as log:
        process = await start(
            log, log, "run", "intake", WAYMARK_PORT=str(port), **outside.environment(PLAIN, OWNER)
        )
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while True:
                assert process.returncode is None, (place / "run.log").read_text()
                try:
                    async with http.get(f"http://127.0.0.1:{port}/health/ready") as response:
                        found = dict(await response.json())
                except aiohttp.ClientError:
                    found = {}
                if found.get("status") == "up":
                    return found
                await asyncio.sleep(0.1)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_superuser(outside: Outside) -> bool:
    connection = await asyncpg.connect(outside.database(OWNER, OWNER))
    try:
        return bool(
            await connection.fetchval("SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 'waymark%'")
        )
    finally:
        await connection.close()


def test_the_system_comes_up_on_servers_named_by_their_addresses(evidence: Evidence) -> None:
    document = orjson.loads(evidence.status.out)

    assert evidence.status.status == 0, evidence.status.errors
    assert {document[name]["health"] for name in SERVICES} == {"up"}
    assert (document["kafka"]["health"], document["kafka"]["pid"]) == ("outside", None)
    assert (document["postgres"]["health"], document["postgres"]["pid"]) == ("outside", None)
    assert not evidence.superuser


def test_nothing_of_the_local_runtime_is_started_beside_them(evidence: Evidence) -> None:
    services = {
        name for name in SERVICES if any(line.endswith(f"waymark.serve {name}") for line in evidence.commands)
    }

    assert services == set(SERVICES)
    assert [line for line in evidence.commands if "waymark.serve" not in line] == []
    assert {"kafka", "postgres"}.isdisjoint(evidence.left)


def test_an_incident_goes_the_whole_way_over_them(evidence: Evidence) -> None:
    assert {arrival.notification()["case"] for arrival in evidence.arrivals} == {CASE}
    assert "northbury-children" in {arrival.recipient for arrival in evidence.arrivals}


def test_reconcile_finds_every_revision_there(evidence: Evidence) -> None:
    assert evidence.reconciled is not None
    document = orjson.loads(evidence.reconciled.out)

    assert evidence.reconciled.status == 0
    assert (document["accepted"], document["unaccounted"], document["unverified"]) == (1, 0, 0)
    assert document["dead_lettered"] == 0


def test_ctrl_c_ends_it_without_complaint(evidence: Evidence) -> None:
    assert evidence.up is not None
    assert evidence.up.status == 0
    assert "Traceback" not in evidence.up.errors


def test_a_login_that_may_not_make_roles_is_told_so_in_one_sentence(evidence: Evidence) -> None:
    assert evidence.refused is not None
    assert evidence.refused.status == 1
    assert "The database login may not make roles and schemas" in evidence.refused.errors
    assert "CREATEROLE" in evidence.refused.errors
    assert "Traceback" not in evidence.refused.errors
    assert evidence.refused.out == ""
    assert "status.json" not in evidence.refused_left


def test_that_login_runs_the_services_once_it_has_been_granted_the_roles(evidence: Evidence) -> None:
    assert evidence.granted == {
        "status": "up", "parts": {"database": "up", "broker": "up", "consumer": "up"}
    }  # fmt: skip


def test_the_databases_password_is_shown_nowhere(evidence: Evidence) -> None:
    said = [evidence.status, evidence.reconciled, evidence.up, evidence.refused]
    shown = "".join(f"{one.out}{one.errors}" for one in said if one is not None)

    assert "***" in evidence.status.out
    assert PASSWORD not in shown
    assert quote(PASSWORD, safe="") not in shown
