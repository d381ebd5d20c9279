"""The sources' stories, through the door's reading and the engine: at least what the sources ask for.

`samples/stories/stories.yaml` says what must come of each, and where the source says so.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import yaml

from services.triage.evaluate import evaluate_incident
from services.triage.protocols import load_library
from shared import vocabulary as v
from shared.areas import load_areas
from shared.contracts.reading import read_incident

STORIES: Final = Path(__file__).parent / "samples" / "stories"
LADDERS: Final[dict[str, tuple[Any, ...]]] = {
    "child_level": v.CHILD_LEVELS,
    "victim_level": v.VICTIM_LEVELS,
    "css_response": v.CSS_RESPONSES,
}

Story = dict[str, Any]


def told() -> list[Story]:
    stories: list[Story] = yaml.safe_load((STORIES / "stories.yaml").read_text(encoding="utf-8"))["stories"]
    return stories


def read(story: Story) -> Any:
    return orjson.loads((STORIES / f"{story['name']}.json").read_bytes())


@cache
def receipt_of(name: str) -> dict[str, Any]:
    """The receipt under london-dvrim/1 with nothing known beforehand."""
    incident = read_incident(read({"name": name})).incident
    decision = evaluate_incident(
        incident, None, library=load_library(), areas=load_areas(), protocol="london-dvrim/1"
    )
    receipt: dict[str, Any] = decision["receipt"]
    return receipt


def shortfalls(outcome: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """In words, where an outcome (`result` or `possible`) is less than was asked for."""
    found = []
    for field, value in asked.items():
        given = outcome[field]
        if field in LADDERS:
            if given is None or LADDERS[field].index(given) < LADDERS[field].index(value):
                found.append(f"{field} is {given}, not at least {value}")
        elif missing := set(value) - set(given):
            found.append(f"{field} lacks {', '.join(sorted(missing))}")
    return found


every_story = pytest.mark.parametrize("story", told(), ids=lambda story: story["name"])


def test_every_story_has_its_file_and_every_file_its_story() -> None:
    names = [story["name"] for story in told()]
    assert len(names) == len(set(names)) >= 24
    assert sorted(names) == sorted(file.stem for file in STORIES.glob("*.json"))


@every_story
def test_the_door_reads_a_story_whole(story: Story) -> None:
    assert read_incident(read(story)).faults == []


@every_story
def test_a_story_gets_at_least_what_the_source_asks_for(story: Story) -> None:
    receipt = receipt_of(story["name"])
    asked = dict(story.get("at_least", {}))
    considered = {one["service"] for one in receipt["consider"]} | set(receipt["result"]["services"])
    own_levels = {child["id"] for child in receipt["children"]}
    unmet = [
        f"{service} is not considered" for service in asked.pop("consider", ()) if service not in considered
    ]
    unmet += [f"{child} has no level" for child in asked.pop("children", ()) if child not in own_levels]
    unmet += shortfalls(receipt["result"], asked)
    assert not unmet, f"{story['because']} ({story['source']})"


@every_story
def test_a_story_sends_nobody_where_the_source_says_not_to(story: Story) -> None:
    result = receipt_of(story["name"])["result"]
    for field, value in story.get("exactly", {}).items():
        assert result[field] == value, story["source"]
    assert not set(story.get("never", {}).get("services", ())) & set(result["services"]), story["source"]


@every_story
def test_what_is_unknown_in_a_story_counts_in_what_is_possible(story: Story) -> None:
    receipt = receipt_of(story["name"])
    assert not shortfalls(receipt["possible"], story.get("possible", {})), story["source"]
    asked = {question["fact"] for question in receipt["questions"]}
    assert set(story.get("asks", ())) <= asked, story["source"]


@every_story
def test_every_story_keeps_to_safe_contact(story: Story) -> None:
    """S9: no letter, and no message that could reach the perpetrator."""
    assert "safe_contact_only" in receipt_of(story["name"])["result"]["handling"]


@every_story
def test_every_story_with_a_child_is_offered_something(story: Story) -> None:
    """S11: no bare `no further action`; S10: whatever the victim's level."""
    receipt = receipt_of(story["name"])
    if receipt["children"]:
        assert receipt["result"]["services"]
        assert receipt["result"]["css_response"] != "none"
        assert receipt["routes"]


@every_story
def test_every_part_of_a_storys_result_cites_a_rule(story: Story) -> None:
    receipt = receipt_of(story["name"])
    assert {route["service"] for route in receipt["routes"]} == set(receipt["result"]["services"])
    assert all(route["rules"] for route in receipt["routes"])
    assert all(reason["because"] and reason["source"] for reason in receipt["reasons"])
