"""One function per message: incidents to join, decisions and outcomes to learn, what waits for a timer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from services.enrichment import domain, records_imports, records_store, store
from services.enrichment.linking import file_mentions
from services.enrichment.progress import AnsweredForHistory, DecidedForHistory
from services.enrichment.records import Import, relate_only_known
from services.enrichment.records_imports import Leave
from services.enrichment.records_store import Counts
from services.enrichment.register import (
    Cause,
    Register,
    cause_from,
    cause_of,
    family_number,
    newest_of,
    still_new,
)  # fmt: skip
from services.enrichment.settings import Settings
from services.enrichment.store import LookupFailed
from services.enrichment.surroundings import load_around
from shared import audit, ledger
from shared.contracts.base import write_exact_moment
from shared.contracts.events import IncidentAccepted
from shared.db import Transaction
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import EmittingTransaction
from shared.stage import Event


class Handlers:
    """The functions that topics and timers are tied to."""

    def __init__(self, settings: Settings) -> None:
        self._budget_ms = settings.lookup_budget_ms
        self._lost_at_most = settings.records_lost_at_most
        self._register = Register(settings)

    async def join_incidents(self, tx: EmittingTransaction, events: Sequence[Event[IncidentAccepted]]) -> None:
        """Join accepted incidents to their families and emit each with what was known before it."""
        arrivals = newest_of(events)
        await store.lock_register(tx, budget_ms=self._budget_ms)
        try:
            async with store.within_budget(tx):
                known = await store.newest_revisions(tx, arrivals)
                arrivals = still_new(arrivals, known)
                if not arrivals:
                    return
                accounts = [arrival.account for arrival in arrivals.values()]
                tied, lost = await file_mentions(
                    tx,
                    [one for account in accounts for one in account.named],
                    gone=arrivals.keys() & known.keys(),
                    within_s=len(arrivals) * self._budget_ms / 1000,
                )
                picture = await load_around(tx, {*arrivals, *tied, *lost}, arriving=accounts)
        except LookupFailed:
            await self._register.go_on_without(tx, arrivals)
            return
        await self._register.join(tx, picture, arrivals, lost=lost)

    async def learn_decisions(
        self, tx: EmittingTransaction, events: Sequence[Event[DecidedForHistory]]
    ) -> None:
        """Keep what was decided; it becomes part of the histories of the family's later incidents."""
        newest = {event.case: event for event in events}
        decided = {
            case: found
            for case, event in newest.items()
            if (found := domain.decided_of(event.body)) is not None
        }
        if decided:
            await store.lock_register(tx)
            await self._tell_later_cases(tx, await store.learn_decisions(tx, decided), newest)

    async def learn_outcomes(
        self, tx: EmittingTransaction, events: Sequence[Event[AnsweredForHistory]]
    ) -> None:
        """Keep which way children's services went, and when a MARAC heard the case."""
        newest = {event.case: event for event in events}
        told = {
            case: (domain.taken_of(event.body), domain.heard_of(event.body)) for case, event in newest.items()
        }
        silent = [case for case, (taken, heard) in told.items() if not taken and heard is None]
        taken_back = await store.heard_before(tx, silent) if silent else ()
        learnt = {case: one for case, one in told.items() if case not in silent or case in taken_back}
        if learnt:
            await store.lock_register(tx)
            await self._tell_later_cases(tx, await store.learn_answers(tx, learnt), newest)

    async def _tell_later_cases(
        self, tx: EmittingTransaction, learnt: Mapping[str, int], events: Mapping[str, Event[Any]]
    ) -> None:
        """`learnt`: per case with news, its family's number."""
        if not learnt:
            return
        causes = {number: cause_of(events[case]) for case, number in learnt.items()}
        try:
            async with store.within_budget(tx, self._budget_ms):
                cases = await store.told_of(tx, learnt)
                if not cases:
                    return
                picture = await load_around(tx, (), {learnt[case] for case in cases})
        except LookupFailed:
            await self._register.rejoin_later(tx, causes)
            return
        await self._register.reconsider(tx, picture, causes, next(iter(causes.values())), changed=cases)

    async def complete_history(self, tx: EmittingTransaction, case: str, payload: dict[str, Any]) -> None:
        """Timer: look up a history that could not be, and emit the case again with it."""
        cause = replace(cause_from(payload), by="looked_up")
        await store.lock_register(tx)
        try:
            async with store.within_budget(tx, self._budget_ms):
                standing, _ = await store.load(tx, (), cases=[case])
                mentions = [mention for one in standing for mention in one.case.account.named]
                tied, lost = await file_mentions(tx, mentions, gone=[case], within_s=self._budget_ms / 1000)
                picture = await load_around(tx, {case, *tied, *lost})
        except LookupFailed:
            await self._register.complete_later(tx, case, cause)
            return
        await self._register.reconsider(tx, picture, {}, cause, changed=[case], unsettled=picture.families)

    async def rejoin_family(self, tx: EmittingTransaction, number: str, payload: dict[str, Any]) -> None:
        """Timer: look again at a family that was not, or not wholly, told anew when something was learnt."""
        family, cause = int(number), cause_from(payload)
        await store.lock_register(tx)
        try:
            async with store.within_budget(tx, self._budget_ms):
                picture = await load_around(tx, (), [family])
        except LookupFailed:
            await self._register.rejoin_later(tx, {family: cause})
            return
        await self._register.reconsider(tx, picture, {}, cause, unsettled=[family])

    async def import_records(
        self, tx: EmittingTransaction, found: Import, *, caller: Caller, trace: str, leave: Leave
    ) -> dict[str, Any]:
        """Store what a council's children's services know, and begin to join it to families.

        Returns counts, the entries left out and the fields that could not be read. What is many goes on by
        timer after the answer. Raises Refused (422, 409) where it would forget everybody or very many
        unasked, is older than what is known, or another whole import has begun since.
        """
        await store.lock_register(tx)
        number, finished = await records_imports.go_on(tx, found) if found.whole else (None, False)
        counts = Counts(0, 0, 0, 0) if finished else await self._take(tx, found, number, leave)
        told = asdict(counts)
        await audit.record(
            tx,
            who=caller.key,
            act="records.imported",
            source=found.source,
            whole=found.whole,
            counts=told,
            bad=len(found.bad),
        )
        await self._register.join_records(tx, Cause(ledger.now(), "records", trace=trace))
        return {
            "source": found.source,
            **told,
            "bad": [one.as_data() for one in found.bad],
            "faults": [one.as_data() for one in found.faults],
        }

    async def _take(self, tx: EmittingTransaction, found: Import, number: int | None, leave: Leave) -> Counts:
        slices = found.part is not None
        # In one call the import itself has all that may be named; in many, those that came before it too.
        ids = found.named() if slices or number is None else found.kept
        if number is None and found.removed:
            before = await records_imports.count_people(tx, found.source)
            leaving = await records_store.known_ids(tx, found.source, found.removed)
            records_imports.must_not_lose(len(leaving), before, leave, self._lost_at_most)
        known = await records_store.known_ids(tx, found.source, ids, number=number if slices else None)
        told = await records_store.relationships_back(tx, found)
        relate_only_known(found, known.difference(found.removed), told)
        counts = await records_store.save(tx, found, number)
        if number is None:
            return counts
        await records_imports.note_slice(tx, found, number)
        if not found.finishes:
            return counts
        gone = await records_imports.finish(tx, found, number, leave, self._lost_at_most)
        return replace(counts, removed=counts.removed + gone)

    async def join_records(self, tx: EmittingTransaction, _: str, payload: dict[str, Any]) -> None:
        """Timer: go on joining imported records to families, until none is left."""
        await store.lock_register(tx)
        await self._register.join_records(tx, cause_from(payload))

    async def retell_pair(self, tx: EmittingTransaction, pair: tuple[str, str], *, trace: str) -> None:
        """Work out again who is whom in the families of two mentions, after a ruling on them, and emit again
        the cases that it changes."""
        picture = await load_around(tx, {domain.holder_of(mention) for mention in pair})
        cause = Cause(ledger.now(), "ruling", trace=trace)
        await self._register.reconsider(tx, picture, {}, cause, unsettled=picture.families)

    async def list_family(self, tx: Transaction, family: str, caller: Caller) -> list[dict[str, Any]]:
        """The family's cases in the order accepted, each with ids and levels only. Raises Refused (404)
        where there are none, or none that the caller may see: the two look alike."""
        number = family_number(family)
        standing, _ = await store.load(tx, [] if number is None else [number])
        standing.sort(key=lambda one: one.case.account.place)
        visible = [one for one in standing if caller.may_see_area(one.case.account.area)]
        if not visible:
            raise Refused(404, "No such family", "It may have been joined to another since.")
        return [
            {
                "case": one.case.id,
                "accepted_at": write_exact_moment(one.case.account.accepted_at),
                "area": one.case.account.area,
                "child_level": None if one.case.decided is None else one.case.decided.child_level,
                "history": "unavailable" if one.pending else "complete",
            }
            for one in visible
        ]
