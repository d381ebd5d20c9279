"""Need to know: what each role sees of a case, and what nobody sees."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from services.delivery.domain import fields, profile_table
from services.delivery.domain.notification import completed, compose, for_stand_in, view_of_document
from services.delivery.domain.profiles import PROFILES, profile_of
from services.delivery.domain.projection import Shown, show
from shared import vocabulary as v
from shared.contracts.base import Contract
from shared.contracts.history import History
from shared.contracts.incident import Adult, Child, Incident
from shared.contracts.notification import Notification
from shared.privacy import about
from tests.builders import an_incident
from tests.unit.delivery.builders import NOON, a_receipt, a_route, decided, route

WHEREABOUTS = {
    "childrens_services", "child_abuse_investigation", "marac", "idva", "child_idva",
    "specialist_domestic_abuse", "multi_agency_centre", "victim_support",
}  # fmt: skip
"""Those who may learn where the victim is (London 2008 s17.1.4-5; NSPCC 2009 s6.5.2)."""

HISTORY: dict[str, Any] = {
    "schema": "waymark.history/1",
    "status": "complete",
    "as_of": "2026-11-21T01:15:02Z",
    "incidents": [
        {"force": "northshire", "reference": "NS-OLD", "occurred_at": "2026-08-02T20:10:00Z",
         "pairs": [{"victim": "a1", "perpetrator": "a2"}], "children": ["c1"], "violence": ["sexual", "push"],
         "link": "certain"},
        {"force": "northshire", "reference": "NS-LIKELY", "occurred_at": "2026-07-02T20:10:00Z",
         "link": "likely"},
    ],
    "involvement": [{"child": "c1", "level": "open", "open": True, "worker": "Team 4", "link": "certain"}],
    "marac": [{"victim": "a1", "perpetrator": "a2", "referred_on": "2026-02-03", "link": "likely"}],
    "children_known": [{"id": "k9", "child": None, "born": "2020-02-02", "link": "certain"}],
}  # fmt: skip


def a_full_incident(**changes: Any) -> dict[str, Any]:
    """Every kind of detail about a victim, a suspect and two children at different schools."""
    incident = deepcopy(an_incident(**changes))
    victim, suspect = incident["adults"]
    victim |= {
        "ethnicity": "white_british", "pregnant": True, "disabilities": ["hearing"], "interpreter": "welsh",
        "no_recourse_to_public_funds": True, "occupation": "teacher", "pnc_id": "2001/0000001A",
    }  # fmt: skip
    victim["phones"] = [
        {"number": "07700 900123", "safe": True, "when": "school hours"},
        {"number": "07700 900666", "safe": False},
    ]
    suspect |= {
        "phones": [{"number": "07700 900777"}], "controlling": True, "criminal_history": ["violence"],
        "bail_conditions": ["not to go to 14 Mill Lane"], "orders_in_force": ["non_molestation"],
        "programme_willing": True, "pnc_id": "2009/0123456X",
    }  # fmt: skip
    incident["children"][0] |= {
        "address": {"line1": "14 Mill Lane", "postcode": "NB4 2QT"}, "voice": "I was scared.",
        "needs": ["autism"], "ethnicity": "white_british",
    }  # fmt: skip
    incident["children"].append(
        {"id": "c2", "name": {"given": "Cerys", "family": "Doyle"}, "born": "2012-03-02",
         "school": {"name": "Northbury High", "urn": "100006"}, "presence": "heard"}
    )  # fmt: skip
    incident["incident"] |= {"violence": ["push", "sexual"], "injuries": [{"to": "a1", "severity": "minor"}]}
    incident["risk"] |= {"heightened_concern": "He knows where she works.", "judgement": "Afraid."}
    incident["protective"] = ["trusted_adult"]
    incident["faults"] = [{"at": "/adults/0/born", "said": "07.03", "because": "not a date"}]
    return incident


def seen_by(
    service: str, *, incident: dict[str, Any] | None = None, about_: tuple[str, ...] = ("c1",)
) -> Shown:
    return show(incident or a_full_incident(), deepcopy(HISTORY), profile_of(service), about_)  # type: ignore[arg-type]


def text(shown: Shown) -> str:
    return orjson.dumps([shown.incident, shown.history]).decode()


def test_every_field_of_the_contracts_is_put_into_a_group_or_shown_to_nobody() -> None:
    named = {
        **fields.group_of(fields.ABOUT_THE_CASE),
        **{f"adults.{path}": group for path, group in fields.group_of(fields.ABOUT_AN_ADULT).items()},
        **{f"children.{path}": group for path, group in fields.group_of(fields.ABOUT_A_CHILD).items()},
        **fields.NOBODY_SEES,
    }
    of_incident = {path for path, _ in fields.leaves(Incident)}
    assert sorted(of_incident - set(named)) == []
    assert sorted(set(named) - of_incident) == []
    of_history = {path for path, _ in fields.leaves(History)}
    assert sorted(of_history ^ set(fields.group_of(fields.ABOUT_THE_PAST))) == []


def test_every_role_has_a_profile_made_of_groups_that_exist() -> None:
    assert set(PROFILES) == set(get_args(v.Service))
    for profile in PROFILES.values():
        assert profile.case <= set(fields.ABOUT_THE_CASE)
        assert profile.past <= set(fields.ABOUT_THE_PAST)
        for groups in (profile.victim, profile.suspect, profile.other):
            assert (groups or frozenset()) <= set(fields.ABOUT_AN_ADULT)
        assert (profile.child or frozenset()) <= set(fields.ABOUT_A_CHILD)


class Extended(Adult):
    """An adult of a newer contract: one field that nobody classed, one that nobody put into a group."""

    religion: str | None = None
    shoe_size: Annotated[int | None, about("adult", "personal")] = None


def test_a_new_field_is_withheld_until_somebody_says_who_may_see_it() -> None:
    groups = fields.group_of(fields.ABOUT_AN_ADULT)
    plan = fields.plan_for(Extended, lambda path, _: path in groups)
    assert plan["religion"] is False
    assert plan["shoe_size"] is False
    assert plan["born"] is True


def test_a_field_that_nobody_classed_is_withheld_even_if_its_name_is_allowed() -> None:
    class Unclassed(Contract):
        born: str | None = None

    assert fields.plan_for(Unclassed, lambda *_: True) == {"born": False}


@pytest.mark.parametrize("service", get_args(v.Service))
def test_what_a_newer_sender_adds_is_withheld_and_recorded(service: str) -> None:
    incident = a_full_incident(religion="told")
    incident["adults"][1]["tattoo"] = "told"
    shown = seen_by(service, incident=incident)
    assert "told" not in text(shown)
    if service != "perpetrator_programme":
        assert "religion" in {entry["field"] for entry in shown.withheld}


@pytest.mark.parametrize("service", get_args(v.Service))
def test_only_those_who_protect_her_learn_where_the_victim_is(service: str) -> None:
    found = text(seen_by(service))
    assert ("14 Mill Lane" in found) == (service in WHEREABOUTS)
    assert ("07700 900123" in found) == (service in WHEREABOUTS)
    assert "with_victim" not in found or service in WHEREABOUTS


def test_a_profile_written_wrongly_still_leads_nobody_to_her_door() -> None:
    careless = replace(PROFILES["health_visitor"], victim=frozenset({"identity", "contact"}))
    scene = replace(careless, case=careless.case | {"scene"})
    found = text(show(a_full_incident(), HISTORY, scene, ("c1",)))
    assert "Sian" in found
    assert "Mill Lane" not in found
    assert "07700 900123" not in found
    programme = PROFILES["perpetrator_programme"]
    careless = replace(programme, case=programme.case | {"called", "family", "done"})
    found = text(show(a_full_incident(), HISTORY, careless, ("a2",)))
    assert "neighbour" not in found
    assert "relationships" not in found
    assert "victim_moved_to_safety" not in found


@pytest.mark.parametrize("service", get_args(v.Service))
def test_a_number_that_is_not_safe_is_shown_to_nobody(service: str) -> None:
    assert "07700 900666" not in text(seen_by(service))


@pytest.mark.parametrize("service", get_args(v.Service))
def test_a_link_that_is_only_likely_is_neither_shown_nor_mentioned(service: str) -> None:
    shown = seen_by(service)
    everything = text(shown) + orjson.dumps(shown.withheld).decode()
    assert "NS-LIKELY" not in everything
    assert "marac" not in shown.history
    assert "history.marac" not in everything


def test_a_perpetrator_programme_gets_nothing_of_the_victim_nor_of_a_child() -> None:
    shown = seen_by("perpetrator_programme", about_=("a2",))
    assert [adult["id"] for adult in shown.incident["adults"]] == ["a2"]
    found = text(shown)
    for word in (
        "a1",
        "c1",
        "Sian",
        "Hughes",
        "Owen",
        "Cerys",
        "Mill Lane",
        "NB4",
        "injur",
        "neighbour",
        "NS-OLD",
    ):
        assert word not in found
    assert "07700 900777" in found
    assert set(shown.incident) == {
        "schema", "force", "reference", "revision", "withdrawn", "test", "area", "occurred_at", "reported_at",
        "attended", "attended_at", "recorded_at", "actions", "adults",
    }  # fmt: skip


@pytest.mark.parametrize("role", ["both", None])
def test_who_is_a_victim_too_or_may_be_one_is_not_shown_to_a_perpetrator_programme(role: str | None) -> None:
    incident = a_full_incident()
    incident["adults"][1]["role"] = role
    assert "adults" not in seen_by("perpetrator_programme", incident=incident).incident


def test_a_shared_address_is_the_victims_and_stays_out_of_the_suspects_entry() -> None:
    incident = a_full_incident()
    incident["adults"][1]["address"] = {"line1": "14 Mill lane ", "town": "Northbury", "postcode": "nb42qt"}
    shown = seen_by("perpetrator_programme", incident=incident)
    assert "address" not in shown.incident["adults"][0]


def test_a_school_is_told_of_its_own_child_and_of_no_other() -> None:
    shown = seen_by("education", about_=("c1",))
    (child,) = shown.incident["children"]
    assert child["name"] == {"given": "Owen", "family": "Hughes"}
    assert (child["born"], child["voice"], child["presence"]) == ("2017-05-16", "I was scared.", "another_room")
    assert "needs" not in child
    found = text(shown)
    for word in ("Cerys", "c2", "Sian", "Mark", "sexual", "NS-OLD", "pregnant", "Team 4"):
        assert word not in found
    assert shown.incident["adults"] == [{"id": "a1", "role": "victim"}, {"id": "a2", "role": "suspect"}]
    assert shown.incident["incident"]["violence"] == ["push"]
    assert {"from": "a1", "to": "c1", "kind": "parent"} in shown.incident["relationships"]


def test_a_child_that_the_police_did_not_name_is_not_told_to_another_childs_school() -> None:
    assert "k9" not in text(seen_by("camhs", about_=("c1",)))
    assert "k9" in text(seen_by("childrens_services"))


def test_childrens_services_see_the_whole_of_it_but_the_police_computers_number() -> None:
    shown = seen_by("childrens_services")
    assert {entry["field"] for entry in shown.withheld} == {
        "adults[a1].pnc_id", "adults[a1].phones", "adults[a2].pnc_id", "faults.said",
    }  # fmt: skip
    assert shown.history["involvement"][0]["worker"] == "Team 4"
    assert "2009/0123456X" in text(seen_by("child_abuse_investigation"))


def test_what_is_left_out_does_not_look_like_known_to_be_none() -> None:
    incident = a_full_incident()
    incident["incident"]["violence"] = ["sexual"]
    incident["adults"][0]["phones"] = [{"number": "07700 900666", "safe": False}]
    school = seen_by("education", incident=incident).incident
    assert "violence" not in school["incident"]
    assert "phones" not in seen_by("idva", incident=incident).incident["adults"][0]
    assert "injuries" not in seen_by("joint_visit", incident=_without_victim(incident)).incident["incident"]


def _without_victim(incident: dict[str, Any]) -> dict[str, Any]:
    """Her entry could not be read; what happened to her is still there under her id."""
    return {**incident, "adults": incident["adults"][1:]}


def test_nobody_known_to_be_there_and_nobody_shown_are_not_the_same() -> None:
    assert seen_by("marac", incident=an_incident(children=[])).incident["children"] == []
    assert "children" not in seen_by("marac", incident=an_incident(children=...)).incident
    assert "children" not in seen_by("camhs", about_=("c9",)).incident
    assert "children" not in seen_by("housing", incident=an_incident(children=[])).incident


def told(service: str, *, given: bool | None, level: str = "medium", basis: str = "prevention_of_harm") -> str:
    incident = a_full_incident(consent={"asked": True, "given": given})
    receipt = a_receipt([a_route(service)])
    receipt["result"]["victim_level"] = level
    asked = decided(
        a_route(service, basis=basis), incident=incident, history=deepcopy(HISTORY), receipt=receipt
    )
    return orjson.dumps(compose(asked, asked.routes[0], "somebody").document).decode()


@pytest.mark.parametrize(
    "service", ["idva", "specialist_domestic_abuse", "multi_agency_centre", "victim_support"]
)
def test_without_consent_a_victims_service_gets_what_it_needs_to_reach_her_and_no_more(service: str) -> None:
    for given in (False, None):
        found = told(service, given=given)
        assert "07700 900123" in found
        assert "Mark" not in found
        assert "push" not in found
        assert "no consent" in found
    assert "no consent" not in told(service, given=True)
    assert "no consent" not in told(service, given=False, level="high")
    assert "no consent" in told(service, given=False, level="high", basis="consent")


@pytest.mark.parametrize("service", ["childrens_services", "child_abuse_investigation", "marac"])
def test_the_duty_to_the_child_does_not_depend_on_consent(service: str) -> None:
    assert "Mark" in told(service, given=False, basis="consent")


def test_where_consent_is_the_only_basis_and_is_missing_others_see_the_reference_alone() -> None:
    found = told("housing", given=False, basis="consent")
    assert "Sian" not in found
    assert "NS-2026-000001" in found


def test_a_perpetrator_programme_is_not_even_told_what_there_is_to_be_known_of_her() -> None:
    asked = decided(a_route("perpetrator_programme", about=["a2"]), incident=a_full_incident())
    sharing = compose(asked, asked.routes[0], "programme").document["sharing"]
    assert sharing["consent"] == "unknown"
    assert sharing["withheld"] == [{"field": "incident", "because": "nothing of the victim"}]


def test_a_stand_in_of_another_role_sees_what_both_may_see() -> None:
    asked = decided(a_route(), incident=a_full_incident(), history=deepcopy(HISTORY))
    sent = compose(asked, asked.routes[0], "css").document
    same = for_stand_in(sent, asked.routes[0], "edt").document
    assert view_of_document({**same, "to": sent["to"]}) == view_of_document(sent)
    other = for_stand_in(sent, route("education", about=["c1"]), "school").document
    assert other["to"]["role"] == "education"
    assert "Mill Lane" not in orjson.dumps(other).decode()
    assert [child["id"] for child in other["incident"]["children"]] == ["c1"]


@pytest.mark.parametrize("service", get_args(v.Service))
def test_a_notification_is_what_the_contract_says(service: str) -> None:
    asked = decided(a_route(service), incident=a_full_incident(), history=deepcopy(HISTORY))
    document = completed(
        compose(asked, route(service), "somebody"),
        delivery="d-1",
        version=1,
        due=NOON,
        receipts="http://delivery.test/v1/deliveries/d-1/receipts",
        replaces=None,
        why_again=None,
        trace=None,
    )
    read = Notification.model_validate(document)
    assert read.as_json() == Notification.model_validate(read.as_json()).as_json()
    Incident.model_validate({"occurred_at": "2026-11-20T22:40:00Z", **document["incident"]})
    History.model_validate(document["history"])
    assert set(document) - {"test", "withdrawn"} <= {
        field.alias or name for name, field in Notification.model_fields.items()
    }


def test_orders_and_relationships_of_the_past_name_only_people_whom_the_role_is_shown() -> None:
    past = {
        **deepcopy(HISTORY),
        "orders": [{"person": "a2", "order": "restraining", "breached": True, "told_on": "2026-08-02"}],
        "relationships": [
            {"from": "a1", "to": "a2", "kind": "ex_partner", "told_first": "2026-08-02"},
            {"from": "a1", "to": "k9", "kind": "parent", "told_first": "2026-08-02"},
        ],
        "repeats": [{"months": 6, "incidents": 1, "pairs": [{"victim": "a1", "perpetrator": "p-1"}]}],
        "escalating": ["graver"],
    }

    def told(service: str) -> dict[str, Any]:
        asked = decided(a_route(service, about=["c1"]), incident=a_full_incident(), history=deepcopy(past))
        shown: dict[str, Any] = compose(asked, asked.routes[0], "somebody").document["history"]
        return shown

    whole = told("childrens_services")
    assert (len(whole["orders"]), len(whole["relationships"]), whole["escalating"]) == (1, 2, ["graver"])
    assert "pairs" not in whole["repeats"][0]
    assert "relationships" not in told("idva")
    assert told("idva")["orders"] == whole["orders"]
    for service in ("education", "health_visitor", "perpetrator_programme"):
        assert not {"orders", "relationships", "repeats", "escalating"} & told(service).keys()


def test_what_is_new_of_the_past_is_told_to_those_who_may_see_it() -> None:
    def told(service: str) -> list[str] | None:
        routed = a_route(service, about=["c1"])
        first = decided(routed, incident=a_full_incident(), history={"status": "complete", "incidents": []})
        then = decided(routed, incident=a_full_incident(), history=deepcopy(HISTORY))
        made = completed(
            compose(then, then.routes[0], "somebody"),
            delivery="d-2",
            version=2,
            due=NOON,
            receipts="http://delivery.test/v1/deliveries/d-2/receipts",
            replaces="d-1",
            why_again="late_knowledge",
            trace=None,
            before=compose(first, first.routes[0], "somebody").document,
        )
        news: list[str] | None = made["news"]
        return news

    told_to_social_care = " ".join(told("childrens_services") or [])
    assert "not known before" in told_to_social_care
    assert "children's services" in told_to_social_care
    assert "children's services" not in " ".join(told("idva") or [])
    assert not told("perpetrator_programme")


def test_reasons_of_other_rules_stay_with_those_who_decide_on_the_child() -> None:
    asked = decided(a_route("education", about=["c1"]), a_route())
    school = compose(asked, asked.routes[0], "school").document
    css = compose(asked, asked.routes[1], "css").document
    assert [why["rule"] for why in school["why"]] == ["safeguards/1#school-told"]
    assert len(css["why"]) == 2
    assert school["questions_open"] == []
    assert css["questions_open"] == ["victim_pregnant"]


def test_doubt_is_told_and_nothing_of_the_other_record() -> None:
    asked = decided(receipt=a_receipt([a_route()], doubt={"with": "NS-LIKELY"}))
    document = compose(asked, asked.routes[0], "css").document
    assert document["why"][-1]["rule"] == "waymark/doubt"
    assert "NS-LIKELY" not in orjson.dumps(document).decode()


def test_a_view_does_not_change_with_version_questions_or_the_moment_of_looking() -> None:
    first = decided(history=deepcopy(HISTORY))
    second = decided(
        version=2,
        incident=an_incident(revision=2),
        history={**deepcopy(HISTORY), "as_of": "2026-12-01T00:00:00Z"},
        receipt=a_receipt([a_route()], questions=[]),
    )
    third = decided(history={**deepcopy(HISTORY), "incidents": []})
    views = [view_of_document(compose(one, one.routes[0], "css").document) for one in (first, second, third)]
    assert views[0] == views[1]
    assert views[0] != views[2]
    assert "due" not in views[0]["asked"]


def test_a_withdrawal_carries_nothing_but_that_it_is_one() -> None:
    asked = decided(state="withdrawn", incident=a_full_incident())
    document = compose(asked, asked.routes[0], "css").document
    assert document["incident"] == {
        "schema": "waymark.incident/1", "force": "northshire", "reference": "NS-2026-000001", "withdrawn": True
    }  # fmt: skip
    assert (document["history"], document["why"], document["withdrawn"]) == ({}, [], True)


def test_the_children_of_the_contracts_are_read_as_children() -> None:
    assert {path for path, _ in fields.leaves(Child)} == set(fields.group_of(fields.ABOUT_A_CHILD))


def test_the_page_of_profiles_is_what_notifications_are_made_by() -> None:
    page = (Path(__file__).parents[3] / "docs" / "need-to-know.md").read_text(encoding="utf-8")
    assert page == profile_table.page(), "run: waymark recipients profiles -o docs/need-to-know.md"


CONSENTS = ("given", "not_given", "unknown")
CLOSED = frozenset({"id", "role", "schema", "from", "to", "kind", "force", "reference", "violence"})
"""Fields that are read to decide what is shown, or that name the case: they keep their values."""


@hypothesis.given(
    role=st.sampled_from(sorted(PROFILES)), consent=st.sampled_from(CONSENTS), words=st.integers(0)
)
def test_nothing_outside_the_profile_gets_into_a_notification_whatever_is_written(
    role: v.Service, consent: str, words: int
) -> None:
    """Every text of the incident is a word of its own. One that arrives, wherever in the notification, has to
    be of a field that the role's plan shows."""
    profile = profile_of(role, consent=consent, basis="consent")
    written: dict[str, str] = {}
    incident = marked(a_full_incident(), written, f"zq{words}x")
    shown = show(incident, HISTORY, profile, ["c1"])
    told = orjson.dumps([shown.incident, shown.history, shown.withheld]).decode()
    allowed = {
        f"{part}.{path}"
        for part in ("case", "victim", "suspect", "other", "child")
        if (plan := profile_table.plan_of(profile, part)) is not None
        for path in fields.shown_in(plan)
    }
    assert {path for word, path in written.items() if word in told} <= allowed


def marked(incident: dict[str, Any], written: dict[str, str], word: str) -> dict[str, Any]:
    """The incident with a word of its own for each text that people write; `written`: the field of each."""
    kinds = {"suspect": "suspect", "victim": "victim", "both": "victim", None: "victim"}
    rest = {key: value for key, value in incident.items() if key not in ("adults", "children")}
    return {
        **_marked(rest, written, f"{word}a", "case"),
        "adults": [
            _marked(one, written, f"{word}b{i}", kinds.get(one.get("role"), "other"))
            for i, one in enumerate(incident["adults"])
        ],
        "children": [
            _marked(one, written, f"{word}c{i}", "child") for i, one in enumerate(incident["children"])
        ],
    }


def _marked(value: Any, written: dict[str, str], word: str, path: str) -> Any:
    if isinstance(value, dict):
        return {
            key: inner if key in CLOSED else _marked(inner, written, f"{word}k{i}", f"{path}.{key}")
            for i, (key, inner) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_marked(inner, written, f"{word}l{i}", path) for i, inner in enumerate(value)]
    if isinstance(value, str):
        written[f"{word}y"] = path
        return f"{word}y"
    return value
