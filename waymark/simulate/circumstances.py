"""What was done to whom: violence, weapons, injuries, threats, offences, and what was known of the adults.

Held to NSPCC 2009 tables 17, 18, 27 and s4.4, s4.8-4.12, and to box 10 throughout: `none_low` is words,
`medium` is force without an injury to anybody but the one who used it, `high` is an injury inflicted, a
weapon, or a threat to kill.

Where the source's own counts cannot all hold, box 10 does: table 17 has 70 victims hurt in incidents of
which box 10 leaves room for 65, so a few fewer are hurt here; hurt officers have no place in the contract
and are written as relatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from waymark.simulate.deck import chance, deal, draw, pick
from waymark.simulate.events import Event
from waymark.simulate.profile import Profile

MEDIUM_FORCE = {"push": 60, "slap": 12, "object_thrown": 12, "hair_pulled": 6, "other_physical": 20}
HIGH_FORCE = {"punch": 40, "push": 30, "kick": 18, "slap": 18, "hair_pulled": 10, "other_physical": 8,
              "object_thrown": 8, "bite": 4, "burn": 1}  # fmt: skip
STRANGLED = 0.08
"""Of the severe incidents; the source tells of several and counts none (s4.9 box 9, s5.3.3, s6.4)."""


def set_violence(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Violence, weapons, threats and injuries of every event."""
    scale = len(events) / profile.number("cohort", "incidents")
    for event in events:
        event.happened = {"violence": ["verbal"], "weapons": [], "injuries": [], "threats": []}
        event.children = {child.part: {} for child in event.family.children}
        if event.by_telephone:
            event.happened["violence"].append("harassment")
        elif chance(rng, 0.08):
            event.happened["violence"].append("controlling")
        if event.level == "medium":
            _add_force(rng, event, MEDIUM_FORCE, 0.25)
    high = [event for event in events if event.level == "high"]
    _threaten_to_kill(rng, profile, high, scale)
    _arm(rng, profile, high, scale)
    _hurt(rng, profile, events, high, scale)
    _threaten(rng, events, scale)


def _add_force(rng: Random, event: Event, kinds: dict[str, int], more: float) -> None:
    done = event.happened["violence"]
    done.append(draw(rng, kinds))
    while chance(rng, more):
        kind = draw(rng, kinds)
        if kind not in done:
            done.append(kind)


def _hitting(event: Event) -> bool:
    """Not only words: somebody was there to be hit."""
    return not event.by_telephone


def _threaten_to_kill(rng: Random, profile: Profile, high: list[Event], scale: float) -> None:
    """Table 27; the category was the north's. The severe telephone call is one of them (s5.3.3)."""
    calls = [event for event in high if event.by_telephone]
    there = [event for event in high if event.site == "north" and not event.by_telephone]
    count = profile.number("offences_identified", "threats_to_kill") * scale - len(calls)
    for event in (*calls, *pick(rng, there, max(0.0, count))):
        event.happened["threats"].append("kill")


def _arm(rng: Random, profile: Profile, high: list[Event], scale: float) -> None:
    """s4.9 and s4.11: 23 incidents with a weapon, 8 with a knife, a child there at 19."""
    weapon = profile.shares("weapon")
    there = weapon["children_present_when_weapon"]
    able = [event for event in high if _hitting(event)]
    armed = pick(rng, [event for event in able if event.present], there * scale)
    armed += pick(rng, [event for event in able if not event.present], (weapon["any"] - there) * scale)
    both = weapon["knife"] + weapon["other"] - weapon["any"]
    sets = {"knife": weapon["knife"] - both, "both": both, "other": weapon["other"] - both}
    for event, what in zip(armed, deal(rng, sets, len(armed)), strict=True):
        kinds = ["knife"] if what in ("knife", "both") else []
        if what in ("other", "both"):
            kinds.append(draw(rng, {"blunt": 8, "household": 6, "other": 3, "vehicle": 1}))
        by = event.victim if event.recorded_as == "victim_and_suspect" and chance(rng, 0.1) else event.suspect
        for kind in kinds:
            use = draw(rng, {"shown": 7, "threatened": 9, "used": 3, "injured": 4})
            if by == event.victim and use == "injured":
                use = "shown"
            event.happened["weapons"].append({"kind": kind, "use": use, "by": by})
        uses = {weapon["use"] for weapon in event.happened["weapons"]}
        if uses & {"used", "injured"}:
            event.happened["violence"].append("weapon")
        if "threatened" in uses:
            event.happened["threats"].append("weapon")


