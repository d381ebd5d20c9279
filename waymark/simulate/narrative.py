"""The few lines an officer writes. No names: the form has its own place for those."""

from __future__ import annotations

from random import Random

from waymark.simulate.events import Event

_OPENINGS = {
    "alcohol_or_drugs": (
        "There was an argument after a day of drinking.",
        "An argument began over drinking and money.",
    ),
    "separation_or_relationship_breakdown": (
        "The argument was about the end of the relationship.",
        "An argument began when one of them came for belongings.",
    ),
    "restricting_access_to_home_or_children": (
        "The caller would not let the other person in.",
        "There was shouting and banging at the door to be let in.",
    ),
    "child_contact": (
        "It happened at a handover of the children.",
        "The argument was about seeing the children.",
    ),
    "parenting": ("The argument was about how a child is brought up.", "They argued over a child's curfew."),
    "money": ("The argument was about unpaid bills.", "They argued about money and a lost job."),
}
_FORCE = {
    "push": "pushed", "slap": "slapped", "kick": "kicked", "punch": "punched", "object_thrown": "pelted",
    "hair_pulled": "pulled by the hair", "bite": "bitten", "burn": "burned", "sexual": "sexually assaulted",
    "strangulation": "held by the throat", "other_physical": "grabbed",
}  # fmt: skip


def tell(rng: Random, event: Event) -> str | None:
    """A summary that says what the fields say and nothing else; None where nothing was described."""
    if not event.described:
        return None
    said = [rng.choice(_OPENINGS[event.context[0]]) if event.context else "Police were called to an argument."]
    if event.by_telephone:
        said = ["The other party rang and texted many times and was abusive."]
    said += _what_was_done(event)
    if event.happened.get("property_damaged"):
        said.append("Property was damaged.")
    said += _children(event)
    if event.recorded_as == "two_victims":
        said.append("No offence was seen; both adults gave their account.")
    elif event.actions.get("arrested"):
        said.append("An arrest was made.")
    elif rng.random() < 0.5 and not event.by_telephone:
        said.append("The suspect had left before police came.")
    return " ".join(said)


def _what_was_done(event: Event) -> list[str]:
    said = []
    force = [_FORCE[kind] for kind in event.happened["violence"] if kind in _FORCE]
    if force:
        said.append(f"The victim was {_listed(force)}.")
    elif event.level == "none_low" and not event.by_telephone:
        said.append("No violence was seen or alleged.")
    for weapon in event.happened["weapons"]:
        who = "The suspect" if weapon["by"] == event.suspect else "The victim"
        how = {
            "shown": "held",
            "threatened": "made threats with",
            "used": "used",
            "injured": "caused injury with",
        }
        what = {"knife": "a knife", "blunt": "a heavy object", "household": "a household object",
                "vehicle": "a car", "other": "a weapon"}[weapon["kind"]]  # fmt: skip
        said.append(f"{who} {how[weapon['use']]} {what}.")
    if "kill" in event.happened["threats"]:
        said.append("There was a threat to kill.")
    return said


def _children(event: Event) -> list[str]:
    said = []
    if event.caller_child:
        said.append("A child made the call.")
    if any(facts.get("injured") for facts in event.children.values()):
        said.append("A child was hurt.")
    elif any(facts.get("held_by_adult") for facts in event.children.values()):
        said.append("A small child was in an adult's arms.")
    if any(facts.get("distressed") for facts in event.children.values()):
        said.append("A child was upset.")
    return said


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
