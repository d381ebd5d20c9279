"""The door: builds delivery out of its parts."""

from __future__ import annotations

import os
import secrets

from fastapi import FastAPI

from services.delivery.decided import EVENT
from services.delivery.directory import read_directory
from services.delivery.dispatch import Dispatcher
from services.delivery.handlers import Decisions
from services.delivery.inbound import routes
from services.delivery.outbound import Outbound, RecipientTopics, Webhooks
from services.delivery.outgoing import Inboxes, Office
from services.delivery.recorder import Recorder
from services.delivery.rounds import Rounds
from services.delivery.settings import Settings
from shared.areas import load_areas
from shared.contracts.topics import DECIDED
from shared.errors import BadSettings
from shared.runtime import Runtime
from shared.web import application


def create_app(settings: Settings) -> FastAPI:
    """Delivery, ready to be served. Raises BadSettings where settings, areas or recipients are no good."""
    if settings.lease_s < settings.attempt_s + 1:
        raise BadSettings("WAYMARK_LEASE_S has to be at least a second longer than WAYMARK_ATTEMPT_S.")
    areas = load_areas(settings.areas)
    directory = read_directory(
        settings.recipients,
        areas,
        environment=settings.environment,
        allow_loopback=settings.allow_loopback,
    )
    runtime = Runtime("delivery", settings)
    topics = RecipientTopics(runtime.producer, settings.kafka, settings.partitions)
    outbound = Outbound(
        directory.by_id,
        Webhooks(attempt_s=settings.attempt_s, at_once=settings.at_once, loopback=settings.allow_loopback),
        topics,
    )
    dispatcher = Dispatcher(
        outbound.send,
        per_recipient=settings.per_recipient,
        at_once=settings.at_once,
        attempt_s=settings.attempt_s,
    )
    inboxes = Inboxes()
    office = Office(
        f"{os.getpid()}-{secrets.token_hex(4)}",
        dispatcher,
        inboxes,
        public_url=settings.public_url,
        lease_s=settings.lease_s,
    )
    recorder = Recorder(runtime.outbox, office, directory.by_id, every_ms=settings.record_every_ms)
    dispatcher.report_to(recorder.attempted, recorder.unused)
    decisions = Decisions(office, directory, areas)
    rounds = Rounds(runtime.outbox, office, dispatcher, directory, decisions, topics, every_s=settings.poll_s)
    runtime.consume({DECIDED: decisions.handle}, decoders={DECIDED: EVENT})
    runtime.keep_running(recorder.run)
    runtime.keep_running(rounds.run)
    runtime.at_the_end(dispatcher.close)
    runtime.at_the_end(recorder.close)
    runtime.at_the_end(outbound.close)
    app = application(
        "delivery",
        "Waymark delivery",
        "Cases for those who can help: the inbox, and what recipients answer.",
        lifespan=runtime.running,
        health=runtime.health,
    )
    app.include_router(routes(runtime, recorder, inboxes))
    return app
