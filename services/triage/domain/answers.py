"""What a screener answers to a decision's questions: read as though the incident had said it.

An answer fills what was not recorded and never overrides what was: who knows that the record is wrong asks
the police to amend it. So it narrows what is possible and lowers nothing (design.md, "A protocol").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.triage.domain.facts import INJURIES, WEAPONS
from shared import vocabulary as v
from shared.contracts.incident import Adult, Child, Consent, Happened, Incident, Injury, Risk, Weapon

_FLAGS: Final = {
    "strangulation": "strangulation", "serious_sexual_offence": "sexual_offence",
    "property_damaged": "property_damaged", "stalking": "stalking", "contact_dispute": "contact_dispute",
    "separation_intended": "separation_intended", "honour_based": "honour_based",
    "forced_marriage": "forced_marriage", "animals_harmed": "animals_harmed", "escalating": "escalating",
}  # fmt: skip
_OF_CHILD: Final = {
    "child_called_for_help": "called_for_help", "child_intervened": "intervened",
    "child_threatened": "threatened",
}  # fmt: skip
_WORDS: Final = {"violence": v.VIOLENCE, "threats": v.THREATS}
_LEVELS: Final = {"weapon_use": WEAPONS, "injury_severity": INJURIES, "police_level": v.POLICE_LEVELS}
_YES_NO: Final = {
    *_FLAGS, *_OF_CHILD, "child_saw_or_heard", "child_hurt", "victim_pregnant", "suspect_pregnant",
    "victim_consents", "attended",
}  # fmt: skip

Act = Mapping[str, Any]


def why_unfit(fact: str, answer: Any) -> str | None:
    """Why this is no answer to that question, in a sentence; None where it is one."""
    if fact == "child_saw_or_heard" and answer is False:
        return "Where the child was instead is the police's to say: ask them to amend the incident."
    if fact in _YES_NO:
        return None if isinstance(answer, bool) else f"{fact} is answered with true or false."
    if fact in _WORDS:
        fits = isinstance(answer, list) and set(answer) <= set(_WORDS[fact])
        return None if fits else f"{fact} is answered with a list of: {', '.join(_WORDS[fact])}."
    if fact in _LEVELS:
        return None if answer in _LEVELS[fact] else f"{fact} is one of: {', '.join(_LEVELS[fact])}."
    if fact == "dash_yes_answers":
        fits = isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer <= 27
        return None if fits else "dash_yes_answers is a number from 0 to 27."
    return f"{fact} is not answered here: ask the police to amend the incident."


def choices(fact: str) -> dict[str, Any] | None:
    """How a question is answered at the desk: `kind` yes_no, one_of, some_of or number, with its `options`;
    None where only an amendment by the police answers it."""
    if fact == "child_saw_or_heard":
        return {"kind": "yes_no", "options": [True]}
    if fact in _YES_NO:
        return {"kind": "yes_no", "options": [True, False]}
    if fact in _WORDS:
        return {"kind": "some_of", "options": list(_WORDS[fact])}
    if fact in _LEVELS:
        return {"kind": "one_of", "options": list(_LEVELS[fact])}
    if fact == "dash_yes_answers":
        return {"kind": "number", "options": [0, 27]}
    return None


def answered(incident: Incident, acts: Sequence[Act]) -> Incident:
    """The incident with the answers among `acts` in it; the same object where there are none."""
    for act in acts:
        if act.get("act") == "answer":
            incident = _take(incident, act["fact"], act["answer"], act.get("about"))
    return incident


def _take(incident: Incident, fact: str, answer: Any, about: str | None) -> Incident:
    if fact in _FLAGS:
        return _happened(incident, _FLAGS[fact], answer)
    if fact in _WORDS:
        return _happened(incident, fact, answer)
    if fact == "weapon_use":
        return _happened(incident, "weapons", [] if answer == "none" else [Weapon(use=answer)])
    if fact == "injury_severity":
        return _happened(incident, "injuries", [] if answer == "none" else [Injury(severity=answer)])
    if fact in ("police_level", "dash_yes_answers"):
        return _risk(incident, "level" if fact == "police_level" else "yes_answers", answer)
    if fact in ("victim_pregnant", "suspect_pregnant"):
        roles = ("suspect",) if fact == "suspect_pregnant" else ("victim", "both", None)
        return _adults(incident, lambda one: one.role in roles and one.sex != "male", answer)
    if fact == "victim_consents":
        consent = incident.consent or Consent()
        if consent.given is not None:
            return incident
        return incident.model_copy(update={"consent": consent.model_copy(update={"given": answer})})
    if fact == "attended":
        known = incident.attended is not None or incident.attended_at is not None
        return incident if known else incident.model_copy(update={"attended": answer})
    return _children(incident, fact, answer, about)


def _happened(incident: Incident, field: str, value: Any) -> Incident:
    said = incident.incident or Happened()
    if getattr(said, field) is not None:
        return incident
    return incident.model_copy(update={"incident": said.model_copy(update={field: value})})


def _risk(incident: Incident, field: str, value: Any) -> Incident:
    risk = incident.risk or Risk()
    if getattr(risk, field) is not None:
        return incident
    return incident.model_copy(update={"risk": risk.model_copy(update={field: value})})


def _adults(incident: Incident, meant: Callable[[Adult], bool], pregnant: bool) -> Incident:
    adults = [
        one.model_copy(update={"pregnant": pregnant}) if one.pregnant is None and meant(one) else one
        for one in incident.adults or ()
    ]
    return incident if incident.adults is None else incident.model_copy(update={"adults": adults})


def _children(incident: Incident, fact: str, answer: bool, about: str | None) -> Incident:
    if incident.children is None:
        return incident
    children = [_child(one, fact, answer) if about in (None, one.id) else one for one in incident.children]
    return incident.model_copy(update={"children": children})


def _child(child: Child, fact: str, answer: bool) -> Child:
    fields: dict[str, Any]
    if fact == "child_saw_or_heard":
        fields = {"presence": "heard"}
    elif fact == "child_hurt":
        fields = {"assaulted": True} if answer else {"assaulted": False, "injured": False}
    else:
        fields = {_OF_CHILD[fact]: answer}
    open_ = {name: value for name, value in fields.items() if getattr(child, name) is None}
    return child.model_copy(update=open_) if open_ else child
