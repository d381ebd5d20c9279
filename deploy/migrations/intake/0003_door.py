"""What amendments changed, which cases are live, and who has been told what their form cannot carry."""

from alembic import op

revision = "intake_0003"
down_revision = "intake_0002"


def upgrade() -> None:
    op.execute("ALTER TABLE revisions ADD COLUMN changed bytea")
    # Of cases from before: live unless everything sent of them says that it is a test. In doubt live, so
    # that no amendment can take a real case back unseen.
    op.execute("ALTER TABLE cases ADD COLUMN live boolean NOT NULL DEFAULT true")
    op.execute("ALTER TABLE cases ALTER COLUMN live DROP DEFAULT")
    op.execute(
        r"""
        UPDATE cases AS c SET live = false WHERE NOT EXISTS (
            SELECT 1 FROM revisions r
            WHERE r."case" = c."case" AND encode(r.raw, 'escape') !~ '"test"\s*:\s*true'
        )
        """
    )
    op.execute("CREATE TABLE told_once (key text NOT NULL, form text NOT NULL, PRIMARY KEY (key, form))")
