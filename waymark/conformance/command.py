"""`waymark check-sender`: tells a supplier whether their messages are good, and what each gap costs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.intake.forms import FormName
from services.triage.evaluate import WrongUse, choose_protocol
from services.triage.protocols import load_library
from shared.areas import load_areas
from waymark import terminal
from waymark.conformance.costs import Costs
from waymark.conformance.door import Door
from waymark.conformance.messages import NoMessages, is_address, messages_of
from waymark.conformance.naming import measure_naming
from waymark.conformance.rendering import report_lines
from waymark.conformance.schema import GoodSender
from waymark.conformance.verdict import Check


def check_sender(
    source: Annotated[
        str, typer.Argument(metavar="URL|FILE", help="Incidents: JSON lines, one JSON object, or a list.")
    ],
    form: Annotated[
        FormName | None, typer.Option(help="They hold this police form's own fields, as JSON or CSV.")
    ] = None,
    force: Annotated[
        str | None, typer.Option(help="The force whose key would be used: messages of another are refused.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Decide by this protocol (id or id/version). Otherwise each area's own.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Of a simulated month, month.truth.jsonl: how many seeded faults and gaps are named."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the whole report there, as Markdown.")
    ] = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Judge a supplier's messages without sending them: would each be taken, what in it cannot be read, what
    is missing, and which decisions rest on what is missing.

    Every message is decided offline as it is; nothing is stored, nothing is sent. The report names places
    and reasons, never what a message says of a person. Exit 1 where a message would be refused or has faults.

    Example: waymark check-sender --force northshire month.jsonl
    """
    areas, library = load_areas(), load_library()
    try:
        if protocol is not None:
            choose_protocol(library, protocol, areas.of(None, force or ""), datetime.now(UTC))
        if not is_address(source) and not Path(source).is_file():
            raise NoMessages(f"There is no file {source}.")
        check = Check(
            Door(now=datetime.now(UTC), force=force, form=form),
            Costs(library, areas, protocol),
            GoodSender() if form is None else None,  # a form has a mapping, not a schema
        )
        check.read(messages_of(source, form))
        naming = measure_naming(source, truth) if truth is not None else None
        if out is not None:
            out.write_text("\n".join(report_lines(check, naming, shown=None)) + "\n", encoding="utf-8")
    except (NoMessages, WrongUse) as trouble:
        terminal.fail(str(trouble), 2)
    except OSError as error:
        terminal.fail(f"{out} cannot be written: {error.strerror}.", 2)
    if as_json:
        named = {} if naming is None else {"naming": naming.as_json()}
        terminal.print_json({**check.as_json(), **named})
    else:
        print("\n".join(report_lines(check, naming)))  # noqa: T201
    if not check.passed:
        raise typer.Exit(1)
