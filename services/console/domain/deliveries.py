"""What a case's deliveries add up to: which are open, which deadline comes next, what was breached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

RECEIVED: Final = frozenset({"received"})
"""States of a delivery whose deadline is met: the recipient has it (design.md, promise 10)."""

ENDED: Final = RECEIVED | {"superseded", "passed_on", "refused", "test_withheld"}
"""States in which no deadline runs any more. One that is held for a person still has to be received."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Of one case: how many deliveries are open, the earliest due among them and whose, breaches so far; how
    many deadlines were met, and how many not."""

    open: int
    due: datetime | None
    service: str | None
    breached: int
    met: int = 0
    late: int = 0


def sum_up(branches: Sequence[Mapping[str, Any]]) -> Deadlines:
    """The deadlines of a case's branches together (contracts/events.py `Branch`, as on the wire).

    A delivery in a state that the console does not know counts as open.
    """
    open_ones = [branch for branch in branches if branch["state"] not in ENDED]
    due, service = min(
        (
            (datetime.fromisoformat(branch["due"]), branch["service"])
            for branch in open_ones
            if branch.get("due")
        ),
        default=(None, None),
    )
    breached = sum(1 for branch in branches if branch.get("breached"))
    late = sum(_late(branch) for branch in branches)
    received = [branch for branch in branches if branch["state"] in RECEIVED and branch.get("due")]
    met = sum(not _late(branch) for branch in received)
    return Deadlines(open=len(open_ones), due=due, service=service, breached=breached, met=met, late=late)


def _late(branch: Mapping[str, Any]) -> bool:
    """Whether its deadline passed before the recipient had it."""
    if branch.get("breached"):
        return True
    due, received = branch.get("due"), branch.get("received_at")
    if not due or not received:
        return False
    return datetime.fromisoformat(received) > datetime.fromisoformat(due)


def outcome_of(answers: Sequence[Mapping[str, Any]]) -> str | None:
    """What children's services said last of a case: the pathway, else `accepted` or `rejected`; None where
    they said neither."""
    for answer in reversed(answers):
        if answer.get("service") == "childrens_services" and answer["kind"] in (
            "accepted",
            "rejected",
            "decided",
        ):
            return str(answer.get("pathway") or answer["kind"])
    return None
