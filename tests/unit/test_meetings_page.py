"""The worked examples of docs/meetings.md, each worked out again from the areas' own calendars."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from shared.areas import load_areas
from tests.unit.test_deadlines_page import read, written

PAGE = Path(__file__).parents[2] / "docs" / "meetings.md"
AREAS = load_areas().by_id


def examples() -> list[tuple[str, str, str, str]]:
    lines = PAGE.read_text(encoding="utf-8").split("## Worked examples")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [(row[0], row[1], row[2], row[3]) for row in rows[2:]]


def day_of(said: str) -> date:
    return datetime.strptime(said, "%a %d %b %Y").date()  # noqa: DTZ007 (a day)


@pytest.mark.parametrize(("area", "referred", "held_on", "closes"), examples())
def test_a_worked_example_comes_out_as_the_page_says(
    area: str, referred: str, held_on: str, closes: str
) -> None:
    moment, day = read(referred), day_of(held_on)
    assert written(moment) == referred
    assert AREAS[area].meeting_for(moment) == day
    assert written(AREAS[area].list_closes(day)) == closes


def test_one_of_the_examples_is_a_meeting_that_falls_on_a_bank_holiday() -> None:
    cycle = AREAS["northbury"].rules.marac
    moved = [day_of(row[2]) for row in examples() if row[0] == "northbury"]
    assert any(f"{day:%A}".lower() != cycle.weekday for day in moved)
