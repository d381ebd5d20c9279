"""Who is whom: links between mentions of people, each scored by itself, and what people ruled of them.

A mention is one person as one incident or one council's record names them. Its id is its case's, a line feed,
and its own in the incident; of a record `#` and the source, a line feed, and the record's id.
"""

from alembic import op

revision = "enrichment_0005"
down_revision = "enrichment_0004"

STATEMENTS = (
    "ALTER TABLE people ADD COLUMN holder text NOT NULL DEFAULT ''",
    "ALTER TABLE people ALTER COLUMN holder DROP DEFAULT",
    "CREATE INDEX people_holder ON people (holder)",
    # `one` < `other`, by bytes. `bits`: log odds in bits that the two are one person, prior and rules counted
    # in; `levels`: by field the place of the level that the comparison ended at; `rule`: what limits it.
    # `open`: for a person to look at: the two may be one, and nothing says yet that they are or are not. Told
    # whenever their families are gathered.
    """
    CREATE TABLE links (
        one text COLLATE "C" NOT NULL,
        other text COLLATE "C" NOT NULL,
        bits double precision NOT NULL,
        decision text NOT NULL CHECK (decision IN ('same', 'likely')),
        levels jsonb NOT NULL,
        rule text,
        open boolean NOT NULL DEFAULT false,
        since timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (one, other),
        CHECK (one < other)
    )
    """,
    "CREATE INDEX links_other ON links (other)",
    "CREATE INDEX links_open ON links (since) WHERE open",
    # What people said of two mentions; of several rulings on a pair the newest that stands holds, and no
    # score ever overrules it. It stays where a mention is gone, and holds again when it comes back.
    """
    CREATE TABLE rulings (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        one text COLLATE "C" NOT NULL,
        other text COLLATE "C" NOT NULL,
        ruling text NOT NULL CHECK (ruling IN ('join', 'apart')),
        who text NOT NULL,
        agency text,
        why text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        undone_at timestamptz,
        undone_by text,
        CHECK (one < other)
    )
    """,
    "CREATE INDEX rulings_one ON rulings (one) WHERE undone_at IS NULL",
    "CREATE INDEX rulings_other ON rulings (other) WHERE undone_at IS NULL",
    # What people were told by until now: an exact name with a birth date.
    "DROP TABLE keys",
    "ALTER TABLE records DROP COLUMN keys",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
