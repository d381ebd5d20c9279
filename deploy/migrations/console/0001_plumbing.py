"""The tables that every service has."""

from alembic import op

from shared import plumbing

revision = "console_0001"
down_revision = None


def upgrade() -> None:
    for statement in plumbing.V1:
        op.execute(statement)
