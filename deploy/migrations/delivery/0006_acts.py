"""What people do to deliveries: release what is restricted, pass on what is not theirs; and when whoever has
not opened or decided is asked again."""

from alembic import op

revision = "delivery_0006"
down_revision = "delivery_0005"

STATEMENTS = (
    """
    ALTER TABLE deliveries
        ADD COLUMN passed_to text,
        ADD COLUMN released_by text,
        ADD COLUMN released_at timestamptz,
        ADD COLUMN chase_at timestamptz,
        ADD COLUMN chases int NOT NULL DEFAULT 0
    """,
    "CREATE INDEX deliveries_chase ON deliveries (chase_at) WHERE chase_at IS NOT NULL",
    "CREATE INDEX deliveries_unanswered ON deliveries (due) WHERE chases >= 2",
    "CREATE INDEX deliveries_held ON deliveries (due) WHERE state = 'held'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
