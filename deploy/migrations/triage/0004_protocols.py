"""Approvals of a board's own protocols, and what shadows differed by."""

from alembic import op

revision = "triage_0004"
down_revision = "triage_0003"

_STATEMENTS = (
    """
    CREATE TABLE approvals (
        protocol text NOT NULL,
        digest text NOT NULL,
        who text NOT NULL,
        agency text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (protocol, digest, who)
    )
    """,
    """
    CREATE TABLE shadow_counts (
        area text NOT NULL,
        live text NOT NULL,
        shadow text NOT NULL,
        difference text NOT NULL CHECK (difference IN ('same', 'higher', 'lower', 'services')),
        cases bigint NOT NULL,
        PRIMARY KEY (area, live, shadow, difference)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
