"""What a board's month is counted from, and the last conservation check. Still nothing about a person."""

from alembic import op

revision = "console_0006"
down_revision = "console_0004"

STATEMENTS = (
    # `repeat`: an earlier incident of the family is known; `traced`: children's services have a record of it;
    # both unknown where there was no history. `outcome`: what children's services answered last.
    """
    ALTER TABLE cases
        ADD COLUMN repeat boolean,
        ADD COLUMN traced boolean,
        ADD COLUMN outcome text,
        ADD COLUMN met int NOT NULL DEFAULT 0,
        ADD COLUMN late int NOT NULL DEFAULT 0
    """,
    """
    CREATE TABLE conservation (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        at timestamptz NOT NULL,
        found jsonb NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
