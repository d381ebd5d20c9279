"""The likely band: pairs of people for a person to look at, why, and what the person rules.

A ruling is remembered, overruled by no score, and can be taken back: what was before is then again, since who
is whom is worked out afresh from links and rulings. The cases that it touches are told anew in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from services.enrichment import links_read, store
from services.enrichment.links_read import Pair, Place, Reach, Ruled, Side, Which
from services.enrichment.links_shown import show_pair
from shared import audit
from shared.contracts.base import write_exact_moment
from shared.db import Transaction
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import EmittingTransaction, Outbox

UNDECIDED: Final = 4
"""Where nobody has decided yet a family may be as urgent as any."""
_READ_AT_ONCE: Final = 200
_READ_AT_MOST: Final = 10
"""Slices read for one answer: a person of one area must not have the whole list read for a page."""

Act = Literal["join", "apart", "undo"]
_DONE: Final = {"join": "link.joined", "apart": "link.kept_apart", "undo": "link.ruling_undone"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a person rules. `seen`: how the pair stood when the person looked (`stands` of the answer)."""

    act: Act
    why: str
    seen: str


class Retell(Protocol):
    """Works out again who is whom in the families of two mentions, and emits the cases that it changes."""

    async def __call__(self, tx: EmittingTransaction, pair: tuple[str, str], *, trace: str) -> None: ...


class LinksDesk:
    """What people see of pairs and do about them. `named_staff`: who may see those of a restricted family."""

    def __init__(self, outbox: Outbox, retell: Retell, named_staff: Sequence[str]) -> None:
        self._outbox = outbox
        self._retell = retell
        self._named_staff = frozenset(named_staff)

    async def list(
        self, caller: Caller, which: Which, *, family: int | None, after: Place | None, limit: int
    ) -> tuple[list[dict[str, Any]], Place | None]:
        """Pairs that the caller may see, and where to go on from; None: there are no more."""
        found: list[dict[str, Any]] = []
        async with self._outbox.database.transaction() as tx:
            for _ in range(_READ_AT_MOST):
                places = await links_read.places(
                    tx, which, family=family, after=after, limit=_READ_AT_ONCE, undecided=UNDECIDED
                )
                pairs = await links_read.pairs(tx, [mentions for _, mentions in places])
                sides = await self._visible(tx, caller, pairs)
                for (place, _), pair in zip(places, pairs, strict=True):
                    after = place
                    if pair.name in sides:
                        found.append(show_pair(pair, *sides[pair.name]))
                        if len(found) == limit:
                            break
                if len(found) == limit or len(places) < _READ_AT_ONCE:
                    break
            await _audit(tx, caller, "links.listed", links=[one["id"] for one in found])
        ended = len(found) < limit and len(places) < _READ_AT_ONCE
        return found, None if ended else after

    async def show(self, caller: Caller, name: str) -> dict[str, Any]:
        """One pair, whatever the score or people say of it. Raises Refused (404)."""
        async with self._outbox.database.transaction() as tx:
            pair, sides = await self._find(tx, caller, name)
            await _audit(tx, caller, "link.looked_at", link=pair.name)
        return show_pair(pair, *sides)

    async def rule(self, caller: Caller, name: str, said: Said, *, trace: str) -> dict[str, Any]:
        """Join, keep apart, or take the ruling that holds back. The same sent again is done once.

        Raises Refused: 404 (no such pair that the caller may see), 409 (it is not as the caller saw it, or
        nothing is there to take back) with what changed.
        """
        who = caller.person or caller.key
        async with self._outbox.transaction() as tx:
            await store.lock_register(tx)
            pair, sides = await self._find(tx, caller, name)
            if _is_done(pair, said, who):
                return {"status": "repeated", **show_pair(pair, *sides)}
            _refuse_unseen(pair, said.seen)
            if said.act == "undo":
                if pair.ruled is None:
                    raise Refused(409, "Nothing to undo", "No ruling holds of these two.")
                await links_read.undo(tx, pair.ruled.number, who=who)
                number = pair.ruled.number
            else:
                if pair.ruled is not None and pair.ruled.ruling == said.act:
                    return {"status": "repeated", **show_pair(pair, *sides)}
                number = await links_read.rule(tx, pair, said.act, who=who, agency=caller.agency, why=said.why)
            await _audit(
                tx, caller, _DONE[said.act], link=pair.name, one=pair.one, other=pair.other, ruling=number
            )
            await self._retell(tx, (pair.one, pair.other), trace=trace)
            pair, sides = await self._find(tx, caller, name)
        return {"status": "recorded", **show_pair(pair, *sides)}

    async def _find(self, tx: Transaction, caller: Caller, name: str) -> tuple[Pair, tuple[Side, Side]]:
        pair = await links_read.named(tx, name)
        sides = {} if pair is None else await self._visible(tx, caller, [pair])
        if pair is None or pair.name not in sides:
            raise Refused(404, "No such pair", "There is none of this name in your areas; it may be gone.")
        return pair, sides[pair.name]

    async def _visible(
        self, tx: Transaction, caller: Caller, pairs: Sequence[Pair]
    ) -> dict[str, tuple[Side, Side]]:
        """Both sides of each pair of which the caller may see both."""
        on_file = await links_read.sides(tx, {mention for pair in pairs for mention in (pair.one, pair.other)})
        families = {one.family for one in on_file.values() if one.family is not None}
        reach = await links_read.reach_of(tx, families) if families else {}
        return {
            pair.name: (on_file[pair.one], on_file[pair.other])
            for pair in pairs
            if pair.one in on_file
            and pair.other in on_file
            and all(self._may_see(caller, on_file[one], reach) for one in (pair.one, pair.other))
        }

    def _may_see(self, caller: Caller, side: Side, reach: Mapping[int, Reach]) -> bool:
        family = reach.get(side.family or 0, Reach())
        if family.restricted and caller.person not in self._named_staff:
            return False
        areas = side.areas or family.areas
        return any(caller.may_see_area(area) for area in areas)


