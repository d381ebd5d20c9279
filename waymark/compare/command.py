"""`waymark compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from services.triage.domain.protocol import Protocol
from services.triage.evaluate import WrongUse, read_submissions
from services.triage.protocols import Library, load_library
from services.triage.protocols.wording import named
from shared import vocabulary as v
from shared.areas import load_areas
from waymark import terminal
from waymark.compare.decisions import decide_all, gather_cases
from waymark.compare.figures import compare, share
from waymark.compare.page import write_page
from waymark.compare.shares import shares
from waymark.compare.shares import shares_page as write_shares
from waymark.terminal import JsonOption


def compare_command(
    incidents: Annotated[
        Path, typer.Option(help="Incidents: JSON, or JSON lines.", exists=True, dir_okay=False)
    ],
    protocols: Annotated[
        str,
        typer.Option(help="Protocols by id or id/version, with commas; or all. Moves count from the first."),
    ] = "all",
    html: Annotated[Path | None, typer.Option(help="Write the page with pictures here.")] = None,
    shares_page: Annotated[
        Path | None, typer.Option("--shares", help="Write the table of who needs a person's look here.")
    ] = None,
    lessons: Annotated[
        Path | None,
        typer.Option(help="HTML put first on the page: what it teaches.", exists=True, dir_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The same cases under several protocols: volumes, who moves and why, who would be missed, hours.

    What a file's incidents tell of one another is their history; nothing else is known. Exit status 1 where
    a case that must be escalated is missed.
    Example: waymark compare --protocols north-2007,london-dvrim --incidents month.jsonl --html compare.html
    """
    library = load_library()
    chosen = _choose(library, protocols)
    try:
        sent = list(read_submissions(incidents))
    except WrongUse as wrong:
        terminal.fail(str(wrong), 2)
    refused = [one for one in sent if one.reading is None]
    for one in refused:
        terminal.errors.print(f"{one.place}: {one.refused}")
    cases = gather_cases(one.reading.incident for one in sent if one.reading is not None)
    if not cases:
        terminal.fail(f"There is no incident in {incidents} that can be read.", 2)
    with Progress(console=terminal.errors, transient=True, disable=not terminal.errors.is_terminal) as progress:
        task = progress.add_task("Deciding", total=len(cases))
        decided = decide_all(
            chosen, cases, library, load_areas(), lambda done: progress.update(task, completed=done)
        )
    document = compare(chosen, decided, cases) | {"refused": len(refused)}
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(
            write_page(document, lessons.read_text(encoding="utf-8") if lessons else ""), encoding="utf-8"
        )
        terminal.errors.print(f"The page is at {html}", soft_wrap=True)
    if shares_page is not None:
        page = write_shares(shares(chosen, decided), f"{len(cases)} incidents of {incidents.name}")
        shares_page.write_text(page, encoding="utf-8")
        terminal.errors.print(f"The table is at {shares_page}", soft_wrap=True)
    if as_json:
        terminal.print_json(document)
    else:
        _show(document)
    sys.stdout.flush()
    if any(one["must_escalate"]["missed"] for one in document["protocols"]):
        raise typer.Exit(1)


def _choose(library: Library, said: str) -> list[Protocol]:
    if said == "all":
        return list(library.protocols.values())
    chosen = []
    for name in (part.strip() for part in said.split(",") if part.strip()):
        found = library.get(name)
        if found is None:
            terminal.fail(f"There is no protocol {name}. There is: {', '.join(sorted(library.protocols))}.", 2)
        chosen.append(found)
    if not chosen:
        terminal.fail("Name at least one protocol, or all.", 2)
    return chosen


def _show(document: dict[str, Any]) -> None:
    terminal.out.print(
        f"{document['incidents']} incidents, {document['repeats']} of them of a family met before; moves "
        f"count from {document['compared_with']}"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("protocol", no_wrap=True)
    heads = [*(named(rung) for rung in v.CSS_RESPONSES), "MARAC", "up", "down", "missed by itself", "missed",
             "repeats caught", "a person looks", "hours"]  # fmt: skip
    for head in heads:
        table.add_column(head, justify="right")
    for one in document["protocols"]:
        must, repeats = one["must_escalate"], one["repeats"]
        table.add_row(
            one["protocol"],
            *(str(one["css_response"][rung]) for rung in v.CSS_RESPONSES),
            str(one["services"].get("marac", 0)),
            str(one["moves"]["up"]),
            str(one["moves"]["down"]),
            f"{must['missed_by_itself']} of {must['of']}",
            str(must["missed"]),
            f"{repeats['caught']} of {repeats['of']}",
            share(one["looked_at"], document["incidents"]),
            f"{one['hours']['total']:,.0f}",
        )
    terminal.out.print(table)
    terminal.out.print(
        "\nLed nowhere (less than early help), beside the study of 2009: by the protocol itself, then with the "
        "safeguards"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("protocol")
    names = {
        "all": "all",
        "high": "rated high",
        "pregnant": "pregnant",
        "injured": "injury",
        "weapon": "weapon",
    }
    for head in names.values():
        table.add_column(head, justify="right")
    study = document["study"]
    table.add_row("the study", *(f"{study[n]['nowhere']} of {study[n]['of']}" for n in names))
    for one in document["protocols"]:
        found = one["nowhere"]
        table.add_row(
            one["protocol"],
            *(f"{found[n]['by_itself']}, {found[n]['nowhere']} of {found[n]['of']}" for n in names),
        )
    terminal.out.print(table)
    for one in document["protocols"]:
        if one["moves"]["why"]:
            why = "; ".join(f"{w['rule']} ({w['cases']} {w['moves']})" for w in one["moves"]["why"][:3])
            terminal.out.print(f"[dim]{one['protocol']} moves by {why}[/]", soft_wrap=True)
