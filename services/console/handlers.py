"""What the console does with each event: keep what ops may see of it, and count how long it took.

A batch may hold several events of a case; the last one carries the whole state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import orjson

from services.console import store
from services.console.domain import pace
from services.console.domain.deliveries import RECEIVED, outcome_of, sum_up
from services.console.seen import (
    AcceptedSeen,
    AnsweredSeen,
    BranchSeen,
    DeadLetterSeen,
    DecidedSeen,
    EnrichedSeen,
    EntryOfHistory,
    EntrySeen,
    HistorySeen,
)
from shared.db import Transaction
from shared.stage import Event

Passage = tuple[datetime, str, float, float]
"""When it ended, which stage, milliseconds waited and worked."""


class Handlers:
    """One function per topic, and the pace counted on the way."""

    def __init__(self) -> None:
        self._passages: dict[str, list[Passage]] = {}
        self._counts: pace.Counts = {}

    async def accepted(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """Intake has accepted a revision."""
        await store.save_accepted(tx, [_accepted_row(event) for event in _last_of_each(events)])
        self._note_stages(events, "intake")

    async def enriched(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """Enrichment has joined what is known."""
        await store.save_enriched(tx, [_enriched_row(event) for event in _last_of_each(events)])
        self._note_stages(events, "enrichment")

    async def decided(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """Triage has decided."""
        await store.save_decided(tx, [_decided_row(event) for event in _last_of_each(events)])
        self._note_stages(events, "triage")

    async def answered(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """Delivery says what became of a case."""
        last = _last_of_each(events)
        received_before = await store.received_of(tx, [event.case for event in last])
        rows = []
        for event in last:
            body: AnsweredSeen = event.body
            received = _received(body)
            rows.append(_answered_row(event, received))
            if event.envelope.lane == "live":
                known = received_before.get(event.case, frozenset())
                new = [one for one in received if one["delivery"] not in known]
                self._passages[event.envelope.id] = _receipts(_trunk(event), new)
        await store.save_answered(tx, rows)

    async def dead_lettered(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """A service has put an event aside. Each stands for itself; a repeat changes nothing."""
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for event in events:
            told: DeadLetterSeen = event.body
            row = told.model_dump(exclude={"resolution"}) | {
                "resolved_at": told.at if told.resolution else None
            }
            place = (told.service, told.topic, told.partition, told.offset)
            first = rows.setdefault(place, row)
            first["resolved_at"] = first["resolved_at"] or row["resolved_at"]
        await store.save_dead_letters(tx, [rows[place] for place in sorted(rows)])

    def _note_stages(self, events: Sequence[Event[Any]], stage: str) -> None:
        for event in events:
            ledger = _ledger(event)
            if ledger and event.envelope.lane == "live":
                own = ledger[-1]
                self._passages[event.envelope.id] = [
                    (event.envelope.at, stage, own["waited_ms"], own["worked_ms"])
                ]

    def committed(self) -> None:
        """Count what has been committed; until then a batch may be tried again."""
        passages, self._passages = self._passages, {}
        for several in passages.values():
            for at, stage, waited, worked in several:
                pace.count(self._counts, at, stage, waited, worked)

    def take_counts(self) -> pace.Counts:
        """What was counted since the last time."""
        counts, self._counts = self._counts, {}
        return counts

    def give_back(self, counts: pace.Counts) -> None:
        """Counts that could not be stored: they are stored with the next."""
        for key, n in counts.items():
            self._counts[key] = self._counts.get(key, 0) + n


def _last_of_each(events: Sequence[Event[Any]]) -> list[Event[Any]]:
    """The highest `seq` of each case, cases in order, so that two copies lock rows in the same order."""
    last: dict[str, Event[Any]] = {}
    for event in events:
        known = last.get(event.case)
        if known is None or event.envelope.seq > known.envelope.seq:
            last[event.case] = event
    return [last[case] for case in sorted(last)]


def _ledger(event: Event[Any]) -> list[EntrySeen]:
    """The entries as they were written: this service's decoder leaves them so."""
    return cast("list[EntrySeen]", event.envelope.ledger)


def _trunk(event: Event[Any]) -> list[EntrySeen]:
    """The entries up to where the branches begin: delivery's first, its work on the decision. What
    delivery adds each time it tells of an answer is not the case's way there."""
    entries = _ledger(event)
    first = next((i for i, entry in enumerate(entries) if entry["stage"] == "delivery"), len(entries))
    return entries[: first + 1]


