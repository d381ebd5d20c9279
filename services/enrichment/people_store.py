"""People on file, found again by their keys: the linkage's index in SQL.

A key that very many share is passed over, and of those found only the ones that share the rarest keys are
compared: so a look-up takes as long among a million people as among ten thousand. What that costs in recall
is measured (`waymark bench linkage`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from services.enrichment.domain import Named
from services.enrichment.domain.linkage import Person, full_keys, keys_of, pack, probes_of, unpack
from shared.db import Transaction

MOST_PER_KEY: Final = 200
"""People who may share a key before it is passed over."""
MOST_COMPARED: Final = 40
"""People compared with each who is asked for."""


@lru_cache(maxsize=1 << 14)
def _unpacked(mention: str, packed: bytes) -> Person:
    """A mention is a candidate many times over: those of its family, and those who live or are called alike."""
    return unpack(mention, packed)


def digest_of(key: str, *, test: bool = False) -> int:
    """A key as it is stored: 64 bits. Two keys that share them only bring one person more to compare.

    People of test incidents have keys of their own, so that a test never touches a real family.
    """
    kind = "test|" if test else ""
    return int.from_bytes(blake2b((kind + key).encode(), digest_size=8).digest(), signed=True)


async def file_people(tx: Transaction, people: Iterable[Named]) -> None:
    """File mentions, each under its id and keys; whatever is on file already is filed anew."""
    rows = list(people)
    filed = await tx.rows(
        """
        INSERT INTO people (id, holder, person)
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:holders AS text[]), CAST(:people AS bytea[]))
        ON CONFLICT (id) DO UPDATE SET person = excluded.person
        RETURNING number, id, xmax <> 0 AS anew
        """,
        ids=[one.id for one in rows],
        holders=[one.holder for one in rows],
        people=[pack(one.person) for one in rows],
    )
    numbers = {row["id"]: row["number"] for row in filed}
    if anew := [row["number"] for row in filed if row["anew"]]:
        await tx.execute("DELETE FROM person_keys WHERE person = ANY(CAST(:numbers AS bigint[]))", numbers=anew)
    keys = [(digest_of(key, test=one.test), numbers[one.id]) for one in rows for key in keys_of(one.person)]
    await tx.execute(
        """
        INSERT INTO person_keys SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:people AS bigint[]))
        ON CONFLICT DO NOTHING
        """,
        keys=[key for key, _ in keys],
        people=[number for _, number in keys],
    )


async def filed(tx: Transaction, mentions: Collection[str]) -> dict[str, bytes]:
    """Those of the mentions that are on file, as `linkage.pack` wrote them."""
    rows = await tx.rows(
        "SELECT id, person FROM people WHERE id = ANY(CAST(:ids AS text[]))", ids=sorted(mentions)
    )
    return {row["id"]: row["person"] for row in rows}


async def drop_people(tx: Transaction, holders: Collection[str]) -> set[str]:
    """Take the mentions of some holders off file, with their links. Returns the mentions at the other ends."""
    rows = await tx.rows(
        """
        WITH gone AS (
            DELETE FROM people WHERE holder = ANY(CAST(:holders AS text[])) RETURNING number, id
        ), keys AS (
            DELETE FROM person_keys USING gone WHERE person_keys.person = gone.number
        ), first AS (
            DELETE FROM links USING gone WHERE links.one = gone.id RETURNING links.other AS mention
        ), second AS (
            DELETE FROM links USING gone WHERE links.other = gone.id RETURNING links.one AS mention
        )
        SELECT mention FROM first UNION SELECT mention FROM second
        """,
        holders=sorted(holders),
    )
    return {row["mention"] for row in rows}


async def find_candidates(
    tx: Transaction,
    asked: Sequence[Person],
    *,
    test: bool = False,
    most_per_key: int = MOST_PER_KEY,
    most_compared: int = MOST_COMPARED,
) -> list[list[Person]]:
    """For each person asked for, those on file worth comparing, in one statement for all.

    A full name with its birth date is never passed over: so whoever is written in the same way is found,
    however common each of the other keys is.
    """
    places, keys, full = [], [], []
    for place, person in enumerate(asked):
        never_passed_over = set(full_keys(person))
        for key in probes_of(person):
            places.append(place)
            keys.append(digest_of(key, test=test))
            full.append(key in never_passed_over)
    found: list[list[Person]] = [[] for _ in asked]
    for row in await tx.rows(
        """
        WITH shared AS (
            SELECT asked.place, hit.person, sum(1000000 / hit.sharing) AS rarity
            FROM unnest(CAST(:places AS int[]), CAST(:keys AS bigint[]), CAST(:full AS boolean[]))
                AS asked (place, key, is_full),
            LATERAL (
                SELECT person, count(*) OVER () AS sharing
                FROM (SELECT person FROM person_keys k WHERE k.key = asked.key LIMIT :limit) AS few
            ) AS hit
            WHERE hit.sharing < :limit OR asked.is_full
            GROUP BY asked.place, hit.person
        ), best AS (
            SELECT place, person,
                   row_number() OVER (PARTITION BY place ORDER BY rarity DESC, person) AS nth
            FROM shared
        )
        SELECT best.place, people.id, people.person
        FROM best JOIN people ON people.number = best.person WHERE nth <= :most
        """,
        places=places,
        keys=keys,
        full=full,
        limit=most_per_key + 1,
        most=most_compared,
    ):
        found[row["place"]].append(_unpacked(row["id"], row["person"]))
    return found
