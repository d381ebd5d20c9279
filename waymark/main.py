"""The command line: puts the services' commands together with those that run and watch the system."""

from __future__ import annotations

import logging
import sys

import typer

from deploy.local import RuntimeTrouble
from services.delivery import commands as delivery
from services.enrichment import commands as enrichment
from services.intake import commands as intake
from services.triage import commands as triage
from shared.errors import WaymarkError
from waymark import access, reconcile, recovery, terminal, up
from waymark.bench import command as bench
from waymark.conformance import command as conformance
from waymark.demo import command as demo
from waymark.simulate import commands as simulate

app = typer.Typer(
    name="waymark",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes police domestic-abuse incidents and gets each case to the service that can help.",
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("run")(up.run)
app.command("status")(up.status)
app.command("migrate")(up.migrate_database)
app.command("reconcile")(reconcile.reconcile)
app.command("check-sender")(conformance.check_sender)
for part in (intake, enrichment, simulate, triage, delivery):
    # Their commands stand beside ours, without a name in front; what else their apps are is left behind.
    app.registered_commands += part.app.registered_commands
app.add_typer(access.app, name="keys")
app.add_typer(recovery.app, name="dead-letters")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """The console script. Exit status: 0 done, 1 found something wrong, 2 wrong use."""
    # What the Kafka client says while it waits for a broker is told in our own words where it matters.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except (RuntimeTrouble, WaymarkError) as trouble:
        terminal.errors.print(f"waymark: {trouble}", soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
