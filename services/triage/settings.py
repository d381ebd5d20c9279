"""What triage is told at the door."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Triage's settings, from `WAYMARK_...`. Areas (`WAYMARK_AREAS`) choose the protocols that run."""

    protocols: Path | None = Field(None, description="folder of a board's own protocols, beside the library")
