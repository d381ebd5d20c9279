"""Who may look: a key as bearer, or a session after giving it once on the login page.

A session is a signed cookie that holds the public id of the key, never the key; whether the key still
lives is looked up, at most 15 seconds late. Thin on purpose: a provider of identity takes the place of
`/login`, and everything behind `Viewer` stays.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson
from fastapi import Request, Response

from services.console import store
from services.console.settings import Settings
from shared.db import Database
from shared.errors import Refused
from shared.keys import Caller, KeyRing, Role, must_be

COOKIE: Final = "waymark_session"
ROLES: Final[tuple[Role, ...]] = ("ops", "person")
_CACHED_FOR_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking. `areas`: whose cases are shown; None for ops, who see all cases and no people."""

    key: str
    role: str
    areas: tuple[str, ...] | None

    def may_see(self, area: str | None) -> bool:
        """Whether a case of this area is shown."""
        return self.areas is None or (area is not None and area in self.areas)


def viewer_of(caller: Caller) -> Viewer:
    """The viewer behind a key. Raises Refused (403) where its role has no business here."""
    must_be(caller, *ROLES)
    return Viewer(caller.key, caller.role, None if caller.role == "ops" else caller.areas)


class Access:
    """Keys and sessions."""

    def __init__(self, settings: Settings, keys: KeyRing, database: Database) -> None:
        self._secret = settings.session_secret.reveal().encode()
        self._seconds = settings.session_hours * 3600
        self._secure = settings.public_url.startswith("https://")
        self._keys = keys
        self._database = database
        self._alive: dict[str, tuple[float, bool]] = {}

    async def viewer(self, request: Request) -> Viewer:
        """Who asks. Raises Refused: 401 without key or session, 403 where the key is not for this."""
        bearer = request.headers.get("authorization")
        if bearer is None:
            session = self._session(request.cookies.get(COOKIE))
            if session is not None and await self._key_is_live(session.key):
                return session
        return viewer_of(await self._keys.caller(bearer))

    async def log_in(self, key: str) -> Viewer:
        """The viewer behind a key that was typed in. Raises Refused (401, 403)."""
        return viewer_of(await self._keys.caller(f"Bearer {key}"))

    def open_session(self, viewer: Viewer, response: Response) -> None:
        """Put a session for `viewer` into the response."""
        content = orjson.dumps([viewer.key, viewer.role, viewer.areas, int(time.time() + self._seconds)])
        packed = base64.urlsafe_b64encode(content)
        response.set_cookie(
            COOKIE,
            f"{packed.decode()}.{self._signature(packed)}",
            max_age=int(self._seconds),
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )

    def close_session(self, response: Response) -> None:
        """Take the session away."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._secure)

    def _session(self, cookie: str | None) -> Viewer | None:
        packed, _, signature = (cookie or "").rpartition(".")
        if not packed or not hmac.compare_digest(self._signature(packed.encode()), signature):
            return None
        key, role, areas, until = orjson.loads(base64.urlsafe_b64decode(packed))
        if until < time.time():
            return None
        return Viewer(key, role, None if areas is None else tuple(areas))

    def _signature(self, packed: bytes) -> str:
        return hmac.new(self._secret, b"session\n" + packed, hashlib.sha256).hexdigest()

    async def _key_is_live(self, key: str) -> bool:
        known = self._alive.get(key)
        if known is None or known[0] < time.monotonic():
            if len(self._alive) > 10_000:
                self._alive.clear()
            async with self._database.transaction() as tx:
                alive = await store.key_is_live(tx, key)
            known = self._alive[key] = (time.monotonic() + _CACHED_FOR_S, alive)
        return known[1]


def refuse_foreign(request: Request) -> None:
    """Raise Refused (403) where a form was posted from another site's page."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # the browser's own word
        foreign = site not in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise Refused(403, "From another site", "Please use this site's own page.")


def local_path(said: str | None) -> str:
    """Where to go after login: a path of this site, `/` for anything else."""
    if said and said.startswith("/") and not said.startswith(("//", "/\\")) and said.isprintable():
        return said
    return "/"
