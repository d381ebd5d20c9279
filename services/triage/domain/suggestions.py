"""What in an incident suggests that an unknown danger is there, so that a person looks at the case.

The narrative is searched for a few words; nothing is decided on them, and nothing of it is kept.
"""

from __future__ import annotations

import re
from typing import Final

from services.triage.domain.family import Family
from shared import vocabulary as v
from shared.contracts.incident import Happened, Incident

_NOTHING_SAID: Final = Happened()
_BEYOND_A_SLAP: Final = frozenset(v.PHYSICAL_VIOLENCE) - {"push", "slap", "object_thrown"}


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)


_NARRATIVE: Final[dict[str, re.Pattern[str]]] = {
    "strangulation": _words(r"strang|chok|throttl|neck|throat|(?:could ?n[o']t|unable to|stopped her) breath"),
    "threats": _words(r"kill|murder|dead\b|end (?:her|his|your|my) life|suicid|hang(?:ing)? himself"),
    "weapon_use": _words(
        r"kni(?:fe|ves)|blade|gun\b|firearm|machete|axe\b|hammer|bat\b|acid|petrol|weapon|scissors"
    ),
    "serious_sexual_offence": _words(r"rape|sexual|indecent"),
    "victim_pregnant": _words(r"pregnan|expecting|unborn|due in|midwi"),
    "suspect_pregnant": _words(r"pregnan|expecting|unborn"),
    "honour_based": _words(r"honou?r|shame on|dishonou?r"),
    "forced_marriage": _words(r"forced? (?:to|into) marr|forced marriage|arranged marriage"),
    "child_hurt": _words(
        r"(?:hit|hurt|struck|slapp|push|grabb|injur)\w* (?:the |her |his )?(?:child|baby|son|daughter)"
    ),
    "stalking": _words(r"follow(?:ed|ing)|stalk|tracker|watching (?:her|the house)"),
    "children": _words(r"child|kid|baby|babies|toddler|infant|son\b|daughter|boy\b|girl\b"),
}


def suggested(question: str, incident: Incident, family: Family) -> bool:
    """Whether the incident suggests that the answer to `question` is the dangerous one."""
    said = incident.incident or _NOTHING_SAID
    if question == "strangulation" and (
        not _BEYOND_A_SLAP.isdisjoint(said.violence or ()) or bool(said.injuries)
    ):
        return True
    if question == "serious_sexual_offence" and "sexual" in (said.violence or ()):
        return True
    if question == "child_hurt" and any(one.to is None for one in said.injuries or ()):
        return True
    if question == "assessor_concern":
        risk = incident.risk
        return risk is not None and bool(risk.heightened_concern or risk.judgement or risk.concern)
    if question == "weapon_use" and bool(said.weapons):
        return True
    pattern = _NARRATIVE.get(question)
    return pattern is not None and bool(incident.summary) and pattern.search(incident.summary or "") is not None
