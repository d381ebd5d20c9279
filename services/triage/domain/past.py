"""Facts that the history tells: counts, the last MARAC referral, a refused assessment.

Where the history is incomplete or unavailable a count has no known end. Nothing here is ever asked of
the police: the answer is social care's (design.md, promise 11).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from services.triage.domain.facts import WINDOWS
from services.triage.domain.family import Family
from services.triage.domain.values import HOLDS, NEVER, Facts, Value, exactly
from shared import vocabulary as v
from shared.areas import Area, shift_months
from shared.contracts.history import EarlierIncident, History, Pair
from shared.contracts.incident import Incident

_PHYSICAL: Final = frozenset(v.PHYSICAL_VIOLENCE)
_MEDIUM: Final = v.POLICE_LEVELS.index("medium")
_CLOSED_WITHOUT_ACTION, _ONCE_ASSESSED, _OPEN = (
    v.INVOLVEMENT_LEVELS.index(level) for level in ("low", "medium", "open")
)
_ASSESSED: Final = frozenset({"early_help", "section_17", "section_47", "open_case_updated"})
_REFUSALS: Final = ("refus", "declin", "no consent", "no_consent", "not consent", "withdrew consent")


def tell_past(
    facts: Facts, incident: Incident, history: History | None, family: Family, area: Area, *, likely: bool
) -> None:
    """Add the facts of the case that rest on what was known before."""
    earlier = [
        (area.local_day(one.occurred_at), one)
        for one in (history.incidents if history else None) or ()
        if (likely or one.link == "certain")
        and (one.reference != incident.reference or one.force != incident.force)
    ]
    open_ended = history is None or history.status != "complete" or history.incidents is None
    violent = [(day, _physical(one)) for day, one in earlier]
    grave = [_grave(one) for _, one in earlier]
    facts["earlier_violent_incidents"] = _count((found for _, found in violent), 0, open_ended)
    facts["earlier_grave_incidents"] = _count(grave, 0, open_ended)

    this = facts["physical_violence"]
    facts["violent_incidents_12_months"] = Value(
        (1 + _most_within(violent, family.on, 12, sure=True)) if this.least else 0,
        NEVER if open_ended else (1 + _most_within(violent, family.on, 12, sure=False)) if this.greatest else 0,
        this.ask,
    )
    months = area.rules.marac.escalation.months
    paired = [(day, _same_pair(one.pairs, family)) for day, one in earlier]
    least = 1 + _most_within(paired, family.on, months, sure=True)
    greatest = NEVER if open_ended else 1 + _most_within(paired, family.on, months, sure=False)
    facts["pair_incidents"] = Value(least, greatest, None if family.adults_known else "adults")
    _repeats(facts, earlier, paired, family, open_ended=open_ended)
    facts["css_involvement"] = _involvement(history, likely)
    facts["marac_referred_on"] = _marac(history, family, area.rules.marac.repeat_months, likely)
    facts["early_help_refused"] = _refused(history, likely)


def _repeats(
    facts: Facts,
    earlier: list[tuple[date, EarlierIncident]],
    paired: list[tuple[date, Value]],
    family: Family,
    *,
    open_ended: bool,
) -> None:
    """How often, per window and pair (NSPCC 2009 s9.5, s9.6). This incident is one of each."""
    all_of_them = [(day, HOLDS) for day, _ in earlier]
    ask = None if family.adults_known else "adults"
    for months in WINDOWS:
        family_ones = 1 + _most_within(all_of_them, family.on, months, sure=True)
        facts[f"family_incidents_{months}_months"] = Value(family_ones, NEVER if open_ended else family_ones)
        facts[f"pair_incidents_{months}_months"] = Value(
            1 + _most_within(paired, family.on, months, sure=True),
            NEVER if open_ended else 1 + _most_within(paired, family.on, months, sure=False),
            ask,
        )
    facts["family_incidents"] = Value(1 + len(earlier), NEVER if open_ended else 1 + len(earlier))
    this = facts["police_level"]
    least = (this.least >= _MEDIUM) + sum(_medium_risk(one).least for _, one in earlier)
    greatest = (this.greatest >= _MEDIUM) + sum(_medium_risk(one).greatest for _, one in earlier)
    facts["medium_risk_incidents"] = Value(least, NEVER if open_ended else greatest, this.ask)


def _medium_risk(one: EarlierIncident) -> Value:
    if one.police_level is None:
        return Value(False, True)
    return exactly(v.POLICE_LEVELS.index(one.police_level) >= _MEDIUM)


def _involvement(history: History | None, likely: bool) -> Value:
    """NSPCC 2009 s6.4: none, low, medium, high, open; the most of any child's record."""
    least = 0
    unsure = history is None or history.status != "complete" or history.involvement is None
    for one in (history.involvement if history else None) or ():
        if not likely and one.link != "certain":
            continue
        if one.open:
            least = _OPEN
        elif one.level is not None:
            least = max(least, v.INVOLVEMENT_LEVELS.index(one.level))
        elif one.pathways is None:
            unsure = True
        elif any(taken.pathway in _ASSESSED for taken in one.pathways):
            least = max(least, _ONCE_ASSESSED)
        elif one.pathways:
            least = max(least, _CLOSED_WITHOUT_ACTION)
    return Value(least, _OPEN if unsure else least)


