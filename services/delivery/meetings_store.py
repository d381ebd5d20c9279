"""The SQL of meetings: the cases on their lists, who was there, and what was agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import orjson

from services.delivery.domain.case import CaseRecord
from services.delivery.domain.meeting_actions import Action, Attendance
from services.delivery.domain.meetings import Listing, Meeting
from shared.db import Row, Transaction

_LISTING: Final[dict[str, str]] = {
    "kind": "text", "area": "text", "held_on": "date", '"case"': "text", "seq": "int", "standing": "text",
    "version": "int", "referred_at": "timestamptz", "joined_at": "timestamptz", "changed_at": "timestamptz",
    "restricted": "boolean", "event": "bytea", "late_by": "text", "late_because": "text", "moved_to": "date",
    "moved_because": "text", "moved_from": "date", "heard_on": "date", "heard_by": "text",
}  # fmt: skip
"""Each column with its type."""
_KEY: Final = ("kind", "area", "held_on", '"case"')
_ACTION: Final = (
    "id", "kind", "area", "held_on", '"case"', "what", "agency", "who", "due", "seq", "agreed_by", "agreed_at",
    "done_at", "done_by", "chase_at", "chases",
)  # fmt: skip

_SAVE_LISTINGS: Final = (
    f"INSERT INTO meeting_cases ({', '.join(_LISTING)}) SELECT * FROM unnest("  # noqa: S608 (names from above)
    + ", ".join(f"CAST(:{name.strip(chr(34))} AS {kind}[])" for name, kind in _LISTING.items())
    + f") ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{one} = excluded.{one}" for one in _LISTING if one not in _KEY)
)
_SAVE_ACTION: Final = (
    f"INSERT INTO meeting_actions ({', '.join(_ACTION)}) "  # noqa: S608 (names from the table above)
    f"VALUES ({', '.join(':' + one.strip(chr(34)) for one in _ACTION)}) "
    "ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, done_at = excluded.done_at, "
    "done_by = excluded.done_by, chase_at = excluded.chase_at, chases = excluded.chases"
)


async def standing_of(tx: Transaction, cases: Iterable[str]) -> list[Listing]:
    """Where cases stand now, locked until the transaction ends; not where they moved away from."""
    rows = await tx.rows(
        f"""
        SELECT {", ".join(_LISTING)} FROM meeting_cases
        WHERE "case" = ANY(CAST(:cases AS text[])) AND standing <> 'moved'
        ORDER BY "case", kind, area FOR UPDATE
        """,  # noqa: S608 (names from the table above)
        cases=sorted(set(cases)),
    )
    return [Listing(**row) for row in rows]


async def listing(tx: Transaction, meeting: Meeting, case: str) -> Listing | None:
    """A case as it stands on a list, locked; None where it never stood there."""
    row = await tx.row(
        f"""
        SELECT {", ".join(_LISTING)} FROM meeting_cases
        WHERE kind = :kind AND area = :area AND held_on = :day AND "case" = :case FOR UPDATE
        """,  # noqa: S608 (names from the table above)
        kind=meeting.kind,
        area=meeting.area,
        day=meeting.day,
        case=case,
    )
    return None if row is None else Listing(**row)


async def list_of(tx: Transaction, meeting: Meeting) -> list[Listing]:
    """All that stand, stood or were put on a list, in the order referred. One that a person decided must not
    go there is not among them."""
    rows = await tx.rows(
        f"""
        SELECT {", ".join(_LISTING)} FROM meeting_cases m
        WHERE kind = :kind AND area = :area AND held_on = :day AND NOT EXISTS (
            SELECT 1 FROM deliveries d
            WHERE d."case" = m."case" AND d.service = m.kind AND d.state = 'refused'
        )
        ORDER BY referred_at, "case"
        """,  # noqa: S608 (names from the table above)
        kind=meeting.kind,
        area=meeting.area,
        day=meeting.day,
    )
    return [Listing(**row) for row in rows]


async def save_listings(tx: Transaction, listings: Sequence[Listing]) -> None:
    """Store listings whose cases are locked, each list and case once. What moved away goes first: a case
    stands on one list of an area at a time."""
    if not listings:
        return
    ordered = sorted(listings, key=lambda one: one.standing != "moved")
    names = [name.strip('"') for name in _LISTING]
    await tx.execute(_SAVE_LISTINGS, **{name: [getattr(one, name) for one in ordered] for name in names})


async def save_heard(tx: Transaction, case: CaseRecord) -> None:
    """Store on which days a case, which is locked, was heard."""
    await tx.execute(
        'UPDATE cases SET heard = CAST(:heard AS json) WHERE "case" = :case',
        heard=orjson.dumps(case.heard).decode(),
        case=case.case,
    )


async def attendance(tx: Transaction, meeting: Meeting) -> list[Attendance]:
    """Who was noted to be invited, there, or excused."""
    rows = await tx.rows(
        """
        SELECT agency, who, standing, seq FROM meeting_attendance
        WHERE kind = :kind AND area = :area AND held_on = :day ORDER BY id
        """,
        kind=meeting.kind,
        area=meeting.area,
        day=meeting.day,
    )
    return [Attendance(**row) for row in rows]


async def note_attendance(tx: Transaction, meeting: Meeting, one: Attendance, by: str, now: datetime) -> bool:
    """Store it, unless somebody has noted something else since `one.seq`; whether it was stored."""
    return bool(
        await tx.execute(
            """
            INSERT INTO meeting_attendance AS a
                (kind, area, held_on, agency, who, standing, seq, noted_by, noted_at)
            SELECT :kind, :area, :day, :agency, :who, :standing, 1, :by, :now
            ON CONFLICT (kind, area, held_on, agency, who) DO UPDATE
            SET standing = excluded.standing, seq = a.seq + 1, noted_by = excluded.noted_by,
                noted_at = excluded.noted_at
            WHERE a.seq = :seq
            """,
            kind=meeting.kind,
            area=meeting.area,
            day=meeting.day,
            agency=one.agency,
            who=one.who,
            standing=one.standing,
            by=by,
            now=now,
            seq=one.seq,
        )
    )


async def actions_of(tx: Transaction, meeting: Meeting) -> list[Action]:
    """What was agreed at a meeting, in the order of agreeing."""
    rows = await tx.rows(
        f"""
        SELECT {", ".join(_ACTION)} FROM meeting_actions
        WHERE kind = :kind AND area = :area AND held_on = :day ORDER BY agreed_at, id
        """,  # noqa: S608 (names from the table above)
        kind=meeting.kind,
        area=meeting.area,
        day=meeting.day,
    )
    return [Action(**row) for row in rows]


async def action(tx: Transaction, number: str) -> Action | None:
    """An action, locked; None where there is none of this id."""
    row = await tx.row(
        f"SELECT {', '.join(_ACTION)} FROM meeting_actions WHERE id = :id FOR UPDATE",  # noqa: S608
        id=number,
    )
    return None if row is None else Action(**row)


async def save_action(tx: Transaction, one: Action) -> None:
    """Store an action: a new one, or what may change of one that is locked."""
    await tx.execute(_SAVE_ACTION, **{name.strip('"'): getattr(one, name.strip('"')) for name in _ACTION})


async def to_chase(tx: Transaction, limit: int) -> list[Action]:
    """Actions that are due to be asked for, locked; what another copy of the service has locked is passed
    over."""
    rows = await tx.rows(
        f"""
        SELECT {", ".join(_ACTION)} FROM meeting_actions
        WHERE chase_at IS NOT NULL AND chase_at <= clock_timestamp()
        ORDER BY chase_at LIMIT :n FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 (names from the table above)
        n=limit,
    )
    return [Action(**row) for row in rows]


