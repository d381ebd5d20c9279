"""The console's door."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware

from services.console import (
    dead_letters,
    inbound,
    links,
    live,
    meetings,
    month,
    protocols,
    reading,
    recipients,
    screening,
    signing_in,
    store,
)
from services.console.access import Access
from services.console.drafts import Drafts
from services.console.gauges import keep_gauges
from services.console.handlers import Handlers
from services.console.live import News
from services.console.others import Others
from services.console.outbound import Watch
from services.console.pages import HERE, KeptToItself, Pages, wants_page, with_query
from services.console.provider import Provider
from services.console.seen import DECODERS
from services.console.sessions import Sessions
from services.console.settings import Settings
from shared import telemetry
from shared.db import Database
from shared.errors import Refused, Retryable
from shared.recovery import DeadLetters, recovery_routes
from shared.runtime import Runtime
from shared.web import application

PACE_KEPT: Final = timedelta(days=1)
_log = telemetry.logger()


def create_app(settings: Settings) -> FastAPI:
    """The console as an app; it starts when its lifespan does."""
    runtime = Runtime("console", settings)
    handlers = Handlers()
    news = News()
    others = Others(settings)

    def committed() -> None:
        handlers.committed()
        news.tell()

    watch = Watch(settings, runtime.health, runtime.database)
    provider = Provider(settings) if settings.oidc_client_id else None
    access = Access(settings, runtime.keys, Sessions(settings, runtime.database), provider)
    pages = Pages(settings.trace_page)
    pages.put_on_top(watch.told)
    runtime.consume(inbound.topics(handlers), after_commit=committed, decoders=DECODERS, patient=True)
    runtime.keep_running(watch.run)
    runtime.keep_running(lambda: _keep_pace(handlers, runtime.database))
    runtime.keep_running(lambda: keep_gauges(runtime.database))
    runtime.at_the_end(watch.close)
    runtime.at_the_end(others.close)
    app = application(
        "console",
        "Waymark console",
        "Pages for the joint team, coordinators, boards and ops. Keeps ids, states and times; what it shows of "
        "people it asks of the other services, for whoever is signed in.",
        lifespan=runtime.running,
        health=runtime.health,
    )
    app.include_router(inbound.routes(pages, access, runtime.database, watch))
    drafts = Drafts(settings, runtime.database)
    app.include_router(screening.routes(pages, access, runtime.database, others, drafts))
    app.include_router(meetings.routes(pages, access, others, drafts))
    app.include_router(links.routes(pages, access, others, drafts))
    app.include_router(dead_letters.routes(pages, access, others, DeadLetters(runtime)))
    app.include_router(recipients.routes(pages, access, others))
    app.include_router(protocols.routes(pages, access, others))
    app.include_router(month.routes(pages, access, month.Months(runtime.database)))
    app.include_router(live.routes(access, news))
    app.include_router(reading.routes(pages, others, secure=settings.public_url.startswith("https://")))
    app.include_router(recovery_routes(runtime))
    app.include_router(signing_in.routes(pages, access, provider, keys=settings.keys_sign_in))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_middleware(KeptToItself)
    if provider is not None:
        # Holds the way to the provider and back, for ten minutes. The way back comes from another site, so this
        # cookie may be sent with it, as the session's never is.
        app.add_middleware(
            SessionMiddleware,
            secret_key=settings.session_secret.reveal(),
            session_cookie="waymark_signing_in",
            path="/login",
            max_age=600,
            same_site="lax",
            https_only=settings.public_url.startswith("https://"),
        )
    for kind in (Refused, Retryable, HTTPException):
        app.add_exception_handler(kind, _as_page(pages, app.exception_handlers[kind]))
    return app


async def _keep_pace(handlers: Handlers, database: Database) -> None:
    """Store what was counted, once a second; drop what is older than a day."""
    beats = 0
    while True:
        await asyncio.sleep(1)
        counts = handlers.take_counts()
        try:
            async with database.transaction() as tx:
                if counts:
                    await store.add_pace(tx, counts)
                if beats % 600 == 0:
                    await store.forget_pace(tx, datetime.now(UTC) - PACE_KEPT)
        except Retryable as error:
            handlers.give_back(counts)
            _log.warning("pace.waiting", error=str(error))
        beats += 1


def _as_page(
    pages: Pages, otherwise: Callable[[Request, Any], Awaitable[Response] | Response]
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Errors as pages for browsers; problem+json for all others."""

    async def answer(request: Request, error: Exception) -> Response:
        if not wants_page(request):
            said = otherwise(request, error)
            return await said if isinstance(said, Awaitable) else said
        if isinstance(error, Refused) and error.status == 401:
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(with_query("/login", next=None if here == "/" else here), 303)
        if isinstance(error, Refused):
            status, title, detail = error.status, error.title, error.detail
        elif isinstance(error, HTTPException):
            status, title, detail = error.status_code, str(error.detail), "Check the address of the page."
        else:
            status, title = 503, "The console cannot read its database just now"
            detail = "Nothing is lost: the other services keep their own records. Try again in a moment."
        return pages.page("problem.html", code=status, viewer=None, here="", title=title, detail=detail)

    return answer
