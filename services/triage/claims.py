"""Claims: one screener works on a case at a time, for a while. Nothing waits for a claim: raising is free to
everyone, timers run on, and a claim that is over is nobody's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import audit, ledger
from shared.db import Database, Transaction
from shared.errors import Refused
from shared.keys import Caller


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a case, and until when."""

    case: str
    who: str
    until: datetime


class Claims:
    """Taking, giving back and handing over; the row of the case is what two screeners race for."""

    def __init__(self, database: Database, named_staff: frozenset[str]) -> None:
        self._database = database
        self._named_staff = named_staff

    async def take(self, caller: Caller, case: str, minutes: int) -> Claim:
        """The caller has the case for so long; taking one's own again begins anew.

        Raises Refused: 404 (no such case in the caller's areas), 409 (somebody else has it).
        """
        now = ledger.now()
        who = caller.person or caller.key
        async with self._database.transaction() as tx:
            await self._see(tx, caller, case)
            taken = await tx.row(
                """
                INSERT INTO claims ("case", who, agency, since, until)
                VALUES (:case, :who, :agency, :now, :until)
                ON CONFLICT ("case") DO UPDATE
                    SET who = excluded.who, agency = excluded.agency, since = excluded.since,
                        until = excluded.until
                    WHERE claims.who = excluded.who OR claims.until <= excluded.since
                RETURNING until
                """,
                case=case,
                who=who,
                agency=caller.agency,
                now=now,
                until=now + timedelta(minutes=minutes),
            )
            if taken is None:
                raise _not_yours(await standing(tx, case, now))
            await audit.record(tx, who=who, act="claim", case=case, until=taken["until"].isoformat())
        return Claim(case, who, taken["until"])

    async def give_back(self, caller: Caller, case: str) -> None:
        """The case is free again; giving back nothing does nothing. Raises Refused as `take` does."""
        now = ledger.now()
        who = caller.person or caller.key
        async with self._database.transaction() as tx:
            await self._see(tx, caller, case)
            found = await standing(tx, case, now)
            if found is None:
                return
            if found.who != who:
                raise _not_yours(found)
            await end(tx, case, now)
            await audit.record(tx, who=who, act="give_back", case=case)

    async def hand_over(self, caller: Caller, case: str, to: str, minutes: int) -> Claim:
        """The caller's case becomes that of `to`, a person whose key has one of the case's areas.

        Raises Refused: 404, 409 (the case is not the caller's), 422 (nobody of that name may see it).
        """
        now = ledger.now()
        who = caller.person or caller.key
        until = now + timedelta(minutes=minutes)
        async with self._database.transaction() as tx:
            areas, restricted = await self._see(tx, caller, case)
            found = await standing(tx, case, now)
            if found is None or found.who != who:
                raise Refused(409, "Not yours", "Claim the case first: only who has it can hand it over.")
            other = await tx.row(
                """
                SELECT agency FROM access.live_keys
                WHERE person = :to AND role = 'person' AND (areas IS NULL OR areas && CAST(:areas AS text[]))
                """,
                to=to,
                areas=areas,
            )
            if other is None or (restricted and to not in self._named_staff):
                raise Refused(
                    422,
                    "Nobody to hand it to",
                    "There is no person of that name in the case's areas.",
                    at="/to",
                )
            handed = await tx.row(
                """
                UPDATE claims SET who = :to, agency = :agency, since = :now, until = :until
                WHERE "case" = :case AND who = :who AND until > :now RETURNING who
                """,
                case=case,
                who=who,
                to=to,
                agency=other["agency"],
                now=now,
                until=until,
            )
            if handed is None:
                raise _not_yours(await standing(tx, case, now))
            await audit.record(tx, who=who, act="hand_over", case=case, to=to)
        return Claim(case, to, until)

    async def _see(self, tx: Transaction, caller: Caller, case: str) -> tuple[list[str], bool]:
        """The areas that see the case, and whether it is restricted."""
        row = await tx.row('SELECT visible_to, restricted FROM cases WHERE "case" = :case', case=case)
        if row is None or not may_see(
            caller, row["visible_to"], restricted=row["restricted"], named_staff=self._named_staff
        ):
            raise Refused(404, "No such case", "There is no case of this id in your areas.")
        return list(row["visible_to"]), row["restricted"]


async def standing(tx: Transaction, case: str, now: datetime) -> Claim | None:
    """Who has the case at this moment; None where nobody has."""
    row = await tx.row(
        'SELECT who, until FROM claims WHERE "case" = :case AND until > :now', case=case, now=now
    )
    return None if row is None else Claim(case, row["who"], row["until"])


async def end(tx: Transaction, case: str, now: datetime) -> None:
    """Nobody has the case any more."""
    await tx.execute('UPDATE claims SET until = :now WHERE "case" = :case AND until > :now', case=case, now=now)


def refuse_others(found: Claim | None, who: str) -> None:
    """Raise Refused (409) where somebody else has the case."""
    if found is not None and found.who != who:
        raise _not_yours(found)


def _not_yours(found: Claim | None) -> Refused:
    until = "" if found is None else f" until {found.until:%H:%M} UTC"
    return Refused(
        409,
        "Somebody else has it",
        f"{found.who if found else 'Somebody else'} works on this case{until}. Raising it is open to you.",
    )


def may_see(
    caller: Caller, visible_to: Iterable[str], *, restricted: bool, named_staff: frozenset[str]
) -> bool:
    """Whether a case is the caller's to see: of their areas and, where it is restricted, for those named for
    such cases (S13; London 2008 app. 2)."""
    return any(caller.may_see_area(area) for area in visible_to) and (
        not restricted or caller.person in named_staff
    )
