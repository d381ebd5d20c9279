"""Triage's tables and all its SQL. A case's row is the lock: whoever decides it has it, in sorted order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from services.triage.screening import Act, Standing
from shared.db import Row, Transaction

_BETWEEN = "\n"
"""Separates the entries of a list that travels as one text per row (unnest would flatten it)."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A case as it stands at its newest version, with what that was decided on.

    `receipt` and `event` (the enriched event, envelope and all) are bytes: parsed only where needed.
    """

    case: str
    revision: int
    version: int
    supersedes: int | None
    standing: Standing
    area: str
    visible_to: tuple[str, ...]
    child_level: int | None
    victim_level: str | None
    css_response: str
    why: str
    family: str | None
    as_of: datetime
    digest: str
    receipt: bytes
    people: tuple[Mapping[str, Any], ...]
    event: bytes
    trace: str | None
    looked_by: str | None = None
    looked_at: datetime | None = None

    @property
    def restricted(self) -> bool:
        """Whether only named staff may open it (S13)."""
        return "restricted" in orjson.loads(self.receipt)["result"]["handling"]


_NEWEST = """
    SELECT c."case", c.revision, c.version, c.state, c.held_by, c.held_until, c.waits_until, c.waits_for,
           c.looked_by, c.looked_at, c.area, c.visible_to, c.child_level, c.victim_level, c.css_response,
           d.supersedes, d.why, d.family, d.as_of, d.digest, d.receipt, d.people, d.event, d.trace
    FROM cases c JOIN decisions d ON d."case" = c."case" AND d.version = c.version
