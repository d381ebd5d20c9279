"""Runs one service: `python -m waymark.serve SERVICE`, what `waymark run SERVICE` does, without the rest of
the command line being read in."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Final

import uvicorn

from shared.errors import BadSettings
from shared.http_server import server_config
from shared.settings import read_settings

_NOT_STARTED: Final = 3
"""The status that uvicorn's own command ends with where the app or its port could not be had."""


def serve(service: str) -> None:
    """Run `service` until it is told to stop. Raises BadSettings where it is told something wrong."""
    settings = read_settings(importlib.import_module(f"services.{service}.settings").Settings)
    app = importlib.import_module(f"services.{service}.main").create_app(settings)
    server = uvicorn.Server(server_config(app, host=settings.host, port=settings.port))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    try:
        serve(sys.argv[1])
    except BadSettings as bad:
        sys.exit(f"waymark: {bad}")
