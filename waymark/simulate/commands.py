"""`waymark simulate`: writes a simulated month to files."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from shared.errors import BadSettings
from waymark.simulate.month import DEFAULT_MONTH, Month, simulate
from waymark.simulate.profile import load_profile

app = typer.Typer(no_args_is_help=True)


@app.command(
    name="simulate",
    epilog="Example: waymark simulate --incidents 251 --seed 2007 --profile nspcc-2009 -o month.jsonl",
)
def simulate_command(
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="Where the incidents go, one JSON object a line; month.jsonl has month.truth.jsonl beside it.",
        ),
    ],
    incidents: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many incidents.")] = 251,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 2007,
    profile: Annotated[str, typer.Option(help="Whose figures the month follows.")] = "nspcc-2009",
    month: Annotated[str, typer.Option(help="The month in which they are reported, as YYYY-MM.")] = (
        f"{DEFAULT_MONTH:%Y-%m}"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print a summary as one JSON document.")] = False,
) -> None:
    """Make a month of police incidents with the shares of a published source, and the truth beside it.

    Writes three files of JSON lines. With -o month.jsonl: month.jsonl (what the police send),
    month.truth.jsonl (who is truly who, and every error that was made, with its place) and
    month.records.jsonl (what each council's social care knows, a document each).
    """
    first = _read_month(month)
    try:
        figures = load_profile(profile)
    except BadSettings as bad:
        raise typer.BadParameter(str(bad), param_hint="--profile") from bad
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Writing incidents", total=incidents)
        made = simulate(figures, incidents, seed, first, lambda done: progress.update(task, completed=done))
    try:
        files = write_month(made, out)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--out") from None
    summary = summarise(made, files)
    if json:
        sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
        return
    for kind, path in files.items():
        typer.echo(f"{kind:<10} {path}")
    typer.echo(
        f"{summary['incidents']} incidents of {summary['families']} families with "
        f"{summary['children']} children; "
        f"{sum(summary['errors'].values())} errors and {sum(summary['faults'].values())} faults among them."
    )
    last = max(one["recorded_at"] for one in made.incidents)
    if datetime.fromisoformat(last) > datetime.now(UTC):
        console.print(f"Some are recorded in the future (the last at {last}): the door will name those dates.")


def _read_month(said: str) -> date:
    try:
        return date.fromisoformat(f"{said}-01")
    except ValueError:
        raise typer.BadParameter("give a month as YYYY-MM, such as 2026-10", param_hint="--month") from None


def write_month(month: Month, out: Path) -> dict[str, str]:
    """Write the three files; gives their paths by what they hold. Raises OSError where it cannot."""
    stem = out.with_suffix("") if out.suffix in (".jsonl", ".json", ".ndjson") else out
    suffix = out.suffix if stem != out else ".jsonl"
    files = {
        "incidents": (out, month.incidents),
        "truth": (Path(f"{stem}.truth{suffix}"), [*month.truth, *month.known]),
        "records": (Path(f"{stem}.records{suffix}"), list(month.records.values())),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, lines in files.values():
        path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return {kind: str(path) for kind, (path, _) in files.items()}


def summarise(month: Month, files: dict[str, str]) -> dict[str, Any]:
    """Counts of what a month holds, without anybody's details."""
    return {
        "incidents": len(month.incidents),
        "families": len({true["family"] for true in month.truth}),
        "children": sum(len(one["children"]) for one in month.incidents),
        "by_area": dict(sorted(Counter(one["area"] for one in month.incidents).items())),
        "violence_level": dict(sorted(Counter(true["violence_level"] for true in month.truth).items())),
        "errors": dict(
            sorted(Counter(error["error"] for true in month.truth for error in true["errors"]).items())
        ),
        "faults": dict(
            sorted(Counter(fault["fault"] for true in month.truth for fault in true["faults"]).items())
        ),
        "known_to_councils": len(month.known),
        "first_reported": min(one["occurred_at"] for one in month.incidents),
        "last_recorded": max(one["recorded_at"] for one in month.incidents),
        "files": files,
    }
