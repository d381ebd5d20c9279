"""The paths of meetings: lists for those who take part, acts for those who keep them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from services.delivery.meeting_acts import MeetingActs, Posted
from services.delivery.meeting_pages import STYLE, as_csv, as_page, file_name
from services.delivery.meetings import Meetings
from services.delivery.sign_in import SignIn
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body

Format = Literal["json", "csv", "print"]

STYLE_PATH: Final = "/v1/meetings/list.css"
_ACCEPTED: Final[Mapping[str, Format]] = {"text/csv": "csv", "text/html": "print"}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'",
    "X-Content-Type-Options": "nosniff",
}


def meetings_routes(runtime: Runtime, meetings: Meetings, acts: MeetingActs, sign_in: SignIn) -> APIRouter:
    """The HTTP paths of meetings."""
    router = APIRouter(tags=["meetings"])

    async def caller_of(request: Request) -> Caller:
        bearer = request.headers.get("authorization")
        signed_in = await sign_in.recipient_of(bearer)
        if signed_in is not None:
            return Caller(key=f"reader:{signed_in}", role="recipient", recipient=signed_in)
        return must_be(await runtime.keys.caller(bearer), "coordinator", "person", "recipient")

    @router.get("/v1/meetings", summary="Which meetings are next, and how much is on their lists")
    async def coming(
        request: Request,
        kind: Literal["marac", "allocation_panel"] | None = None,
        area: Annotated[str | None, Query(max_length=100)] = None,
    ) -> JsonResponse:
        """Of the caller's areas: the next four of each kind, by the area's calendar; those of the last half
        year that had cases; and older ones of which something is left. Counts only."""
        caller = await caller_of(request)
        return JsonResponse({"meetings": await meetings.coming(caller, kind, area)})

    @router.get(STYLE_PATH, include_in_schema=False)
    async def style() -> Response:
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    @router.get("/v1/meetings/{kind}/{area}/{day}", summary="The list of a meeting, as the caller may see it")
    async def listed(
        request: Request,
        kind: str,
        area: str,
        day: str,
        format: Format | None = None,
        case: Annotated[str | None, Query(max_length=300, description="only this one of its cases")] = None,
    ) -> Response:
        """`day`: YYYY-MM-DD, or `next`. `format`: `json`, `csv` (opens in a spreadsheet as text) or `print` (a
        page to be printed); without it what `Accept` asks for, else JSON.

        For coordinators and persons of the area, each by their agency, and for recipients that take part. 403
        no seat at such meetings; 404 no such meeting in the caller's areas.
        """
        caller = await caller_of(request)
        place = meetings.place(caller, kind, area, _day(day))
        how = format or _ACCEPTED.get(request.headers.get("accept", "").partition(",")[0].strip(), "json")
        told = await meetings.shown(caller, place, how, case)
        if how == "json":
            return JsonResponse(told, headers={"Cache-Control": "no-store"})
        name = file_name(told)
        if how == "csv":
            return Response(
                as_csv(told),
                media_type="text/csv; charset=utf-8",
                headers={**_HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'},
            )
        return Response(as_page(told, style=STYLE_PATH), media_type="text/html", headers=_HEADERS)

    @router.post("/v1/meetings/{kind}/{area}/{day}/acts", summary="What people record of a meeting")
    async def act(request: Request, kind: str, area: str, day: str) -> JsonResponse:
        """`heard` (`case`, `seq`, `on`), `not_heard`, `move` (`case`, `seq`, `to`, `because`: also how a case
        is added late), `attendance` (`agency`, `who`, `standing`, `seq`), `agree` (an action: `case`, `what`,
        `agency`, `due`, perhaps `who` and an `id` of the caller's, so that a repeat adds nothing), `done` and
        `undone` (`id`, `seq`).

        `seq` is that of what is acted on, as the caller saw it. 409 where it changed since, with how it stands
        in `now`: nothing is recorded. 403 somebody else's to do; 404 not on this list; 422 not an act.
        """
        caller = await caller_of(request)
        place = meetings.place(caller, kind, area, _day(day))
        posted = _posted(parse_json(await read_body(request, limit=65_536)))
        return JsonResponse(await acts.act(caller, place, posted))

    return router


def _day(said: str) -> date | None:
    if said == "next":
        return None
    try:
        if len(said) == 10:
            return date.fromisoformat(said)
    except ValueError:
        pass
    raise Refused(404, "No such meeting", "A meeting's day is written YYYY-MM-DD; or ask for `next`.")


def _posted(parsed: Any) -> Posted:
    if isinstance(parsed, dict) and any("\x00" in text for text in parsed.values() if isinstance(text, str)):
        raise Refused(422, "Not an act", "Text cannot contain the character NUL.")
    try:
        return Posted.model_validate(parsed)
    except ValidationError as error:
        wrong = sorted({"/".join(str(step) for step in one["loc"]) for one in error.errors()})
        raise Refused(422, "Not an act", f"Please check: {', '.join(wrong)}.", fields=wrong) from None
