"""Counts, orders and couples of the past as a screener reads them."""

from __future__ import annotations

from typing import Any

from services.console.domain.past import in_lines

INCIDENT: dict[str, Any] = {
    "adults": [
        {"id": "a1", "name": {"given": "Sian", "family": "Hughes"}},
        {"id": "a2", "name": {"given": "Mark", "family": "Doyle"}},
    ],
    "children": [{"id": "c1"}],
}


def test_counts_orders_and_couples_are_told_with_the_day_that_they_were_said() -> None:
    history = {
        "repeats": [{"months": months, "incidents": count} for months, count in ((6, 0), (12, 2), (24, 3))],
        "escalating": ["graver"],
        "orders": [{"person": "a2", "order": "restraining", "breached": True, "told_on": "2026-08-02"}],
        "relationships": [
            {
                "from": "a1", "to": "a2", "kind": "ex_partner", "separated_on": "2026-07-15",
                "lives_together": False, "told_last": "2026-08-02",
            },
            {"from": "a2", "to": "p-1", "kind": "partner", "told_last": "2026-01-05", "ended": "2026-03-01"},
            {"from": "a1", "to": "k-2", "kind": "parent", "recorded": True},
        ],
    }  # fmt: skip
    assert in_lines(INCIDENT, history) == [
        "Earlier incidents: 2 in 12 months, 3 in 24 months. They are graver than at first.",
        "Mark Doyle: restraining order, breached (told on 2 August 2026).",
        "Sian Hughes and Mark Doyle: ex partner, parted on 15 July 2026, not living together, "
        "told on 2 August 2026.",
        "Mark Doyle and somebody of another incident: partner, until 1 March 2026, told on 5 January 2026.",
        "Sian Hughes and a child whom the police did not name: parent, so in children's services' records.",
    ]


def test_a_past_of_nothing_is_no_line() -> None:
    assert (
        in_lines(INCIDENT, {}) == in_lines(INCIDENT, {"repeats": [], "orders": [], "relationships": []}) == []
    )
