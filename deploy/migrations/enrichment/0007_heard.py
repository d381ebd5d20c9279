"""When a MARAC heard a case, beside what children's services answered to it."""

from alembic import op

revision = "enrichment_0007"
down_revision = "enrichment_0006"


def upgrade() -> None:
    op.execute("ALTER TABLE answers ADD COLUMN heard date")
