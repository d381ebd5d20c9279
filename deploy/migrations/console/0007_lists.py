"""Cases of one state, the newest first: an index of its own, for a list that goes far back."""

from alembic import op

revision = "console_0007"
down_revision = "console_0006"

STATEMENTS = (
    # A state changes a few times in a case's life: that is what this index costs.
    'CREATE INDEX cases_of_state ON cases (state, accepted_at, "case")',
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
