"""`waymark bench pages`: how long every page of the console takes, and how much it weighs, with very many cases
in the database and a full screening board.

A month's worth of simulated incidents goes the whole way through the real services; then each service's own
tables are filled up with copies of these under other ids and times. Pages are found as people find them: what
each role has at the top, and from there one link of every kind.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiohttp
import asyncpg

from services.console.navigation import entries_for
from waymark.bench.pipeline import BenchTrouble, write_incidents
from waymark.system import Plan, System

GOAL_MS: Final = 150.0
GOAL_KB: Final = 200.0
SEED_INCIDENTS: Final = 500
FORCE: Final = "northshire"
ROLES: Final = ("person", "ops", "coordinator", "board")

Say = Callable[[str], None]
_LINK: Final = re.compile(r'href="(/[^"#]*)"')
_LOADED: Final = re.compile(r'(?:src|href)="(/static/[^"]+)"')


@dataclass(slots=True)
class Options:
    """`cases` in the database, `waiting` of them on the board, each page asked for `rounds` times."""

    data: Path
    cases: int = 100_000
    waiting: int = 5000
    rounds: int = 30


async def bench_pages(options: Options, say: Say) -> dict[str, Any]:
    """Fill, walk, measure; the document that `--json` prints."""
    say(f"Simulating {SEED_INCIDENTS} incidents")
    bodies = write_incidents(options.data, SEED_INCIDENTS, force=FORCE)
    system = System(Plan(options.data, purpose="work"), progress=say)
    async with system.running(), aiohttp.ClientSession() as http:
        say("Sending them the whole way")
        await _send(system, http, bodies)
        connection = await asyncpg.connect(system.parts.database)
        try:
            await _until_decided(connection)
            await _fill(connection, options, say)
            held = await connection.fetchval("SELECT count(*) FROM console.cases")
            waiting = await connection.fetchval(
                "SELECT count(*) FROM triage.cases WHERE waits_until IS NOT NULL"
            )
        finally:
            await connection.close()
        say(f"{held:,} cases, {waiting:,} on the board")
        pages: dict[str, dict[str, Any]] = {}
        failed: list[str] = []
        for role in ROLES:
            for name, key in sorted(system.keys.get(role, {}).items())[:1]:
                say(f"Walking the pages of {name} ({role})")
                walk = _Walk(http, system.url("console"), key, role)
                for pattern, told in (await walk.measure(options)).items():
                    pages[f"{role} {pattern}"] = told
                failed += walk.failed
    slow = sorted(name for name, one in pages.items() if one["p95_ms"] > GOAL_MS)
    heavy = sorted(name for name, one in pages.items() if one["kb"] > GOAL_KB)
    return {
        "cases": held,
        "waiting": waiting,
        "pages": pages,
        "goals": {"p95_ms": GOAL_MS, "kb": GOAL_KB},
        "over_p95": slow,
        "over_weight": heavy,
        "failed": failed,
    }


async def _send(system: System, http: aiohttp.ClientSession, bodies: Path) -> None:
    headers = {
        "Authorization": f"Bearer {system.keys['police'][FORCE]}",
        "Content-Type": "application/x-ndjson",
    }
    lines = await asyncio.to_thread(bodies.read_bytes)
    async with http.post(f"{system.url('intake')}/v1/incidents/batch", data=lines, headers=headers) as answer:
        if answer.status != 200:
            raise BenchTrouble(f"Intake answered the batch with {answer.status}.")
        async for _ in answer.content:
            pass


async def _until_decided(connection: asyncpg.Connection[Any]) -> None:
    """Until the console has heard of every case from delivery."""
    async with asyncio.timeout(300):
        while True:
            left = await connection.fetchval(
                "SELECT count(*) FROM console.cases WHERE told_at IS NULL AND decided_state = 'to_route'"
            )
            seen = await connection.fetchval("SELECT count(*) FROM console.cases WHERE decided_at IS NOT NULL")
            if seen >= SEED_INCIDENTS and not left:
                return
            await asyncio.sleep(0.5)


async def _fill(connection: asyncpg.Connection[Any], options: Options, say: Say) -> None:
    """Copies of what is there, until there is enough; the board is filled to its number."""
    times = max(1, options.cases // SEED_INCIDENTS)
    case = "t.\"case\" || '-' || n"
    ago = "- make_interval(mins => n * 7)"
    for table, changes in (
        ("console.cases", {"case": case, "accepted_at": f"t.accepted_at {ago}"}),
        ("triage.cases", {"case": case, "waits_until": "NULL", "waits_for": "'{}'"}),
        ("triage.decisions", {"case": case}),
        ("enrichment.incidents", {"case": case, "family": "t.family + n * 1000000"}),
        ("delivery.cases", {"case": case}),
        (
            "delivery.deliveries",
            {
                "case": case,
                "id": "t.id || '-' || n",
                "inbox_no": "NULL",
                "next_at": "NULL",
                "state": "CASE WHEN t.state IN ('waiting', 'offered') THEN 'received' ELSE t.state END",
                "received_at": "coalesce(t.received_at, t.began)",
            },
        ),
    ):
        say(f"Filling {table}")
        await _copy(connection, table, changes, times)
    await connection.execute(
        """
        UPDATE triage.cases SET waits_until = now() + make_interval(secs => number * 20),
            waits_for = ARRAY['section_47'], state = 'to_route', held_by = NULL, held_until = NULL
        FROM (SELECT "case" AS name, row_number() OVER (ORDER BY "case") AS number FROM triage.cases) AS listed
        WHERE listed.name = "case" AND number <= $1
        """,
        options.waiting,
    )
    await connection.execute("ANALYZE")


async def _copy(
    connection: asyncpg.Connection[Any], table: str, changes: Mapping[str, str], times: int
) -> None:
    schema, _, name = table.partition(".")
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            """
            SELECT column_name FROM information_schema.columns
            WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER' AND is_identity = 'NO'
            """,
            schema,
            name,
        )
    ]
    listed = ", ".join(f'"{column}"' for column in columns)
    taken = ", ".join(changes.get(column, f't."{column}"') for column in columns)
    await connection.execute(
        f"INSERT INTO {table} ({listed}) SELECT {taken} FROM {table} AS t, generate_series(1, {times}) AS n "  # noqa: S608
        "ON CONFLICT DO NOTHING",
        timeout=600,
    )


class _Walk:
    """The pages of one role: each kind once."""

    def __init__(self, http: aiohttp.ClientSession, console: str, key: str, role: str) -> None:
        self._http = http
        self._console = console
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        self._role = role
        self._loaded: dict[str, int] = {}
        self.failed: list[str] = []
        """Pages that a link led to and that did not answer 200."""

    async def measure(self, options: Options) -> dict[str, dict[str, Any]]:
        """Per kind of page: p50 and p95 in ms, and all that a first visit loads in kB."""
        found: dict[str, str] = {}
        waiting = [entry.path for entry in entries_for(self._role)]
        told: dict[str, dict[str, Any]] = {}
        while waiting:
            path = waiting.pop(0)
            pattern = kind_of(path)
            if pattern in found or pattern.startswith("/static"):
                continue
            found[pattern] = path
            status, text = await self._get(path)
            if status != 200:
                self.failed.append(f"{self._role} {path}: {status}")
                continue
            waiting += _LINK.findall(text.replace("&amp;", "&"))
            took = []
            for _ in range(options.rounds):
                began = time.perf_counter()
                await self._get(path)
                took.append((time.perf_counter() - began) * 1000)
            took.sort()
            told[pattern] = {
                "p50_ms": round(statistics.median(took), 1),
                "p95_ms": round(took[max(0, round(len(took) * 0.95) - 1)], 1),
                "kb": round((len(text.encode()) + await self._static(text)) / 1000, 1),
            }
        return told

    async def _get(self, path: str) -> tuple[int, str]:
        async with self._http.get(self._console + path, headers=self._headers) as answer:
            return answer.status, await answer.text(errors="replace")

    async def _static(self, text: str) -> int:
        total = 0
        for path in set(_LOADED.findall(text)):
            if path not in self._loaded:
                async with self._http.get(self._console + path) as answer:
                    self._loaded[path] = len(await answer.read())
            total += self._loaded[path]
        return total


def kind_of(path: str) -> str:
    """A page's kind: its address without what differs from one case, day or filter to the next."""
    parts = urlsplit(path)
    first, _, rest = parts.path.strip("/").partition("/")
    names = "&".join(sorted(one.partition("=")[0] for one in parts.query.split("&") if one))
    last = unquote(rest).rpartition("/")[2]
    kind = f"/{first}" + ("" if not rest else f"/{last}" if last in ("next", "print", "case") else "/*")
    return kind + (f"?{names}" if names else "")
