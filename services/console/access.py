"""Who may look: a key or an access token as bearer, or a session after signing in once.

What somebody signed in with is checked at every request, as if they had sent it (a revoked key works at most
15 seconds longer), and is what the console shows to the other services when it acts for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from services.console.provider import Provider, has_run_out
from services.console.sessions import COOKIE, Sessions, SignedIn
from services.console.settings import Settings
from shared.errors import Refused
from shared.keys import Caller, KeyRing, Role, must_be

OVERSEERS: Final[tuple[Role, ...]] = ("ops", "person")
"""Who sees how the cases go: ids, states and times."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking. `areas`: whose cases are shown; None for ops, who see all cases and no people.
    `bearer`: what they are known by at the other services."""

    key: str
    role: str
    areas: tuple[str, ...] | None
    person: str | None = None
    agency: str | None = None
    bearer: str = field(default="", repr=False)

    def may_see(self, area: str | None) -> bool:
        """Whether a case of this area is shown."""
        return self.areas is None or (area is not None and area in self.areas)


EVERYBODY: Final[tuple[Role, ...]] = ("ops", "person", "coordinator", "board")
"""Who has pages here at all."""


def viewer_of(caller: Caller, *roles: Role) -> Viewer:
    """The viewer behind a key. Raises Refused (403) where its role has no business here, or none on this page
    (`roles`)."""
    must_be(caller, *(roles or EVERYBODY))
    areas = None if caller.role == "ops" else caller.areas
    return Viewer(caller.key, caller.role, areas, caller.person, caller.agency)


class Access:
    """Keys, tokens and sessions."""

    def __init__(
        self, settings: Settings, keys: KeyRing, sessions: Sessions, provider: Provider | None
    ) -> None:
        self._secure = settings.public_url.startswith("https://")
        self._keys = keys
        self._sessions = sessions
        self._provider = provider

    async def viewer(self, request: Request, *roles: Role) -> Viewer:
        """Who asks, for a page of these roles. Raises Refused: 401 without key or session, 403 where the key is
        not for this."""
        bearer = request.headers.get("authorization")
        if bearer is None:
            signed_in = await self._session(request.cookies.get(COOKIE))
            bearer = None if signed_in is None else f"Bearer {signed_in.bearer}"
        viewer = viewer_of(await self._keys.caller(bearer), *roles)
        return replace(viewer, bearer=bearer or "")

    async def sign_in(self, signed_in: SignedIn, response: Response) -> None:
        """Begin a session and put its cookie into the response. Raises Refused (401, 403) where what they
        signed in with is not for this."""
        viewer_of(await self._keys.caller(f"Bearer {signed_in.bearer}"))
        response.set_cookie(
            COOKIE,
            await self._sessions.open(signed_in),
            max_age=int(self._sessions.lasts.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session, here and in the browser."""
        await self._sessions.close(request.cookies.get(COOKIE))
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._secure)

    async def _session(self, cookie: str | None) -> SignedIn | None:
        signed_in = await self._sessions.find(cookie)
        if signed_in is None or not has_run_out(signed_in):
            return signed_in
        renewed = None if self._provider is None else await self._provider.renew(signed_in)
        if renewed is None:
            await self._sessions.close(cookie)
        else:
            await self._sessions.renew(str(cookie), renewed)
        return renewed


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
