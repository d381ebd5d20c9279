"""Who may see a meeting's list, and as what: every agency sees each case as its role may see it.

Sources: London 2008 app. 6 (13.4.23-13.4.25: the list goes to the agencies that take part), app. 2 (restricted
cases: named staff alone); domain.md "Rules of handling".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from services.delivery.domain.case import Decided, Route
from services.delivery.domain.meetings import Listing, earlier_hearings
from services.delivery.domain.notification import compose, consent_of
from services.delivery.domain.profiles import POLICE, PROFILES, Profile, profile_of
from services.delivery.domain.restricted import REACHES_FAMILY
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.base import read_moment

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seat:
    """As what somebody sees a list. `service`: whose profile holds (None: that of the police); `staff_of`: the
    roles whose recipients name the staff that may open a restricted case; `all_actions`: whether it sees what
    every agency agreed to do, or its own alone."""

    agency: v.Attending
    service: v.Service | None
    staff_of: tuple[v.Service, ...]
    chairs: bool = False

    @property
    def profile(self) -> Profile:
        """What it may see with consent."""
        return POLICE if self.service is None else PROFILES[self.service]

    @property
    def all_actions(self) -> bool:
        """An action may say where somebody is: who may not know that sees its own alone."""
        return self.profile.whereabouts

    @property
    def sees_repeats(self) -> bool:
        """Whether it may know of earlier referrals."""
        return "marac" in self.profile.past


def _seat(agency: v.Attending, service: v.Service) -> Seat:
    return Seat(agency, service, (service,))


_OF_AGENCY: Final[Mapping[str, Seat]] = {
    "police": Seat("police", None, ("child_abuse_investigation", "sexual_offence_unit")),
    "childrens_services": _seat("childrens_services", "childrens_services"),
    "health": _seat("health", "health_visitor"),
    "education": _seat("education", "education"),
    "specialist": _seat("specialist", "specialist_domestic_abuse"),
    "idva": _seat("idva", "idva"),
}
"""By the agency of a person's key."""

_OF_ROLE: Final[Mapping[v.Service, v.Attending]] = {
    "childrens_services": "childrens_services",
    "child_abuse_investigation": "police",
    "sexual_offence_unit": "police",
    "idva": "idva",
    "child_idva": "idva",
    "specialist_domestic_abuse": "specialist",
    "multi_agency_centre": "specialist",
    "health_visitor": "health",
    "midwifery": "health",
    "education": "education",
    "camhs": "health",
    "adult_safeguarding": "adult_safeguarding",
    "housing": "housing",
    "community_safety": "community_safety",
}
"""By the role of a recipient. Never a perpetrator programme, nor a contact centre or an interpreter, who may
know the perpetrator."""


def seat_of_coordinator(kind: v.MeetingKind) -> Seat:
    """Who keeps the list."""
    return Seat("marac", kind, (kind,), chairs=True)


def seat_of_agency(agency: str | None) -> Seat | None:
    """By the agency of a person's key; None where it has no seat."""
    return _OF_AGENCY.get(agency or "")


def seat_of_role(role: v.Service, kind: v.MeetingKind, *, school: bool) -> Seat | None:
    """By a recipient's role; None where it has no seat. A single school has none: it hears of its own pupils
    by its own notice."""
    if role == kind:
        return seat_of_coordinator(kind)
    agency = None if school else _OF_ROLE.get(role)
    return _seat(agency, role) if agency is not None else None


def roles_of(agency: v.Attending, kind: v.MeetingKind) -> list[v.Service]:
    """The roles whose recipient is asked for what an agency agreed to do, the likeliest first."""
    if agency == "marac":
        return [kind]
    return [role for role, its in _OF_ROLE.items() if its == agency]


def may_open(seat: Seat, restricted: bool, named: bool) -> bool:
    """Whether somebody may be shown a case. `named`: whether they are among the named staff of their agency's
    recipient. A restricted case is for named staff alone, and never for those who meet the family or the
    community (S13; London 2008 app. 2)."""
    if not restricted:
        return True
    return named and seat.service not in REACHES_FAMILY


def concerns(seat: Seat, decided: Decided) -> bool:
    """Whether a case is on an agency's list at all: education's has those with children
    (London 2008 app. 6, "where relevant")."""
    return seat.service != "education" or decided.withdrawn or bool(decided.incident.get("children"))


def view_of(seat: Seat, decided: Decided, kind: v.MeetingKind) -> Data:
    """The case as the seat may see it: a composed notification without what belongs to a delivery."""
    route = next(
        (one for one in decided.routes if one.service == kind),
        Route(kind, (), None, None, None, "safeguarding_without_consent", ()),
    )
    children = tuple(child["id"] for child in decided.incident.get("children") or ())
    about = tuple(dict.fromkeys((*route.about, *children)))
    service = seat.service or kind
    profile = POLICE
    if seat.service is not None:
        profile = profile_of(
            seat.service,
            consent=consent_of(decided.incident),
            basis=route.basis,
            level=(decided.receipt.get("result") or {}).get("victim_level"),
        )
    composed = compose(
        decided, replace(route, service=service, about=about), seat.agency, profile=profile
    ).document
    shown = {key: composed[key] for key in ("incident", "history", "why", "handling") if composed.get(key)}
    # The reasons that sent it to this meeting, apart from all that were found.
    shown["why_here"] = [one for one in composed["why"] if one["rule"] in route.rules]
    shown["withheld"] = composed["sharing"]["withheld"]
    shown["consent"] = composed["sharing"]["consent"]
    return shown


def repeats_of(seat: Seat, decided: Decided, area: Area) -> list[date]:
    """The earlier referrals or hearings that make it a repeat; none for whom it is not to know."""
    if decided.withdrawn or not seat.sees_repeats or not decided.incident.get("occurred_at"):
        return []
    on = area.local_day(read_moment(decided.incident["occurred_at"]))
    return earlier_hearings(decided.incident, decided.history, on, area.rules.marac.repeat_months)


def see_also(view: Data, others: set[str]) -> list[str]:
    """Cases on the same list that this one's history, as it is shown, has among its earlier incidents."""
    earlier = (view.get("history") or {}).get("incidents") or ()
    found = {f"{one.get('force')}/{one.get('reference')}" for one in earlier}
    return sorted(found & others)


def changed_since_closing(listing: Listing, area: Area) -> bool:
    """Whether agencies that checked the list when it closed have checked something else."""
    closed = area.list_closes(listing.held_on, listing.kind)
    return listing.joined_at <= closed < listing.changed_at and not listing.heard
