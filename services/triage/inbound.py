"""What starts triage's work: topic -> handler, timer -> handler, routes. No decisions here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import uuid4

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.triage import approvals
from services.triage.claims import Claims
from services.triage.desk import Desk, Heard, Said
from services.triage.handlers import UNHELD, Handlers
from services.triage.live import LiveProtocols
from services.triage.store import Wanted
from shared import ledger
from shared import vocabulary as v
from shared.contracts.base import read_moment, write_moment
from shared.contracts.topics import ENRICHED, Topic
from shared.errors import Refused
from shared.keys import Caller, KeyRing, Role, must_be
from shared.small_numbers import told
from shared.stage import Handler
from shared.timers import TimerHandler
from shared.web import JsonResponse, parse_json, read_body

_ActId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._~-]+$")]
"""Without a colon: ids with one are triage's own."""


READERS: Final[tuple[Role, ...]] = ("person", "coordinator", "board", "ops")
"""Who may read what is in force: it tells of nobody."""


def topics(handlers: Handlers) -> Mapping[Topic, Handler]:
    """Topic -> handler."""
    return {ENRICHED: handlers.decide_enriched}


def timers(handlers: Handlers) -> Mapping[str, TimerHandler]:
    """Timer -> handler."""
    return {UNHELD: handlers.decide_unheld}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Level(_Closed):
    child_level: Annotated[int | None, Field(ge=0, le=4)] = None
    victim_level: v.VictimLevel | None = None
    css_response: v.CssResponse | None = None
    services: list[v.Service] | None = None


class _Act(_Closed):
    """An act as posted. `act`: the sender's id of it, so that sending it again does nothing twice."""

    act: _ActId | None = None
    kind: Literal["confirm", "raise", "lower", "answer"]
    version: Annotated[int | None, Field(ge=1)] = None
    to: _Level = _Level()
    reason: Annotated[str | None, Field(max_length=4000)] = None
    confirms: _ActId | None = None
    set_aside: Annotated[list[str], Field(max_length=100)] = []
    fact: Annotated[str | None, Field(max_length=64)] = None
    answer: bool | int | str | list[str] | None = None
    about: Annotated[str | None, Field(max_length=128)] = None


class _Claim(_Closed):
    """A claim as posted; with `to`, handed over."""

    minutes: Annotated[int, Field(ge=1, le=480)] = 30
    to: Annotated[str | None, Field(min_length=1, max_length=128)] = None


