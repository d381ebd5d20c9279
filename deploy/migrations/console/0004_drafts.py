"""What people wrote when their session had ended, sealed, until they have signed in again."""

from alembic import op

revision = "console_0004"
down_revision = "console_0003"

STATEMENTS = (
    """
    CREATE TABLE drafts (
        digest text PRIMARY KEY,
        sealed bytea NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT now(),
        ends_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX drafts_ends ON drafts (ends_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
