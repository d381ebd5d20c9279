"""How the work for each recipient stands: what waits, how its address answers, when the next deadline breaches.

What waits is counted in the table. Circuits, pace and the last answer are of this copy of the service since
it started: each copy finds out for itself whether an address answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.delivery import recipients_store
from services.delivery.deadlines import Deadlines
from services.delivery.dispatch import Dispatcher
from shared import ledger
from shared.contracts.base import write_moment
from shared.db import Transaction

_NOTHING: Final = {"waiting": 0, "in_inbox": 0, "held": 0, "oldest_since": None, "due": None}


class RecipientsWork:
    """Asked by the directory for what it shows of each recipient."""

    def __init__(self, dispatcher: Dispatcher, deadlines: Deadlines) -> None:
        self._dispatcher = dispatcher
        self._deadlines = deadlines

    async def shown(self, tx: Transaction, names: Iterable[str]) -> Mapping[str, dict[str, Any]]:
        """Of each of these recipients: `waiting` by its webhook, `in_inbox` and not fetched, `held` for a
        person, `oldest_since`, the first deadline `due`, `breaker` (closed, open or half_open), `last_answer`,
        and how many are `at_risk` by the forecast."""
        counted = await recipients_store.waiting_work(tx)
        names = list(names)
        refused = await recipients_store.latest_refusals(tx, names)
        at_risk: dict[str, int] = {}
        for one in self._deadlines.looked:
            name = one.pending.recipient
            at_risk[name] = at_risk.get(name, 0) + one.at_risk
        return {
            name: {
                **counted.get(name, _NOTHING),
                **self._answers(name, refused.get(name)),
                "at_risk": at_risk.get(name, 0),
            }
            for name in names
        }

    def _answers(self, name: str, refused: Mapping[str, Any] | None) -> dict[str, Any]:
        lane = self._dispatcher.lane_of(name)
        answer = None if lane is None else lane.last_answer
        if refused is not None and (answer is None or refused["at"] > answer[0]):
            answer = (refused["at"], refused["result"])
        resting = lane is not None and lane.circuit.rests(ledger.now())
        breaker = "closed" if lane is None or lane.circuit.closed else "open" if resting else "half_open"
        until = lane.circuit.rests_until if lane is not None and resting else None
        return {
            "breaker": breaker,
            "rests_until": write_moment(until) if until else None,
            "attempt_s": round(lane.seconds, 3) if lane is not None and lane.tried else None,
            "last_answer": {"at": write_moment(answer[0]), "result": answer[1]} if answer else None,
        }
