"""What the console is told at the door."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.privacy import Secret
from shared.settings import ServiceSettings


def _as_secret(said: object) -> object:
    return Secret(said) if isinstance(said, str) else said


class Settings(ServiceSettings):
    """Settings of the console, from `WAYMARK_...`."""

    # Nobody waits for the console's reading: what gathers is taken in large batches, which cost far less.
    batch_events: int = Field(1000, ge=1, le=5000, description="events in one transaction")
    bulk_slice: int = Field(1000, ge=1, le=5000, description="bulk events taken when nothing live waits")

    session_secret: Annotated[Secret, BeforeValidator(_as_secret)] = Field(
        min_length=32,
        description="signs the console's session cookies, the same for every copy; 32 characters or more",
    )
    session_hours: float = Field(8, gt=0, le=24, description="how long a login lasts")
    intake_url: str | None = Field(None, description="where intake listens, to ask its health")
    enrichment_url: str | None = Field(None, description="where enrichment listens")
    triage_url: str | None = Field(None, description="where triage listens")
    delivery_url: str | None = Field(None, description="where delivery listens")
    watch_every_s: float = Field(5, gt=0, le=300, description="how often the others are asked, while watched")

    def address_of(self, service: str) -> str | None:
        """Where a service listens; None where nobody said."""
        address: str | None = getattr(self, f"{service}_url", None)
        return address.rstrip("/") if address else None
