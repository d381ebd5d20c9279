"""Pairs of mentions as people look at them: the SQL of what the score says, what was ruled, and of whom.

A mention's id is its case's, a line feed and its own; of a council's record `#` and the source, a line feed
and the record's id.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from pydantic import TypeAdapter

from services.enrichment.domain.linkage import Person, unpack
from shared.contracts.envelope import Envelope
from shared.contracts.events import IncidentAccepted
from shared.contracts.incident import Adult, Child, Incident
from shared.db import Row, Transaction

Which = Literal["waiting", "likely", "same", "joined", "apart"]
"""`waiting`: for a person to look at, whatever the score; `joined`, `apart`: what people ruled."""

_ACCEPTED: Final = TypeAdapter(Envelope[IncidentAccepted])


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a person ruled of a pair. `undone_at`: when it was taken back."""

    number: int
    ruling: Literal["join", "apart"]
    who: str
    agency: str | None
    why: str
    at: datetime
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two mentions, what the score says of them (None: nothing any more), and what was ruled, newest first."""

    name: str
    one: str
    other: str
    decision: Literal["same", "likely"] | None
    bits: float | None
    since: datetime | None
    rulings: tuple[Ruled, ...] = ()

    @property
    def ruled(self) -> Ruled | None:
        """The ruling that holds."""
        return next((one for one in self.rulings if one.undone_at is None), None)

    @property
    def stands(self) -> str:
        """What a person saw who looked at the pair, in a few characters: where it differs, it changed."""
        score = "-" if self.bits is None else f"{self.bits:.2f}"
        newest = self.rulings[0] if self.rulings else None
        ruled = "0" if newest is None else f"{newest.number}{'' if newest.undone_at is None else 'u'}"
        return f"{self.decision or 'new'}.{score}.{ruled}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pair comes in the list: the gravest family first, then the one with the newest incident."""

    level: int
    newest: datetime
    name: str


@dataclass(slots=True)
class Side:
    """One of the two: what is on file. `areas`: who must see one of them to see the mention; `incident`: the
    account it is of; None: a council's record."""

    mention: str
    person: Person
    family: int | None
    areas: frozenset[str] = field(default_factory=frozenset)
    incident: Incident | None = None
    source: str | None = None

    @property
    def own_id(self) -> str:
        """The id that its incident or council has given it."""
        return self.mention.rpartition("\n")[2]

    @property
    def named(self) -> Adult | Child | None:
        """The person as the incident names them; None of a council's record."""
        if self.incident is None:
            return None
        people = (*(self.incident.adults or ()), *(self.incident.children or ()))
        return next((one for one in people if one.id == self.own_id), None)


_RULED: Final = """
    SELECT one, other FROM (
        SELECT DISTINCT ON (one, other) one, other, ruling FROM rulings WHERE undone_at IS NULL
        ORDER BY one, other, id DESC
    ) AS holding WHERE ruling = '{ruling}'
"""
_WHICH: Final[dict[Which, str]] = {
    "waiting": "SELECT one, other FROM links WHERE open",
    "likely": "SELECT one, other FROM links WHERE decision = 'likely'",
    "same": "SELECT one, other FROM links WHERE decision = 'same'",
    "joined": _RULED.format(ruling="join"),
    "apart": _RULED.format(ruling="apart"),
}

_IN_ORDER: Final = """
    WITH asked AS ({which}), ends AS (
        SELECT a.one, a.other, COALESCE(
            (SELECT i.family FROM incidents i WHERE i."case" = split_part(p.id, E'\\n', 1) COLLATE "default"),
            (SELECT r.family FROM records r WHERE left(p.id, 1) = '#'
                AND r.source = substr(split_part(p.id, E'\\n', 1), 2) COLLATE "default"
                AND r.id = split_part(p.id, E'\\n', 2) COLLATE "default")
        ) AS family
        FROM asked a CROSS JOIN LATERAL (VALUES (a.one), (a.other)) AS p(id)
    ), urgency AS (
        -- Asked per family of a pair: most families have no pair in doubt.
        SELECT f.family, u.level, u.newest
        FROM (SELECT DISTINCT family FROM ends) AS f CROSS JOIN LATERAL (
            SELECT max(COALESCE(d.child_level, :undecided)) AS level, max(i.accepted_at) AS newest
            FROM incidents i LEFT JOIN decisions d USING ("case") WHERE i.family = f.family
        ) AS u
        WHERE u.newest IS NOT NULL AND (CAST(:family AS bigint) IS NULL OR f.family = :family)
    ), placed AS (
        SELECT e.one, e.other, link_name(e.one, e.other) AS name, max(u.level) AS level, max(u.newest) AS newest
        FROM ends e JOIN urgency u USING (family)
        GROUP BY e.one, e.other
    )
    SELECT one, other, name, level, newest FROM placed
    WHERE CAST(:after_level AS int) IS NULL OR (level, newest, name)
        < (CAST(:after_level AS int), CAST(:after_newest AS timestamptz), :after_name)
    ORDER BY level DESC, newest DESC, name DESC LIMIT :limit
"""
"""A pair of which neither side has ever been in an incident changes nobody's case: it is not listed."""


