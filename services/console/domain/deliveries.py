"""What a case's deliveries add up to: which are open, which deadline comes next, what was breached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

RECEIVED: Final = frozenset({"received"})
"""States of a delivery whose deadline is met: the recipient has it (design.md, promise 10)."""

ENDED: Final = RECEIVED | {"superseded", "test_withheld"}
"""States in which no deadline runs any more. One that is held for a person still has to be received."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as far as deadlines go."""

    id: str
    service: str
    state: str
    due: datetime | None
    breached: bool = False

    @property
    def running(self) -> bool:
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
    open_ones = [one for one in deliveries if one.running]
    with_due = [(one.due, one.service) for one in open_ones if one.due is not None]
    due, service = min(with_due) if with_due else (None, None)
    return Deadlines(
        open=len(open_ones), due=due, service=service, breached=sum(one.breached for one in deliveries)
    )
