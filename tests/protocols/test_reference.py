"""The reference pages say what the code and the files say, and no rule is without a case both ways."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.triage.protocols import LIBRARY, load_library
from services.triage.protocols.reference import Uncovered, coverage_page, facts_page, sections

DOCS = LIBRARY.parents[2] / "docs" / "protocols"
LIBRARY_READ = load_library()


def test_the_page_of_facts_is_the_vocabulary() -> None:
    page = (DOCS / "facts.md").read_text(encoding="utf-8")
    assert page == facts_page(LIBRARY_READ), "run: waymark protocols facts -o docs/protocols/facts.md"


def test_the_page_of_coverage_is_the_files_and_their_cases() -> None:
    page = (DOCS / "coverage.md").read_text(encoding="utf-8")
    assert page == coverage_page(LIBRARY_READ), "run: waymark protocols coverage -o docs/protocols/coverage.md"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("reasons: [joint-visit]", "cornwall/1#joint-visit has no case in which it fires"),
        ("not_reasons: [high-risk]", "cornwall/1#high-risk has no case in which it does not fire"),
    ],
)
def test_a_rule_without_a_case_both_ways_fails(line: str, fault: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(LIBRARY, tmp_path / "protocols"))
    path = folder / "cornwall.v1.cases.yaml"
    kept = path.read_text(encoding="utf-8").replace(line, line.split(":")[0] + ": []")
    path.write_text(kept.replace("joint-visit, high-risk", "joint-visit"), encoding="utf-8")
    with pytest.raises(Uncovered, match=fault):
        coverage_page(LIBRARY_READ, folder)


def test_a_source_is_told_apart_by_document_and_section() -> None:
    assert list(sections("NSPCC 2009 s9.5, box 10; London 2008 app. 6; Victims and Prisoners Act 2024")) == [
        ("NSPCC 2009", "s9.5"),
        ("NSPCC 2009", "box 10"),
        ("London 2008", "app. 6"),
        ("Victims and Prisoners Act 2024", "whole"),
    ]
