"""The sources' stories under every protocol: what the safeguards ask for is there whatever it says."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from services.triage.evaluate import evaluate_incident
from services.triage.protocols import load_library
from shared import vocabulary as v
from shared.areas import load_areas
from shared.contracts.reading import read_incident
from tests.contracts.test_stories import Story, read, shortfalls, told

LIBRARY, AREAS = load_library(), load_areas()
LEAST = {"S1": "section_17", "S2": "section_47", "S3": "section_17", "S4": "section_17", "S13": "section_47"}
"""What a story's safeguards ask of children's services, by the safeguards' own table."""

every_protocol = pytest.mark.parametrize("protocol", sorted(LIBRARY.protocols))


@cache
def receipts(protocol: str) -> list[tuple[Story, dict[str, Any]]]:
    found = []
    for story in told():
        incident = read_incident(read(story)).incident
        decision = evaluate_incident(incident, None, library=LIBRARY, areas=AREAS, protocol=protocol)
        found.append((story, decision["receipt"]))
    return found


@every_protocol
def test_a_storys_safeguards_hold_under_every_protocol(protocol: str) -> None:
    seen = set()
    for story, receipt in receipts(protocol):
        for safeguard in re.findall(r"\bS\d+\b", story["source"]):
            least = LEAST.get(safeguard)
            if least is not None and receipt["children"]:
                given = receipt["result"]["css_response"]
                assert v.CSS_RESPONSES.index(given) >= v.CSS_RESPONSES.index(least), (story["name"], safeguard)
                seen.add(safeguard)
            if safeguard == "S4":
                considered = {one["service"] for one in receipt["consider"]} | set(
                    receipt["result"]["services"]
                )
                assert "marac" in considered, story["name"]
            if safeguard == "S7":
                assert "midwifery" in receipt["result"]["services"], story["name"]
            if safeguard == "S13":
                assert {"restricted", "no_family_contact"} <= set(receipt["result"]["handling"]), story["name"]
    assert seen == set(LEAST)


@every_protocol
def test_every_story_with_a_child_is_offered_something_by_safe_means(protocol: str) -> None:
    for story, receipt in receipts(protocol):
        assert "safe_contact_only" in receipt["result"]["handling"]
        if receipt["children"]:
            assert receipt["routes"], story["name"]


@every_protocol
def test_no_story_without_children_goes_to_childrens_services(protocol: str) -> None:
    alone = [(story, receipt) for story, receipt in receipts(protocol) if "exactly" in story]
    assert len(alone) >= 2
    for story, receipt in alone:
        assert receipt["result"]["css_response"] == "none", story["name"]
        assert not {"childrens_services", "education"} & set(receipt["result"]["services"]), story["name"]


@every_protocol
def test_schools_and_marac_do_not_hang_on_the_protocol(protocol: str) -> None:
    for story, receipt in receipts(protocol):
        asked = set(story.get("at_least", {}).get("services", ())) & {"education"}
        assert asked <= set(receipt["result"]["services"]), story["name"]
        if story.get("at_least", {}).get("victim_level") == "high":
            assert "marac" in receipt["result"]["services"], story["name"]


@every_protocol
def test_every_part_of_every_storys_result_cites_a_rule(protocol: str) -> None:
    for story, receipt in receipts(protocol):
        assert {route["service"] for route in receipt["routes"]} == set(receipt["result"]["services"])
        assert all(route["rules"] for route in receipt["routes"]), story["name"]
        possible = dict(receipt["possible"])
        assert not shortfalls(possible, {k: v for k, v in receipt["result"].items() if v is not None})
        asked = {question["to"] for question in receipt["questions"]}
        assert asked <= {"police"}
