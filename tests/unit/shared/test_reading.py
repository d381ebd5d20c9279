"""What the door makes of what it is sent: nothing is guessed, nothing is lost, everything odd is named."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.incident import Incident
from shared.contracts.reading import NEEDED, Reading, read_incident
from shared.errors import Refused
from tests.builders import an_incident

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def sent(**changes: Any) -> dict[str, Any]:
    """The builders' incident, with changes by path: `children__0__born="x"`."""
    made: dict[str, Any] = an_incident()
    for path, value in changes.items():
        *steps, last = path.split("__")
        level: Any = made
        for step in steps:
            level = level[int(step)] if isinstance(level, list) else level.setdefault(step, {})
        level[int(last) if isinstance(level, list) else last] = value
    return made


def read(**changes: Any) -> Reading:
    return read_incident(sent(**changes), now=NOW)


def named(reading: Reading) -> set[str]:
    return {fault.at for fault in reading.faults}


def test_a_clean_incident_has_no_fault_and_is_not_changed_by_reading() -> None:
    raw = an_incident()
    before = deepcopy(raw)
    assert read_incident(raw, now=NOW).faults == []
    read_incident({**raw, "children": [{"id": None}, {"id": "c1", "x": "\x00"}]})
    assert raw == before


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("said", [None, "", 5, ["x"], {}, True, "\x00", "\ud800"])
def test_without_one_of_the_three_nothing_is_taken_and_the_place_is_named(field: str, said: Any) -> None:
    with pytest.raises(Refused) as refused:
        read(**{field: said})
    assert refused.value.status == 422
    assert refused.value.extra["at"] == f"/{field}"


@pytest.mark.parametrize("said", [None, [], "x", 5])
def test_what_is_no_object_is_refused(said: Any) -> None:
    with pytest.raises(Refused):
        read_incident(said)


@pytest.mark.parametrize(
    ("path", "said", "meant"),
    [
        ("relationships__0__kind", "Ex-Partner", "ex_partner"),
        ("relationships__0__kind", " PARENTS PARTNER ", "parents_partner"),
        ("children__0__presence", "Another room", "another_room"),
        ("adults__0__sex", "FEMALE", "female"),
        ("attended", "Y", True),
        ("attended", " no ", False),
        ("attended", 1, True),
        ("risk__yes_answers", "11", 11),
        ("children__0__school__urn", 100001, "100001"),
    ],
)
def test_what_is_certain_is_read_without_a_fault(path: str, said: Any, meant: Any) -> None:
    changes = {path: said, "risk__tool": "dash"}
    if path == "attended":
        changes["attended_at"] = None
    reading = read(**changes)
    assert reading.faults == []
    value: Any = reading.incident
    for step in path.split("__"):
        value = value[int(step)] if isinstance(value, list) else getattr(value, step)
    assert value == meant


@pytest.mark.parametrize("word", ["not_recorded", "Not recorded", "unknown", "n/k", "", "  "])
def test_a_word_for_unknown_is_unknown_and_no_fault(word: str) -> None:
    reading = read(children__0__presence=word, risk__level=word, adults__0__born=word, adults__0__pregnant=word)
    assert reading.faults == []
    assert reading.incident.children is not None
    assert reading.incident.children[0].presence is None
    assert {"/children/0/presence", "/risk/level", "/adults/0/born"} <= {gap.at for gap in reading.gaps}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("children__0__born", "31/02/2026"),
        ("children__0__presence", "upstairs landing"),
        ("attended", "perhaps"),
        ("attended", 2),
        ("risk__yes_answers", True),
        ("risk__yes_answers", 10**400),
        ("revision", True),
        ("revision", -1),
        ("summary", ["a", "list"]),
        ("children", 2),
        ("adults__0__name", "Sian Hughes"),
    ],
)
def test_what_cannot_be_read_is_named_kept_as_written_and_unknown(path: str, said: Any) -> None:
    reading = read(**{path: said})
    at = "/" + path.replace("__", "/")
    (fault,) = [fault for fault in reading.faults if fault.at == at]
    assert "treated as unknown" in fault.because
    if not isinstance(said, int) or said < 2**63:
        assert fault.said == said
    value: Any = reading.incident
    for step in path.split("__"):
        value = value[int(step)] if isinstance(value, list) else getattr(value, step)
    assert value is None


def test_pointers_are_those_of_the_submission_after_entries_were_taken_out() -> None:
    """An entry that cannot be read must not make its neighbours' faults point at somebody else."""
    raw = an_incident()
    raw["children"] = [
        "?",
        {"id": None},
        {"id": "c9", "born": "1880-01-01"},
        {"id": "c10", "born": "2000-01-01"},
    ]
    raw["relationships"] = [5, {"from": "a1", "to": "nobody"}, {"from": "a1", "to": "a1", "kind": "sibling"}]
    raw["adults"][0]["phones"] = [7, {"number": "07700 900123"}]
    raw["incident"]["injuries"] = ["?", {"to": "nobody", "severity": "minor", "treated": False}]
    reading = read_incident(raw, now=NOW)
    assert named(reading) == {
        "/children/0", "/children/1", "/children/2/born", "/children/3/born", "/relationships/0",
        "/relationships/1", "/relationships/2", "/adults/0/phones/0", "/incident/injuries/0",
        "/incident/injuries/1/to",
    }  # fmt: skip
    at = {gap.at for gap in reading.gaps}
    assert {"/children/2/presence", "/adults/0/phones/1/safe"} <= at
    assert "/children/0/presence" not in at


