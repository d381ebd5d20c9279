"""When an address is left alone for a while: a circuit that opens on failures in a row, or because the
recipient asked for patience, and lets one try through before it closes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FAILURES: Final = 5
"""So many failures in a row open it."""
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 300.0


@dataclass(slots=True)
class Circuit:
    """One address. Closed: as many requests as its lane has places. Open: none until `rests_until`. Then
    half-open: one at a time, until one succeeds (closed) or fails (open again, for longer)."""

    failures: int = 0
    opened: int = 0
    """Times in a row, without a success between."""
    rests_until: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing holds requests back."""
        return self.rests_until is None

    def rests(self, now: datetime) -> bool:
        """Whether nothing may be sent now."""
        return self.rests_until is not None and now < self.rests_until

    def succeeded(self) -> bool:
        """The recipient took something; whether that closed the circuit."""
        self.failures = self.opened = 0
        was, self.rests_until = self.rests_until, None
        return was is not None

    def failed(self, now: datetime, draw: Callable[[], float]) -> bool:
        """Nobody was there, or somebody in trouble; whether that opened the circuit.

        `draw` gives a number in [0, 1): copies of the service do not come back all at once.
        """
        self.failures += 1
        if self.failures < FAILURES and self.rests_until is None:
            return False
        if self.rests(now):
            return False  # one that was under way when it opened
        self.opened += 1
        rest = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(self.opened - 1, 10))
        self.rests_until = now + timedelta(seconds=rest * (0.5 + draw() / 2))
        return True

    def asked_to_wait(self, now: datetime, seconds: float) -> bool:
        """The recipient asked for patience with all requests (429 or 503 with Retry-After)."""
        until = now + timedelta(seconds=seconds)
        if self.rests_until is None or until > self.rests_until:
            self.rests_until = until
        return True