"""


async def load(tx: Transaction, cases: Sequence[str]) -> dict[str, Decided]:
    """The cases that were decided before, locked until the transaction ends.

    Locked first and read after: whoever had to wait for the lock would otherwise join the new row to the
    old version, and find nothing.
    """
    locked = await tx.rows(
        'SELECT "case" FROM cases WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY "case" FOR UPDATE',
        cases=sorted(set(cases)),
    )
    if not locked:
        return {}
    rows = await tx.rows(
        _NEWEST + 'WHERE c."case" = ANY(CAST(:cases AS text[]))', cases=[row["case"] for row in locked]
    )
    return {row["case"]: _decided(row) for row in rows}


async def look_up(tx: Transaction, case: str) -> Decided | None:
    """One case as it stands, not locked."""
    row = await tx.row(_NEWEST + 'WHERE c."case" = :case', case=case)
    return None if row is None else _decided(row)


def _decided(row: Row) -> Decided:
    return Decided(
        case=row["case"],
        revision=row["revision"],
        version=row["version"],
        supersedes=row["supersedes"],
        standing=Standing(
            row["state"], row["held_by"], row["held_until"], row["waits_until"], tuple(row["waits_for"])
        ),
        area=row["area"],
        visible_to=tuple(row["visible_to"]),
        child_level=row["child_level"],
        victim_level=row["victim_level"],
        css_response=row["css_response"],
        why=row["why"],
        family=row["family"],
        as_of=row["as_of"],
        digest=row["digest"],
        receipt=row["receipt"],
        people=tuple(row["people"]),
        event=row["event"],
        trace=row["trace"],
        looked_by=row["looked_by"],
        looked_at=row["looked_at"],
    )


async def save(tx: Transaction, made: Sequence[Decided]) -> None:
    """Add the versions in `made`, and let each case stand at the newest of its own."""
    await tx.execute(
        """
        INSERT INTO decisions ("case", version, revision, supersedes, state, held_by, why, family, as_of,
                               digest, receipt, people, event, trace)
        SELECT "case", version, revision, supersedes, state, held_by, why, family, as_of,
               digest, receipt, CAST(people AS jsonb), event, trace
        FROM unnest(
            CAST(:cases AS text[]), CAST(:versions AS int[]), CAST(:revisions AS bigint[]),
            CAST(:supersedes AS int[]), CAST(:states AS text[]), CAST(:held_by AS text[]),
            CAST(:whys AS text[]), CAST(:families AS text[]), CAST(:as_of AS timestamptz[]),
            CAST(:digests AS text[]), CAST(:receipts AS bytea[]),
            CAST(:people AS text[]), CAST(:events AS bytea[]), CAST(:traces AS text[])
        ) AS t("case", version, revision, supersedes, state, held_by, why, family, as_of,
               digest, receipt, people, event, trace)
        """,
        cases=[one.case for one in made],
        versions=[one.version for one in made],
        revisions=[one.revision for one in made],
        supersedes=[one.supersedes for one in made],
        states=[one.standing.state for one in made],
        held_by=[one.standing.held_by for one in made],
        whys=[one.why for one in made],
        families=[one.family for one in made],
        as_of=[one.as_of for one in made],
        digests=[one.digest for one in made],
        receipts=[one.receipt for one in made],
        people=[orjson.dumps(one.people).decode() if one.people else "[]" for one in made],
        events=[one.event for one in made],
        traces=[one.trace for one in made],
    )
    newest = sorted({one.case: one for one in made}.values(), key=lambda one: one.case)
    await tx.execute(
        """
        INSERT INTO cases ("case", revision, version, state, held_by, held_until, waits_until, waits_for,
                           looked_by, looked_at, area, visible_to, child_level, victim_level, css_response,
                           restricted)
        SELECT "case", revision, version, state, held_by, held_until, waits_until,
               string_to_array(waits_for, E'\\n'), looked_by, looked_at, area,
               string_to_array(visible_to, E'\\n'), child_level, victim_level, css_response, restricted
        FROM unnest(
            CAST(:cases AS text[]), CAST(:revisions AS bigint[]), CAST(:versions AS int[]),
            CAST(:states AS text[]), CAST(:held_by AS text[]), CAST(:held_until AS timestamptz[]),
            CAST(:waits_until AS timestamptz[]), CAST(:waits_for AS text[]), CAST(:looked_by AS text[]),
            CAST(:looked_at AS timestamptz[]), CAST(:areas AS text[]), CAST(:visible_to AS text[]),
            CAST(:child_levels AS int[]), CAST(:victim_levels AS text[]), CAST(:css_responses AS text[]),
            CAST(:restricted AS boolean[])
        ) AS t("case", revision, version, state, held_by, held_until, waits_until, waits_for, looked_by,
               looked_at, area, visible_to, child_level, victim_level, css_response, restricted)
        ON CONFLICT ("case") DO UPDATE SET
            revision = excluded.revision, version = excluded.version, state = excluded.state,
            held_by = excluded.held_by, held_until = excluded.held_until,
            waits_until = excluded.waits_until, waits_for = excluded.waits_for,
            looked_by = excluded.looked_by, looked_at = excluded.looked_at, area = excluded.area,
            visible_to = excluded.visible_to, child_level = excluded.child_level,
            victim_level = excluded.victim_level, css_response = excluded.css_response,
            restricted = excluded.restricted
        """,
        cases=[one.case for one in newest],
        revisions=[one.revision for one in newest],
        versions=[one.version for one in newest],
        states=[one.standing.state for one in newest],
        held_by=[one.standing.held_by for one in newest],
        held_until=[one.standing.held_until for one in newest],
        waits_until=[one.standing.waits_until for one in newest],
        waits_for=[_BETWEEN.join(one.standing.waits_for) for one in newest],
        looked_by=[one.looked_by for one in newest],
        looked_at=[one.looked_at for one in newest],
        areas=[one.area for one in newest],
        visible_to=[_BETWEEN.join(one.visible_to) for one in newest],
        child_levels=[one.child_level for one in newest],
        victim_levels=[one.victim_level for one in newest],
        css_responses=[one.css_response for one in newest],
        restricted=[one.restricted for one in newest],
    )


async def note_look(tx: Transaction, case: str, who: str, at: datetime) -> None:
    """A person has looked at the case as it stands: it leaves the queue."""
    await tx.execute(
        """
        UPDATE cases SET waits_until = NULL, waits_for = '{}', looked_by = :who, looked_at = :at
        WHERE "case" = :case
        """,
        case=case,
        who=who,
        at=at,
    )


async def load_acts(tx: Transaction, cases: Sequence[str]) -> dict[str, list[Act]]:
    """People's acts on the cases, each case's in order."""
    rows = await tx.rows(
        """
        SELECT "case", act, kind, who, agency, at, looked_at_version, said, reason, confirms, standing, version
        FROM acts WHERE "case" = ANY(CAST(:cases AS text[])) ORDER BY no
        """,
        cases=sorted(set(cases)),
    )
    found: dict[str, list[Act]] = {}
    for row in rows:
        act = Act(
            id=row["act"],
            kind=row["kind"],
            who=row["who"],
            agency=row["agency"],
            at=row["at"],
            looked_at=row["looked_at_version"],
            said=row["said"],
            reason=row["reason"],
            confirms=row["confirms"],
            standing=row["standing"],
            version=row["version"],
        )
        found.setdefault(row["case"], []).append(act)
    return found


async def add_act(tx: Transaction, case: str, act: Act) -> None:
    """Keep an act. Raises an integrity error where the case has one of this id: look before."""
    await tx.execute(
        """
        INSERT INTO acts ("case", act, kind, who, agency, at, looked_at_version, said, reason, confirms,
                          standing, version)
        VALUES (:case, :act, :kind, :who, :agency, :at, :looked_at, CAST(:said AS jsonb), :reason, :confirms,
                :standing, :version)
        """,
        case=case,
        act=act.id,
        kind=act.kind,
        who=act.who,
        agency=act.agency,
        at=act.at,
        looked_at=act.looked_at,
        said=orjson.dumps(dict(act.said)).decode(),
        reason=act.reason,
        confirms=act.confirms,
        standing=act.standing,
        version=act.version,
    )


async def note_standing(tx: Transaction, case: str, act: Act) -> None:
    """How an act on record stands now: a proposal that found its second, a raise that was set aside."""
    await tx.execute(
        """
        UPDATE acts SET standing = :standing, version = :version WHERE "case" = :case AND act = :act
        """,
        case=case,
        act=act.id,
        standing=act.standing,
        version=act.version,
    )


async def lapse_acts(tx: Transaction, cases: Sequence[str]) -> None:
    """Proposals that waited for a second person lapse: their cases were decided anew."""
    await tx.execute(
        """
        UPDATE acts SET standing = 'lapsed'
        WHERE "case" = ANY(CAST(:cases AS text[])) AND standing = 'waiting'
        """,
        cases=sorted(set(cases)),
    )


async def versions(tx: Transaction, case: str) -> list[Row]:
    """Every version of a case, oldest first, without what it was decided on."""
    return await tx.rows(
        """
        SELECT version, revision, supersedes, state, held_by, why, as_of, decided_at, digest
        FROM decisions WHERE "case" = :case ORDER BY version
        """,
        case=case,
    )


async def event_of(tx: Transaction, case: str, version: int) -> bytes | None:
    """The enriched event that a version was decided on, envelope and all."""
    event: bytes | None = await tx.value(
        'SELECT event FROM decisions WHERE "case" = :case AND version = :version', case=case, version=version
    )
    return event


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of what waits is asked for. `areas`: whose (None: all); `restricted`: such cases too; `area`:
    decided in it; `because`: among the reasons; `who`: claimed by them now; `after`: the due moment and case
    that a page ended with."""

    areas: Sequence[str] | None
    area: str | None = None
    restricted: bool = False
    because: str | None = None
    who: str | None = None
    after: tuple[datetime, str] | None = None


