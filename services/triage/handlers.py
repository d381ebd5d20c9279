"""What triage does about each message: load, decide, save, emit. No rules here, no SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
from prometheus_client import Counter
from pydantic import TypeAdapter

from services.triage import screening, store
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
from shared.contracts.topics import DECIDED
from shared.outbox import EmittingTransaction
from shared.stage import Event
from shared.timers import clear_timer, set_timer

UNHELD: Final = "decide_unheld"
"""The timer after which a held case waits no longer."""

DECISIONS = Counter("waymark_triage_decisions_total", "Versions decided", ["state"])
UNCHANGED = Counter("waymark_triage_unchanged_total", "Events that changed nothing in a decision")
STRAGGLERS = Counter("waymark_triage_stragglers_total", "Events of a revision older than the one decided")
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

    def __init__(self, areas: Areas, decide: JointFilter) -> None:
        self._areas = areas
        self._decide = decide

    async def decide_enriched(self, tx: EmittingTransaction, events: Sequence[Event[IncidentEnriched]]) -> None:
        """Decide each case anew by what is now known of it.

        Several events of one case are decided one after the other, so that each counts in the next
        result, whatever came in one batch; only the newest decision goes out.
        """
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
            )

    async def decide_unheld(self, tx: EmittingTransaction, case: str, _: Mapping[str, Any]) -> None:
        """A held case has waited its working day: where a child is possible it goes to children's services,
        to be informed; otherwise its owner keeps it (design.md, "A protocol")."""
        found = (await store.load(tx, [case])).get(case)
        if found is None or found.standing.state != "held" or found.standing.held_until is None:
            return
        receipt = orjson.loads(found.receipt)
        if not screening.child_possible(receipt):
            await audit.record(tx, who=screening.BY_ITSELF, act="still_held", case=case, version=found.version)
            _log.warning("triage.still_held", case=case, held_by=found.standing.held_by)
            return
        act = Act(
            id=f"unheld-{found.version}",
            kind="unheld",
            who=screening.BY_ITSELF,
            agency=None,
            at=found.standing.held_until,
            looked_at=found.version,
            said={},
        )
        await self.decide_again(tx, found, act, looked=False)

    async def decide_again(
        self,
        tx: EmittingTransaction,
        found: Decided,
        act: Act,
        *,
        looked: bool = True,
        settled: bool = False,
        replacing: Iterable[Act] = (),
    ) -> Decided | None:
        """Decide a case anew because of `act`, which is kept, audited and told; None where nothing changes.

        `replacing`: acts on record as they now stand (a proposal that has found its second).
        """
        now = ledger.now()
        envelope = _envelopes.validate_json(found.event)
        changed = {one.id: one for one in replacing}
        acts = (await store.load_acts(tx, [found.case])).get(found.case, [])
        acts = [changed.get(one.id, one) for one in acts]
        act = replace(act, version=found.version + 1)
        decided = self.decide_case(
            envelope,
            found.event,
            found,
            [*acts, act],
            as_of=act.at,
            why="person_decided" if looked else "waited",
            trace=found.trace,
            settled=settled,
            looked_by=act.who if looked else None,
        )
        if decided is None:
            return None
        await store.save(tx, [decided])
        await store.add_act(tx, found.case, act)
        for one in changed.values():
            await store.apply_act(tx, found.case, one.id, decided.version)
        await store.lapse_acts(tx, [found.case])
        await record_act(tx, found.case, act)
        await keep_waiting(tx, decided, found)
        waited = ledger.add_wait(
            envelope.ledger, "screening", envelope.ledger[-1].to if envelope.ledger else act.at, now
        )
        emit(tx, decided, envelope, waited, started=now, lane="live")
        return decided

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
        settled: bool = False,
        looked_by: str | None = None,
    ) -> Decided | None:
        """The case's next version; None where the same revision would be told the same again."""
        body = envelope.body
        incident, history = body.incident, body.history
        area = screening.governing_area(self._areas, incident, history)
        counting = screening.applied(acts)
        previous = None if before is None else orjson.loads(before.receipt)
        receipt = self._decide(area, incident, history, as_of, previous, [act.for_engine() for act in counting])
        if before is not None and previous is not None and before.revision == body.revision and not settled:
            undated = _same_history(before, history, previous, receipt)
            if screening.same_substance(previous, receipt, same_history=undated):
                return None
        marked = screening.marks(area, history)
        if screening.UNKNOWN_AREA in marked:
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
        written = canonical_bytes(receipt)
        result = receipt["result"]
        DECISIONS.labels(standing.state).inc()
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
            marked=marked,
            digest=f"sha256:{hashlib.sha256(written).hexdigest()}",
            receipt=written,
            people=tuple(act.for_readers() for act in counting),
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
        **act.said,
    )


def emit(
    tx: EmittingTransaction,
    decided: Decided,
    envelope: Envelope[IncidentEnriched],
    entries: Sequence[LedgerEntry],
    *,
    started: datetime,
    lane: v.Lane,
) -> None:
    """Tell what was decided, with what a notification is made of."""
    body = envelope.body
    decision = Decision(
        case=decided.case,
        version=decided.version,
        family=decided.family,
        supersedes=decided.supersedes,
        receipt=orjson.loads(decided.receipt),
        people_decided=[dict(one) for one in decided.people],
        marked=list(decided.marked),
    )
    tx.emit(
        DECIDED,
        decided.case,
        CaseDecided(
            incident=body.incident,
            revision=decided.revision,
            accepted_at=body.accepted_at,
            as_of=decided.as_of,
            why=decided.why,
            history=body.history,
            decision=decision,
            state=decided.standing.state,
            held_by=decided.standing.held_by,
        ),
        started=started,
        lane=lane,
        ledger=entries,
        caused_by=envelope.id,
        trace=decided.trace,
    )
