"""What the officers assessed, asked, saw of the children, and did (NSPCC 2009 s4.12, s5.3-5.10)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from waymark.simulate.deck import chance, deal, pick
from waymark.simulate.events import Event
from waymark.simulate.profile import Profile

_VOICES = (
    "I want them to stop shouting.",
    "I was scared and I rang because mum could not.",
    "He always does this when he has been drinking.",
    "I went under my bed with my brother.",
    "I don't want to talk about it.",
    "I thought the door was going to break.",
    "Can I stay at my nan's?",
    "I told him to leave her alone.",
)


def set_risk(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Table 25 and s5.6: 177 of 251 have an assessment; the level follows the violence only loosely."""
    for site in ("north", "south"):
        own = [event for event in events if event.site == site]
        share = profile.number("risk_assessed_by_site", site) / profile.number("cohort", "sites", site)
        assessed = pick(rng, own, share * len(own))
        levels = deal(rng, profile.shares("assumed", "risk_level_by_site", site), len(assessed))
        for level in ("high", "medium"):
            left = [event for event in assessed if event.risk is None]
            for event in pick(rng, left, levels.count(level), _risk_weight):
                event.risk = _assessment(rng, profile, level)
        left = [event for event in assessed if event.risk is None]
        for event in pick(rng, left, levels.count("unknown")):
            event.risk = _assessment(rng, profile, None)
        for event in left:
            event.risk = event.risk or _assessment(rng, profile, "standard")
    north = [event for event in events if event.site == "north" and event.risk and event.level == "high"]
    of_concern = profile.per_incident("north_concern_referrals") * len(events)
    for event in pick(rng, north, of_concern):
        event.risk |= {  # type: ignore[operator]
            "concern": True,
            "heightened_concern": "An early look is asked for: severe violence with children near.",
        }


def _risk_weight(event: Event) -> float:
    pregnant = any(facts.get("pregnant") for facts in event.adults.values())
    weapons = bool(event.happened["weapons"])
    return (
        {"none_low": 1.0, "medium": 1.5, "high": 4.0}[event.level] * (3.0 if pregnant else 1.0) * (1 + weapons)
    )


def _assessment(rng: Random, profile: Profile, level: str | None) -> dict[str, Any]:
    answers = None
    if level and chance(rng, profile.number("assumed", "yes_answers_recorded")):
        answers = rng.randint(*{"standard": (0, 7), "medium": (6, 13), "high": (12, 20)}[level])
    return {"tool": "specss_plus", "level": level, "yes_answers": answers, "judgement": None, "concern": None}


