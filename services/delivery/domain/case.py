"""The words of delivery: a decision as it came, a delivery as it stands, and what can happen to one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from shared import vocabulary as v
from shared.contracts.envelope import LedgerEntry

DeliveryState = Literal[
    "waiting", "offered", "received", "held", "superseded", "passed_on", "refused", "test_withheld"
]
"""waiting: to be sent, or sent again; offered: lies in the inbox or on the topic; received: the deadline
is met; held: a person has to see to it; superseded: a newer version took its place before it was
received; passed_on: not theirs, another recipient has it; refused: restricted, and a person decided that
it must not go; test_withheld: a test record that nobody live may get."""

OPEN: Final = frozenset({"waiting", "offered"})
OWNER: Final = "delivery"
"""Who owns what delivery holds: the people who look after recipients."""


@dataclass(frozen=True, slots=True)
class Route:
    """A service that is told (contracts/decision.json), as delivery keeps it with each delivery."""

    service: v.Service
    about: tuple[str, ...]
    area: str | None
    response: v.CssResponse | None
    due: datetime | None
    basis: v.SharingBasis
    rules: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data; the due date is a column of its own."""
        return {
            "service": self.service,
            "about": list(self.about),
            "area": self.area,
            "response": self.response,
            "basis": self.basis,
            "rules": list(self.rules),
        }

    @staticmethod
    def read(data: Mapping[str, Any], due: datetime | None) -> Route:
        """From plain data, with its due date."""
        return Route(
            service=data["service"],
            about=tuple(data["about"]),
            area=data.get("area"),
            response=data.get("response"),
            due=due,
            basis=data["basis"],
            rules=tuple(data["rules"]),
        )


@dataclass(frozen=True, slots=True)
class Decided:
    """A version of a case as triage decided it. `incident`, `history` and `receipt` are wire data."""

    case: str
    version: int
    revision: int
    state: Literal["to_route", "held", "no_recipient_by_rule", "withdrawn"]
    held_by: str | None
    why: str
    as_of: datetime
    incident: Mapping[str, Any]
    history: Mapping[str, Any]
    receipt: Mapping[str, Any]
    routes: tuple[Route, ...]
    lane: v.Lane
    caused_by: str | None
    trace: str | None
    ledger: Sequence[LedgerEntry]
    """Up to the end of delivery's own work on it: every branch starts there."""

    @property
    def test(self) -> bool:
        """Whether this is a test record: it goes the whole way, and to nobody live."""
        return self.incident.get("test") is True

    @property
    def withdrawn(self) -> bool:
        """Whether the police took it back."""
        return self.state == "withdrawn"


@dataclass(slots=True)
class Delivery:
    """One delivery: of one version of a case, to one recipient, in one role."""

    id: str
    case: str
    version: int
    revision: int
    recipient: str
    service: v.Service
    route: Route
    due: datetime
    view: str
    """The digest of what the recipient is shown."""
    state: DeliveryState
    channel: int
    """Which of the recipient's channels it goes by, from 0."""
    began: datetime
    """When the branch starts: the end of delivery's work on the decision."""
    trace: str | None = None
    replaces: str | None = None
    escalates: str | None = None
    """The delivery whose missed deadline this one answers."""
    bulk: bool = False
    attempts: int = 0
    first_attempt_at: datetime | None = None
    next_at: datetime | None = None
    leased_by: str | None = None
    lease_until: datetime | None = None
    received_at: datetime | None = None
    breached_at: datetime | None = None
    held_because: str | None = None
    last_result: str | None = None
    inbox_no: int | None = None
    passed_to: str | None = None
    released_by: str | None = None
    released_at: datetime | None = None
    chase_at: datetime | None = None
    """When whoever has not opened or decided is asked again; of one that waits for release, when that is."""
    chases: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    begun: bool = False
    """Not stored: an attempt of this very process is on its way or not recorded yet."""

    @property
    def awaited(self) -> bool:
        """Whether it has yet to be received."""
        return self.state in OPEN

    def may_be_known(self, running: str) -> bool:
        """Whether the recipient may have seen it, though perhaps nobody could record it.

        `running`: the id of the process that asks, which knows of its own what it has not begun; a lease
        of another process, living or dead, may mean that a request was on its way.
        """
        if self.begun or self.attempts > 0 or self.received_at is not None or self.inbox_no is not None:
            return True
        if self.state in ("received", "offered"):
            return True
        return self.state == "waiting" and self.leased_by is not None and self.leased_by != running


@dataclass(slots=True)
class CaseRecord:
    """What delivery keeps of a case."""

    case: str
    version: int
    revision: int
    state: v.CaseState
    held_by: str | None
    decided_state: str
    decided_owner: str | None
    """What triage made of it, and who owns what triage holds."""
    why: str
    trace: str | None
    caused_by: str | None
    lane: v.Lane
    ledger: list[LedgerEntry]
    unaddressed: list[dict[str, Any]] = field(default_factory=list)
    """Routes of the newest version for which there is no recipient."""
    heard: list[dict[str, Any]] = field(default_factory=list)
    """The meetings that have heard it: kind, area, heard_on."""


def delivery_id(case: str, version: int, recipient: str, service: str) -> str:
    """The one id of a delivery, on every channel and every repeat (design.md, promise 2)."""
    told = "\n".join((case, str(version), recipient, service))
    return "d-" + base64.b32encode(hashlib.sha256(told.encode()).digest()[:16]).decode().rstrip("=").lower()