def _physical(one: EarlierIncident) -> Value:
    if one.injury or one.violence_level in ("medium", "high"):
        return exactly(True)
    if one.violence is not None and not _PHYSICAL.isdisjoint(one.violence):
        return exactly(True)
    told = one.violence_level is not None or one.violence is not None
    return Value(False, not told)


def _grave(one: EarlierIncident) -> Value:
    if one.violence_level == "high" or one.injury:
        return exactly(True)
    return Value(False, one.violence_level is None and one.injury is None)


def _same_pair(pairs: list[Pair] | None, family: Family) -> Value:
    if pairs is None or not (family.adults_known and family.pairs):
        return Value(False, True)
    if any((pair.victim, pair.perpetrator) in family.pairs for pair in pairs):
        return exactly(True)
    victims, suspects = family.victim_ids, {s.id for s in family.suspects}
    half_known = any(
        (pair.victim is None and (pair.perpetrator is None or pair.perpetrator in suspects))
        or (pair.perpetrator is None and pair.victim in victims)
        for pair in pairs
    )
    return Value(False, half_known)


def _count(found: Iterable[Value], base: int, open_ended: bool) -> Value:
    least = greatest = base
    for value in found:
        least += value.least
        greatest += value.greatest
    return Value(least, NEVER if open_ended else greatest)


def _most_within(found: list[tuple[date, Value]], on: date, months: int, *, sure: bool) -> int:
    """The most that fall, together with `on`, within any span of `months` calendar months, both ends in.

    An incident accepted late may have later ones: the span may reach past it (design.md, promise 3).
    """
    days = [day for day, value in found if value[0 if sure else 1]]
    if not days:
        return 0
    most = 0
    for last in {on, *(day for day in days if day > on)}:
        first = shift_months(last, -months)
        if first <= on:
            most = max(most, sum(first <= day <= last for day in days))
    return most


def _marac(history: History | None, family: Family, months: int, likely: bool) -> Value:
    """London 2008 app. 6: within so many calendar months of the pair's last referral or of the day on which
    that was heard, both ends counted."""
    if history is None or history.status != "complete" or history.marac is None:
        greatest: date | None = family.on
    else:
        greatest = None
    least: date | None = None
    first, last = shift_months(family.on, -months), shift_months(family.on, months)
    for one in (history.marac if history else None) or ():
        if not likely and one.link != "certain":
            continue
        same = _same_pair([Pair(victim=one.victim, perpetrator=one.perpetrator)], family)
        days = [day for day in (one.referred_on, one.heard_on) if day is not None]
        day = next((day for day in days if first <= day <= last), None)
        if not same.greatest or (days and day is None):
            continue
        greatest = max(greatest or date.min, day or family.on)
        if same.least and day is not None:
            least = max(least or date.min, day)
    return Value(least, greatest)


def _refused(history: History | None, likely: bool) -> Value:
    for one in (history.involvement if history else None) or ():
        if not likely and one.link != "certain":
            continue
        for taken in one.pathways or ():
            reason = (taken.reason_closed or "").lower()
            if taken.pathway == "early_help" and any(word in reason for word in _REFUSALS):
                return exactly(True)
    complete = history is not None and history.status == "complete" and history.involvement is not None
    return Value(False, not complete)
