"""What `waymark bench delivery` sends: recipients of its own, decisions that lead to them, and a backlog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from services.delivery.domain.case import delivery_id
from shared import vocabulary as v
from shared.contracts.decision import Decision
from shared.contracts.events import CaseDecided
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.db import Transaction
from waymark.recipients import RECIPIENTS
from waymark.simulate import load_profile, simulate

SECRET: Final = "whsec_" + "A" * 43 + "="


@dataclass(frozen=True, slots=True)
class Place:
    """A recipient of the benchmark: its id, and the role and area that lead to it."""

    name: str
    service: v.Service
    area: str


def write_places(data: Path, count: int, port: int) -> list[Place]:
    """Areas and recipients, one per role and area until there are `count`: each with a webhook of its own."""
    areas, recipients = data / "areas", data / "recipients"
    for folder in (areas, recipients):
        folder.mkdir(parents=True, exist_ok=True)
    (recipients / "secret").write_text(SECRET, encoding="ascii")
    sample = yaml.safe_load((RECIPIENTS.parent / "areas" / "northbury.yaml").read_text(encoding="utf-8"))
    sample["calendar"].pop("school_terms", None)
    services = ["childrens_services", *(one for one in v.SERVICES if one != "childrens_services")]
    places = [
        Place(f"bench-{number:03}", service, f"bench-{number // len(services)}")  # type: ignore[arg-type]
        for number, service in ((n, services[n % len(services)]) for n in range(count))
    ]
    for area in sorted({place.area for place in places}):
        children = next(p.name for p in places if p.area == area and p.service == "childrens_services")
        rules = {**sample, "id": area, "name": area, "childrens_services": children, "out_of_hours": None}
        (areas / f"{area}.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    described = [
        {
            "id": place.name,
            "role": place.service,
            "areas": [place.area],
            "hours": "always",
            "channels": [
                {
                    "kind": "webhook",
                    "url": f"http://127.0.0.1:{port}/r/{place.name}",
                    "secrets": ["file:secret"],
                }
            ],
        }
        for place in places
    ]
    (recipients / "bench.yaml").write_text(yaml.safe_dump({"recipients": described}), encoding="utf-8")
    return places


class Decisions:
    """Decisions as triage makes them, about simulated incidents."""

    def __init__(self) -> None:
        self._count = 0
        self._incidents: list[dict[str, Any]] = []
        for one in simulate(load_profile("nspcc-2009"), 300, 2007).incidents:
            with suppress(ValidationError):  # the door would put it right; here the others will do
                incident = {**one, "force": "bench"}
                Incident.model_validate(incident)
                self._incidents.append(incident)

    def next(self, places: Iterable[Place]) -> tuple[str, CaseDecided, list[str]]:
        """A decision that routes to these, its case, and the ids of the deliveries that it makes."""
        self._count += 1
        wanted = list(places)
        incident = Incident.model_validate(
            {**self._incidents[self._count % len(self._incidents)], "reference": f"B-{self._count}"}
        )
        now = datetime.now(UTC)
        about = [child.id for child in incident.children or ()][:1]
        routes = [
            {
                "service": place.service,
                "about": about,
                "area": place.area,
                "response": "section_17" if place.service == "childrens_services" else None,
                "due": None,
                "basis": "safeguarding_without_consent",
                "rules": ["london-dvrim/1#level-3"],
            }
            for place in wanted
        ]
        body = CaseDecided.model_validate(
            {
                "incident": incident,
                "revision": 1,
                "accepted_at": now,
                "as_of": now,
                "history": History.model_validate({"status": "complete", "incidents": [], "involvement": []}),
                "decision": Decision(case=incident.case, version=1, receipt=_receipt(routes)),
                "state": "to_route",
            }
        )
        ids = [delivery_id(incident.case, 1, place.name, place.service) for place in wanted]
        return incident.case, body, ids


def _receipt(routes: list[dict[str, Any]]) -> dict[str, Any]:
    outcome = {
        "child_level": 3, "victim_level": "medium", "css_response": "section_17",
        "services": sorted({route["service"] for route in routes}), "handling": ["safe_contact_only"],
    }  # fmt: skip
    return {
        "as_of": "2026-11-23T12:00:00Z",
        "inputs": {"incident": "sha256:0", "protocol": "sha256:1", "safeguards": "sha256:2"},
        "protocol": {"id": "london-dvrim", "version": 1},
        "safeguards": {"id": "safeguards", "version": 1},
        "engine": 1,
        "result": outcome,
        "possible": outcome,
        "children": [],
        "routes": routes,
        "consider": [],
        "reasons": [],
        "mitigating": [],
        "questions": [],
        "doubt": None,
        "review": {"needed": False},
    }


async def fill(tx: Transaction, count: int, places: Sequence[Place], payload: bytes) -> None:
    """So many bulk deliveries that wait in the table, as a replay leaves them, spread over all places."""
    now = datetime.now(UTC)
    await tx.execute(
        """
        INSERT INTO cases ("case", version, revision, state, decided_state, why, lane, ledger)
        SELECT 'bench/bulk-' || n, 1, 1, 'in_flight', 'to_route', 'replayed', 'bulk', '[]'
        FROM generate_series(1, CAST(:count AS int)) AS n
        """,
        count=count,
    )
    await tx.execute(
        """
        INSERT INTO deliveries (id, "case", version, revision, recipient, service, route, due, view,
            state, channel, began, bulk, next_at)
        SELECT 'd-bulk-' || n, 'bench/bulk-' || n, 1, 1, r.recipient, r.service,
            json_build_object('service', r.service, 'about', json_build_array(), 'area', r.area,
                'response', NULL, 'basis', 'safeguarding_without_consent', 'rules', json_build_array()),
            CAST(:due AS timestamptz), 'v', 'waiting', 0, CAST(:now AS timestamptz), true,
            CAST(:now AS timestamptz)
        FROM generate_series(1, CAST(:count AS int)) AS n
        JOIN unnest(CAST(:recipients AS text[]), CAST(:services AS text[]), CAST(:areas AS text[]))
            WITH ORDINALITY AS r(recipient, service, area, i) ON r.i = 1 + n % CAST(:places AS int)
        """,
        count=count,
        now=now,
        due=now + timedelta(days=3),
        recipients=[place.name for place in places],
        services=[place.service for place in places],
        areas=[place.area for place in places],
        places=len(places),
    )
    await tx.execute(
        """
        INSERT INTO contents (delivery, payload)
        SELECT 'd-bulk-' || n, CAST(:payload AS bytea) FROM generate_series(1, CAST(:count AS int)) AS n
        """,
        count=count,
        payload=payload,
    )
