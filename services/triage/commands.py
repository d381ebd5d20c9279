"""Triage's part of the command line."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import orjson
import typer

from deploy.local import default_data_dir
from services.triage.evaluate import (
    WrongUse,
    evaluate_incident,
    read_history,
    read_submissions,
)
from services.triage.explaining import explain as explain_decision
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
    area: Annotated[
        str | None,
        typer.Option(help="The deciding area. Otherwise where a child lives, the victim, or it happened."),
    ] = None,
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


@app.command(
    epilog="Example: waymark explain northshire/NS-2026-014532 --key KEY; or waymark explain decision.json"
)
def explain(
    case: Annotated[str, typer.Argument(help="A case's id, or a file of decisions (as evaluate prints).")],
    url: Annotated[str | None, typer.Option(envvar="WAYMARK_TRIAGE_URL", help="Where triage answers.")] = None,
    key: Annotated[str | None, typer.Option(envvar="WAYMARK_KEY", help="A person's key.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="WAYMARK_DATA", help="Data directory of the system that runs."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the decision as one JSON document.")] = False,
) -> None:
    """Say a decision in plain English: what, why, who is told, what is not known, who has to look.

    Exit status 1 where there is no such case in your areas, 2 for wrong use.
    """
    try:
        if Path(case).is_file():
            decisions = read_decisions(Path(case))
        else:
            decisions = [asyncio.run(_ask(case, url or _triage_of(data), key))]
        if json:
            document = decisions[0] if len(decisions) == 1 else {"decisions": decisions}
            sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        else:
            typer.echo("\n".join(_told(one, case) for one in decisions), nl=False)
    except WrongUse as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def read_decisions(path: Path) -> list[dict[str, Any]]:
    """The decisions of a file: one JSON document, or JSON lines. Raises WrongUse."""
    content = path.read_bytes()
    try:
        found = [orjson.loads(content)]
    except orjson.JSONDecodeError:
        try:
            found = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise WrongUse(f"{path} is not JSON: {error}.") from None
    if not found or any(not isinstance(one, dict) or "receipt" not in one for one in found):
        raise WrongUse(f"{path} holds no decisions: what `waymark evaluate` prints is one.")
    return found


def _told(decision: dict[str, Any], place: str) -> str:
    try:
        return explain_decision(decision)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongUse(f"{place} holds a decision that cannot be read: look at {error}.") from None


def _triage_of(data: Path | None) -> str:
    place = (data or default_data_dir("up")).expanduser() / "status.json"
    try:
        return str(orjson.loads(place.read_bytes())["triage"]["url"])
    except (OSError, orjson.JSONDecodeError, KeyError):
        raise WrongUse(
            "There is no file of that name, and no system runs here to ask: start one with `waymark up`, or "
            "name one with --url."
        ) from None


async def _ask(case: str, url: str, key: str | None) -> dict[str, Any]:
    if key is None:
        raise WrongUse("A case is shown to a person of its areas: give your key with --key or WAYMARK_KEY.")
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http,
            http.get(f"{url}/v1/cases/{quote(case, safe='/')}", headers=headers) as answer,
        ):
            said = orjson.loads(await answer.read())
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        raise WrongUse(f"Nothing answers at {url}.") from None
    if status != 200:
        typer.echo(str(said.get("detail") or said.get("title") or status), err=True)
        raise typer.Exit(1)
    decision: dict[str, Any] = said["decision"]
    return decision


if __name__ == "__main__":
    app()
