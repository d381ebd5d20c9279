"""The page for suppliers names every rule, every gap and every word of the list, and none that is gone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from shared.contracts.reading import gaps
from shared.contracts.reading.narrative import WORDS
from shared.contracts.reading.rules import RULES
from waymark.simulate.naming import measure

PAGE = (Path(__file__).parents[3] / "docs" / "faults-and-gaps.md").read_text(encoding="utf-8")
_VALUE_IS = {"unknown": "unknown", "kept": "read as written", "aside": "left aside"}


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table behind a line that begins so."""
    table = re.search(r"^\|.*?(?=\n\n|\Z)", PAGE[PAGE.index(heading) :], re.S | re.M)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_every_rule_stands_there_with_what_becomes_of_the_value_and_its_source() -> None:
    assert rows_after("What can be read and cannot be true") == [
        [name.replace("_", " "), rule.why, _VALUE_IS[rule.treated], rule.source] for name, rule in RULES.items()
    ]


def test_every_reason_of_a_gap_stands_there() -> None:
    tree = ast.parse(Path(gaps.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "_gap"]
    reasons = {
        part.value
        for one in named
        for given in one.args[1:]
        if not isinstance(given, ast.JoinedStr)  # with a number in it
        for part in ast.walk(given)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    assert len(reasons) > 10
    assert [reason for reason in reasons if reason not in PAGE] == []


def test_every_word_of_the_list_stands_there_under_its_topic() -> None:
    listed = {about: set(words.split(", ")) for about, words in rows_after("## Words of the narrative")}
    assert set(listed) == set(WORDS.topics.values())
    told = {word: about for about, words in listed.items() for word in words}
    known = {word: WORDS.topics[topic] for word, topic in WORDS.topic_of.items()}
    assert told.items() <= known.items()
    assert {form for word in told for form in (word, f"{word}s", f"{word}es")} == set(known)
    assert all(word in PAGE for word in WORDS.negations)


def test_the_measured_table_has_every_kind() -> None:
    assert [row[:2] for row in rows_after("## How well it names")] == [
        [row.kind, row.what] for row in measure([], []).rows
    ]
