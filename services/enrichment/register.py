"""The register at work: families gathered, histories told, and whatever changed emitted. Used by every
handler under the register's lock."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from services.enrichment import domain, links_store, records_store, store
from services.enrichment.linking import file_mentions
from services.enrichment.progress import AnsweredForHistory, DecidedForHistory
from services.enrichment.settings import Settings
from services.enrichment.store import Arrived, Picture, Standing
from services.enrichment.surroundings import load_around
from shared import ledger
from shared import vocabulary as v
from shared.contracts.base import write_exact_moment
from shared.contracts.envelope import Envelope
from shared.contracts.events import IncidentAccepted, IncidentEnriched
from shared.contracts.history import History
from shared.contracts.topics import ENRICHED
from shared.outbox import EmittingTransaction
from shared.stage import Event
from shared.timers import set_timer

COMPLETE: Final = "complete_history"
REJOIN: Final = "rejoin_family"
JOIN_RECORDS: Final = "join_records"

Why = Literal["accepted", "amended", "withdrawn"]

_ACCEPTED: Final = TypeAdapter(Envelope[IncidentAccepted])
_NUMBERS_AT_ONCE: Final = 100
"""Numbers for new families are drawn ahead; those that are not used leave gaps, which mean nothing."""

_TOLD_AT_ONCE: Final = 20

_UNDECIDED: Final = 4
"""Where nobody has decided yet a case may be as urgent as any."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What made cases be told anew, and when it came to be known (UTC)."""

    at: datetime
    by: v.LateCause
    lane: v.Lane = "live"
    trace: str | None = None
    event: str | None = None

    def as_payload(self) -> dict[str, Any]:
        """Plain data, to put with a timer."""
        return {
            "at": write_exact_moment(self.at), "by": self.by, "lane": self.lane, "trace": self.trace,
            "event": self.event,
        }  # fmt: skip


def cause_of(event: Event[Any]) -> Cause:
    """An event as the cause."""
    by: v.LateCause = "incident"
    if isinstance(event.body, DecidedForHistory):
        by = "decision"
    elif isinstance(event.body, AnsweredForHistory):
        by = "outcome"
    return Cause(event.started, by, event.envelope.lane, event.trace, event.envelope.id)


def cause_from(payload: Mapping[str, Any]) -> Cause:
    """A cause from what `as_payload` gave."""
    at, by = datetime.fromisoformat(payload["at"]), payload["by"]
    return Cause(at, by, payload["lane"], payload["trace"], payload["event"])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new revision: the event that brought it and the account it gives."""

    event: Event[IncidentAccepted]
    account: domain.Account

    @property
    def revision(self) -> int:
        """The number of the revision."""
        return self.event.body.revision


def newest_of(events: Iterable[Event[IncidentAccepted]]) -> dict[str, Arrival]:
    """The last event of each case: it holds the whole state of the case."""
    newest = {event.case: event for event in events}
    return {case: Arrival(event, domain.account_of(event.body)) for case, event in newest.items()}


def still_new(arrivals: Mapping[str, Arrival], revisions: Mapping[str, int]) -> dict[str, Arrival]:
    """Those of which the case has neither the revision nor a newer one, unless it comes `again`."""
    return {
        case: arrival
        for case, arrival in arrivals.items()
        if revisions.get(case, 0) < arrival.revision + arrival.event.body.again
    }


def family_name(number: int | None) -> str | None:
    """A family's id: `F-00001234`."""
    return None if number is None else f"F-{number:08d}"


def family_number(name: str) -> int | None:
    """The number in a family's id; None where it is no such id."""
    found = re.fullmatch(r"F-(\d{8,18})", name)
    return None if found is None else int(found[1])


