"""What a case's deliveries add up to: which are open, which deadline comes next, what was breached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

RECEIVED: Final = frozenset({"received", "opened", "accepted", "rejected", "decided"})
"""States of a delivery whose deadline is met: the recipient has it (design.md, promise 10)."""

ENDED: Final = RECEIVED | {"superseded", "withdrawn", "stopped", "cancelled"}
"""States in which no deadline runs any more."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as far as deadlines go."""

    id: str
    service: str
    state: str
    due: datetime | None
    breached: bool = False

    @property
    def open(self) -> bool:
        """Whether its deadline still runs. A state that the console does not know counts as open."""
        return self.state not in ENDED


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Of one case: how many deliveries are open, the earliest due among them and whose, breaches so far."""

    open: int
    due: datetime | None
    service: str | None
    breached: int


def sum_up(deliveries: Sequence[Delivery]) -> Deadlines:
    """The deadlines of a case's deliveries together."""
    running = [one for one in deliveries if one.open]
    with_due = [(one.due, one.service) for one in running if one.due is not None]
    due, service = min(with_due) if with_due else (None, None)
    return Deadlines(
        open=len(running), due=due, service=service, breached=sum(one.breached for one in deliveries)
    )
