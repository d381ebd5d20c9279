"""How a JSON text is read: as everybody reads it where it is sound, and every fault of the text named."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.json_text import parse
from services.intake.submissions import Door, Submission, read_plain, read_sent, read_submission
from shared.errors import Refused
from shared.keys import Caller
from shared.web import MAX_DEPTH
from tests.builders import an_incident

POLICE = Caller(key="k1", role="police", force="northshire")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
REFUSALS = {400, 403, 413, 422}

whole_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | whole_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(whole_text, inner, max_size=4),
    max_leaves=20,
)
surroundings = st.sampled_from([{"indent": 3}, {"separators": (" ,", " : ")}, {"ensure_ascii": False}, {}])


def refusal(text: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(text)
    return caught.value


def the_same(one: Any, other: Any) -> bool:
    """Equal in value and in kind: 1, 1.0 and true are three things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(the_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(the_same, one, other))
    return type(one) is type(other) and one == other


@given(values, surroundings)
def test_what_is_sound_is_read_as_the_standard_library_reads_it(value: Any, written: dict[str, Any]) -> None:
    text = json.dumps(value, **written)
    parsed = parse(text.encode())
    assert the_same(parsed.value, json.loads(text))
    assert parsed.faults == []


@given(values)
def test_a_byte_order_mark_changes_nothing(value: Any) -> None:
    text = json.dumps(value).encode()
    assert parse(b"\xef\xbb\xbf" + text) == parse(text)


def pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def inside(value: Any, path: list[str | int]) -> Any:
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [None] * step + [value]
    return value


paths = st.lists(whole_text | st.integers(0, 3), max_size=4)


@given(paths, whole_text, values, values, st.booleans())
def test_every_name_that_stands_twice_with_different_values_is_named_at_its_place(
    path: list[str | int], name: str, one: Any, other: Any, gap: bool
) -> None:
    colon = " :" if gap else ":"
    twice = f"{{{json.dumps(name)}{colon}{json.dumps(one)},{json.dumps(name)}{colon}{json.dumps(other)}}}"
    text = json.dumps(inside("HERE", path)).replace('"HERE"', twice, 1) if path else twice
    if "HERE" in str(path):
        return
    parsed = parse(text.encode())
    if one == other and the_same(one, other):
        assert parsed.faults == []
        assert the_same(parsed.value, inside({name: one}, path))
    else:
        assert the_same(parsed.value, inside({name: None}, path))
        assert [fault.at for fault in parsed.faults] == [pointer([*path, name])]
        assert the_same(parsed.faults[0].said, [one, other])


@pytest.mark.parametrize(("one", "other"), [("1", "true"), ("[1]", "[true]"), ('{"a": 0}', '{"a": false}')])
def test_to_say_a_number_and_to_say_yes_are_two_things(one: str, other: str) -> None:
    assert [fault.at for fault in parse(f'{{"n": {one}, "n": {other}}}'.encode()).faults] == ["/n"]


def test_names_that_differ_only_in_half_a_character_stay_two() -> None:
    assert parse(b'{"a\\ud800": 1, "a\\udc00": 2}').value == {"a\ufffd": 1, "a\ufffd\ufffd": 2}


def test_several_names_twice_are_each_named() -> None:
    parsed = parse(b'{"a": 1, "b": {"c": 1, "c": 2, "c": 1}, "a": true, "d": [{"e/f": 0, "e/f": null}]}')
    assert parsed.value == {"a": None, "b": {"c": None}, "d": [{"e/f": None}]}
    assert [(fault.at, fault.said) for fault in parsed.faults] == [
        ("/a", [1, True]),
        ("/b/c", [1, 2, 1]),
        ("/d/0/e~1f", [0, None]),
    ]


@pytest.mark.parametrize("needed", ["force", "reference", "occurred_at"])
@pytest.mark.parametrize("broken", ['"a", "{}": "b"', '"a\\ud800"'], ids=["twice", "half a character"])
def test_what_a_case_is_known_by_is_said_once_and_whole(needed: str, broken: str) -> None:
    said = f'{{"{needed}": {broken.replace("{}", needed)}}}'
    event = f'{{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {said}}}'
    doors: list[tuple[Door, str]] = [("json", said), ("cloudevent", event)]
    for door, text in doors:
        with pytest.raises(Refused) as caught:
            read_sent(text.encode(), door)
        assert (caught.value.status, caught.value.extra["at"]) == (422, f"/{needed}")
    inner = read_sent(f'{{"children": [{said}]}}'.encode(), "json")
    assert [fault.at for fault in inner.faults] == [f"/children/0/{needed}"]


def test_what_is_no_utf_8_is_told_where() -> None:
    refused = refusal(b'{"summary":\n "caf\xe9", "caller": "child"}')
    assert (refused.status, refused.extra) == (400, {"line": 2, "column": 6})
    assert "UTF-8" in refused.title


