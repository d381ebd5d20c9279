"""Refusals by recipient: its developers look for what their server said last."""

from alembic import op

revision = "delivery_0005"
down_revision = "delivery_0004"

STATEMENTS = (
    "ALTER TABLE refusals ADD COLUMN recipient text NOT NULL DEFAULT ''",
    "DROP INDEX refusals_delivery",
    "CREATE INDEX refusals_recipient ON refusals (recipient, id)",
    "CREATE INDEX refusals_at ON refusals (at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
