"""Dead letters as pages: what could not be handled and why, and sending it again once the cause is mended.

Each service shows its own, reason and shape only; the console puts them together for whoever is signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, Viewer, refuse_foreign
from services.console.domain.condition import SERVICES
from services.console.others import Others
from services.console.pages import Pages, with_query
from shared.errors import Refused, Retryable
from shared.keys import Role
from shared.recovery import DeadLetters
from shared.web import read_body

ROLES: Final[tuple[Role, ...]] = ("ops",)
FORM_BYTES: Final = 65_536

STANDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "waiting": ("red", "waits for a person"),
    "overtaken": ("grey", "not needed any more: something newer of its case was applied"),
    "resent": ("blue", "sent again, not heard of yet"),
    "applied": ("green", "sent again and applied"),
    "put_aside_again": ("red", "sent again and put aside again: the cause is not mended"),
}
"""Colour and words of how one stands (`shared.recovery.standing`)."""

_KINDS: Final[Mapping[str, str]] = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "yes or no",
    "NoneType": "nothing",
    "list": "a list",
    "object": "a part",
}


def routes(pages: Pages, access: Access, others: Others, own: DeadLetters) -> APIRouter:
    """The list, one of them, and sending again. `own`: the console's, which it asks nobody for."""
    router = APIRouter(include_in_schema=False)

    async def listed(viewer: Viewer, service: str) -> list[Mapping[str, Any]] | None:
        try:
            if service == "console":
                return list((await own.listed())["dead_letters"])
            return list((await others.get(viewer, service, "/v1/dead-letters"))["dead_letters"])
        except (Refused, Retryable):
            return None

    async def one_of(viewer: Viewer, number: str) -> Mapping[str, Any]:
        service = _service_of(number)
        if service == "console":
            return await own.one(number)
        return await others.get(viewer, service, f"/v1/dead-letters/{number}")

    async def send_again(viewer: Viewer, number: str) -> str | None:
        """Why it was not sent again; None where it was."""
        service = _service_of(number)
        if service == "console":
            try:
                await own.resend(number, viewer.person or f"key:{viewer.key}")
            except Refused as refused:
                return refused.detail
            return None
        answer = await others.post(viewer, service, f"/v1/dead-letters/{number}/resend", {})
        return None if answer.well else str(answer.said.get("detail") or answer.said.get("title"))

    @router.get("/dead-letters")
    async def all_of_them(request: Request, sent: int | None = None, kept: int | None = None) -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = dict(
            zip(SERVICES, await asyncio.gather(*(listed(viewer, name) for name in SERVICES)), strict=True)
        )
        letters = [one for several in found.values() for one in several or ()]
        return pages.page(
            "dead_letters.html",
            viewer=viewer,
            here="/dead-letters",
            waiting=sorted((one for one in letters if not one["resolved_at"]), key=lambda one: str(one["at"])),
            done=sorted(
                (one for one in letters if one["resolved_at"]),
                key=lambda one: str(one["resolved_at"]),
                reverse=True,
            ),
            silent=[name for name, several in found.items() if several is None],
            standings=STANDINGS,
            sent=sent,
            kept=kept,
        )

    @router.post("/dead-letters")
    async def several_again(request: Request) -> Response:
        refuse_foreign(request)
        viewer = await access.viewer(request, *ROLES)
        form = parse_qs((await read_body(request, limit=FORM_BYTES)).decode("utf-8", "replace"))
        # One after the other, the oldest first: of one case an older state goes before a newer one.
        refusals = [await send_again(viewer, number) for number in form.get("number", ())]
        kept = sum(why is not None for why in refusals)
        said = with_query("/dead-letters", sent=str(len(refusals) - kept), kept=str(kept))
        return RedirectResponse(said if refusals else "/dead-letters", 303)

    @router.get("/dead-letters/{number}")
    async def one_page(request: Request, number: str, done: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        return await show(viewer, number, done=bool(done))

    @router.post("/dead-letters/{number}")
    async def one_again(request: Request, number: str) -> Response:
        refuse_foreign(request)
        viewer = await access.viewer(request, *ROLES)
        refused = await send_again(viewer, number)
        if refused is None:
            return RedirectResponse(f"/dead-letters/{number}?done=yes", 303)
        return await show(viewer, number, refused=refused)

    async def show(viewer: Viewer, number: str, *, done: bool = False, refused: str | None = None) -> Response:
        letter = await one_of(viewer, number)
        return pages.page(
            "dead_letter.html",
            code=409 if refused else 200,
            viewer=viewer,
            here="/dead-letters",
            letter=letter,
            fields=list(_fields(letter["shape"])),
            standings=STANDINGS,
            done=done,
            refused=refused,
        )

    return router


def _service_of(number: str) -> str:
    service = number.partition(":")[0]
    if service not in SERVICES:
        raise Refused(404, "No such dead letter", "No service has put anything aside under this number.")
    return service


def _fields(shape: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A shape line by line: where a field stands, and what kind of thing it is."""
    if isinstance(shape, Mapping):
        for name, inner in shape.items():
            yield from _fields(inner, f"{path}/{name}")
    else:
        yield path or "the whole of it", _kind(str(shape))


def _kind(said: str) -> str:
    """What `shape_of` calls a kind of thing, as people do."""
    name, _, count = said.partition("(")
    words = _KINDS.get(name, name)
    return f"{words} of {count.rstrip(')')}" if count else words
