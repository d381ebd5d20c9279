"""Canonical JSON: the fast way gives the bytes of RFC 8785, or gives way to it."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.canonical import canonical_bytes, digest

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(JSON)
def test_the_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"\U0001f600": 1, "￿": 2},  # UTF-16 and code point order differ
        {"a": 1e21, "b": 1.0, "c": -0.0, "d": 1e-7},
        [0.1, 5, "1.5", 'quoted: "1.5', "line\nbreak\u0007"],
        1.0,
        "plain",
    ],
)
def test_where_the_two_could_differ_the_standard_decides(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{"n": 2**60}, {1: 2}, {"x": object()}, {"n": 10**40}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each says it in its own words)
        canonical_bytes(value)


def test_a_digest_names_its_kind_and_passes_over_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
