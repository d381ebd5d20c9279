"""What can be read but cannot be true: found here, judged by the table in `rules`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from shared.contracts.incident import Child, Consent, Happened, Incident
from shared.contracts.reading.faults import Faults
from shared.contracts.reading.people import check_people
from shared.contracts.reading.relationships import check_relationships
from shared.contracts.reading.rules import CLEARLY, CLOCKS, RULES, TOMORROW
from shared.contracts.reading.validation import Places

_INVOLVED: Final = ("held_by_adult", "intervened", "assaulted", "injured")
_SEXUAL: Final = frozenset({"sexual_assault", "rape"})
_INJURING: Final = frozenset({"actual_bodily_harm", "grievous_bodily_harm", "attempted_murder", "murder"})
_VIOLENT: Final = _INJURING | _SEXUAL | {"common_assault", "strangulation"}
_OF_CHILDREN: Final = frozenset({"harm_children", "take_children"})


def check_sense(
    incident: Incident, data: dict[str, Any], places: Places, faults: Faults, now: datetime | None
) -> Incident:
    """Name what cannot be true. Gives the incident with what is treated as unknown taken out.

    `data` is what `incident` was validated from: faults quote it. Work grows with the number of entries,
    not with its square.
    """
    changed = _check_times(incident, data, faults, now)
    on = incident.occurred_at.date()
    births: dict[str, date | None] = {}
    changed |= check_people(incident, data, places, faults, on, births)
    latest = None if now is None else (now + TOMORROW).date()
    relationships = check_relationships(incident, data, places, faults, births, latest)
    if relationships is not None:
        changed["relationships"] = relationships
    if incident.children == [] and _speaks_of_a_child(incident):
        faults.add("/children", [], RULES["no_children"].because)
        changed["children"] = None
    children = changed.get("children", incident.children)
    if incident.incident is not None:
        happened = _check_happened(incident.incident, children or (), births, places, faults)
        if happened:
            changed["incident"] = incident.incident.model_copy(update=happened)
    checked = _check_children(children, incident.incident, places, faults)
    if checked is not None:
        changed["children"] = checked
    if incident.consent is not None and _given_unasked(incident.consent):
        faults.add("/consent/given", True, RULES["given_unasked"].because)
        changed["consent"] = incident.consent.model_copy(update={"given": None})
    return incident.model_copy(update=changed) if changed else incident


def _check_times(
    incident: Incident, data: dict[str, Any], faults: Faults, now: datetime | None
) -> dict[str, Any]:
    changed: dict[str, Any] = {}

    def unknown(field: str, rule: str) -> None:
        if field not in changed:
            faults.add(f"/{field}", data[field], RULES[rule].because)
            changed[field] = None

    occurred, reported = incident.occurred_at, incident.reported_at
    attended, recorded = incident.attended_at, incident.recorded_at
    if now is not None:
        if occurred - now > TOMORROW:
            faults.add("/occurred_at", data["occurred_at"], RULES["happened_in_future"].because)
        for field, moment in (("reported_at", reported), ("attended_at", attended), ("recorded_at", recorded)):
            if moment is not None and moment - now > TOMORROW:
                unknown(field, "time_in_future")
    if reported is not None and occurred - reported > CLEARLY:
        unknown("reported_at", "reported_before")
        reported = None
    if attended is not None:
        if occurred - attended > CLEARLY or (
            reported is not None and "reported_at" not in changed and reported - attended > CLOCKS
        ):
            unknown("attended_at", "attended_before")
        if incident.attended is False:
            unknown("attended", "not_attended")
    if recorded is not None and occurred - recorded > CLOCKS:
        unknown("recorded_at", "recorded_before")
    return changed


def _speaks_of_a_child(incident: Incident) -> bool:
    happened = incident.incident
    return incident.caller == "child" or (
        happened is not None
        and (
            "child_cruelty" in (happened.offences or ()) or not _OF_CHILDREN.isdisjoint(happened.threats or ())
        )
    )


def _check_happened(
    happened: Happened,
    children: list[Child] | tuple[()],
    known: dict[str, date | None],
    places: Places,
    faults: Faults,
) -> dict[str, Any]:
    changed: dict[str, Any] = {}

    def unknown(field: str, said: Any, rule: str) -> None:
        faults.add(f"/incident/{field}", said, RULES[rule].because)
        changed[field] = None

    violence = happened.violence or ()
    offences = happened.offences or ()
    if happened.strangulation is False and ("strangulation" in violence or "strangulation" in offences):
        unknown("strangulation", False, "no_strangulation")
    if happened.sexual_offence is False and ("sexual" in violence or not _SEXUAL.isdisjoint(offences)):
        unknown("sexual_offence", False, "no_sexual_offence")
    if happened.stalking is False and "stalking" in offences:
        unknown("stalking", False, "no_stalking")
    if happened.property_damaged is False and "criminal_damage" in offences:
        unknown("property_damaged", False, "no_damage")
    if happened.weapons == [] and "weapon" in violence:
        unknown("weapons", [], "no_weapons")
    uses = {weapon.use for weapon in happened.weapons or ()}
    if happened.threats == [] and ("threats_to_kill" in offences or "threatened" in uses):
        unknown("threats", [], "no_threats")
    if happened.violence == [] and (
        happened.injuries
        or happened.strangulation
        or not uses.isdisjoint(("used", "injured"))
        or not _VIOLENT.isdisjoint(offences)
    ):
        unknown("violence", [], "no_violence")
    if happened.injuries == [] and (
        any(child.injured for child in children) or "injured" in uses or not _INJURING.isdisjoint(offences)
    ):
        unknown("injuries", [], "no_injuries")
    for name, end, rule in (("injuries", "to", "stranger_injured"), ("weapons", "by", "stranger_armed")):
        entries: Any = getattr(happened, name)
        corrected: list[Any] | None = None
        for i, entry in enumerate(entries or ()):
            who = getattr(entry, end)
            if who is not None and who not in known:
                faults.add(f"{places.of(f'/incident/{name}', i)}/{end}", who, RULES[rule].because)
                corrected = list(entries) if corrected is None else corrected
                corrected[i] = entry.model_copy(update={end: None})
        if corrected is not None:
            changed[name] = corrected
    return changed


def _check_children(
    children: list[Child] | None, happened: Happened | None, places: Places, faults: Faults
) -> list[Child] | None:
    """The children with what contradicts that they were there or hurt taken out; None: nothing to change."""
    if not children:
        return None
    hurt = {injury.to for injury in happened.injuries or ()} if happened is not None else set()
    corrected: list[Child] | None = None
    for i, child in enumerate(children):
        changed: dict[str, Any] = {}
        involved = child.id in hurt or any(getattr(child, sign) for sign in _INVOLVED)
        if child.presence == "not_on_premises" and involved:
            faults.add(
                f"{places.of('/children', i)}/presence", child.presence, RULES["absent_but_involved"].because
            )
            changed["presence"] = None
        if child.injured is False and child.id in hurt:
            faults.add(f"{places.of('/children', i)}/injured", False, RULES["unhurt_but_injured"].because)
            changed["injured"] = None
        if changed:
            corrected = list(children) if corrected is None else corrected
            corrected[i] = child.model_copy(update=changed)
    return corrected


def _given_unasked(consent: Consent) -> bool:
    return consent.given is True and consent.asked is False
