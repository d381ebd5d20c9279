"""Callers' keys: for police systems (by force), recipients, councils' record systems, and people.

A key is shown once and stored as a SHA-256 digest (it is 256 random bits: nothing to guess or salt).
A person's key carries who, which agency and which areas, so that two people are two people. A key is
rotated without a gap: its successor and itself both work until the old one expires. Where an
authorisation server is configured, its tokens (`shared/tokens.py`) are taken in a key's place.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from shared.db import Database, Row, Transaction
from shared.errors import Refused, Rejected
from shared.tokens import Token, Tokens

Role = Literal["police", "recipient", "council", "person", "coordinator", "champion", "board", "ops"]
"""`person`: one of the joint screening team; `coordinator`: of MARAC and other meetings; `champion`: of an
agency or school, may look a child up (Oxfordshire); `board`: sees figures only; `ops`: sees how it runs, and no
people."""

PREFIX: Final = "wmk_"
_CACHED_FOR_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. Only the fields of its role are set."""

    key: str
    role: Role
    force: str | None = None
    recipient: str | None = None
    source: str | None = None
    person: str | None = None
    agency: str | None = None
    areas: tuple[str, ...] = ()

    def may_see_area(self, area: str | None) -> bool:
        """Whether the caller's areas take in `area`; no areas named means none for a person."""
        return self.role == "ops" or (area is not None and area in self.areas)


def new_key() -> str:
    """A fresh key, as its owner gets it."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


async def create(
    tx: Transaction,
    *,
    role: Role,
    force: str | None = None,
    recipient: str | None = None,
    source: str | None = None,
    person: str | None = None,
    agency: str | None = None,
    areas: tuple[str, ...] = (),
    expires_at: datetime | None = None,
    succeeds: str | None = None,
) -> tuple[str, str]:
    """Make a key; its public id and the key itself, which is not kept anywhere. `succeeds`: the id of the
    key whose place it takes."""
    key, number = new_key(), secrets.token_hex(4)
    await tx.execute(
        """
        INSERT INTO access.keys (
            id, digest, role, force, recipient, source, person, agency, areas, expires_at, succeeds
        )
        VALUES (
            :id, :digest, :role, :force, :recipient, :source, :person, :agency, CAST(:areas AS text[]),
            CAST(:expires_at AS timestamptz), :succeeds
        )
        """,
        id=number,
        digest=digest(key),
        role=role,
        force=force,
        recipient=recipient,
        source=source,
        person=person,
        agency=agency,
        areas=list(areas),
        expires_at=expires_at,
        succeeds=succeeds,
    )
    return number, key


async def rotate(tx: Transaction, number: str, *, overlap: timedelta) -> tuple[str, str]:
    """Make the successor of a live key, and let the old one expire after `overlap`; the successor's id and
    the key itself. Raises Rejected where there is no such live key, or the one before or after it is still
    live: two keys are live at one time, not three."""
    old = await tx.row("SELECT * FROM access.live_keys WHERE id = :id FOR UPDATE", id=number)
    if old is None:
        raise Rejected(f"There is no live key {number}.")
    beside = await tx.row(
        "SELECT id, succeeds FROM access.live_keys WHERE succeeds = :id OR id = :before",
        id=number,
        before=old["succeeds"],
    )
    if beside is not None and beside["succeeds"] == number:
        raise Rejected(f"Key {number} has a successor already: {beside['id']}. Revoke one of the two first.")
    if beside is not None:
        raise Rejected(
            f"Key {beside['id']}, which {number} succeeds, still works. Revoke one of the two first."
        )
    made = await create(
        tx,
        role=old["role"],
        force=old["force"],
        recipient=old["recipient"],
        source=old["source"],
        person=old["person"],
        agency=old["agency"],
        areas=tuple(old["areas"] or ()),
        succeeds=number,
    )
    await tx.execute(
        """
        UPDATE access.keys SET expires_at = least(expires_at, now() + make_interval(secs => :overlap))
        WHERE id = :id
        """,
        id=number,
        overlap=overlap.total_seconds(),
    )
    return made


async def listed(tx: Transaction) -> list[Row]:
    """All keys without their digests, oldest first."""
    return await tx.rows(
        """
        SELECT id, role, force, recipient, source, person, agency, areas, created_at, expires_at, revoked_at,
            succeeds
        FROM access.keys ORDER BY created_at
        """
    )


async def revoke(tx: Transaction, number: str) -> bool:
    """Revoke a key by its public id; whether there was a live one."""
    return bool(
        await tx.execute(
            "UPDATE access.keys SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL", id=number
        )
    )


class KeyRing:
    """Checks keys and, where `tokens` are given, access tokens, remembering answers for 15 seconds: a
    revoked key works at most that much longer."""

    def __init__(self, database: Database, tokens: Tokens | None = None) -> None:
        self._database = database
        self._tokens = tokens
        self._known: dict[str, tuple[float, Caller | None]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller behind an `Authorization: Bearer KEY` header. Raises Refused (401; 403 for a token
        without a scope of ours)."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Refused(
                401,
                "No key",
                "Send your key as `Authorization: Bearer KEY`; `waymark keys create` makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        hashed = digest(key.strip())
        found = self._known.get(hashed)
        if found is None or found[0] < time.monotonic():
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[hashed] = await self._look_up(key.strip(), hashed)
        if found[1] is None:
            raise Refused(
                401,
                "Unknown key",
                "This key is not known, has expired or was revoked.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return found[1]

    async def _look_up(self, key: str, hashed: str) -> tuple[float, Caller | None]:
        """The caller, and until when (by the monotonic clock) that may be believed."""
        if self._tokens is not None and not key.startswith(PREFIX) and key.count(".") == 2:
            token = await self._tokens.check(key)
            left = min(_CACHED_FOR_S, token.expires - time.time())
            return time.monotonic() + left, _caller_of(token)
        return time.monotonic() + _CACHED_FOR_S, await self._load(hashed)

    async def _load(self, hashed: str) -> Caller | None:
        async with self._database.transaction() as tx:
            row = await tx.row("SELECT * FROM access.live_keys WHERE digest = :digest", digest=hashed)
        if row is None:
            return None
        return Caller(
            key=row["id"],
            role=row["role"],
            force=row["force"],
            recipient=row["recipient"],
            source=row["source"],
            person=row["person"],
            agency=row["agency"],
            areas=tuple(row["areas"] or ()),
        )


def _caller_of(token: Token) -> Caller:
    role = cast(Role, token.role)
    return Caller(
        key=f"token:{token.client}",
        role=role,
        force=token.subject if role == "police" else None,
        recipient=token.subject if role == "recipient" else None,
        source=token.subject if role == "council" else None,
        person=token.person,
        agency=token.agency,
        areas=token.areas,
    )


def must_be(caller: Caller, *roles: Role) -> Caller:
    """Raise Refused (403) unless the caller has one of the roles."""
    if caller.role not in roles:
        raise Refused(403, "Not for this key", f"This needs a key of role {' or '.join(roles)}.")
    return caller