def _hurt(rng: Random, profile: Profile, events: Sequence[Event], high: list[Event], scale: float) -> None:
    """Table 17. Injuries to others make an incident severe (box 10); the rest of the 78 incidents are
    suspects who hurt themselves or were hurt in turn."""
    children_hurt = profile.number("injured_people", "child") * scale
    # Two in the source's month are severe by a threat or a weapon alone (s4.10 box 11, s5.3.3).
    armed = [e for e in high if {w["use"] for w in e.happened["weapons"]} & {"shown", "threatened"}]
    unhurt_armed = pick(rng, [e for e in armed if "weapon" not in e.happened["violence"]], scale)
    spared = {id(event) for event in unhurt_armed}
    hurt = [event for event in high if not event.by_telephone and id(event) not in spared]
    for event in hurt:
        _add_force(rng, event, HIGH_FORCE, 0.45)
        if chance(rng, STRANGLED):
            event.happened["violence"].append("strangulation")
    with_child = pick(rng, [e for e in hurt if any(e.presence.values()) and e.present], children_hurt)
    alone = {id(event) for event in pick(rng, with_child, len(with_child) / 3)}
    for event in with_child:
        _hurt_child(rng, event)
    for event in hurt:
        if id(event) not in alone:
            _injure(rng, event, event.victim)
        if event.recorded_as == "both_arrested" and chance(rng, 0.5):
            _injure(rng, event, event.suspect)
    relatives = profile.number("injured_people", "relative") + profile.number("injured_people", "officer")
    rest = [event for event in hurt if len(event.happened["injuries"]) == 1]
    for event in pick(rng, rest, relatives * scale):
        event.relative_hurt = True
    # s6.4, table 17: suspects hurt, alone where nobody else was, so that 78 incidents in all have an injury.
    own_hand = [e for e in events if e.level == "medium" and e.recorded_as == "victim_and_suspect"]
    alone_count = profile.number("injured_in_incident") * scale - len(hurt)
    for event in pick(rng, own_hand, max(0.0, alone_count)):
        _injure(rng, event, event.suspect)
    pairs = [e for e in hurt if e.recorded_as == "victim_and_suspect" and len(e.happened["injuries"]) == 1]
    together = profile.number("injured_people", "perpetrator") * scale - max(0.0, alone_count)
    for event in pick(rng, pairs, max(0.0, together)):
        _injure(rng, event, event.suspect)


def _injure(rng: Random, event: Event, part: str) -> None:
    severity = draw(rng, {"minor": 60, "moderate": 30, "serious": 9, "life_threatening": 1})
    if any(weapon["use"] == "injured" for weapon in event.happened["weapons"]) and severity == "minor":
        severity = "moderate"
    # Box 10: what needs treatment is at least moderate.
    treated = False if severity == "minor" else True if chance(rng, 0.7) else None
    event.happened["injuries"].append({"to": part, "severity": severity, "treated": treated})


def _hurt_child(rng: Random, event: Event) -> None:
    there = [part for part, where in event.presence.items() if where not in (None, "not_on_premises")]
    part = rng.choice(there)
    event.presence[part] = "witnessed"
    event.children[part] |= {"injured": True, "assaulted": True}
    severity = draw(rng, {"minor": 60, "moderate": 40})
    event.happened["injuries"].append({"to": part, "severity": severity, "treated": severity != "minor"})


