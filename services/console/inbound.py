"""What starts the console's work: pages and JSON asked for, events read. No decisions here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.console import store, views
from services.console.access import OVERSEERS, Access, Viewer
from services.console.domain import pipeline
from services.console.handlers import Handlers
from services.console.navigation import entries_for
from services.console.outbound import Watch
from services.console.pages import Pages, with_query
from shared.contracts.topics import DEAD_LETTERS, DECIDED, ENRICHED, INCIDENTS, OUTCOMES, Topic
from shared.db import Database
from shared.errors import Refused
from shared.stage import Handler
from shared.vocabulary import CASE_STATES, CSS_RESPONSES
from shared.web import JsonResponse

PER_PAGE: Final = 50
_LOGIN_FORM_BYTES: Final = 4096


def topics(handlers: Handlers) -> Mapping[Topic, Handler]:
    """Topic to handler. In the order of the pipeline: a case is best known by its latest stage."""
    return {
        INCIDENTS: handlers.accepted,
        ENRICHED: handlers.enriched,
        DECIDED: handlers.decided,
        OUTCOMES: handlers.answered,
        DEAD_LETTERS: handlers.dead_lettered,
    }


def routes(pages: Pages, access: Access, database: Database, watch: Watch) -> APIRouter:
    """The pages, and the same as JSON under `/v1`."""
    router = APIRouter()

    async def status_of(viewer: Viewer) -> dict[str, Any]:
        sight = await watch.sight()
        now = datetime.now(UTC)
        since = now - views.WINDOW - timedelta(seconds=20)
        async with database.transaction() as tx:
            shown = views.status(
                sight,
                now=now,
                waiting=await store.waiting(tx),
                nearest=await store.deadlines(tx, areas=viewer.areas, limit=5),
                dead=await store.dead_letters(tx, limit=10) if viewer.areas is None else [],
                histograms=await store.histograms(tx, since),
                passages=await store.passages(tx, since),
            )
        if viewer.areas is not None and shown["conservation"] is not None:
            shown["conservation"]["unaccounted_cases"] = []  # of all areas
        return shown

    async def case_of(viewer: Viewer, case: str) -> dict[str, Any]:
        async with database.transaction() as tx:
            row = await store.one(tx, case)
            if row is None or not viewer.may_see(row["area"]):
                raise Refused(404, "No such case", "The console knows no case by this id.")
            dead = await store.dead_letters_of(tx, case)
        return views.case_page(row, dead, datetime.now(UTC))

    @router.get("/v1/status", tags=["status"], summary="Services, lags, pace, deadlines, dead letters")
    async def status_json(request: Request) -> JsonResponse:
        return JsonResponse(await status_of(await access.viewer(request, *OVERSEERS)))

    @router.get("/v1/cases/{case:path}", tags=["cases"], summary="One case: stages, deliveries, time ledger")
    async def case_json(request: Request, case: str) -> JsonResponse:
        shown = await case_of(await access.viewer(request, *OVERSEERS), case)
        del shown["picture"]
        return JsonResponse(shown)

    @router.get("/", include_in_schema=False)
    async def first_page(request: Request) -> Response:
        """What somebody of the viewer's role begins with."""
        viewer = await access.viewer(request)
        return RedirectResponse(entries_for(viewer.role)[0].path, 303)

    @router.get("/status", include_in_schema=False)
    async def status_page(request: Request) -> HTMLResponse:
        viewer = await access.viewer(request, *OVERSEERS)
        status = await status_of(viewer)
        legs = pipeline.legs(status["services"], status["stages"])
        return pages.page(
            "status.html",
            viewer=viewer,
            here="/status",
            status=status,
            legs=legs,
            picture=pipeline.describe(legs),
        )

    @router.get("/cases", include_in_schema=False)
    async def cases_page(
        request: Request,
        find: Annotated[str, Query(max_length=200)] = "",
        state: str = "",
        response: str = "",
        area: Annotated[str, Query(max_length=100)] = "",
        before: str = "",
    ) -> HTMLResponse:
        viewer = await access.viewer(request, *OVERSEERS)
        now = datetime.now(UTC)
        wanted = {
            "find": find.strip().replace("\x00", ""),
            "state": state if state in CASE_STATES else "",
            "response": response if response in CSS_RESPONSES else "",
            "area": area.strip().replace("\x00", ""),
        }
        async with database.transaction() as tx:
            rows = await store.recent(
                tx,
                **{name: value or None for name, value in wanted.items()},
                areas=viewer.areas,
                before=_page_mark(before),
                limit=PER_PAGE + 1,
            )
        shown = rows[:PER_PAGE]
        older = None
        if len(rows) > PER_PAGE:
            last = shown[-1]
            older = with_query(
                "/cases", **wanted, before=f"{machine_exact(last['accepted_at'])} {last['case']}"
            )
        return pages.page(
            "cases.html",
            viewer=viewer,
            here="/cases",
            cases=[views.case_line(row, now) for row in shown],
            wanted=wanted,
            filtered=any(wanted.values()) or bool(before),
            older=older,
            states=CASE_STATES,
        )

    @router.get("/cases/{case:path}", include_in_schema=False)
    async def case_page(request: Request, case: str) -> HTMLResponse:
        viewer = await access.viewer(request, *OVERSEERS)
        return pages.page("case.html", viewer=viewer, here="/cases", case=await case_of(viewer, case))

    @router.get("/case", include_in_schema=False)
    async def case_page_by_query(request: Request, id: str) -> HTMLResponse:
        return await case_page(request, id)

    return router


def machine_exact(moment: datetime) -> str:
    """A moment to the microsecond: pages of cases follow one another without a gap."""
    return moment.astimezone(UTC).isoformat()


def _page_mark(said: str) -> tuple[datetime, str] | None:
    """Where an earlier page ended; None where it cannot be read, which shows the first page."""
    moment, _, case = said.partition(" ")
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (read, case.replace("\x00", "")) if case and read.tzinfo is not None else None
