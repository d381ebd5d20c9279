"""Meetings: the cases on their lists, who sat there, the actions agreed, and which days a case was heard on."""

from alembic import op

revision = "delivery_0007"
down_revision = "delivery_0006"

STATEMENTS = (
    # `event`: the decision that the list is shown from, to each role as it may see it.
    """
    CREATE TABLE meeting_cases (
        kind text NOT NULL,
        area text NOT NULL,
        held_on date NOT NULL,
        "case" text NOT NULL,
        seq int NOT NULL,
        standing text NOT NULL,
        version int NOT NULL,
        referred_at timestamptz NOT NULL,
        joined_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        restricted boolean NOT NULL,
        event bytea,
        late_by text,
        late_because text,
        moved_to date,
        moved_because text,
        moved_from date,
        heard_on date,
        heard_by text,
        PRIMARY KEY (kind, area, held_on, "case")
    )
    """,
    # Compressing what is written once and read a few times would cost more than it saves.
    "ALTER TABLE meeting_cases ALTER COLUMN event SET STORAGE EXTERNAL",
    # A case stands on one list of an area at a time; what moved away leaves its mark on the list it left.
    """
    CREATE UNIQUE INDEX meeting_cases_once ON meeting_cases ("case", kind, area) WHERE standing <> 'moved'
    """,
    # For the counts of the last half year, and for what is left of older meetings.
    """
    CREATE INDEX meeting_cases_counted ON meeting_cases (area, held_on)
    INCLUDE (kind, standing, heard_on, late_by)
    """,
    """
    CREATE INDEX meeting_cases_unsaid ON meeting_cases (area)
    WHERE standing = 'listed' AND heard_on IS NULL
    """,
    """
    CREATE TABLE meeting_attendance (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        area text NOT NULL,
        held_on date NOT NULL,
        agency text NOT NULL,
        who text NOT NULL,
        standing text NOT NULL,
        seq int NOT NULL,
        noted_by text NOT NULL,
        noted_at timestamptz NOT NULL,
        UNIQUE (kind, area, held_on, agency, who)
    )
    """,
    """
    CREATE TABLE meeting_actions (
        id text PRIMARY KEY,
        kind text NOT NULL,
        area text NOT NULL,
        held_on date NOT NULL,
        "case" text NOT NULL,
        what text NOT NULL,
        agency text NOT NULL,
        who text NOT NULL,
        due date NOT NULL,
        seq int NOT NULL,
        agreed_by text NOT NULL,
        agreed_at timestamptz NOT NULL,
        done_at timestamptz,
        done_by text,
        chase_at timestamptz,
        chases int NOT NULL DEFAULT 0
    )
    """,
    'CREATE INDEX meeting_actions_of ON meeting_actions (kind, area, held_on, "case")',
    "CREATE INDEX meeting_actions_open ON meeting_actions (area) WHERE done_at IS NULL",
    "CREATE INDEX meeting_actions_chase ON meeting_actions (chase_at) WHERE chase_at IS NOT NULL",
    # When a case was heard, for the outcome that tells of it with everything else of the case.
    "ALTER TABLE cases ADD COLUMN heard json NOT NULL DEFAULT '[]'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
