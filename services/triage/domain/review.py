"""Whether a person has to look at a case, and when (design.md, "A person looks").

At the top after routing; every case where the protocol is joint screening (P6-P8); where one suggested
unknown alone would bring a case to section 17 or MARAC; in doubt that changes the result; where nobody is
told though somebody could be; where no area was found. Everything else is a question only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.triage.domain.family import Family
from services.triage.domain.questions import Question
from services.triage.domain.suggestions import suggested
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.base import write_moment
from shared.contracts.incident import Incident

_SECTION_17: Final = v.CSS_RESPONSES.index("section_17")


def find_review(
    body: Mapping[str, Any],
    questions: Sequence[Question],
    incident: Incident,
    family: Family,
    area: Area,
    as_of: datetime,
    *,
    area_missing: bool,
    screened: bool = False,
) -> dict[str, Any]:
    """The receipt's `review`. A case that waits for an answer or a person says until when."""
    result, possible = body["result"], body["possible"]
    because: list[str] = []
    if result["css_response"] == "section_47":
        because.append("section_47")
    elif result["child_level"] == v.CHILD_LEVELS[-1]:
        because.append("child_level_4")
    if screened:
        because.append("joint_screening")
    if body["doubt"] is not None:
        because.append("doubt")
    if body.get("failed_rules"):
        because.append("rule_failed")
    if "proposal" in body:
        because.append("lower_proposed")
    because += [
        f"{question.fact}_suggested"
        for question in questions
        if question.alone and _grave(question, result) and suggested(question.fact, incident, family)
    ]
    if area_missing:
        because.append("area_missing")
    # A service only to be considered is a coordinator's to decide on: somebody has to see the case too.
    waiting = not body["routes"] and bool(possible["services"] or body["consider"])
    if waiting:
        because.append("nobody_routed")
    review: dict[str, Any] = {"needed": bool(because), "when": None, "because": because}
    if because:
        review["when"] = "before_routing" if waiting else "after_routing"
    if waiting:
        review["waits_until"] = body.get("waited_since") or write_moment(area.working_days_after(as_of, 1))
    return review


def _grave(question: Question, result: Mapping[str, Any]) -> bool:
    """The answer would bring the case to section 17 or to MARAC, where it is not yet."""
    adds = question.would_add
    response = v.CSS_RESPONSES.index(adds.get("css_response", "none"))
    if response >= _SECTION_17 > v.CSS_RESPONSES.index(result["css_response"]):
        return True
    return "marac" in adds.get("services", ()) or "marac" in adds.get("consider", ())
