"""Protocols as pages: what decides where and since when, every rule in plain words, who approved it, and what
the one in the shadow would have done otherwise. Triage says all of it; it tells of nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.console.access import Access
from services.console.others import Others
from services.console.pages import Pages
from shared.keys import Role

ROLES: Final[tuple[Role, ...]] = ("ops", "person", "coordinator", "board")
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
    async def one_protocol(request: Request, id_: str, version: int) -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = await others.get(viewer, "triage", f"/v1/protocols/{id_}/{version}")
        return pages.page(
            "protocol.html",
            viewer=viewer,
            here="/protocols",
            one=found,
            from_words=say_day(found["in_force_from"]),
            then=[{"area": area, "from": say_day(day)} for area, day in found.get("then_in", {}).items()],
            approvals=_of_this_text(found),
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


def _of_this_text(found: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Approvals count for what was read, by its digest."""
    return [one for one in found["approvals"] if one["digest"] == found["digest"]]
