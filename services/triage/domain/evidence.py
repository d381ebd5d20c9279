"""Facts that the incident itself tells, as intervals.

Where several fields tell the same thing, any one of them is enough for yes; the field made for it
decides between no and unknown. So a box ticked `false` is not made unknown by a list left out, and an
offence that says more than the box is believed (NSPCC 2009 s5.10.4: records disagree).
"""

from __future__ import annotations

from typing import Final

from services.triage.domain.facts import INJURIES, ORDERS, WEAPONS
from services.triage.domain.family import Family
from services.triage.domain.people import tell_people
from services.triage.domain.values import HOLDS, NEVER, NO_WORDS, Facts, Value, any_of, exactly, sign, yes_no
from shared import vocabulary as v
from shared.contracts.incident import Happened, Incident, Injury, Risk

NOTHING_SAID: Final = Happened()
LONG_AGO: Final = 36_500
"""Days since a separation whose date nobody wrote down: it has happened, and may be long ago."""

_PHYSICAL: Final = frozenset(v.PHYSICAL_VIOLENCE)
_GRAVE: Final = frozenset({"burn", "weapon", "strangulation", "sexual"})
_ALL_VIOLENCE: Final = frozenset(v.VIOLENCE)
_ALL_THREATS: Final = frozenset(v.THREATS)
_ALL_ORDERS: Final = frozenset(ORDERS)
_VIOLENCE_OF: Final = {
    "strangulation": "strangulation", "rape": "sexual", "sexual_assault": "sexual", "harassment": "harassment",
    "stalking": "harassment", "controlling_or_coercive": "controlling", "emotional_abuse": "controlling",
    "verbal_abuse": "verbal",
}  # fmt: skip
_THREAT_OF: Final = {"threats_to_kill": "kill", "threatening_behaviour": "harm"}
_ASSAULTS: Final = frozenset(
    {"common_assault", "actual_bodily_harm", "grievous_bodily_harm", "attempted_murder", "murder"}
)
_INJURY_OF: Final = {
    "actual_bodily_harm": 1, "grievous_bodily_harm": 3, "attempted_murder": 4, "murder": 4,
}  # fmt: skip
_SHOWN, _THREATENED, _USED = (WEAPONS.index(use) for use in ("shown", "threatened", "used"))
_PARTED: Final = frozenset({"ex_partner", "ex_spouse"})


def tell(incident: Incident, family: Family) -> Facts:
    """The facts of the case that need no history."""
    facts: Facts = {}
    _what_happened(facts, incident.incident or NOTHING_SAID, family)
    _separation(facts, incident, family)
    _assessment(facts, incident.risk)
    tell_people(facts, incident, family)
    facts["protective"] = exactly(frozenset(incident.protective or ()))
    return facts


def _what_happened(facts: Facts, said: Happened, family: Family) -> None:
    broken = family.broken
    offences = frozenset(said.offences or NO_WORDS)
    told = frozenset(said.violence or NO_WORDS)
    words = told.union(_VIOLENCE_OF[o] for o in offences if o in _VIOLENCE_OF) if offences else told
    open_ended = said.violence is None or "/incident/violence" in broken
    violence = Value(words, _ALL_VIOLENCE, "violence") if open_ended else Value(words, words)

    words = frozenset(said.threats or NO_WORDS)
    words = words.union(_THREAT_OF[o] for o in offences if o in _THREAT_OF)
    open_ended = said.threats is None or "/incident/threats" in broken
    threats = Value(words, _ALL_THREATS, "threats") if open_ended else Value(words, words)

    injury = _injury(said.injuries, offences, "/incident/injuries" in broken)
    weapon = _weapon(said, violence, threats, "/incident/weapons" in broken)
    strangulation = sign(said.strangulation, "strangulation", "strangulation" in violence.least)
    facts["violence"] = violence
    facts["threats"] = threats
    facts["injury_severity"] = injury
    facts["weapon_use"] = weapon
    facts["strangulation"] = strangulation
    facts["physical_violence"] = _physical(violence, injury, weapon, strangulation, offences)
    facts["violence_level"] = _violence_level(facts)
    facts["sexual_violence"] = sign(said.sexual_offence, "serious_sexual_offence", "sexual" in violence.least)
    facts["serious_sexual_offence"] = sign(
        said.sexual_offence, "serious_sexual_offence", "rape" in offences or "sexual_assault" in offences
    )
    facts["property_damaged"] = sign(said.property_damaged, "property_damaged", "criminal_damage" in offences)
    facts["stalking"] = sign(said.stalking, "stalking", "harassment" in violence.least)
    facts["contact_dispute"] = yes_no(said.contact_dispute, "contact_dispute")
    facts["separation_intended"] = yes_no(said.separation_intended, "separation_intended")
    facts["honour_based"] = yes_no(said.honour_based, "honour_based")
    facts["forced_marriage"] = yes_no(said.forced_marriage, "forced_marriage")
    facts["animals_harmed"] = yes_no(said.animals_harmed, "animals_harmed")
    facts["escalating"] = yes_no(said.escalating, "escalating")
    controlled = [Value("controlling" in violence.least, "controlling" in violence.greatest, "violence")]
    controlled += [yes_no(suspect.controlling, "controlling_behaviour") for suspect in family.suspects]
    facts["controlling_behaviour"] = any_of(controlled)
    facts["suicide_threatened"] = any_of(
        (
            Value("suicide" in threats.least, "suicide" in threats.greatest, "threats"),
            exactly(any("suicide_threat" in (s.factors or ()) for s in family.suspects)),
        )
    )
    facts["orders_breached"] = _orders(family, offences)


