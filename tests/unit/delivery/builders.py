"""Decisions as triage makes them, for delivery's tests. Every person here is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.delivery.domain.case import Decided, Delivery, Route, delivery_id
from services.delivery.domain.recipients import Channel, Recipient
from services.delivery.domain.versions import Wanted
from shared.contracts.decision import Decision
from shared.contracts.events import CaseDecided
from shared.contracts.history import History
from shared.contracts.incident import Incident
from tests.builders import an_incident

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def a_receipt(routes: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A decision's receipt as delivery reads it, with `changes` to its top level."""
    services = sorted({route["service"] for route in routes})
    outcome = {
        "child_level": 3,
        "victim_level": "medium",
        "css_response": "section_17",
        "services": services,
        "handling": ["safe_contact_only"],
    }
    return {
        "as_of": "2026-11-23T12:00:00Z",
        "inputs": {"incident": "sha256:0", "protocol": "sha256:1", "safeguards": "sha256:2"},
        "protocol": {"id": "london-dvrim", "version": 1},
        "safeguards": {"id": "safeguards", "version": 1},
        "engine": 1,
        "result": outcome,
        "possible": outcome,
        "children": [{"id": "c1", "child_level": 3, "css_response": "section_17"}],
        "routes": list(routes),
        "consider": [],
        "reasons": [
            {
                "rule": "london-dvrim/1#children-witness",
                "because": "A child who sees or hears violence is at serious risk of harm.",
                "source": "London 2008 s9.2",
            },
            {
                "rule": "safeguards/1#school-told",
                "because": "The child's school is told before the next school day.",
                "source": "Victims and Prisoners Act 2024",
            },
        ],
        "mitigating": [],
        "questions": [{"fact": "victim_pregnant", "to": "police", "because": "Midwifery would be told."}],
        "doubt": None,
        "review": {"needed": False},
        **changes,
    }


def a_route(service: str = "childrens_services", **changes: Any) -> dict[str, Any]:
    """A route as a receipt has it."""
    return {
        "service": service,
        "about": ["c1"],
        "area": "northbury",
        "response": "section_17" if service == "childrens_services" else None,
        "due": None,
        "basis": "safeguarding_without_consent",
        "rules": ["safeguards/1#school-told" if service == "education" else "london-dvrim/1#level-3"],
        **changes,
    }


def route(service: str = "childrens_services", **changes: Any) -> Route:
    """The same as delivery keeps it."""
    return Route.read(a_route(service, **changes), changes.get("due"))


def decided(*routes: dict[str, Any], version: int = 1, **changes: Any) -> Decided:
    """A decided version: by default one route to children's services."""
    incident = changes.pop("incident", None) or an_incident()
    asked = list(routes) or [a_route()]
    base = Decided(
        case=f"{incident['force']}/{incident['reference']}",
        version=version,
        revision=version,
        state="to_route",
        held_by=None,
        why="accepted",
        as_of=NOON,
        incident=incident,
        history={"schema": "waymark.history/1", "status": "complete", "incidents": []},
        receipt=a_receipt(asked),
        routes=tuple(Route.read(one, None) for one in asked),
        lane="live",
        caused_by=None,
        trace=None,
        ledger=(),
    )
    return replace(base, **changes)


def case_decided(*routes: dict[str, Any], version: int = 1, **changes: Any) -> CaseDecided:
    """The event's body; `incident` and `history` as wire data."""
    incident = Incident.model_validate(changes.pop("incident", None) or an_incident())
    history = changes.pop("history", {"status": "complete", "incidents": [], "involvement": []})
    now = datetime.now(UTC)
    receipt = changes.pop("receipt", None) or a_receipt(list(routes))
    return CaseDecided.model_validate(
        {
            "incident": incident,
            "revision": version,
            "accepted_at": now,
            "as_of": now,
            "history": History.model_validate(history),
            "decision": Decision(case=incident.case, version=version, receipt=receipt),
            "state": "to_route",
            **changes,
        }
    )


def a_recipient(id_: str = "northbury-children", role: Any = "childrens_services", **changes: Any) -> Recipient:
    """A recipient with a webhook and an inbox behind it."""
    base = Recipient(
        id=id_,
        role=role,
        areas=("northbury",),
        channels=(Channel("webhook", "https://children.northbury.example/waymark"), Channel("inbox")),
    )
    return replace(base, **changes)


def wanted(view: str = "seen", **changes: Any) -> Wanted:
    """A view that a recipient should have."""
    recipient = changes.pop("recipient", None) or a_recipient()
    base = Wanted(
        recipient=recipient,
        route=route(recipient.role),
        view=view,
        due=NOON + timedelta(hours=4),
        routed=True,
    )
    return replace(base, **changes)


def a_delivery(
    version: int = 1, *, view: str = "seen", recipient: str = "northbury-children", **changes: Any
) -> Delivery:
    """A delivery that waits to be sent, leased by the process `here`, and not begun."""
    one = Delivery(
        id=delivery_id("northshire/NS-2026-000001", version, recipient, "childrens_services"),
        case="northshire/NS-2026-000001",
        version=version,
        revision=version,
        recipient=recipient,
        service="childrens_services",
        route=route(),
        due=NOON + timedelta(hours=4),
        view=view,
        state="waiting",
        channel=0,
        began=NOON,
        next_at=NOON,
        leased_by="here",
        lease_until=NOON + timedelta(seconds=30),
    )
    for name, value in changes.items():
        setattr(one, name, value)
    return one
