"""When somebody dealt with a dead letter: told by its service, not guessed from what it says later."""

from alembic import op

revision = "console_0008"
down_revision = "console_0007"

STATEMENTS = ("ALTER TABLE dead_letters_told ADD COLUMN resolved_at timestamptz",)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
