"""What starts work: a route, the topics and the timers, each tied to its function."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from services.enrichment.handlers import Handlers
from services.enrichment.look_ups import LookUp, look_up, read_look_up
from services.enrichment.records import read_records
from services.enrichment.records_imports import Leave
from services.enrichment.register import COMPLETE, JOIN_RECORDS, REJOIN
from services.enrichment.settings import Settings
from shared.contracts.records import Records
from shared.contracts.topics import DECIDED, INCIDENTS, OUTCOMES, Topic
from shared.errors import Refused
from shared.keys import must_be
from shared.runtime import Runtime
from shared.stage import Handler
from shared.timers import TimerHandler
from shared.web import JsonResponse, parse_json, read_body, trace_of

_LOOK_UP: Final = LookUp.model_json_schema(mode="validation")
_RECORDS: Final = Records.model_json_schema(mode="validation")


def topics(handlers: Handlers) -> Mapping[Topic, Handler]:
    """Topic -> function, for what somebody waits for."""
    return {INCIDENTS: handlers.join_incidents}


def answers(handlers: Handlers) -> Mapping[Topic, Handler]:
    """Topic -> function, for what comes back and becomes history."""
    return {DECIDED: handlers.learn_decisions, OUTCOMES: handlers.learn_outcomes}


def timers(handlers: Handlers) -> Mapping[str, TimerHandler]:
    """Timer -> function."""
    return {
        COMPLETE: handlers.complete_history,
        REJOIN: handlers.rejoin_family,
        JOIN_RECORDS: handlers.join_records,
    }


def routes(runtime: Runtime, handlers: Handlers, settings: Settings) -> APIRouter:
    """Route -> function."""
    router = APIRouter(tags=["enrichment"])

    @router.post(
        "/v1/records",
        summary="What a council's children's services know of people and families",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _RECORDS}}}
        },
    )
    async def import_records(
        request: Request,
        empty: Annotated[str | None, Query(description="`yes`: a whole import may forget everybody")] = None,
        fewer: Annotated[
            str | None, Query(description="`yes`: it may forget more than a share, or have unreadable entries")
        ] = None,
    ) -> JsonResponse:
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "council", "ops")
        body = await read_body(request, limit=settings.records_bytes)
        # A register is large: reading it must not hold up the loop that keeps the consumer alive.
        found = await asyncio.to_thread(lambda: read_records(parse_json(body)))
        if caller.role == "council" and caller.source != found.source:
            raise Refused(
                403, "Another source's records", f"This key sends the records of {caller.source} only."
            )
        async with runtime.outbox.transaction() as tx:
            answer = await handlers.import_records(
                tx, found, caller=caller, trace=trace_of(request), leave=Leave(empty == "yes", fewer == "yes")
            )
        return JsonResponse(answer)

    @router.post(
        "/v1/look-ups",
        summary="A champion asks whether the police were called to a child's family; every question is audited",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _LOOK_UP}}}
        },
    )
    async def look_up_child(request: Request) -> JsonResponse:
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "champion")
        asked = read_look_up(parse_json(await read_body(request)))
        async with runtime.database.transaction() as tx:
            answer = await look_up(tx, asked, caller)
        return JsonResponse(answer)

    @router.get("/v1/families/{family}", summary="The cases of a family that the caller's areas take in")
    async def get_family(request: Request, family: str) -> JsonResponse:
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "person", "ops")
        async with runtime.database.transaction() as tx:
            cases = await handlers.list_family(tx, family, caller)
        return JsonResponse({"family": family, "cases": cases})

    return router
