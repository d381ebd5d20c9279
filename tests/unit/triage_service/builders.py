"""Receipts, areas, incidents and acts, made up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from services.triage.screening import Act
from shared.areas import Area, Areas, stand_in
from shared.contracts.area import AreaRules, MaracCycle, ProtocolChoice
from shared.contracts.incident import Adult, Child, Incident

FRIDAY_NIGHT = datetime(2026, 11, 20, 23, 40, tzinfo=UTC)
MONDAY_CLOSING = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def area(name: str, *forces: str) -> Area:
    return Area(
        AreaRules(
            id=name,
            name=name.title(),
            forces=list(forces),
            childrens_services=f"{name}-children",
            protocol=ProtocolChoice(live="london-dvrim/1"),
            marac=MaracCycle(first=date(2026, 2, 10)),
            due={"section_47": "immediate", "default": "1 working day"},
        )
    )


AREAS = Areas(
    {
        "northbury": area("northbury", "northshire"),
        "westbury": area("westbury", "northshire"),
        "southmere": area("southmere", "southshire"),
    },
    stand_in(),
)
NORTHBURY = AREAS.by_id["northbury"]


def incident(
    *,
    force: str = "northshire",
    place: str | None = None,
    child: str | None = None,
    victim: str | None = None,
) -> Incident:
    return Incident(
        force=force,
        reference="NS-1",
        occurred_at=FRIDAY_NIGHT,
        area=place,
        children=None if child is None else [Child(id="c1", area=child)],
        adults=[Adult(id="a1", role="victim", area=victim), Adult(id="a2", role="suspect", area="southmere")],
    )


def outcome(**over: Any) -> dict[str, Any]:
    return {
        "child_level": None,
        "victim_level": "standard",
        "css_response": "none",
        "services": [],
        "handling": [],
        **over,
    }


def route(service: str = "childrens_services", **over: Any) -> dict[str, Any]:
    return {"service": service, "about": ["c1"], "area": "northbury", "due": "2026-11-23T17:00:00Z", **over}


def receipt(**over: Any) -> dict[str, Any]:
    return {
        "as_of": "2026-11-20T23:40:00Z",
        "inputs": {"incident": "sha256:1", "history": "sha256:2", "previous": None, "people": []},
        "result": outcome(),
        "possible": outcome(),
        "routes": [],
        "consider": [],
        "reasons": [],
        "questions": [],
        "review": {"needed": False, "when": None, "because": []},
        **over,
    }


def act(kind: Any = "lower", who: str = "officer-7", agency: str | None = "police", **over: Any) -> Act:
    given: dict[str, Any] = {
        "id": f"act-of-{who}",
        "at": FRIDAY_NIGHT,
        "looked_at": 1,
        "said": {"css_response": "early_help"},
        "reason": "The record was of another family.",
    }
    return Act(kind=kind, who=who, agency=agency, **(given | over))
