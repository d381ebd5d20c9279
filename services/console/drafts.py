"""What somebody wrote when their session had ended: kept for an hour, for the same browser, and put back into
the form when they have signed in again. Sealed as sessions are; nobody else's browser opens it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request, Response

from services.console import store
from services.console.settings import Settings
from shared.db import Database

COOKIE: Final = "waymark_draft"
LASTS: Final = timedelta(hours=1)
MOST: Final = 1000
"""More are not kept at one time: anybody may post a form without being signed in."""


class Drafts:
    """Kept when a form came from somebody who is not signed in any more."""

    def __init__(self, settings: Settings, database: Database) -> None:
        key = hashlib.sha256(b"waymark draft\n" + settings.session_secret.reveal().encode()).digest()
        self._seal = Fernet(base64.urlsafe_b64encode(key))
        self._database = database
        self._secure = settings.public_url.startswith("https://")

    async def keep(self, path: str, form: Mapping[str, list[str]], response: Response) -> None:
        """Keep what was posted to `path`, and put its cookie into the response."""
        cookie = secrets.token_urlsafe(32)
        sealed = self._seal.encrypt(orjson.dumps({"path": path, "form": dict(form)}))
        async with self._database.transaction() as tx:
            await store.keep_draft(tx, _digest(cookie), sealed, ends_at=datetime.now(UTC) + LASTS, most=MOST)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )

    async def take(self, request: Request) -> dict[str, list[str]]:
        """What this browser wrote on this very page, once; else nothing."""
        cookie = request.cookies.get(COOKIE)
        if not cookie or len(cookie) > 200:
            return {}
        async with self._database.transaction() as tx:
            sealed = await store.draft(tx, _digest(cookie))
            if sealed is None:
                return {}
            try:
                kept = orjson.loads(self._seal.decrypt(sealed))
            except InvalidToken:
                return {}
            if kept["path"] != request.url.path:
                return {}
            await store.drop_draft(tx, _digest(cookie))
        form: dict[str, list[str]] = kept["form"]
        return form


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
