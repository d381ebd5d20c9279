"""The police's own view of an event, in the shape of the incident contract."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

from waymark.simulate.deck import chance, draw
from waymark.simulate.events import Event
from waymark.simulate.families import Person
from waymark.simulate.narrative import tell
from waymark.simulate.profile import Profile

_CALLERS = {"perpetrator": "suspect"}
_ROLES = {"victim_and_suspect": ("victim", "suspect"), "two_victims": ("victim", "victim"),
          "both_arrested": ("both", "both")}  # fmt: skip
_LANGUAGES = {
    "black_african": ("Somali", "French", "Yoruba"),
    "asian": ("Urdu", "Punjabi", "Bengali"),
    "dark_european": ("Polish", "Romanian", "Portuguese"),
    "arab": ("Arabic",),
}


def write_report(
    rng: Random, profile: Profile, event: Event, left_out: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The incident without its reference, and whose id is whose: part of the family by incident id.

    What nobody recorded is not there at all (unknown).
    """
    ids = {event.victim: "a1", event.suspect: "a2"}
    children = [child for child in event.family.children if child.part != left_out]
    ids |= {child.part: f"c{place}" for place, child in enumerate(children, start=1)}
    incident = {
        "schema": "waymark.incident/1",
        "force": event.family.site.force,
        "reference": "",
        "revision": 1,
        "withdrawn": False,
        "test": False,
        "occurred_at": moment(event.occurred),
        "reported_at": moment(event.reported) if event.report_time_known else None,
        "attended": event.attended,
        "attended_at": moment(event.attended_at) if event.attended_at else None,
        "recorded_at": moment(event.recorded),
        "area": event.family.site.area,
        "place": _place(rng, profile, event),
        "caller": _CALLERS.get(event.caller, event.caller),
        "summary": tell(rng, event),
        "adults": _adults(rng, profile, event),
        "children": [_child(rng, profile, event, child, ids[child.part]) for child in children],
        "relationships": _relationships(rng, profile, event, children, ids),
        "incident": _happened(event, ids),
        "risk": event.risk and said(event.risk),
        "actions": said(event.actions),
        "consent": event.consent and said(event.consent),
    }
    return said(incident), {incident_id: part for part, incident_id in ids.items()}


def moment(local: datetime) -> str:
    """UTC, ISO 8601 with Z, to the second."""
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that nobody filled in."""
    return {name: value for name, value in fields.items() if value is not None}


def home(event: Event, part: str) -> dict[str, str]:
    """Where that person lived at the time: families that moved did so after their first incident."""
    family = event.family
    before_the_move = family.earlier_address and family.incidents > 1 and event.repeat == 1
    hers = family.earlier_address if before_the_move and family.earlier_address else family.address
    if part != "man" or family.lives_together:
        return dict(hers)
    return dict(family.man_address)


def _place(rng: Random, profile: Profile, event: Event) -> dict[str, Any]:
    if event.by_telephone:
        return {"kind": "telephone"}
    if event.place == "victims_home":
        kind = "shared_home" if event.family.lives_together else "victim_home"
        return {"kind": kind, "address": home(event, event.victim)}
    if event.place == "public_place":
        return {"kind": "public_place", "address": {"town": event.family.site.town}}
    kind = draw(rng, profile.shares("assumed", "public_or_other_place"))
    if kind == "suspect_home" and event.family.lives_together:
        kind = "relative_home"
    return said({"kind": kind, "address": home(event, event.suspect) if kind == "suspect_home" else None})


def _adults(rng: Random, profile: Profile, event: Event) -> list[dict[str, Any]]:
    roles = _ROLES[event.recorded_as]
    adults = [
        _adult(rng, profile, event, event.person(part), incident_id, role)
        for part, incident_id, role in zip((event.victim, event.suspect), ("a1", "a2"), roles, strict=True)
    ]
    if event.relative_hurt:
        adults.append({"id": "a3", "role": "relative", "sex": rng.choice(("female", "male"))})
    return adults


def _adult(
    rng: Random, profile: Profile, event: Event, person: Person, incident_id: str, role: str
) -> dict[str, Any]:
    site = event.site
    facts = event.adults.get(person.part, {})
    victim = role in ("victim", "both")
    recorded = chance(rng, profile.number("assumed", "ethnicity_adult_recorded"))
    # The north's form has tick boxes for drink and drugs; the south's has none, so there silence says nothing.
    factors = event.factors.get(person.part) or ([] if site == "north" else None)
    may_bear = person.sex == "female" and event.family.age(person, event.reported.date()) < 50
    asked = may_bear and chance(rng, profile.number("assumed", "pregnancy_asked"))
    foreign = person.ethnicity in _LANGUAGES and chance(
        rng, 2.5 * profile.number("assumed", "interpreter", site)
    )
    return said(
        {
            "id": incident_id,
            "role": role,
            "name": {"given": person.given, "family": person.family},
            "born": person.born.isoformat(),
            "sex": person.sex,
            "ethnicity": person.ethnicity if recorded else None,
            "address": home(event, person.part),
            "area": event.family.site.area,
            "phones": [{"number": person.phone, "safe": True if chance(rng, 0.5) else None}]
            if person.phone
            else None,
            "pregnant": facts.get("pregnant", False if asked else None) if victim else None,
            "disabilities": [] if victim and chance(rng, 0.5) else None,
            "interpreter": rng.choice(_LANGUAGES[person.ethnicity]) if victim and foreign else None,
            "no_recourse_to_public_funds": (
                True
                if person.ethnicity in _LANGUAGES
                and chance(rng, 2.5 * profile.number("assumed", "no_recourse", site))
                else None
            ),
            "factors": factors,
            "criminal_history": _criminal_history(rng, profile, role, site),
            "bail_conditions": facts.get("bail_conditions"),
            "orders_in_force": facts.get("orders_in_force"),
            "orders_breached": facts.get("orders_breached"),
            "pnc_id": person.pnc_id if role != "victim" and (site == "south" or chance(rng, 0.4)) else None,
        }
    )


def _criminal_history(rng: Random, profile: Profile, role: str, site: str) -> list[str] | None:
    """Table 31: only the south's form carries a trace of criminal records."""
    if role == "victim" or site != "south":
        return None
    share = profile.number("assumed", "criminal_history")
    return ["violence"] if chance(rng, share) else ["theft"] if chance(rng, share) else []


