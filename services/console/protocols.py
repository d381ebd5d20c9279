"""Protocols as pages: what decides where and since when, every rule in plain words, who approved it, and what
the one in the shadow would have done otherwise. Triage says all of it; it tells of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, Viewer, refuse_foreign
from services.console.others import Answer, Others
from services.console.pages import Pages
from shared.keys import Role
from shared.web import read_body

ROLES: Final[tuple[Role, ...]] = ("ops", "person", "coordinator", "board")
APPROVERS: Final[tuple[Role, ...]] = ("person",)
DONE: Final = frozenset({"approved", "published"})
FORM_BYTES: Final = 4096
_DIFFERENCES: Final = ("same", "services", "higher", "lower")
_SMALL: Final = 2


def routes(pages: Pages, access: Access, others: Others) -> APIRouter:
    """What is in force, and one protocol."""
    router = APIRouter(include_in_schema=False)

    @router.get("/protocols")
    async def in_force(request: Request) -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = await others.get(viewer, "triage", "/v1/protocols")
        return pages.page(
            "protocols.html",
            viewer=viewer,
            here="/protocols",
            in_force=[
                {**one, "since_words": say_day(one["since"]), "next": [_coming(then) for then in one["next"]]}
                for one in found["in_force"]
            ],
            protocols=sorted(found["protocols"], key=lambda one: (not one["live_in"], str(one["title"]))),
            safeguards=found["safeguards"],
            shadows=[compared(one) for one in found["shadows"]],
        )

    @router.get("/protocols/{id_}/{version}")
    async def one_protocol(request: Request, id_: str, version: int, done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await show(viewer, f"{id_}/{version}", done=done if done in DONE else None)

    @router.post("/protocols/{id_}/{version}")
    async def approve(request: Request, id_: str, version: int) -> Response:
        """One of the two people of two agencies who publish a board's own version: of what they have read."""
        refuse_foreign(request)
        viewer = await access.viewer(request, *APPROVERS)
        form = parse_qs((await read_body(request, limit=FORM_BYTES)).decode("utf-8", "replace"))
        ref = f"{id_}/{version}"
        said = {"digest": form.get("digest", [""])[0]}
        answer = await others.post(viewer, "triage", f"/v1/protocols/{ref}/approvals", said)
        if answer.well:
            done = "published" if answer.said.get("published") else "approved"
            return RedirectResponse(f"/protocols/{ref}?done={done}", 303)
        return await show(viewer, ref, refused=answer)

    async def show(
        viewer: Viewer, ref: str, *, done: str | None = None, refused: Answer | None = None
    ) -> Response:
        found = await others.get(viewer, "triage", f"/v1/protocols/{ref}")
        approvals = _of_this_text(found)
        return pages.page(
            "protocol.html",
            code=refused.status if refused else 200,
            viewer=viewer,
            done=done,
            refused=str(refused.said.get("detail") or refused.said.get("title")) if refused else None,
            may_approve=viewer.role in APPROVERS
            and found["came_with"] == "board"
            and all(given["who"] != viewer.person for given in approvals),
            here="/protocols",
            one=found,
            from_words=say_day(found["in_force_from"]),
            then=[{"area": area, "from": say_day(day)} for area, day in found.get("then_in", {}).items()],
            approvals=approvals,
            shadows=[compared(one) for one in found["shadows"]],
        )

    return router


def say_day(day: str) -> str:
    """`2026-01-01` as `1 January 2026`."""
    read = date.fromisoformat(day)
    return f"{read.day} {read:%B %Y}"


def compared(counts: Mapping[str, Any]) -> dict[str, Any]:
    """What a shadow differed by, with the whole and the parts of a bar in per cent. A number that is kept back
    is None; it is drawn as a small one."""
    drawn = {name: _SMALL if counts[name] is None else counts[name] for name in _DIFFERENCES}
    total = sum(drawn.values())
    left, parts = 0.0, []
    for name, cases in drawn.items():
        width = 100 * cases / total if total else 0.0
        parts.append({"name": name, "cases": counts[name], "x": round(left, 2), "width": round(width, 2)})
        left += width
    kept_back = any(counts[name] is None for name in _DIFFERENCES)
    return {**counts, "total": None if kept_back else total, "parts": parts}


def _coming(then: Mapping[str, Any]) -> dict[str, Any]:
    return {**then, "words": say_day(then["from"])}


def _of_this_text(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Approvals count for what was read, by its digest."""
    return [one for one in found["approvals"] if one["digest"] == found["digest"]]
