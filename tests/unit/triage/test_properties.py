"""The four statements of design.md, "A protocol", against the running engine.

More risk lowers neither `result` nor `possible`; an answer never lowers `result` nor raises `possible`;
`result` <= `possible`; likely links only raise. Signs that say the opposite of the field made for the same
thing (an offence of strangulation beside `strangulation: false`) are no answers and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.domain.engine import Case, Panel, Summary, as_it_could_be, as_it_stands, judge
from services.triage.domain.facts import FACTS, PARAMETERS, Fact
from services.triage.domain.family import Family, Member
from services.triage.domain.protocol import rule_book
from services.triage.domain.values import NEVER, Facts, Value, exactly
from shared import vocabulary as v
from shared.contracts.history import History
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import LIBRARY, SAFEGUARDS, child, decided, earlier, history, raw

PROTOCOLS = tuple(LIBRARY.protocols.values())
PANEL = Panel(PROTOCOLS, SAFEGUARDS)
CALM = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def not_below(higher: Mapping[str, Any], lower: Mapping[str, Any]) -> bool:
    """Whether one outcome is at least another on every ladder, in services and in handling."""
    return (
        (-1 if higher["child_level"] is None else higher["child_level"])
        >= (-1 if lower["child_level"] is None else lower["child_level"])
        and v.VICTIM_LEVELS.index(higher["victim_level"]) >= v.VICTIM_LEVELS.index(lower["victim_level"])
        and v.CSS_RESPONSES.index(higher["css_response"]) >= v.CSS_RESPONSES.index(lower["css_response"])
        and {*higher["services"]} >= {*lower["services"]}
        and {*higher["handling"]} >= {*lower["handling"]}
    )


# ---- facts ----------------------------------------------------------------------------------------------


def steps(fact: Fact) -> list[Any]:
    """Some values of a fact, from least to most risk."""
    match fact.kind:
        case "yes_no":
            return [False, True]
        case "count":
            return [0, 1, 2, 3, 14, NEVER]
        case "months":
            return [NEVER, 200, 84, 83, 12, 11, 0]
        case "days":
            return [NEVER, 36_500, 30, 0]
        case "level":
            return list(range(len(fact.scale)))
        case "words":
            return [frozenset(fact.scale[:n]) for n in range(len(fact.scale) + 1)]
        case "day":
            return [None, date(2026, 2, 3), date(2026, 10, 1)]
        case _:
            return [(), ("c1",)]


@st.composite
def intervals(draw: st.DrawFn) -> tuple[dict[str, Value], dict[str, Value]]:
    """Facts, and the same facts with more risk in some of them."""
    calmer, graver = {}, {}
    for name, fact in FACTS.items():
        scale = steps(fact)
        least = draw(st.integers(0, len(scale) - 1)) if draw(st.booleans()) else 0
        greatest = draw(st.integers(least, len(scale) - 1))
        calmer[name] = graver[name] = Value(scale[least], scale[greatest])
        if fact.direction != "eligibility" and draw(st.integers(0, 4)) == 0:
            more = draw(st.integers(least, len(scale) - 1))
            most = draw(st.integers(max(more, greatest), len(scale) - 1))
            graver[name] = Value(scale[more], scale[most])
    return calmer, graver


def a_case(facts: Facts, *, child_known: bool) -> Case:
    member = Member("c1", "c1")
    family = Family(date(2026, 11, 20), (), (), True, frozenset(), (member,), frozenset())
    facts = {**facts, **dict.fromkeys(PARAMETERS, exactly(3))}
    return Case(family, facts, ((member, facts),) if child_known else ())


def plain(summary: Summary) -> dict[str, Any]:
    return summary._asdict() | {
        "victim_level": v.VICTIM_LEVELS[summary.victim_level],
        "css_response": v.CSS_RESPONSES[summary.css_response],
    }


@CALM
@given(pair=intervals(), child_known=st.booleans())
def test_more_risk_lowers_neither_what_is_nor_what_could_be_under_any_protocol(
    pair: tuple[Facts, Facts], child_known: bool
) -> None:
    calm, grave = (PANEL.weigh(a_case(facts, child_known=child_known)) for facts in pair)
    for protocol, (result, possible), (more, most) in zip(PROTOCOLS, calm, grave, strict=True):
        assert not_below(plain(more), plain(result)), protocol.ref
        assert not_below(plain(most), plain(possible)), protocol.ref
        assert not_below(plain(possible), plain(result)), protocol.ref


@CALM
@given(pair=intervals(), child_known=st.booleans())
def test_rules_tried_all_at_once_come_to_what_they_come_to_one_by_one(
    pair: tuple[Facts, Facts], child_known: bool
) -> None:
    case = a_case(pair[1], child_known=child_known)
    for protocol, weighed in zip(PROTOCOLS, PANEL.weigh(case), strict=True):
        judged = judge(rule_book(protocol, SAFEGUARDS), case)
        assert weighed == (as_it_stands(judged), as_it_could_be(judged)), protocol.ref


# ---- incidents ------------------------------------------------------------------------------------------

FLAG = (False, True)
OPEN: dict[str, tuple[Any, ...]] = {
    "attended": FLAG,
    "caller": ("victim", "child", "neighbour"),
    "relationships": (
        [{"from": "a2", "to": "a1", "kind": "partner"}],
        [{"from": "a2", "to": "a1", "kind": "ex_partner", "separated_on": "2026-11-01"}],
        [{"from": "a2", "to": "a1", "kind": "ex_partner"}],
    ),
    "incident__violence": (["verbal"], ["push"], ["verbal", "controlling"], ["burn"], ["punch", "weapon"]),
    "incident__weapons": ([], [{"kind": "knife", "use": "shown"}], [{"kind": "knife", "use": "injured"}], [{}]),
    "incident__injuries": (
        [],
        [{"to": "a1", "severity": "minor", "treated": False}],
        [{"to": "a1"}],
        [{"to": "a1", "severity": "life_threatening"}],
    ),
    "incident__threats": ([], ["harm"], ["kill"], ["suicide"], ["weapon", "take_children"]),
    "incident__strangulation": FLAG,
    "incident__sexual_offence": FLAG,
    "incident__property_damaged": FLAG,
    "incident__stalking": FLAG,
    "incident__contact_dispute": FLAG,
    "incident__honour_based": FLAG,
    "incident__forced_marriage": FLAG,
    "incident__animals_harmed": FLAG,
    "incident__escalating": FLAG,
    "adults__0__pregnant": FLAG,
    "adults__0__needs": ([], ["autism"]),
    "adults__0__factors": ([], ["mental_health"]),
    "adults__1__controlling": FLAG,
    "adults__1__orders_breached": ([], ["non_molestation"]),
    "children__0__born": ("2016-05-01", "2021-05-01", "2026-05-01", "2027-01-01"),
    "children__0__presence": ("not_on_premises", "asleep", "heard"),
    "children__0__intervened": FLAG,
    "children__0__threatened": FLAG,
    "children__0__assaulted": FLAG,
    "children__0__needs": ([], ["autism"]),
    "risk__level": ("standard", "medium", "high"),
    "risk__yes_answers": (3, 13, 14),
    "risk__concern": FLAG,
    "consent__given": FLAG,
}
FAMILIES: tuple[Any, ...] = (
    [],
    [child("c1")],
    [child("c1", born=None, presence=None), child("c2", born="2026-05-01")],
)
CHILD_FIELDS = {path for path in OPEN if path.startswith("children__")}


@st.composite
def told(draw: st.DrawFn) -> dict[str, Any]:
    """What an incident tells: some fields unknown, some quiet, some not."""
    changes: dict[str, Any] = {}
    for path, values in OPEN.items():
        kind = draw(st.integers(0, 3))
        if kind == 0:
            changes[path] = None
        elif kind == 1:
            changes[path] = draw(st.sampled_from(values))
    if draw(st.integers(0, 4)) == 0:
        changes = {path: value for path, value in changes.items() if path not in CHILD_FIELDS}
        changes["children"] = deepcopy(draw(st.sampled_from((None, *FAMILIES))))
    return changes


@st.composite
def pasts(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Entries of a history, each of which may be certain or only likely."""
    incidents = [
        earlier(
            f"NS-0{i}",
            draw(st.sampled_from(("2024-01-01T20:00:00Z", "2026-01-01T20:00:00Z", "2026-10-01T20:00:00Z"))),
            violence=draw(st.sampled_from((None, ["verbal"], ["push"]))),
            violence_level=draw(st.sampled_from((None, "high"))),
            injury=None,
        )
        for i in range(draw(st.integers(0, 3)))
    ]
    marac = [
        {"victim": "a1", "perpetrator": draw(st.sampled_from(("a2", "a9", None))), "referred_on": day}
        for day in draw(st.lists(st.sampled_from(("2025-01-01", "2026-02-03", None)), max_size=2))
    ]
    known = [
        {"id": f"k{i}", "child": who, "born": born, "area": "northbury"}
        for i, (who, born) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from((None, "c1")), st.sampled_from((None, "2012-01-01", "2026-03-01"))
                    ),
                    max_size=2,
                )
            )
        )
    ]
    refused = [
        {"child": "c1", "pathways": [{"pathway": "early_help", "reason_closed": reason}]}
        for reason in draw(st.lists(st.sampled_from(("refused", "completed")), max_size=1))
    ]
    return {"incidents": incidents, "marac": marac, "children_known": known, "involvement": refused}