def _is_done(pair: Pair, said: Said, who: str) -> bool:
    """Whether the caller has said the same already, and it was the last word on the pair."""
    newest = pair.rulings[0] if pair.rulings else None
    if newest is None:
        return False
    if said.act == "undo":
        return newest.undone_by == who and said.seen != pair.stands
    return newest.undone_at is None and newest.ruling == said.act and newest.who == who


def _refuse_unseen(pair: Pair, seen: str) -> None:
    if seen == pair.stands:
        return
    raise Refused(
        409, "It changed meanwhile", "Look at the pair again before you rule.",
        changed=_changed(pair, seen), stands=pair.stands,
    )  # fmt: skip


def _changed(pair: Pair, seen: str) -> list[str]:
    """What is not as the caller saw it, in words."""
    decision, _, rest = seen.partition(".")
    bits, _, ruled = rest.rpartition(".")
    now_decision, _, rest = pair.stands.partition(".")
    now_bits, _, now_ruled = rest.rpartition(".")
    told = []
    if decision != now_decision:
        told.append(f"by their details they are {now_decision} now")
    elif bits != now_bits:
        told.append("what is written of them changed, and with it the weights")
    if ruled != now_ruled:
        told.append(_told(pair.rulings[0]) if pair.rulings else "no ruling is on file any more")
    return told or ["what you saw is not known here"]


def _told(ruled: Ruled) -> str:
    done = "joined them" if ruled.ruling == "join" else "kept them apart"
    if ruled.undone_at is not None:
        return f"{ruled.undone_by} took back at {write_exact_moment(ruled.undone_at)} that {ruled.who} {done}"
    return f"{ruled.who} {done} at {write_exact_moment(ruled.at)}"


async def _audit(tx: Transaction, caller: Caller, act: str, **details: Any) -> None:
    await audit.record(tx, who=caller.key, act=act, person=caller.person, agency=caller.agency, **details)
