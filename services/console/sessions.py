"""Who is signed in: a random cookie, and under its digest what they signed in with, sealed.

The console acts for people at the other services with what they gave it, so it has to keep it: a key, or an
access token with what renews it. It is sealed with the session secret, so the database alone opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from cryptography.fernet import Fernet, InvalidToken

from services.console import store
from services.console.settings import Settings
from shared.db import Database

COOKIE: Final = "waymark_session"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What somebody signed in with. `until`: when `bearer` runs out (seconds since 1970; None: it does not);
    `renews`: what a new one can be had with."""

    bearer: str = field(repr=False)
    until: float | None = None
    renews: str | None = field(default=None, repr=False)


class Sessions:
    """Opened at sign-in, ended by signing out or after `session_hours`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        key = hashlib.sha256(b"waymark session\n" + settings.session_secret.reveal().encode()).digest()
        self._seal = Fernet(base64.urlsafe_b64encode(key))
        self._database = database
        self.lasts = timedelta(hours=settings.session_hours)

    async def open(self, signed_in: SignedIn) -> str:
        """Begin a session; its cookie."""
        cookie = secrets.token_urlsafe(32)
        async with self._database.transaction() as tx:
            await store.forget_ended_sessions(tx)
            await store.save_session(
                tx, _digest(cookie), self._sealed(signed_in), ends_at=datetime.now(UTC) + self.lasts
            )
        return cookie

    async def find(self, cookie: str | None) -> SignedIn | None:
        """What the owner of the cookie signed in with; None where there is no such session any more."""
        if not cookie or len(cookie) > 200:
            return None
        async with self._database.transaction() as tx:
            sealed = await store.session(tx, _digest(cookie))
        if sealed is None:
            return None
        try:
            return SignedIn(**orjson.loads(self._seal.decrypt(sealed)))
        except InvalidToken:
            return None  # sealed with another secret: they sign in again

    async def renew(self, cookie: str, signed_in: SignedIn) -> None:
        """Keep what took the place of what had run out. The session ends when it would have."""
        async with self._database.transaction() as tx:
            await store.renew_session(tx, _digest(cookie), self._sealed(signed_in))

    async def close(self, cookie: str | None) -> None:
        """End the session, if there is one."""
        if cookie:
            async with self._database.transaction() as tx:
                await store.close_session(tx, _digest(cookie))

    def _sealed(self, signed_in: SignedIn) -> bytes:
        return self._seal.encrypt(orjson.dumps(asdict(signed_in)))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
