"""The door of intake: builds and starts everything. Importing this starts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from services.intake import handlers
from services.intake.allowance import Allowance
from services.intake.bell import Bell
from services.intake.inbound import Parts, routes
from services.intake.progress import DECIDED_FOR_POLICE
from services.intake.quarantine import Quarantine
from services.intake.settings import Settings
from services.intake.submissions import Submission
from services.intake.writer import Writer
from shared.contracts.topics import DECIDED, OUTCOMES
from shared.outbox import EmittingTransaction
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.web import application, straight_to


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app; its lifespan starts and stops it."""
    runtime = Runtime("intake", settings)
    moments = handlers.Moments()
    bell = Bell()

    async def accept(tx: EmittingTransaction, group: Sequence[Submission]) -> list[handlers.Answer]:
        return await handlers.accept(tx, group, moments)

    writer = Writer(
        runtime.outbox,
        accept,
        group_size=settings.group_size,
        queue_size=settings.queue_size,
        within_s=settings.store_within_s,
    )
    quarantine = Quarantine(runtime.database)
    runtime.keep_running(writer.run)
    runtime.keep_running(quarantine.run)
    runtime.consume(
        {DECIDED: handlers.note_decisions, OUTCOMES: handlers.note_outcomes},
        after_commit=bell.ring,
        decoders={DECIDED: DECIDED_FOR_POLICE},
        patient=True,
    )
    router = routes(Parts(runtime, writer, quarantine, Allowance(settings.posts_per_s), bell))
    app = application(
        "intake",
        "Waymark intake",
        "Takes police domestic-abuse incidents. 202 means stored; what is unreadable or missing is named.",
        lifespan=runtime.running,
        health=runtime.health,
        straight=straight_to(router, "/v1/incidents", "POST"),
    )
    app.include_router(router)
    app.include_router(recovery_routes(runtime))
    return app
