"""What is known before an incident."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.enrichment import domain
from shared.contracts.history import History, Involvement, PathwayTaken
from tests.unit.enrichment.builders import (
    NOON,
    accepted,
    adult,
    case,
    case_answered,
    case_decided,
    child,
    decided,
    happened,
    record,
    risk,
    suspect,
    told,
    victim,
)

TAKEN = (domain.Taken("section_17", NOON),)


def history(cases: list[domain.Case], reference: str, records: list[domain.Record] | None = None) -> History:
    return domain.join_in_order(cases, records or [])[f"northshire/{reference}"]


def test_a_first_incident_has_a_complete_history_of_nothing() -> None:
    first = history([case("R1", victim())], "R1")
    assert first.status == "complete"
    assert (first.incidents, first.involvement, first.marac, first.children_known) == ([], [], [], [])


def test_an_incident_knows_those_accepted_before_it_and_none_after() -> None:
    cases = [case(f"R{i}", victim(), at=i) for i in (1, 2, 3)]
    assert told(history(cases, "R1")) == []
    assert told(history(cases, "R2")) == ["R1"]
    assert told(history(cases, "R3")) == ["R1", "R2"]


def test_the_order_is_that_of_acceptance_not_of_occurrence() -> None:
    long_ago = case("R2", victim(), at=2, occurred_at=NOON - timedelta(days=400))
    assert told(history([case("R1", victim(), at=1), long_ago], "R2")) == ["R1"]


def test_two_accepted_at_one_moment_are_ordered_by_their_ids() -> None:
    cases = [case("RB", victim()), case("RA", victim())]
    assert told(history(cases, "RB")) == ["RA"]
    assert told(history(cases, "RA")) == []


def test_history_is_the_same_whatever_the_order_it_is_joined_in() -> None:
    cases = [
        case("R1", victim(), child(), at=1, decided=decided(marac="2026-11-02"), taken=TAKEN),
        case("R2", suspect(), child("Cerys Doyle", "2026-03-02", "c7"), at=2),
        case("R3", victim("Sian Price", known_as=["Sian Hughes"]), suspect(), at=3),
        case("R4", victim("Jane Bell", "1999-09-09"), suspect(), at=4),
        case("R5", child(id="k1"), child("Cerys Doyle", "2026-03-02", "k2"), at=5),
    ]
    records = [
        record("css-1", "Owen Hughes", "2017-05-16", ("css-2", "sibling")),
        record("css-2", "Al Hughes", "2019-01-01"),
    ]
    expected = domain.join_in_order(cases, records)
    for seed in range(20):
        random.Random(seed).shuffle(cases)
        assert domain.join_in_order(cases, records) == expected


def test_people_go_by_the_ids_of_the_incident_at_hand() -> None:
    cases = [
        case("R1", victim(), suspect(), child(), at=1),
        case("R2", victim(id="v"), suspect(id="s"), child(id="kid"), at=2),
    ]
    earlier = (history(cases, "R2").incidents or [])[0]
    assert [(pair.victim, pair.perpetrator) for pair in earlier.pairs or ()] == [("v", "s")]
    assert earlier.children == ["kid"]


def test_the_other_party_of_an_earlier_incident_is_another_person_where_all_can_be_told_apart() -> None:
    cases = [
        case("R1", victim("Jane Bell", "1999-09-09"), suspect(), at=1),
        case("R2", victim(), suspect(), at=2),
    ]
    pair = ((history(cases, "R2").incidents or [])[0].pairs or [])[0]
    assert pair.perpetrator == "a2"
    assert pair.victim is not None
    assert pair.victim not in ("a1", "a2")


def test_the_other_party_is_unknown_where_somebody_here_may_be_it() -> None:
    cases = [
        case("R1", victim("Jane Bell", "1999-09-09"), suspect(), at=1),
        case("R2", victim(born=None), suspect(), at=2),
    ]
    pair = ((history(cases, "R2").incidents or [])[0].pairs or [])[0]
    assert (pair.victim, pair.perpetrator) == (None, "a2")


def test_victim_and_suspect_at_once_makes_a_pair_each_way() -> None:
    both = [adult("Ann Lee", "1990-01-01", "x", role="both"), adult("Bo Lee", "1991-01-01", "y", role="both")]
    cases = [case("R1", *both, at=1), case("R2", *both, at=2)]
    pairs = (history(cases, "R2").incidents or [])[0].pairs or []
    assert {(pair.victim, pair.perpetrator) for pair in pairs} == {("x", "y"), ("y", "x")}


def test_an_earlier_incident_brings_what_was_recorded_and_decided() -> None:
    first = case(
        "R1",
        victim(),
        child(presence="witnessed"),
        at=1,
        incident=happened(violence=["push"], injuries=[]),
        risk=risk("standard"),
        decided=decided(3),
    )
    earlier = (history([first, case("R2", victim(), at=2)], "R2").incidents or [])[0]
    assert (earlier.police_level, earlier.violence_level, earlier.injury) == ("standard", "medium", False)
    assert (earlier.children_present, earlier.child_level, earlier.notified_css) == (True, 3, True)


def test_a_decision_not_yet_made_is_unknown_not_no() -> None:
    earlier = (history([case("R1", victim(), at=1), case("R2", victim(), at=2)], "R2").incidents or [])[0]
    assert (earlier.child_level, earlier.notified_css) == (None, None)


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"violence": ["verbal"]}, "none_low"),
        ({"violence": []}, "none_low"),
        ({"violence": ["verbal", "push"], "injuries": []}, "medium"),
        ({"violence": ["push"], "injuries": [{"to": "a1", "severity": "minor"}]}, "high"),
        ({"violence": ["verbal"], "threats": ["kill"]}, "high"),
        ({"violence": ["strangulation"]}, "high"),
        ({"strangulation": True}, "high"),
        ({"weapons": [{"kind": "knife", "use": "used"}]}, "high"),
        ({}, None),
    ],
)
def test_violence_is_levelled_by_box_10(said: dict[str, Any], level: str | None) -> None:
    assert domain.account_of(accepted("R1", victim(), incident=happened(**said))).violence_level == level


def test_children_present_is_unknown_where_no_child_is_known_to_have_been_there_and_one_is_not_spoken_of() -> (
    None
):
    def present(*children: Any) -> bool | None:
        return domain.account_of(accepted("R1", *children)).children_present

    away, unsaid, there = child(presence="not_on_premises"), child(id="c2"), child(id="c3", presence="asleep")
    assert present(away) is False
    assert present(away, unsaid) is None
    assert present(away, unsaid, there) is True
    assert present(child(held_by_adult=True)) is True
    assert present() is None


def test_a_marac_referral_of_the_pair_is_told_with_its_day() -> None:
    cases = [
        case("R1", victim(), suspect(), at=1, decided=decided(marac="2026-11-02")),
        case("R2", victim(id="v"), suspect(id="s"), at=2),
    ]
    found = history(cases, "R2").marac or []
    assert [(m.victim, m.perpetrator, m.referred_on) for m in found] == [("v", "s", date(2026, 11, 2))]


def test_the_day_of_a_referral_is_the_day_in_england() -> None:
    body = accepted("R1", victim(), child())
    midnight = datetime.fromisoformat("2026-07-01T23:30:00+00:00")
    told_by = case_decided(body, services={"marac": ["a1"]}, as_of=midnight)
    found = domain.decided_of(told_by)
    assert found is not None
    assert found.marac_on == date(2026, 7, 2)


def test_a_decision_adds_level_notification_and_whom_it_was_about() -> None:
    body = accepted("R1", victim(), child())
    routed = {"childrens_services": ["c1"], "education": ["c1"]}
    assert domain.decided_of(case_decided(body, level=3, services=routed)) == domain.Decided(
        3, True, None, ("c1",)
    )
    assert domain.decided_of(case_decided(body, level=None, services={})) == domain.Decided(
        None, False, None, ()
    )
    assert domain.decided_of(case_decided(body, state="withdrawn")) is None


def test_only_what_childrens_services_decided_joins_the_history() -> None:
    body = accepted("R1", victim(), child())
    assert domain.taken_of(case_answered(body, "section_47")) == (domain.Taken("section_47", NOON),)
    assert domain.taken_of(case_answered(body, "section_47", kind="accepted")) == ()
    assert domain.taken_of(case_answered(body, None)) == ()
    assert domain.taken_of(case_answered(body, "early_help", service="health_visitor")) == ()


def test_an_answer_joins_the_involvement_of_the_children_it_was_about() -> None:
    one, two = child(), child("Cerys Hughes", "2026-03-02", "c2")
    cases = [
        case("R1", victim(), one, two, at=1, decided=decided(about=("c2",)), taken=TAKEN),
        case("R2", victim(), one, two, at=2),
    ]
    found = history(cases, "R2").involvement or []
    assert [(i.child, i.level, i.open, i.as_of) for i in found] == [("c2", "medium", None, NOON)]
    assert (history(cases, "R1").involvement or []) == []


def test_an_answer_without_an_assessment_is_low_involvement() -> None:
    taken = (domain.Taken("letter", NOON),)
    cases = [case("R1", child(), at=1, taken=taken), case("R2", child(), at=2)]
    assert [i.level for i in history(cases, "R2").involvement or ()] == ["low"]


def pathway(name: Any) -> PathwayTaken:
    return PathwayTaken(pathway=name)


@pytest.mark.parametrize(
    ("known", "level"),
    [
        (Involvement(open=False, pathways=[], plans=[], re_referrals=0), "none"),
        (Involvement(open=False, pathways=[pathway("letter")], plans=[], re_referrals=1), "low"),
        (Involvement(open=False, pathways=[], plans=[], re_referrals=2), "low"),
        (Involvement(open=False, pathways=[pathway("early_help")], plans=[]), "medium"),
        (Involvement(open=False, pathways=[pathway("none"), pathway("section_47")], plans=[]), "medium"),
        (Involvement(open=False, pathways=[], plans=["child_protection"]), "high"),
        (Involvement(open=True, pathways=[], plans=[]), "open"),
        (Involvement(open=True, plans=["looked_after"]), "open"),
        (Involvement(open=False, pathways=[pathway("letter")], plans=[], level="high"), "high"),
        (Involvement(open=True, level="low"), "open"),
        (Involvement(level="medium"), "medium"),
        (Involvement(), None),
    ],
)
def test_the_five_levels_of_involvement(known: Involvement, level: str | None) -> None:
    records = [record("css-1", "Owen Hughes", "2017-05-16", involvement=known)]
    found = history([case("R1", victim(), child())], "R1", records).involvement or []
    assert [(one.child, one.level) for one in found] == [("c1", level)]


def test_a_child_that_the_police_did_not_name_is_known_by_an_id_of_its_own_that_stays() -> None:
    first = case("R1", victim(), child(area="northbury", school={"urn": "100001"}), at=1)
    cases = [first, case("R2", victim(), at=2), case("R3", victim(), at=3)]
    [known] = history(cases, "R2").children_known or []
    assert (known.child, known.born, known.area) == (None, date(2017, 5, 16), "northbury")
    assert known.school is not None
    assert known.school.urn == "100001"
    assert ((history(cases, "R2").incidents or [])[0].children) == [known.id]
    assert (history(cases, "R3").children_known or [])[0].id == known.id


def test_the_id_of_a_known_child_is_none_that_the_incident_uses() -> None:
    first = case("R1", victim(), child(), at=1)
    [known] = history([first, case("R2", victim(), at=2)], "R2").children_known or []
    clashing = case("R2", victim(), child("Cerys Doyle", "2026-03-02", known.id), at=2)
    ids = {one.id for one in history([first, clashing], "R2").children_known or ()}
    assert known.id not in ids


def test_a_child_that_the_police_named_keeps_their_id() -> None:
    cases = [case("R1", victim(), child(), at=1), case("R2", victim(), child(id="x"), at=2)]
    [known] = history(cases, "R2").children_known or []
    assert known.child == "x"
    assert known.id != "x"


def test_who_has_come_of_age_is_no_known_child() -> None:
    first = case(
        "R1", victim(), child("Lee Hughes", "2009-11-02"), at=1, occurred_at=NOON - timedelta(days=900)
    )
    before = case("R2", victim(), at=2, occurred_at=datetime.fromisoformat("2027-11-01T12:00:00+00:00"))
    after = case("R3", victim(), at=3, occurred_at=datetime.fromisoformat("2027-11-02T12:00:00+00:00"))
    cases = [first, before, after]
    assert len(history(cases, "R2").children_known or ()) == 1
    assert history(cases, "R3").children_known == []


def test_a_victim_under_18_is_not_listed_a_second_time_among_the_children() -> None:
    cases = [
        case("R1", victim(), child("Lea Hughes", "2010-01-01"), at=1),
        case("R2", victim("Lea Hughes", "2010-01-01"), at=2),
    ]
    assert history(cases, "R2").children_known == []


def test_a_child_in_social_cares_records_of_the_mother_is_known() -> None:
    records = [
        record("css-1", "Sian Hughes", "1994-03-07", child=False),
        record("css-2", "Cerys Hughes", "2026-03-02", ("css-1", "parent"), area="northbury"),
    ]
    [known] = history([case("R1", victim())], "R1", records).children_known or []
    assert (known.child, known.born) == (None, date(2026, 3, 2))


def test_a_new_partners_case_brings_the_suspects_earlier_incidents_but_not_another_homes_children() -> None:
    cases = [
        case("R1", victim(), suspect(), child(), at=1, decided=decided(about=("c1",)), taken=TAKEN),
        case("R2", victim("Jane Bell", "1999-09-09"), suspect(), at=2),
    ]
    found = history(cases, "R2")
    assert told(found) == ["R1"]
    assert found.children_known == []
    assert found.involvement == []


def test_where_the_victim_cannot_be_identified_the_suspects_children_are_everybodys_concern() -> None:
    cases = [
        case("R1", victim(), suspect(), child(), at=1),
        case("R2", victim("Sian Hughes", None), suspect(), at=2),
    ]
    assert len(history(cases, "R2").children_known or ()) == 1


def test_the_same_two_people_are_one_household_whoever_is_the_victim() -> None:
    cases = [
        case("R1", victim(), suspect(), child(), at=1),
        case("R2", victim("Mark Doyle", "1991-11-30"), suspect("Sian Hughes", "1994-03-07"), at=2),
    ]
    assert len(history(cases, "R2").children_known or ()) == 1


def test_children_are_found_through_siblings() -> None:
    cases = [
        case("R1", victim("Gran Hughes", "1960-01-01"), child(), child("Al Hughes", "2019-01-01", "c2"), at=1),
        case("R2", victim(), child(), at=2),
        case("R3", victim(), at=3),
    ]
    assert len(history(cases, "R3").children_known or ()) == 2


def test_a_history_too_long_to_tell_says_that_it_is_incomplete() -> None:
    cases = [case(f"R{i:03}", victim(), at=i) for i in range(202)]
    assert history(cases, "R200").status == "complete"
    last = history(cases, "R201")
    assert last.status == "incomplete"
    assert len(last.incidents or ()) == 200
    assert told(last)[-1] == "R200"


def test_the_digest_of_a_history_rests_on_facts_and_not_on_when_they_were_told() -> None:
    known = Involvement(open=True, as_of=NOON)
    later = Involvement(open=True, as_of=NOON + timedelta(days=1))
    first, second = (
        history([case("R1", child())], "R1", [record("css-1", "Owen Hughes", "2017-05-16", involvement=one)])
        for one in (known, later)
    )
    assert domain.digest_of(first) == domain.digest_of(second.model_copy(update={"as_of": NOON}))
    assert domain.digest_of(first) != domain.digest_of(history([case("R1", child())], "R1"))
    assert domain.digest_of(domain.unavailable()) != domain.digest_of(History(status="complete"))
