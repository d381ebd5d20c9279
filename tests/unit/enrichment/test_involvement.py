"""The five levels of earlier involvement and their borders (NSPCC 2009 s6.4), and how it ages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.enrichment import domain
from services.enrichment.domain.involvement import level_of, stop_start
from shared.contracts.history import History, Involvement, PathwayTaken
from tests.unit.enrichment.builders import case, child, record, victim

MONDAY = datetime(2026, 11, 2, 2, tzinfo=UTC)
WEEK = timedelta(days=7)


def known(*pathways: Any, **said: Any) -> Involvement:
    """A closed case with all of it told, unless said otherwise."""
    steps = [PathwayTaken(pathway=one) for one in pathways]
    return Involvement(**{"open": False, "plans": [], "pathways": steps, "re_referrals": 0, **said})


def test_a_family_never_heard_of_before_is_none() -> None:
    assert level_of(known()) == "none"


@pytest.mark.parametrize("pathway", ["none", "letter", "contact_record", "visit_or_call"])
def test_notifications_closed_without_an_assessment_are_low(pathway: str) -> None:
    assert level_of(known(pathway)) == "low"
    assert level_of(known(*[pathway] * 9, re_referrals=9)) == "low"


def test_a_referral_again_is_contact_though_no_pathway_tells_of_it() -> None:
    assert level_of(known(re_referrals=1)) == "low"


@pytest.mark.parametrize("pathway", ["early_help", "section_17", "section_47", "open_case_updated"])
def test_one_assessment_among_notifications_is_medium(pathway: str) -> None:
    assert level_of(known("letter", pathway, "none")) == "medium"


def test_an_enquiry_that_led_to_no_plan_is_medium_not_high() -> None:
    assert level_of(known("section_47", plans=[])) == "medium"


@pytest.mark.parametrize("plan", ["child_in_need", "Child in Need Plan", "CIN", "early help"])
def test_a_plan_of_support_is_an_assessment_completed_and_no_more(plan: str) -> None:
    assert level_of(known(plans=[plan])) == "medium"


@pytest.mark.parametrize(
    "plan", ["child_protection", "child_protection_conference", "looked_after", "residence_order", "Plan B"]
)
def test_protection_care_and_any_plan_that_may_be_one_are_high(plan: str) -> None:
    assert level_of(known(plans=[plan])) == "high"
    assert level_of(known("section_17", plans=["child_in_need", plan])) == "high"


def test_a_plan_called_none_is_no_plan() -> None:
    assert level_of(known(plans=["None"])) == "none"


@pytest.mark.parametrize("plans", [[], ["child_protection"], None])
def test_an_open_case_is_open_whatever_the_past(plans: list[str] | None) -> None:
    assert level_of(known("section_47", plans=plans, open=True)) == "open"


@pytest.mark.parametrize("unknown", ["open", "plans", "pathways"])
def test_what_is_not_told_is_never_none(unknown: str) -> None:
    assert level_of(known(**{unknown: None})) is None


def test_the_councils_own_word_raises_and_never_lowers() -> None:
    assert level_of(known("letter", level="high")) == "high"
    assert level_of(known(plans=["looked_after"], level="low")) == "high"
    assert level_of(Involvement(level="none")) == "none"
    assert level_of(known(level="open")) == "open"


def told(*, source_as_of: datetime | None = MONDAY) -> History:
    sent = known("letter").model_copy(update={"as_of": MONDAY, "source_as_of": source_as_of})
    records = [record("css-1", "Owen Hughes", "2017-05-16", involvement=sent)]
    return domain.join_in_order([case("R1", victim(), child())], records)["northshire/R1"]


def stale_at(history: History, moment: datetime) -> list[bool | None]:
    return [one.stale for one in domain.told_at(history, moment, WEEK).involvement or ()]


def spell(pathway: Any, begun: str, closed: str | None = None) -> dict[str, Any]:
    return {"pathway": pathway, "from": begun, "to": closed}


@pytest.mark.parametrize(
    ("spells", "said", "pattern"),
    [
        ([("section_17", "2025-01-01", "2025-03-01"), ("section_17", "2025-09-01")], {}, True),
        ([("early_help", "2025-01-01", "2025-03-01"), ("section_47", "2025-03-01", "2025-05-01")], {}, True),
        ([("section_17", "2025-01-01", "2025-03-01")], {"re_referrals": 1}, True),
        ([("section_17", "2025-01-01", "2025-03-01")], {}, False),
        ([("section_17", "2025-01-01"), ("section_47", "2025-02-01")], {}, False),
        ([("letter", "2025-01-01", "2025-01-01"), ("letter", "2025-06-01", "2025-06-01")], {}, False),
        ([], {"stop_start": True}, True),
        (None, {}, None),
    ],
    ids=str,
)
def test_help_that_was_closed_and_begun_again_is_stop_start(
    spells: list[tuple[Any, ...]] | None, said: dict[str, Any], pattern: bool | None
) -> None:
    """NSPCC 2009 s10.4.3: over a third of the families that received a service."""
    pathways = None if spells is None else [spell(*one) for one in spells]
    assert stop_start(Involvement.model_validate({"pathways": pathways, **said})) is pattern


def test_a_councils_word_is_stale_when_nothing_came_from_it_for_longer_than_is_allowed() -> None:
    assert stale_at(told(), MONDAY) == [False]
    assert stale_at(told(), MONDAY + WEEK) == [False]
    assert stale_at(told(), MONDAY + WEEK + timedelta(seconds=1)) == [True]


def test_a_child_of_whom_nothing_changed_is_not_stale_while_its_council_goes_on_telling() -> None:
    week_after = told(source_as_of=MONDAY + WEEK)
    assert stale_at(week_after, MONDAY + WEEK + timedelta(days=1)) == [False]
    assert [one.as_of for one in week_after.involvement or ()] == [MONDAY]


def test_an_answer_to_an_earlier_case_does_not_age() -> None:
    assert stale_at(told(source_as_of=None), MONDAY + 9 * WEEK) == [None]


def test_age_alone_makes_nothing_new() -> None:
    fresh, old = (domain.told_at(told(), MONDAY + wait, WEEK) for wait in (timedelta(), 9 * WEEK))
    assert fresh.involvement != old.involvement
    assert domain.digest_of(fresh) == domain.digest_of(old) == domain.digest_of(told())


def test_a_history_without_what_is_known_stays_so() -> None:
    assert domain.told_at(domain.unavailable(), MONDAY, WEEK).involvement is None
