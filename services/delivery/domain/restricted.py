"""Restricted cases: so-called honour, forced marriage (S13; London 2008 app. 2).

Children's services and the police get such a case at once. What would reach the family or the community goes
only after a person released it, and so does what goes to anybody who has not said which of their people may
open it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from services.delivery.domain.case import Delivery
from services.delivery.domain.recipients import Recipient
from shared import vocabulary as v

AT_ONCE: Final[frozenset[v.Service]] = frozenset(
    {"childrens_services", "child_abuse_investigation", "sexual_offence_unit"}
)
REACHES_FAMILY: Final[frozenset[v.Service]] = frozenset(
    {
        "education",
        "school_nurse",
        "health_visitor",
        "family_support",
        "joint_visit",
        "perpetrator_programme",
        "supervised_contact",
        "interpreter",
        "community_safety",
    }
)
"""Those whose people meet the family or the community about it, or belong to it."""

UNRELEASED: Final = "restricted: a person has to release it"
"""Why such a delivery is held."""
RELEASING_AGENCIES: Final[frozenset[v.Agency]] = frozenset({"childrens_services", "police"})
SOONEST_WARNING: Final = timedelta(hours=2)


def is_restricted(handling: Iterable[str]) -> bool:
    """Whether a decision's handling makes the case restricted."""
    return "restricted" in handling


def needs_release(service: v.Service, recipient: Recipient) -> bool:
    """Whether a restricted case goes to `recipient`, in the role `service`, only after a person released it."""
    if service in AT_ONCE:
        return False
    return service in REACHES_FAMILY or not recipient.named_staff


def unreleased(delivery: Delivery) -> bool:
    """Whether it waits for a person to release it: nobody may learn of it before."""
    return delivery.state == "held" and delivery.held_because == UNRELEASED


def warn_at(began: datetime, due: datetime) -> datetime:
    """When the release is asked for again, more loudly: half-way to the deadline, and at the latest two hours
    before it where there are so many."""
    return min(began + (due - began) / 2, max(began, due - SOONEST_WARNING))
