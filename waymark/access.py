"""`waymark keys`: callers' keys, made, listed, rotated and revoked; and the keys of a system on one machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import orjson
import typer
from rich.table import Table

from shared import keys
from shared.areas import load_areas
from shared.db import Database
from shared.errors import Rejected

ROLES: Final[tuple[str, ...]] = get_args(keys.Role)
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "police": ("--force",),
    "recipient": ("--recipient",),
    "council": ("--source",),
    "person": ("--person", "--agency"),
    "coordinator": ("--person", "--agency"),
    "champion": ("--person", "--agency"),
    "board": ("--person",),
}


def owner(database: str) -> Database:
    """A connection with the login's own role: keys are written by whoever runs the system."""
    return Database(database, "access", pool_size=2, as_owner=True)


async def make_keys(database: str, place: Path, wanted: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the wanted keys that `place` (JSON, readable by its owner alone) does not have yet.

    Returns `{"police": {force: key}, "council": {source: key}, "recipient": {id: key},
    "person": {name: key}, "ops": {name: key}}`. For a system on one machine only: in production each
    caller's key is made once with `waymark keys create` and kept by its caller.
    """
    have = _read(place)
    known = owner(database)
    try:
        async with known.transaction() as tx:
            stored = {row["digest"] for row in await tx.rows("SELECT digest FROM access.live_keys")}
            for want in wanted:
                name = want.get("force") or want.get("source") or want.get("recipient") or want["person"]
                kept = have.setdefault(want["role"], {})
                if name in kept and keys.digest(kept[name]) in stored:
                    continue
                _, kept[name] = await keys.create(tx, **{**want, "areas": tuple(want.get("areas", ()))})
    finally:
        await known.close()
    _write(place, have)
    return have


def _read(place: Path) -> dict[str, dict[str, str]]:
    return dict(orjson.loads(place.read_bytes())) if place.exists() else {}


def _write(place: Path, have: dict[str, dict[str, str]]) -> None:
    """Whole or not at all, readable by its owner alone."""
    fresh = place.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(have, option=orjson.OPT_INDENT_2))
    fresh.replace(place)


app = typer.Typer(no_args_is_help=True, help="Callers' keys: create, list, rotate, revoke.")


@app.command()
def create(
    role: Annotated[str, typer.Option(help=f"{', '.join(ROLES[:-1])} or {ROLES[-1]}.")],
    force: Annotated[str | None, typer.Option(help="Police: the force it may post for.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Recipient: its id.")] = None,
    source: Annotated[str | None, typer.Option(help="Council: the source of its records.")] = None,
    person: Annotated[str | None, typer.Option(help="People: who it is.")] = None,
    agency: Annotated[str | None, typer.Option(help="Person, coordinator, champion: which agency.")] = None,
    area: Annotated[list[str] | None, typer.Option(help="People: an area (several times for several).")] = None,
    data: Annotated[Path | None, typer.Option(envvar="WAYMARK_DATA", help="Data directory.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a key and print it once; it is kept nowhere.

    Example: waymark keys create --role police --force northshire
    """
    from waymark import terminal

    if role not in ROLES:
        terminal.fail(f"There is no role {role}: {', '.join(ROLES[:-1])} or {ROLES[-1]}.", 2)
    given = {
        "--force": force, "--recipient": recipient, "--source": source, "--person": person, "--agency": agency,
    }  # fmt: skip
    if missing := [option for option in NEEDED.get(role, ()) if not given[option]]:
        terminal.fail(f"A key of role {role} needs {' and '.join(missing)}.", 2)

    async def make() -> tuple[str, str]:
        database = owner(terminal.database_of(data))
        try:
            async with database.transaction() as tx:
                return await keys.create(
                    tx,
                    role=role,  # type: ignore[arg-type]
                    force=force,
                    recipient=recipient,
                    source=source,
                    person=person,
                    agency=agency,
                    areas=tuple(area or ()),
                )
        finally:
            await database.close()

    number, key = asyncio.run(make())
    if as_json:
        terminal.print_json({"id": number, "key": key, "role": role})
    else:
        terminal.errors.print(f"Key {number} for {role}. It is shown this once:")
        if force is not None and force not in _forces():
            terminal.errors.print(f"No area names the force {force}: is it spelt as its incidents spell it?")
        terminal.out.print(key, soft_wrap=True)


def _forces() -> set[str]:
    """The forces that the area files name."""
    return {force for area in load_areas().by_id.values() for force in area.rules.forces}


@app.command("list")
def list_keys(
    role: Annotated[str | None, typer.Option(help="Only those of this role.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only those that work now.")] = False,
    data: Annotated[Path | None, typer.Option(envvar="WAYMARK_DATA", help="Data directory.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List keys, never the keys themselves. Example: waymark keys list --role police --live"""
    from waymark import terminal

    async def read() -> list[dict[str, Any]]:
        database = owner(terminal.database_of(data))
        try:
            async with database.transaction() as tx:
                return [dict(row) for row in await keys.listed(tx)]
        finally:
            await database.close()

    now = datetime.now(UTC)
    rows = [
        row
        for row in asyncio.run(read())
        if (role is None or row["role"] == role)
        and not (live and (row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= now)))
    ]
    if as_json:
        terminal.print_json(rows)
        return
    table = Table()
    for column in ("id", "role", "for", "areas", "created", "works until", "succeeds"):
        table.add_column(column, overflow="fold", no_wrap=column != "areas")
    for row in rows:
        whom = row["force"] or row["recipient"] or row["source"] or row["person"] or ""
        table.add_row(
            row["id"],
            row["role"],
            whom,
            ", ".join(row["areas"] or ()),
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            _until(row),
            row["succeeds"] or "",
        )
    terminal.out.print(table)


def _until(row: dict[str, Any]) -> str:
    if row["revoked_at"]:
        return f"revoked {row['revoked_at']:%Y-%m-%d %H:%M}"
    return f"{row['expires_at']:%Y-%m-%d %H:%M}" if row["expires_at"] else ""


@app.command()
def rotate(
    number: Annotated[str, typer.Argument(help="The key's id, as `waymark keys list` shows it.")],
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=24 * 90, help="How long the old key still works.")
    ] = 168,
    data: Annotated[Path | None, typer.Option(envvar="WAYMARK_DATA", help="Data directory.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a key's successor and print it once; both work until the old one expires, a week later.

    Example: waymark keys rotate 1a2b3c4d --overlap-hours 48
    """
    from waymark import terminal

    async def change() -> tuple[str, str]:
        database = owner(terminal.database_of(data))
        try:
            async with database.transaction() as tx:
                return await keys.rotate(tx, number, overlap=timedelta(hours=overlap_hours))
        finally:
            await database.close()

    try:
        successor, key = asyncio.run(change())
    except Rejected as rejected:
        terminal.fail(rejected.reason)
    if as_json:
        terminal.print_json({"id": successor, "key": key, "succeeds": number})
    else:
        terminal.errors.print(
            f"Key {successor} takes the place of {number}, which works for {overlap_hours:g} hours more."
            " It is shown this once:"
        )
        terminal.out.print(key, soft_wrap=True)


@app.command()
def revoke(
    number: Annotated[str, typer.Argument(help="The key's id, as `waymark keys list` shows it.")],
    data: Annotated[Path | None, typer.Option(envvar="WAYMARK_DATA", help="Data directory.")] = None,
) -> None:
    """Revoke a key; services refuse it within 15 seconds. Example: waymark keys revoke 1a2b3c4d"""
    from waymark import terminal

    async def end() -> bool:
        database = owner(terminal.database_of(data))
        try:
            async with database.transaction() as tx:
                return await keys.revoke(tx, number)
        finally:
            await database.close()

    if not asyncio.run(end()):
        terminal.fail(f"There is no live key {number}.")
    terminal.errors.print(f"Key {number} is revoked.")
