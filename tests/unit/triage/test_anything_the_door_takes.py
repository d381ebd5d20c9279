"""Whatever the door takes is decided: nothing that a sender writes stops a case."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.domain import decide
from shared import vocabulary as v
from shared.contracts.decision import Receipt
from shared.contracts.history import History
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import AREAS, AS_OF, LONDON, NORTHBURY, SAFEGUARDS

SAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "samples" / "v1"
INCIDENT = json.loads((SAMPLES / "incident.json").read_text())
HISTORY = History.model_validate_json((SAMPLES / "history.json").read_bytes())
GARBAGE: tuple[Any, ...] = (
    None,
    "x",
    "",
    0,
    -1,
    1.5,
    10**20,
    True,
    [],
    {},
    ["x"],
    [None],
    [{}],
    "2026-02-30",
    "￿\U0001f600",
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below: list[tuple[Any, ...]] = [here] if here else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        below += paths(inner, (*here, key))
    return below


PATHS = [path for path in paths(INCIDENT) if path[0] not in ("force", "reference", "occurred_at")]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(GARBAGE)), max_size=8),
    known=st.sampled_from((None, HISTORY, History(), History(status="incomplete"))),
)
def test_no_incident_that_the_door_takes_stops_the_engine(
    changes: list[tuple[tuple[Any, ...], Any]], known: History | None
) -> None:
    sent = deepcopy(INCIDENT)
    for path, garbage in changes:
        place = sent
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = deepcopy(garbage)
        except (TypeError, KeyError, IndexError):
            continue
    incident = read_incident(sent).incident
    receipt = decide(LONDON, SAFEGUARDS, NORTHBURY, incident, known, AS_OF, neighbours=AREAS.by_id)
    assert json.loads(receipt.canonical()) == receipt.body
    Receipt.model_validate(receipt.body)
    cited = {rule for one in (*receipt.body["routes"], *receipt.body["consider"]) for rule in one["rules"]}
    assert cited <= {reason["rule"] for reason in receipt.body["reasons"]}
    assert {route["service"] for route in receipt.body["routes"]} == set(receipt.body["result"]["services"])


def test_an_incident_with_only_what_must_be_there_is_decided() -> None:
    sent = {"force": "northshire", "reference": "NS-9", "occurred_at": "2026-11-20T22:40:00Z"}
    body = decide(LONDON, SAFEGUARDS, NORTHBURY, read_incident(sent).incident, None, AS_OF).body
    assert body["result"] == {
        "child_level": None,
        "victim_level": "standard",
        "css_response": "none",
        "services": [],
        "handling": ["safe_contact_only"],
    }
    assert body["possible"]["css_response"] == "section_47"
    assert set(body["possible"]["services"]) <= set(v.SERVICES)
    assert body["review"]["because"] == ["nobody_routed"]


def test_a_child_without_an_id_is_taken_out_named_and_still_counts() -> None:
    sent = deepcopy(INCIDENT)
    sent["children"][1]["id"] = None
    reading = read_incident(sent)
    assert {fault.at for fault in reading.faults} == {"/children/1", "/relationships/2", "/relationships/3"}
    body = decide(LONDON, SAFEGUARDS, NORTHBURY, reading.incident, HISTORY, AS_OF, neighbours=AREAS.by_id).body
    assert [child["id"] for child in body["children"]] == ["c1", "unread-1", "k2"]


def test_children_that_are_no_list_are_unknown() -> None:
    body = decide(
        LONDON, SAFEGUARDS, NORTHBURY, read_incident({**INCIDENT, "children": 2}).incident, None, AS_OF
    ).body
    assert body["possible"]["css_response"] == "section_47"
