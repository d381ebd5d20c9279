"""Intake's part of the command line: `waymark send`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.local import default_data_dir
from services.intake.sending import Journal, Outcome, Report, Sender, Source, open_source
from services.intake.sending.report import RefusalFile

app = typer.Typer()
_errors = Console(stderr=True, highlight=False)

Form = Literal["north", "south"]
_LINES_OF_A_BATCH: Final = 1000


def running_system(data: Path) -> tuple[str | None, dict[str, str]]:
    """Where intake answers and the police's keys by force, of the system that runs on a data directory."""
    status, keys = _read(data / "status.json"), _read(data / "keys.json")
    return status.get("intake", {}).get("url"), keys.get("police", {})


def _read(place: Path) -> dict[str, Any]:
    try:
        return dict(orjson.loads(place.read_bytes()))
    except (OSError, ValueError):
        return {}


@app.command(epilog="Example: waymark send --report refused.csv month.jsonl")
def send(
    file: Annotated[
        Path, typer.Argument(help="Incidents: JSON lines, one JSON object, a list; of a form also CSV.")
    ],
    url: Annotated[str | None, typer.Option(envvar="WAYMARK_INTAKE_URL", help="Where intake answers.")] = None,
    key: Annotated[str | None, typer.Option(envvar="WAYMARK_KEY", help="A key of role police.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="WAYMARK_DATA", help="Data directory of the system that runs here."),
    ] = None,
    form: Annotated[
        Form | None, typer.Option(help="The file holds this police form's own fields, as JSON or CSV.")
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Post a thousand lines at a time.")] = False,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk", help="A backfill: let everything else go first. Needs --batch, or a form's CSV."
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send everything, also what was answered before an interruption.")
    ] = False,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write what was refused and why: JSON lines, or CSV (*.csv)."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=500, help="Posts under way at one time.")] = 16,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to try one incident while the door cannot take it.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Post incidents to the door and say what became of each. Sending a file twice is safe.

    An interrupted sending goes on where it stopped when the same command is given again. Exit 1 where
    something was refused or could not be sent, 130 where it was interrupted.
    """
    found_url, found_keys = running_system((data or default_data_dir("up")).expanduser())
    address = url or found_url
    if address is None:
        _misused(
            "No system runs here. Start one with `waymark up`, say with --data DIR which data directory it"
            " runs on, or name one elsewhere with --url and --key."
        )
    if address != found_url:
        found_keys = {}  # a key of the system here is nobody else's business
    if key is None and not found_keys:
        _misused("No key: give one with --key or WAYMARK_KEY; `waymark keys create --role police` makes one.")
    if not file.is_file():
        _misused(f"There is no file {file}.")
    if (bulk and not batch and form is None) or (batch and form is not None):
        _misused("--bulk goes with --batch or a form's CSV, and --batch with incidents only.")
    sender = Sender(
        address,
        key=key,
        keys=found_keys,
        concurrency=concurrency,
        form=form,
        chunk=_LINES_OF_A_BATCH if batch else 0,
        bulk=bulk,
        patience_s=patience,
    )
    try:
        source = open_source(file, form=form is not None)
        journal = Journal.beside(file, digest=source.digest, to=sender.address, again=again)
        report = _send(sender, source, journal, report_file)
    except (OSError, ValueError) as error:
        _misused(str(error))
    except KeyboardInterrupt:
        _say(f"Stopped. What was answered is noted in {journal.place.name}: the same command sends the rest.")
        raise typer.Exit(130) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print("\n".join(report.lines()))  # noqa: T201
    if report.statuses["unsent"]:
        _say(f"{report.statuses['unsent']} were not sent. The same command sends them, --again everything.")
    if report.refused:
        raise typer.Exit(1)


def _send(sender: Sender, source: Source, journal: Journal, report_file: Path | None) -> Report:
    if journal.changed:
        _say(f"{source.path} has changed since it was sent in part: all of it is sent.")
    if journal.before:
        _say(f"Going on after {len(journal.before)} that were answered before.")
    refusals = RefusalFile(report_file) if report_file is not None else None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    finished = False
    try:
        journal.open()
    except OSError as error:
        _say(f"No journal can be kept ({error.strerror}): an interrupted sending would begin anew.")
    try:
        with Progress(
            *columns, TimeRemainingColumn(), console=_errors, transient=True, disable=not _errors.is_terminal
        ) as progress:
            task = progress.add_task("sending", total=max(1, source.path.stat().st_size))

            def to(done: int) -> None:
                progress.update(task, completed=done)

            def note(outcome: Outcome) -> None:
                if refusals is not None:
                    refusals.note(outcome)

            report = asyncio.run(sender.send(source, to, journal=journal, note=note))
        finished = report.statuses["unsent"] == 0
    finally:
        journal.close(finished=finished)
        if refusals is not None:
            refusals.close()
    return report


def _say(sentence: str) -> None:
    _errors.print(f"waymark: {sentence}", soft_wrap=True, markup=False)


def _misused(sentence: str) -> NoReturn:
    _say(sentence)
    raise typer.Exit(2)