class _Approval(_Closed):
    """An approval as posted: of what was read, by its digest."""

    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def routes(desk: Desk, claims: Claims, live: LiveProtocols, keys: KeyRing) -> APIRouter:
    """The HTTP paths."""
    router = APIRouter()

    # Cases' ids have slashes of their own: the longer path comes first.
    @router.post("/v1/cases/{case:path}/decisions", tags=["screening"])
    async def decide(case: str, request: Request) -> JsonResponse:
        """A person's act: confirm, raise (one person, with a reason), lower (two of two agencies), answer."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person")
        heard = await desk.hear(caller, case, _read_act(parse_json(await read_body(request))))
        return JsonResponse(_answer(case, heard), 202 if heard.standing == "waiting" else 200)

    @router.post("/v1/cases/{case:path}/claim", tags=["screening"])
    async def claim(case: str, request: Request) -> JsonResponse:
        """Work on a case, for a while (30 minutes unless said); with `to`, hand it over to somebody else."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person")
        body = await read_body(request)
        said = _read(_Claim, parse_json(body) if body.strip() else {})
        if said.to is None:
            taken = await claims.take(caller, case, said.minutes)
        else:
            taken = await claims.hand_over(caller, case, said.to, said.minutes)
        return JsonResponse({"case": case, "by": taken.who, "until": write_moment(taken.until)})

    @router.delete("/v1/cases/{case:path}/claim", tags=["screening"])
    async def give_back(case: str, request: Request) -> JsonResponse:
        """Give a case back to the queue before the claim is over."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person")
        await claims.give_back(caller, case)
        return JsonResponse({"case": case, "by": None})

    @router.get("/v1/cases/{case:path}", tags=["screening"])
    async def show(case: str, request: Request) -> JsonResponse:
        """The decision with its receipt, every version, people's acts, and whether somebody has to look."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person")
        return JsonResponse(await desk.show(caller, case))

    @router.get("/v1/queue", tags=["screening"])
    async def queue(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        area: Annotated[str | None, Query(max_length=100, description="decided in this area")] = None,
        because: Annotated[str | None, Query(max_length=64, description="waits for this reason")] = None,
        mine: Annotated[bool, Query(description="only what you have claimed")] = False,
        after: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    ) -> JsonResponse:
        """What waits for a person, the earliest due first. Ops see ids and times alone."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person", "ops")
        wanted = Wanted(
            None if caller.role == "ops" else caller.areas,
            area=_plain(area),
            because=_plain(because),
            who=(caller.person or caller.key) if mine else None,
            after=None if after is None else _page_mark(after),
        )
        return JsonResponse(await desk.queue(caller, wanted, limit))

    @router.get("/v1/protocols", tags=["protocols"])
    async def protocols(request: Request) -> JsonResponse:
        """Every protocol, whether it may decide, where it does, and what shadows differed by."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), *READERS)
        async with desk.database.transaction() as tx:
            given, differences = await approvals.approvals_of(tx), await approvals.counted(tx)
        return JsonResponse(
            {
                "protocols": live.listed(),
                "in_force": live.in_force(ledger.now()),
                "safeguards": live.library.safeguards.ref,
                "approvals": given,
                "shadows": _as_told(caller, differences),
            }
        )

    @router.get("/v1/protocols/{id_}/{version}", tags=["protocols"])
    async def protocol(id_: str, version: int, request: Request) -> JsonResponse:
        """One protocol: every rule in plain words with reason and source, who approved it, what differed."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), *READERS)
        found = live.shown(f"{id_}/{version}")
        if found is None:
            raise Refused(404, "No such protocol", "There is no protocol of this name and version.")
        async with desk.database.transaction() as tx:
            given, differences = await approvals.approvals_of(tx), await approvals.counted(tx)
        ref = found["protocol"]
        return JsonResponse(
            {
                **found,
                "approvals": [one for one in given if one["protocol"] == ref],
                "shadows": _as_told(
                    caller, [one for one in differences if ref in (one["live"], one["shadow"])]
                ),
            }
        )

    @router.post("/v1/protocols/{id_}/{version}/approvals", tags=["protocols"])
    async def approve(id_: str, version: int, request: Request) -> JsonResponse:
        """One of the two persons of two agencies who publish a board's own version, by its digest."""
        caller = must_be(await keys.caller(request.headers.get("authorization")), "person")
        said = _read(_Approval, parse_json(await read_body(request)))
        found = live.drafts.get(f"{id_}/{version}")
        if found is None:
            raise Refused(404, "No such protocol", "No version of a board's own of that name was taken.")
        if found.digest != said.digest:
            raise Refused(409, "Other content", f"What was taken has the digest {found.digest}.")
        done = await approvals.approve(desk.database, caller, found.ref, found.digest)
        return JsonResponse({"protocol": found.ref, "published": done}, 200 if done else 202)

    return router


def _plain(said: str | None) -> str | None:
    """A word of a query that the database can take."""
    return None if said is None else said.replace("\x00", "")


def _page_mark(said: str) -> tuple[datetime, str]:
    """Where the page before ended. Raises Refused (422)."""
    moment, _, case = said.partition(" ")
    try:
        return read_moment(moment), str(_plain(case))
    except ValueError:
        raise Refused(422, "Not a page", "Ask with the `next` of an earlier answer in `after`.") from None


def _as_told(caller: Caller, counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What shadows differed by. A board sees figures alone: small numbers are kept back (null)."""
    if caller.role != "board":
        return counts
    return [{**one, **{name: told(one[name]) for name in approvals.DIFFERENCES}} for one in counts]


_Shape = TypeVar("_Shape", bound=BaseModel)


def _read(shape: type[_Shape], parsed: Any) -> _Shape:
    try:
        return shape.model_validate(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "/" + "/".join(str(part) for part in first["loc"])
        raise Refused(422, "Not an act", f"{where}: {first['msg']}.", at=where) from None


def _read_act(parsed: Any) -> Said:
    act = _read(_Act, parsed)
    return Said(
        act=act.act or str(uuid4()),
        kind=act.kind,
        version=act.version,
        to=orjson.loads(act.to.model_dump_json(exclude_none=True)),
        reason=(act.reason or "").strip() or None,
        confirms=act.confirms,
        set_aside=tuple(sorted(set(act.set_aside))),
        fact=act.fact,
        answer=act.answer,
        about=act.about,
    )


def _answer(case: str, heard: Heard) -> dict[str, Any]:
    return {
        "case": case,
        "act": heard.act,
        "standing": heard.standing,
        "version": heard.version,
        "state": heard.state,
        "detail": heard.detail,
    }
