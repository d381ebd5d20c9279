"""Cases as delivery keeps them, deliveries with their branch of the time ledger, and what was sent."""

from alembic import op

revision = "delivery_0002"
down_revision = "delivery_0001"

STATEMENTS = (
    """
    CREATE TABLE cases (
        "case" text PRIMARY KEY,
        revision bigint NOT NULL,
        version int NOT NULL,
        state text NOT NULL,
        held_by text,
        decided_state text NOT NULL,
        decided_owner text,
        why text NOT NULL,
        trace text,
        caused_by text,
        lane text NOT NULL,
        ledger json NOT NULL,
        unaddressed json NOT NULL DEFAULT '[]',
        decided bytea,
        updated_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 80)
    """,
    # Only cases that could not be addressed keep the decision itself, to be addressed again.
    'CREATE INDEX cases_unaddressed ON cases ("case") WHERE decided IS NOT NULL',
    """
    CREATE TABLE deliveries (
        id text PRIMARY KEY,
        "case" text NOT NULL,
        version int NOT NULL,
        revision bigint NOT NULL,
        recipient text NOT NULL,
        service text NOT NULL,
        route json NOT NULL,
        due timestamptz NOT NULL,
        view text NOT NULL,
        state text NOT NULL,
        channel int NOT NULL,
        began timestamptz NOT NULL,
        trace text,
        replaces text,
        escalates text,
        bulk boolean NOT NULL,
        attempts int NOT NULL DEFAULT 0,
        first_attempt_at timestamptz,
        next_at timestamptz,
        leased_by text,
        lease_until timestamptz,
        received_at timestamptz,
        breached_at timestamptz,
        held_because text,
        last_result text,
        inbox_no bigint,
        answers json NOT NULL DEFAULT '[]',
        ledger json NOT NULL DEFAULT '[]'
    ) WITH (fillfactor = 70)
    """,
    'CREATE INDEX deliveries_case ON deliveries ("case")',
    "CREATE INDEX deliveries_waiting ON deliveries (recipient, bulk, due) WHERE state = 'waiting'",
    """
    CREATE INDEX deliveries_due ON deliveries (due)
    WHERE breached_at IS NULL AND received_at IS NULL AND state IN ('waiting', 'offered', 'held')
    """,
    "CREATE INDEX deliveries_offered ON deliveries (recipient, inbox_no) WHERE state = 'offered'",
    # What was sent, apart from the row that changes with every attempt. Compressing it would cost more
    # than it saves: it is written once and mostly never read again.
    "CREATE TABLE contents (delivery text PRIMARY KEY, payload bytea NOT NULL)",
    "ALTER TABLE contents ALTER COLUMN payload SET STORAGE EXTERNAL",
    """
    CREATE VIEW reconcile AS
    SELECT c."case", c.revision, c.version, c.state, c.held_by,
        (
            SELECT count(*)::int FROM deliveries d
            WHERE d."case" = c."case" AND d.state IN ('waiting', 'offered', 'held') AND d.received_at IS NULL
        ) AS waiting
    FROM cases c
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
