"""The pages of meetings: which are next, one list, one case on it. What is shown, and who may do what, is
delivery's to say."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, Viewer, refuse_foreign
from services.console.drafts import Drafts
from services.console.others import Answer, File, Others
from services.console.pages import Pages, with_query
from shared import vocabulary as v
from shared.errors import Refused
from shared.keys import Role
from shared.web import read_body

Data = Mapping[str, Any]

ROLES: Final[tuple[Role, ...]] = ("coordinator", "person")
STYLE: Final = "/v1/meetings/list.css"
PER_PAGE: Final = 50
_FORM_BYTES: Final = 65_536
KINDS: Final = {"marac": "MARAC", "allocation_panel": "Allocation panel"}
AGENCIES: Final = {one: one.replace("_", " ").capitalize() for one in v.ATTENDING} | {
    "childrens_services": "Children’s services",
    "idva": "IDVA",
    "marac": "Coordinator",
}
STANDINGS: Final = {"invited": "Invited", "attended": "Attended", "apologies": "Sent apologies"}
_OF_A_NUMBER: Final = frozenset({"seq"})
_OF_ACTS: Final = (
    "act",
    "case",
    "seq",
    "on",
    "to",
    "because",
    "id",
    "what",
    "agency",
    "who",
    "due",
    "standing",
)
_LABELS: Final = {
    "on": "the day it was heard",
    "to": "which meeting it moves to",
    "because": "why it is moved",
    "what": "what is to be done",
    "agency": "which agency",
    "due": "by when",
    "who": "who",
    "standing": "invited, attended or apologies",
}


class Told(dict[str, Any]):
    """An object that delivery told: a field that is not there is None, since what somebody may not see is left
    out."""

    def __missing__(self, key: str) -> None:
        return None


def as_told(value: Any) -> Any:
    """The same with `Told` for every object in it."""
    if isinstance(value, Mapping):
        return Told({key: as_told(one) for key, one in value.items()})
    return [as_told(one) for one in value] if isinstance(value, list) else value


def routes(pages: Pages, access: Access, others: Others, drafts: Drafts) -> APIRouter:
    """The pages under `/meetings`."""
    router = APIRouter(include_in_schema=False)

    async def shown(
        viewer: Viewer,
        place: str,
        case: str | None,
        typed: Mapping[str, str],
        wrong: Data | None,
        code: int,
        page: int = 1,
    ) -> Response:
        """A list, or one case on it; with what somebody typed, and why it was not taken."""
        found = as_told(await others.get(viewer, "delivery", f"/v1/meetings/{place}", case=case))
        return pages.page(
            "meeting.html" if case is None else "meeting_case.html",
            code=code,
            viewer=viewer,
            here="/meetings",
            told=found,
            cases=found["cases"][(page - 1) * PER_PAGE : page * PER_PAGE],
            page=page,
            pages=max(1, -(-len(found["cases"]) // PER_PAGE)),
            one=None if case is None else found["cases"][0],
            place=f"/meetings/{place}",
            title=KINDS[found["kind"]],
            agencies=AGENCIES,
            standings=STANDINGS,
            typed=Told(typed),
            blank=Told(),
            wrong=wrong,
            # So that a form sent twice adds one action.
            fresh=typed.get("id") if typed.get("act") == "agree" else str(uuid.uuid4()),
        )

    @router.get("/meetings")
    async def coming(request: Request) -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = (await others.get(viewer, "delivery", "/v1/meetings"))["meetings"]
        return pages.page(
            "meetings.html",
            viewer=viewer,
            here="/meetings",
            kinds=KINDS,
            to_come=[one for one in found if not one["over"]],
            over=[one for one in reversed(found) if one["over"]],
        )

    @router.get(STYLE)
    async def style(request: Request) -> Response:
        # The printed page is delivery's, and so is its style.
        viewer = await access.viewer(request, *ROLES)
        return _passed_on(await others.file(viewer, "delivery", STYLE))

    @router.get("/meetings/{kind}/{area}/{day}")
    async def one_list(
        request: Request, kind: str, area: str, day: str, page: Annotated[int, Query(ge=1, le=1000)] = 1
    ) -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await shown(viewer, _place(kind, area, day), None, await _kept(request), None, 200, page)

    @router.get("/meetings/{kind}/{area}/{day}/case")
    async def one_case(request: Request, kind: str, area: str, day: str, id: str) -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await shown(viewer, _place(kind, area, day), id, await _kept(request), None, 200)

    @router.get("/meetings/{kind}/{area}/{day}/{form}")
    async def to_take_away(request: Request, kind: str, area: str, day: str, form: str) -> Response:
        if form not in ("print", "csv"):
            raise Refused(404, "No such page", "Check the address of the page.")
        viewer = await access.viewer(request, *ROLES)
        path = f"/v1/meetings/{_place(kind, area, day)}"
        return _passed_on(await others.file(viewer, "delivery", path, format=form))

    @router.post("/meetings/{kind}/{area}/{day}")
    @router.post("/meetings/{kind}/{area}/{day}/case")
    async def act(request: Request, kind: str, area: str, day: str) -> Response:
        refuse_foreign(request)
        body = await read_body(request, limit=_FORM_BYTES)
        form = parse_qs(body.decode("utf-8", "replace"))
        typed = {name: values[0].strip() for name, values in form.items()}
        place = _place(kind, area, day)
        case = typed.get("case") if request.url.path.endswith("/case") else None
        here = with_query(request.url.path, id=case)
        try:
            viewer = await access.viewer(request, *ROLES)
        except Refused as refused:
            if refused.status != 401:
                raise
            back = RedirectResponse(with_query("/login", next=here, kept="yes"), 303)
            await drafts.keep(request.url.path, form, back)
            return back
        answer = await others.post(viewer, "delivery", f"/v1/meetings/{place}/acts", _posted(typed))
        if answer.well:
            return RedirectResponse(here, 303)
        return await shown(viewer, place, case, typed, _wrong(answer), answer.status)

    async def _kept(request: Request) -> dict[str, str]:
        """What somebody had written when their session ended."""
        return {name: values[0].strip() for name, values in (await drafts.take(request)).items()}

    return router


def _passed_on(file: File) -> Response:
    return Response(file.content, headers=dict(file.headers))


def _place(kind: str, area: str, day: str) -> str:
    return "/".join(quote(one, safe="") for one in (kind, area, day))


def _posted(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as an act. What nobody filled in is not sent."""
    posted: dict[str, Any] = {name: form[name] for name in _OF_ACTS if form.get(name)}
    for name in _OF_A_NUMBER & posted.keys():
        posted[name] = int(posted[name]) if str(posted[name]).isdecimal() else posted[name]
    return posted


