"""Recipients described by people over HTTP, their changes, what is known of addresses, and refusals."""

from alembic import op

revision = "delivery_0003"
down_revision = "delivery_0002"

STATEMENTS = (
    # Signing secrets stand in `described` sealed.
    """
    CREATE TABLE recipients (
        id text PRIMARY KEY,
        described json NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE recipient_changes (
        id text PRIMARY KEY,
        recipient text NOT NULL,
        described json NOT NULL,
        what text[] NOT NULL,
        asked_by text NOT NULL,
        asked_at timestamptz NOT NULL DEFAULT now(),
        state text NOT NULL DEFAULT 'waiting',
        decided_by text,
        decided_at timestamptz
    )
    """,
    "CREATE UNIQUE INDEX recipient_changes_waiting ON recipient_changes (recipient) WHERE state = 'waiting'",
    """
    CREATE TABLE addresses (
        recipient text NOT NULL,
        url text NOT NULL,
        verified_at timestamptz,
        failing_since timestamptz,
        disabled_at timestamptz,
        disabled_because text,
        PRIMARY KEY (recipient, url)
    )
    """,
    # Every copy of the service reads the tables above again when this number has grown.
    "CREATE TABLE directory (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL)",
    "INSERT INTO directory (version) VALUES (1)",
    # Only of what failed: what was received has its line in the delivery's ledger.
    """
    CREATE TABLE refusals (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        delivery text NOT NULL,
        at timestamptz NOT NULL,
        result text NOT NULL,
        said text
    )
    """,
    "CREATE INDEX refusals_delivery ON refusals (delivery)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