def _common(event: Event[Any]) -> dict[str, Any]:
    parent = event.record.traceparent
    return {
        "case": event.case,
        "force": event.case.partition("/")[0],
        "trace_id": parent[3:35] if parent is not None and len(parent) == 55 else None,
        "at": event.envelope.at,
        "ledger": orjson.dumps(_ledger(event)).decode(),
    }


def _accepted_row(event: Event[Any]) -> dict[str, Any]:
    body: AcceptedSeen = event.body
    return {
        **_common(event),
        "area": body.incident.area,
        "test": bool(body.incident.test),
        "accepted_at": body.accepted_at,
        "revision": body.revision,
    }


def _enriched_row(event: Event[Any]) -> dict[str, Any]:
    body: EnrichedSeen = event.body
    return {
        **_common(event),
        "area": body.incident.area,
        "test": bool(body.incident.test),
        "accepted_at": body.accepted_at,
        "revision": body.revision,
        "why": body.why,
        "history_status": body.history.status,
        "repeat": _known(body.history, body.history.incidents),
        "traced": _known(body.history, body.history.involvement),
    }


def _decided_row(event: Event[Any]) -> dict[str, Any]:
    body: DecidedSeen = event.body
    receipt = body.decision.receipt
    result = receipt.result
    return {
        **_common(event),
        "area": body.incident.area,
        "test": bool(body.incident.test),
        "accepted_at": body.accepted_at,
        "revision": body.revision,
        "state": body.state,
        "held_by": body.held_by,
        "version": body.decision.version or 1,
        "css_response": result.css_response,
        "child_level": result.child_level,
        "victim_level": result.victim_level,
        "services": ",".join(result.services),
        "protocol": f"{receipt.protocol.id}/{receipt.protocol.version}",
        "review": receipt.review.when if receipt.review.needed else None,
        "routes_due": min((route.due for route in receipt.routes if route.due is not None), default=None),
    }


def _answered_row(event: Event[Any], received: Sequence[BranchSeen]) -> dict[str, Any]:
    body: AnsweredSeen = event.body
    deadlines = sum_up(body.branches)
    return {
        **_common(event),
        "ledger": orjson.dumps(_trunk(event)).decode(),
        "revision": body.revision,
        "version": body.version,
        "state": body.state,
        "branches": orjson.dumps(body.branches).decode(),
        "received": "\n".join(one["delivery"] for one in received),
        "open_deliveries": deadlines.open,
        "open_due": deadlines.due,
        "open_service": deadlines.service,
        "breached": deadlines.breached,
        "met": deadlines.met,
        "late": deadlines.late,
        "outcome": outcome_of(body.answers),
    }


def _known(history: HistorySeen, entries: Sequence[EntryOfHistory] | None) -> bool | None:
    """Whether any entry is certain to be of this family; None where there was no history."""
    return None if history.status == "unavailable" else any(one.link == "certain" for one in entries or ())


def _received(body: AnsweredSeen) -> list[BranchSeen]:
    """The deliveries whose recipient has them, each with the moment from which that was so."""
    moments: dict[str | None, str] = {}
    for answer in body.answers:
        if answer["kind"] == "received":
            moments.setdefault(answer.get("delivery"), answer["at"])
    found = [branch for branch in body.branches if branch["state"] in RECEIVED]
    for branch in found:
        own = branch.get("ledger")
        at = moments.get(branch["delivery"]) or (own[-1]["to"] if own else None)
        if at is not None:
            branch["received_at"] = at
    return found


def _receipts(trunk: Sequence[EntrySeen], branches: Sequence[BranchSeen]) -> list[Passage]:
    """Deliveries newly received: from the decision to the receipt, and from the police's POST to it."""
    ours = [entry for entry in trunk if entry["stage"] != "police"]
    planning = [entry for entry in ours if entry["stage"] == "delivery"]
    passages: list[Passage] = []
    for branch in branches:
        if "received_at" not in branch:
            continue
        ended = datetime.fromisoformat(branch["received_at"])
        # What came after the receipt (opened, decided) is the service's time, not the way there.
        own = [e for e in branch.get("ledger") or [] if datetime.fromisoformat(e["from"]) < ended]
        passages.append((ended, "delivery", *_sums([*planning, *own])))
        if ours:
            passages.append((ended, "end_to_end", *_sums([*ours, *own])))
    return passages


def _sums(entries: Sequence[EntrySeen]) -> tuple[float, float]:
    return sum(entry["waited_ms"] for entry in entries), sum(entry["worked_ms"] for entry in entries)
