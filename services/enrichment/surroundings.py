"""What must be looked at together: the families that some cases and records are in, and those beside them.

A family is a function of its people's mentions and of what ties them. So beside the families asked for all
are read that share a tie with them which says `same`: one of the two may have refused it, and may not the next
time. Beside these, those that are likely to be of the same people, since each is told of the other.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from services.enrichment import domain, links_store, store
from services.enrichment.store import Picture
from shared.db import Transaction

_WAVES: Final = 8
"""How far a chain of refused ties is followed."""
_MOST: Final = 5000
"""Cases and records after which no further family is read."""
_LIKELY_AWAY: Final = 2
"""Families likely to be one with those asked for are told anew, and have such neighbours of their own."""


async def load_around(
    tx: Transaction,
    holders: Collection[str],
    families: Collection[int] = (),
    *,
    arriving: Collection[domain.Account] = (),
) -> Picture:
    """The families of some cases and records, or by number, whole, with all that bears on who is who there.

    A case or record that is in no family yet comes alone. `arriving`: accounts whose mentions are on file, and
    that are not written yet.
    """
    around = _Around(tx)
    picture = around.picture
    picture.families = sorted(await around.read(holders, families))
    for account in arriving:
        around.take_account(account)
    ring = await around.close(around.holders)
    for _ in range(_LIKELY_AWAY):
        beyond = around.tied(ring, only_same=False)
        if not beyond:
            break
        before = set(around.holders)
        await around.read(beyond)
        ring = await around.close(around.holders - before)
    return picture


class _Around:
    """The picture in the making: who is in it, and which of the mentions tie families together."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.picture = Picture()
        self.holders: set[str] = set()
        self._binding: dict[str, bool] = {}
        self._family: dict[str, int | str] = {}
        self._families: set[int] = set()

    async def read(self, holders: Collection[str], families: Collection[int] = ()) -> set[int]:
        """Read the families of holders, and those by number. Returns all their numbers."""
        cases = [one for one in holders if domain.source_of(one) is None]
        people = [known for one in holders if (known := domain.source_of(one)) is not None]
        found, alone = await store.families_of(self._tx, cases, people) if holders else (set(), set())
        numbers = {*families, *found}
        if numbers - self._families or alone - self.holders or people:
            new = numbers - self._families
            standing, records = await store.load(self._tx, new, cases=alone, people=people)
            for one in standing:
                self._take_case(one)
            for record in records:
                self._take_record(record)
            self._families |= numbers
        return numbers

    def _take_case(self, one: store.Standing) -> None:
        self.picture.standing[one.case.id] = one
        self._family[one.case.id] = one.case.family or one.case.id
        self.take_account(one.case.account)

    def take_account(self, account: domain.Account) -> None:
        """Reckon with the mentions of an account."""
        self.holders.add(account.case)
        self._family.setdefault(account.case, account.case)
        for mention, person in zip(account.mentions, account.people, strict=True):
            self._binding[mention] = person.binds

    def _take_record(self, record: domain.Record) -> None:
        if record.holder not in self.holders:
            self.picture.records.append(record)
            self.holders.add(record.holder)
            self._family[record.holder] = record.family or record.holder
            self._binding[record.holder] = True

    async def close(self, ring: Collection[str]) -> set[str]:
        """Read what ties `ring`, and whatever is tied to it by ties that say `same`. Returns the wider ring."""
        ring, wave = set(ring), set(ring)
        for _ in range(_WAVES):
            await self._read_ties(wave)
            beyond = self.tied(wave, only_same=True)
            if not beyond or len(self.holders) > _MOST:
                break
            before = set(self.holders)
            await self.read(beyond)
            bound = {self._family[one] for one in self._ends(wave, only_same=True, binding=True) - before}
            wave = {one for one in self.holders - before if self._family[one] in bound}
            ring |= wave
        return ring

    async def _read_ties(self, holders: Collection[str]) -> None:
        ties, rulings = await links_store.ties_of(
            self._tx, [mention for mention in self._binding if domain.holder_of(mention) in holders]
        )
        self.picture.ties |= {(one.one, one.other): one for one in ties}
        self.picture.rulings |= {one.number: one for one in rulings}

    def tied(self, holders: Collection[str], *, only_same: bool) -> set[str]:
        """The holders not read yet at the other end of ties of mentions that tie families together."""
        return self._ends(holders, only_same=only_same) - self.holders

    def _ends(self, holders: Collection[str], *, only_same: bool, binding: bool = False) -> set[str]:
        ends = [
            (one.one, one.other)
            for one in self.picture.ties.values()
            if one.decision == "same" or not only_same
        ]
        ends += [(one.one, one.other) for one in self.picture.rulings.values() if one.joins]
        return {
            domain.holder_of(there)
            for one, other in ends
            for here, there in ((one, other), (other, one))
            if self._binding.get(here) and domain.holder_of(here) in holders
            if not binding or self._binding.get(there)
        }
