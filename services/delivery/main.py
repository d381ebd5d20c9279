"""The door: builds delivery out of its parts."""

from __future__ import annotations

import os
import secrets

from fastapi import FastAPI

from services.delivery.addresses import Addresses
from services.delivery.book import open_book
from services.delivery.chasing import Chasing
from services.delivery.deadlines import Deadlines
from services.delivery.decided import EVENT
from services.delivery.describing import SecretPlaces
from services.delivery.desk import Desk
from services.delivery.desk_paths import desk_routes
from services.delivery.dispatch import Dispatcher
from services.delivery.handlers import Decisions
from services.delivery.inbound import routes
from services.delivery.meeting_acts import MeetingActs
from services.delivery.meeting_chasing import MeetingChasing
from services.delivery.meetings import Meetings
from services.delivery.meetings_paths import meetings_routes
from services.delivery.notices import MailServer, Notices
from services.delivery.onward import Onward
from services.delivery.outbound import Outbound, RecipientTopics, Webhooks
from services.delivery.outgoing import Inboxes, Office
from services.delivery.publishing import published_routes
from services.delivery.recipients_api import RecipientsDesk, recipients_routes
from services.delivery.recipients_work import RecipientsWork
from services.delivery.recorder import Recorder
from services.delivery.replays import Replays, replay_routes
from services.delivery.rounds import Rounds
from services.delivery.sealing import Sealer
from services.delivery.settings import Settings
from services.delivery.sign_in import SignIn, sign_in_routes
from shared.areas import load_areas
from shared.contracts.topics import DECIDED
from shared.errors import BadSettings
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.web import application


def create_app(settings: Settings) -> FastAPI:
    """Delivery, ready to be served. Raises BadSettings where settings, areas or recipients are no good."""
    if settings.lease_s < settings.attempt_s + 1:
        raise BadSettings("WAYMARK_LEASE_S has to be at least a second longer than WAYMARK_ATTEMPT_S.")
    areas = load_areas(settings.areas)
    sealer = Sealer(settings.secrets_key)
    book = open_book(
        settings.recipients,
        areas,
        SecretPlaces(settings.environment, settings.recipients, sealer),
        allow_loopback=settings.allow_loopback,
    )
    runtime = Runtime("delivery", settings)
    topics = RecipientTopics(runtime.producer, settings.kafka, settings.partitions)
    webhooks = Webhooks(
        attempt_s=settings.attempt_s, at_once=settings.at_once, loopback=settings.allow_loopback
    )
    outbound = Outbound(book, webhooks, topics)
    dispatcher = Dispatcher(
        outbound.send,
        per_recipient=settings.per_recipient,
        at_once=settings.at_once,
        attempt_s=settings.attempt_s,
        bulk_at_once=settings.bulk_at_once,
    )
    inboxes = Inboxes()
    office = Office(
        f"{os.getpid()}-{secrets.token_hex(4)}",
        book,
        dispatcher,
        inboxes,
        public_url=settings.public_url,
        lease_s=settings.lease_s,
    )
    onward = Onward(office, book)
    recorder = Recorder(runtime.outbox, office, book, areas, onward, every_ms=settings.record_every_ms)
    addresses = Addresses(runtime.database, book, webhooks, disabled_after_days=settings.disable_after_days)
    dispatcher.report_to(recorder.attempted, recorder.unused, addresses.note_health)
    book.when_moved(dispatcher.forget)
    decisions = Decisions(office, book, areas)
    deadlines = Deadlines(runtime.outbox, office, book, dispatcher, at_once=settings.per_recipient)
    recorder.when_received(deadlines.note_received)
    notices = Notices(
        runtime.database,
        book,
        MailServer.read(settings.smtp) if settings.smtp else None,
        sender=settings.notice_sender,
        reader_url=settings.reader_url,
        on_call=settings.on_call,
    )
    sign_in = SignIn(runtime.database, book, notices)
    chasing = Chasing(runtime.outbox, office, book, areas, onward)
    rounds = Rounds(
        runtime.outbox,
        office,
        dispatcher,
        book,
        decisions,
        topics,
        onward,
        chasing,
        MeetingChasing(runtime.database, book, areas),
        every_s=settings.poll_s,
    )
    runtime.consume({DECIDED: decisions.handle}, decoders={DECIDED: EVENT})
    runtime.keep_running(recorder.run)
    runtime.keep_running(rounds.run)
    runtime.keep_running(dispatcher.watch)
    runtime.keep_running(addresses.run)
    runtime.keep_running(deadlines.run)
    runtime.keep_running(notices.run)
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
    app.include_router(routes(runtime, recorder, inboxes, deadlines, sign_in))
    app.include_router(sign_in_routes(sign_in))
    app.include_router(published_routes())
    work = RecipientsWork(dispatcher, deadlines)
    app.include_router(recipients_routes(RecipientsDesk(runtime, book, addresses, sealer, work)))
    app.include_router(desk_routes(runtime, Desk(runtime.outbox, office, book, onward)))
    app.include_router(replay_routes(runtime, Replays(runtime.outbox, office, book)))
    app.include_router(
        meetings_routes(runtime, Meetings(runtime.database, book, areas), MeetingActs(runtime.outbox), sign_in)
    )
    app.include_router(recovery_routes(runtime))
    return app
