"""The two verdicts on a failure, and nothing in between.

Exception
 └── WaymarkError
      ├── Retryable      will pass by itself (database, broker, network away): wait and try again
      └── Rejected       will not pass however often it is tried: a person has to see it
           └── Refused   the same for a caller over HTTP, with the status and what to do

Adapters choose the verdict at the edge; the stage runner and the web layer act on it. A duplicate is
not an error.
"""

from __future__ import annotations

from typing import Any


class WaymarkError(Exception):
    """Base of everything raised on purpose. Messages never carry a person's details."""


class Retryable(WaymarkError):
    """Passes by itself: try the same thing again later."""


class Rejected(WaymarkError):
    """Will not pass by itself. `shape` may say where in the message, never what it said of a person."""

    def __init__(self, reason: str, *, shape: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.shape = shape


class Refused(Rejected):
    """An answer to a caller: HTTP `status`, a short `title`, what to do in `detail`, more in `extra`."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class BadSettings(WaymarkError):
    """Settings that stop the start: the sentence says which setting and why."""