async def places(
    tx: Transaction, which: Which, *, family: int | None, after: Place | None, limit: int, undecided: int
) -> list[tuple[Place, tuple[str, str]]]:
    """So many pairs of a kind in order, after one of them, each with its place; of one family, or of all."""
    rows = await tx.rows(
        _IN_ORDER.format(which=_WHICH[which]),
        family=family,
        undecided=undecided,
        after_level=None if after is None else after.level,
        after_newest=None if after is None else after.newest,
        after_name="" if after is None else after.name,
        limit=limit,
    )
    return [(Place(row["level"], row["newest"], row["name"]), (row["one"], row["other"])) for row in rows]


async def named(tx: Transaction, name: str) -> Pair | None:
    """The pair of a name; None where no score and no ruling speaks of it."""
    row = await tx.row(
        """
        SELECT one, other FROM links WHERE link_name(one, other) = :name
        UNION SELECT one, other FROM rulings WHERE link_name(one, other) = :name LIMIT 1
        """,
        name=name,
    )
    return None if row is None else (await pairs(tx, [(row["one"], row["other"])]))[0]


async def pairs(tx: Transaction, asked: Sequence[tuple[str, str]]) -> list[Pair]:
    """Each pair as it stands, in the order asked."""
    ones, others = [one for one, _ in asked], [other for _, other in asked]
    rows = await tx.rows(
        """
        SELECT t.nth, link_name(t.one, t.other) AS name, l.decision, l.bits, l.since
        FROM unnest(CAST(:ones AS text[]), CAST(:others AS text[])) WITH ORDINALITY AS t(one, other, nth)
        LEFT JOIN links l ON l.one = t.one COLLATE "C" AND l.other = t.other COLLATE "C" ORDER BY t.nth
        """,
        ones=ones,
        others=others,
    )
    ruled: dict[tuple[str, str], list[Ruled]] = {}
    for row in await tx.rows(
        """
        SELECT r.* FROM unnest(CAST(:ones AS text[]), CAST(:others AS text[])) AS t(one, other)
        JOIN rulings r ON r.one = t.one COLLATE "C" AND r.other = t.other COLLATE "C" ORDER BY r.id DESC
        """,
        ones=ones,
        others=others,
    ):
        ruled.setdefault((row["one"], row["other"]), []).append(
            Ruled(
                row["id"], row["ruling"], row["who"], row["agency"], row["why"], row["at"],
                row["undone_at"], row["undone_by"],
            )
        )  # fmt: skip
    return [
        Pair(row["name"], *pair, row["decision"], row["bits"], row["since"], tuple(ruled.get(pair, ())))
        for pair, row in zip(asked, rows, strict=True)
    ]


async def sides(tx: Transaction, mentions: Collection[str]) -> dict[str, Side]:
    """What is on file of each mention; one that is gone (withdrawn, forgotten) is left out."""
    rows = await tx.rows(
        """
        SELECT p.id, p.person, i.family AS case_family, i.account, i.accepted, i."case",
            r.family AS record_family, r.source, r.person AS recorded
        FROM people p LEFT JOIN incidents i ON i."case" = split_part(p.id, E'\\n', 1)
        LEFT JOIN records r ON r.source = substr(split_part(p.id, E'\\n', 1), 2)
            AND r.id = split_part(p.id, E'\\n', 2) AND left(p.id, 1) = '#'
        WHERE p.id = ANY(CAST(:mentions AS text[]))
        """,
        mentions=sorted(mentions),
    )
    return {row["id"]: _side(row) for row in rows}


def _side(row: Row) -> Side:
    person = unpack(row["id"], row["person"])
    if row["case"] is None:
        area = None if row["recorded"] is None else orjson.loads(row["recorded"])["area"]
        areas = frozenset({area} if area else ())
        return Side(row["id"], person, row["record_family"], areas, source=row["source"])
    side = Side(row["id"], person, row["case_family"])
    side.incident = incident = _ACCEPTED.validate_json(row["accepted"]).body.incident
    home = None if side.named is None else side.named.area
    side.areas = frozenset(area for area in (incident.area, home) if area)
    return side


@dataclass(frozen=True, slots=True)
class Reach:
    """Who may know of a family: people of its incidents' areas; named staff alone where it is `restricted`."""

    areas: frozenset[str] = frozenset()
    restricted: bool = False


async def reach_of(tx: Transaction, families: Collection[int]) -> dict[int, Reach]:
    """Who may know of each family, by all its incidents."""
    areas: dict[int, set[str]] = {}
    restricted = set()
    for row in await tx.rows(
        "SELECT family, account FROM incidents WHERE family = ANY(CAST(:families AS bigint[]))",
        families=sorted(families),
    ):
        account: dict[str, Any] = orjson.loads(row["account"])
        areas.setdefault(row["family"], set()).update(filter(None, [account["area"]]))
        if account.get("restricted"):
            restricted.add(row["family"])
    return {family: Reach(frozenset(found), family in restricted) for family, found in areas.items()}


async def rule(
    tx: Transaction, pair: Pair, ruling: Literal["join", "apart"], *, who: str, agency: str | None, why: str
) -> int:
    """Keep a ruling; its number."""
    number: int = await tx.value(
        """
        INSERT INTO rulings (one, other, ruling, who, agency, why)
        VALUES (:one, :other, :ruling, :who, :agency, :why) RETURNING id
        """,
        one=pair.one,
        other=pair.other,
        ruling=ruling,
        who=who,
        agency=agency,
        why=why,
    )
    return number


async def undo(tx: Transaction, number: int, *, who: str) -> None:
    """Take a ruling back; it stays on file."""
    await tx.execute(
        "UPDATE rulings SET undone_at = now(), undone_by = :who WHERE id = :id", id=number, who=who
    )
