"""Signing in to the reader's page without an account: whoever reads the mail box that notices go to gets a
code there, once, and with it a session for the recipient's inbox and receipts."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Any, Final

import aiosmtplib
from fastapi import APIRouter, Request

from services.delivery.book import Book
from services.delivery.notices import Notices
from shared import audit, telemetry
from shared.db import Database
from shared.errors import Refused
from shared.web import JsonResponse, parse_json, read_body

PREFIX: Final = "wms_"
CODE_MINUTES: Final = 10
SESSION_MINUTES: Final = 30
TRIES: Final = 5
CODES_AN_HOUR: Final = 6
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike."""

_log = telemetry.logger()


class SignIn:
    """Codes and sessions; of both only digests are kept."""

    def __init__(self, database: Database, book: Book, notices: Notices) -> None:
        self._database = database
        self._book = book
        self._notices = notices
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, recipient: str, email: str) -> str:
        """Send a code where `email` is the recipient's own; the number to give it back with. The answer is
        the same, and comes as soon, where it is not: nobody learns who has which address."""
        number, code = f"s-{secrets.token_hex(8)}", "".join(secrets.choice(_LETTERS) for _ in range(8))
        found = self._book.get(recipient)
        to = found.notice if found is not None else None
        if to is None or not self._notices.able or to.reveal().casefold() != email.strip().casefold():
            return number
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM sign_in_codes WHERE expires_at < now() - interval '1 hour'")
            already = await tx.value(
                "SELECT count(*) FROM sign_in_codes WHERE recipient = :recipient", recipient=recipient
            )
            if already >= CODES_AN_HOUR:
                return number
            await tx.execute(
                """
                INSERT INTO sign_in_codes (id, recipient, digest, expires_at)
                VALUES (:id, :recipient, :digest, now() + make_interval(mins => :minutes))
                """,
                id=number,
                recipient=recipient,
                digest=_digest(number + code),
                minutes=CODE_MINUTES,
            )
            await audit.record(tx, who=recipient, act="reader.code_sent", recipient=recipient)
        sending = asyncio.create_task(self._send(to, code, number))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return number

    async def _send(self, to: Any, code: str, number: str) -> None:
        text = (
            f"Your code is {code}. It works once, within {CODE_MINUTES} minutes.\n\n"
            "If you did not ask for it, do nothing and tell nobody.\n"
        )
        try:
            await self._notices.send(to, "Your code for Waymark", text, number)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            _log.warning("sign_in.code_not_sent", result=type(error).__name__)

    async def enter(self, number: str, code: str) -> tuple[str, str]:
        """The session of whoever gives the right code: its token and its recipient. Raises Refused (403)."""
        async with self._database.transaction() as tx:
            row = await tx.row(
                """
                UPDATE sign_in_codes SET tries = tries + 1
                WHERE id = :id AND expires_at > now() AND tries < :tries
                RETURNING recipient, digest
                """,
                id=number,
                tries=TRIES,
            )
            given = _digest(number + code.strip().upper().replace(" ", ""))
            right = row is not None and secrets.compare_digest(row["digest"], given)
            token = PREFIX + secrets.token_urlsafe(32)
            if row is not None and right:
                await tx.execute("DELETE FROM sign_in_codes WHERE id = :id", id=number)
                await tx.execute("DELETE FROM reader_sessions WHERE expires_at < now()")
                await tx.execute(
                    """
                    INSERT INTO reader_sessions (digest, recipient, expires_at)
                    VALUES (:digest, :recipient, now() + make_interval(mins => :minutes))
                    """,
                    digest=_digest(token),
                    recipient=row["recipient"],
                    minutes=SESSION_MINUTES,
                )
                await audit.record(tx, who=row["recipient"], act="reader.signed_in", recipient=row["recipient"])
        if row is None or not right:
            raise Refused(403, "Not this code", "The code is wrong, was used, or is too old: ask for another.")
        return token, str(row["recipient"])

    async def recipient_of(self, authorization: str | None) -> str | None:
        """The recipient of a session's token; None where the header has none of ours. Raises Refused (401)
        where it is over."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            return None
        async with self._database.transaction() as tx:
            recipient = await tx.value(
                "SELECT recipient FROM reader_sessions WHERE digest = :digest AND expires_at > now()",
                digest=_digest(token.strip()),
            )
        if recipient is None:
            raise Refused(401, "Signed out", "This session is over: ask for another code.")
        return str(recipient)

    async def leave(self, authorization: str | None) -> None:
        """End a session."""
        token = (authorization or "").partition(" ")[2]
        async with self._database.transaction() as tx:
            await tx.execute(
                "DELETE FROM reader_sessions WHERE digest = :digest", digest=_digest(token.strip())
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sign_in_routes(sign_in: SignIn) -> APIRouter:
    """The paths that the reader's page uses."""
    router = APIRouter(prefix="/v1/sign-in", tags=["recipients"])

    async def body_of(request: Request, *names: str) -> list[str]:
        body = parse_json(await read_body(request, limit=4096))
        if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in names):
            raise Refused(422, "Not understood", f"Send one JSON object with {' and '.join(names)}.")
        return [body[name][:254] for name in names]

    @router.post("", summary="Ask for a code by e-mail")
    async def ask(request: Request) -> JsonResponse:
        """Takes `recipient` and `email`. 202 with the `sign_in` to give the code back with, whether or not a
        code was sent: it is where the address is the one that the recipient's notices go to."""
        recipient, email = await body_of(request, "recipient", "email")
        return JsonResponse({"sign_in": await sign_in.ask(recipient, email)}, 202)

    @router.post("/{number}", summary="Give the code back, for a session")
    async def enter(request: Request, number: str) -> JsonResponse:
        """Takes `code`. 200 with a `token` for `Authorization: Bearer`, good for the inbox and for receipts
        for half an hour; 403 where the code is wrong, used or old. Five tries."""
        (code,) = await body_of(request, "code")
        token, recipient = await sign_in.enter(number, code)
        return JsonResponse({"token": token, "recipient": recipient, "minutes": SESSION_MINUTES})

    @router.delete("", summary="Sign out")
    async def leave(request: Request) -> JsonResponse:
        await sign_in.leave(request.headers.get("authorization"))
        return JsonResponse({"status": "signed_out"})

    return router
