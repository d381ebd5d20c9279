"""A board's month: what is told of it, and that no small number can be read or worked out from what is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.domain.deliveries import outcome_of, sum_up
from services.console.domain.month import Cell, month_of, rows_of, share
from services.console.domain.study import STUDY
from shared.small_numbers import told


def cell(cases: int, month: str = "2026-11", area: str = "northbury", **other: Any) -> Cell:
    known: dict[str, Any] = {
        "response": "early_help", "outcome": None, "repeat": False, "traced": True, "met": cases, "late": 0
    }  # fmt: skip
    return Cell(month=month, area=area, cases=cases, **{**known, **other})


@pytest.mark.parametrize(
    ("count", "said"), [(0, 0), (1, None), (4, None), (5, 5), (7, 5), (8, 10), (12, 10), (251, 250)]
)
def test_one_to_four_are_not_told_and_the_rest_to_the_nearest_five(count: int, said: int | None) -> None:
    assert told(count) == said


def test_a_share_is_told_of_twenty_or_more_and_not_of_a_few() -> None:
    assert share(50, 100) == 50
    assert share(5, 15) is None, "of fewer than twenty"
    assert share(3, 100) is None, "a few of many"
    assert share(0, 100) == 0
    assert share(102, 98) == 100


@given(st.lists(st.integers(0, 60), min_size=2, max_size=6), st.integers(0, 5))
def test_all_that_is_told_of_an_area_is_the_same_whether_it_had_one_case_or_four(
    counts: list[int], one: int
) -> None:
    place = one % len(counts)

    def published(small: int) -> str:
        parts = [*counts[:place], small, *counts[place + 1 :]]
        cells = [cell(n, area=f"a{i}") for i, n in enumerate(parts) if n]
        return str(month_of(cells, "2026-11", f"a{place}"))

    assert len({published(small) for small in (1, 2, 3, 4)}) == 1


def test_the_whole_is_told_so_that_one_family_more_is_mostly_not_seen() -> None:
    assert {month_of([cell(n)], "2026-11", None)["cases"] for n in (98, 99, 100, 101, 102)} == {100}


def test_a_month_says_deadlines_traced_repeats_and_outcomes_beside_the_study() -> None:
    cells = [
        cell(60, met=110, late=10, response="section_47", outcome="section_47", repeat=True),
        cell(30, met=30, late=0, outcome="letter", traced=False),
        cell(10, outcome="rejected", repeat=None, traced=None),
        cell(40, month="2026-10"),
        cell(500, area="southmere"),
    ]
    november = month_of(cells, "2026-11", "northbury")
    assert november["cases"] == 100
    figures = november["figures"]
    assert (figures["deadlines_met"]["part"], figures["deadlines_met"]["whole"]) == (150, 160)
    assert figures["traced"]["share"] == round(100 * 60 / 90), "unknown is in neither"
    assert figures["repeats"]["share"] == round(100 * 60 / 90)
    assert figures["nothing_or_letter"]["share"] == round(100 * 30 / 90), "of what was answered with a pathway"
    assert figures["assessed"]["share"] == round(100 * 60 / 90)
    assert figures["traced"]["study"]["share"] == round(100 * 196 / 251)
    assert {one["id"]: one["cases"] for one in november["responses"] if one["cases"]} == {
        "section_47": 60,
        "early_help": 40,
    }
    assert [one["cases"] for one in november["months"]][-2:] == [40, 100]
    assert november["months"][0]["month"] == "2025-12"


def test_the_studys_shares_are_those_of_its_tables() -> None:
    assert STUDY["nothing_or_letter"].share == round(100 * (43 + 42 + 68 + 0) / 184)
    assert STUDY["assessed"].share == round(100 * (6 + 9 + 3 + 10) / 184)
    assert STUDY["repeats"].share == round(100 * (39 + 16 + 3 + 21 + 2 + 2) / (52 + 39 + 16 + 3 + 1 + 45))


def test_the_file_says_what_the_page_says_and_keeps_small_numbers_back() -> None:
    rows = rows_of(month_of([cell(3), cell(20, month="2026-10")], "2026-11", "northbury"))
    assert ("2026-11", "northbury", "cases", "", "1 to 4") in rows
    assert ("2026-10", "northbury", "cases", "", "20") in rows
    assert not [row for row in rows if row[4] in ("1", "2", "3", "4")]


def branch(state: str, due: str | None, received: str | None = None, **other: Any) -> dict[str, Any]:
    return {"state": state, "service": "marac", "due": due, "received_at": received, **other}


def test_a_deadline_is_met_by_who_had_the_case_in_time_and_missed_by_who_had_it_late_or_not() -> None:
    due = "2026-11-21T02:00:00Z"
    deadlines = sum_up(
        [
            branch("received", due, "2026-11-21T01:00:00Z"),
            branch("received", due, "2026-11-21T03:00:00Z"),
            branch("waiting", due, breached=True),
            branch("waiting", due),
            branch("superseded", due),
            branch("received", None, "2026-11-21T01:00:00Z"),
        ]
    )
    assert (deadlines.met, deadlines.late) == (1, 2)


def test_an_outcome_is_what_childrens_services_said_last() -> None:
    css, other = {"service": "childrens_services"}, {"service": "idva"}
    assert outcome_of([]) is None
    assert outcome_of([{**css, "kind": "received"}]) is None
    assert outcome_of([{**css, "kind": "accepted"}]) == "accepted"
    decided = {**css, "kind": "decided", "pathway": "section_17"}
    assert outcome_of([{**css, "kind": "rejected"}, decided, {**other, "kind": "rejected"}]) == "section_17"
