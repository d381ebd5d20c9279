"""What the environment says of the local runtime (WAYMARK_...); the only reader of it here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .datadir import default_data_dir
from .kafka import Purpose
from .runtime import LocalRuntime, PartStatus
from .trouble import RuntimeTrouble


class LocalSettings(BaseSettings):
    """WAYMARK_KAFKA and WAYMARK_DATABASE name servers that run already; WAYMARK_DATA a data directory;
    WAYMARK_JAVA a Java to use; WAYMARK_KAFKA_PORT a port that the broker must have."""

    model_config = SettingsConfigDict(env_prefix="WAYMARK_", frozen=True, extra="ignore")

    kafka: str = ""
    database: str = ""
    data: Path | None = None
    java: str = ""
    kafka_port: int | None = Field(default=None, ge=1, le=65_535)

    @classmethod
    def read(cls) -> LocalSettings:
        """Read the environment. Raises RuntimeTrouble naming each variable that is bad, and why."""
        try:
            return cls()
        except ValidationError as error:
            bad = [
                f"WAYMARK_{str(one['loc'][0]).upper()}: {one['msg'][0].lower()}{one['msg'][1:]}."
                for one in error.errors(include_url=False, include_input=False)
            ]
            raise RuntimeTrouble(f"{' '.join(bad)} Correct or unset what is named.") from None


def runtime_from_environment(
    default_purpose: str,
    *,
    data_dir: Path | None = None,
    purpose: Purpose = "work",
    progress: Callable[[str], None] | None = None,
    changed: Callable[[PartStatus], None] | None = None,
) -> LocalRuntime:
    """The runtime as the environment asks for it. The data directory is `data_dir` (the command line's
    --data), else WAYMARK_DATA, else the place of `default_purpose` ("up", "demo", "bench")."""
    settings = LocalSettings.read()
    return LocalRuntime(
        data_dir or settings.data or default_data_dir(default_purpose),
        kafka=settings.kafka,
        database=settings.database,
        java=settings.java,
        kafka_port=settings.kafka_port,
        purpose=purpose,
        progress=progress,
        changed=changed,
    )
