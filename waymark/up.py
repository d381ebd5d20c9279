"""`waymark up`, `waymark run SERVICE`, `waymark migrate`, `waymark status`: running the system."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import typer
from rich.table import Table

from deploy.local import default_data_dir
from deploy.migrations import SERVICES, migrate
from shared.db import without_password
from waymark import terminal
from waymark.reconcile import conservation
from waymark.serve import serve
from waymark.system import KEYS_FILE, Plan, System, health_of
from waymark.terminal import DataOption, JsonOption

FINE: Final = ("up", "outside")
CHECK_EVERY_S: Final = 60.0


def up(
    data: DataOption = None,
    recipients: Annotated[Path | None, typer.Option(help="Folder of recipient files.")] = None,
    areas: Annotated[Path | None, typer.Option(help="Folder of area files.")] = None,
    traces: Annotated[
        bool, typer.Option("--traces", help="Bring a trace backend with its search page (Zipkin) too.")
    ] = False,
) -> None:
    """Run the whole system in this terminal until it is stopped (Ctrl-C).

    Brings Kafka and PostgreSQL itself unless WAYMARK_KAFKA and WAYMARK_DATABASE name servers.

    Example: waymark up --data ./data --traces
    """
    plan = Plan(data or default_data_dir("up"), traces=traces)
    if recipients is not None:
        plan.recipients = recipients.resolve()
    if areas is not None:
        plan.areas = areas.resolve()
    asyncio.run(_up(plan))


async def _up(plan: Plan) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def say(line: str) -> None:
        terminal.errors.print(f"[dim]{line}[/]")

    first_time = not (plan.data / KEYS_FILE).exists()
    system = System(plan, progress=say)
    starting = asyncio.create_task(_until(system, stop, first_time))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        terminal.errors.print("[dim]Stopping[/]")
        starting.cancel()
        await asyncio.wait({starting})
    stopping.cancel()
    if not starting.cancelled():
        starting.result()


async def _check(system: System) -> None:
    """Look from time to time whether anything is lost, for ever; the console shows what was found."""
    while True:
        try:
            await conservation(system.parts.database, system.parts.kafka)
        except Exception as error:  # a check that fails stops nothing that it checks
            terminal.errors.print(f"[dim]The conservation check failed ({type(error).__name__})[/]")
        await asyncio.sleep(CHECK_EVERY_S)


async def _until(system: System, stop: asyncio.Event, first_time: bool) -> None:
    async with system.running():
        table = Table(title="Waymark runs", title_justify="left")
        for column in ("part", "address", "process"):
            table.add_column(column, overflow="fold")
        for name, part in system.status().items():
            if name != "waymark":
                table.add_row(name, _address(part), str(part.get("pid") or "outside"))
        terminal.errors.print(table)
        if first_time:
            terminal.errors.print("Callers' keys, shown this once:")
            for role, named in sorted(system.keys.items()):
                for name, key in sorted(named.items()):
                    if role != "recipient":
                        terminal.errors.print(f"  {role:8} {name:22} {key}", soft_wrap=True)
        terminal.errors.print(f"All callers' keys: {system.plan.data / KEYS_FILE}. Stop with Ctrl-C.")
        await _check(system)


def run(
    service: Annotated[str, typer.Argument(help="intake, enrichment, triage, delivery or console.")],
) -> None:
    """Run one service, as in production; settings come from WAYMARK_... in the environment.

    Example: WAYMARK_DATABASE=postgresql://... WAYMARK_KAFKA=broker:9092 waymark run intake
    """
    if service not in SERVICES:
        terminal.fail(f"There is no service {service}: {', '.join(SERVICES)}.", 2)
    serve(service)


def migrate_database(
    service: Annotated[list[str] | None, typer.Argument(help="Services (all if none is named).")] = None,
    data: DataOption = None,
) -> None:
    """Bring the database's roles, schemas and tables up to date.

    Example: WAYMARK_DATABASE=postgresql://... waymark migrate
    """
    asyncio.run(migrate(terminal.database_of(data), tuple(service or SERVICES)))
    terminal.errors.print("The database is up to date.")


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """What runs: per part its address, process id, health, since when. Exit 1 where something is not up.

    A broker or database outside is not asked: the services' own parts say whether they have it.

    Example: waymark status --json
    """
    document = asyncio.run(_status(data))
    if as_json:
        terminal.print_json(document)
    else:
        table = Table()
        for column in ("part", "health", "address", "process", "since", "restarts"):
            table.add_column(column, overflow="fold")
        for name, part in document.items():
            if name == "waymark":
                continue
            health = part["health"]
            colour = {"up": "green", "outside": "dim", "degraded": "yellow"}.get(health, "red")
            table.add_row(
                name,
                f"[{colour}]{health}[/]",
                _address(part),
                str(part.get("pid") or ""),
                str(part.get("since") or "")[:19],
                str(part.get("restarts", 0)),
            )
        terminal.out.print(table)
    if any(part["health"] not in FINE for name, part in document.items() if name != "waymark"):
        raise typer.Exit(1)


def _address(part: dict[str, Any]) -> str:
    """Where a part answers, without the database's password."""
    address = str(part["url"] if "url" in part else part["bootstrap"])
    return without_password(address) if address.startswith("postgres") else address


async def _status(data: Path | None) -> dict[str, Any]:
    document = terminal.running(data)
    document["postgres"]["url"] = without_password(document["postgres"]["url"])
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for name in SERVICES:
            if name in document:
                found = await health_of(http, document[name]["url"])
                document[name]["health"] = found["status"]
                document[name]["parts"] = found.get("parts", {})
    return document
