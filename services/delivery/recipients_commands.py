"""Delivery's part of the command line: `waymark recipients`."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer
from rich.console import Console
from rich.table import Table

from services.delivery.describing import SecretPlaces
from services.delivery.directory import directory_of, read_files, with_places
from services.delivery.domain import profile_table
from services.delivery.domain.access_rules import rules_for
from services.delivery.domain.recipients import Recipient
from services.delivery.sealing import Sealer
from shared.areas import load_areas
from shared.errors import BadSettings

app = typer.Typer(no_args_is_help=True, help="Who gets cases: check the files, make Kafka's access rules.")
_out = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)

Folder = Annotated[Path, typer.Argument(help="Folder of recipients' files.")]
AreasFolder = Annotated[Path, typer.Option("--areas", help="Folder of area files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.callback()
def recipients() -> None:
    """Who gets cases: check the files, make Kafka's access rules."""


@app.command()
def check(
    folder: Folder = Path("deploy/recipients"),
    areas: AreasFolder = Path("deploy/areas"),
    development: Annotated[
        bool, typer.Option("--development", help="As WAYMARK_ALLOW_LOOPBACK: secrets may be missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check recipients' files: each fault with its file and line. Exit status 1 where there is one.

    Secrets in files are looked at; those in the environment are not, which is the service's own.

    Example: waymark recipients check deploy/recipients
    """
    found, faults = _read(folder, areas, development)
    if as_json:
        sys.stdout.buffer.write(
            orjson.dumps({"recipients": len(found), "faults": faults}, option=orjson.OPT_INDENT_2) + b"\n"
        )
    else:
        for fault in faults:
            _out.print(fault, soft_wrap=True)
        if not faults:
            kinds = Counter(channel.kind for one in found for channel in one.channels)
            _out.print(
                f"{len(found)} recipients, "
                + ", ".join(f"{count} by {kind}" for kind, count in sorted(kinds.items()))
                + ": no fault."
            )
    if faults:
        raise typer.Exit(1)


@app.command("access-rules")
def access_rules(
    folder: Folder = Path("deploy/recipients"),
    areas: AreasFolder = Path("deploy/areas"),
    bootstrap: Annotated[str, typer.Option(help="The broker, as HOST:PORT.")] = "localhost:9092",
    as_json: AsJson = False,
) -> None:
    """Print Kafka's access rules, made from the table of topics and the recipients that have one: lines for
    Kafka's own kafka-acls, or JSON.

    Example: waymark recipients access-rules --bootstrap kafka.example:9093 > rules.sh
    """
    found, faults = _read(folder, areas, development=True)
    if faults:
        for fault in faults:
            _errors.print(f"[bold red]waymark:[/] {fault}", soft_wrap=True)
        raise typer.Exit(1)
    rules = rules_for(found)
    if as_json:
        document = [
            {
                "user": rule.user,
                "operations": list(rule.operations),
                rule.resource: rule.name,
                "prefixed": rule.prefixed,
            }
            for rule in rules
        ]
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for rule in rules:
        line = ["kafka-acls.sh", "--bootstrap-server", bootstrap, *rule.arguments()]
        sys.stdout.write(shlex.join(line) + "\n")


@app.command("list")
def list_recipients(
    folder: Folder = Path("deploy/recipients"), areas: AreasFolder = Path("deploy/areas")
) -> None:
    """List the recipients of the files: role, areas, channels in their order.

    Example: waymark recipients list deploy/recipients
    """
    found, faults = _read(folder, areas, development=True)
    table = Table()
    for column in ("id", "role", "areas", "channels", "hours", "escalates to"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(
            one.id,
            one.role,
            ", ".join(one.areas),
            ", ".join(channel.kind for channel in one.channels),
            "always" if one.always_open else "office",
            ", ".join(one.escalate_to),
        )
    _out.print(table)
    if faults:
        _misread(faults)


def _misread(faults: list[str]) -> NoReturn:
    _errors.print(f"[bold red]waymark:[/] {len(faults)} faults; `waymark recipients check` names them.")
    raise typer.Exit(1)


class _AnySecret(dict[str, str]):
    """An environment in which every variable is set: where files are checked is not where the service runs."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return "whsec_" + "A" * 32


def _read(folder: Path, areas: Path, development: bool) -> tuple[list[Recipient], list[str]]:
    try:
        known = load_areas(areas)
        secrets = SecretPlaces(_AnySecret(), folder, Sealer(None))
        filed, faults = read_files(folder, secrets, allow_loopback=development)
    except BadSettings as error:
        _errors.print(f"[bold red]waymark:[/] {error}", soft_wrap=True)
        raise typer.Exit(2) from None
    found = [one.recipient for one in filed]
    faults += with_places(directory_of(found, known).faults(), filed)
    faults += with_places(
        [
            f"{one.id} answers for {area}, which no file in {areas} describes."
            for one in found
            for area in one.areas
            if known.get(area) is None
        ],
        filed,
    )
    return found, faults


@app.command()
def contracts(
    folder: Annotated[Path, typer.Argument(help="Where to write the files.")] = Path("docs/recipients"),
) -> None:
    """Write what recipients build against: the AsyncAPI 3 document and a JSON Schema per message.

    Example: waymark recipients contracts docs/recipients
    """
    from services.delivery.publishing import published

    folder.mkdir(parents=True, exist_ok=True)
    for name, document in published().items():
        (folder / name).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        _errors.print(f"{folder / name}", soft_wrap=True)


@app.command()
def profiles(
    out: Annotated[Path, typer.Option("-o", "--out", help="The page to write.")] = Path("docs/need-to-know.md"),
) -> None:
    """Write what each role sees, field by field, as a page.

    Example: waymark recipients profiles -o docs/need-to-know.md
    """
    out.write_text(profile_table.page(), encoding="utf-8")
    _errors.print(f"{out}", soft_wrap=True)