_WAITING = """
    FROM cases c LEFT JOIN claims k ON k."case" = c."case"
    WHERE c.waits_until IS NOT NULL AND (CAST(:all AS boolean) OR c.visible_to && CAST(:areas AS text[]))
      AND (CAST(:restricted AS boolean) OR NOT c.restricted)
      AND (CAST(:area AS text) IS NULL OR c.area = :area)
      AND (CAST(:because AS text) IS NULL OR :because = ANY(c.waits_for))
      AND (CAST(:who AS text) IS NULL OR (k.who = :who AND k.until > now()))
"""


def _asked(wanted: Wanted) -> dict[str, Any]:
    return {
        "all": wanted.areas is None,
        "areas": list(wanted.areas or ()),
        "area": wanted.area,
        "restricted": wanted.restricted,
        "because": wanted.because,
        "who": wanted.who,
    }


async def count_queue(tx: Transaction, wanted: Wanted) -> int:
    """How many wait for a person, on all pages together."""
    return int(await tx.value(f"SELECT count(*) {_WAITING}", **_asked(wanted)))


async def queue(tx: Transaction, wanted: Wanted, *, limit: int) -> list[Row]:
    """What waits for a person, the earliest due first."""
    return await tx.rows(
        f"""
        SELECT c."case", c.version, c.state, c.held_by, c.area, c.child_level, c.victim_level, c.css_response,
               c.waits_until, c.waits_for, k.who AS claimed_by, k.until AS claimed_until
        {_WAITING}
          AND (CAST(:after AS timestamptz) IS NULL OR (c.waits_until, c."case") > (:after, :after_case))
        ORDER BY c.waits_until, c."case" LIMIT :limit
        """,
        **_asked(wanted),
        after=None if wanted.after is None else wanted.after[0],
        after_case="" if wanted.after is None else wanted.after[1],
        limit=limit,
    )
