"""Cases, their revisions as sent, and the view that `waymark reconcile` reads."""

from alembic import op

revision = "intake_0002"
down_revision = "intake_0001"

_TABLES = (
    """
    CREATE TABLE cases (
        "case" text PRIMARY KEY,
        newest bigint NOT NULL,
        first_accepted_at timestamptz NOT NULL,
        decided bytea,
        answered bytea
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE revisions (
        "case" text NOT NULL,
        revision bigint NOT NULL,
        status text NOT NULL CHECK (status IN ('accepted', 'amended', 'withdrawn')),
        content bytea NOT NULL,
        raw bytea NOT NULL,
        answer bytea NOT NULL,
        door text NOT NULL,
        key text NOT NULL,
        contact_at timestamptz NOT NULL,
        arrived_at timestamptz NOT NULL,
        accepted_at timestamptz NOT NULL,
        emitted_seq bigint,
        PRIMARY KEY ("case", revision)
    )
    """,
    """
    CREATE VIEW reconcile AS
    SELECT r."case", r.revision, r.status, r.revision = c.newest AS newest, r.accepted_at, r.emitted_seq
    FROM revisions r JOIN cases c ON c."case" = r."case"
    """,
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
