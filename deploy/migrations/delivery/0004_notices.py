"""Notices without content, one-time codes and sessions of readers, alarms, what lies in an inbox as well."""

from alembic import op

revision = "delivery_0004"
down_revision = "delivery_0003"

STATEMENTS = (
    # `about`: what a notice is about is said once; empty for what may be said again after a while.
    """
    CREATE TABLE notices (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        recipient text NOT NULL,
        kind text NOT NULL,
        about text NOT NULL DEFAULT '',
        asked_at timestamptz NOT NULL DEFAULT now(),
        next_at timestamptz NOT NULL DEFAULT now(),
        tries int NOT NULL DEFAULT 0,
        lease_until timestamptz,
        sent_at timestamptz,
        result text,
        UNIQUE (recipient, kind, about)
    )
    """,
    "CREATE INDEX notices_unsent ON notices (next_at) WHERE sent_at IS NULL",
    # Both are recognised, never needed again: only their digests are kept.
    """
    CREATE TABLE sign_in_codes (
        id text PRIMARY KEY,
        recipient text NOT NULL,
        digest text NOT NULL,
        expires_at timestamptz NOT NULL,
        tries int NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE reader_sessions (
        digest text PRIMARY KEY,
        recipient text NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "ALTER TABLE deliveries ADD COLUMN alarmed_at timestamptz",
    # A delivery that a webhook has not brought yet may lie in the inbox meanwhile.
    "DROP INDEX deliveries_offered",
    """
    CREATE INDEX deliveries_in_inbox ON deliveries (recipient, inbox_no)
    WHERE inbox_no IS NOT NULL AND state IN ('waiting', 'offered')
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
