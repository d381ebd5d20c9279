"""What is missing and could matter has a line with its place; what is known, or known to be none, has none."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.reading import read_incident
from tests.unit.shared.test_reading import sent


def gaps(**changes: Any) -> dict[str, str]:
    return {gap.at: gap.because for gap in read_incident(sent(**changes)).gaps}


@pytest.mark.parametrize(
    ("at", "missing", "known"),
    [
        ("/children", {"children": None, "relationships": None}, {
            "children": [], "relationships": [], "summary": None}),
        ("/relationships", {"relationships": None}, {}),
        ("/consent", {"consent": None}, {"consent": {"asked": False}}),
        ("/area", {"area": None}, {"area": "northbury"}),
        ("/place", {"place": None}, {}),
        ("/place", {"place": {"address": {"town": "Northbury"}}}, {}),
        ("/children/0/born", {"children__0__born": None}, {}),
        ("/children/0/born", {"children__0__born": "31/02/2017"}, {}),
        ("/children/0/presence", {"children__0__presence": None}, {"children__0__presence": "asleep"}),
        ("/children/0/presence", {"children__0__presence": "not_recorded"}, {"children__0__presence": "heard"}),
        ("/children/0/school", {"children__0__school": None}, {"children__0__school": {"urn": "100001"}}),
        ("/children/0/school", {"children__0__school": None}, {
            "children__0__school": None, "children__0__home_educated": True}),
        ("/children/0/school", {"children__0__school": None}, {
            "children__0__school": None, "children__0__born": "2023-05-16"}),
        ("/children/0/area", {"area": None, "children__0__area": None, "children__0__address": None}, {
            "area": None}),
        ("/adults/0/pregnant", {"adults__0__pregnant": None}, {"adults__0__pregnant": False}),
        ("/adults/0/pregnant", {"adults__0__pregnant": None}, {
            "adults__0__pregnant": None, "adults__0__sex": "male"}),
        ("/adults/0/address", {"adults__0__address": None}, {}),
        ("/adults/0/area", {"adults__0__area": None}, {}),
        ("/adults/0/phones", {"adults__0__phones": None}, {"adults__0__phones": []}),
        ("/adults/0/phones/0/safe", {"adults__0__phones": [{"number": "07700 900123"}]}, {}),
        ("/incident/weapons/0/use", {"incident__weapons": [{"kind": "knife"}]}, {
            "incident__weapons": [{"kind": "knife", "use": "shown"}]}),
        ("/incident/injuries/0/severity", {"incident__injuries": [{"to": "a1"}]}, {
            "incident__injuries": [{"to": "a1", "severity": "minor"}]}),
        ("/incident/injuries/0/treated", {"incident__injuries": [{"to": "a1"}]}, {
            "incident__injuries": [{"to": "a1", "treated": False}]}),
        ("/risk/yes_answers", {"risk": {"level": "high"}}, {"risk": {"level": "high", "yes_answers": 14}}),
        ("/risk/level", {"risk": {"tool": "dash"}}, {"risk": {"tool": "dash", "level": "high"}}),
        ("/relationships/0/separated_on", {
            "relationships": [{"from": "a2", "to": "a1", "kind": "ex_partner"}]}, {
            "relationships": [{"from": "a2", "to": "a1", "kind": "ex_partner", "separated_on": "2026-11-01"}]}),
        ("/relationships/0/kind", {"relationships": [{"from": "a2", "to": "a1", "kind": "babyfather"}]}, {}),
        ("/relationships", {"relationships": [{"from": "a1", "to": "c1", "kind": "parent"}]}, {
            "relationships": [{"from": "a1", "to": "a2", "kind": "partner"}]}),
    ],
)  # fmt: skip
def test_what_is_missing_is_a_gap_and_what_is_known_is_none(
    at: str, missing: dict[str, Any], known: dict[str, Any]
) -> None:
    assert at in gaps(**missing)
    assert at not in gaps(**known)


def test_a_child_related_to_nobody_and_a_child_without_a_parent_are_two_gaps() -> None:
    alone = gaps(relationships=[{"from": "a2", "to": "a1", "kind": "partner"}])
    assert alone["/children/0"] == "relationship to the adults not recorded"
    ties = [
        {"from": "a2", "to": "a1", "kind": "partner"},
        {"from": "a2", "to": "c1", "kind": "parents_partner"},
    ]
    assert "whose child" in gaps(relationships=ties)["/children/0"]
    ties.append({"from": "a1", "to": "c1", "kind": "parent"})
    assert "/children/0" not in gaps(relationships=ties)


def test_a_child_who_called_and_is_not_listed_is_missed() -> None:
    assert gaps(caller="child", children=[], relationships=[], summary=None)["/children"] == (
        "a child called, and no child is listed"
    )
    assert "/children" not in gaps(caller="child")


def test_an_incident_with_only_what_must_be_there_lacks_each_part_once() -> None:
    bare = {"force": "northshire", "reference": "NS-9", "occurred_at": "2026-11-20T22:40:00Z"}
    at = [gap.at for gap in read_incident(bare).gaps]
    assert at == [
        "/adults", "/children", "/relationships", "/incident", "/risk", "/consent", "/reported_at", "/area",
        "/place",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "summary", "said"),
    [
        ("/children", "She held the baby.", {}),
        ("/adults/0/pregnant", "She is six months pregnant.", {"adults__0__pregnant": True}),
        ("/incident/weapons", "He had two knives.", {"incident__weapons": [{"kind": "knife", "use": "shown"}]}),
        ("/incident/strangulation", "He held her by the throat.", {"incident__violence": ["strangulation"]}),
        ("/incident/injuries", "Bruising to the arm.", {"incident__injuries": [{"to": "a1"}]}),
        ("/incident/sexual_offence", "She says that he raped her.", {"incident__sexual_offence": True}),
        ("/incident/threats", "He said he would kill her.", {"incident__threats": ["kill"]}),
        ("/adults", "He took an overdose.", {"adults__1__factors": ["self_harm"]}),
    ],
)
def test_what_the_narrative_speaks_of_and_the_fields_do_not_is_a_gap(
    at: str, summary: str, said: dict[str, Any]
) -> None:
    quiet: dict[str, Any] = {"incident__weapons": [], "incident__injuries": [], "incident__threats": []}
    quiet |= {"incident__violence": ["verbal"], "incident__offences": [], "adults__0__pregnant": False}
    if at == "/children":
        quiet |= {"children": [], "relationships": []}
        said = {"children": sent()["children"], "relationships": sent()["relationships"]}
    found = gaps(summary=summary, **quiet)
    assert "a word list, no decision" in found[at]
    assert "word list" not in gaps(summary=summary, **{**quiet, **said}).get(at, "")
    assert "word list" not in gaps(summary="They argued about money.", **quiet).get(at, "")
