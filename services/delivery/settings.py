"""What delivery is told at the door."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of delivery, from `WAYMARK_...` in the environment."""

    recipients: Path = Field(Path("deploy/recipients"), description="folder of recipient files")
    allow_loopback: bool = Field(
        False,
        description="development: webhooks may go to this machine without TLS, and one whose secret is not "
        "set is left out where its recipient has another channel",
    )
    secrets_key: str | None = Field(
        None,
        description="Fernet key for signing secrets given over HTTP; several, separated by commas, while one "
        "replaces another",
    )
    disable_after_days: float = Field(
        3, gt=0, le=30, description="an address that has not answered for so long is used no more"
    )
    smtp: str | None = Field(
        None,
        description="where notices are handed in: smtps://USER:PASSWORD@HOST:PORT, or smtp:// with STARTTLS",
    )
    notice_sender: str = Field("waymark@localhost", description="whom notices are from")
    reader_url: str = Field(
        "http://127.0.0.1", description="where the reader's page is, for notices to lead to"
    )
    on_call: str | None = Field(None, description="e-mail address of whoever is on call for missed deadlines")
    per_recipient: int = Field(8, ge=1, le=256, description="requests under way to one recipient at once")
    at_once: int = Field(512, ge=1, le=10_000, description="requests under way to all recipients at once")
    bulk_at_once: int = Field(
        64, ge=1, le=1000, description="of those, how many may be bulk (replays, imports) where there is time"
    )
    attempt_s: float = Field(10, gt=0, le=20, description="how long one attempt may take")
    record_every_ms: int = Field(
        25, ge=0, le=1000, description="how long results are gathered before they are stored"
    )
    poll_s: float = Field(1.0, gt=0, le=60, description="how often the table is asked for what is due")

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the recipients' files say that a secret is (`env:NAME`)."""
        return os.environ
