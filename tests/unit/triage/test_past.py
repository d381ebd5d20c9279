"""What was known before: counts within windows, MARAC repeats, refusals, and no history at all."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.triage.domain.family import months_old
from shared.areas import shift_months
from shared.contracts.history import History
from tests.unit.triage.builders import asked, decided, earlier, history, incident, rules

VIOLENT: dict[str, Any] = {"violence": ["push"], "violence_level": "medium"}


def marac(**changes: Any) -> dict[str, Any]:
    return {"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03", **changes}


@pytest.mark.parametrize(
    ("referred_on", "repeat"),
    [
        ("2025-11-19", True),  # twelve calendar months before the incident, to the day
        ("2025-11-18", False),
        ("2026-11-19", True),
        ("2027-11-19", True),  # an incident told late: the other end counts as well
        ("2027-11-20", False),
    ],
)
def test_the_same_pair_within_twelve_months_of_marac_both_ends_counted(referred_on: str, repeat: bool) -> None:
    body = decided(known=history(marac=[marac(referred_on=referred_on)]))
    assert ("marac-repeat" in rules(body)) is repeat


def test_a_repeat_goes_to_marac_whatever_its_level_and_without_a_child() -> None:
    body = decided(incident(children=[], relationships=[]), history(marac=[marac()]))
    assert body["result"]["victim_level"] == "standard"
    assert body["result"]["services"] == ["marac"]


@pytest.mark.parametrize(
    "who", [{"victim": "a9"}, {"perpetrator": "a9"}, {"victim": "a2", "perpetrator": "a1"}]
)
def test_another_pair_is_no_repeat(who: dict[str, str]) -> None:
    assert "marac-repeat" not in rules(decided(known=history(marac=[marac(**who)])))


def test_a_referral_of_an_unnamed_perpetrator_is_possibly_the_same_pair() -> None:
    body = decided(known=history(marac=[marac(perpetrator=None)]))
    assert "marac" not in body["result"]["services"]
    assert "marac" in body["possible"]["services"]


def test_a_referral_without_a_date_goes_by_the_day_it_was_heard() -> None:
    body = decided(known=history(marac=[marac(referred_on=None, heard_on="2026-02-10")]))
    reason = next(r for r in body["reasons"] if r["rule"].endswith("marac-repeat"))
    assert reason["facts"] == {"marac_referred_on": "2026-02-10"}


def test_a_referral_counts_for_twelve_months_from_the_day_it_was_heard() -> None:
    body = decided(known=history(marac=[marac(referred_on="2025-11-10", heard_on="2025-11-24")]))
    reason = next(r for r in body["reasons"] if r["rule"].endswith("marac-repeat"))
    assert reason["facts"] == {"marac_referred_on": "2025-11-24"}
    assert "marac-repeat" not in rules(decided(known=history(marac=[marac(referred_on="2025-11-10")])))


@pytest.mark.parametrize(
    ("dates", "escalates"),
    [
        (["2026-01-10", "2026-06-10"], True),
        (["2025-11-19", "2026-06-10"], True),  # both ends counted
        (["2025-11-18", "2026-06-10"], False),
        (["2026-06-10"], False),
        (["2027-01-10", "2027-03-10"], True),  # a straggler: later ones were accepted first
        (["2026-01-10", "2027-03-10"], False),  # never three within twelve months
    ],
)
def test_three_incidents_of_a_pair_within_twelve_months_escalate(dates: list[str], escalates: bool) -> None:
    known = history(incidents=[earlier(f"NS-0{i}", f"{day}T20:00:00Z") for i, day in enumerate(dates)])
    assert ("marac-escalation" in rules(decided(known=known))) is escalates


def test_incidents_of_other_pairs_do_not_escalate() -> None:
    other = {"pairs": [{"victim": "a1", "perpetrator": "x7"}]}
    known = history(incidents=[earlier(f"NS-0{i}", "2026-06-10T20:00:00Z", **other) for i in range(3)])
    assert "marac-escalation" not in rules(decided(known=known))


def test_an_earlier_form_of_the_same_case_is_not_an_earlier_incident() -> None:
    known = history(incidents=[earlier("NS-1", "2026-06-10T20:00:00Z", **VIOLENT) for _ in range(3)])
    assert not {"marac-escalation", "violence-before"} & rules(decided(known=known))


@pytest.mark.parametrize(
    ("before", "fires"),
    [
        (VIOLENT, True),
        ({"violence": ["verbal"], "violence_level": None, "injury": True}, True),
        ({"violence": ["verbal"], "violence_level": "none_low", "injury": False}, False),
        ({"violence": ["controlling"], "violence_level": None, "injury": None}, False),
    ],
)
def test_a_history_of_violence_is_of_physical_violence(before: dict[str, Any], fires: bool) -> None:
    known = history(incidents=[earlier("NS-0", "2024-06-10T20:00:00Z", **before)])
    assert ("violence-before" in rules(decided(known=known))) is fires


def test_an_earlier_incident_without_details_may_have_been_violent() -> None:
    untold = earlier("NS-0", "2024-06-10T20:00:00Z", violence=None, violence_level=None, injury=None)
    body = decided(known=history(incidents=[untold]))
    assert body["result"]["child_level"] == 1
    assert body["possible"]["child_level"] == 2


def test_three_violent_incidents_in_a_year_are_persistent() -> None:
    before = [earlier(f"NS-0{i}", f"2026-0{i}-10T20:00:00Z", **VIOLENT) for i in (1, 2)]
    told = incident(incident__violence=["push"])
    assert "violence-persistent" in rules(decided(told, history(incidents=before)))
    assert "violence-persistent" not in rules(decided(told, history(incidents=before[:1])))


def test_violence_that_was_there_before_and_rises_is_scale_3() -> None:
    known = history(incidents=[earlier("NS-0", "2024-06-10T20:00:00Z", **VIOLENT)])
    assert "violence-rising" in rules(decided(incident(incident__escalating=True), known))


@pytest.mark.parametrize(
    ("reason", "refused"), [("consent refused", True), ("declined", True), ("completed", False)]
)
def test_a_refused_assessment_raises_by_a_step(reason: str, refused: bool) -> None:
    taken = {"pathway": "early_help", "from": "2025-03-01", "to": "2025-04-01", "reason_closed": reason}
    known = history(involvement=[{"child": "c1", "level": "low", "pathways": [taken]}])
    body = decided(known=known)
    assert ("assessment-refused" in rules(body)) is refused
    assert body["result"]["child_level"] == (2 if refused else 1)


@pytest.mark.parametrize("known", [History(status="unavailable"), History(status="incomplete"), History()])
def test_without_its_history_a_case_is_decided_on_itself_and_marked(known: History) -> None:
    body = decided(known=known)
    assert body["result"]["child_level"] == 1
    assert body["degraded"] == [f"history_{known.status}"]
    assert "marac" in body["possible"]["services"]
    assert asked(body) == set()


def test_what_social_care_could_know_is_never_asked_of_the_police() -> None:
    known = history(children_known=[{"id": "k1", "child": None, "area": "northbury"}])
    body = decided(known=known)
    assert body["possible"]["child_level"] == 4
    assert asked(body) == set()


def test_months_are_calendar_months() -> None:
    assert shift_months(date(2028, 2, 29), -12) == date(2027, 2, 28)
    assert shift_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_old(date(2026, 3, 31), date(2026, 4, 30)) == 0
    assert months_old(date(2025, 2, 28), date(2026, 2, 28)) == 12
