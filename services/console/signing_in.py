"""Signing in and out: with a key, or at the organisation's provider of identity."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Access, local_path, refuse_foreign
from services.console.pages import Pages
from services.console.provider import BACK, Provider
from services.console.sessions import SignedIn
from shared.errors import Refused
from shared.web import read_body

_FORM_BYTES: Final = 4096


def routes(pages: Pages, access: Access, provider: Provider | None, *, keys: bool) -> APIRouter:
    """The pages of signing in. `keys`: whether a key may be typed in."""
    router = APIRouter(include_in_schema=False)

    def sign_in_page(onward: str, *, code: int = 200, wrong: str | None = None) -> Response:
        return pages.page(
            "login.html",
            code=code,
            viewer=None,
            here="/login",
            next=onward,
            wrong=wrong,
            keys=keys,
            provider=provider is not None,
        )

    @router.get("/login")
    async def login_page(next: str = "/") -> Response:
        return sign_in_page(local_path(next))

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        refuse_foreign(request)
        form = parse_qs((await read_body(request, limit=_FORM_BYTES)).decode("utf-8", "replace"))
        onward = local_path(form.get("next", ["/"])[0])
        if not keys:
            raise Refused(403, "Not with a key", "Sign in with your organisation's account.")
        response = RedirectResponse(onward, 303)
        try:
            await access.sign_in(SignedIn(form.get("key", [""])[0].strip()), response)
        except Refused as refused:
            wrong = (
                "This key is not known, or was revoked."
                if refused.status == 401
                else "This key is not for the console: it needs one of a person's roles."
            )
            return sign_in_page(onward, code=refused.status, wrong=wrong)
        return response

    @router.get("/login/away")
    async def send_to_provider(request: Request, next: str = "/") -> Response:
        # A link, and not a form: a form may lead to this site only, also by redirects.
        if provider is None:
            raise Refused(404, "No provider", "Nobody set up sign-in with an organisation's account.")
        return await provider.send_there(request, local_path(next))

    @router.get(BACK)
    async def come_back(request: Request) -> Response:
        if provider is None:
            raise Refused(404, "No provider", "Nobody set up sign-in with an organisation's account.")
        try:
            signed_in, onward = await provider.take_back(request)
            # A page, and not a redirect: what follows it starts here, so the strict cookie goes with it.
            response = pages.page("signed_in.html", viewer=None, here="/login", next=local_path(onward))
            await access.sign_in(signed_in, response)
        except Refused as refused:
            wrong = (
                "Your organisation's sign-in did not let you in. Try again."
                if refused.status == 401
                else "Your account has no role here. Whoever looks after accounts can give it one."
            )
            return sign_in_page("/", code=refused.status, wrong=wrong)
        return response

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        refuse_foreign(request)
        response = RedirectResponse("/login", 303)
        await access.sign_out(request, response)
        return response

    return router
