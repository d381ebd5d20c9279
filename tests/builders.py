"""Builders of test data, in the shape of the contracts. Every person here is made up."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_INCIDENT: dict[str, Any] = {
    "schema": "waymark.incident/1",
    "force": "northshire",
    "reference": "NS-2026-000001",
    "revision": 1,
    "withdrawn": False,
    "test": False,
    "occurred_at": "2026-11-20T22:40:00Z",
    "reported_at": "2026-11-20T22:52:00Z",
    "attended": True,
    "attended_at": "2026-11-20T23:01:00Z",
    "recorded_at": "2026-11-21T01:15:00Z",
    "area": "northbury",
    "place": {
        "kind": "victim_home",
        "address": {"line1": "14 Mill Lane", "town": "Northbury", "postcode": "NB4 2QT"},
    },
    "caller": "neighbour",
    "summary": "Shouting heard, door kicked, victim pushed. Both children were in the next room.",
    "adults": [
        {
            "id": "a1",
            "role": "victim",
            "name": {"given": "Sian", "family": "Hughes"},
            "born": "1994-03-07",
            "sex": "female",
            "address": {"line1": "14 Mill Lane", "town": "Northbury", "postcode": "NB4 2QT"},
            "area": "northbury",
            "phones": [{"number": "07700 900123", "safe": True, "when": "school hours"}],
            "pregnant": False,
            "factors": [],
            "needs": [],
        },
        {
            "id": "a2",
            "role": "suspect",
            "name": {"given": "Mark", "family": "Doyle"},
            "born": "1991-11-30",
            "sex": "male",
            "address": {"line1": "Flat 3, 8 Station Road", "town": "Northbury", "postcode": "NB1 1AA"},
            "area": "northbury",
            "factors": ["alcohol"],
        },
    ],
    "children": [
        {
            "id": "c1",
            "name": {"given": "Owen", "family": "Hughes"},
            "born": "2017-05-16",
            "sex": "male",
            "area": "northbury",
            "whereabouts": "with_victim",
            "school": {"name": "Northbury Primary", "urn": "100001"},
            "presence": "another_room",
            "called_for_help": False,
            "threatened": False,
            "assaulted": False,
            "injured": False,
        },
    ],
    "relationships": [
        {"from": "a2", "to": "a1", "kind": "partner", "lives_together": True},
        {"from": "a1", "to": "c1", "kind": "parent"},
        {"from": "a2", "to": "c1", "kind": "parents_partner"},
    ],
    "incident": {
        "violence": ["verbal", "push"],
        "weapons": [],
        "injuries": [],
        "threats": [],
        "strangulation": False,
        "sexual_offence": False,
        "property_damaged": True,
        "offences": ["criminal_damage", "common_assault"],
    },
    "risk": {"tool": "dash", "level": "medium", "yes_answers": 9},
    "actions": {"arrested": True, "charged": False},
    "consent": {"asked": True, "given": True, "aware": True},
}


def an_incident(**changes: Any) -> dict[str, Any]:
    """An incident as a police system posts it (contracts/incident.json), with `changes` to its top level.

    A change of `...` (Ellipsis) leaves the field out: `an_incident(revision=...)`.
    """
    incident = {**deepcopy(_INCIDENT), **changes}
    return {name: value for name, value in incident.items() if value is not ...}
