"""The pages of the likely band: pairs of people who may be one, side by side, and what a person rules of them.
Enrichment decides who may see a pair and what follows from a ruling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, Viewer, refuse_foreign
from services.console.domain.weights import bars
from services.console.drafts import Drafts
from services.console.others import Answer, Others
from services.console.pages import Pages, with_query
from shared.errors import Refused
from shared.keys import Role
from shared.web import read_body

ROLES: Final[tuple[Role, ...]] = ("person",)
PER_PAGE: Final = 20
FORM_BYTES: Final = 16_384
KINDS: Final[Mapping[str, str]] = {
    "waiting": "Waiting for a person",
    "likely": "Likely, by their score",
    "same": "Taken as one, by their score",
    "joined": "Joined by a person",
    "apart": "Kept apart by a person",
}
DONE: Final[Mapping[str, str]] = {
    "join": "They are one person now. The cases that this touches are decided anew.",
    "apart": "They are kept apart. The cases that this touches are decided anew.",
    "undo": "The ruling was taken back. What was before is so again.",
}


def routes(pages: Pages, access: Access, others: Others, drafts: Drafts) -> APIRouter:
    """The list, and one pair."""
    router = APIRouter(include_in_schema=False)

    @router.get("/links")
    async def list_page(
        request: Request,
        decision: str = "waiting",
        family: str = Query("", max_length=30),
        after: str = Query("", max_length=60),
    ) -> Response:
        viewer = await access.viewer(request, *ROLES)
        kind = decision if decision in KINDS else "waiting"
        found = await others.get(
            viewer,
            "enrichment",
            "/v1/links",
            decision=kind,
            family=family or None,
            after=after or None,
            limit=PER_PAGE,
        )
        following = found["next"]
        return pages.page(
            "links.html",
            viewer=viewer,
            here="/links",
            links=found["links"],
            kinds=KINDS,
            wanted={"decision": kind, "family": family},
            onward=with_query("/links", decision=kind, family=family, after=following) if following else None,
        )

    @router.get("/links/{name}")
    async def pair_page(request: Request, name: str, done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await show(viewer, name, typed=await drafts.take(request), done=DONE.get(done))

    @router.post("/links/{name}")
    async def rule(request: Request, name: str) -> Response:
        refuse_foreign(request)
        body = await read_body(request, limit=FORM_BYTES)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        try:
            viewer = await access.viewer(request, *ROLES)
        except Refused as refused:
            if refused.status != 401:
                raise
            back = RedirectResponse(with_query("/login", next=request.url.path), 303)
            await drafts.keep(request.url.path, form, back)
            return back
        said = {name: (form.get(name) or [""])[0].strip() for name in ("act", "why", "seen")}
        answer = await others.post(viewer, "enrichment", f"/v1/links/{name}", said)
        if answer.well:
            return RedirectResponse(with_query(f"/links/{name}", done=said["act"]), 303)
        return await show(viewer, name, typed=form, refused=answer)

    async def show(
        viewer: Viewer,
        name: str,
        *,
        typed: Mapping[str, list[str]],
        done: str | None = None,
        refused: Answer | None = None,
    ) -> Response:
        pair: Mapping[str, Any] = await others.get(viewer, "enrichment", f"/v1/links/{name}")
        return pages.page(
            "link.html",
            code=refused.status if refused else 200,
            viewer=viewer,
            here="/links",
            pair=pair,
            bars=bars(pair),
            why=(typed.get("why") or [""])[0],
            kept=bool(typed) and refused is None,
            refused=refused,
            done=done,
        )

    return router
