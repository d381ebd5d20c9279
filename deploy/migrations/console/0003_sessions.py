"""Sessions of people who are signed in: what they signed in with, sealed, under the digest of their cookie."""

from alembic import op

revision = "console_0003"
down_revision = "console_0002"

STATEMENTS = (
    """
    CREATE TABLE sessions (
        digest text PRIMARY KEY,
        sealed bytea NOT NULL,
        opened_at timestamptz NOT NULL DEFAULT now(),
        ends_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX sessions_ends ON sessions (ends_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
