"""Where a case stands, who looks at it and by when, and what people may do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.triage import screening
from services.triage.screening import Standing
from shared.contracts.history import History, Involvement, KnownChild
from tests.unit.triage_service.builders import (
    AREAS,
    FRIDAY_NIGHT,
    MONDAY_CLOSING,
    NORTHBURY,
    act,
    incident,
    outcome,
    receipt,
    route,
)

KNOWN = History(status="complete")


def stand(what: dict[str, Any], **over: Any) -> Standing:
    given: dict[str, Any] = {"withdrawn": False, "as_of": FRIDAY_NIGHT}
    return screening.stand(what, NORTHBURY, "northbury-screening", **(given | over))


# Which area decides


def test_the_area_where_a_child_lives_decides() -> None:
    case = incident(place="southmere", child="northbury", victim="westbury")
    assert screening.governing_area(AREAS, case, KNOWN).id == "northbury"


def test_without_a_childs_home_the_victims_area_decides_and_never_the_suspects() -> None:
    assert screening.governing_area(AREAS, incident(victim="westbury"), KNOWN).id == "westbury"
    assert screening.governing_area(AREAS, incident(force="southshire"), KNOWN).id == "southmere"


def test_a_child_whom_only_the_history_knows_counts_where_the_link_is_certain() -> None:
    def known(link: Any) -> History:
        return History(status="complete", children_known=[KnownChild(id="k1", area="westbury", link=link)])

    case = incident(place="northbury")
    assert screening.governing_area(AREAS, case, known("certain")).id == "westbury"
    assert screening.governing_area(AREAS, case, known("likely")).id == "northbury"


def test_an_area_that_is_not_ours_gives_way_to_the_next_that_is() -> None:
    case = incident(child="elsewhere", place="northbury")
    assert screening.governing_area(AREAS, case, KNOWN).id == "northbury"


def test_an_unknown_area_is_decided_by_the_stand_in_and_seen_by_all_of_the_force() -> None:
    case = incident(place="elsewhere")
    decides = screening.governing_area(AREAS, case, KNOWN)
    assert not decides.known
    assert screening.visible_to(AREAS, decides, case, receipt()) == ("northbury", "unknown", "westbury")
    assert screening.owner(decides, AREAS, "northshire") == "northbury-screening"


def test_a_force_nobody_knows_still_has_an_owner() -> None:
    decides = screening.governing_area(AREAS, incident(force="nowhere"), KNOWN)
    assert screening.owner(decides, AREAS, "nowhere") == "unknown-screening"


def test_a_case_is_seen_where_it_is_decided_and_where_it_goes() -> None:
    told = receipt(routes=[route(area="westbury"), route(area=None)])
    assert screening.visible_to(AREAS, NORTHBURY, incident(), told) == ("northbury", "westbury")


# Where it stands


def test_a_case_with_a_route_is_routed() -> None:
    assert stand(receipt(routes=[route()])) == Standing("to_route")


def test_a_case_that_nothing_could_route_has_no_recipient() -> None:
    assert stand(receipt()) == Standing("no_recipient_by_rule")


@pytest.mark.parametrize(
    "could",
    [
        {"possible": outcome(services=["childrens_services"], css_response="section_17")},
        {"consider": [{"service": "marac", "rules": []}]},
    ],
)
def test_a_case_that_could_route_is_held_by_its_team_for_one_working_day(could: dict[str, Any]) -> None:
    standing = stand(receipt(**could))
    assert (standing.state, standing.held_by) == ("held", "northbury-screening")
    assert standing.held_until == standing.waits_until == MONDAY_CLOSING
    assert standing.waits_for == ("nobody_routed",)


def test_being_decided_again_does_not_hold_a_case_for_longer() -> None:
    could = receipt(possible=outcome(services=["marac"]))
    first = stand(could)
    later = stand(could, as_of=FRIDAY_NIGHT + timedelta(days=5), before=first)
    assert later.held_until == MONDAY_CLOSING


def test_a_withdrawn_incident_is_withdrawn_whatever_it_says() -> None:
    assert stand(receipt(routes=[route()]), withdrawn=True) == Standing("withdrawn")


def test_what_needs_a_look_after_routing_is_routed_and_waits_for_a_person() -> None:
    urgent = receipt(
        routes=[route()], review={"needed": True, "when": "after_routing", "because": ["section_47"]}
    )
    standing = stand(urgent)
    assert standing.state == "to_route"
    assert standing.waits_until == MONDAY_CLOSING
    assert standing.waits_for == ("section_47",)
    assert stand(urgent, looked=True).waits_until is None
    assert stand(urgent, as_of=FRIDAY_NIGHT + timedelta(days=5), before=standing).waits_until == MONDAY_CLOSING


def test_a_person_may_leave_a_case_without_a_recipient() -> None:
    could = receipt(possible=outcome(services=["marac"]))
    assert stand(could, settled=True).state == "no_recipient_by_rule"


def test_a_child_is_possible_where_one_is_known_or_could_be() -> None:
    assert screening.child_possible(receipt(possible=outcome(child_level=1)))
    assert screening.child_possible(receipt(possible=outcome(css_response="inform")))
    assert not screening.child_possible(receipt(possible=outcome(services=["marac"])))


# What is the same again


def test_a_later_moment_alone_says_nothing_new() -> None:
    old = receipt(routes=[route()])
    new = receipt(
        as_of="2026-11-22T00:00:00Z",
        routes=[route(due="2026-11-24T17:00:00Z")],
        inputs={**old["inputs"], "previous": "sha256:9"},
    )
    assert screening.same_substance(old, new, same_history=False)


@pytest.mark.parametrize(
    "change",
    [
        {"routes": [route(response="section_47")]},
        {"result": outcome(child_level=4)},
        {"questions": [{"fact": "victim_pregnant"}]},
        {"inputs": {"incident": "sha256:1", "history": "sha256:3", "previous": None, "people": []}},
        {"inputs": {"incident": "sha256:1", "history": "sha256:2", "previous": None, "people": ["sha256:4"]}},
    ],
)
def test_anything_else_is_new(change: dict[str, Any]) -> None:
    old = receipt(routes=[route()])
    assert not screening.same_substance(old, {**old, **change}, same_history=False)


def test_a_history_looked_at_again_is_the_same_history() -> None:
    def known(as_of: Any, level: Any = "low") -> History:
        return History(status="complete", as_of=as_of, involvement=[Involvement(level=level, as_of=as_of)])

    later = FRIDAY_NIGHT + timedelta(hours=3)
    assert screening.same_history(known(FRIDAY_NIGHT), known(later))
    assert not screening.same_history(known(FRIDAY_NIGHT), known(later, "open"))


# What people may do (safeguard S14)

STANDS = outcome(child_level=3, css_response="section_17", services=["childrens_services"])


@pytest.mark.parametrize(
    "to",
    [{"child_level": 4}, {"css_response": "section_47"}, {"victim_level": "high"}, {"services": ["marac"]}],
)
def test_one_person_may_raise(to: dict[str, Any]) -> None:
    assert screening.why_no_raise(STANDS, to) is None


def test_raising_where_no_child_is_known_is_raising() -> None:
    assert screening.why_no_raise(outcome(), {"child_level": 1}) is None


@pytest.mark.parametrize("to", [{"child_level": 3}, {"services": ["childrens_services"]}, {}])
def test_saying_what_holds_already_raises_nothing(to: dict[str, Any]) -> None:
    assert screening.why_no_raise(STANDS, to) is not None


def test_raising_one_thing_does_not_lower_another_on_the_side() -> None:
    assert screening.why_no_raise(STANDS, {"child_level": 4, "css_response": "inform"}) is not None


def test_two_persons_of_two_agencies_lower_together() -> None:
    assert screening.why_not_second(act(), act(who="worker-3", agency="childrens_services")) is None


def test_a_lowering_sets_aside_what_stood_before_and_never_what_the_rules_ask_now() -> None:
    computed = outcome(child_level=2, css_response="early_help", services=["childrens_services"])
    assert screening.why_no_lowering(STANDS, computed, {}) is None
    assert screening.why_no_lowering(STANDS, computed, {"child_level": 2}) is None
    assert screening.why_no_lowering(STANDS, computed, {"child_level": 1}) is not None
    assert screening.why_no_lowering(STANDS, STANDS, {}) is not None


@pytest.mark.parametrize(
    "second",
    [
        act(who="officer-7", agency="childrens_services"),
        act(who="officer-8", agency="police"),
    ],
)
def test_nobody_lowers_alone_nor_one_agency_by_itself(second: Any) -> None:
    assert screening.why_not_second(act(), second) is not None


def test_a_proposer_writes_anew_but_neither_seconds_nor_is_corrected_by_another() -> None:
    assert screening.corrects(act(), act(reason="Looked again."))
    assert not screening.corrects(act(), act())
    assert not screening.corrects(act(), act(reason="Looked again.", confirms="a-1"))
    assert not screening.corrects(act(), act(who="worker-3", agency="childrens_services", reason="Looked."))


def test_an_acts_own_words_do_not_travel() -> None:
    said = act(kind="raise")
    assert "reason" not in said.for_readers()
    assert str(said.reason) not in said.for_engine()["because"]


def test_what_waits_or_lapsed_decides_nothing_and_agreeing_changes_nothing() -> None:
    acts = [act(standing="waiting"), act(standing="lapsed"), act(kind="confirm"), act(kind="raise")]
    assert [one.kind for one in screening.applied(acts)] == ["confirm", "raise"]
    assert [one["kind"] for one in screening.deciding(screening.applied(acts))] == ["raise"]
