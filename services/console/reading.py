"""The reader's page: for a school, a health visitor or a specialist without a system of their own.

A notice by e-mail leads here; a code sent to the same mail box opens what was sent to them, for half an hour.
Delivery makes the code, keeps the session and says what may be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console.access import Viewer, refuse_foreign
from services.console.domain import casework
from services.console.others import Others
from services.console.pages import Pages, with_query
from shared.errors import Refused
from shared.web import read_body

COOKIE: Final = "waymark_reader"
FORM_BYTES: Final = 65_536
MOST: Final = 500
MINUTES: Final = 30
DONE: Final = {
    "opened": "Thank you. Waymark knows that you have read it.",
    "rejected": "Thank you. It goes on to whom it concerns, or to a person; you need do nothing more.",
}


def routes(pages: Pages, others: Others, *, secure: bool) -> APIRouter:
    """Signing in with a code, what was sent, one case."""
    router = APIRouter(prefix="/reader", include_in_schema=False)

    @router.get("/{recipient}")
    async def inbox(request: Request, recipient: str) -> Response:
        reader = _reader(request)
        if reader is None:
            return _sign_in(recipient)
        try:
            found = await others.get(reader, "delivery", "/v1/inbox", limit=MOST)
        except Refused as refused:
            if refused.status == 401:
                return _sign_in(recipient, wrong="You were signed out. Ask for another code.")
            raise
        return pages.page("reader.html", viewer=None, here="", recipient=recipient, cases=_newest(found))

    @router.post("/{recipient}/code")
    async def ask(request: Request, recipient: str) -> Response:
        refuse_foreign(request)
        form = await _form(request)
        said = {"recipient": recipient, "email": _one(form, "email")}
        answer = await others.post(NOBODY, "delivery", "/v1/sign-in", said)
        return _sign_in(recipient, number=str(answer.said.get("sign_in", "")))

    @router.post("/{recipient}/enter")
    async def enter(request: Request, recipient: str) -> Response:
        refuse_foreign(request)
        form = await _form(request)
        number = _one(form, "number")
        path = f"/v1/sign-in/{quote(number, safe='')}"
        answer = await others.post(NOBODY, "delivery", path, {"code": _one(form, "code")})
        if not answer.well:
            return _sign_in(recipient, number=number, wrong=str(answer.said.get("detail")), code=403)
        onward = RedirectResponse(f"/reader/{quote(str(answer.said['recipient']))}", 303)
        onward.set_cookie(
            COOKIE,
            str(answer.said["token"]),
            max_age=MINUTES * 60,
            httponly=True,
            samesite="strict",
            secure=secure,
            path="/reader",
        )
        return onward

    @router.post("/{recipient}/leave")
    async def leave(request: Request, recipient: str) -> Response:
        refuse_foreign(request)
        reader = _reader(request)
        if reader is not None:
            await others.delete(reader, "delivery", "/v1/sign-in")
        away = RedirectResponse(f"/reader/{quote(recipient)}", 303)
        away.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure, path="/reader")
        return away

    @router.get("/{recipient}/{delivery}")
    async def case_page(request: Request, recipient: str, delivery: str, done: str = "") -> Response:
        return await show(request, recipient, delivery, done=DONE.get(done))

    @router.post("/{recipient}/{delivery}")
    async def answer(request: Request, recipient: str, delivery: str) -> Response:
        refuse_foreign(request)
        form = await _form(request)
        reader = _reader(request)
        if reader is None:
            return _sign_in(recipient, wrong="You were signed out, and nothing was sent. Ask for another code.")
        kind = "rejected" if _one(form, "kind") == "rejected" else "opened"
        said: dict[str, Any] = {"kind": kind}
        if kind == "rejected":
            said |= {"reason": _one(form, "reason") or "not ours", "not_ours": _one(form, "to") or None}
        path = f"/v1/deliveries/{quote(delivery, safe='')}/receipts"
        told = await others.post(reader, "delivery", path, said)
        if told.well:
            here = f"/reader/{quote(recipient)}/{quote(delivery)}"
            return RedirectResponse(with_query(here, done=kind), 303)
        return await show(request, recipient, delivery, refused=str(told.said.get("detail")), typed=form)

    async def show(
        request: Request,
        recipient: str,
        delivery: str,
        *,
        done: str | None = None,
        refused: str | None = None,
        typed: Mapping[str, list[str]] | None = None,
    ) -> Response:
        reader = _reader(request)
        if reader is None:
            return _sign_in(recipient, wrong="You were signed out. Ask for another code.")
        found = await others.get(reader, "delivery", "/v1/inbox", limit=MOST)
        entry = next((one for one in found["entries"] if one["notification"]["delivery"] == delivery), None)
        if entry is None:
            raise Refused(404, "No such case", "Nothing of this id was sent to you.")
        newer = next(
            (
                one["notification"]
                for one in found["entries"]
                if one["notification"].get("replaces") == delivery
            ),
            None,
        )
        told = entry["notification"]
        incident = told.get("incident") or {}
        return pages.page(
            "reader_case.html",
            code=409 if refused else 200,
            viewer=None,
            here="",
            recipient=recipient,
            told=told,
            incident=incident,
            answered=entry["answered"],
            newer=newer,
            happened=casework.happened(incident),
            adults=casework.adults(incident),
            children=[
                {"name": casework.name_of(one), "lines": casework.child_lines(one)}
                for one in incident.get("children") or ()
            ],
            restricted="restricted" in (told.get("handling") or ()),
            done=done,
            refused=refused,
            typed={name: (values or [""])[0] for name, values in (typed or {}).items()},
        )

    def _sign_in(recipient: str, *, number: str = "", wrong: str | None = None, code: int = 200) -> Response:
        return pages.page(
            "reader_sign_in.html",
            code=code,
            viewer=None,
            here="",
            recipient=recipient,
            number=number,
            wrong=wrong,
        )

    return router


NOBODY: Final = Viewer("reader", "recipient", ())


def _reader(request: Request) -> Viewer | None:
    token = request.cookies.get(COOKIE)
    return (
        None if not token or len(token) > 200 else Viewer("reader", "recipient", (), bearer=f"Bearer {token}")
    )


def _newest(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was sent, the newest first, without what a newer version replaced."""
    replaced = {one["notification"].get("replaces") for one in found["entries"]}
    return [
        {**one["notification"], "at": one["at"], "answered": one["answered"]}
        for one in reversed(found["entries"])
        if one["notification"]["delivery"] not in replaced
    ]


async def _form(request: Request) -> dict[str, list[str]]:
    body = await read_body(request, limit=FORM_BYTES)
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def _one(form: Mapping[str, list[str]], name: str) -> str:
    return (form.get(name) or [""])[0].strip()
