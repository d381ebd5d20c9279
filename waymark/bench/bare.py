"""The baseline of `waymark bench intake`: a FastAPI endpoint that does nothing but answer 202.

Runs as a process of its own, `python -m waymark.bench.bare PORT`, under the same server as the services.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from shared.http_server import server_config


def bare_app() -> FastAPI:
    """An endpoint that takes a post and forgets it."""
    app = FastAPI()

    @app.post("/v1/incidents", status_code=202)
    async def post_incident() -> dict[str, str]:
        return {"status": "accepted"}

    return app


if __name__ == "__main__":
    uvicorn.Server(server_config(bare_app(), port=int(sys.argv[1]))).run()