def _threaten(rng: Random, events: Sequence[Event], scale: float) -> None:
    loud = [event for event in events if event.level != "none_low"]
    for threat, count in (("suicide", 6), ("take_children", 6), ("harm_children", 3), ("fire", 1)):
        for event in pick(rng, loud, count * scale):
            event.happened["threats"].append(threat)
            if threat == "harm_children":
                there = [part for part, where in event.presence.items() if where == "witnessed"]
                if there:
                    event.children[rng.choice(there)]["threatened"] = True


def set_offences(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Table 27 and s5.9.1: no offence in 77 of 251, those with two victims among them."""
    scale = len(events) / profile.number("cohort", "incidents")
    counts = profile.shares("offences_identified")
    of = counts.pop("of_incidents") * scale
    for event in events:
        event.happened["offences"] = []
    quiet = [e for e in events if e.level == "none_low" and e.recorded_as != "two_victims"]
    loud = [event for event in events if event.level != "none_low"]
    with_offence = [*loud, *pick(rng, quiet, of - len(loud))]

    def severity(event: Event) -> str:
        to = [i for i in event.happened["injuries"] if i["to"] != event.suspect]
        return "none" if not to else "serious" if any(i["severity"] == "serious" for i in to) else "hurt"

    def north(weights: tuple[float, float]) -> Callable[[Event], float]:
        return lambda e: 0.0 if e.site != "north" else weights[e.level != "none_low"]

    def bare(weight: Callable[[Event], float]) -> Callable[[Event], float]:
        """Prefer those that have no offence named yet."""
        return lambda e: weight(e) * (1.0 if e.happened["offences"] else 20.0)

    def near(event: Event) -> float:
        return 0.0 if event.by_telephone or event.level == "none_low" else 1.0

    def no_assault_yet(event: Event) -> float:
        worse = {"actual_bodily_harm", "grievous_bodily_harm"} & set(event.happened["offences"])
        return 0.0 if worse else near(event)

    rules: dict[str, Callable[[Event], float]] = {
        "grievous_bodily_harm": lambda e: 1.0 if severity(e) == "serious" else 0.0,
        "actual_bodily_harm": lambda e: 1.0 if severity(e) != "none" and no_assault_yet(e) else 0.0,
        "rape": lambda e: 1.0 if e.level == "high" and near(e) and e.victim == "woman" else 0.0,
        "common_assault": bare(no_assault_yet),
        "verbal_abuse": bare(north((1.0, 1.0))),
        "threatening_behaviour": north((0.0, 1.0)),
        "emotional_abuse": north((1.0, 1.0)),
        "breach_of_peace": bare(lambda e: 0.0 if e.by_telephone else 1.0),
        "criminal_damage": bare(lambda e: 0.0 if e.by_telephone else 1.0),
        "harassment": lambda e: 20.0 if e.by_telephone else 0.0 if e.family.current else 1.0,
        "breach_of_bail": lambda e: 0.0 if e.family.current else 1.0,
        "breach_of_injunction": lambda e: 0.0 if e.family.current else 1.0,
        "other": bare(lambda e: 1.0),
    }
    for event in events:
        if "kill" in event.happened["threats"]:
            event.happened["offences"].append("threats_to_kill")
    for offence, weight in rules.items():
        for event in pick(rng, with_offence, counts[offence] * scale, weight):
            event.happened["offences"].append(offence)
    _follow_offences(rng, events)


def _follow_offences(rng: Random, events: Sequence[Event]) -> None:
    """What an offence implies elsewhere in the record."""
    for event in events:
        happened = event.happened
        offences = happened["offences"]
        if "rape" in offences:
            happened["violence"].append("sexual")
        if "threatening_behaviour" in offences and "harm" not in happened["threats"]:
            happened["threats"].append("harm")
        if "harassment" in offences and "harassment" not in happened["violence"]:
            happened["violence"].append("harassment")
        suspect = event.adults.setdefault(event.suspect, {})
        if "breach_of_bail" in offences:
            suspect["bail_conditions"] = ["not to contact the victim"]
        if "breach_of_injunction" in offences:
            suspect |= {"orders_in_force": ["non_molestation"], "orders_breached": ["non_molestation"]}
        happened["property_damaged"] = (
            True if "criminal_damage" in offences or chance(rng, 0.03) else False if chance(rng, 0.6) else None
        )


def set_backgrounds(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Alcohol, drugs, mental health, pregnancy (s4.4.2, s4.4.3) and what the incident was about (s4.8)."""
    scale = len(events) / profile.number("cohort", "incidents")
    victims, suspects = _listed(events)
    for people, key, factors in (
        (
            victims,
            "victim",
            {"alcohol": "alcohol_incidents", "drugs": "drugs", "mental_health": "mental_health"},
        ),
        (suspects, "perpetrator", {"alcohol": "alcohol", "drugs": "drugs", "mental_health": "mental_health"}),
    ):
        for factor, figure in factors.items():
            for event, part in pick(rng, people, profile.number(key, figure) * scale):
                event.factors.setdefault(part, []).append(factor)
    mothers = [
        (event, part)
        for event, part in victims
        if part == "woman" and event.family.age(event.family.woman, event.reported.date()) < 43
    ]
    for event, part in pick(rng, mothers, profile.number("victim", "pregnant") * scale):
        event.adults.setdefault(part, {})["pregnant"] = True
    _set_context(rng, profile, events, scale)


def _listed(events: Sequence[Event]) -> tuple[list[tuple[Event, str]], list[tuple[Event, str]]]:
    """Everybody written down as a victim and as a suspect (287 and 207 in the source's month)."""
    victims = [(event, event.victim) for event in events if event.recorded_as != "both_arrested"]
    victims += [(event, event.suspect) for event in events if event.recorded_as == "two_victims"]
    suspects = [(event, event.suspect) for event in events if event.recorded_as == "victim_and_suspect"]
    return victims, suspects


def _set_context(rng: Random, profile: Profile, events: Sequence[Event], scale: float) -> None:
    shares = profile.shares("context_of_described")
    described = pick(rng, events, shares.pop("described") * scale)
    ids = {id(event) for event in described}
    for event in events:
        event.described = id(event) in ids

    def drunk(event: Event) -> float:
        return 8.0 if any("alcohol" in f or "drugs" in f for f in event.factors.values()) else 0.3

    def apart(event: Event) -> float:
        return 0.15 if event.family.current else 1.0

    weights: dict[str, Callable[[Event], float]] = {
        "alcohol_or_drugs": drunk,
        "restricting_access_to_home_or_children": apart,
        "child_contact": lambda e: 0.02 if e.family.current else 1.0,
    }
    for context, count in shares.items():
        for event in pick(rng, described, count * scale, weights.get(context)):
            event.context.append(context)
    for event in events:
        if "separation_or_relationship_breakdown" in event.context and not event.family.current:
            # The quarrel is about the parting, so the parting is recent.
            event.family.separated_on = event.occurred.date() - timedelta(days=rng.randint(2, 60))
        event.happened |= _circumstances(rng, profile, event)


def _circumstances(rng: Random, profile: Profile, event: Event) -> dict[str, Any]:
    """The yes, no and unknown of the form. Where nothing was described, little was asked."""

    def asked(yes: bool, share: float = 0.5) -> bool | None:
        return True if yes else False if event.described and chance(rng, share) else None

    violence = event.happened["violence"]
    leaving = "separation_or_relationship_breakdown" in event.context and event.family.current
    worse = profile.shares("assumed", "escalating")
    return {
        "strangulation": asked("strangulation" in violence, 0.6),
        "sexual_offence": asked("sexual" in violence, 0.6),
        "stalking": asked(not event.family.current and chance(rng, profile.number("assumed", "stalking"))),
        "contact_dispute": asked("child_contact" in event.context),
        "separation_intended": asked(leaving, 0.3) if event.family.current else None,
        "honour_based": asked(chance(rng, profile.number("assumed", "honour_based")), 0.6),
        "forced_marriage": asked(False, 0.5),
        "animals_harmed": asked(chance(rng, profile.number("assumed", "animals_harmed")), 0.3),
        "escalating": chance(rng, worse["yes"]) if chance(rng, worse["known"]) else None,
    }