@given(whole_text, st.sampled_from(["\\ud800", "\\uDFFF", "\\ude00\\ud83d"]), whole_text)
def test_half_a_character_pair_is_read_with_a_sign_and_named(before: str, half: str, after: str) -> None:
    text = f'{{"a": [{json.dumps(before)[:-1]}{half}{json.dumps(after)[1:]}]}}'
    parsed = parse(text.encode())
    signs = "\ufffd" * (len(half) // 6)
    assert parsed.value == {"a": [f"{before}{signs}{after}"]}
    assert [fault.at for fault in parsed.faults] == ["/a/0"]
    orjson.dumps(parsed.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"nul",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": "\xff"}',
        b'{"a": "\x00"}',
        b'{"a": 1} {"b": 2}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_refused_without_a_word_of_it(text: bytes) -> None:
    refused = refusal(text)
    assert refused.status == 400
    assert refused.title in ("Not JSON", "Not UTF-8")


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 5000, b"0.1e999999999"])
@pytest.mark.parametrize("besides", [b"", b', "b": "\\ud800"', b', "c": 1, "c": 2'])
def test_a_number_larger_than_any_is_named_and_loses_nothing(number: bytes, besides: bytes) -> None:
    parsed = parse(b'{"a": [' + number + b"]" + besides + b', "z": 7}')
    assert (parsed.value["a"], parsed.value["z"]) == ([None], 7)
    (named,) = (fault for fault in parsed.faults if fault.at == "/a/0")
    assert number.decode().startswith(named.said)
    assert "treated as unknown" in named.because


@pytest.mark.parametrize("twice", [b"", b'"b": 1, "b": 2, '])
def test_nesting_has_its_limit_whichever_way_it_is_read(twice: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b"{" + twice + b'"a": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert parse(nested(MAX_DEPTH)).value["a"] is not None
    for levels in (MAX_DEPTH + 1, 100_000):
        assert refusal(nested(levels)).status == 413


def test_of_very_many_faults_of_a_text_fifty_are_named() -> None:
    text = "{" + ", ".join(f'"n{i}": 1, "n{i}": 2' for i in range(1000)) + "}"
    parsed = parse(text.encode())
    assert len(parsed.faults) == 50
    assert set(parsed.value.values()) == {None}


@pytest.mark.parametrize("digits", [18, 19, 20, 21, 300])
def test_numbers_of_many_digits_are_numbers(digits: int) -> None:
    value = parse(b'{"a": ' + b"8" * digits + b', "b": 1, "b": 2}').value["a"]
    assert math.isclose(value, int("8" * digits), rel_tol=1e-15)


# Anything at all, through the reading of every door


def read_by(door: Door, raw: bytes) -> Submission:
    if door in ("json", "batch"):
        return read_plain(raw, door, caller=POLICE, arrived=NOW, trace=None)
    return read_submission(read_sent(raw, door), caller=POLICE, arrived=NOW, trace=None)


def outcome(door: Door, raw: bytes) -> Submission | Refused:
    try:
        return read_by(door, raw)
    except Refused as refused:
        return refused


def assert_taken_or_refused(door: Door, raw: bytes) -> None:
    """Taken with the bytes as sent, or refused for a reason that is kept; nothing else can happen."""
    said = outcome(door, raw)
    if isinstance(said, Refused):
        assert said.status in REFUSALS
        return
    assert said.raw == raw
    assert orjson.loads(said.written(1))["reference"] == said.incident.reference
    orjson.dumps([fault.as_json() for fault in said.faults_told] + [gap.as_json() for gap in said.gaps_told])


doors = st.sampled_from(["json", "batch", "cloudevent", "north", "south"])


@settings(max_examples=300)
@given(doors, st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(door: Door, raw: bytes) -> None:
    assert_taken_or_refused(door, raw)


@settings(max_examples=300)
@given(doors, values)
def test_any_json_is_taken_or_refused(door: Door, value: Any) -> None:
    assert_taken_or_refused(door, json.dumps(value).encode())


needed_only = {"force": "northshire", "reference": "NS-1", "occurred_at": "2026-11-20T22:40:00Z"}
names = st.sampled_from(sorted(an_incident()))


@settings(max_examples=300)
@given(st.dictionaries(names | whole_text, values, max_size=8))
def test_an_incident_with_anything_in_its_fields_is_taken(fields: dict[str, Any]) -> None:
    raw = json.dumps({**fields, **needed_only}).encode()
    assert read_by("json", raw).raw == raw


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def holder(value: Any, place: tuple[str | int, ...]) -> Any:
    for step in place[:-1]:
        value = value[step]
    return value


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A good incident with up to three places deleted, doubled, given another kind of value, or swapped."""
    incident = an_incident()
    for _ in range(draw(st.integers(1, 3))):
        there = [place for place in places(incident) if place]
        place, other = draw(st.sampled_from(there)), draw(st.sampled_from(there))
        inside_of, last = holder(incident, place), place[-1]
        match draw(st.sampled_from(["delete", "double", "retype", "swap"])):
            case "delete":
                del inside_of[last]
            case "double":
                inside_of[last] = [inside_of[last], inside_of[last]]
            case "retype":
                inside_of[last] = draw(values)
            case _ if place[: len(other)] != other and other[: len(place)] != place:
                also = holder(incident, other)
                inside_of[last], also[other[-1]] = also[other[-1]], inside_of[last]
        if not incident:
            break
    return incident


@settings(max_examples=400)
@given(mutated())
def test_a_spoilt_incident_is_refused_only_for_what_every_incident_needs(incident: dict[str, Any]) -> None:
    raw = json.dumps(incident).encode()
    said = outcome("json", raw)
    if isinstance(said, Submission):
        assert said.raw == raw
    else:
        assert said.status == 403 or said.extra["at"] in ("/force", "/reference", "/occurred_at")
