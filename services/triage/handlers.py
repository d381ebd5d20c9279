"""What triage does about each message: load, decide, save, emit. No rules here, no SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
from prometheus_client import Counter
from pydantic import PrivateAttr, TypeAdapter

from services.triage import screening, store
from services.triage.counted import count_decision
from services.triage.screening import Act
from services.triage.store import Decided
from shared import audit, ledger, telemetry
from shared import vocabulary as v
from shared.areas import Area, Areas
from shared.canonical import canonical_bytes
from shared.contracts.decision import Decision
from shared.contracts.envelope import Envelope, LedgerEntry
from shared.contracts.events import CaseDecided, IncidentEnriched
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.contracts.news import news_of
from shared.contracts.topics import DECIDED
from shared.errors import Rejected
from shared.outbox import EmittingTransaction
from shared.stage import Event
from shared.timers import clear_timer, set_timer

UNHELD: Final = "decide_unheld"
"""The timer after which a held case waits no longer."""

UNCHANGED = Counter("waymark_triage_unchanged_total", "Events that changed nothing in a decision")
STRAGGLERS = Counter("waymark_triage_stragglers_total", "Events of a revision older than the one decided")
STILL_HELD = Counter("waymark_triage_still_held_total", "Cases held beyond their working day: nobody to tell")
UNKNOWN_AREAS = Counter("waymark_triage_unknown_area_total", "Decisions by the default protocol: no area")

_log = telemetry.logger()
_envelopes: TypeAdapter[Envelope[IncidentEnriched]] = TypeAdapter(Envelope[IncidentEnriched])


class JointFilter(Protocol):
    """The engine behind the area's protocol and the safeguards: pure, same inputs, same receipt.

    `previous` is the receipt of the version before; `people` the acts that count, in order. The answer
    is the receipt as plain data (`shared/contracts/decision.py: Receipt`).
    """

    def __call__(
        self,
        area: Area,
        incident: Incident,
        history: History,
        as_of: datetime,
        previous: Mapping[str, Any] | None,
        people: Sequence[Mapping[str, Any]],
    ) -> Mapping[str, Any]: ...


class Handlers:
    """One function per message."""

    def __init__(self, areas: Areas, decide: JointFilter, ready: Callable[[], Awaitable[None]]) -> None:
        self._areas = areas
        self._decide = decide
        self.ready = ready

    async def decide_enriched(self, tx: EmittingTransaction, events: Sequence[Event[IncidentEnriched]]) -> None:
        """Decide each case anew by what is now known of it.

        Several events of one case are decided one after the other, so that each counts in the next
        result, whatever came in one batch; only the newest decision goes out.
        """
        await self.ready()
        known = await store.load(tx, [event.case for event in events])
        acts = await store.load_acts(tx, list(known)) if known else {}
        before = dict(known)
        made: list[Decided] = []
        newest: dict[str, Event[IncidentEnriched]] = {}
        for event in events:
            standing = known.get(event.case)
            if standing is not None and event.body.revision < standing.revision:
                STRAGGLERS.inc()
                _log.info("triage.straggler", case=event.case, revision=event.body.revision)
                continue
            decided = self.decide_case(
                event.envelope,
                event.record.value,
                standing,
                acts.get(event.case, ()),
                as_of=event.body.as_of,
                why=event.body.why,
                trace=event.trace,
            )
            if decided is None:
                UNCHANGED.inc()
                continue
            known[event.case] = decided
            made.append(decided)
            newest[event.case] = event
        if not made:
            return
        await store.save(tx, made)
        proposed = [case for case in newest if any(act.standing == "waiting" for act in acts.get(case, ()))]
        if proposed:
            await store.lapse_acts(tx, proposed)
        for case, event in newest.items():
            await keep_waiting(tx, known[case], before.get(case))
            emit(
                tx,
                known[case],
                event.envelope,
                event.envelope.ledger,
                started=event.started,
                lane=event.envelope.lane,
                news=None if case not in before else news_between(before[case].event, known[case].event),
            )

    async def decide_unheld(self, tx: EmittingTransaction, case: str, _: Mapping[str, Any]) -> None:
        """A held case has waited its working day: where a child is possible it goes to children's services,
        to be informed; otherwise its owner keeps it (design.md, "A protocol")."""
        found = (await store.load(tx, [case])).get(case)
        if found is None or found.standing.state != "held" or found.standing.held_until is None:
            return
        act = Act(
            id=f"unheld:{found.version}",
            kind="unheld",
            who=screening.BY_ITSELF,
            agency=None,
            at=found.standing.held_until,
            looked_at=found.version,
            said={},
        )
        if screening.child_possible(orjson.loads(found.receipt)):
            acts = (await store.load_acts(tx, [case])).get(case, [])
            await self.decide_again(tx, found, act, acts, why="waited")
        else:
            await record_act(tx, case, act)
            STILL_HELD.inc()
            _log.warning("triage.still_held", case=case, held_by=found.standing.held_by)

    async def decide_again(
        self,
        tx: EmittingTransaction,
        found: Decided,
        act: Act,
        acts: Sequence[Act],
        *,
        why: str,
        changed: Sequence[Act] = (),
        afresh: bool = False,
        settled: bool = False,
    ) -> Decided:
        """Decide a case anew because of `act`, which is kept, audited and told.

        `acts`: those on record. `changed`: those of them whose standing it changes, as they now stand.
        `afresh`, `settled`: as in `decide_case`.
        """
        await self.ready()
        now = ledger.now()
        envelope = _envelopes.validate_json(found.event)
        act = replace(act, version=found.version + 1)
        standing = {one.id: one for one in changed}
        decided = self.decide_case(
            envelope,
            found.event,
            found,
            [*(standing.get(one.id, one) for one in acts), act],
            as_of=act.at,
            why=why,
            trace=found.trace,
            looked_by=None if act.who == screening.BY_ITSELF else act.who,
            afresh=afresh,
            settled=settled,
        )
        if decided is None:
            raise Rejected("an act was to change a decision that stays the same")
        await store.save(tx, [decided])
        await store.add_act(tx, found.case, act)
        for one in changed:
            await store.note_standing(tx, found.case, one)
        await store.lapse_acts(tx, [found.case])
        await record_act(tx, found.case, act)
        await keep_waiting(tx, decided, found)
        last = envelope.ledger[-1].to if envelope.ledger else act.at
        waited = ledger.add_wait(envelope.ledger, "screening", last, now)
        emit(tx, decided, envelope, waited, started=now, lane="live")
        return decided

    def compute_afresh(self, found: Decided, acts: Sequence[Act], as_of: datetime) -> Mapping[str, Any]:
        """The receipt that the rules alone would give, with nothing that stood before and only these acts."""
        body = _envelopes.validate_json(found.event).body
        area = screening.governing_area(self._areas, body.incident, body.history)
        people = screening.deciding(screening.applied(acts))
        return self._decide(area, body.incident, body.history, as_of, None, people)

    def decide_case(
        self,
        envelope: Envelope[IncidentEnriched],
        raw: bytes,
        before: Decided | None,
        acts: Sequence[Act],
        *,
        as_of: datetime,
        why: str,
        trace: str | None,
        looked_by: str | None = None,
        afresh: bool = False,
        settled: bool = False,
    ) -> Decided | None:
        """The case's next version; None where the same revision would be told the same again.

        `afresh`: two persons set aside what stood before. `settled`: a person leaves it without recipient.
        """
        body = envelope.body
        incident, history = body.incident, body.history
        area = screening.governing_area(self._areas, incident, history)
        holding = screening.applied(acts)
        previous = None if before is None else orjson.loads(before.receipt)
        receipt = self._decide(
            area, incident, history, as_of, None if afresh else previous, screening.deciding(holding)
        )
        if before is not None and previous is not None and before.revision == body.revision and not settled:
            undated = _same_history(before, history, previous, receipt)
            if screening.same_substance(previous, receipt, same_history=undated):
                return None
        if not area.known:
            UNKNOWN_AREAS.inc()
            _log.warning("triage.unknown_area", case=envelope.case, force=incident.force, area=incident.area)
        standing = screening.stand(
            receipt,
            area,
            screening.owner(area, self._areas, incident.force),
            withdrawn=bool(incident.withdrawn),
            as_of=as_of,
            before=None if before is None else before.standing,
            settled=settled,
            looked=looked_by is not None,
        )
        # Words of closed lists and small whole numbers under fixed names: there is one way to write them.
        written = canonical_bytes(receipt, vouched=True)
        result = receipt["result"]
        count_decision(receipt, standing.state)
        return Decided(
            case=envelope.case,
            revision=body.revision,
            version=1 if before is None else before.version + 1,
            supersedes=None if before is None else before.version,
            standing=standing,
            area=area.id,
            visible_to=screening.visible_to(self._areas, area, incident, receipt),
            child_level=result.get("child_level"),
            victim_level=result.get("victim_level"),
            css_response=result["css_response"],
            why=why,
            family=body.family,
            as_of=as_of,
            digest=f"sha256:{hashlib.sha256(written).hexdigest()}",
            receipt=written,
            people=tuple(act.for_readers() for act in holding),
            event=raw,
            trace=trace,
            looked_by=looked_by,
            looked_at=as_of if looked_by is not None else None,
        )


def _same_history(
    before: Decided, history: History, previous: Mapping[str, Any], receipt: Mapping[str, Any]
) -> bool:
    if previous["inputs"].get("history") == receipt["inputs"].get("history"):
        return True
    return screening.same_history(_envelopes.validate_json(before.event).body.history, history)


def news_between(before: bytes, now: bytes) -> list[str] | None:
    """What is known of the past by one enriched event that was not by another; of a withdrawn incident
    nothing is."""
    past, present = (orjson.loads(event)["body"] for event in (before, now))
    if past["incident"].get("withdrawn") or present["incident"].get("withdrawn"):
        return None
    return news_of(past["history"], present["history"]) or None


async def keep_waiting(tx: EmittingTransaction, decided: Decided, before: Decided | None) -> None:
    """Set the timer of a held case; take it away from one that is held no longer."""
    if decided.standing.held_until is not None:
        await set_timer(tx, UNHELD, decided.case, decided.standing.held_until)
    elif before is not None and before.standing.state == "held":
        await clear_timer(tx, UNHELD, decided.case)


async def record_act(tx: EmittingTransaction, case: str, act: Act) -> None:
    """Audit an act: who, what, on which version; the reason stays with the act."""
    await audit.record(
        tx,
        who=act.who,
        act=act.kind,
        case=case,
        id=act.id,
        agency=act.agency,
        standing=act.standing,
        looked_at=act.looked_at,
        version=act.version,
        to=dict(act.said),
    )


def emit(
    tx: EmittingTransaction,
    decided: Decided,
    envelope: Envelope[IncidentEnriched],
    entries: Sequence[LedgerEntry],
    *,
    started: datetime,
    lane: v.Lane,
    news: Sequence[str] | None = None,
) -> None:
    """Tell what was decided, with what a notification is made of."""
    body = envelope.body
    told = _Told(
        incident=body.incident,
        revision=decided.revision,
        accepted_at=body.accepted_at,
        as_of=decided.as_of,
        why=decided.why,
        cause=body.cause if decided.why == body.why else None,
        history=body.history,
        news=None if news is None else list(news),
        decision=Decision(
            case=decided.case,
            version=decided.version,
            family=decided.family,
            supersedes=decided.supersedes,
            receipt={},
            people_decided=[dict(one) for one in decided.people],
        ),
        state=decided.standing.state,
        held_by=decided.standing.held_by,
    )
    told._receipt = decided.receipt
    tx.emit(
        DECIDED,
        decided.case,
        told,
        started=started,
        lane=lane,
        ledger=entries,
        caused_by=envelope.id,
        trace=decided.trace,
    )


class _Told(CaseDecided):
    """The event with the receipt's own canonical bytes in it: what is told is what was kept, to the byte."""

    _receipt: bytes = PrivateAttr(b"{}")

    def as_bytes(self) -> bytes:
        # In JSON text a quote within a string is escaped, so the last such member is the decision's own.
        before, member, after = super().as_bytes().rpartition(b'"receipt":{}')
        return b"".join((before, member[:-2], self._receipt, after))
