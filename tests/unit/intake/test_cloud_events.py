"""CloudEvents at the door: the four attributes that make one, and the incident in its data."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.cloud_events import check_binary, is_binary, read_structured
from shared.errors import Refused
from tests.builders import an_incident

NEEDED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/records/northshire",
    "type": "waymark.incident.v1",
}
whole_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | whole_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(whole_text, inner, max_size=3),
    max_leaves=8,
)


def an_event(**changes: Any) -> bytes:
    event = {**NEEDED, "data": an_incident(), **changes}
    return json.dumps({name: value for name, value in event.items() if value is not ...}).encode()


def refusal(body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read_structured(body)
    return caught.value


def test_the_incident_is_the_events_data() -> None:
    assert read_structured(an_event()).value == an_incident()


def test_data_in_base64_is_read_as_json() -> None:
    encoded = base64.b64encode(json.dumps(an_incident()).encode()).decode()
    assert read_structured(an_event(data=..., data_base64=encoded)).value == an_incident()


@given(
    st.dictionaries(
        whole_text.filter(lambda name: name not in NEEDED and not name.startswith("data"))
        | st.sampled_from(["time", "subject", "datacontenttype", "dataschema", "Case_Ref", ""]),
        values,
        max_size=5,
    )
)
def test_how_a_bus_writes_its_own_attributes_costs_no_incident(attributes: dict[str, Any]) -> None:
    parsed = read_structured(an_event(**attributes))
    assert (parsed.value, parsed.faults) == (an_incident(), [])


@pytest.mark.parametrize("attribute", NEEDED)
@pytest.mark.parametrize("value", [..., None, "", 5, [], {"a": 1}])
def test_what_is_no_event_is_refused_by_the_attributes_name(attribute: str, value: Any) -> None:
    refused = refusal(an_event(**{attribute: value}))
    assert (refused.status, refused.extra["attributes"]) == (400, [attribute])


def test_another_version_of_the_specification_is_refused() -> None:
    assert refusal(an_event(specversion="0.3")).extra["attributes"] == ["specversion"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"event"'])
def test_what_is_no_object_is_no_event(body: bytes) -> None:
    assert refusal(body).status == 422


@pytest.mark.parametrize("body", [b"", b"{", b'{"id": NaN}', b"\xff"])
def test_what_is_no_json_is_no_event(body: bytes) -> None:
    assert refusal(body).status == 400


@pytest.mark.parametrize("encoded", ["***", "e30", 5, [], {"a": 1}, "é"])
def test_data_that_is_no_base64_is_refused_at_its_place(encoded: Any) -> None:
    refused = refusal(an_event(data=..., data_base64=encoded))
    assert (refused.status, refused.extra["at"]) == (422, "/data_base64")


def test_faults_of_the_text_have_their_place_in_the_incident() -> None:
    twice = b'{"reference": "NS-1", "data": {"caller": 1, "caller": 2}}'
    body = an_event(data="HERE", subject="S").replace(b'"HERE"', twice).replace(b'"S"', b'"S", "subject": "T"')
    parsed = read_structured(body)
    assert [fault.at for fault in parsed.faults] == ["/data/caller"]
    encoded = base64.b64encode(twice).decode()
    assert read_structured(an_event(data=..., data_base64=encoded)).faults == parsed.faults


def test_data_that_stands_twice_is_no_incident() -> None:
    body = an_event(data="HERE").replace(b'"HERE"', b'{"a": 1}, "data": {"a": 2}')
    assert read_structured(body).value is None


def test_a_binary_event_needs_the_same_four_attributes() -> None:
    headers = {f"ce-{name}": str(value) for name, value in NEEDED.items()}
    assert is_binary(headers)
    check_binary({**headers, "ce-time": "yesterday", "ce-case_ref": "%zz", "content-type": "application/json"})
    for name in NEEDED:
        with pytest.raises(Refused) as caught:
            check_binary({**headers, f"ce-{name}": ""})
        assert (caught.value.status, caught.value.extra["attributes"]) == (400, [name])
    with pytest.raises(Refused):
        check_binary({**headers, "ce-specversion": "2.0"})
    assert not is_binary({"content-type": "application/json"})
