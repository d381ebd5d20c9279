"""Incidents, histories and decisions for the tests of the rules. Every person is made up."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from services.triage.domain import Receipt, decide
from services.triage.protocols import load_library
from shared.areas import Area, load_areas
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.contracts.reading import read_incident

LIBRARY = load_library()
LONDON = LIBRARY.protocols["london-dvrim/1"]
SAFEGUARDS = LIBRARY.safeguards
AREAS = load_areas()
NORTHBURY = AREAS.by_id["northbury"]
SOUTHMERE = AREAS.by_id["southmere"]
AS_OF = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

_QUIET: dict[str, Any] = {
    "force": "northshire",
    "reference": "NS-1",
    "occurred_at": "2026-11-19T20:00:00Z",
    "recorded_at": "2026-11-20T10:00:00Z",
    "attended": True,
    "area": "northbury",
    "caller": "neighbour",
    "summary": "Shouting was heard.",
    "adults": [
        {
            "id": "a1", "role": "victim", "born": "1990-01-01", "sex": "female", "area": "northbury",
            "pregnant": False, "disabilities": [], "needs": [], "factors": [],
        },
        {
            "id": "a2", "role": "suspect", "born": "1988-01-01", "sex": "male", "area": "northbury",
            "factors": [], "controlling": False, "orders_breached": [],
        },
    ],
    "children": [
        {
            "id": "c1", "born": "2016-05-01", "area": "northbury", "needs": [], "presence": "not_on_premises",
            "called_for_help": False, "intervened": False, "held_by_adult": False, "threatened": False,
            "assaulted": False, "injured": False,
        }
    ],
    "relationships": [
        {"from": "a2", "to": "a1", "kind": "partner", "lives_together": True},
        {"from": "a1", "to": "c1", "kind": "parent"},
    ],
    "incident": {
        "violence": ["verbal"], "weapons": [], "injuries": [], "threats": [], "strangulation": False,
        "sexual_offence": False, "property_damaged": False, "stalking": False, "contact_dispute": False,
        "separation_intended": False, "honour_based": False, "forced_marriage": False,
        "animals_harmed": False, "escalating": False, "offences": [],
    },
    "risk": {"tool": "dash", "level": "standard", "yes_answers": 3, "concern": False},
    "protective": [],
    "consent": {"asked": True, "given": False, "aware": True},
}  # fmt: skip
"""Words only, everything known, one child of ten who was elsewhere: nothing but the baseline follows."""


def raw(*without: str, **changes: Any) -> dict[str, Any]:
    """The quiet incident with `changes` at dotted paths (`__` for a dot), `without` the paths named.

    `raw(incident__threats=["kill"], children__0__born=None)`.
    """
    made = deepcopy(_QUIET)
    for path, value in changes.items():
        *steps, last = path.split("__")
        place = _place(made, steps)
        place[int(last) if isinstance(place, list) else last] = value
    for path in without:
        *steps, last = path.split("__")
        del _place(made, steps)[last]
    return made


def _place(made: Any, steps: list[str]) -> Any:
    for step in steps:
        made = made[int(step) if isinstance(made, list) else step]
    return made


def incident(*without: str, **changes: Any) -> Incident:
    """The quiet incident, changed, as the door reads it."""
    return read_incident(raw(*without, **changes)).incident


def child(id_: str = "c2", **changes: Any) -> dict[str, Any]:
    """Another child, about whom as little is to be said."""
    return {**deepcopy(_QUIET["children"][0]), "id": id_, **changes}


def history(**parts: Any) -> History:
    """A complete history in which nothing is known, with `parts`."""
    empty: dict[str, Any] = {"incidents": [], "involvement": [], "marac": [], "children_known": []}
    return History.model_validate({"status": "complete", **empty, **parts})


def earlier(reference: str, occurred_at: str, **changes: Any) -> dict[str, Any]:
    """An earlier incident of the same pair: words only."""
    return {
        "force": "northshire", "reference": reference, "occurred_at": occurred_at,
        "pairs": [{"victim": "a1", "perpetrator": "a2"}], "children": ["c1"], "violence_level": "none_low",
        "violence": ["verbal"], "injury": False, "link": "certain", **changes,
    }  # fmt: skip


def decided(
    of: Incident | None = None,
    known: History | None = None,
    *,
    as_of: datetime = AS_OF,
    area: Area = NORTHBURY,
    **more: Any,
) -> dict[str, Any]:
    """The receipt's body for an incident under the London protocol; a complete, empty history unless given."""
    return dict(receipt(of, known, as_of=as_of, area=area, **more).body)


def receipt(
    of: Incident | None = None,
    known: History | None = None,
    *,
    as_of: datetime = AS_OF,
    area: Area = NORTHBURY,
    **more: Any,
) -> Receipt:
    """The same with its canonical form."""
    return decide(
        LONDON, SAFEGUARDS, area, of or incident(), known or history(), as_of, neighbours=AREAS.by_id, **more
    )


def rules(body: dict[str, Any]) -> set[str]:
    """The ids of the rules that fired, without their protocol."""
    return {reason["rule"].partition("#")[2] for reason in body["reasons"]}


def asked(body: dict[str, Any]) -> set[str]:
    """The facts asked about."""
    return {question["fact"] for question in body["questions"]}


def route(body: dict[str, Any], service: str) -> dict[str, Any]:
    """The one route to a service."""
    found = [one for one in body["routes"] if one["service"] == service]
    assert len(found) == 1, f"{service}: {len(found)} routes"
    return dict(found[0])
