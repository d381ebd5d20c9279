"""What amendments changed, and who has been told what their form cannot carry."""

from alembic import op

revision = "intake_0003"
down_revision = "intake_0002"


def upgrade() -> None:
    op.execute("ALTER TABLE revisions ADD COLUMN changed bytea")
    op.execute("CREATE TABLE told_once (key text NOT NULL, form text NOT NULL, PRIMARY KEY (key, form))")
