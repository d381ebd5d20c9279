"""Enrichment's settings: the only reader of its environment."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What enrichment is told at the door."""

    lookup_budget_ms: int = Field(
        2000, ge=1, le=60_000, description="a history not read within this goes on as unavailable"
    )
    complete_after_s: float = Field(
        5, gt=0, le=3600, description="how soon an unavailable history is looked up again"
    )
    reemit_at_once: int = Field(
        200, ge=1, le=10_000, description="cases emitted again in one transaction; the rest follow"
    )
    bulk_above: int = Field(
        20, ge=0, le=10_000, description="more cases than this emitted again at once take the bulk lane"
    )
    recent_days: int = Field(
        730, ge=1, le=36_500, description="older cases are not emitted again when knowledge comes late"
    )
    records_slice: int = Field(
        200, ge=1, le=10_000, description="imported people joined to families in one transaction"
    )
    records_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="the largest import taken in one request")
    records_stale_after_days: float = Field(
        7, gt=0, le=3650, description="a council not heard of for longer has its records marked as stale"
    )
    records_lost_at_most: float = Field(
        0.2, ge=0, le=1, description="the share of a source's people that an import may forget unasked"
    )
