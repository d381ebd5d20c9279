"""A screener's answers: they fill what was not recorded, override nothing, and lower nothing."""

from __future__ import annotations

from typing import Any

import pytest

from services.triage.domain.answers import answered, why_unfit
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import child, raw


def told(**changes: Any) -> Any:
    return read_incident(raw(**changes)).incident


def answer(incident: Any, fact: str, said: Any, about: str | None = None) -> Any:
    return answered(incident, [{"act": "answer", "fact": fact, "answer": said, "about": about}])


def test_an_answer_fills_what_was_not_recorded() -> None:
    unknown = told(incident__strangulation=None, adults__0__pregnant=None, risk__level=None)
    assert answer(unknown, "strangulation", True).incident.strangulation is True
    assert answer(unknown, "victim_pregnant", True).adults[0].pregnant is True
    assert answer(unknown, "victim_pregnant", True).adults[1].pregnant is None
    assert answer(unknown, "police_level", "high").risk.level == "high"


def test_an_answer_overrides_nothing_that_was_recorded() -> None:
    known = told(incident__strangulation=True, incident__threats=["kill"])
    assert answer(known, "strangulation", False) == known
    assert answer(known, "threats", []) == known


def test_an_answer_is_about_one_child_or_about_all() -> None:
    both = told(children=[child("c1", threatened=None), child("c2", threatened=None)])
    one = answer(both, "child_threatened", True, "c2")
    assert [c.threatened for c in one.children] == [None, True]
    assert [c.threatened for c in answer(both, "child_threatened", True).children] == [True, True]


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("strangulation", "yes"),
        ("violence", ["shouting"]),
        ("weapon_use", "brandished"),
        ("dash_yes_answers", 99),
        ("youngest_child_months", 3),
        ("child_saw_or_heard", False),
    ],
)
def test_what_is_no_answer_is_told_why(fact: str, said: Any) -> None:
    assert why_unfit(fact, said)


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("strangulation", False),
        ("violence", ["push"]),
        ("weapon_use", "shown"),
        ("injury_severity", "none"),
        ("dash_yes_answers", 14),
        ("child_hurt", False),
    ],
)
def test_what_is_an_answer_can_be_taken(fact: str, said: Any) -> None:
    assert why_unfit(fact, said) is None
    open_ended = told(
        incident__strangulation=None, incident__violence=None, incident__weapons=None,
        incident__injuries=None, risk__yes_answers=None, children__0__assaulted=None,
        children__0__injured=None,
    )  # fmt: skip
    assert answer(open_ended, fact, said) != open_ended
