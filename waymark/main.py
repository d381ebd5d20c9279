"""The command line: puts the services' commands together with those that run and watch the system."""

from __future__ import annotations

import sys

import typer

from deploy.local import RuntimeTrouble
from shared.errors import WaymarkError
from waymark import access, reconcile, recovery, terminal, up

app = typer.Typer(
    name="waymark",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes police domestic-abuse incidents and gets each case to the service that can help.",
)
app.command("up")(up.up)
app.command("run")(up.run)
app.command("status")(up.status)
app.command("migrate")(up.migrate_database)
app.command("reconcile")(reconcile.reconcile)
app.add_typer(access.app, name="keys")
app.add_typer(recovery.app, name="dead-letters")


def main() -> None:
    """The console script. Exit status: 0 done, 1 found something wrong, 2 wrong use."""
    try:
        app()
    except (RuntimeTrouble, WaymarkError) as trouble:
        terminal.errors.print(f"waymark: {trouble}", soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
