"""Runs one service: `python -m waymark.serve SERVICE`, what `waymark run SERVICE` does, without the rest of
the command line being read in."""

from __future__ import annotations

import importlib
import sys

import uvicorn

from shared.errors import BadSettings
from shared.settings import read_settings


def serve(service: str) -> None:
    """Run `service` until it is told to stop. Raises BadSettings where it is told something wrong."""
    settings = read_settings(importlib.import_module(f"services.{service}.settings").Settings)
    app = importlib.import_module(f"services.{service}.main").create_app(settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=65,
        timeout_graceful_shutdown=10,
        server_header=False,
    )


if __name__ == "__main__":
    try:
        serve(sys.argv[1])
    except BadSettings as bad:
        sys.exit(f"waymark: {bad}")
