"""Cases, their decisions version by version, and what people did about them."""

from alembic import op

revision = "triage_0002"
down_revision = "triage_0001"

_STATEMENTS = (
    # One row per case: where it stands now. `waits_until` is set while a person has to look.
    """
    CREATE TABLE cases (
        "case" text PRIMARY KEY,
        revision bigint NOT NULL,
        version int NOT NULL,
        state text NOT NULL CHECK (state IN ('to_route', 'held', 'no_recipient_by_rule', 'withdrawn')),
        held_by text,
        held_until timestamptz,
        waits_until timestamptz,
        waits_for text[] NOT NULL DEFAULT '{}',
        looked_by text,
        looked_at timestamptz,
        area text NOT NULL,
        visible_to text[] NOT NULL,
        child_level int,
        victim_level text,
        css_response text NOT NULL,
        CHECK ((state = 'held') = (held_by IS NOT NULL))
    ) WITH (fillfactor = 85)
    """,
    "CREATE INDEX cases_waiting ON cases (waits_until) WHERE waits_until IS NOT NULL",
    # Every version for ever, with the event it was decided on, so that each can be decided again.
    """
    CREATE TABLE decisions (
        "case" text NOT NULL,
        version int NOT NULL,
        revision bigint NOT NULL,
        supersedes int,
        state text NOT NULL,
        held_by text,
        why text NOT NULL,
        family text,
        as_of timestamptz NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest text NOT NULL,
        receipt bytea NOT NULL,
        people jsonb NOT NULL DEFAULT '[]',
        event bytea NOT NULL,
        trace text,
        PRIMARY KEY ("case", version)
    )
    """,
    # Written once, read seldom: compressing costs more processor time than the room is worth.
    "ALTER TABLE decisions ALTER COLUMN receipt SET STORAGE EXTERNAL",
    "ALTER TABLE decisions ALTER COLUMN event SET STORAGE EXTERNAL",
    # People's acts. The reasons are people's own words: they stay here and travel nowhere.
    """
    CREATE TABLE acts (
        no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        "case" text NOT NULL REFERENCES cases,
        act text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('confirm', 'raise', 'lower', 'unheld')),
        who text NOT NULL,
        agency text,
        at timestamptz NOT NULL,
        looked_at_version int NOT NULL,
        said jsonb NOT NULL DEFAULT '{}',
        reason text,
        confirms text,
        standing text NOT NULL CHECK (standing IN ('applied', 'waiting', 'lapsed')),
        version int,
        UNIQUE ("case", act)
    )
    """,
    """
    CREATE VIEW reconcile AS
    SELECT c."case", c.revision, c.version, c.state, c.held_by, s.seq AS seq_emitted
    FROM cases c LEFT JOIN seqs s USING ("case")
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
