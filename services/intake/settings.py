"""Intake's settings: the only reader of its environment."""

from __future__ import annotations

from limits import parse
from pydantic import Field, field_validator

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
    rate_limit: str = Field(
        "1000/second", description="posts that one key may make, as `1000/second` or `20000/minute`"
    )

    @field_validator("rate_limit")
    @classmethod
    def _is_a_rate(cls, said: str) -> str:
        try:
            parse(said)
        except ValueError:
            raise ValueError("a rate is a number and a time, as in 1000/second") from None
        return said
