"""Mentions filed in the register, found again and tied: before anything is joined to a family."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence

from services.enrichment import links_store, people_store
from services.enrichment.domain import Named, Tie, holder_of, tie
from services.enrichment.domain.linkage import Person
from services.enrichment.store import LookupFailed
from shared.db import Transaction

_ASKED_AT_ONCE = 200
_COMPARED_AT_ONCE = 500
"""Pairs after which others are let in: a large batch must not hold up the consumer's heartbeats."""


async def file_mentions(
    tx: Transaction, mentions: Sequence[Named], *, gone: Collection[str] = (), within_s: float | None = None
) -> tuple[set[str], set[str]]:
    """File mentions and tie each to those on file that are, or may be, the same person.

    `gone`: holders whose mentions are taken off file first, such as those that are filed anew. Returns the
    holders at the other end of the ties made, and of those lost. Raises LookupFailed where comparing takes
    longer than `within_s`.
    """
    lost = await people_store.drop_people(tx, gone) if gone else set()
    ties: dict[tuple[str, str], Tie | None] = {}
    if mentions:
        until = None if within_s is None else time.monotonic() + within_s
        await people_store.file_people(tx, mentions)
        for test in (False, True):
            asked = [one for one in mentions if one.test is test]
            for start in range(0, len(asked), _ASKED_AT_ONCE):
                some = asked[start : start + _ASKED_AT_ONCE]
                candidates = await people_store.find_candidates(tx, [one.person for one in some], test=test)
                await _compare(ties, some, candidates, until)
    found = [one for one in ties.values() if one is not None]
    await links_store.save_ties(tx, found)
    ends = {end for one in found for end in (one.one, one.other)}
    return _holders(ends), _holders(lost)


async def _compare(
    ties: dict[tuple[str, str], Tie | None],
    asked: Sequence[Named],
    found: Sequence[Sequence[Person]],
    until: float | None,
) -> None:
    compared = 0
    for one, candidates in zip(asked, found, strict=True):
        for other in candidates:
            pair = (one.id, other.id) if one.id < other.id else (other.id, one.id)
            if pair not in ties:
                ties[pair] = tie(one, Named(other.id, holder_of(other.id), other, one.test))
        compared += len(candidates)
        if compared > _COMPARED_AT_ONCE:
            compared = 0
            await asyncio.sleep(0)
            if until is not None and time.monotonic() > until:
                raise LookupFailed


def _holders(mentions: Iterable[str]) -> set[str]:
    return {holder_of(mention) for mention in mentions}
