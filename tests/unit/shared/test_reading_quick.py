"""The short way through the reading gives what the long way gives, or nothing: held on anything at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.json_text import parse
from shared.contracts.reading import read_incident
from shared.contracts.reading.quick import read_quickly
from shared.contracts.reading.tidiness import MOST_ENTRIES
from tests.builders import an_incident
from tests.unit.simulate.sample import month

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MANY = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])


def answers(raw: bytes) -> bool:
    """Whether the short way answers; if so, it is held to the long way's answer."""
    quick = read_quickly(raw, now=NOW)
    if quick is None:
        return False
    parsed = parse(raw)
    reading = read_incident(parsed.value, now=NOW)
    assert parsed.faults == []
    assert reading.faults == []
    assert quick.gaps == reading.gaps
    revision = reading.incident.revision
    if revision is not None:
        assert orjson.loads(quick.as_bytes(revision)) == orjson.loads(reading.incident.as_bytes())
    numbered = reading.incident.model_copy(update={"revision": 7})
    assert orjson.loads(quick.as_bytes(7)) == orjson.loads(numbered.as_bytes())
    assert quick.incident.occurred_at == reading.incident.occurred_at
    return True


def text(**changes: Any) -> bytes:
    return orjson.dumps(an_incident(**changes))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document but the whole."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in entries:
        yield (*at, step)
        yield from places(inner, (*at, step))


FULL = an_incident(
    protective=["trusted_adult"],
    incident={
        **an_incident()["incident"],
        "weapons": [{"kind": "knife", "use": "shown", "by": "a2"}],
        "injuries": [{"to": "a1", "severity": "minor", "treated": False}],
        "threats": ["kill"],
    },
)
PLACES = list(places(FULL))

ODD_TEXTS = [
    "", " ", "null", "true", "not recorded", "unknown", "n/k", "Yes", "a:null", '":', '"a":null', "\\", '\\":',
    "\t\n", "\x7f", "\x85", "\u2028", "\ufffd", "\U0001f600", "é", "\x00", "\x1f", "\ud800", "schema",
    "Ex-Partner", "ex partner", "FEMALE", "02/03/2026", "2026-03-02", "2026-03-02T00:00:00Z", "2026-02-30",
    "9999-12-31", "0001-01-01", "2026-11-20T22:40:00Z", "2026-11-20t22:40:00z", "2026-11-20 22:40:00Z",
    "2026-11-20T22:40:00+00:00", "2026-11-20T22:40:00-00:00", "2026-11-20T22:40:00+01:00", "2026-11-20T22:40",
    "2026-11-20T22:40:00", "2026-11-20T22:40:00.5Z", "2026-11-20T22:40:00.9999999Z", "2026-11-20",
    "2026-11-20T22:40:00.0000001Z", "2026-11-20T22:40:00+0000", "2026-11-20T22:40:00,5Z",
    "2031-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "a1", "a2", "c1", "ex_partner", "parent", "male", "knife",
]  # fmt: skip
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(0, 120)
    | st.sampled_from([0.0, -0.0, 1.0, 9.0, 9.5, 1e300, 1e22])
    | st.sampled_from(ODD_TEXTS)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "from", "to", "ext", "x_y", "born", "faults"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def changed(document: Any, at: tuple[Any, ...], said: Any) -> Any:
    document = deepcopy(document)
    inner = document
    for step in at[:-1]:
        if not isinstance(inner, dict | list):
            return document
        try:
            inner = inner[step]
        except (KeyError, IndexError, TypeError):  # an earlier change put something else there
            return document
    if said is ...:
        if isinstance(inner, dict):
            inner.pop(at[-1], None)
    elif isinstance(inner, dict) or (
        isinstance(inner, list) and isinstance(at[-1], int) and at[-1] < len(inner)
    ):
        inner[at[-1]] = said
    return document


def as_text(document: Any, *, escaped: bool) -> bytes:
    """JSON with everything in it that JSON can hold, and lone surrogates as escapes."""
    if escaped:
        return json.dumps(document).encode()
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@MANY
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING | st.just(...)), max_size=4),
    escaped=st.booleans(),
)
def test_whatever_stands_in_any_place_both_ways_give_the_same(
    changes: list[tuple[tuple[Any, ...], Any]], escaped: bool
) -> None:
    document = FULL
    for at, said in changes:
        document = changed(document, at, said)
    answers(as_text(document, escaped=escaped))


@pytest.mark.parametrize("said", [..., None])
def test_whatever_one_thing_is_not_known_most_go_the_short_way(said: Any) -> None:
    """So the examples here are no empty ones."""
    some = [at for at in PLACES if not isinstance(at[-1], int)]
    assert sum(answers(orjson.dumps(changed(FULL, at, said))) for at in some) >= 0.8 * len(some)


@pytest.mark.parametrize("said", ODD_TEXTS)
def test_odd_texts_in_every_place_are_read_as_the_long_way_reads_them(said: str) -> None:
    for at in PLACES:
        answers(as_text(changed(FULL, at, said), escaped=True))


