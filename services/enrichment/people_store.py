"""People on file, found again by their keys: the linkage's index in SQL.

A key that very many share is passed over, and of those found only the ones that share the rarest keys are
compared: so a look-up takes as long among a million people as among ten thousand. What that costs in recall
is measured (`waymark bench linkage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from services.enrichment.domain.linkage import Person, keys_of, pack, probes_of, unpack
from shared.db import Transaction

MOST_PER_KEY: Final = 200
"""People who may share a key before it is passed over."""
MOST_COMPARED: Final = 40
"""People compared with each who is asked for."""


def digest_of(key: str) -> int:
    """A key as it is stored: 64 bits. Two keys that share them only bring one person more to compare."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), signed=True)


def holder_of(mention: str) -> str:
    """The case or the council's record that a mention's id begins with."""
    return mention.rpartition("\n")[0]


async def file_people(tx: Transaction, people: Iterable[Person]) -> None:
    """File people, each under its id and keys; whoever is on file already is filed anew."""
    rows = list(people)
    filed = await tx.rows(
        """
        INSERT INTO people (id, holder, person)
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:holders AS text[]), CAST(:people AS bytea[]))
        ON CONFLICT (id) DO UPDATE SET person = excluded.person RETURNING number, id
        """,
        ids=[person.id for person in rows],
        holders=[holder_of(person.id) for person in rows],
        people=[pack(person) for person in rows],
    )
    numbers = {row["id"]: row["number"] for row in filed}
    await tx.execute(
        "DELETE FROM person_keys WHERE person = ANY(CAST(:numbers AS bigint[]))", numbers=list(numbers.values())
    )
    keys = [(digest_of(key), numbers[person.id]) for person in rows for key in keys_of(person)]
    await tx.execute(
        """
        INSERT INTO person_keys SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:people AS bigint[]))
        ON CONFLICT DO NOTHING
        """,
        keys=[key for key, _ in keys],
        people=[number for _, number in keys],
    )


async def find_candidates(
    tx: Transaction,
    asked: Sequence[Person],
    *,
    most_per_key: int = MOST_PER_KEY,
    most_compared: int = MOST_COMPARED,
) -> list[list[Person]]:
    """For each person asked for, those on file worth comparing, in one statement for all."""
    places, keys = [], []
    for place, person in enumerate(asked):
        for key in probes_of(person):
            places.append(place)
            keys.append(digest_of(key))
    found: list[list[Person]] = [[] for _ in asked]
    for row in await tx.rows(
        """
        WITH shared AS (
            SELECT asked.place, hit.person, sum(1000000 / hit.sharing) AS rarity
            FROM unnest(CAST(:places AS int[]), CAST(:keys AS bigint[])) AS asked (place, key),
            LATERAL (
                SELECT person, count(*) OVER () AS sharing
                FROM (SELECT person FROM person_keys k WHERE k.key = asked.key LIMIT :limit) AS few
            ) AS hit
            WHERE hit.sharing < :limit
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
        limit=most_per_key + 1,
        most=most_compared,
    ):
        found[row["place"]].append(unpack(row["id"], row["person"]))
    return found
