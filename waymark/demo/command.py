"""The command: `waymark demo`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local import default_data_dir
from waymark import terminal
from waymark.demo import report
from waymark.demo.play import settle, stream, tell_records
from waymark.demo.receivers import Receivers, prepare_areas
from waymark.demo.watch import Watcher
from waymark.simulate import load_profile, simulate
from waymark.system import Plan, System
from waymark.terminal import DataOption, JsonOption


def demo(
    incidents: Annotated[int, typer.Option(min=1, max=100_000, help="How many incidents.")] = 251,
    seed: Annotated[int, typer.Option(help="The same seed makes the same month.")] = 2007,
    protocol: Annotated[str, typer.Option(help="The protocol that decides.")] = "london-dvrim",
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up until Ctrl-C.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring everything up on this machine and stream a simulated month of incidents through it.

    Real Kafka, real PostgreSQL, five services, and receivers over real HTTP; then what went where, how
    long it took, and the conservation check. Exit 1 where something is unaccounted, was put aside or still
    waits; what a person has to release first (restricted cases) is counted apart.

    Example: waymark demo --incidents 251 --seed 2007
    """
    document = asyncio.run(_demo(incidents, seed, protocol, keep, data, as_json))
    if document["unaccounted"] or document["dead_lettered"] or document["waiting"]:
        raise typer.Exit(1)


async def _demo(
    incidents: int, seed: int, protocol: str, keep: bool, data: Path | None, as_json: bool
) -> dict[str, Any]:
    place = data or _fresh_place()
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=terminal.errors,
    )
    month = simulate(load_profile("nspcc-2009"), incidents, seed, _last_whole_month())
    try:
        async with Receivers(place) as receivers:
            plan = Plan(place, areas=prepare_areas(place, protocol), recipients=receivers.folder)
            system = System(plan, progress=lambda line: terminal.errors.print(f"[dim]{line}[/]"))
            async with system.running(), aiohttp.ClientSession() as http:
                await receivers.attend(system)
                watcher = Watcher(system.parts.kafka)
                await tell_records(system, http, month)
                async with watcher.following():
                    with shown:
                        sent = shown.add_task("Posted by the police", total=len(month.incidents))
                        arrived = shown.add_task("Arrived at the services", total=len(month.incidents))
                        took, answers = await stream(system, http, month.incidents, lambda: shown.advance(sent))
                        conservation = await settle(
                            system,
                            watcher,
                            lambda done, whole: shown.update(arrived, completed=done, total=whole),
                            within_s=60 + incidents / 10,
                        )
                document = report.summarise(took, answers, watcher.cases, conservation)
                if as_json:
                    terminal.print_json(document)
                else:
                    report.show(document, terminal.out)
                if keep:
                    terminal.errors.print(
                        f"Console: {system.url('console')} (key: {system.keys['ops']['ops']})."
                        " Stop with Ctrl-C.",
                        soft_wrap=True,
                    )
                    await asyncio.Event().wait()
                return document
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)


def _fresh_place() -> Path:
    home = default_data_dir("demo")
    home.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=home))


def _last_whole_month() -> Any:
    """The month before this one: nothing in it lies in the future."""
    today = datetime.now(UTC).date()
    year, month = (today.year, today.month - 1) if today.month > 1 else (today.year - 1, 12)
    return today.replace(year=year, month=month, day=1)
