"""The door of triage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import FastAPI

from services.triage import inbound
from services.triage.claims import Claims
from services.triage.desk import Desk
from services.triage.domain import decide
from services.triage.domain.protocol import Protocol
from services.triage.handlers import Handlers, JointFilter
from services.triage.protocols import Library, load_library
from services.triage.settings import Settings
from shared import telemetry
from shared.areas import Area, Areas, load_areas
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.errors import BadSettings
from shared.runtime import Runtime
from shared.web import application

DEFAULT_PROTOCOL: Final = "london-dvrim/1"
"""Decides where no area says otherwise: it routes the most, the soonest."""

_log = telemetry.logger()


def create_app(settings: Settings) -> FastAPI:
    """Build triage. Raises BadSettings where an area or a protocol cannot be read."""
    runtime = Runtime("triage", settings)
    areas = load_areas(settings.areas)
    handlers = Handlers(areas, joint_filter(load_library(), areas))
    runtime.consume(inbound.topics(handlers))
    runtime.keep_time(inbound.timers(handlers))
    app = application(
        "triage",
        "Waymark triage",
        "The joint filter: decisions with their reasons, and what people do about them.",
        lifespan=runtime.running,
        health=runtime.health,
    )
    app.include_router(
        inbound.routes(Desk(runtime.outbox, handlers), Claims(runtime.outbox.database), runtime.keys)
    )
    return app


def joint_filter(library: Library, areas: Areas) -> JointFilter:
    """The engine with each area's live protocol and the safeguards.

    An area whose protocol is not in the library, or is a baseline kept to compare with, is decided by the
    default safe one, and ops are told.
    """
    default = library.get(DEFAULT_PROTOCOL)
    if default is None:
        raise BadSettings(f"The library of protocols lacks {DEFAULT_PROTOCOL}, which decides by default.")
    chosen: dict[str, Protocol] = {}
    for area in areas.by_id.values():
        live = area.rules.protocol.live
        protocol = library.get(live)
        if protocol is not None and protocol.never_live is not None:
            _log.error("triage.baseline_live", area=area.id, protocol=live, instead=default.ref)
            protocol = None
        elif protocol is None:
            _log.error("triage.unknown_protocol", area=area.id, protocol=live, instead=default.ref)
        chosen[area.id] = protocol or default

    def by_area(
        area: Area,
        incident: Incident,
        history: History,
        as_of: datetime,
        previous: Mapping[str, Any] | None,
        people: Sequence[Mapping[str, Any]],
    ) -> Mapping[str, Any]:
        return decide(
            chosen.get(area.id, default),
            library.safeguards,
            area,
            incident,
            history,
            as_of,
            previous,
            people,
            neighbours=areas.by_id,
        ).body

    return by_area
