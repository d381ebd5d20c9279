"""The command line: puts the services' commands together with those that run and watch the system.

What a command needs is imported when it is called: importing it all takes three seconds, and help should
not.
"""

from __future__ import annotations

import importlib
import logging
import sys
from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import TyperGroup

from shared.errors import WaymarkError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command stands, and what the list of commands says of it. `function`: that of a command by
    itself; without one the module's `app` is the command, or has it among others (`shared`)."""

    module: str
    summary: str
    function: str | None = None
    shared: bool = False


COMMANDS: Final = {
    "demo": Place(
        "waymark.demo.command", "A simulated month through the whole system, on this machine.", "demo"
    ),
    "up": Place("waymark.up", "Run the whole system in this terminal, until stopped.", "up"),
    "status": Place("waymark.up", "What runs: addresses, process ids, health.", "status"),
    "keys": Place("waymark.access", "Callers' keys: create, list, rotate, revoke."),
    "send": Place(
        "services.intake.commands", "Post incidents from a file and say what became of each.", shared=True
    ),
    "check-sender": Place(
        "waymark.conformance.command", "Judge a supplier's messages without sending them.", "check_sender"
    ),
    "records": Place(
        "services.enrichment.importing.command", "Send what social care knows of people and families."
    ),
    "link": Place(
        "services.enrichment.commands",
        "Who of known people is each one asked for, weight by weight.",
        shared=True,
    ),
    "train-linkage": Place(
        "services.enrichment.commands", "Learn the linkage's weights from files of people.", shared=True
    ),
    "receive": Place(
        "services.delivery.commands", "A sandbox recipient that verifies and shows what comes.", shared=True
    ),
    "recipients": Place(
        "services.delivery.recipients_commands", "Who gets cases: check the files, make Kafka's access rules."
    ),
    "evaluate": Place("services.triage.commands", "Decide incidents offline, as lines of JSON.", shared=True),
    "explain": Place(
        "services.triage.commands",
        "A decision in plain English, from here or a file.",
        shared=True,
    ),
    "protocols": Place(
        "services.triage.protocols.commands", "The routing systems: list, show, check a file, prove."
    ),
    "compare": Place(
        "waymark.compare.command",
        "The same cases under several protocols: table, JSON, a page.",
        "compare_command",
    ),
    "simulate": Place(
        "waymark.simulate.commands", "Make a month of police incidents, with the truth beside it.", shared=True
    ),
    "reconcile": Place(
        "waymark.reconcile", "Check that every accepted revision is accounted for.", "reconcile"
    ),
    "dead-letters": Place("waymark.recovery", "What could not be handled: list, show, send again."),
    "replay": Place(
        "waymark.replay", "Send once more what went out before; shows what it would send first.", "replay"
    ),
    "audit": Place("waymark.audit", "Who looked at which case, and who did what to it.", "audit"),
    "bench": Place("waymark.bench.command", "Measure, with the baselines in the same run."),
    "run": Place("waymark.up", "Run one service, as in production.", "run"),
    "migrate": Place("waymark.up", "Bring the database's roles and tables up to date.", "migrate_database"),
}
"""In the order in which somebody meets them."""


_STYLE: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _OnDemand(TyperGroup):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = COMMANDS.get(cmd_name)
        return None if place is None else load(cmd_name, place)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])


def load(name: str, place: Place) -> Any:
    """The command itself."""
    module = importlib.import_module(place.module)
    frame = typer.Typer(**_STYLE)
    frame.callback()(waymark)
    if place.function is not None:
        frame.command(name)(getattr(module, place.function))
    elif place.shared:
        frame.registered_commands += module.app.registered_commands
    else:
        frame.add_typer(module.app, name=name)
    group = typer.main.get_command(frame)
    assert isinstance(group, TyperGroup)  # noqa: S101 (it has a callback)
    return group.commands[name]


def waymark() -> None:
    """Takes police domestic-abuse incidents and gets each case to the service that can help."""


app = typer.Typer(name="waymark", cls=_OnDemand, no_args_is_help=True, **_STYLE)
app.callback()(waymark)


def main() -> None:
    """The console script. Exit status: 0 done, 1 found something wrong, 2 wrong use."""
    # What the Kafka client says while it waits for a broker is told in our own words where it matters.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except WaymarkError as trouble:
        sys.stderr.write(f"waymark: {trouble}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
