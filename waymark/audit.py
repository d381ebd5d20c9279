"""`waymark audit`: who looked at which case, and who did what to it, out of every service's own audit table."""

from __future__ import annotations

import asyncio
import csv
import getpass
import sys
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Table

from deploy.migrations import SERVICES
from shared import audit as audit_table
from shared.contracts.base import read_moment, write_moment
from shared.spreadsheets import cell
from waymark import terminal
from waymark.access import owner
from waymark.terminal import DataOption, JsonOption

LOOKS: Final = (
    "looked", "link.looked_at", "links.listed", "meeting.read", "child.looked_up", "dead_letter.read",
    "reader.read",
)  # fmt: skip
"""Acts of reading what is said of people."""
COLUMNS: Final = ("at", "service", "who", "act", "case", "details")


def audit(
    case: Annotated[str | None, typer.Option(help="Of this case.")] = None,
    who: Annotated[str | None, typer.Option(help="By this person, as in their key or account.")] = None,
    since: Annotated[str | None, typer.Option(help="Then or later, such as 2026-11-21T00:00:00Z.")] = None,
    looks: Annotated[bool, typer.Option("--looks", help="Only reading: who looked at what.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV, safe for a spreadsheet.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many of each service, the newest.")] = 1000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report who looked at which case and who did what to it, the oldest first. For whoever answers for
    privacy; asking is written down too. Exit status 1 where there is nothing.

    Example: waymark audit --case northshire/NS-2026-014532 --looks
    """
    if case is None and who is None:
        terminal.fail("Name --case or --who (or both): nobody means to read all of it.", 2)
    try:
        moment = None if since is None else read_moment(since)
    except ValueError:
        terminal.fail(f"--since: {since!r} is not a date and time, such as 2026-11-21T00:00:00Z.", 2)
    rows = asyncio.run(_read(terminal.database_of(data), case, who, moment, looks=looks, limit=limit))
    if as_json:
        terminal.print_json(rows)
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(COLUMNS)
        writer.writerows([cell(_text(row[column])) for column in COLUMNS] for row in rows)
    else:
        table = Table()
        for column in COLUMNS:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_text(row[column]) for column in COLUMNS))
        terminal.out.print(table if rows else "Nothing was written down of that.")
    if not rows:
        raise typer.Exit(1)


async def _read(
    address: str, case: str | None, who: str | None, since: datetime | None, *, looks: bool, limit: int
) -> list[dict[str, Any]]:
    database = owner(address)
    found: list[dict[str, Any]] = []
    try:
        for service in SERVICES:
            async with database.transaction() as tx:
                await tx.execute(f"SET LOCAL search_path TO {service}")
                rows = await tx.rows(
                    """
                    SELECT at, who, act, "case", details FROM audit
                    WHERE (CAST(:case AS text) IS NULL OR "case" = :case)
                      AND (CAST(:who AS text) IS NULL OR who = :who)
                      AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
                      AND (NOT CAST(:looks AS boolean) OR act = ANY(CAST(:reading AS text[])))
                    ORDER BY id DESC LIMIT :limit
                    """,
                    case=case,
                    who=who,
                    since=since,
                    looks=looks,
                    reading=list(LOOKS),
                    limit=limit,
                )
                found += [{**row, "at": write_moment(row["at"]), "service": service} for row in rows]
        async with database.transaction() as tx:
            await tx.execute("SET LOCAL search_path TO triage")
            asker = f"login:{getpass.getuser()}"
            await audit_table.record(tx, who=asker, act="audit.read", case=case, about=who)
    finally:
        await database.close()
    return sorted(found, key=lambda row: row["at"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
