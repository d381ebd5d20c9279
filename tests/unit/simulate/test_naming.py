"""The yardstick for naming: it counts what was seeded, sees what was missed, and what was named falsely."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from waymark.simulate import Month, load_profile, simulate
from waymark.simulate.naming import NamingRow, measure


@cache
def small_month() -> Month:
    return simulate(load_profile(), 600, seed=2007)


def rows(incidents: list[dict[str, Any]], truth: list[dict[str, Any]]) -> dict[str, NamingRow]:
    return {row.kind: row for row in measure(incidents, truth).rows}


def test_what_was_seeded_and_can_be_seen_is_named_and_nothing_falsely() -> None:
    """The one exception a list of words must have: a weapon that the narrative calls something else."""
    table = measure(small_month().incidents, small_month().truth)
    assert table.incidents == 600
    assert table.visible > 80
    assert table.falsely == 0
    for row in table.rows:
        assert row.named == row.visible or row.kind == "weapon_left_out"
        assert row.named <= row.visible <= row.seeded


def test_each_kind_that_is_planned_is_seeded() -> None:
    made = rows(small_month().incidents, small_month().truth)
    for kind in (
        "unreadable_date", "unknown_word", "unknown_field", "contradiction",
        "missing_birth_date", "presence_left_out", "answers_left_out",
    ):  # fmt: skip
        assert made[kind].seeded > 0, kind


def test_what_no_reader_can_see_is_counted_and_not_asked_for() -> None:
    made = rows(small_month().incidents, small_month().truth)
    assert made["typo"].seeded > 10
    assert made["typo"].visible == made["typo"].named == 0


def test_a_seeded_fault_that_is_not_named_is_seen() -> None:
    incidents, truth = deepcopy(small_month().incidents), deepcopy(small_month().truth)
    place = next(n for n, true in enumerate(truth) if any(f["fault"] == "unknown_word" for f in true["faults"]))
    (fault,) = [f for f in truth[place]["faults"] if f["fault"] == "unknown_word"]
    whole = rows(incidents, truth)["unknown_word"]
    fault["at"] = "/actions"
    mistaken = rows(incidents, truth)["unknown_word"]
    assert mistaken.visible == whole.visible
    assert mistaken.named == whole.named - 1
    assert mistaken.falsely == whole.falsely + 1


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"caller": "passer-by"}, "unknown_word"),
        ({"recorded_at": "2001-01-01T00:00:00Z"}, "contradiction"),
        ({"somebody": 1}, "unknown_field"),
        ({"summary": "He came with an axe.", "incident": {"violence": ["verbal"], "weapons": []}}, "narrative"),
    ],
)
def test_what_is_named_and_was_not_seeded_counts_as_false(changes: dict[str, Any], kind: str) -> None:
    place = next(n for n, true in enumerate(small_month().truth) if not true["faults"] and not true["gaps"])
    incident = {**small_month().incidents[place], **changes}
    assert rows([incident], [small_month().truth[place]])[kind].falsely == 1


def test_the_truth_of_another_incident_is_refused() -> None:
    with pytest.raises(ValueError, match="does not stand beside"):
        measure(small_month().incidents[:1], small_month().truth[1:2])


def test_the_table_can_be_printed_and_kept() -> None:
    table = measure(small_month().incidents, small_month().truth)
    heading, *lines = table.lines()
    assert {len(line) for line in lines} == {len(heading)}
    kept = json.loads(json.dumps(table.as_json()))
    assert kept["named"] == table.named
    assert [row["kind"] for row in kept["kinds"]] == [row.kind for row in table.rows]
