"""What the console is told at the door."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

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
        description="seals the console's sessions, the same for every copy; 32 characters or more",
    )
    session_hours: float = Field(8, gt=0, le=24, description="how long a login lasts")
    keys_sign_in: bool = Field(True, description="whether people may sign in with a key (false: provider only)")
    oidc_client_id: str | None = Field(None, description="what the provider of identity calls the console")
    oidc_client_secret: Annotated[Secret | None, BeforeValidator(_as_secret)] = Field(
        None, description="the console's secret at the provider; none for a public client"
    )
    oidc_metadata_url: str | None = Field(
        None, description="the provider's metadata, .../.well-known/openid-configuration"
    )
    oidc_scope: str = Field(
        "openid offline_access person coordinator board ops", description="scopes asked for at sign-in"
    )
    oidc_resource: str | None = Field(None, description="for whom the access token is to be (RFC 8707)")
    oidc_asks: dict[str, str] = Field({}, description="further parameters of the request to sign in, as JSON")
    intake_url: str | None = Field(None, description="where intake listens, to ask its health")
    enrichment_url: str | None = Field(None, description="where enrichment listens")
    triage_url: str | None = Field(None, description="where triage listens")
    delivery_url: str | None = Field(None, description="where delivery listens")
    trace_page: str | None = Field(
        None,
        pattern=r"^https?://[^{}]*\{trace_id\}[^{}]*$",
        description="a trace's page in the trace backend, with {trace_id} in it; none: ids only",
    )
    watch_every_s: float = Field(5, gt=0, le=300, description="how often the others are asked, while watched")

    @model_validator(mode="after")
    def _a_provider_is_whole(self) -> Self:
        if bool(self.oidc_client_id) is not bool(self.oidc_metadata_url):
            raise ValueError("WAYMARK_OIDC_CLIENT_ID and WAYMARK_OIDC_METADATA_URL belong together")
        if self.oidc_client_id and not self.oauth_issuer:
            raise ValueError("a provider of identity needs WAYMARK_OAUTH_ISSUER too: its tokens are checked")
        if not self.oidc_client_id and not self.keys_sign_in:
            raise ValueError("nobody could sign in: name a provider, or let keys sign in")
        return self

    def address_of(self, service: str) -> str | None:
        """Where a service listens; None where nobody said."""
        address: str | None = getattr(self, f"{service}_url", None)
        return address.rstrip("/") if address else None
