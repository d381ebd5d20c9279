"""Restricted cases (S13), which only named staff may open, marked on the case itself."""

from alembic import op

revision = "triage_0005"
down_revision = "triage_0004"

STATEMENTS = (
    "ALTER TABLE cases ADD COLUMN restricted boolean NOT NULL DEFAULT false",
    """
    UPDATE cases AS c SET restricted = true FROM decisions d
    WHERE d."case" = c."case" AND d.version = c.version
      AND CAST(convert_from(d.receipt, 'UTF8') AS jsonb) #> '{result,handling}' @> '["restricted"]'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
