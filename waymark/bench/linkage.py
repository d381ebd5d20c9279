"""`waymark bench linkage`: looking four people of an incident up among a million, and how well it is done.

A population is loaded into enrichment's own tables by COPY, on a real PostgreSQL that syncs its log to
disk; then incidents of four people are looked up and scored by the functions of the service. Quality is
measured beside Splink in the same run (linkage_quality).
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
from rich.table import Table

from deploy.local import LocalRuntime
from deploy.migrations import migrate
from services.enrichment import people_store
from services.enrichment.domain.linkage import (
    Link,
    Person,
    Scorer,
    keep_incident_apart,
    keys_of,
    link_among,
    pack,
    read_person,
    shipped_model,
)
from shared.db import Database
from waymark.bench.pipeline import percentiles
from waymark.bench.population import address, census, populate
from waymark.simulate.slips import misspell, swap_day_and_month

Data = dict[str, Any]
Say = Callable[[str], None]

PEOPLE_IN_PART: Final = 8200
"""People in a part of the population, nearly."""
_LATEST: Final = date(2026, 11, 27)
_UNBOUNDED: Final = 1_000_000


@dataclass(slots=True)
class Options:
    """How many people to load, one size after the other, and how many incidents to look up in each."""

    data: Path
    sizes: Sequence[int] = (10_000, 100_000, 1_000_000)
    incidents: int = 500
    connections: int = 4
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """One person of an incident, and whose record is theirs (None: nobody's)."""

    person: Person
    record: str | None


async def bench_scale(options: Options, say: Say) -> Data:
    """Latency, recall of the bounded look-up, and incidents a second, by size of the register."""
    found: Data = {}
    runtime = LocalRuntime(options.data, kafka="127.0.0.1:9", progress=say)
    async with runtime as parts:
        await migrate(parts.database)
        database = Database(parts.database, "enrichment", pool_size=options.connections)
        try:
            for size in options.sizes:
                load_s = await _load(parts.database, size, options.seed, say)
                say(f"{size} people: looking up {options.incidents} incidents")
                found[str(size)] = {"load_s": load_s, **await _measure(database, size, options, say)}
        finally:
            await database.close()
    return {"sizes": found, "ratios": _ratios(found)}


def _ratios(found: Data) -> Data:
    smallest, largest = min(found, key=int), max(found, key=int)
    ratio = found[largest]["incident_ms"]["p99"] / found[smallest]["incident_ms"]["p99"]
    return {"p99_of_largest_to_smallest": round(ratio, 2)}


def tables(document: Data) -> Iterator[Table]:
    """The sizes, for the terminal."""
    table = Table(
        title="Four people of an incident looked up and scored, in milliseconds", title_justify="left"
    )
    for column in ("people on file", "p50", "p95", "p99", "a second", "compared", "recall lost", "two wrong"):
        table.add_column(column, justify="right")
    for size, one in document["sizes"].items():
        ms = one["incident_ms"]
        table.add_row(
            f"{int(size):,}",
            *(f"{ms[p]:.1f}" for p in ("p50", "p95", "p99")),
            f"{one['incidents_per_s']}",
            f"{one['compared_per_person']}",
            f"{one['blocking_recall']['lost_to_bounds']}",
            f"{one['blocking_recall_two_wrong']['lost_to_bounds']}",
        )
    yield table


async def _load(url: str, size: int, seed: int, say: Say) -> float | None:
    """Fill enrichment's tables by COPY; what is loaded already is used again (None)."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET search_path TO enrichment")
        loaded = await connection.fetchval("SELECT count(*) FROM people")
        if loaded == size:
            return None
        began = time.perf_counter()
        await connection.execute("TRUNCATE people, person_keys")
        await connection.execute("ALTER TABLE person_keys DROP CONSTRAINT IF EXISTS person_keys_pkey")
        await connection.execute("DROP INDEX IF EXISTS person_keys_person")
        done, said = 0, 0
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(2) as pool:
            parts = itertools.count()
            waiting = [loop.run_in_executor(pool, _rows, next(parts), size, seed) for _ in range(3)]
            while done < size:
                people, keys = await waiting.pop(0)
                people, left = people[: size - done], size - done
                waiting.append(loop.run_in_executor(pool, _rows, next(parts), size, seed))
                await connection.copy_records_to_table(
                    "people",
                    records=[(done + n, *row) for n, row in enumerate(people)],
                    columns=("number", "holder", "id", "person"),
                    schema_name="enrichment",
                )
                await connection.copy_records_to_table(
                    "person_keys",
                    records=[(key, done + n) for key, n in keys if n < left],
                    schema_name="enrichment",
                )
                done += len(people)
                if done - said >= size / 10:
                    said = done
                    say(f"{done} of {size} people loaded")
            for one in waiting:
                one.cancel()
        say("indexing")
        await connection.execute("SET maintenance_work_mem = '512MB'", timeout=600)
        await connection.execute("ALTER TABLE person_keys ADD PRIMARY KEY (key, person)", timeout=600)
        await connection.execute("CREATE INDEX person_keys_person ON person_keys (person)", timeout=600)
        await connection.execute("VACUUM ANALYZE people", timeout=600)
        await connection.execute("VACUUM ANALYZE person_keys", timeout=600)
        await connection.execute("CHECKPOINT", timeout=600)
        return round(time.perf_counter() - began, 1)
    finally:
        await connection.close()


def _rows(part: int, size: int, seed: int) -> tuple[list[tuple[str, str, bytes]], list[tuple[int, int]]]:
    """What is stored of a part of the population, and its keys with each one's place in it."""
    people = [person for family in populate(part, size, seed) for person in family]
    rows, keys = [], []
    for place, data in enumerate(people):
        person = read_person(data)
        rows.append((person.id, person.id, pack(person)))
        digests = {people_store.digest_of(key) for key in keys_of(person)}
        keys += [(digest, place) for digest in digests]
    return rows, keys


async def _measure(database: Database, size: int, options: Options, say: Say) -> Data:
    incidents = _incidents(size, options.seed, options.incidents)
    scorer = Scorer(shipped_model())
    prior = scorer.weights.prior_bits(size)
    for asked in incidents[:50]:
        await _look_up(database, scorer, prior, asked)
    took, right, wrong, likely, known, compared = [], 0, 0, 0, 0, 0
    for asked in incidents:
        began = time.perf_counter()
        links, candidates = await _look_up(database, scorer, prior, asked)
        took.append(1000 * (time.perf_counter() - began))
        compared += candidates
        for one, link in zip(asked, links, strict=True):
            known += one.record is not None
            right += link.decision == "same" and link.record == one.record
            wrong += link.decision == "same" and link.record != one.record
            likely += link.decision == "likely"
    say(f"{size} people: how many incidents a second")
    began = time.perf_counter()
    queue = iter(incidents)

    async def work() -> None:
        for asked in queue:
            await _look_up(database, scorer, prior, asked)

    await asyncio.gather(*(work() for _ in range(options.connections)))
    per_s = len(incidents) / (time.perf_counter() - began)
    say(f"{size} people: what the bounds cost in recall")
    return {
        "incident_ms": percentiles(sorted(took), (50, 95, 99)),
        "incidents_per_s": round(per_s, 1),
        "compared_per_person": round(compared / (4 * len(incidents)), 1),
        "people": {
            "asked": 4 * len(incidents),
            "on_file": known,
            "same": right,
            "likely": likely,
            "false": wrong,
        },
        "blocking_recall": await _recall(database, incidents),
        "blocking_recall_two_wrong": await _recall(
            database, _incidents(size, options.seed, options.incidents, wrong=2)
        ),
    }


async def _look_up(
    database: Database, scorer: Scorer, prior: float, asked: Sequence[Asked]
) -> tuple[list[Link], int]:
    people = [one.person for one in asked]
    async with database.transaction() as tx:
        found = await people_store.find_candidates(tx, people)
    links = [
        link_among(scorer, person, candidates, prior) for person, candidates in zip(people, found, strict=True)
    ]
    return keep_incident_apart(links), sum(map(len, found))


async def _recall(database: Database, incidents: Sequence[Sequence[Asked]]) -> Data:
    """Of those on file, how many are among the candidates: bounded, and with every key followed.

    Whom the bounded look-up finds the unbounded one finds too, so that is asked for the others only.
    """
    known = bounded = hidden = 0
    for asked in incidents:
        on_file = [one for one in asked if one.record is not None]
        async with database.transaction() as tx:
            few = await people_store.find_candidates(tx, [one.person for one in on_file])
        missed = [one for one, some in zip(on_file, few, strict=True) if not _is_among(one, some)]
        known += len(on_file)
        bounded += len(on_file) - len(missed)
        for one in missed:
            async with database.transaction() as tx:
                [every] = await people_store.find_candidates(
                    tx, [one.person], most_per_key=_UNBOUNDED, most_compared=_UNBOUNDED
                )
            hidden += _is_among(one, every)
    return {
        "on_file": known,
        "bounded": round(bounded / known, 4),
        "unbounded": round((bounded + hidden) / known, 4),
        "lost_to_bounds": round(hidden / known, 4),
    }


def _is_among(one: Asked, people: Sequence[Person]) -> bool:
    return any(other.id == one.record for other in people)


def _incidents(size: int, seed: int, count: int, *, wrong: int | None = None) -> list[list[Asked]]:
    """Incidents of four people each, most of them on file, two in five written otherwise in some way; with
    `wrong` everybody on file is, in so many ways."""
    rng = Random(f"{seed}/asked")  # noqa: S311 (which people to ask for, no secret)
    incidents = []
    parts = range(max(1, size // PEOPLE_IN_PART - 1))
    asked_of = [
        family for part in rng.sample(parts, min(8, len(parts))) for family in populate(part, size, seed)
    ]
    for family in rng.sample(asked_of, count):
        asked = [Asked(read_person(_written(rng, one, size, wrong)), one["id"]) for one in family[:4]]
        while len(asked) < 4:
            asked.append(Asked(read_person(_stranger(rng, len(asked), size)), None))
        incidents.append(asked)
    return incidents


def _written(rng: Random, person: Data, size: int, wrong: int | None) -> Data:
    """A person as an incident has them: so many things wrong or missing, by default one in two of five."""
    said: Data = copy.deepcopy(person)
    said["id"] = f"q-{person['id']}"
    if wrong is None:
        wrong = int(rng.random() < 0.4)
    for kind in rng.sample(range(6), wrong):
        _spoil(rng, said, kind, size)
    return said


def _spoil(rng: Random, said: Data, kind: int, size: int) -> None:
    if kind == 0:
        part = rng.choice(("given", "family"))
        said["name"][part] = misspell(rng, said["name"][part])
    elif kind == 1:
        said["address"] = address(rng, rng.randrange(400), size)
    elif kind == 2 and "born" in said:
        born = date.fromisoformat(said["born"])
        said["born"] = (swap_day_and_month(born, _LATEST) or born.replace(day=born.day % 28 + 1)).isoformat()
    elif kind == 3:
        said.pop("born")
    elif kind == 4:
        said["name"]["family"] = census("all.last").draw(rng)
    elif kind == 5:
        said.pop("address")
        said.pop("phones", None)


def _stranger(rng: Random, place: int, size: int) -> Data:
    sex = rng.choice(("female", "male"))
    return {
        "id": f"stranger-{place}",
        "role": "victim",
        "name": {"given": census(f"{sex}.first").draw(rng), "family": census("all.last").draw(rng)},
        "born": date(rng.randint(1950, 2004), rng.randint(1, 12), rng.randint(1, 28)).isoformat(),
        "sex": sex,
        "address": address(rng, rng.randrange(400), size),
    }
