"""Signing in at the organisation's own provider of identity (OpenID Connect, authorisation code with PKCE).

The provider says who somebody is, and gives the access token with which the console acts for them; what
they may do stands in that token (`shared/tokens.py`) and is checked by each service itself.
"""

from __future__ import annotations

import time
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import Request
from fastapi.responses import RedirectResponse

from services.console.sessions import SignedIn
from services.console.settings import Settings
from shared.errors import Refused, Retryable

BACK: Final = "/login/back"
_NAME: Final = "provider"
_NEXT: Final = "next"
_EARLIER_S: Final = 30.0
"""So long before its end a token counts as run out: it has to last the request."""


class Provider:
    """The organisation's provider of identity. Made only where the settings name one."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.oidc_client_secret
        self._back = f"{settings.public_url.rstrip('/')}{BACK}"
        asked = {"resource": settings.oidc_resource} if settings.oidc_resource else {}
        self._client: Any = OAuth().register(
            _NAME,
            client_id=settings.oidc_client_id,
            client_secret=None if secret is None else secret.reveal(),
            server_metadata_url=settings.oidc_metadata_url,
            authorize_params={**asked, **settings.oidc_asks},
            access_token_params=asked,
            client_kwargs={"scope": settings.oidc_scope, "code_challenge_method": "S256", "timeout": 10},
        )

    async def send_there(self, request: Request, onward: str) -> RedirectResponse:
        """To the provider's page. Raises Retryable where the provider is away."""
        request.session.clear()
        request.session[_NEXT] = onward
        try:
            sent: RedirectResponse = await self._client.authorize_redirect(request, self._back)
        except (httpx2.HTTPError, OAuthError) as error:
            raise Retryable("the provider of identity cannot be reached") from error
        return sent

    async def take_back(self, request: Request) -> tuple[SignedIn, str]:
        """What somebody who comes back signed in with, and where they wanted to go.

        Raises Refused (401) where the provider did not let them in, or the way back was not theirs (state,
        nonce and PKCE are checked); Retryable where the provider is away.
        """
        onward = str(request.session.get(_NEXT, "/"))
        try:
            token = await self._client.authorize_access_token(request)
        except httpx2.HTTPError as error:
            raise Retryable("the provider of identity cannot be reached") from error
        except (OAuthError, ValueError) as error:
            raise Refused(401, "Not signed in", "Your organisation's sign-in did not let you in.") from error
        finally:
            request.session.clear()
        return _signed_in(token), onward

    async def renew(self, signed_in: SignedIn) -> SignedIn | None:
        """What takes the place of a token that has run out; None where they have to sign in again."""
        if signed_in.renews is None:
            return None
        try:
            token = await self._client.fetch_access_token(
                grant_type="refresh_token",
                refresh_token=signed_in.renews,
                scope="",  # as it was granted: of what was asked for they may have been given a part
            )
        except (httpx2.HTTPError, OAuthError, ValueError):
            return None
        renewed = _signed_in(token)
        return renewed if renewed.renews else SignedIn(renewed.bearer, renewed.until, signed_in.renews)


def has_run_out(signed_in: SignedIn) -> bool:
    """Whether the token has to be renewed before it is used."""
    return signed_in.until is not None and signed_in.until - _EARLIER_S < time.time()


def _signed_in(token: dict[str, Any]) -> SignedIn:
    until = token.get("expires_at")
    renews = token.get("refresh_token")
    return SignedIn(
        bearer=str(token["access_token"]),
        until=None if until is None else float(until),
        renews=None if renews is None else str(renews),
    )
