"""The console's part of the command line: none of its own. `waymark status` reads its `/v1/status`."""

from __future__ import annotations

import typer

app = typer.Typer(help="Pages for those who watch the system.")
