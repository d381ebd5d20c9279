"""Decisions as metrics: how many by protocol and response, what was in doubt, asked and left to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import Counter

DECISIONS: Final = Counter(
    "waymark_triage_decisions_total",
    "Versions decided",
    ["state", "protocol", "css_response", "child_level"],
)
DOUBTS: Final = Counter(
    "waymark_triage_doubts_total", "Decisions that a likely link to a person's history would change"
)
QUESTIONS: Final = Counter("waymark_triage_questions_total", "Questions that a decision left open", ["fact"])
REVIEWS: Final = Counter("waymark_triage_reviews_total", "Decisions that a person looks at", ["because"])


def count_decision(receipt: Mapping[str, Any], state: str) -> None:
    """Count one decided version. Labels are words of closed lists, never of a case."""
    result, protocol = receipt["result"], receipt["protocol"]
    level = result.get("child_level")
    DECISIONS.labels(
        state,
        f"{protocol['id']}/{protocol['version']}",
        result["css_response"],
        "none" if level is None else str(level),
    ).inc()
    if receipt["doubt"] is not None:
        DOUBTS.inc()
    for question in receipt["questions"]:
        QUESTIONS.labels(question["fact"]).inc()
    if receipt["review"]["needed"]:
        for because in receipt["review"]["because"]:
            REVIEWS.labels(because).inc()
