"""`waymark records`: a council's register, from files."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import uuid4

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup

from services.enrichment.importing.files import Source, open_source
from services.enrichment.importing.journal import Journal, Task
from services.enrichment.importing.report import Remark, Report, ReportFile
from services.enrichment.importing.sender import Sender
from shared.contracts.base import read_moment, write_moment

_errors = Console(stderr=True, highlight=False)


class _ImportUnlessNamed(TyperGroup):
    """`waymark records FILE` is short for `waymark records import FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["import", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_ImportUnlessNamed,
    no_args_is_help=True,
    help="Send what social care knows of people and families.",
)


@app.callback()
def records() -> None:
    """Send what social care knows of people and families.

    Example: waymark records northbury-css.json --url http://127.0.0.1:8082 --key wmk_...
    """


@app.command("import", epilog="Example: waymark records import export/ --source northbury-css --whole")
def import_records(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder of people.csv, relationships.csv, involvement.csv (docs/records.md); one of them;"
            " JSON lines; or one waymark.records/1 document.",
            metavar="FILE|DIR",
        ),
    ],
    url: Annotated[str, typer.Option(envvar="WAYMARK_ENRICHMENT_URL", help="Where enrichment is.")],
    key: Annotated[str, typer.Option(envvar="WAYMARK_KEY", help="A council's key.")],
    source: Annotated[str | None, typer.Option(help="Whose records these are.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="When they were so (ISO 8601); else when the newest file was written.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="The whole register: who is not in it is forgotten at the end.")
    ] = False,
    empty: Annotated[bool, typer.Option("--empty", help="It may forget everybody.")] = False,
    fewer: Annotated[
        bool,
        typer.Option("--fewer", help="It may forget more than a fifth, or have entries that say not of whom."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew, also where an interrupted import could go on.")
    ] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write what was left out, and why, as CSV.")
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to try while enrichment is away.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Import a register in slices. Sending it twice is safe; a bad line spoils no other.

    An interrupted import goes on where it stopped when the same command is given again. Exit 1 where
    something was left out or refused, 2 for wrong use, 130 where it was interrupted.
    """
    if not path.exists():
        _misused(f"There is no file or folder {path}.")
    try:
        found = open_source(path)
        task = _task(found, f"{url.rstrip('/')}/v1/records", source, as_of, whole=whole)
        given = as_of is not None or "as_of" in found.head
        journal = Journal.beside(path, task, as_of_given=given, again=again)
        sender = Sender(url, key, empty=empty, fewer=fewer, patience_s=patience)
        report = _import(sender, found, journal, report_file)
    except (OSError, ValueError) as error:
        _misused(str(error))
    except KeyboardInterrupt:
        _say(f"Stopped. What was taken is noted in {journal.place.name}: the same command sends the rest.")
        raise typer.Exit(130) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        typer.echo("\n".join(report.lines()))
    if not report.well:
        raise typer.Exit(1)


def _task(found: Source, to: str, source: str | None, as_of: str | None, *, whole: bool) -> Task:
    said = found.head.get("source")
    if source is not None and said is not None and source != said:
        raise ValueError(f"{found.path} holds the records of another source than --source says.")
    name = source or said
    if not isinstance(name, str):
        raise ValueError("Say whose records these are with --source.")
    moment = as_of if as_of is not None else found.head.get("as_of")
    try:
        when: datetime = found.written_at if moment is None else read_moment(moment)
    except ValueError:
        raise ValueError("The moment (as_of) cannot be read: ISO 8601, as 2026-11-20T02:00:00Z.") from None
    return Task(
        found.digest, to, name, whole or found.head.get("whole") is True, write_moment(when), uuid4().hex
    )


def _import(sender: Sender, source: Source, journal: Journal, report_file: Path | None) -> Report:
    if journal.changed:
        _say("What was interrupted here before was another import: all of this one is sent.")
    if journal.before:
        _say(f"Going on after {len(journal.before)} slices that were taken before.")
    remarks = ReportFile(report_file) if report_file is not None else None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    finished = False
    try:
        journal.open()
    except OSError as error:
        _say(f"No journal can be kept ({error.strerror}): an interrupted import would begin anew.")
    try:
        with Progress(
            *columns, TimeRemainingColumn(), console=_errors, transient=True, disable=not _errors.is_terminal
        ) as progress:
            bar = progress.add_task("importing", total=max(1, source.size))

            def note(remark: Remark) -> None:
                if remarks is not None:
                    remarks.note(remark)

            def to(done: int) -> None:
                progress.update(bar, completed=done)

            report = asyncio.run(sender.send(source, journal, progress=to, note=note))
        finished = report.stopped is None
    finally:
        journal.close(finished=finished)
        if remarks is not None:
            remarks.close()
    return report


def _say(sentence: str) -> None:
    _errors.print(f"waymark: {sentence}", soft_wrap=True, markup=False)


def _misused(sentence: str) -> NoReturn:
    _say(sentence)
    raise typer.Exit(2)
