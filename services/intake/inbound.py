"""What starts work: the HTTP routes. They check who calls and what comes, and decide nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from services.intake import cloud_events, documentation, forms, handlers, quarantine
from services.intake.allowance import Allowance
from services.intake.batch import LineStream, Read, Streamed
from services.intake.bell import Bell
from services.intake.forms import FormName
from services.intake.quarantine import Quarantine
from services.intake.submissions import Door, Sent, Submission, read_plain, read_sent, read_submission
from services.intake.writer import Writer
from shared import cursors, ledger
from shared.contracts.base import write_moment
from shared.contracts.incident import Fault
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.runtime import Runtime
from shared.vocabulary import Lane
from shared.web import JsonResponse, read_body, trace_of

LONGEST_WAIT_S: Final = 30.0
CSV_BYTES: Final = 16 * 1024 * 1024
_LOOK_AGAIN_S: Final = 1.0
"""Another copy of intake may have added to the feed: its bell does not ring here."""

_JSON: Final = "application/json"
_LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines")
_CSV: Final = "text/csv"
_HIGHEST_NO: Final = 2**62

After = Annotated[int, Query(ge=0, le=_HIGHEST_NO, description="The last `no` that was read.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries at most.")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    runtime: Runtime
    writer: Writer
    quarantine: Quarantine
    allowance: Allowance
    bell: Bell

    async def police(self, request: Request) -> Caller:
        """The police system that calls. Raises Refused: 401, 403."""
        return must_be(await self.runtime.keys.caller(request.headers.get("authorization")), "police")


def routes(parts: Parts) -> APIRouter:
    """The routes of intake."""
    router = APIRouter()
    for add in (_posting, _forms, _asking, _schemas):
        add(router, parts)
    return router


def _posting(router: APIRouter, parts: Parts) -> None:
    @router.post(
        "/v1/incidents",
        status_code=202,
        tags=["incidents"],
        **documentation.POST_INCIDENT,
    )
    async def post_incident(request: Request) -> Response:
        arrived = ledger.now()
        caller = await parts.police(request)
        await parts.allowance.take(caller.key)
        raw = b""
        door: Door = "json"
        try:
            raw = await read_body(request)  # first: what is refused for its type is kept too
            media_type = _media_type(request, (_JSON, cloud_events.STRUCTURED))
            if media_type == cloud_events.STRUCTURED:
                door = "cloudevent"
            elif cloud_events.is_binary(request.headers):
                cloud_events.check_binary(request.headers)
            submission = read_plain(raw, door, caller=caller, arrived=arrived, trace=trace_of(request))
            answered = await parts.writer.submit(submission)
        except Refused as refused:
            raise await parts.quarantine.keep(refused, raw, caller, door) from None
        return Response(answered.body, 202, media_type=_JSON)

    @router.post("/v1/incidents/batch", tags=["incidents"], **documentation.POST_BATCH)
    async def post_batch(
        request: Request,
        lane: Annotated[Lane, Query(description="bulk: let everything else go first (a backfill)")] = "live",
    ) -> Response:
        caller = await parts.police(request)
        await parts.allowance.take(caller.key)
        _media_type(request, _LINES)
        parts.allowance.start_batch(caller.key)

        def read_line(line: bytes, trace: str) -> Submission:
            return read_plain(line, "batch", caller=caller, arrived=ledger.now(), trace=trace, lane=lane)

        return _answered_by_line(parts, request, caller, request.stream(), read_line, "batch", lane)


def _answered_by_line(
    parts: Parts,
    request: Request,
    caller: Caller,
    chunks: AsyncIterator[bytes],
    read_line: Read,
    door: Door,
    lane: Lane,
) -> Response:
    async def keep(refused: Refused, line: bytes) -> Refused:
        return await parts.quarantine.keep(refused, line, caller, door)

    submit = partial(parts.writer.submit, of_many=True)
    lines = LineStream(chunks, read_line, submit, keep=keep, trace=trace_of(request), lane=lane)
    return Streamed(lines.answers(), _LINES[0], ended=lambda: parts.allowance.end_batch(caller.key))


def _forms(router: APIRouter, parts: Parts) -> None:
    @router.post(
        "/v1/forms/{form}",
        status_code=202,
        tags=["forms"],
        **documentation.POST_FORM,
    )
    async def post_form(
        request: Request,
        form: FormName,
        lane: Annotated[Lane, Query(description="bulk: let everything else go first (a backfill)")] = "live",
    ) -> Response:
        arrived = ledger.now()
        caller = await parts.police(request)
        await parts.allowance.take(caller.key)
        if _said_type(request) == _CSV:
            return await _take_export(parts, request, caller, form, lane)
        raw = b""
        try:
            raw = await read_body(request)
            _media_type(request, (_JSON, _CSV))
            submission = read_submission(
                read_sent(raw, form), caller=caller, arrived=arrived, trace=trace_of(request), lane=lane
            )
            answered = await parts.writer.submit(submission)
        except Refused as refused:
            raise await parts.quarantine.keep(refused, raw, caller, form) from None
        return Response(answered.body, 202, media_type=_JSON)

    @router.get("/v1/forms/{form}", tags=["forms"], **documentation.GET_FORM)
    async def get_form(form: FormName) -> Response:
        return JsonResponse(forms.describe(form))


async def _take_export(parts: Parts, request: Request, caller: Caller, form: FormName, lane: Lane) -> Response:
    """A CSV export: counted as a batch from before it is read, since it is held whole."""
    arrived = ledger.now()
    parts.allowance.start_batch(caller.key)
    raw = b""
    try:
        raw = await read_body(request, limit=CSV_BYTES)
        _media_type(request, (_JSON, _CSV))

        def read_row(line: bytes, trace: str) -> Submission:
            return read_submission(_row(form, line), caller=caller, arrived=arrived, trace=trace, lane=lane)

        return _answered_by_line(parts, request, caller, _rows(forms.rows_of(form, raw)), read_row, form, lane)
    except Refused as refused:
        parts.allowance.end_batch(caller.key)
        raise await parts.quarantine.keep(refused, raw, caller, form) from None
    except BaseException:
        parts.allowance.end_batch(caller.key)
        raise


async def _rows(rows: Iterator[forms.CsvRow]) -> AsyncIterator[bytes]:
    """The rows of a CSV export, each as a line of JSON."""
    for row in rows:
        faults = [fault.as_json() for fault in row.faults]
        told = {"fields": row.fields, "faults": faults, "as_written": row.as_written}
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _row(form: FormName, line: bytes) -> Sent:
    """A row of a CSV export. What is kept of it are the form's own fields, with the cells as written. Raises
    Refused (422) where it could not be taken apart."""
    row = orjson.loads(line)
    faults = [Fault.model_validate(fault) for fault in row["faults"]]
    if not row["fields"]:
        because = faults[0].because if faults else "it is empty"
        raise Refused(422, "Row cannot be read", f"The row was not taken: {because}.")
    sent = read_sent(orjson.dumps(row["fields"]), form)
    return replace(sent, faults=[*sent.faults, *faults])


def _asking(router: APIRouter, parts: Parts) -> None:
    database = parts.runtime.database

    @router.get("/v1/incidents/{force}/{reference:path}", tags=["incidents"], **documentation.GET_INCIDENT)
    async def get_incident(
        request: Request,
        force: Annotated[str, Path(description="The caller's own force.")],
        reference: Annotated[str, Path(description="The police's reference, slashes and all.")],
    ) -> Response:
        caller = await parts.police(request)
        if force != caller.force:
            raise Refused(403, "Another force's incident", f"This key sees incidents of {caller.force} only.")
        found = None
        if "\x00" not in reference:
            async with database.transaction() as tx:
                found = await handlers.find_case(tx, f"{force}/{reference}")
        if found is None:
            raise Refused(404, "Not known", "No incident with this reference was accepted.")
        return JsonResponse(found)

    @router.get("/v1/outcomes", tags=["outcomes"], **documentation.GET_OUTCOMES)
    async def get_outcomes(
        request: Request,
        after: After = 0,
        limit: Limit = 100,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for news.")] = 0,
    ) -> Response:
        force = str((await parts.police(request)).force)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            async with database.transaction() as tx:
                rows = await cursors.read(tx, force, after=after, limit=limit)
            left = until - loop.time()
            if rows or left <= 0 or await request.is_disconnected():
                break
            await parts.bell.wait(min(left, _LOOK_AGAIN_S))
        entries = [
            {"no": row["no"], "at": write_moment(row["at"]), "outcome": orjson.Fragment(row["payload"])}
            for row in rows
        ]
        return JsonResponse(_page("outcomes", entries, after, limit))

    @router.get("/v1/refused", tags=["refused"], **documentation.GET_REFUSED)
    async def get_refused(request: Request, after: After = 0, limit: Limit = 100) -> Response:
        force = str((await parts.police(request)).force)
        async with database.transaction() as tx:
            rows = await cursors.read(tx, quarantine.reader_of(force), after=after, limit=limit)
        return JsonResponse(_page("refused", [quarantine.listed(row) for row in rows], after, limit))

    @router.get("/v1/refused/{no}", tags=["refused"], **documentation.GET_ONE_REFUSED)
    async def get_one_refused(request: Request, no: Annotated[int, Path(ge=1, le=_HIGHEST_NO)]) -> Response:
        force = str((await parts.police(request)).force)
        async with database.transaction() as tx:
            row = await cursors.entry(tx, quarantine.reader_of(force), no)
        if row is None:
            raise Refused(404, "Not known", "Nothing of this number was refused, or it is kept no longer.")
        return JsonResponse(quarantine.shown(row))


def _page(name: str, entries: list[dict[str, Any]], after: int, limit: int) -> dict[str, Any]:
    return {name: entries, "next": entries[-1]["no"] if entries else after, "more": len(entries) == limit}


def _schemas(router: APIRouter, parts: Parts) -> None:
    @router.get("/v1/schemas/{name}", tags=["schemas"], **documentation.GET_SCHEMA)
    async def get_schema(request: Request) -> Response:
        found = documentation.SCHEMAS.get(request.path_params["name"])
        if found is None:
            raise Refused(404, "Not known", f"There is {' and '.join(documentation.SCHEMAS)}.")
        return Response(orjson.dumps(found()), media_type="application/schema+json")


def _said_type(request: Request) -> str | None:
    said = request.headers.get("content-type")
    return None if said is None else said.partition(";")[0].strip().lower()


def _media_type(request: Request, taken: tuple[str, ...]) -> str:
    """What the body is sent as: one of `taken`, the first where nothing is said. Raises Refused (415)."""
    media_type = _said_type(request) or taken[0]
    if media_type not in taken:
        raise Refused(415, "Not a media type taken here", f"Send it as {' or '.join(taken[:2])}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Not an encoding taken here", "Send it without a content encoding.")
    return media_type
