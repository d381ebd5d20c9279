"""Stories from the sources, and the least that must come of each (tests/contracts/samples/stories)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.triage.evaluate import evaluate_incident
from services.triage.protocols import load_library
from shared import vocabulary as v
from shared.areas import load_areas
from shared.contracts.reading import read_incident

STORIES = Path(__file__).resolve().parents[2] / "contracts" / "samples" / "stories"
TOLD = yaml.safe_load((STORIES / "stories.yaml").read_text())["stories"]
LIBRARY, AREAS = load_library(), load_areas()
LADDERS = {
    "victim_level": v.VICTIM_LEVELS,
    "css_response": v.CSS_RESPONSES,
    "child_level": (None, *v.CHILD_LEVELS),
}


def receipt_of(name: str) -> dict[str, Any]:
    incident = read_incident(json.loads((STORIES / f"{name}.json").read_text())).incident
    decision = evaluate_incident(incident, None, library=LIBRARY, areas=AREAS, protocol="london-dvrim/1")
    receipt: dict[str, Any] = decision["receipt"]
    return receipt


def assert_at_least(outcome: dict[str, Any], least: dict[str, Any], receipt: dict[str, Any]) -> None:
    for ladder, steps in LADDERS.items():
        if ladder in least:
            assert steps.index(outcome[ladder]) >= steps.index(least[ladder]), ladder
    assert {*least.get("services", ())} <= {*outcome["services"]}
    assert {*least.get("handling", ())} <= {*outcome["handling"]}
    considered = {one["service"] for one in receipt["consider"]}
    assert {*least.get("consider", ())} <= considered | {*outcome["services"]}
    assert {*least.get("children", ())} <= {child["id"] for child in receipt["children"]}


@pytest.mark.parametrize("story", TOLD, ids=[story["name"] for story in TOLD])
def test_every_story_gets_at_least_what_its_source_asks_for(story: dict[str, Any]) -> None:
    receipt = receipt_of(story["name"])
    assert_at_least(receipt["result"], story.get("at_least", {}), receipt)
    assert_at_least(receipt["possible"], story.get("possible", {}), receipt)
    for name, value in story.get("exactly", {}).items():
        assert receipt["result"][name] == value
    for name, unwanted in story.get("never", {}).items():
        assert not {*unwanted} & {*receipt["result"][name]}
    assert {*story.get("asks", ())} <= {question["fact"] for question in receipt["questions"]}


@pytest.mark.parametrize("story", TOLD, ids=[story["name"] for story in TOLD])
def test_no_family_with_a_child_is_left_without_a_service_or_sent_a_letter(story: dict[str, Any]) -> None:
    receipt = receipt_of(story["name"])
    assert "safe_contact_only" in receipt["result"]["handling"]
    if receipt["children"]:
        assert receipt["routes"]
