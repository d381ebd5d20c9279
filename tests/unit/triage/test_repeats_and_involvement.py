"""Repeats per window and pair, and how far a child was in it and a family was known before."""

from __future__ import annotations

from typing import Any

import pytest

from services.triage.domain.engine import Case, gather_case
from services.triage.domain.facts import INVOLVEMENTS
from services.triage.domain.values import NEVER, Value, exactly
from shared import vocabulary as v
from shared.contracts.history import History
from shared.contracts.incident import Incident
from tests.unit.triage.builders import NORTHBURY, earlier, history, incident


def case(of: Incident | None = None, known: History | None = None) -> Case:
    return gather_case(of or incident(), known or history(), NORTHBURY)[0]


def fact(name: str, of: Incident | None = None, known: History | None = None) -> Value:
    return case(of, known).facts[name]


def involvement(*without: str, **changes: Any) -> tuple[str, str]:
    ((_, child),) = case(incident(*without, **changes)).children
    value = child["child_involvement"]
    return INVOLVEMENTS[value.least], INVOLVEMENTS[value.greatest]


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        ("2026-05-19T20:00:00Z", (2, 2, 2)),  # six months to the day: both ends count
        ("2026-05-18T20:00:00Z", (1, 2, 2)),
        ("2025-11-19T20:00:00Z", (1, 2, 2)),
        ("2025-11-18T20:00:00Z", (1, 1, 2)),
        ("2024-11-19T20:00:00Z", (1, 1, 2)),
        ("2024-11-18T20:00:00Z", (1, 1, 1)),
    ],
)
def test_repeats_are_counted_by_calendar_months_with_both_ends(before: str, counts: tuple[int, ...]) -> None:
    facts = case(known=history(incidents=[earlier("NS-0", before)])).facts
    for months, count in zip((6, 12, 24), counts, strict=True):
        assert facts[f"family_incidents_{months}_months"] == Value(count, count)
        assert facts[f"pair_incidents_{months}_months"] == Value(count, count, None)
    assert facts["family_incidents"] == Value(2, 2)


def test_another_pair_counts_for_the_family_and_not_for_the_pair() -> None:
    other = earlier("NS-0", "2026-11-01T20:00:00Z", pairs=[{"victim": "a1", "perpetrator": "a9"}])
    facts = case(known=history(incidents=[other])).facts
    assert facts["family_incidents_6_months"].least == 2
    assert facts["pair_incidents_6_months"].greatest == 1


def test_without_a_whole_history_a_count_has_no_end() -> None:
    known = history(status="incomplete", incidents=[earlier("NS-0", "2026-11-01T20:00:00Z")])
    assert fact("family_incidents_12_months", known=known) == Value(2, NEVER)
    assert fact("family_incidents", known=known) == Value(2, NEVER)


@pytest.mark.parametrize(("before", "least", "greatest"), [("medium", 1, 1), ("standard", 0, 0), (None, 0, 1)])
def test_an_incident_without_a_police_level_may_have_been_of_medium_risk(
    before: str | None, least: int, greatest: int
) -> None:
    known = history(incidents=[earlier("NS-0", "2026-11-01T20:00:00Z", police_level=before)])
    assert fact("medium_risk_incidents", known=known)[:2] == (least, greatest)


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"open": True}, "open"),
        ({"level": "medium", "open": False}, "medium"),
        ({"open": False, "pathways": [{"pathway": "section_17"}]}, "medium"),
        ({"open": False, "pathways": [{"pathway": "letter"}]}, "low"),
        ({"open": False, "pathways": []}, "none"),
    ],
)
def test_how_far_childrens_services_have_known_the_family(said: dict[str, Any], level: str) -> None:
    value = fact("css_involvement", known=history(involvement=[{"child": "c1", **said}]))
    assert value == exactly(v.INVOLVEMENT_LEVELS.index(level))


def test_what_childrens_services_know_is_open_where_they_could_not_be_asked() -> None:
    assert fact("css_involvement", known=history(status="unavailable", involvement=None)).greatest == 4


def test_a_childs_involvement_is_by_the_kinds_of_table_19() -> None:
    assert involvement() == ("not_on_premises", "not_on_premises")
    assert involvement(children__0__presence="asleep") == ("asleep", "asleep")
    assert involvement(children__0__presence="asleep", children__0__intervened=True)[0] == "took_part"
    assert involvement("children__0__presence") == ("not_on_premises", "took_part")
    assert involvement("children__0__intervened", children__0__presence="heard") == ("heard", "took_part")


def test_what_weighs_on_victim_or_suspect_is_known_only_where_each_was_looked_at() -> None:
    assert fact("family_factors").greatest == frozenset()
    assert fact("family_factors", incident(adults__1__factors=["alcohol"])).least == {"alcohol"}
    unknown = fact("family_factors", incident("adults__1__factors"))
    assert (unknown.least, unknown.ask) == (frozenset(), "family_factors")


def test_only_a_stated_need_brings_an_interpreter_or_advice_without_recourse() -> None:
    assert fact("interpreter_needed", incident()).greatest is False
    assert fact("interpreter_needed", incident(adults__0__interpreter="Polish")).least is True
    assert fact("no_recourse", incident(adults__0__no_recourse_to_public_funds=True)).least is True
    assert fact("no_recourse").greatest is False


def test_whether_she_means_to_leave_is_asked_where_it_was_not_recorded() -> None:
    assert fact("separation_intended", incident("incident__separation_intended")).ask == "separation_intended"
