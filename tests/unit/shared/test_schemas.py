"""The published schemas and the door say the same: neither takes what the other refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from shared.contracts.reading import read_incident
from shared.contracts.schemas import door_schema, good_sender_schema
from shared.errors import Refused
from waymark.simulate import load_profile, simulate

SAMPLE = json.loads(
    (Path(__file__).resolve().parents[2] / "contracts" / "samples" / "v1" / "incident.json").read_text()
)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    # In ECMA-262, whose expressions these are, $ is the very end; in Python it is also before a last newline.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("does not match")


Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@cache
def door() -> Any:
    return Validator(door_schema())


@cache
def good() -> Any:
    return Validator(good_sender_schema())


def taken(said: Any) -> bool:
    try:
        read_incident(said)
    except Refused as refused:
        return refused.status != 422
    return True


def test_both_are_json_schemas_and_have_a_relative_name() -> None:
    for schema in (door_schema(), good_sender_schema()):
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"].endswith("2020-12/schema")
        assert "/" not in schema["$id"]
        assert json.loads(json.dumps(schema)) == schema
    assert door_schema()["$id"] != good_sender_schema()["$id"]


def test_a_copy_may_be_changed_without_changing_the_next() -> None:
    door_schema()["properties"].clear()
    assert door_schema()["properties"]


@pytest.mark.parametrize("schema", [door_schema(), good_sender_schema()], ids=["door", "good sender"])
def test_every_property_is_described(schema: dict[str, Any]) -> None:
    levels = {"": schema, **schema["$defs"]}
    bare = [
        f"{level}/{name}"
        for level, one in levels.items()
        for name, field in one.get("properties", {}).items()
        if len(field.get("description", "")) < 10
    ]
    assert bare == []
    assert len(levels) >= 14


def test_the_contract_by_example_is_good_and_is_the_examples() -> None:
    for validator in (door(), good()):
        assert list(validator.iter_errors(SAMPLE)) == []
        assert validator.schema["examples"] == [SAMPLE]


def test_every_clean_simulated_incident_is_good_and_an_unclean_one_is_not() -> None:
    month = simulate(load_profile(), 300, seed=2007)
    seen = {True: 0, False: 0}
    for one, true in zip(month.incidents, month.truth, strict=True):
        visible = [fault for fault in true["faults"] if fault["fault"] in ("unreadable_date", "unknown_word")]
        if visible or not true["faults"]:
            seen[bool(visible)] += 1
            assert good().is_valid(one) == (not visible), true["case"]
        assert door().is_valid(one)
    assert min(seen.values()) > 5


@pytest.mark.parametrize(
    ("place", "name"),
    [((), "ocurred"), (("children", 0), "dob"), (("adults", 0, "name"), "surname"), (("incident",), "weapon")],
)
def test_a_misspelt_name_is_seen_by_the_good_senders_schema_at_every_level(
    place: tuple[str | int, ...], name: str
) -> None:
    sent = deepcopy(SAMPLE)
    level = sent
    for step in place:
        level = level[step]
    level[name] = "x"
    assert not good().is_valid(sent)
    assert door().is_valid(sent)
    level[f"x_{name}"] = level.pop(name)
    level["ext"] = {"anything": ["at all"]}
    assert good().is_valid(sent)
    assert read_incident(sent).faults == []


def test_the_form_s_own_word_for_unknown_is_good() -> None:
    sent = deepcopy(SAMPLE)
    sent["children"][0]["presence"] = "not_recorded"
    assert good().is_valid(sent)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["parent", "a1", "c1", "unknown", "2026-02-30", "\x00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "born", "from", "to", "kind", "name", "presence", "violence", "x", "x_y"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
OTHERS = sorted(set(SAMPLE) - {"force", "reference", "occurred_at"})
FIELDS = st.dictionaries(st.sampled_from([*OTHERS, "faults", "unheard_of"]), JSON, max_size=6)
MOMENTS = st.from_regex(door_schema()["properties"]["occurred_at"]["pattern"], fullmatch=True)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    needed=st.fixed_dictionaries(
        {
            "force": st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True) | st.just("northshire"),
            "reference": st.text(min_size=1, max_size=130) | st.just("NS-1"),
            "occurred_at": MOMENTS | st.just("2026-11-20T22:40:00Z"),
        }
    ),
    others=FIELDS,
)
@example(needed={"force": "n", "reference": "1", "occurred_at": "0002-01-01T00:00+23:59"}, others={})
@example(needed={"force": "n", "reference": "1", "occurred_at": "9998-12-31 23:59:59,999-23:59"}, others={})
@example(needed={"force": "n", "reference": "1", "occurred_at": "2024-02-29"}, others={"revision": True})
def test_whatever_the_doors_schema_lets_through_is_taken(
    needed: dict[str, Any], others: dict[str, Any]
) -> None:
    sent = {**others, **needed}
    assert door().is_valid(sent) == taken(sent)


NEARLY: st.SearchStrategy[Any] = st.sampled_from(
    [
        "2026-02-30T10:00:00Z", "2023-02-29", "1900-02-29", "2000-02-29", "2026-13-01", "2026-11-20T24:00",
        "now", "2026-11-20T22:40:60Z", "2026-11-20T22:40+24:00", "0001-01-01T00:00Z", "9999-12-31",
        "20261120T2240Z", "2026-W47-5", "2026-11-20T22", " 2026-11-20T22:40 ", "2026-11-20T22:40z",
        "20/11/2026 22:40", "",
        "2026-11-20T22:40:00.123456789Z", "2026-11-20t22:40Z", "2026-11-20T22:40\n", "٢٠٢٦-11-20", 5, None, [],
    ]
)  # fmt: skip


@settings(max_examples=200)
@given(
    sent=st.dictionaries(
        st.sampled_from(["force", "reference", "occurred_at"]),
        NEARLY | JSON | st.datetimes().map(lambda moment: moment.isoformat()),
        max_size=3,
    )
    | JSON,
    rest=st.booleans(),
)
def test_whatever_the_door_refuses_fails_its_schema(sent: Any, rest: bool) -> None:
    if rest and isinstance(sent, dict):
        sent = {"force": "northshire", "reference": "NS-1", "occurred_at": "2026-11-20T22:40:00Z", **sent}
    assert door().is_valid(sent) == taken(sent)


def test_a_reference_of_broken_unicode_is_refused() -> None:
    assert not taken({"force": "n", "reference": "\ud800", "occurred_at": "2026-11-20"})
