"""Every field of an incident and of a history, put by name into one group that profiles speak of.

A field that is not named here is withheld from everybody until somebody says where it belongs, and so is
one whose contract does not class it (`shared/privacy.py`). The class is a second lock: a profile that may
not see anyone's whereabouts sees no field classed `contact`, whatever group it was put into.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin

from shared.contracts.base import Contract
from shared.privacy import About

ABOUT_THE_CASE: Final[Mapping[str, str]] = {
    "ref": "schema force reference revision withdrawn test area",
    "when": "occurred_at reported_at attended attended_at recorded_at",
    "where": "place.kind",
    "scene": "place.address.line1 place.address.line2 place.address.town place.address.postcode",
    "called": "caller",
    "narrative": "summary risk.judgement risk.heightened_concern",
    "happened": (
        "incident.violence incident.weapons.kind incident.weapons.use incident.weapons.by incident.threats "
        "incident.property_damaged incident.stalking incident.contact_dispute "
        "incident.animals_harmed incident.escalating"
    ),
    "plans": "incident.separation_intended",
    "intimate": "incident.strangulation incident.sexual_offence incident.offences",
    "honour": "incident.honour_based incident.forced_marriage",
    "injuries": "incident.injuries.to incident.injuries.severity incident.injuries.treated",
    "risk": "risk.tool risk.level risk.yes_answers risk.concern",
    "protective": "protective",
    "arrest": "actions.arrested actions.charged",
    "done": "actions.victim_moved_to_safety actions.referrals actions.section_47_referral",
    "consent": "consent.asked consent.given consent.aware",
    "faults": "faults.at faults.because",
    "family": (
        "relationships.from relationships.to relationships.kind relationships.separated_on "
        "relationships.lives_together"
    ),
}

ABOUT_AN_ADULT: Final[Mapping[str, str]] = {
    "structure": "id role",
    "identity": "name.given name.family name.also_known_as born",
    "person": "sex area",
    "contact": (
        "address.line1 address.line2 address.town address.postcode phones.number phones.safe phones.when"
    ),
    "ethnicity": "ethnicity",
    "pregnancy": "pregnant",
    "health": "disabilities needs",
    "factors": "factors",
    "support": "interpreter no_recourse_to_public_funds",
    "conduct": "controlling orders_in_force orders_breached",
    "bail": "bail_conditions",
    "willing": "programme_willing",
    "record": "criminal_history",
    "occupation": "occupation",
    "police_id": "pnc_id",
}

ABOUT_A_CHILD: Final[Mapping[str, str]] = {
    "structure": "id",
    "identity": "name.given name.family name.also_known_as born sex",
    "contact": "address.line1 address.line2 address.town address.postcode whereabouts",
    "area": "area",
    "school": "school.name school.urn home_educated",
    "ethnicity": "ethnicity",
    "health": "disabilities needs",
    "presence": ("presence called_for_help intervened held_by_adult threatened assaulted injured distressed"),
    "voice": "voice",
}

ABOUT_THE_PAST: Final[Mapping[str, str]] = {
    "ref": "schema status as_of",
    "earlier": (
        "incidents.force incidents.reference incidents.occurred_at incidents.pairs.victim "
        "incidents.pairs.perpetrator incidents.children incidents.children_present incidents.police_level "
        "incidents.violence_level incidents.violence incidents.injury incidents.child_level "
        "incidents.notified_css incidents.link repeats.months repeats.incidents repeats.by_police_level "
        "repeats.by_violence_level repeats.pairs.victim repeats.pairs.perpetrator repeats.pairs.incidents "
        "escalating"
    ),
    "involvement": "involvement.child involvement.level involvement.open involvement.as_of "
    "involvement.source_as_of involvement.stale involvement.link",
    "social_care": (
        "involvement.worker involvement.pathways.pathway involvement.pathways.from involvement.pathways.to "
        "involvement.pathways.reason_closed involvement.plans involvement.re_referrals "
        "involvement.stop_start"
    ),
    "marac": "marac.victim marac.perpetrator marac.referred_on marac.heard_on marac.link",
    "children": (
        "children_known.id children_known.child children_known.born children_known.area "
        "children_known.school.name children_known.school.urn children_known.homes children_known.link"
    ),
    "orders": "orders.person orders.order orders.breached orders.told_on orders.link",
    "relationships": (
        "relationships.from relationships.to relationships.kind relationships.lives_together "
        "relationships.separated_on relationships.told_first relationships.told_last relationships.ended "
        "relationships.recorded relationships.link"
    ),
}

NOBODY_SEES: Final[Mapping[str, str]] = {
    "faults.said": "As written, unread: it can hold anything about anybody.",
}
"""Fields of an incident that were considered and are shown to nobody, with the reason."""


def group_of(table: Mapping[str, str]) -> dict[str, str]:
    """Per field path its group."""
    return {path: group for group, paths in table.items() for path in paths.split()}


Whole = frozenset[str]
"""A thing of plain fields that is shown whole: the fields that it may have."""

Plan = dict[str, "bool | Plan | Whole"]
"""Per field as named on the wire: shown, withheld, looked into, or looked into and shown whole."""

Allowed = Callable[[str, About], bool]


def plan_for(model: type[Contract], allowed: Allowed, prefix: str = "") -> Plan:
    """What of `model` is shown where `allowed(path, class)` says so. A field without a class is not.

    A field that holds another contract is looked into, whatever its own class: its parts are classed.
    """
    plan: Plan = {}
    for name, field in model.model_fields.items():
        wire = field.alias or name
        path = f"{prefix}{wire}"
        inner = contract_in(field.annotation)
        classed = model.field_class(name)
        if classed is None:
            plan[wire] = False
        elif inner is not None:
            deeper = plan_for(inner, allowed, f"{path}.")
            if all(shown is True for shown in deeper.values()):
                plan[wire] = frozenset(deeper)
            else:
                plan[wire] = deeper if any_shown(deeper) else False
        else:
            plan[wire] = allowed(path, classed)
    return plan


def any_shown(plan: Plan) -> bool:
    """Whether the plan shows anything at all."""
    return any(
        shown is True or isinstance(shown, frozenset) or (isinstance(shown, dict) and any_shown(shown))
        for shown in plan.values()
    )


def contract_in(annotation: Any) -> type[Contract] | None:
    """The contract that a field holds (by itself, in a list, or unknown); None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return annotation
    if get_origin(annotation) in (list, Union, types.UnionType, typing.Annotated):
        for part in get_args(annotation):
            found = contract_in(part)
            if found is not None:
                return found
    return None


def leaves(model: type[Contract], prefix: str = "") -> Iterator[tuple[str, About | None]]:
    """Every field of a contract down to plain values: its path on the wire and its class."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        inner = contract_in(field.annotation)
        if inner is not None:
            yield from leaves(inner, f"{path}.")
        else:
            yield path, model.field_class(name)


def shown_in(plan: Plan, prefix: str = "") -> frozenset[str]:
    """The paths of the plain fields that a plan shows."""
    found: set[str] = set()
    for name, shown in plan.items():
        path = f"{prefix}{name}"
        if shown is True:
            found.add(path)
        elif isinstance(shown, frozenset):
            found |= {f"{path}.{inner}" for inner in shown}
        elif isinstance(shown, dict):
            found |= shown_in(shown, f"{path}.")
    return frozenset(found)
