"""`waymark protocols`: the library of protocols, the checker, the proofs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import orjson
import typer
from rich.console import Console
from rich.table import Table

from services.triage.domain.proofs import STATEMENTS, prove
from services.triage.domain.protocol import Protocol
from services.triage.protocols import LIBRARY, Library, load_library
from services.triage.protocols.checking import Report, check_file, worst
from services.triage.protocols.choices import unfit_choices
from services.triage.protocols.published import add_published, edited, read_published
from services.triage.protocols.reference import Uncovered, coverage_page, facts_page
from services.triage.protocols.wording import say_protocol
from shared.areas import AREAS, load_areas
from shared.errors import BadSettings

app = typer.Typer(
    no_args_is_help=True, help="The library of protocols: list, show, check, prove; reference pages."
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
_PIPED: Final = 160
_STYLES: Final = {"refused": "bold red", "mend": "yellow", "note": "dim"}


@app.callback()
def protocols() -> None:
    """The library of protocols: list, show, check, prove; reference pages."""


@app.command(name="list", epilog="Example: waymark protocols list")
def list_(json: JsonOption = False) -> None:
    """Every protocol that can be chosen, with the safeguards that hold under each."""
    library = _library()
    rows: list[dict[str, Any]] = [
        {
            "id": one.id, "version": one.version, "title": one.title, "source": one.source,
            "in_force_from": one.in_force_from.isoformat(), "rules": len(one.rules), "digest": one.digest,
        }
        for one in _all(library)
    ]  # fmt: skip
    if json:
        _print_json({"protocols": rows})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("protocol", "title", "rules", "source"):
        table.add_column(column, justify="right" if column == "rules" else "left")
    for row in rows:
        table.add_row(f"{row['id']}/{row['version']}", row["title"], str(row["rules"]), row["source"])
    _out().print(table)


@app.command(epilog="Example: waymark protocols show london-dvrim")
def show(
    protocol: Annotated[str, typer.Argument(help="By id, or id/version.")], json: JsonOption = False
) -> None:
    """A protocol's rules in plain words, each with its reason and its source."""
    found = _named(_library(), protocol)
    rows = say_protocol(found)
    if json:
        keys = ("rule", "says", "because", "source")
        rules = [dict(zip(keys, row, strict=True)) for row in rows]
        _print_json(
            {"protocol": found.ref, "title": found.title, "source": found.source, "digest": found.digest}
            | {"rules": rules}
        )
        return
    out = _out()
    out.print(f"[bold]{found.ref}[/]  {found.title}  [dim]{found.source}[/]\n")
    table = Table(box=None, pad_edge=False, show_lines=False)
    for column in ("rule", "says", "because", "source"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


@app.command(epilog="Example: waymark protocols check my-board.v1.yaml")
def check(
    file: Annotated[
        list[Path], typer.Argument(help="Protocol files; each with its .cases.yaml beside it.", exists=True,
                                   dir_okay=False)
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Notes count as faults.")] = False,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Break each rule in turn and see whether the cases notice.")
    ] = False,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Check protocol files: every fault with its line and what to write instead, cases, proofs.

    Exit status 1 where something is refused or to be mended.
    """
    safeguards = _library().safeguards
    reports = [check_file(path, safeguards, mutants=mutants) for path in file]
    status = worst(reports)
    if strict and any(report.remarks for report in reports):
        status = 1
    if json:
        _print_json({"files": [report.as_data() for report in reports], "good": status == 0})
    else:
        for report in reports:
            _print_report(report)
    raise typer.Exit(status)


@app.command(name="prove", epilog="Example: waymark protocols prove london-dvrim; without a name, all of them")
def prove_(
    protocol: Annotated[list[str] | None, typer.Argument(help="By id or id/version; otherwise all.")] = None,
    json: JsonOption = False,
) -> None:
    """Prove for each protocol that it only ever raises, and that no level hangs on who somebody is (S12).

    Exit status 1 where a statement does not hold; each counterexample is printed.
    """
    library = _library()
    chosen = [_named(library, name) for name in protocol or ()] or _all(library)
    proofs = [prove(one, library.safeguards) for one in chosen]
    status = 0 if all(proof.holds for proof in proofs) else 1
    if json:
        _print_json({"holds": status == 0, "proofs": [proof.as_data() for proof in proofs]})
        raise typer.Exit(status)
    out = _out()
    for number, said in enumerate(STATEMENTS.values(), start=1):
        out.print(f"{number}. {said}")
    table = Table(box=None, pad_edge=False)
    table.add_column("protocol")
    table.add_column("rules", justify="right")
    for number in range(1, len(STATEMENTS) + 1):
        table.add_column(str(number))
    table.add_column("combinations tried", justify="right")
    for proof in proofs:
        marks = ["[green]proved[/]" if one.holds else "[bold red]broken[/]" for one in proof.statements]
        table.add_row(
            proof.protocol, str(proof.rules), *marks, f"{sum(one.tried for one in proof.statements):,}"
        )
    out.print(table)
    for proof in proofs:
        for statement in proof.statements:
            for one in statement.against:
                out.print(
                    f"[bold red]{proof.protocol}[/] {statement.says} {one.at}: {one.because}: {one.facts}"
                )
        if proof.by_parts:
            out.print(f"[dim]{proof.protocol}: proved by their parts: {', '.join(proof.by_parts)}[/]")
    raise typer.Exit(status)


PageOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write the page here.", dir_okay=False)]


@app.command(epilog="Example: waymark protocols facts -o docs/protocols/facts.md")
def facts(out: PageOption = None) -> None:
    """The vocabulary of facts as a reference page: meaning, unit, where from, direction of risk, source."""
    _page(facts_page(_library()), out)


@app.command(epilog="Example: waymark protocols coverage -o docs/protocols/coverage.md")
def coverage(out: PageOption = None) -> None:
    """Rule by rule which case shows it, both ways, and which lines of which source it rests on.

    Exit status 1 where a rule has no case both ways.
    """
    try:
        _page(coverage_page(_library()), out)
    except Uncovered as uncovered:
        _wrong(str(uncovered), 1)


@app.command(epilog="Example: waymark protocols areas --areas deploy/areas")
def areas(
    folder: Annotated[
        Path, typer.Option("--areas", help="The folder of areas.", exists=True, file_okay=False)
    ] = AREAS,
    json: JsonOption = False,
) -> None:
    """Check what each area decides by: there is such a protocol, and it is none kept to compare with.

    Exit status 1 where a choice cannot stand.
    """
    try:
        chosen = load_areas(folder)
    except BadSettings as bad:
        _wrong(str(bad), 1)
    faults = list(unfit_choices(_library(), chosen))
    if json:
        live = {area.id: area.rules.protocol.live for area in chosen.by_id.values()}
        _print_json({"areas": live, "faults": faults, "good": not faults})
    else:
        for area in chosen.by_id.values():
            typer.echo(f"{area.id}: decided by {area.rules.protocol.live}")
        for fault in faults:
            typer.echo(fault, err=True)
    raise typer.Exit(1 if faults else 0)


def _page(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@app.command(epilog="Example: waymark protocols publish")
def publish() -> None:
    """Write down what each new version of the library says, by its digest; from then on it is never edited.

    Refuses (exit status 1) while a file is not good, or one that was published has been edited. A board's
    own protocols, in WAYMARK_PROTOCOLS, are published by two persons of two agencies over HTTP.
    """
    library = _library()
    everything = _all(library)
    wrong = [line for line in edited(everything, read_published()) if "edited" in line]
    for one in everything:
        report = check_file(LIBRARY / f"{one.id}.v{one.version}.yaml", library.safeguards)
        wrong += [f"{r.file}, line {r.line}: {r.message}" for r in report.remarks if r.severity != "note"]
    if wrong:
        _wrong("\n".join(wrong), 1)
    added = add_published(everything)
    typer.echo(f"Published: {', '.join(added)}." if added else "Everything was published already.")


def _print_report(report: Report) -> None:
    out = _out()
    for one in report.remarks:
        style = _STYLES[one.severity]
        out.print(f"{one.file}, line {one.line}: [{style}]{one.severity}[/] ({one.kind}) ", end="")
        out.print(one.message, markup=False)
    if report.protocol is None:
        out.print(f"[bold red]{report.file} is not taken.[/]")
        return
    proved = "proved" if report.proof is not None and report.proof.holds else "not proved"
    verdict = "[green]good[/]" if report.good else "[yellow]to be mended[/]"
    out.print(
        f"{report.file}: {verdict}; {len(report.protocol.rules)} rules, {report.cases} cases, "
        f"only raises: {proved}"
    )
    if report.mutants is not None:
        told = {name: report.mutants[name] for name in ("cases", "refused", "proofs", "equivalent", "survived")}
        noticed = ", ".join(f"{name} {count}" for name, count in told.items())
        out.print(f"{report.mutants['mutants']} mutants: {noticed}")


def _library() -> Library:
    try:
        return load_library()
    except BadSettings as bad:
        _wrong(str(bad), 1)


def _all(library: Library) -> list[Protocol]:
    return [*library.protocols.values(), library.safeguards]


def _named(library: Library, name: str) -> Protocol:
    found = library.get(name)
    if found is None and name.split("/")[0] == library.safeguards.id:
        found = library.safeguards
    if found is None:
        _wrong(f"There is no protocol {name}. There is: {', '.join(one.ref for one in _all(library))}.", 2)
    return found


def _wrong(sentence: str, status: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str) + b"\n")
    sys.stdout.flush()


def _out() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED, soft_wrap=False)
