"""The four services as the console sees them: what each would say of a case, on real topics."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from shared import ledger
from shared.contracts.decision import Decision
from shared.contracts.envelope import LedgerEntry
from shared.contracts.events import Branch, CaseAnswered, CaseDecided, IncidentAccepted, IncidentEnriched
from shared.contracts.history import UNAVAILABLE, History
from shared.contracts.incident import Address, Adult, Incident, Name, Place
from shared.contracts.topics import DECIDED, ENRICHED, INCIDENTS, OUTCOMES
from shared.db import Database
from shared.kafka import Producer
from shared.outbox import Outbox
from tests.integration.conftest import Servers

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def incident(reference: str, **other: Any) -> Incident:
    return Incident(
        force="northshire",
        reference=reference,
        area="northbury",
        occurred_at=ledger.now() - timedelta(hours=2),
        summary="She hid in the wardrobe and he locked the door.",
        place=Place(kind="victim_home", address=Address(line1="4 Nettlebed Row", postcode="ZZ9 9ZZ")),
        adults=[Adult(id="a1", role="victim", name=Name(given="Zephyrine", family="Quillfeather"))],
        **other,
    )


def decision(case: str, version: int, due: datetime) -> Decision:
    outcome = {"child_level": 4, "victim_level": "medium", "css_response": "section_47", "handling": []}
    services = ["childrens_services", "marac"]
    receipt = {
        "as_of": "2026-11-21T01:15:02Z",
        "protocol": {"id": "london-dvrim", "version": 1},
        "result": {**outcome, "services": services},
        "possible": {**outcome, "services": services},
        "routes": [
            {"service": "childrens_services", "about": ["c1"], "due": due.isoformat(), "basis": "consent"}
        ],
        "reasons": [{"rule": "r", "because": "She hid in the wardrobe.", "source": "s", "facts": {}}],
        "review": {"needed": True, "when": "after_routing", "because": ["section_47"]},
    }
    return Decision(case=case, version=version, receipt=receipt)


class Senders:
    """The four services as the console sees them: their outboxes, on the real database and broker."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._outboxes: dict[str, Outbox] = {}
        self._first: dict[str, datetime] = {}

    def outbox(self, service: str) -> Outbox:
        if service not in self._outboxes:
            producer = Producer(self._servers.kafka, f"test-{service}", self._servers.partitions)
            self._outboxes[service] = Outbox(Database(self._servers.database, service, pool_size=2), producer)
        return self._outboxes[service]

    def _first_at(self, reference: str) -> datetime:
        """When the case's first revision was accepted: the same in all that is said of it."""
        return self._first.setdefault(reference, ledger.now())

    async def accept(self, reference: str, revision: int = 1, **other: Any) -> list[LedgerEntry]:
        at = ledger.now()
        said = incident(reference, **other)
        body = IncidentAccepted(
            incident=said, revision=revision, accepted_at=self._first_at(reference), revision_accepted_at=at
        )
        before = ledger.add_wait([], "police", at - timedelta(minutes=143), at)
        await self.emit("intake", INCIDENTS, said.case, body, before, at)
        return ledger.add_work(before, "intake", at, ledger.now())

    async def enrich(
        self,
        reference: str,
        before: list[LedgerEntry],
        revision: int = 1,
        history: History = UNAVAILABLE,
        **other: Any,
    ) -> list[LedgerEntry]:
        at = ledger.now()
        said = incident(reference, **other)
        body = IncidentEnriched(
            incident=said, revision=revision, accepted_at=self._first_at(reference), as_of=at, history=history
        )
        await self.emit("enrichment", ENRICHED, said.case, body, before, at)
        return ledger.add_work(before, "enrichment", at, ledger.now())

    async def decide(
        self,
        reference: str,
        before: list[LedgerEntry],
        due: datetime,
        *,
        revision: int = 1,
        state: str = "to_route",
    ) -> list[LedgerEntry]:
        at = ledger.now()
        said = incident(reference)
        body = CaseDecided.model_validate(
            {
                "incident": said,
                "revision": revision,
                "accepted_at": self._first_at(reference),
                "as_of": at,
                "history": UNAVAILABLE,
                "decision": decision(said.case, revision, due),
                "state": state,
                "held_by": "screening" if state == "held" else None,
            }
        )
        await self.emit("triage", DECIDED, said.case, body, before, at)
        return ledger.add_work(before, "triage", at, ledger.now())

    async def answer(
        self, reference: str, before: list[LedgerEntry], state: Any, *branches: Branch, revision: int = 1
    ) -> None:
        """As delivery does: its own work on the decision first, then the entry of telling it."""
        before = ledger.add_work(before, "delivery", before[-1].to, before[-1].to + timedelta(milliseconds=3))
        case = f"northshire/{reference}"
        answers = [
            {"delivery": b.delivery, "recipient": b.recipient, "service": b.service, "version": revision}
            | {"kind": "received", "at": b.ledger[0].to}
            for b in branches
            if b.state == "received"
        ]
        told = {"case": case, "version": revision, "revision": revision, "state": state}
        body = CaseAnswered.model_validate({**told, "answers": answers, "branches": list(branches)})
        await self.emit("delivery", OUTCOMES, case, body, before, ledger.now())

    async def emit(
        self, service: str, topic: Any, case: str, body: Any, before: list[LedgerEntry], at: datetime
    ) -> None:
        async with self.outbox(service).transaction() as tx:
            tx.emit(topic, case, body, started=at, ledger=before, trace=TRACEPARENT)

    async def close(self) -> None:
        for outbox in self._outboxes.values():
            await outbox.close()
            await outbox.producer.close()
            await outbox.database.close()


def branch(recipient: str, state: str, due: datetime, before: list[LedgerEntry], took_ms: float = 40) -> Branch:
    start = before[-1].to + timedelta(milliseconds=3)
    work = [LedgerEntry(stage="delivery", waited_ms=took_ms - 10, worked_ms=10, from_=start, to=start)]
    if state == "received":
        began = start + timedelta(milliseconds=took_ms - 10)
        work = ledger.add_work([], "delivery", began, began + timedelta(milliseconds=10))
        work = [work[0].model_copy(update={"waited_ms": took_ms - 10})]
    return Branch(
        delivery=f"d-{recipient}",
        recipient=recipient,
        service="childrens_services",
        version=1,
        state=state,
        due=due,
        attempts=1,
        ledger=work if state == "received" else [],
    )