def set_consent(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """s5.10.1: the north notes consent and rarely has it; the south does not ask."""
    own = [event for event in events if event.site == "north"]
    of = profile.number("consent_to_share", "north")
    given = profile.number("consent_to_share", "north_given") / of
    neither = profile.number("consent_to_share", "north_not_given_or_asked")
    shares = {
        "given": given,
        "neither": neither,
        "told": (1 - given - neither) / 2,
        "refused": (1 - given - neither) / 2,
    }
    answers: dict[str, dict[str, bool | None]] = {
        "given": {"asked": True, "given": True, "aware": True},
        "neither": {"asked": False, "given": None, "aware": False},
        "told": {"asked": None, "given": None, "aware": True},
        "refused": {"asked": True, "given": False, "aware": True},
    }
    for event, answer in zip(own, deal(rng, shares, len(own)), strict=True):
        event.consent = dict(answers[answer])


def set_actions(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Tables 24, 26 and 28: arrest, bail, a place of safety, referrals."""
    scale = len(events) / profile.number("cohort", "incidents")
    counts = profile.shares("actions")
    both = [event for event in events if event.recorded_as == "both_arrested"]
    may = [event for event in events if event.recorded_as == "victim_and_suspect"]
    weights = {"none_low": 1.0, "medium": 4.0, "high": 10.0}
    arrested = [
        *both,
        *pick(
            rng,
            may,
            counts["arrested"] * scale - len(both),
            lambda e: weights[e.level] * (0.1 if e.by_telephone else 1.0),
        ),
    ]
    held = {id(event) for event in arrested}
    for event in events:
        event.actions = {
            "arrested": id(event) in held,
            "charged": None,
            "victim_moved_to_safety": False,
            "referrals": [],
            "section_47_referral": False if event.site == "north" else None,
        }
        if any(facts.get("injured") for facts in event.children.values()) and event.site == "north":
            event.actions["section_47_referral"] = True
    for event in pick(rng, arrested, counts["no_charge"] * scale):
        event.actions["charged"] = False
    charged = [
        event for event in arrested if event.actions["charged"] is None and event.recorded_as != "both_arrested"
    ]
    for event in pick(rng, charged, counts["bail_conditions"] * scale):
        event.actions["charged"] = True
        event.adults.setdefault(event.suspect, {}).setdefault("bail_conditions", ["not to contact the victim"])
    for event in pick(rng, events, counts["moved_to_safety"] * scale, lambda e: weights[e.level]):
        event.actions["victim_moved_to_safety"] = True
    south = [event for event in events if event.site == "south"]
    for event in pick(rng, south, counts["multi_agency_centre"] * scale):
        event.actions["referrals"].append("multi_agency_centre")
    north = [event for event in events if event.site == "north"]
    for event in pick(rng, north, counts["health_visitor"] * scale, _has_small_child):
        event.actions["referrals"].append("health_visitor")


def _has_small_child(event: Event) -> float:
    return 3.0 if event.family.age(event.family.children[-1], event.reported.date()) < 5 else 0.3


def set_children(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """What was written of each child (s4.12): often a tick and no more, so most stays unknown."""
    scale = len(events) / profile.number("cohort", "incidents")
    near: list[tuple[Event, str]] = []
    for event in events:
        for child in event.family.children:
            where = event.presence[child.part]
            facts = event.children[child.part]
            # In the crossfire, and asked for: known one way or the other only where somebody was near enough.
            if where == "witnessed":
                near.append((event, child.part))
            if (
                where
                and where != "not_on_premises"
                and chance(rng, profile.number("assumed", "child_details_recorded"))
            ):
                for fact in ("threatened", "assaulted", "injured", "intervened", "called_for_help"):
                    facts.setdefault(fact, False)
                if where == "witnessed":
                    facts.setdefault("distressed", False)
        if event.caller_child:
            event.children[event.caller_child]["called_for_help"] = True

    def unhurt(one: tuple[Event, str]) -> float:
        event, part = one
        return 1.0 if event.level != "none_low" and not event.children[part].get("injured") else 0.0

    def grown(low: float, high: float) -> Any:
        return lambda one: (
            1.0 if low <= one[0].family.age(one[0].person(one[1]), one[0].reported.date()) < high else 0.0
        )

    crossfire = profile.number("children_caught_up", "in_the_crossfire") * scale
    babies = [one for one in near if one[0].level != "none_low"]
    for event, part in pick(rng, babies, crossfire / 2, grown(0, 3)):
        event.children[part]["held_by_adult"] = True
    for event, part in pick(rng, near, profile.number("assumed", "child_assaulted") * scale, unhurt):
        event.children[part]["assaulted"] = True
    for event, part in pick(rng, near, profile.number("assumed", "child_threatened") * scale, unhurt):
        event.children[part]["threatened"] = True
    for event, part in pick(
        rng, babies, profile.number("children_caught_up", "protected_the_victim") * scale, grown(6, 18)
    ):
        event.children[part]["intervened"] = True
    for event, part in pick(rng, near, profile.number("assumed", "child_distressed") * scale):
        event.children[part]["distressed"] = True
    for event, part in pick(rng, near, profile.number("assumed", "child_voice") * scale, grown(5, 18)):
        event.children[part]["voice"] = rng.choice(_VOICES)
