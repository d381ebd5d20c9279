"""Imports of whole registers in many slices: which was it that last named a record."""

from alembic import op

revision = "enrichment_0003"
down_revision = "enrichment_0002"

STATEMENTS = (
    # The newest import of a source is the only one that may go on; `finished_at`: it replaced the register.
    """
    CREATE TABLE imports (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        id text NOT NULL,
        as_of timestamptz NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz,
        UNIQUE (source, id)
    )
    """,
    # `unread`: entries left out of which nobody can tell whom they were about.
    """
    CREATE TABLE import_slices (
        import bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
        slice int NOT NULL,
        unread int NOT NULL,
        PRIMARY KEY (import, slice)
    )
    """,
    # How far each source has told all it knows: its last finished import, whole or changed since.
    "CREATE TABLE sources (source text PRIMARY KEY, as_of timestamptz NOT NULL)",
    "INSERT INTO sources SELECT source, max(as_of) FROM records GROUP BY source",
    # `import`: the last to name the person; `added_by`: the one that brought them, so that it can be told
    # how many of those who were there before it leaves out.
    """
    ALTER TABLE records
        ADD COLUMN import bigint, ADD COLUMN added_by bigint, ADD COLUMN involvement_import bigint
    """,
    """
    ALTER TABLE relationships
        ADD COLUMN import bigint, ADD COLUMN as_of timestamptz NOT NULL DEFAULT '-infinity'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
