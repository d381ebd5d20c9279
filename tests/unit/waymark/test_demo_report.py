"""What the demo counts as waiting, and what it leaves to people."""

from __future__ import annotations

from typing import Any

import pytest

from waymark.demo.report import summarise
from waymark.demo.watch import Seen

CONSERVATION = dict.fromkeys(
    ("accepted", "dead_lettered", "unaccounted", "routed", "held", "no_recipient_by_rule", "superseded",
     "withdrawn"), 0
)  # fmt: skip


def seen(handling: list[str], *states: str) -> Seen:
    receipt: dict[str, Any] = {
        "result": {"handling": handling, "css_response": "section_47", "services": [], "child_level": 4},
        "questions": [], "reasons": [], "review": {"needed": False},
    }  # fmt: skip
    branches = [{"state": one, "service": "education", "ledger": [], "breached": False} for one in states]
    decided = {
        "body": {"decision": {"receipt": receipt}, "history": {}, "incident": {"risk": {"level": "high"}}},
        "ledger": [],
        "at": "2026-11-27T12:00:00Z",
    }
    return Seen(decided, {"body": {"branches": branches}}, 1)


@pytest.mark.parametrize(
    ("handling", "waiting", "for_a_person"),
    [(["restricted"], 1, 1), ([], 2, 0)],
    ids=["restricted", "not restricted"],
)
def test_what_a_person_has_to_release_is_no_failure_but_any_other_held_delivery_is(
    handling: list[str], waiting: int, for_a_person: int
) -> None:
    told = summarise(
        [1.0], {"accepted": 1}, {"northshire/1": seen(handling, "received", "held", "offered")}, CONSERVATION
    )
    assert told["delivered"] == 1
    assert told["waiting"] == waiting
    assert told["for_a_person_to_release"] == for_a_person
