"""Triage's part of the command line."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from services.triage.evaluate import (
    WrongUse,
    evaluate_incident,
    read_history,
    read_submissions,
)
from services.triage.protocols import load_library
from shared.areas import load_areas
from shared.contracts.base import read_moment
from shared.errors import BadSettings

app = typer.Typer(no_args_is_help=True)


def _moment(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        return read_moment(said)
    except ValueError:
        raise WrongUse(f"--as-of: {said!r} is not a date and time, such as 2026-11-21T01:15:02Z.") from None


@app.command(
    epilog="Example: waymark evaluate --protocol london-dvrim --history history.json --area northbury "
    "--as-of 2026-11-21T01:15:02Z incident.json"
)
def evaluate(
    incident: Annotated[
        list[Path], typer.Argument(help="Files of incidents: JSON, or JSON lines.", exists=True, dir_okay=False)
    ],
    protocol: Annotated[
        str | None, typer.Option(help="A protocol, by id or id/version. Otherwise the area's own.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="What was known before; for one incident.", exists=True, dir_okay=False)
    ] = None,
    area: Annotated[str | None, typer.Option(help="The deciding area. Otherwise the incident's.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="When deadlines begin. Otherwise when the incident was recorded.")
    ] = None,
) -> None:
    """Decide incidents offline and print each decision, with its receipt, as a line of JSON.

    Takes what the door takes: what cannot be read is named on standard error and treated as unknown.
    Exit status 1 where an incident was refused, 2 for wrong use.
    """
    refused = 0
    try:
        moment = _moment(as_of)
        known = read_history(history) if history is not None else None
        library, areas = load_library(), load_areas()
        submissions = [sent for path in incident for sent in read_submissions(path)]
        if known is not None and len(submissions) != 1:
            raise WrongUse(f"--history is of one incident; there are {len(submissions)}.")
        for sent in submissions:
            if sent.reading is None:
                refused += 1
                typer.echo(f"{sent.place}: {sent.refused}", err=True)
                continue
            for fault in sent.reading.faults:
                typer.echo(f"{sent.place}: {fault.at}: {fault.because}", err=True)
            decision = evaluate_incident(
                sent.reading.incident,
                known,
                library=library,
                areas=areas,
                protocol=protocol,
                area=area,
                as_of=moment,
            )
            sys.stdout.buffer.write(orjson.dumps(decision) + b"\n")
    except (WrongUse, BadSettings) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
