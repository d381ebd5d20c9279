"""How many cases a person looks at on the study's simulated month, under every protocol there is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from services.triage.protocols import load_library
from shared.areas import load_areas
from shared.contracts.reading import read_incident
from waymark.compare import decide_all, gather_cases
from waymark.compare.shares import AT_MOST, Share, shares, shares_page
from waymark.simulate import load_profile, simulate

PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocols" / "looked-at.md"
LIBRARY = load_library()


@cache
def measured() -> list[Share]:
    made = simulate(load_profile("nspcc-2009"), 251, 2007)
    cases = gather_cases(read_incident(one).incident for one in made.incidents)
    protocols = list(LIBRARY.protocols.values())
    return shares(protocols, decide_all(protocols, cases, LIBRARY, load_areas()))


@pytest.mark.parametrize("protocol", sorted(LIBRARY.protocols))
def test_beyond_the_first_class_at_most_one_case_in_five_is_looked_at(protocol: str) -> None:
    one = next(one for one in measured() if one.protocol == protocol)
    assert one.screens_all or one.share <= AT_MOST
    assert not one.screens_all or one.top + one.beyond == one.cases
    assert one.must > 0
    assert one.must_outside == 0


def test_the_published_table_is_what_was_measured() -> None:
    page = shares_page(measured(), "251 incidents of month.jsonl")
    assert PAGE.read_text(encoding="utf-8") == page, (
        "run: waymark simulate --incidents 251 --seed 2007 --profile nspcc-2009 -o month.jsonl; "
        "waymark compare --incidents month.jsonl --shares docs/protocols/looked-at.md"
    )