WHOLE = orjson.dumps(FULL)
SNIPPETS = [
    b"null", b"true", b'"', b'":', b":", b" :", b"\n", b" ", b",", b"{}", b"[]", b"\\", b"\\u0022", b"\\u0061",
    b"\\n", b"\\/", b"1.0", b"1e1", b"-0", b"01", b"NaN", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00",
    b'"attended":null,', b'"attended":true,', b'"attended":false,', b'"test":true,', b'"schema":"x",',
    b'"schema":"waymark.incident/1",', b'"revision":2,', b'"caller":"victim",', b'"caller" :"victim",',
    b'"caller":\n"victim",', b'"\\u0061ttended":null,', b'"area":"schema",', b'"children":null,',
]  # fmt: skip


@MANY
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from(SNIPPETS)),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_is_wrong_with_the_text_both_ways_give_the_same(edits: list[tuple[int, int, bytes]]) -> None:
    raw = WHOLE
    for start, length, snippet in edits:
        raw = raw[:start] + snippet + raw[start + length :]
    answers(raw)


NAMES = [WHOLE[: i + 1].rfind(b'"', 0, i) for i in range(len(WHOLE)) if WHOLE[i : i + 2] == b'":']


@MANY
@given(
    at=st.sampled_from(NAMES),
    name=st.sampled_from(NAMES),
    said=st.sampled_from([b"null", b"true", b"[]", b'"a1"']),
)
def test_a_name_written_twice_in_any_object_is_read_as_the_long_way_reads_it(
    at: int, name: int, said: bytes
) -> None:
    """Put before another name, in its object: often it is one that stands there already."""
    word = WHOLE[name : WHOLE.index(b":", name)]
    answers(WHOLE[:at] + word + b":" + said + b"," + WHOLE[at:])


def test_a_name_written_twice_is_left_to_the_long_way_whatever_else_balances_the_count() -> None:
    body = text(schema=...)[1:]
    assert answers(b"{" + body)
    for twice in (
        b'"attended":null,',
        b'"attended":false,',
        b'"caller":null,"caller":null,',
        b'"protective":null,"protective":["trusted_adult"],',
    ):
        assert not answers(b"{" + twice + body)
    # A text that looks like the name of the schema makes up for one name in a count of names.
    assert not answers(b'{"attended":false,' + text(schema=..., area="schema")[1:])
    assert not answers(b'{"attended":false,' + text(schema=..., caller=..., summary="x null")[1:])
    # So does a quotation mark before a colon that is written as an escape.
    for colon in (rb"\u003a", rb"\u003A"):
        body = text(schema=..., summary="MARK")[1:].replace(b"MARK", rb"\"" + colon)
        assert not answers(b'{"attended":false,' + body)
        assert not answers(b'{"attended":false,"withdrawn":null,' + body)


@pytest.mark.parametrize(
    "odd",
    [
        "2026-11-20T22:40:00z", "2026-11-20T22:40:00.9999999Z", "2026-11-20T22:40:00.5Z", "2026-11-20T22:40:00",
        "2026-11-20T23:40:00+01:00", "2026-11-20T22:40", "2026-11-20",
    ],
)  # fmt: skip
def test_a_moment_written_another_way_is_left_to_the_long_way(odd: str) -> None:
    for name in ("occurred_at", "reported_at"):
        assert not answers(text(**{name: odd}))


def test_a_moment_with_an_offset_of_nothing_is_read_the_short_way() -> None:
    assert answers(text(occurred_at="2026-11-20T22:40:00+00:00"))


def test_a_whole_incident_goes_the_short_way() -> None:
    assert answers(WHOLE)
    assert answers(json.dumps(FULL, indent=2).encode())


def test_nulls_and_the_word_in_a_text_do_not_hinder() -> None:
    assert answers(text(attended=None, summary="The officer wrote null: nothing was seen."))
    assert answers(text(attended=None, caller=None, protective=None, consent=None))
    assert answers(text(summary='He said "no" and left.'))


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_bytes_that_are_no_utf_8_are_left_to_the_long_way(bad: bytes) -> None:
    assert not answers(text(summary="REPLACED").replace(b"REPLACED", bad))
    assert not answers(text(area="REPLACED").replace(b"REPLACED", bad))


@pytest.mark.parametrize("number", ["9.0", "9e0", "-0.0", "1" + "0" * 30, "1" * 5000])
def test_numbers_written_oddly_are_read_as_the_long_way_reads_them(number: str) -> None:
    answers(text(risk={"level": "medium", "yes_answers": 4711}).replace(b"4711", number.encode()))
    answers(text(revision=4711).replace(b"4711", number.encode()))


@pytest.mark.parametrize("entries", [MOST_ENTRIES, MOST_ENTRIES + 1])
def test_a_list_that_nobody_can_mean_is_left_to_the_long_way(entries: int) -> None:
    adults = an_incident()["adults"]
    adults[0]["disabilities"] = [""] * entries
    assert not answers(text(adults=adults))
    assert not answers(text(protective=["trusted_adult"] * entries))


def test_a_long_narrative_is_read_as_the_long_way_reads_it() -> None:
    answers(text(summary="He kicked the door. " * 20_000))


def test_at_least_nine_in_ten_of_a_simulated_month_go_the_short_way() -> None:
    lines = [orjson.dumps(incident) for incident in month().incidents[:2000]]
    assert sum(answers(line) for line in lines) >= 0.9 * len(lines)