def _child(rng: Random, profile: Profile, event: Event, child: Person, incident_id: str) -> dict[str, Any]:
    site = event.site
    children = profile.number("cohort", "children")
    no_sex = profile.number("child_sex", "not_recorded") / children
    no_ethnicity = profile.number("child_ethnic_appearance", "not_recorded") / children
    with_address = chance(rng, profile.number("assumed", "address_recorded", f"{site}_child"))
    with_school = child.school and chance(rng, profile.number("assumed", "school_recorded", site))
    return said(
        {
            "id": incident_id,
            "name": {"given": child.given, "family": child.family},
            "born": child.born.isoformat(),
            "sex": None if chance(rng, no_sex) else child.sex,
            "ethnicity": None if chance(rng, no_ethnicity) else child.ethnicity,
            "address": home(event, child.part) if with_address else None,
            "area": event.family.site.area if with_address else None,
            "whereabouts": "with_victim" if event.victim == "woman" and with_address else None,
            "school": dict(child.school) if with_school and child.school else None,
            "home_educated": False if with_school else None,
            "needs": list(child.needs) or None,
            "presence": event.presence[child.part],
            **event.children[child.part],
        }
    )


def _relationships(
    rng: Random, profile: Profile, event: Event, children: list[Person], ids: dict[str, str]
) -> list[dict[str, Any]]:
    family = event.family
    kind = "spouse" if family.married else "partner"
    dated = not family.current and chance(rng, profile.number("assumed", "separated_on_recorded"))
    relationships = [
        said(
            {
                "from": "a2",
                "to": "a1",
                "kind": kind if family.current else f"ex_{kind}",
                "separated_on": family.separated_on.isoformat() if dated and family.separated_on else None,
                "lives_together": family.lives_together,
            }
        )
    ]
    for child in children:
        if family.tie == "unclear":
            continue
        relationships.append({"from": ids["woman"], "to": ids[child.part], "kind": "parent"})
        if family.tie == "other_adult_unknown":
            continue
        his = (
            "parent"
            if child.mans_child
            else "step_parent"
            if family.married and family.current
            else "parents_partner"
        )
        relationships.append({"from": ids["man"], "to": ids[child.part], "kind": his})
    return relationships


def _happened(event: Event, ids: dict[str, str]) -> dict[str, Any]:
    happened = dict(event.happened)
    happened["weapons"] = [{**weapon, "by": ids[weapon["by"]]} for weapon in happened["weapons"]]
    happened["injuries"] = [
        said({**injury, "to": ids[injury["to"]]}) for injury in happened["injuries"] if injury["to"] in ids
    ]
    if event.relative_hurt:
        happened["injuries"].append({"to": "a3", "severity": "minor", "treated": False})
    return said(happened)
