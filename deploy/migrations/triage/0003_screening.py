"""Claims: who works on a case, and until when; answers among people's acts."""

from alembic import op

revision = "triage_0003"
down_revision = "triage_0002"

_STATEMENTS = (
    # One row per case: whoever has it, or had it last. A claim whose time is over is nobody's.
    """
    CREATE TABLE claims (
        "case" text PRIMARY KEY REFERENCES cases,
        who text NOT NULL,
        agency text,
        since timestamptz NOT NULL,
        until timestamptz NOT NULL
    )
    """,
    "ALTER TABLE acts DROP CONSTRAINT acts_kind_check",
    """
    ALTER TABLE acts ADD CONSTRAINT acts_kind_check
        CHECK (kind IN ('confirm', 'raise', 'lower', 'answer', 'unheld'))
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
