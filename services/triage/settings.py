"""What triage is told at the door."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Triage's settings, from `WAYMARK_...`. Areas (`WAYMARK_AREAS`) choose the protocols that run."""