def _injury(said: list[Injury] | None, offences: frozenset[str], broken: bool) -> Value:
    least = max((_INJURY_OF.get(offence, 0) for offence in offences), default=0)
    greatest = len(INJURIES) - 1 if said is None or broken else least
    for one in said or ():
        low = 2 if one.treated else 1
        high = len(INJURIES) - 1
        if one.severity is not None:
            low = max(low, INJURIES.index(one.severity))
            high = max(low, 2) if one.treated is None else low
        least, greatest = max(least, low), max(greatest, high)
    return Value(least, greatest, "injury_severity" if least < greatest else None)


def _weapon(said: Happened, violence: Value, threats: Value, broken: bool) -> Value:
    most = len(WEAPONS) - 1
    least = greatest = 0
    ask = None
    for one in said.weapons or ():
        use = None if one.use is None else WEAPONS.index(one.use)
        least = max(least, use or 1)
        greatest = max(greatest, use or most)
    if said.weapons is None or broken:
        greatest = most
    if greatest > least:
        ask = "weapon_use"
    for words, signs, use in ((violence, ("weapon",), _USED), (threats, ("weapon", "fire"), _THREATENED)):
        if any(word in words.least for word in signs):
            least, greatest = max(least, use), max(greatest, use)
        elif use > greatest and any(word in words.greatest for word in signs):
            greatest, ask = use, ask or words.ask
    return Value(least, greatest, ask if greatest > least else None)


def _physical(
    violence: Value, injury: Value, weapon: Value, strangulation: Value, offences: frozenset[str]
) -> Value:
    if offences & _ASSAULTS or violence.least & _PHYSICAL:
        return HOLDS
    return any_of(
        (
            Value(False, not _PHYSICAL.isdisjoint(violence.greatest), violence.ask),
            Value(injury.least > 0, injury.greatest > 0, injury.ask),
            Value(weapon.least >= _USED, weapon.greatest >= _USED, weapon.ask),
            strangulation,
        )
    )


def _violence_level(facts: Facts) -> Value:
    """NSPCC 2009 box 10; a weapon shown or more, strangulation and sexual violence count as high."""
    ends: list[int] = []
    for at in (Value.at_least, Value.at_greatest):
        high = (
            at(facts["injury_severity"]) > 0
            or not {"kill", "suicide"}.isdisjoint(at(facts["threats"]))
            or not _GRAVE.isdisjoint(at(facts["violence"]))
            or at(facts["weapon_use"]) >= _SHOWN
            or at(facts["strangulation"])
        )
        ends.append(2 if high else 1 if at(facts["physical_violence"]) else 0)
    if ends[0] == ends[1]:
        return Value(ends[0], ends[1])
    asks = (
        facts[name].ask for name in ("violence", "injury_severity", "threats", "weapon_use", "strangulation")
    )
    return Value(ends[0], ends[1], next((ask for ask in asks if ask), None))


def _orders(family: Family, offences: frozenset[str]) -> Value:
    words: set[str] = set()
    open_ended = not family.suspects
    for suspect in family.suspects:
        words.update(suspect.orders_breached or ())
        open_ended = open_ended or suspect.orders_breached is None
    if "breach_of_bail" in offences:
        words.add("bail")
    if "breach_of_injunction" in offences:
        words.add("injunction")
    least = frozenset(words)
    return Value(least, _ALL_ORDERS, "orders_breached") if open_ended else Value(least, least)


def _separation(facts: Facts, incident: Incident, family: Family) -> None:
    days = Value(NEVER, NEVER)
    told = False
    for one in incident.relationships or ():
        if (one.from_, one.to) not in family.pairs and (one.to, one.from_) not in family.pairs:
            continue
        if one.kind is None and one.separated_on is None:
            continue
        told = True
        if one.separated_on is not None and one.separated_on <= family.on:
            since = (family.on - one.separated_on).days
            days = Value(min(days.least, since), min(days.greatest, since))
        elif one.kind in _PARTED and one.separated_on is None:
            days = Value(min(days.least, LONG_AGO), 0, "days_since_separation")
    if not told:
        days = Value(NEVER, 0, "days_since_separation")
    facts["days_since_separation"] = days
    facts["separated"] = Value(days.least != NEVER, days.greatest != NEVER, days.ask)


def _assessment(facts: Facts, risk: Risk | None) -> None:
    if risk is None:
        # One question for the whole assessment, not three.
        facts["police_level"] = Value(0, len(v.POLICE_LEVELS) - 1, "police_level")
        facts["dash_yes_answers"] = Value(0, NEVER, "police_level")
        facts["assessor_concern"] = Value(False, True, "police_level")
        return
    if risk.level is None:
        facts["police_level"] = Value(0, len(v.POLICE_LEVELS) - 1, "police_level")
    else:
        facts["police_level"] = exactly(v.POLICE_LEVELS.index(risk.level))
    if risk.tool not in (None, "dash"):
        facts["dash_yes_answers"] = exactly(0)
    elif risk.yes_answers is None:
        facts["dash_yes_answers"] = Value(0, NEVER, "dash_yes_answers")
    else:
        facts["dash_yes_answers"] = exactly(risk.yes_answers)
    concern = yes_no(risk.concern, "assessor_concern")
    if concern is HOLDS and not (risk.judgement or risk.heightened_concern):
        # MARAC takes a judgement with its reason written down (London 2008 app. 6): ask for the reason.
        concern = Value(False, True, "assessor_concern")
    facts["assessor_concern"] = concern
