"""A short name for a pair of mentions, by which people speak of it and of what was ruled on it."""

from alembic import op

revision = "enrichment_0006"
down_revision = "enrichment_0005"

STATEMENTS = (
    # Two mentions' ids are long and hold line feeds; the name is 64 bits of a digest of both.
    """
    CREATE FUNCTION link_name(one text, other text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN 'L-' || left(md5(one || E'\\n\\n' || other), 16)
    """,
    "CREATE INDEX links_name ON links (link_name(one, other))",
    "CREATE INDEX rulings_name ON rulings (link_name(one, other))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
