"""What starts work: the HTTP routes. They check who calls and what comes, and decide nothing else."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, cast

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Route

from services.intake import handlers
from services.intake.batch import LineStream, Streamed
from services.intake.bell import Bell
from services.intake.submissions import Submission, read_submission
from services.intake.writer import Writer
from shared import cursors, ledger
from shared.contracts.accepted import Accepted
from shared.contracts.base import write_moment
from shared.contracts.incident import Incident
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.runtime import Runtime
from shared.vocabulary import Lane
from shared.web import JsonResponse, parse_json, read_body, trace_of

LONGEST_WAIT_S: Final = 30.0
_LOOK_AGAIN_S: Final = 1.0
"""Another copy of intake may have added to the feed: its bell does not ring here."""

_JSON: Final = ("application/json",)
_LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines")

_PROBLEM: Final[dict[str, Any]] = {"content": {"application/problem+json": {}}}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "Not JSON.", **_PROBLEM},
    401: {"description": "No key, or an unknown one.", **_PROBLEM},
    403: {"description": "Another force's incident, or a key of another role.", **_PROBLEM},
    409: {"description": "Same revision, other content: `differs` says where.", **_PROBLEM},
    413: {"description": "Too large or nested too deeply.", **_PROBLEM},
    415: {"description": "Not a media type that is taken here.", **_PROBLEM},
    422: {"description": "Not an object, or without force, reference or occurred_at.", **_PROBLEM},
    503: {"description": "Not stored; send the same again after `Retry-After` seconds.", **_PROBLEM},
}


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _incident_schema() -> dict[str, Any]:
    """The incident's JSON schema with its parts written out in place: references of a schema inside
    another document lead nowhere."""
    schema = Incident.model_json_schema(mode="validation")
    parts = schema.pop("$defs", {})

    def written_out(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return written_out(parts[value["$ref"].rpartition("/")[2]])
            return {name: written_out(inner) for name, inner in value.items()}
        return [written_out(inner) for inner in value] if isinstance(value, list) else value

    return dict(written_out(schema))


def routes(runtime: Runtime, writer: Writer, bell: Bell) -> APIRouter:
    """The routes of intake."""
    router = APIRouter(tags=["incidents"])

    async def police(request: Request) -> Caller:
        return must_be(await runtime.keys.caller(request.headers.get("authorization")), "police")

    @router.post(
        "/v1/incidents",
        status_code=202,
        response_model=Accepted,
        responses={202: {"description": "Stored: new, an amendment, a withdrawal or a repeat."}, **_REFUSALS},
        summary="Post one incident",
        openapi_extra=_body("application/json", _incident_schema()),
    )
    async def post_incident(request: Request) -> Response:
        arrived = ledger.now()
        caller = await police(request)
        _must_be_sent_as(request, _JSON)
        raw = await read_body(request)
        submission = read_submission(
            raw, parse_json(raw), caller=caller, arrived=arrived, trace=trace_of(request), door="json"
        )
        return Response((await writer.submit(submission)).body, 202, media_type="application/json")

    @router.post(
        "/v1/incidents/batch",
        response_class=Response,
        responses={200: {"description": "An answer per line, in order.", "content": {_LINES[0]: {}}}},
        summary="Post many incidents, one per line",
        openapi_extra=_body(_LINES[0], {"type": "string", "description": "One incident per line."}),
    )
    async def post_batch(
        request: Request,
        lane: Annotated[Lane, Query(description="bulk: let everything else go first (a backfill)")] = "live",
    ) -> Response:
        caller = await police(request)
        _must_be_sent_as(request, _LINES)

        def read_line(line: bytes, trace: str) -> Submission:
            return read_submission(
                line,
                parse_json(line),
                caller=caller,
                arrived=ledger.now(),
                trace=trace,
                door="batch",
                lane=lane,
            )

        lines = LineStream(request.stream(), read_line, writer.submit, trace=trace_of(request))
        return Streamed(lines.answers(), _LINES[0])

    @router.get(
        "/v1/incidents/{force}/{reference:path}",
        summary="Where an incident is now",
        responses={404: {"description": "Not known.", **_PROBLEM}},
    )
    async def get_incident(
        request: Request, force: Annotated[str, Path()], reference: Annotated[str, Path()]
    ) -> Response:
        caller = await police(request)
        if force != caller.force:
            raise Refused(403, "Another force's incident", f"This key sees incidents of {caller.force} only.")
        found = None
        if "\x00" not in reference:
            async with runtime.database.transaction() as tx:
                found = await handlers.find_case(tx, f"{force}/{reference}")
        if found is None:
            raise Refused(404, "Not known", "No incident with this reference was accepted.")
        return JsonResponse(found)

    @router.get("/v1/outcomes", summary="What became of the caller's incidents, in order, from a cursor")
    async def get_outcomes(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**62, description="the last `no` that was read")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="seconds to wait for news")] = 0,
    ) -> Response:
        force = str((await police(request)).force)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            async with runtime.database.transaction() as tx:
                rows = await cursors.read(tx, force, after=after, limit=limit)
            left = until - loop.time()
            if rows or left <= 0 or await request.is_disconnected():
                break
            await bell.wait(min(left, _LOOK_AGAIN_S))
        return JsonResponse(
            {
                "outcomes": [
                    {
                        "no": row["no"],
                        "at": write_moment(row["at"]),
                        "outcome": orjson.Fragment(row["payload"]),
                    }
                    for row in rows
                ],
                "next": rows[-1]["no"] if rows else after,
                "more": len(rows) == limit,
            }
        )

    return router


def straight_to(router: APIRouter, path: str, method: str) -> Route:
    """The route of `router` for `path` and `method`, without the framework's detour through parameters it
    does not have: a third of the price of a post. The detour stays as the documentation of it."""
    documented = next(
        route
        for route in router.routes
        if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
    )

    async def answer(request: Request) -> Response:
        request.scope["route"] = documented  # so that spans and metrics name it
        return cast(Response, await documented.endpoint(request))

    return Route(path, answer, methods=[method], include_in_schema=False)


def _must_be_sent_as(request: Request, media_types: tuple[str, ...]) -> None:
    said = request.headers.get("content-type")
    if said is not None and said.partition(";")[0].strip().lower() not in media_types:
        raise Refused(415, "Not a media type taken here", f"Send it as {media_types[0]}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Not an encoding taken here", "Send it without a content encoding.")
