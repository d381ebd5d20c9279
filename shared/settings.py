"""What every service is told at the door: read once, frozen, refused with a sentence where it is bad."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadSettings

S = TypeVar("S", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """Settings of one service, from `WAYMARK_...` in the environment. Secrets have no default."""

    model_config = SettingsConfigDict(env_prefix="WAYMARK_", frozen=True, extra="ignore")

    database: str = Field(description="PostgreSQL address, postgresql://user:password@host:port/database")
    kafka: str = Field(description="Kafka bootstrap servers, host:port[,host:port]")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(0, ge=0, le=65535, description="port to listen on")
    partitions: int = Field(4, ge=1, le=256, description="partitions of every topic; copies of a service")
    pool_size: int = Field(8, ge=2, le=100, description="database connections of one process")
    batch_events: int = Field(200, ge=1, le=5000, description="events in one transaction")
    bulk_slice: int = Field(50, ge=1, le=5000, description="bulk events taken when nothing live waits")
    fetch_wait_ms: int = Field(20, ge=1, le=5000, description="how long the broker holds an empty fetch")
    stuck_after_s: float = Field(30, gt=0, description="a consumer with lag and no progress is rebuilt")
    lease_s: float = Field(30, gt=0, description="how long a leased outbox row or timer stays leased")
    areas: Path = Field(Path("deploy/areas"), description="folder of area files")
    named_staff: list[str] = Field(
        default_factory=list,
        description="persons who may open restricted cases (JSON list, as in their keys; London 2008 app. 2)",
    )
    public_url: str = Field("http://127.0.0.1", description="address under which callers reach the service")
    oauth_issuer: str | None = Field(None, description="whose access tokens are taken (their `iss`)")
    oauth_audience: str | None = Field(None, description="what we are called in access tokens (their `aud`)")
    oauth_keys_url: str | None = Field(None, description="where the issuer publishes its keys (JWKS)")
    trace_sample_bulk: float = Field(
        0.05, ge=0, le=1, description="share of the bulk lane's traces kept, 0 to 1"
    )

    @model_validator(mode="after")
    def _an_issuer_is_whole(self) -> Self:
        parts = (self.oauth_issuer, self.oauth_audience, self.oauth_keys_url)
        if any(parts) and not all(parts):
            raise ValueError(
                "WAYMARK_OAUTH_ISSUER, WAYMARK_OAUTH_AUDIENCE and WAYMARK_OAUTH_KEYS_URL belong together"
            )
        return self


def read_settings(kind: type[S]) -> S:
    """Read `kind` from the environment. Raises BadSettings naming each bad one and why."""
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in one["loc"]).upper()
            field = kind.model_fields.get(str(one["loc"][0])) if one["loc"] else None
            told = f" ({field.description})" if field and field.description else ""
            if not one["loc"]:
                lines.append(f"{one['msg'].removeprefix('Value error, ')}.")
            elif one["type"] == "missing":
                lines.append(f"WAYMARK_{name} is not set{told}.")
            else:
                lines.append(f"WAYMARK_{name}: {one['msg'][0].lower()}{one['msg'][1:]}{told}.")
        raise BadSettings(" ".join(lines)) from None
