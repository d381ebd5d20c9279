"""The screening board and its case pages: what the joint team looks at, and what it does about it. Everything
is triage's and delivery's to decide; the console asks them for the person who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.console import store, views
from services.console.access import Access, Viewer, refuse_foreign
from services.console.domain import casework, past, times
from services.console.drafts import Drafts
from services.console.others import Answer, Others
from services.console.pages import Pages, screening_link, with_query
from shared.db import Database
from shared.errors import Refused
from shared.keys import Role
from shared.web import read_body

ROLES: Final[tuple[Role, ...]] = ("person",)
PER_PAGE: Final = 50
FORM_BYTES: Final = 65_536

WHY: Final[Mapping[str, str]] = {
    "section_47": "section 47",
    "child_level_4": "child at the highest level",
    "doubt": "a link in doubt",
    "lower_proposed": "the rules ask for less now",
    "nobody_routed": "nobody told",
    "rule_failed": "a rule could not be tried",
    "area_missing": "no area found",
    "joint_screening": "the team looks at every case",
}
"""Reasons to choose from; others have a fact's name."""

DONE: Final[Mapping[str, str]] = {
    "claim": "You have this case now.",
    "give_back": "The case is free again.",
    "hand_over": "The case was handed over.",
    "confirm": "Confirmed. The case has left the queue.",
    "raise": "Raised. The case was decided anew.",
    "waiting": "Proposed. It waits for a second person of another agency.",
    "lower": "Lowered by the two of you. The case was decided anew.",
    "answer": "Answered. The case was decided anew.",
}


