"""What a conflict names: the places that differ, never what they say."""

from __future__ import annotations

from copy import deepcopy

from services.intake.domain import DIFFERENCES_NAMED, differences
from tests.builders import an_incident


def test_the_same_content_has_no_differences() -> None:
    assert differences(an_incident(), an_incident()) == []


def test_a_changed_field_is_named_by_its_place() -> None:
    changed = deepcopy(an_incident())
    changed["children"][0]["born"] = "2016-05-17"
    changed["risk"]["level"] = "high"
    assert differences(an_incident(), changed) == ["/children/0/born", "/risk/level"]


def test_a_field_that_came_or_went_is_named() -> None:
    assert differences(an_incident(), an_incident(caller=...)) == ["/caller"]
    assert differences(an_incident(caller=...), an_incident()) == ["/caller"]


def test_one_more_child_is_named_by_its_place() -> None:
    more = an_incident()
    more["children"].append({"id": "c2"})
    assert differences(an_incident(), more) == ["/children/1"]


def test_an_unknown_that_became_a_no_differs() -> None:
    assert differences({"a": {"x": None}}, {"a": {"x": False}}) == ["/a/x"]
    assert differences({"a": 0}, {"a": False}) == ["/a"]


def test_the_number_of_the_revision_is_not_content() -> None:
    assert differences(an_incident(revision=1), an_incident(revision=2)) == []
    assert differences(an_incident(revision=1), an_incident(revision=...)) == []


def test_names_of_fields_are_escaped_as_json_pointers_are() -> None:
    assert differences({"a/b": 1, "c~d": 1}, {"a/b": 2, "c~d": 2}) == ["/a~1b", "/c~0d"]


def test_no_more_than_fifty_are_named() -> None:
    before = {str(i): i for i in range(500)}
    after = {str(i): -i - 1 for i in range(500)}
    assert len(differences(before, after)) == DIFFERENCES_NAMED


def test_the_order_of_fields_is_not_content() -> None:
    incident = an_incident()
    assert differences(incident, dict(reversed(incident.items()))) == []
    assert differences(incident, an_incident(summary="Other words.")) == ["/summary"]
