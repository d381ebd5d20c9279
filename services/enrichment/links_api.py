"""The likely band over HTTP: the paths, what they take, and what their answers look like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.enrichment.links_desk import LinksDesk, Said
from services.enrichment.links_read import Place
from services.enrichment.register import family_number
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body, trace_of

_NAME: Final = r"^L-[0-9a-f]{16}$"
_CURSOR: Final = r"^[0-9]\.[0-9]{1,16}\.L-[0-9a-f]{16}$"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Name = Annotated[str, Path(pattern=_NAME, description="the pair's `id`, from the list")]


class _Ruling(BaseModel):
    """A ruling as posted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Literal["join", "apart", "undo"]
    """They are one person; they are two; take back the ruling that holds."""
    why: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
    """The reason, in words of your own: it stays with the ruling."""
    seen: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9.-]+$")]
    """`stands` of the pair as you looked at it."""


class _Shown(BaseModel):
    """What an answer looks like, for the documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Who(_Shown):
    of: Literal["incident", "record"]
    case: str | None
    occurred_at: str | None
    source: str | None
    """Of a council's record: whose."""
    id: str
    """The person's id in the incident or in the council's records."""
    family: str | None


class _Field(_Shown):
    field: str
    one: str | None
    other: str | None
    level: str
    """How far the two agree; `missing`: one side does not say, which says nothing for or against."""
    bits: float


class _Rule(_Shown):
    name: str
    bits: float
    because: str


class _Ruled(_Shown):
    ruling: Literal["join", "apart"]
    who: str
    agency: str | None
    why: str
    at: str
    undone_at: str | None
    undone_by: str | None


class Link(_Shown):
    """Two people who may be one."""

    id: Annotated[str, Field(pattern=_NAME)]
    decision: Literal["same", "likely", "new"]
    """What the score says, whatever people ruled."""
    bits: float | None
    since: str | None
    one: _Who
    other: _Who
    fields: list[_Field]
    prior: float
    rule: _Rule | None
    """What keeps look-alikes apart, whatever the sum."""
    ruling: _Ruled | None
    """The ruling that holds."""
    rulings: list[_Ruled]
    stands: str


class Recorded(Link):
    """The pair after a ruling."""

    status: Literal["recorded", "repeated"]


class Links(_Shown):
    """A page of the list."""

    links: list[Link]
    next: str | None
    """Pass it as `after` to go on; null: there are no more."""


class _Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


def _problem(description: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: _problem("Not JSON."),
    401: _problem("No key, or one that is not known."),
    403: _problem("Not a person's key."),
    422: _problem("A parameter or a ruling that is none; `at` says where."),
}
_NO_PAIR: Final[dict[int | str, dict[str, Any]]] = {404: _problem("No such pair in the caller's areas.")}
_ACTED: Final[dict[int | str, dict[str, Any]]] = {
    409: _problem("It changed since the caller looked; `changed` says what, `stands` how it is now."),
    413: _problem("Too much."),
}


def routes(runtime: Runtime, desk: LinksDesk) -> APIRouter:
    """Route -> function."""
    key = HTTPBearer(
        scheme_name="key",
        description="A person's key (`waymark keys`), or a token of the authorisation server.",
        auto_error=False,  # the routes ask for it themselves, and say why not
    )
    router = APIRouter(tags=["links"], dependencies=[Security(key)])

    async def person(request: Request) -> Caller:
        return must_be(await runtime.keys.caller(request.headers.get("authorization")), "person")

    @router.get(
        "/v1/links",
        summary="Pairs of people who may be one, the gravest family first, with why",
        response_class=Response,
        responses={**_REFUSALS, 200: {"model": Links}},
    )
    async def list_links(
        request: Request,
        decision: Annotated[
            Literal["waiting", "likely", "same", "joined", "apart"],
            Query(
                description="`waiting`: for a person to look at; `likely`, `same`: what the score says; "
                "`joined`, `apart`: what people ruled"
            ),
        ] = "waiting",
        family: Annotated[
            str | None, Query(pattern=r"^F-\d{8,18}$", description="those that touch one family only")
        ] = None,
        after: Annotated[str | None, Query(pattern=_CURSOR, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> JsonResponse:
        caller = await person(request)
        found, last = await desk.list(
            caller,
            decision,
            family=None if family is None else family_number(family),
            after=None if after is None else _read_cursor(after),
            limit=limit,
        )
        return JsonResponse({"links": found, "next": None if last is None else _write_cursor(last)})

    @router.get(
        "/v1/links/{name}",
        summary="Two people side by side, what each field weighs, and what was ruled",
        response_class=Response,
        responses={**_REFUSALS, **_NO_PAIR, 200: {"model": Link}},
    )
    async def show_link(request: Request, name: _Name) -> JsonResponse:
        return JsonResponse(await desk.show(await person(request), name))

    @router.post(
        "/v1/links/{name}",
        summary="Join two people, keep them apart, or take a ruling back; their cases are told anew",
        response_class=Response,
        responses={**_REFUSALS, **_NO_PAIR, **_ACTED, 200: {"model": Recorded}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _Ruling.model_json_schema()}},
            }
        },
    )
    async def rule(request: Request, name: _Name) -> JsonResponse:
        caller = await person(request)
        said = _read_ruling(parse_json(await read_body(request)))
        return JsonResponse(await desk.rule(caller, name, said, trace=trace_of(request)))

    return router


def _read_ruling(parsed: Any) -> Said:
    try:
        ruling = _Ruling.model_validate(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = "/" + "/".join(str(step) for step in first["loc"])
        raise Refused(422, "Not a ruling", f"{at}: {first['msg']}.", at=at) from None
    return Said(ruling.act, ruling.why.strip(), ruling.seen)


def _write_cursor(place: Place) -> str:
    return f"{place.level}.{(place.newest - _EPOCH) // timedelta(microseconds=1)}.{place.name}"


def _read_cursor(said: str) -> Place:
    level, newest, name = said.split(".")
    return Place(int(level), _EPOCH + timedelta(microseconds=int(newest)), name)
