"""Recipients as pages: how each is reached and answers, what waits for it, and changes that take two people.

All of it is delivery's; the console asks for whoever is signed in, and shows nothing of what was delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, Viewer, refuse_foreign
from services.console.domain import times
from services.console.others import Answer, Others
from services.console.pages import Pages, with_query
from shared.errors import Refused
from shared.keys import Role
from shared.web import read_body

ROLES: Final[tuple[Role, ...]] = ("ops", "person")
FORM_BYTES: Final = 4096

HEALTH: Final[Mapping[str, tuple[str, str]]] = {
    "well": ("green", "well"),
    "never_tried": ("grey", "not tried since the start"),
    "not_verified": ("yellow", "not verified"),
    "resting": ("yellow", "left alone for a while"),
    "failing": ("red", "failing"),
    "disabled": ("red", "disabled"),
}
BREAKERS: Final[Mapping[str, str]] = {
    "closed": "closed: it is sent what waits",
    "open": "open: nothing is sent",
    "half_open": "half-open: one is tried",
}
_NOTHING_KNOWN: Final = dict.fromkeys(
    ("url", "why_not", "verified_at", "failing_since", "disabled_at", "disabled_because")
)
_NOT_IN_USE: Final = {"usable": False, "why_not": "its signing secret is not on this machine"}
DONE: Final = frozenset({"confirm", "withdraw"})


def routes(pages: Pages, access: Access, others: Others) -> APIRouter:
    """The list and one recipient."""
    router = APIRouter(include_in_schema=False)

    @router.get("/recipients")
    async def listed(request: Request, area: str = "", done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = await others.get(viewer, "delivery", "/v1/recipients")
        now = datetime.now(UTC)
        everybody = [_line(one, now) for one in found["recipients"]]
        areas = sorted({name for one in everybody for name in one["areas"]})
        shown = [one for one in everybody if area in ("", *one["areas"])]
        return pages.page(
            "recipients.html",
            viewer=viewer,
            here="/recipients",
            recipients=sorted(shown, key=lambda one: (one["rank"], one["id"])),
            areas=areas,
            area=area if area in areas else "",
            changes=sum(len(one["changes"]) for one in shown),
            new=[one for one in found["new"] if area in ("", *one["areas"])],
            done=done if done in DONE else None,
            health=HEALTH,
        )

    @router.get("/recipients/{name}")
    async def one_page(request: Request, name: str, done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await show(viewer, name, done=done if done in DONE else None)

    @router.post("/recipients/{name}")
    async def act(request: Request, name: str) -> Response:
        refuse_foreign(request)
        viewer = await access.viewer(request, *ROLES)
        form = parse_qs((await read_body(request, limit=FORM_BYTES)).decode("utf-8", "replace"))
        do, change = form.get("do", [""])[0], form.get("change", [""])[0]
        path = f"/v1/recipients/{name}"
        if do in ("ping", "verify"):
            answer = await others.post(viewer, "delivery", f"{path}/{do}", {})
            return await show(viewer, name, tried=(do, answer) if answer.well else None, refused=answer)
        if do not in DONE or "/" in change:
            raise Refused(422, "Not an act", "Please use the buttons of the page.")
        answer = await others.post(viewer, "delivery", f"{path}/changes/{change}/{do}", {})
        if answer.well:
            # One that is new is nowhere until somebody agrees to it.
            back = "/recipients" if form.get("new") else f"/recipients/{name}"
            return RedirectResponse(with_query(back, done=do), 303)
        if form.get("new"):
            raise Refused(answer.status, "It was not done", str(answer.said.get("detail")))
        return await show(viewer, name, refused=answer)

    async def show(
        viewer: Viewer,
        name: str,
        *,
        done: str | None = None,
        tried: tuple[str, Answer] | None = None,
        refused: Answer | None = None,
    ) -> Response:
        found = await others.get(viewer, "delivery", f"/v1/recipients/{name}")
        refused = None if refused is None or refused.well else refused
        return pages.page(
            "recipient.html",
            code=refused.status if refused else 200,
            viewer=viewer,
            here="/recipients",
            one=_line(found, datetime.now(UTC)),
            refusals=found["refusals"],
            health=HEALTH,
            breakers=BREAKERS,
            done=done,
            tried=tried[0] if tried else None,
            answers=_answers(tried[1].said) if tried else [],
            refused=str(refused.said.get("detail") or refused.said.get("title")) if refused else None,
        )

    return router


def _ways(channels: Sequence[Mapping[str, Any]], states: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each channel that is described, with how it is. One that is not in use at all (a webhook without its
    secret, on a machine for trying things out) has no state."""
    left = list(states)
    ways = []
    for channel in channels:
        state = next((one for one in left if one["kind"] == channel["kind"]), None)
        if state is not None:
            left.remove(state)
        ways.append({**_NOTHING_KNOWN, **channel, **(state or _NOT_IN_USE)})
    return ways


def _line(one: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    work, states = one["work"], one["state"]
    health = _health(states, work)
    total = work["waiting"] + work["in_inbox"] + work["held"]
    return {
        **one,
        "health": health,
        "rank": (not work["at_risk"], -max(1, list(HEALTH).index(health)), not total),
        "ways": _ways(one["channels"], states),
        "total": total,
        "oldest": _age(work["oldest_since"], now),
        "breach": times.say_deadline(datetime.fromisoformat(work["due"]), now) if work["due"] else None,
        "late": bool(work["due"]) and datetime.fromisoformat(work["due"]) <= now,
    }


def _health(states: Sequence[Mapping[str, Any]], work: Mapping[str, Any]) -> str:
    """In one word, the gravest that is so. Inboxes and topics cannot fail: their readers come for what is
    there."""
    hooks = [state for state in states if state["kind"] == "webhook"]
    if not hooks:
        return "well"
    if any("disabled_at" in state for state in hooks):
        return "disabled"
    if any("failing_since" in state for state in hooks):
        return "failing"
    if any(not state["usable"] for state in hooks):
        return "not_verified"
    if work["breaker"] != "closed":
        return "resting"
    return "well" if work["last_answer"] else "never_tried"


def _age(since: str | None, now: datetime) -> str | None:
    return times.say_age(datetime.fromisoformat(since), now) if since else None


def _answers(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a ping or a challenge brought, address by address."""
    if "webhooks" in said:
        return [(one["url"], f"{one['result']}, {one['ms']:.0f} ms") for one in said["webhooks"]]
    return [(url, str(result)) for url, result in said.get("addresses", {}).items()]