def test_a_misspelt_name_is_named_as_not_read_at_every_level() -> None:
    reading = read(
        ocurred_on="x", children__0__dob="2017-05-16", adults__0__name__surname="Hughes", x_own=1, ext={}
    )
    assert named(reading) == {"/ocurred_on", "/children/0/dob", "/adults/0/name/surname"}
    assert all("not read" in fault.because for fault in reading.faults)


def test_fifty_misspelt_names_are_listed_and_the_rest_counted() -> None:
    reading = read_incident({**an_incident(), **{f"field{i}": i for i in range(500)}})
    assert len(reading.faults) == 51
    assert [fault.said for fault in reading.faults if fault.at == ""] == [450]


def test_a_field_name_carries_no_sentence_into_a_pointer() -> None:
    (fault,) = read_incident({**an_incident(), "Owen said: \x00 he\nhit/her and more, " + "x" * 100: 1}).faults
    assert " " not in fault.at
    assert "\x00" not in fault.at
    assert len(fault.at) < 50


def test_another_schema_is_named_and_read_all_the_same() -> None:
    assert named(read(schema="someone.else/7")) == {"/schema"}


@pytest.mark.parametrize("bad", ["\x00", "\x07", "\x1b", "\ud800"])
def test_characters_that_nothing_can_store_are_replaced_and_named(bad: str) -> None:
    reading = read(summary=f"kicked{bad}the door", adults__0__name__given=f"Si{bad}an")
    assert named(reading) == {"/summary", "/adults/0/name/given"}
    assert reading.incident.summary == "kicked\ufffdthe door"
    reading.incident.as_bytes().decode()
    assert b"\\u0000" not in reading.incident.as_bytes()


def test_tab_line_feed_and_what_old_code_pages_leave_are_text() -> None:
    text = "one\ttwo\r\nO\x92Brien \\u0000 <b>=cmd|' /C'!A0"
    reading = read(summary=text)
    assert reading.faults == []
    assert reading.incident.summary == text


def test_what_a_fault_quotes_is_short_however_long_it_was() -> None:
    reading = read(caller="x" * 5_000_000, children=["y" * 1000] * 3, place={"kind": [[1]] * 900})
    assert max(len(fault.as_bytes()) for fault in reading.faults) < 1500


def test_ten_thousand_children_are_read_and_the_answer_stays_small() -> None:
    raw = an_incident()
    raw["children"] = [{"id": f"k{i % 5_000}", "born": "?" if i % 2 else None} for i in range(10_000)]
    raw["children"][7] = "?"
    raw["relationships"] = [{"from": "a1", "to": f"k{i}", "kind": "parent"} for i in range(10_000)]
    reading = read_incident(raw, now=NOW)
    assert len(reading.faults) == 201
    assert len(reading.gaps) == 201
    assert "more faults" in reading.faults[-1].because
    assert "more gaps" in reading.gaps[-1].because
    assert len(reading.incident.children or ()) == 9_999
    # Whoever decides must know that a list lost an entry, even where most faults are not listed.
    assert "/children/7" in named(reading)
    assert any(fault.at.startswith("/relationships/") for fault in reading.faults)


@pytest.mark.parametrize("entry", [1, {"id": "c1"}, ""])
@pytest.mark.parametrize("odd", [{}, {"caller": "passer-by"}])
def test_a_list_that_nobody_can_mean_is_unknown_and_not_none(entry: Any, odd: dict[str, Any]) -> None:
    reading = read_incident({**an_incident(), "children": [entry] * 20_001, "relationships": None, **odd})
    (fault,) = [fault for fault in reading.faults if fault.at == "/children"]
    assert fault.said == "a list of 20001"
    assert reading.incident.children is None
    assert "/children" in {gap.at for gap in reading.gaps}


def test_deep_nesting_raises_nothing() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert named(read(summary=deep, unheard_of=deep)) == {"/summary", "/unheard_of"}


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, here: str = "") -> list[str]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [f"{here}__{key}".removeprefix("__") for key, _ in entries]
    return below + [path for at in below for path in _paths(value[_step(value, at)], at)]


def _step(value: Any, path: str) -> Any:
    last = path.split("__")[-1]
    return int(last) if isinstance(value, list) else last


PATHS = [path for path in _paths(an_incident()) if path not in NEEDED]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), said=ANYTHING)
def test_nothing_in_one_place_loses_anything_in_another(path: str, said: Any) -> None:
    reading = read(**{path: said})
    again = Incident.model_validate_json(reading.incident.as_bytes())
    assert again.case == reading.incident.case
    top = path.split("__")[0]
    clean = read_incident(an_incident(), now=NOW).incident
    touched = {top, "incident", "relationships", "children", "adults", "faults"}
    for field in set(Incident.model_fields) - touched:
        assert getattr(reading.incident, field) == getattr(clean, field), field


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), said=ANYTHING)
def test_reading_twice_gives_the_same(path: str, said: Any) -> None:
    one, other = read(**{path: said}), read(**{path: said})
    assert one.incident.as_bytes() == other.incident.as_bytes()
    assert one.gaps == other.gaps