def routes(pages: Pages, access: Access, database: Database, others: Others, drafts: Drafts) -> APIRouter:
    """The pages of the joint team."""
    router = APIRouter(include_in_schema=False)

    @router.get("/screening")
    async def board(
        request: Request,
        area: str = Query("", max_length=100),
        because: str = Query("", max_length=64),
        mine: str = "",
        after: str = Query("", max_length=300),
    ) -> Response:
        viewer = await access.viewer(request, *ROLES)
        wanted = {"area": area.strip(), "because": because.strip(), "mine": "true" if mine else ""}
        found = await others.get(
            viewer,
            "triage",
            "/v1/queue",
            limit=PER_PAGE,
            after=after or None,
            **{name: value or None for name, value in wanted.items()},
        )
        now = datetime.now(UTC)
        return pages.page(
            "screening.html",
            viewer=viewer,
            here="/screening",
            cases=[_line(one, now) for one in found["cases"]],
            total=found["total"],
            wanted=wanted,
            filtered=any(wanted.values()),
            why=WHY,
            first=not after,
            onward=with_query("/screening", **wanted, after=found["next"]) if found["next"] else None,
        )

    @router.get("/screening/next")
    async def next_case(request: Request) -> Response:
        """The case that is due first and that nobody else has."""
        viewer = await access.viewer(request, *ROLES)
        found = await others.get(viewer, "triage", "/v1/queue", limit=100)
        free = [one for one in found["cases"] if one["claimed_by"] in (None, viewer.person)]
        return RedirectResponse(screening_link(free[0]["case"]) if free else "/screening", 303)

    @router.get("/screening/{case:path}")
    async def case_page(request: Request, case: str, done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await show(viewer, case, typed=await drafts.take(request), done=DONE.get(done))

    @router.post("/screening/{case:path}")
    async def act(request: Request, case: str) -> Response:
        refuse_foreign(request)
        body = await read_body(request, limit=FORM_BYTES)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        try:
            viewer = await access.viewer(request, *ROLES)
        except Refused as refused:
            if refused.status != 401:
                raise
            back = RedirectResponse(with_query("/login", next=request.url.path, kept="yes"), 303)
            await drafts.keep(request.url.path, form, back)
            return back
        do = _one(form, "do")
        answer = await _act(others, viewer, case, do, form)
        if answer.well:
            done = "waiting" if answer.said.get("standing") == "waiting" else do
            return RedirectResponse(with_query(screening_link(case), done=done), 303)
        return await show(viewer, case, typed=form, refused=answer)

    async def show(
        viewer: Viewer,
        case: str,
        *,
        typed: Mapping[str, list[str]],
        done: str | None = None,
        refused: Answer | None = None,
    ) -> Response:
        found = await others.get(viewer, "triage", f"/v1/cases/{case}")
        now = datetime.now(UTC)
        async with database.transaction() as tx:
            row = await store.one(tx, case)
        seen = _one(typed, "version")
        return pages.page(
            "casework.html",
            code=refused.status if refused else 200,
            viewer=viewer,
            here="/screening",
            case={"claim": None, **found},
            receipt=found["decision"]["receipt"],
            due=_due(found, now),
            told=views.case_page(row, (), now) if row is not None else None,
            sides=casework.side_by_side(found["incident"], found["history"]),
            adults=casework.adults(found["incident"]),
            relations=casework.relations(found["incident"]),
            happened=casework.happened(found["incident"]),
            timeline=casework.timeline(found["incident"], found["history"], now.date()),
            past=past.in_lines(found["incident"], found["history"]),
            aside=_may_be_set_aside(found["decision"]["receipt"]),
            proposal=_proposal(found["acts"]),
            typed={name: values for name, values in typed.items() if name not in ("version", "act")},
            newer=bool(seen) and seen != str(found["version"]),
            refused=refused,
            done=done,
            act=str(uuid4()),
        )

    return router


async def _act(others: Others, viewer: Viewer, case: str, do: str, form: Mapping[str, list[str]]) -> Answer:
    path = f"/v1/cases/{case}"
    if do == "claim":
        return await others.post(viewer, "triage", f"{path}/claim", {})
    if do == "give_back":
        return await others.delete(viewer, "triage", f"{path}/claim")
    if do == "hand_over":
        return await others.post(viewer, "triage", f"{path}/claim", {"to": _one(form, "to") or None})
    said: dict[str, Any] = {
        "act": _one(form, "act") or None,
        "kind": do,
        "version": _number(_one(form, "version")),
        "reason": _one(form, f"{do}_reason") or None,
    }
    if do == "raise":
        said["to"] = {
            name: value
            for name, value in (
                ("css_response", _one(form, "css_response")),
                ("victim_level", _one(form, "victim_level")),
                ("child_level", _number(_one(form, "child_level"))),
            )
            if value not in ("", None)
        }
    elif do == "lower":
        said |= {"set_aside": form.get("set_aside", []), "confirms": _one(form, "confirms") or None}
    elif do == "answer":
        said |= {"fact": _one(form, "fact"), "answer": _answer(form)}
    return await others.post(viewer, "triage", f"{path}/decisions", said)


def _answer(form: Mapping[str, list[str]]) -> Any:
    kind, values = _one(form, "kind"), [value for value in form.get("answer", ()) if value]
    if kind == "some_of":
        return values
    if not values:
        return None
    if kind == "yes_no":
        return {"yes": True, "no": False}.get(values[0])
    return _number(values[0]) if kind == "number" else values[0]


def _one(form: Mapping[str, list[str]], name: str) -> str:
    return (form.get(name) or [""])[0].strip()


def _number(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


def _line(one: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    due = datetime.fromisoformat(one["due"])
    return {**one, "due_words": times.say_deadline(due, now), "link": screening_link(one["case"])}


def _due(found: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    said = found["review"]["due"] or found["held_until"]
    if said is None:
        return None
    due = datetime.fromisoformat(said)
    return {"at": said, "words": times.say_deadline(due, now), "late": due < now}


def _may_be_set_aside(receipt: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Reasons that two people may set aside: no safeguard, and nothing that says what a level means."""
    guards = f"{receipt['safeguards']['id']}/{receipt['safeguards']['version']}#"
    return [
        reason
        for reason in receipt["reasons"]
        if not reason["rule"].startswith(guards)
        and not reason["rule"].partition("#")[2].startswith(("baseline", "level-", "without-child-"))
    ]


def _proposal(acts: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one for one in acts if one["kind"] == "lower" and one["standing"] == "waiting"), None)
