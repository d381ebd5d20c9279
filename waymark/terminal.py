"""What all commands share at the terminal: progress on standard error, one JSON document on standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import orjson
import psutil
import typer
from rich.console import Console

from deploy.local import LocalSettings, default_data_dir, read_parts
from waymark.system import STATUS_FILE

errors = Console(stderr=True, highlight=False)
_PIPED_COLUMNS: Final = 160


def _width() -> int | None:
    """Columns of standard output; None where the terminal says. Through a pipe nothing does, and the eighty
    that are taken then would break every table."""
    if sys.stdout.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    return max(_PIPED_COLUMNS, int(said) if said.isdigit() else 0)


out = Console(highlight=False, width=_width())

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="WAYMARK_DATA",
        help="Data directory of the system, so that several can live side by side.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def print_json(document: Any) -> None:
    """The one JSON document of a `--json` command."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str) + b"\n")
    sys.stdout.flush()


def data_directory(data: Path | None) -> Path:
    """The directory given, else the one `waymark up` uses."""
    return (data or default_data_dir("up")).expanduser()


def running(data: Path | None) -> dict[str, Any]:
    """What runs on `data`. Ends the command (exit 1) with a sentence where nothing does."""
    directory = data_directory(data)
    try:
        found = orjson.loads((directory / STATUS_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        fail(f"Nothing runs on {directory}. Start it with `waymark up`, or name another directory with --data.")
    if not psutil.pid_exists(found["waymark"]["pid"]):
        fail(f"What ran on {directory} was killed. Start it again with `waymark up`.")
    for name, part in read_parts(directory).items():
        told = {key: part.get(key) for key in ("pid", "since", "restarts")}
        found.setdefault(name, {}).update({**told, "health": part.get("state")})
    return dict(found)


def fail(sentence: str, status: int = 1) -> NoReturn:
    """Say what is wrong and end the command."""
    errors.print(f"[bold red]waymark:[/] {sentence}", soft_wrap=True)
    raise typer.Exit(status)


def database_of(data: Path | None) -> str:
    """The database's address: WAYMARK_DATABASE, else that of the system running on `data`."""
    return LocalSettings.read().database or str(running(data)["postgres"]["url"])


def kafka_of(data: Path | None) -> str:
    """The broker's address: WAYMARK_KAFKA, else that of the system running on `data`."""
    return LocalSettings.read().kafka or str(running(data)["kafka"]["bootstrap"])
