"""The worked examples of docs/deadlines.md, each worked out again from the areas' own calendars."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.areas import load_areas

PAGE = Path(__file__).parents[2] / "docs" / "deadlines.md"
LOCAL = ZoneInfo("Europe/London")
AREAS = load_areas().by_id


def examples() -> list[tuple[str, str, str, str]]:
    lines = PAGE.read_text(encoding="utf-8").split("## Worked examples")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [(row[0], row[1], row[2], row[3]) for row in rows[2:]]


def read(moment: str) -> datetime:
    return datetime.strptime(moment, "%a %d %b %Y %H:%M").replace(tzinfo=LOCAL)


def written(moment: datetime) -> str:
    local = moment.astimezone(LOCAL)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}"


@pytest.mark.parametrize(("area", "term", "counts_from", "due"), examples())
def test_a_worked_example_comes_out_as_the_page_says(area: str, term: str, counts_from: str, due: str) -> None:
    begins = read(counts_from)
    assert written(begins) == counts_from
    assert written(AREAS[area].deadline(term, begins)) == due


def test_the_examples_take_in_a_bank_holiday_a_change_of_clocks_and_a_half_term() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert len(examples()) >= 20
    for word in ("bank holiday", "clocks go forward", "clocks go back", "half term"):
        assert word in told