def _wrong(answer: Answer) -> Data:
    """What to tell whoever acted. Raises Refused where there is nothing to be put right on the page."""
    told = answer.said
    if answer.status not in (409, 422):
        raise Refused(answer.status, str(told.get("title")), str(told.get("detail")))
    fields = [name for name in told.get("fields", ()) if name in _LABELS]
    if answer.status == 409:
        title = "Nothing was recorded: it has changed since you opened it"
        lines = [_as_it_is(told["now"])] if "now" in told else [told["detail"]]
    else:
        title = "There is a problem"
        lines = [f"Say {_LABELS[name]}." for name in fields] or [told["detail"]]
    return {"title": title, "lines": lines, "fields": fields}


def _as_it_is(now: Mapping[str, Any]) -> str:
    """How that stands now which somebody else changed."""
    if now.get("heard_on"):
        return f"{now['heard_by']} recorded that it was heard on {_day(now['heard_on'])}."
    if now.get("moved_to"):
        return f"It was moved to the list of {_day(now['moved_to'])}: {now['moved_because']}"
    if "done_by" in now:
        return (
            f"{now['done_by']} noted it as done." if now["done_by"] else "It was noted as not done after all."
        )
    if "standing" in now and "agency" in now:
        return f"Somebody noted meanwhile: {STANDINGS[now['standing']].lower()}."
    return f"The case is at version {now.get('version')} now. Please read it again before you go on."


def _day(said: str) -> str:
    day = date.fromisoformat(said)
    return f"{day.day} {day:%B %Y}"
