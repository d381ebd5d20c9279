"""The door: builds the service."""

from __future__ import annotations

from fastapi import FastAPI

from services.enrichment import inbound, links_api
from services.enrichment.handlers import Handlers
from services.enrichment.links_desk import LinksDesk
from services.enrichment.progress import ANSWERED_FOR_HISTORY, DECIDED_FOR_HISTORY
from services.enrichment.settings import Settings
from shared.contracts.topics import DECIDED, OUTCOMES
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.web import application


def create_app(settings: Settings) -> FastAPI:
    """The service's app; it starts when it is served."""
    runtime = Runtime("enrichment", settings)
    handlers = Handlers(settings)
    runtime.consume(inbound.topics(handlers))
    runtime.consume(
        inbound.answers(handlers),
        decoders={DECIDED: DECIDED_FOR_HISTORY, OUTCOMES: ANSWERED_FOR_HISTORY},
        patient=True,
    )
    runtime.keep_time(inbound.timers(handlers))
    app = application(
        "enrichment",
        "Waymark enrichment",
        "Who these people are, and what is already known of the family.",
        lifespan=runtime.running,
        health=runtime.health,
    )
    app.include_router(inbound.routes(runtime, handlers, settings))
    links = LinksDesk(runtime.outbox, handlers.retell_pair, settings.named_staff)
    app.include_router(links_api.routes(runtime, links))
    app.include_router(recovery_routes(runtime))
    return app
