"""The paths of the desk: what starts work there is a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.delivery.desk import MOST_LISTED, Desk
from services.delivery.domain.acts import Act, Kind
from shared import ledger
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body


class _Posted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    to: Annotated[str | None, Field(max_length=63)] = None
    reason: Annotated[str | None, Field(max_length=4000)] = None


def desk_routes(runtime: Runtime, desk: Desk) -> APIRouter:
    """The HTTP paths of the desk."""
    router = APIRouter(tags=["desk"])

    @router.get("/v1/held", summary="What waits for a person in the caller's areas")
    async def held(request: Request, limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100) -> JsonResponse:
        """The earliest deadline first; ids and times only. For keys of role person or ops."""
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "person", "ops")
        return JsonResponse({"held": await desk.waiting(caller, limit)})

    @router.post("/v1/deliveries/{delivery}/acts", summary="What a person does about a delivery")
    async def act(request: Request, delivery: str) -> JsonResponse:
        """`release` or `refuse` (restricted; children's services and the police), `pass_on` (`to`: a recipient
        of the same role), `told` (by other means; with a reason). For keys of role person.

        200 with `status` `recorded` or `repeated`. 403 another agency's to do; 404 no such delivery in the
        caller's areas; 409 not as it stands; 422 not an act.
        """
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "person")
        posted = _read(parse_json(await read_body(request, limit=65_536)), caller)
        return JsonResponse(await desk.act(caller, delivery, posted))

    return router


def _read(parsed: object, caller: Caller) -> Act:
    try:
        posted = _Posted.model_validate(parsed)
    except ValidationError as error:
        wrong = sorted({"/".join(str(step) for step in one["loc"]) for one in error.errors()})
        raise Refused(422, "Not an act", f"Please check: {', '.join(wrong)}.", fields=wrong) from None
    reason = (posted.reason or "").strip() or None
    if posted.kind in ("refuse", "told") and reason is None:
        raise Refused(422, "No reason", f"Say in `reason` why, where the act is `{posted.kind}`.")
    if (posted.kind == "pass_on") != (posted.to is not None):
        raise Refused(422, "Not an act", "`to` names a recipient where the act is `pass_on`, and only there.")
    if reason is not None and "\x00" in reason:
        raise Refused(422, "Not an act", "Text cannot contain the character NUL.")
    return Act(
        kind=posted.kind,
        who=caller.person or caller.key,
        agency=caller.agency,
        at=ledger.now(),
        reason=reason,
        to=posted.to,
    )
