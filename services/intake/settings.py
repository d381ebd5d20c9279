"""Intake's settings: the only reader of its environment."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What intake is told at the door."""

    group_size: int = Field(300, ge=1, le=5000, description="submissions stored in one transaction at most")
    queue_size: int = Field(
        4000, ge=1, le=100_000, description="submissions that may wait to be stored; beyond it, 503"
    )
    store_within_s: float = Field(
        10, gt=0, le=120, description="a transaction that takes longer is given up and answered 503"
    )
    posts_per_s: float = Field(
        1000, ge=1, le=1_000_000, description="posts a second that one key may make; beyond it, 429"
    )