async def counts(tx: Transaction, areas: Sequence[str], since: date, today: date) -> list[Row]:
    """Per meeting from `since` on that has cases or actions, and per older one of which something is left: how
    many stand on its list, came late, were heard, wait to be said whether they were, and how many actions are
    open and overdue."""
    return await tx.rows(
        """
        SELECT coalesce(c.kind, a.kind) AS kind, coalesce(c.area, a.area) AS area,
            coalesce(c.held_on, a.held_on) AS held_on,
            coalesce(c.cases, 0) AS cases, coalesce(c.late, 0) AS late, coalesce(c.heard, 0) AS heard,
            coalesce(c.unsaid, 0) AS unsaid, coalesce(a.open, 0) AS open, coalesce(a.overdue, 0) AS overdue
        FROM (
            SELECT kind, area, held_on, count(*)::int AS cases,
                count(late_by)::int AS late, count(heard_on)::int AS heard,
                (count(*) FILTER (WHERE heard_on IS NULL AND held_on < :today))::int AS unsaid
            FROM meeting_cases
            WHERE area = ANY(CAST(:areas AS text[])) AND (
                (held_on >= :since AND heard_on IS NOT NULL) OR (standing = 'listed' AND heard_on IS NULL)
            )
            GROUP BY kind, area, held_on
        ) AS c FULL JOIN (
            SELECT kind, area, held_on, count(*)::int AS open,
                (count(*) FILTER (WHERE due < :today))::int AS overdue
            FROM meeting_actions
            WHERE area = ANY(CAST(:areas AS text[])) AND done_at IS NULL
            GROUP BY kind, area, held_on
        ) AS a ON (c.kind, c.area, c.held_on) = (a.kind, a.area, a.held_on)
        ORDER BY 3, 2, 1
        """,
        areas=list(areas),
        since=since,
        today=today,
    )
