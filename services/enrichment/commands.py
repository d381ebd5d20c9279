"""Enrichment's part of the command line."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from services.enrichment.offline import link_files, load_model
from services.enrichment.training import read_told, train
from shared.errors import BadSettings

app = typer.Typer(no_args_is_help=True)


@app.command("link")
def link(
    records: Annotated[
        Path,
        typer.Option(help="People who are known: JSON lines, each with an id.", exists=True, dir_okay=False),
    ],
    queries: Annotated[
        Path,
        typer.Option(
            help="People asked for, likewise; `incident` marks people of one incident.",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Where the links go; else printed.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Weights of your own (waymark train-linkage).", exists=True, dir_okay=False),
    ] = None,
    look_alikes: Annotated[
        Literal["as-seen", "keep-apart", "weigh"],
        typer.Option(
            help="keep-apart: twins, siblings, parent and child of one name and people at one address are "
            "never one, whatever the weights say. as-seen: likewise, but where a thousand people and more "
            "have no kin in either file, people of 25 and more are told apart by the weights. weigh: all are."
        ),
    ] = "as-seen",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one JSON document (needs -o).")
    ] = False,
) -> None:
    """Who of the records is each query: same, likely (a person should look) or new, with every weight.

    Runs offline: no broker, no database. A line that is no person is left out and named by its number.
    Exit 1 where lines were left out.

    Example: waymark link --records register.jsonl --queries asked.jsonl -o links.jsonl
    """
    if as_json and out is None:
        raise typer.BadParameter("the links are printed already: give -o too", param_hint="--json")
    try:
        weights = load_model(model)
    except BadSettings as bad:
        raise typer.BadParameter(str(bad), param_hint="--model") from bad
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        tasks = {
            name: bar.add_task(f"Reading {name}", total=path.stat().st_size)
            for name, path in (("records", records), ("queries", queries))
        }
        write: IO[bytes] = sys.stdout.buffer
        if out is not None:
            try:
                write = stack.enter_context(out.open("wb"))
            except OSError as error:
                raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--out") from None
        outcome = link_files(
            records,
            queries,
            write,
            weights,
            keep_apart=look_alikes != "weigh",
            today=datetime.now(UTC).date() if look_alikes == "as-seen" else None,
            progress=lambda part, done: bar.update(tasks[part], completed=done),
        )
        write.flush()
    told = outcome.as_json()
    for bad_line in told["bad"]:
        typer.echo(f"Left out: {bad_line['file']}, line {bad_line['line']}: {bad_line['because']}.", err=True)
    if as_json:
        typer.echo(orjson.dumps(told).decode())
    else:
        counts = ", ".join(f"{told[name]} {name}" for name in ("same", "likely", "new"))
        typer.echo(f"{told['queries']} queries against {told['records']} records: {counts}.", err=True)
        if outcome.weighed and look_alikes == "as-seen":
            typer.echo(
                "Nobody in the files has kin there: grown look-alikes were weighed (--look-alikes).", err=True
            )
    if told["bad"]:
        raise typer.Exit(1)


@app.command("train-linkage")
def train_linkage(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="People as JSON lines, with `truth` where it is known; or a month of waymark simulate.",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the model file goes.")],
    by: Annotated[
        Literal["counting", "splink"],
        typer.Option(
            help="counting: where the truth is told. splink: by expectation maximisation, without it."
        ),
    ] = "counting",
) -> None:
    """Learn the linkage's weights from files of people, and write a model file of Splink's shape.

    Example: waymark train-linkage month.jsonl -o model.json
    """
    try:
        document = train(read_told(files), by=by)
        out.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    except BadSettings as bad:
        typer.echo(str(bad), err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--out") from None
    typer.echo(f"Learnt by {by} from {document['waymark']['trained']['people']} people: {out}", err=True)
