"""OAuth 2 access tokens: JSON Web Tokens of an authorisation server, checked against its published keys.

A caller's scope says who it is: exactly one of `police:FORCE`, `recipient:ID`, `council:SOURCE` for systems,
and `person`, `coordinator`, `champion`, `board` or `ops` for people. A system that acts for two forces asks for
two tokens: that is what scopes are for. Of a person the token also says which agency (`waymark_agency`) and
which areas (`waymark_areas`, a list or words): with `sub` they make two people two people.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
import jwt
import orjson

from shared import telemetry
from shared.errors import Refused, Retryable

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with a public key only: with a shared secret whoever checks could also sign."""

SYSTEMS: Final = ("police", "recipient", "council")
PEOPLE: Final = ("person", "coordinator", "champion", "board", "ops")
OF_AN_AGENCY: Final = ("person", "coordinator", "champion")
_CLOCKS_DIFFER_S: Final = 30
_LOOK_AGAIN_S: Final = 10.0
"""An unknown key id is asked for again at most this often: made-up ones must not become requests."""

_log = telemetry.logger()
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken: its name (`iss`), our own (`aud`), and where its keys are published."""

    name: str
    audience: str
    keys_url: str


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token says: who signed in, as what, for whom, until when (seconds since 1970). Of people
    `person`, `agency` and `areas` as well."""

    client: str
    role: str
    subject: str | None
    expires: float
    person: str | None = None
    agency: str | None = None
    areas: tuple[str, ...] = ()


async def fetch_keys(url: str) -> bytes:
    """The key set as published. Raises Retryable where it cannot be had."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url, allow_redirects=False) as response,
        ):
            if response.status == 200:
                return await response.content.read(1024 * 1024)
            raise Retryable(f"the issuer's keys cannot be had: it answered {response.status}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Retryable(f"the issuer's keys cannot be had ({type(error).__name__})") from error


class Tokens:
    """Checks tokens of one issuer. Its keys are kept for `keep_s` seconds, and longer while it is away;
    a token signed with a key that is not known yet (rotation) makes us look again."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        fetch: Fetch = fetch_keys,
        keep_s: float = 600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._keep_s = keep_s
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def check(self, token: str) -> Token:
        """What the token says. Raises Refused: 401 where it is not good, 403 where its scope is not one
        of ours; Retryable where the issuer's keys were never had."""
        try:
            head = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise _refused("It is no JSON Web Token.") from None
        key = await self._key(str(head.get("kid", "")))
        if key is None:
            raise _refused("It is signed with a key that its issuer does not publish.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
                audience=self._issuer.audience,
                issuer=self._issuer.name,
                leeway=_CLOCKS_DIFFER_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise _refused("It has expired: ask for a new one.") from None
        except (jwt.InvalidTokenError, jwt.PyJWKError) as error:
            raise _refused(f"It was not accepted: {_in_words(error)}.") from None
        role, subject = _scope(claims)
        client = str(claims.get("client_id") or claims.get("azp") or claims["sub"])
        found = Token(client[:128], role, subject, float(claims["exp"]))
        return _of_person(found, claims) if role in PEOPLE else found

    async def _key(self, number: str) -> jwt.PyJWK | None:
        now = self._clock()
        if self._fetched is None or now - self._fetched > self._keep_s or number not in self._keys:
            async with self._one_at_a_time:
                await self._look_up(number)
        return self._keys.get(number)

    async def _look_up(self, number: str) -> None:
        now = self._clock()
        if self._tried is not None and now - self._tried < _LOOK_AGAIN_S:
            if self._fetched is None:  # nobody queues for an issuer that has just been found away
                raise Retryable("the issuer's keys cannot be had")
            return
        self._tried = now
        try:
            published = await self._fetch(self._issuer.keys_url)
            self._keys = _read_keys(published)
        except (Retryable, ValueError, jwt.PyJWTError) as error:
            _log.warning("tokens.keys_not_had", error=error)
            if self._fetched is None:
                raise Retryable("the issuer's keys cannot be had") from error
        else:
            self._fetched = now


def _read_keys(published: bytes) -> dict[str, jwt.PyJWK]:
    """The keys by their ids. Raises ValueError where it is no key set: a page of some proxy must not take the
    place of the keys that are known."""
    found: dict[str, jwt.PyJWK] = {}
    said = orjson.loads(published)
    keys = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(keys, list):
        raise ValueError("no key set")
    for one in keys:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or one.get("kty") == "oct":
            continue
        try:
            found[str(one.get("kid", ""))] = jwt.PyJWK(one)
        except jwt.PyJWTError:
            continue  # a key of a kind that is not known here signs nothing for us
    return found


def _scope(claims: dict[str, Any]) -> tuple[str, str | None]:
    said = claims.get("scope", claims.get("scp"))
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    words = [word for word in words if isinstance(word, str)]
    roles = (*SYSTEMS, *PEOPLE)
    ours = {tuple(word.partition(":")[::2]) for word in words if word.partition(":")[0] in roles}
    if len(ours) != 1:
        raise Refused(
            403,
            "No scope of ours" if not ours else "More than one scope of ours",
            "A token needs exactly one scope of `police:FORCE`, `recipient:ID`, `council:SOURCE`,"
            f" {', '.join(f'`{name}`' for name in PEOPLE[:-1])} or `{PEOPLE[-1]}`.",
        )
    role, subject = ours.pop()
    if (role in PEOPLE) is bool(subject) or ":" in subject:  # a colon parts a feed's kind from its reader
        raise Refused(403, "No scope of ours", f"A scope of {role} says whom it is for, after a colon.")
    return role, subject or None


def _of_person(token: Token, claims: dict[str, Any]) -> Token:
    agency, areas = claims.get("waymark_agency"), claims.get("waymark_areas", [])
    if isinstance(areas, str):
        areas = areas.split()
    if token.role in OF_AN_AGENCY and not (isinstance(agency, str) and agency):
        raise Refused(403, "No agency", "A person's token says in `waymark_agency` which agency they are of.")
    return replace(
        token,
        person=str(claims["sub"])[:128],
        agency=agency if isinstance(agency, str) else None,
        areas=tuple(area for area in areas if isinstance(area, str)) if isinstance(areas, list) else (),
    )


def _in_words(error: Exception) -> str:
    words = {
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.ImmatureSignatureError: "it is not valid yet",
        jwt.InvalidSignatureError: "its signature is wrong",
        jwt.InvalidAlgorithmError: "its algorithm is not taken here",
        jwt.MissingRequiredClaimError: "it lacks one of exp, iss, aud and sub",
    }
    return next((words[kind] for kind in type(error).__mro__ if kind in words), "it cannot be read")


def _refused(why: str) -> Refused:
    return Refused(401, "Token not taken", why, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
