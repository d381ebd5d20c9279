"""The same cases under several protocols: what is counted, who moves, who would be missed, and the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner

from services.triage.protocols import Library, load_library, read_protocol
from shared.areas import load_areas
from shared.contracts.reading import read_incident
from tests.protocols.test_files import HEAD, rule
from tests.unit.triage.builders import child, raw
from waymark.compare import compare, decide_all, gather_cases
from waymark.compare.page import write_page
from waymark.main import app
from waymark.simulate import load_profile, simulate

LIBRARY = load_library()
BARE = read_protocol((HEAD.replace("title: A", "title: <b>A</b>") + rule("handling: [restricted]")).encode())
LONDON = LIBRARY.protocols["london-dvrim/1"]


@cache
def month() -> dict[str, Any]:
    made = simulate(load_profile("nspcc-2009"), 60, 2007)
    cases = gather_cases(read_incident(one).incident for one in made.incidents)
    chosen = [BARE, LONDON]
    library = Library({one.ref: one for one in chosen}, LIBRARY.safeguards)
    return compare(chosen, decide_all(chosen, cases, library, load_areas()), cases)


def figures(of: str) -> dict[str, Any]:
    return next(one for one in month()["protocols"] if one["protocol"] == of)


def test_every_case_is_counted_once_under_every_protocol() -> None:
    for one in month()["protocols"]:
        assert sum(one["css_response"].values()) == 60
        assert sum(sum(found.values()) for found in one["by_site"].values()) == 60
        moves = one["moves"]
        assert moves["up"] + moves["down"] + moves["same"] == 60


def test_no_case_that_must_be_escalated_is_missed_whatever_the_protocol_leaves_out() -> None:
    bare, london = figures("trial/1")["must_escalate"], figures("london-dvrim/1")["must_escalate"]
    assert bare["of"] == london["of"] > 0
    assert bare["missed_by_itself"] == bare["of"]
    assert bare["missed"] == london["missed"] == 0


def test_moves_name_the_rules_that_made_them() -> None:
    assert figures("trial/1")["moves"]["why"] == []
    moves = figures("london-dvrim/1")["moves"]
    # In the trial protocol one step (S6) leads from the baseline to section 17, which London calls scale 2.
    assert moves["up"] > moves["down"]
    whose = {"up": "london-dvrim/1#", "down": "trial/1#"}
    assert all(why["rule"].startswith(whose[why["moves"]]) for why in moves["why"])


def test_a_familys_earlier_incident_in_the_file_is_its_history_and_may_change_the_result() -> None:
    people = {
        f"adults__{n}__name": {"given": given, "family": family}
        for n, (given, family) in enumerate((("Sian", "Hughes"), ("Mark", "Doyle")))
    }
    grown = [child("c1", born="2012-05-01", presence="not_on_premises")]
    told = [
        raw(**people, children=grown, reference=f"NS-{n}", recorded_at=f"2026-11-{15 + n}T10:00:00Z",
            occurred_at=f"2026-11-{14 + n}T20:00:00Z", incident__violence=["push"])
        for n in range(3)
    ]  # fmt: skip
    cases = gather_cases(read_incident(one).incident for one in reversed(told))
    assert [len(one.history.incidents or ()) for one in cases] == [0, 1, 2]
    library = Library({LONDON.ref: LONDON}, LIBRARY.safeguards)
    decided = decide_all([LONDON], cases, library, load_areas())
    (found,) = compare([LONDON], decided, cases)["protocols"]
    assert found["repeats"] == {"of": 2, "caught": 2}


def test_the_page_is_whole_by_itself_and_says_in_words_what_its_pictures_show() -> None:
    page = write_page(month())
    assert not re.search(r"(?:src|href)=|url\(|@import|<script", page)
    for picture in re.findall(r"<svg.*?</svg>", page, re.S):
        drawn = ET.fromstring(picture)  # noqa: S314 (our own)
        assert drawn.get("role") == "img"
        assert drawn.findtext("title")
        assert drawn.findtext("desc")
    assert page.count("<svg") == 3
    assert "153 of 184" in page
    assert "<b>A</b>" not in page


def test_the_command_prints_one_document_and_writes_the_page(tmp_path: Path) -> None:
    file = tmp_path / "month.jsonl"
    made = simulate(load_profile("nspcc-2009"), 12, 7)
    file.write_bytes(b"\n".join(orjson.dumps(one) for one in made.incidents))
    page = tmp_path / "out" / "page.html"
    arguments = [
        "compare",
        "--protocols",
        "london-dvrim",
        "--incidents",
        str(file),
        "--json",
        "--html",
        str(page),
    ]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0
    assert orjson.loads(found.stdout)["incidents"] == 12
    assert page.read_text().startswith("<!doctype html>")


def test_a_protocol_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(orjson.dumps(raw()))
    found = CliRunner().invoke(app, ["compare", "--protocols", "nowhere", "--incidents", str(file)])
    assert found.exit_code == 2
    assert "london-dvrim/1" in found.stderr
