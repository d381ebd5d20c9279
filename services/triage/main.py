"""The door of triage."""

from __future__ import annotations

from fastapi import FastAPI

from services.triage import inbound
from services.triage.claims import Claims
from services.triage.desk import Desk
from services.triage.handlers import Handlers
from services.triage.live import LiveProtocols
from services.triage.protocols import load_library
from services.triage.protocols.published import edited, read_published
from services.triage.settings import Settings
from shared.areas import load_areas
from shared.errors import BadSettings
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.web import application


def create_app(settings: Settings) -> FastAPI:
    """Build triage. Raises BadSettings where an area or a protocol cannot be read."""
    runtime = Runtime("triage", settings)
    named = frozenset(settings.named_staff)
    areas = load_areas(settings.areas)
    library = load_library()
    wrong = edited([*library.protocols.values(), library.safeguards], read_published())
    if wrong:
        raise BadSettings(" ".join(wrong))
    live = LiveProtocols(library, areas, settings.protocols)
    live.look_again()
    handlers = Handlers(areas, live.decide, live.ready)
    runtime.consume(inbound.topics(handlers))
    runtime.keep_time(inbound.timers(handlers))

    async def keep_protocols() -> None:
        await live.keep_up(runtime.database)

    runtime.keep_running(keep_protocols)
    app = application(
        "triage",
        "Waymark triage",
        "The joint filter: decisions with their reasons, and what people do about them.",
        lifespan=runtime.running,
        health=runtime.health,
    )
    app.include_router(
        inbound.routes(
            Desk(runtime.outbox, handlers, named), Claims(runtime.database, named), live, runtime.keys
        )
    )
    app.include_router(recovery_routes(runtime))
    return app
