"""The register: incidents as they stand, by whom they are tied, what was decided, what councils know."""

from alembic import op

revision = "enrichment_0002"
down_revision = "enrichment_0001"

STATEMENTS = (
    "CREATE SEQUENCE family_numbers",
    # One row per case. `family` is null while a case is withdrawn or not joined yet; `pending`: its history
    # could not be looked up; `digest`: of the history last emitted; `accepted`: the event, to emit it again.
    # What people wrote is kept as JSON in bytes: text and jsonb refuse characters that JSON may hold.
    """
    CREATE TABLE incidents (
        "case" text PRIMARY KEY,
        revision bigint NOT NULL,
        accepted_at timestamptz NOT NULL,
        family bigint,
        pending boolean NOT NULL DEFAULT false,
        digest bytea NOT NULL,
        account bytea NOT NULL,
        accepted bytea NOT NULL
    ) WITH (fillfactor = 90)
    """,
    'CREATE INDEX incidents_family ON incidents (family, accepted_at, "case")',
    # What people can be told by, and the incidents that they tie together.
    'CREATE TABLE keys (key text NOT NULL, "case" text NOT NULL, PRIMARY KEY (key, "case"))',
    """
    CREATE TABLE decisions (
        "case" text PRIMARY KEY,
        child_level int,
        notified_css boolean NOT NULL,
        marac_on date,
        about bytea NOT NULL
    )
    """,
    'CREATE TABLE answers ("case" text PRIMARY KEY, taken jsonb NOT NULL)',
    # `stale`: imported and not yet joined to families; `removed`: no longer known, until that is done.
    """
    CREATE TABLE records (
        source text NOT NULL,
        id text NOT NULL,
        person bytea NOT NULL,
        keys text[] NOT NULL,
        as_of timestamptz NOT NULL,
        involvement bytea,
        involvement_as_of timestamptz,
        family bigint,
        stale boolean NOT NULL DEFAULT true,
        removed boolean NOT NULL DEFAULT false,
        PRIMARY KEY (source, id)
    )
    """,
    "CREATE INDEX records_keys ON records USING gin (keys) WITH (fastupdate = off)",
    "CREATE INDEX records_family ON records (family)",
    "CREATE INDEX records_stale ON records (source, id) WHERE stale",
    """
    CREATE TABLE relationships (
        source text NOT NULL,
        from_id text NOT NULL,
        to_id text NOT NULL,
        kind text,
        PRIMARY KEY (source, from_id, to_id)
    )
    """,
    "CREATE INDEX relationships_to ON relationships (source, to_id)",
    """
    CREATE VIEW reconcile AS
    SELECT i."case", i.revision, s.seq AS seq_emitted FROM incidents i LEFT JOIN seqs s USING ("case")
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
