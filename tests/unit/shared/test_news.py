"""What is new in a history is told in words: counts, never people, and nothing of a part that is not shown."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.contracts.history import History
from shared.contracts.news import news_of

EARLIER: dict[str, Any] = {
    "force": "northshire", "reference": "NS-1", "occurred_at": "2026-08-02T20:10:00Z",
    "pairs": [{"victim": "a1", "perpetrator": "a2"}], "link": "certain",
}  # fmt: skip
ANOTHER: dict[str, Any] = {**EARLIER, "reference": "NS-2"}


def history(**parts: Any) -> dict[str, Any]:
    told = {"incidents": [], "involvement": [], "marac": [], "children_known": [], **parts}
    return History.model_validate({"status": "complete", "as_of": "2026-11-21T01:15:02Z", **told}).as_json()


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        ({}, {"incidents": [EARLIER, ANOTHER]}, ["2 earlier incidents not known before"]),
        (
            {},
            {"incidents": [{**EARLIER, "link": "likely"}]},
            ["1 earlier incident that may be the same people's"],
        ),
        (
            {"incidents": [{**EARLIER, "link": "likely"}]},
            {"incidents": [EARLIER]},
            ["1 earlier incident confirmed to be the same people's"],
        ),
        (
            {"incidents": [EARLIER]},
            {},
            ["1 earlier incident fewer: withdrawn, or found to be other people's"],
        ),
        (
            {"incidents": [EARLIER]},
            {"incidents": [{**EARLIER, "child_level": 3}]},
            ["something new of 1 earlier incident"],
        ),
        (
            {"involvement": [{"child": "c1", "level": "low"}]},
            {
                "involvement": [
                    {"child": "c1", "level": "high", "open": True},
                    {"child": "c2", "level": "medium"},
                ]
            },
            [
                "1 child with an open case at children's services",
                "1 child once assessed by children's services",
            ],
        ),
        (
            {"involvement": [{"child": "c1", "level": "open"}]},
            {"involvement": [{"child": "c1", "level": "medium"}]},
            ["1 child less known to children's services than was thought"],
        ),
        (
            {"involvement": [{"child": "c1", "level": "low", "worker": "Team 1"}]},
            {"involvement": [{"child": "c1", "level": "low", "worker": "Team 2"}]},
            ["something new from children's services"],
        ),
        (
            {},
            {"marac": [{"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03"}]},
            ["1 referral to a MARAC not known before"],
        ),
        (
            {"marac": [{"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03"}]},
            {
                "marac": [
                    {
                        "victim": "a1",
                        "perpetrator": "a2",
                        "referred_on": "2026-02-03",
                        "heard_on": "2026-02-10",
                    }
                ]
            },
            ["something new of 1 referral to a MARAC"],
        ),
        ({}, {"children_known": [{"id": "k1"}, {"id": "k2"}]}, ["2 children of the family not known before"]),
        ({"children_known": [{"id": "k1"}]}, {}, ["1 child of the family fewer"]),
    ],
)
def test_what_is_new_is_told_in_words(before: dict[str, Any], now: dict[str, Any], news: list[str]) -> None:
    assert news_of(history(**before), history(**now)) == news


def test_of_what_is_only_likely_nothing_is_told_but_that_there_is_an_incident() -> None:
    likely = {
        "incidents": [{**EARLIER, "link": "likely", "child_level": 4}],
        "involvement": [{"child": "c1", "level": "open", "link": "likely"}],
        "marac": [{"victim": "a1", "referred_on": "2026-02-03", "link": "likely"}],
        "children_known": [{"id": "k1", "link": "likely"}],
        "orders": [{"person": "a2", "order": "restraining", "told_on": "2026-02-03", "link": "likely"}],
        "relationships": [{"from": "a1", "to": "p-1", "kind": "partner", "link": "likely"}],
    }
    assert news_of(history(), history(**likely)) == ["1 earlier incident that may be the same people's"]


def test_that_somebody_looked_again_is_no_news() -> None:
    involvement = [{"child": "c1", "level": "low", "as_of": "2026-11-20T02:00:00Z", "stale": False}]
    later = [{**involvement[0], "as_of": "2026-11-22T02:00:00Z", "stale": True}]
    assert news_of(history(involvement=involvement), history(involvement=later)) == []


def test_a_history_that_could_not_be_looked_up_is_told_with_what_it_brings() -> None:
    assert news_of({"status": "unavailable"}, history(incidents=[EARLIER])) == [
        "the history, which could not be looked up before, is known now",
        "1 earlier incident not known before",
    ]


def test_nothing_is_said_of_a_part_that_is_not_shown() -> None:
    shown = {key: value for key, value in history().items() if key in ("status", "incidents")}
    assert news_of(history(involvement=[{"child": "c1", "level": "open"}]), shown) == []
    assert news_of(history(incidents=[EARLIER]), {}) == []
    assert news_of({}, history(incidents=[EARLIER])) == []


def test_no_person_date_or_reference_is_named() -> None:
    told = " ".join(
        news_of(
            history(),
            history(
                incidents=[EARLIER],
                involvement=[{"child": "c1", "level": "open", "worker": "Team 1", "plans": ["cin"]}],
                marac=[{"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03"}],
                children_known=[{"id": "k1", "child": "c1", "born": "2017-05-16"}],
            ),
        )
    )
    assert not re.search(r"NS-1|a1|a2|c1|k1|20\d\d|Team|cin", told)
