"""Database migrations: one folder per service, run by `waymark migrate` and before `waymark up`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db import address, role_of, verdicts
from shared.errors import BadSettings

SERVICES: Final = ("intake", "enrichment", "triage", "delivery", "console")
_HERE: Final = Path(__file__).parent
_LOCK: Final = 7_283_001  # two starts at once migrate one after the other


async def migrate(database: str, services: tuple[str, ...] = SERVICES) -> None:
    """Bring roles, schemas and tables up to date. Raises BadSettings where the login may not do that."""
    engine = create_async_engine(address(database))
    try:
        with verdicts():
            async with engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                await connection.run_sync(_make_roles, services)
                for service in services:
                    await connection.run_sync(_upgrade, service)
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")) == "42501":
            raise BadSettings(
                "The database login may not make roles and schemas: run `waymark migrate` once with one that "
                "may (CREATEROLE, and CREATE on the database). The services can then use this login, once it "
                f"has been granted the roles that were made: {', '.join(map(role_of, services))}."
            ) from error
        raise
    finally:
        await engine.dispose()


def _make_roles(connection: Connection, services: tuple[str, ...]) -> None:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS access"))
    connection.execute(
        text(
            """
            CREATE TABLE IF NOT EXISTS access.keys (
                id text PRIMARY KEY, digest text NOT NULL UNIQUE, role text NOT NULL, force text,
                recipient text, source text, person text, agency text, areas text[],
                created_at timestamptz NOT NULL DEFAULT now(), revoked_at timestamptz
            )
            """
        )
    )
    connection.execute(
        text(
            """
            ALTER TABLE access.keys
                ADD COLUMN IF NOT EXISTS expires_at timestamptz, ADD COLUMN IF NOT EXISTS succeeds text
            """
        )
    )
    connection.execute(
        text(
            """
            CREATE OR REPLACE VIEW access.live_keys AS
            SELECT * FROM access.keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            """
        )
    )
    for service in services:
        role = role_of(service)
        member = connection.execute(
            text("SELECT pg_has_role(rolname, 'MEMBER') FROM pg_roles WHERE rolname = :role"), {"role": role}
        ).scalar_one_or_none()
        if member is None:
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        if not member:
            # From version 16 on, whoever makes a role is a member that may not yet act as it.
            connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {role}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA access TO {role}"))
        connection.execute(text(f"GRANT SELECT ON access.keys, access.live_keys TO {role}"))


def _upgrade(connection: Connection, service: str) -> None:
    connection.execute(text(f"SET LOCAL ROLE {role_of(service)}"))
    connection.execute(text(f"SET LOCAL search_path TO {service}"))
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("version_locations", str(_HERE / service))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["service"] = service
    command.upgrade(config, "head")
    connection.execute(text("RESET ROLE"))
    connection.execute(text("RESET search_path"))
