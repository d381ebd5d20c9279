"""Intake's part of the command line: `waymark send`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.local import default_data_dir
from services.intake.sending import Report, Sender, items_of

app = typer.Typer()
_errors = Console(stderr=True, highlight=False)

_SHOWN = 20


def running_system(data: Path) -> tuple[str | None, dict[str, str]]:
    """Where intake answers and the police's keys by force, of the system that runs on a data directory."""
    status, keys = _read(data / "status.json"), _read(data / "keys.json")
    return status.get("intake", {}).get("url"), keys.get("police", {})


def _read(place: Path) -> dict[str, Any]:
    try:
        return dict(orjson.loads(place.read_bytes()))
    except (OSError, ValueError):
        return {}


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="Incidents: JSON lines, one JSON object, or a list.")],
    url: Annotated[str | None, typer.Option(envvar="WAYMARK_INTAKE_URL", help="Where intake answers.")] = None,
    key: Annotated[str | None, typer.Option(envvar="WAYMARK_KEY", help="A key of role police.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="WAYMARK_DATA", help="Data directory of the system that runs here."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=500, help="Posts under way at one time.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Post incidents to the door and say what became of each. Sending a file twice is safe.

    Exit 1 where something was refused or could not be sent.

    Example: waymark send month.jsonl
    """
    found_url, found_keys = running_system((data or default_data_dir("up")).expanduser())
    address = url or found_url
    if address is None:
        _misused("No system runs here: start one with `waymark up`, or name one with --url and --key.")
    if address != found_url:
        found_keys = {}  # a key of the system here is nobody else's business
    if key is None and not found_keys:
        _misused("No key: give one with --key or WAYMARK_KEY; `waymark keys create --role police` makes one.")
    if not file.is_file():
        _misused(f"There is no file {file}.")
    sender = Sender(address, key=key, keys=found_keys, concurrency=concurrency)
    try:
        report = _send(sender, file)
    except (OSError, ValueError) as error:
        _misused(str(error))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _show(report)
    if report.refused:
        raise typer.Exit(1)


def _send(sender: Sender, file: Path) -> Report:
    size = max(1, file.stat().st_size)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns, TimeRemainingColumn(), console=_errors, transient=True, disable=not _errors.is_terminal
    ) as progress:
        task = progress.add_task("sending", total=size)

        def to(done: int) -> None:
            progress.update(task, completed=done)

        return asyncio.run(sender.send(items_of(file), to))


def _show(report: Report) -> None:
    document = report.as_json()
    words = ("accepted", "amended", "withdrawn", "repeated", "refused", "unsent")
    counts = ", ".join(f"{document[word]} {word}" for word in words if document[word])
    print(f"{document['sent']} sent in {report.seconds:.1f} s: {counts or 'nothing'}.")  # noqa: T201
    if report.faults or report.gaps:
        print(f"Named by the door: {report.faults} faults, {report.gaps} gaps.")  # noqa: T201
    for one in report.refusals[:_SHOWN]:
        where = f" ({', '.join(one.get('differs', ())) or one.get('at', '')})".replace(" ()", "")
        print(f"  number {one['number']}: {one['title']}{where}. {one.get('detail', '')}")  # noqa: T201
    if len(report.refusals) > _SHOWN:
        print(f"  and {report.refused - _SHOWN} more: --json lists them.")  # noqa: T201


def _misused(sentence: str) -> NoReturn:
    _errors.print(f"waymark: {sentence}", soft_wrap=True, markup=False)
    raise typer.Exit(2)