def decide_told(changes: dict[str, Any], known: History) -> dict[str, Any]:
    return decided(read_incident(raw(**deepcopy(changes))).incident, known)


def linked(past: dict[str, list[dict[str, Any]]], links: Mapping[tuple[str, int], str]) -> History:
    """The history with its entries linked as said; those not named are left out."""
    return history(
        **{
            name: [{**one, "link": links[name, i]} for i, one in enumerate(ones) if (name, i) in links]
            for name, ones in past.items()
        }
    )


@CALM
@given(changes=told(), past=pasts(), data=st.data())
def test_what_is_never_exceeds_what_could_be(
    changes: dict[str, Any], past: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    entries = [(name, i) for name, ones in past.items() for i in range(len(ones))]
    links = {entry: data.draw(st.sampled_from(("certain", "likely"))) for entry in entries}
    body = decide_told(changes, linked(past, links))
    assert not_below(body["possible"], body["result"])
    assert (body["doubt"] is None) or not_below(body["result"], body["doubt"]["without"])


@CALM
@given(changes=told(), data=st.data())
def test_an_answer_never_lowers_the_result_nor_raises_what_is_possible(
    changes: dict[str, Any], data: st.DataObject
) -> None:
    unknown = [path for path, value in changes.items() if value is None]
    if not unknown:
        return
    path = data.draw(st.sampled_from(unknown))
    answer = data.draw(st.sampled_from(FAMILIES if path == "children" else OPEN[path]))
    before = decide_told(changes, history())
    after = decide_told({**changes, path: answer}, history())
    assert not_below(after["result"], before["result"])
    assert not_below(before["possible"], after["possible"])


@CALM
@given(changes=told(), past=pasts())
def test_a_history_that_comes_back_lowers_no_result_and_raises_nothing_possible(
    changes: dict[str, Any], past: dict[str, list[dict[str, Any]]]
) -> None:
    past = {**past, "children_known": []}  # a child that the police left out is news, not an answer
    everything = {(name, i): "certain" for name, ones in past.items() for i in range(len(ones))}
    before, after = decide_told(changes, History()), decide_told(changes, linked(past, everything))
    assert not_below(after["result"], before["result"])
    assert not_below(before["possible"], after["possible"])


@CALM
@given(changes=told(), past=pasts(), data=st.data())
def test_likely_links_only_raise_and_all_of_them_at_least_as_much_as_any(
    changes: dict[str, Any], past: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    entries = [(name, i) for name, ones in past.items() for i in range(len(ones))]
    some, all_of_them = {}, {}
    for entry in entries:
        kind = data.draw(st.sampled_from(("certain", "likely", "likely, in both")))
        all_of_them[entry] = "certain" if kind == "certain" else "likely"
        if kind != "likely":
            some[entry] = all_of_them[entry]
    fewer, more = decide_told(changes, linked(past, some)), decide_told(changes, linked(past, all_of_them))
    assert not_below(more["result"], fewer["result"])
    assert not_below(more["possible"], fewer["possible"])


@CALM
@given(changes=told(), later=told())
def test_no_second_decision_falls_below_the_first(changes: dict[str, Any], later: dict[str, Any]) -> None:
    first = decide_told(changes, history())
    second = decided(read_incident(raw(**deepcopy(later))).incident, history(), previous=first)
    assert not_below(second["result"], first["result"])
    routed = {(one["service"], one["area"]) for one in second["routes"]}
    assert {(one["service"], one["area"]) for one in first["routes"]} <= routed


@CALM
@given(changes=told())
def test_every_question_names_something_unknown_that_could_change_the_result(changes: dict[str, Any]) -> None:
    body = decide_told(changes, history())
    if not body["questions"]:
        return
    assert body["possible"] != body["result"] or all(
        set(question["would_add"]) <= {"consider"} for question in body["questions"]
    )
    assert all(question["would_add"] for question in body["questions"])


@CALM
@given(changes=told())
def test_where_more_is_possible_something_is_asked(changes: dict[str, Any]) -> None:
    body = decide_told(changes, history())
    if body["possible"] != body["result"]:
        assert body["questions"]