class Register:
    """Joins, tells and emits, within a transaction that holds the register's lock."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stale_after = timedelta(days=settings.records_stale_after_days)
        self._numbers: deque[int] = deque()

    async def join(
        self,
        tx: EmittingTransaction,
        picture: Picture,
        arrivals: Mapping[str, Arrival],
        *,
        lost: Collection[str] = (),
    ) -> None:
        """Join new revisions to the families in `picture`, emit them, and again the cases they changed.

        `lost`: cases and records that a tie to one of them was lost of.
        """
        before = picture.standing
        causes: dict[int, Cause] = {}
        joined = {case: _standing(arrival, before.get(case)) for case, arrival in arrivals.items()}
        for case in arrivals.keys() & before.keys():
            if (number := before[case].case.family) is not None:
                causes[number] = cause_of(arrivals[case].event)
        unsettled = {*causes, *(one.case.family for case, one in before.items() if case in lost)}
        unsettled |= {record.family for record in picture.records if record.holder in lost}
        now = replace(picture, standing={**before, **joined})
        settled = await self._settle(tx, now, arrivals, {one for one in unsettled if one is not None})

        written = []
        for case, arrival in arrivals.items():
            standing, stood = joined[case], before.get(case)
            if arrival.account.withdrawn:
                history = domain.unavailable()
                family = None if stood is None else stood.case.family
            else:
                history = settled.histories[case]
                family = settled.families[case].number
                causes.setdefault(family, cause_of(arrival.event))
            standing.digest = domain.digest_of(history)
            self._emit_arrival(tx, arrival, history, family, known_before=stood is not None)
            written.append(Arrived(standing, arrival.event.record.value))
        await store.save_arrivals(tx, written)
        otherwise = cause_of(next(iter(arrivals.values())).event)
        await self._follow(tx, now, settled, causes, otherwise, arrivals)

    async def go_on_without(self, tx: EmittingTransaction, arrivals: Mapping[str, Arrival]) -> None:
        """Emit new revisions with their history unavailable, to be completed soon. Nothing waits for it."""
        revisions = await store.newest_revisions(tx, arrivals)
        written = []
        for case, arrival in arrivals.items():
            if revisions.get(case, 0) >= arrival.revision:
                continue
            history = domain.unavailable()
            standing = _standing(arrival, None)
            standing.digest, standing.pending = domain.digest_of(history), True
            self._emit_arrival(tx, arrival, history, None, known_before=case in revisions)
            written.append(Arrived(standing, arrival.event.record.value))
            await self.complete_later(tx, case, cause_of(arrival.event))
        await store.save_arrivals(tx, written, joined=False)

    async def complete_later(self, tx: EmittingTransaction, case: str, cause: Cause) -> None:
        """Have a history that could not be looked up looked up again."""
        due = ledger.now() + timedelta(seconds=self._settings.complete_after_s)
        await set_timer(tx, COMPLETE, case, due, **cause.as_payload())

    async def rejoin_later(
        self, tx: EmittingTransaction, causes: Mapping[int, Cause], *, after_s: float | None = None
    ) -> None:
        """Have families looked at again, by default as soon as an unavailable history is."""
        wait = self._settings.complete_after_s if after_s is None else after_s
        due = ledger.now() + timedelta(seconds=wait)
        for number, cause in sorted(causes.items()):
            await set_timer(tx, REJOIN, str(number), due, **cause.as_payload())

    async def reconsider(
        self,
        tx: EmittingTransaction,
        picture: Picture,
        causes: Mapping[int, Cause],
        otherwise: Cause,
        *,
        changed: Collection[str] = (),
        unsettled: Collection[int] = (),
    ) -> None:
        """Tell anew the cases that something learnt may have changed, and emit those that it did.

        `causes`: by family number, what was learnt of it; `otherwise`: where none is named.
        """
        settled = await self._settle(tx, picture, changed, unsettled)
        await self._follow(tx, picture, settled, causes, otherwise, ())

    async def join_records(self, tx: EmittingTransaction, cause: Cause) -> bool:
        """Join some of what councils sent to families, and emit again the cases that it changed.

        Returns whether some may be left, to be joined by timer.
        """
        stale = await records_store.take_stale(tx, self._settings.records_slice)
        if stale is None:
            return False
        mentions = [one for record in stale.anew for one in record.named]
        tied, lost = await file_mentions(tx, mentions, gone=stale.gone)
        holders = {*(record.holder for record in stale.people), *stale.related, *tied, *lost}
        picture = await load_around(tx, holders, stale.families)
        await self.reconsider(tx, picture, {}, cause, unsettled=picture.families)
        await set_timer(tx, JOIN_RECORDS, "all", ledger.now(), **cause.as_payload())
        return True

    async def _settle(
        self,
        tx: EmittingTransaction,
        picture: Picture,
        changed: Collection[str],
        unsettled: Collection[int],
    ) -> _Settled:
        """Gather and number the families of the picture, and tell the histories that may have changed."""
        gathered = domain.gather_families(
            (standing.case for standing in picture.standing.values()),
            picture.records,
            picture.ties.values(),
            picture.rulings.values(),
        )
        families = gathered.families
        new = domain.number_families(families)
        if new:
            if len(new) > len(self._numbers):
                self._numbers += await store.fresh_numbers(tx, max(_NUMBERS_AT_ONCE, len(new)))
            for family in new:
                family.number = self._numbers.popleft()
        changed = {
            *changed,
            *(
                case
                for case, standing in picture.standing.items()
                if standing.pending or standing.case.family is None
            ),
        }
        settled = _Settled({}, {}, set(), [])
        for family, cases in domain.touched_cases(gathered, changed, unsettled):
            for case in cases:
                settled.histories[case.id] = domain.history_of(family, case)
                settled.families[case.id] = family
                if len(settled.histories) % _TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)  # a large family must not hold up the consumer's heartbeats
        for case_id, standing in picture.standing.items():
            if standing.case.account.withdrawn and (standing.pending or standing.case.family is not None):
                standing.case.family, standing.pending = None, False
                settled.moved.add(case_id)
        for family in families:
            for case in family.cases:
                if case.family != family.number:
                    case.family = family.number
                    settled.moved.add(case.id)
            for record in family.records:
                if record.family != family.number:
                    record.family = family.number
                    settled.moved_records.append(record)
        await links_store.save_open(tx, gathered.evidence.ties, gathered.open)
        return settled

    async def _follow(
        self,
        tx: EmittingTransaction,
        picture: Picture,
        settled: _Settled,
        causes: Mapping[int, Cause],
        otherwise: Cause,
        arrivals: Collection[str],
    ) -> None:
        """Write what moved, and emit again the cases whose history is not what they last emitted.

        The most urgent and most recent come first; beyond so many, the rest follow by timer.
        """
        since = otherwise.at - timedelta(days=self._settings.recent_days)
        again = [
            picture.standing[case]
            for case, history in settled.histories.items()
            if case not in arrivals
            and (picture.standing[case].pending or picture.standing[case].case.account.accepted_at >= since)
            and domain.digest_of(history) != picture.standing[case].digest
        ]
        again.sort(key=_urgency, reverse=True)
        now, later = again[: self._settings.reemit_at_once], again[self._settings.reemit_at_once :]
        events = await store.accepted_events(tx, [one.case.id for one in now]) if now else {}
        for standing in now:
            case = standing.case.id
            family = settled.families[case]
            cause = next(
                (causes[number] for number in (family.number, *sorted(family.before)) if number in causes),
                otherwise,
            )
            history = domain.told_at(settled.histories[case], cause.at, self._stale_after)
            standing.digest, standing.pending = domain.digest_of(history), False
            lane: v.Lane = "bulk" if len(again) > self._settings.bulk_above else cause.lane
            self._emit_again(tx, _ACCEPTED.validate_json(events[case]).body, history, family, cause, lane)
        emitted = {one.case.id for one in now}
        await store.save_standing(
            tx, [picture.standing[case] for case in emitted | (settled.moved - set(arrivals))]
        )
        await store.save_record_families(tx, settled.moved_records)
        if later:
            rest = replace(otherwise, lane="bulk")
            numbers = {settled.families[one.case.id].number for one in later}
            await self.rejoin_later(tx, dict.fromkeys(numbers, rest), after_s=0)

    def _emit_arrival(
        self,
        tx: EmittingTransaction,
        arrival: Arrival,
        history: History,
        family: int | None,
        *,
        known_before: bool,
    ) -> None:
        event, body = arrival.event, arrival.event.body
        why: Why = "amended" if known_before else "accepted"
        if body.incident.withdrawn:
            why = "withdrawn"
        tx.emit(
            ENRICHED,
            event.case,
            IncidentEnriched(
                incident=body.incident,
                revision=body.revision,
                accepted_at=body.accepted_at,
                as_of=body.revision_accepted_at,
                why=why,
                family=family_name(family),
                history=domain.told_at(history, body.revision_accepted_at, self._stale_after),
                gaps=body.gaps,
            ),
            started=event.started,
            lane=event.envelope.lane,
            ledger=event.envelope.ledger,
            caused_by=event.envelope.id,
            trace=event.trace,
        )

    def _emit_again(
        self,
        tx: EmittingTransaction,
        accepted: IncidentAccepted,
        history: History,
        family: domain.Family,
        cause: Cause,
        lane: v.Lane,
    ) -> None:
        """Late knowledge starts the clock anew: its time ledger and its deadlines count from the cause."""
        tx.emit(
            ENRICHED,
            accepted.incident.case,
            IncidentEnriched(
                incident=accepted.incident,
                revision=accepted.revision,
                accepted_at=accepted.accepted_at,
                as_of=cause.at,
                why="late_knowledge",
                cause=cause.by,
                family=family_name(family.number),
                history=history,
                gaps=accepted.gaps,
            ),
            started=cause.at,
            lane=lane,
            caused_by=cause.event,
            trace=cause.trace,
        )


@dataclass(slots=True)
class _Settled:
    """Per case that may have changed, its history and family; and what is in another family than before."""

    histories: dict[str, History]
    families: dict[str, domain.Family]
    moved: set[str]
    moved_records: list[domain.Record]


def _urgency(standing: Standing) -> tuple[int, datetime]:
    decided = standing.case.decided
    level = _UNDECIDED if decided is None else decided.child_level or 0
    return (level, standing.case.account.accepted_at)


def _standing(arrival: Arrival, before: Standing | None) -> Standing:
    """An arrival as its case's standing, with what was decided and answered so far; digest to come."""
    if before is None:
        return Standing(domain.Case(arrival.account), arrival.revision, b"", pending=False)
    known = before.case
    case = domain.Case(arrival.account, known.decided, known.taken, known.heard, known.family)
    return Standing(case, arrival.revision, b"", pending=False)
