"""The register itself on a simulated month with truth: whom it takes for whom, and what that costs.

The councils' records are imported and the incidents accepted by enrichment's own handlers, on a real
PostgreSQL; then its persons and families are held against who they truly are.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from opentelemetry.trace import SpanKind
from pydantic import TypeAdapter
from rich.table import Table

from deploy.local import LocalRuntime
from deploy.migrations import migrate
from services.enrichment import domain
from services.enrichment.handlers import Handlers
from services.enrichment.records import read_records
from services.enrichment.records_imports import Leave
from services.enrichment.settings import Settings
from services.enrichment.surroundings import load_around
from shared import ledger, telemetry
from shared.contracts.envelope import Envelope
from shared.contracts.events import IncidentAccepted
from shared.contracts.reading import read_incident
from shared.contracts.topics import INCIDENTS
from shared.db import Database
from shared.dead_letters import Record
from shared.kafka import Producer
from shared.keys import Caller
from shared.outbox import Outbox
from shared.stage import Event
from waymark.simulate.month import DEFAULT_MONTH, Month, simulate
from waymark.simulate.profile import load_profile

Data = dict[str, Any]
Say = Callable[[str], None]

BATCH: Final = 20
"""Incidents accepted in one transaction."""
_ENVELOPE: Final = TypeAdapter(Envelope[IncidentAccepted])


async def bench_register(place: Path, say: Say, *, incidents: int = 4000, seed: int = 31) -> Data:
    """What the register makes of a simulated month, and the CPU that it takes, the database's aside."""
    month = simulate(load_profile("nspcc-2009"), incidents, seed, DEFAULT_MONTH)
    async with LocalRuntime(place, kafka="127.0.0.1:9", progress=say) as parts:
        await migrate(parts.database)
        database = Database(parts.database, "enrichment")
        handlers = Handlers(Settings(database=parts.database, kafka="127.0.0.1:9"))
        outbox = Outbox(database, Producer("127.0.0.1:9", "bench", 16))
        try:
            say(f"importing {sum(len(one['people']) for one in month.records.values())} people of councils")
            imported = await _import(outbox, handlers, month)
            say(f"accepting {len(month.incidents)} incidents")
            accepted = await _accept(outbox, handlers, month.incidents)
            say("holding it against the truth")
            return {"cost": {"records": imported, "incidents": accepted}, **await _judge(database, month)}
        finally:
            await database.close()


async def _import(outbox: Outbox, handlers: Handlers, month: Month) -> Data:
    cpu, wall = time.process_time(), time.perf_counter()
    people = 0
    for source, document in month.records.items():
        found = read_records(orjson.loads(orjson.dumps(document)))
        people += len(found.people)
        async with outbox.transaction(publish=False) as tx:
            caller = Caller("bench", "council", source=source)
            await handlers.import_records(tx, found, caller=caller, trace="", leave=Leave())
    waiting = True
    while waiting:
        async with outbox.transaction(publish=False) as tx:
            await handlers.join_records(tx, "all", {"at": _now(), "by": "records", "lane": "live"} | _NOBODY)
            waiting = bool(await tx.value("SELECT count(*) FROM records WHERE stale"))
    return _each(people, cpu, wall)


async def _accept(outbox: Outbox, handlers: Handlers, incidents: Sequence[Data]) -> Data:
    read = [read_incident(one).incident for one in incidents]
    events = [_event(IncidentAccepted(
        incident=one, revision=1, accepted_at=_START + timedelta(seconds=i), gaps=[],
        revision_accepted_at=_START + timedelta(seconds=i),
    )) for i, one in enumerate(read)]  # fmt: skip
    cpu, wall = time.process_time(), time.perf_counter()
    for start in range(0, len(events), BATCH):
        async with outbox.transaction(publish=False) as tx:
            await handlers.join_incidents(tx, events[start : start + BATCH])
    return _each(len(events), cpu, wall)


_START: Final = ledger.now()
_NOBODY: Final[Data] = {"trace": None, "event": None}


def _now() -> str:
    return ledger.now().isoformat()


def _each(count: int, cpu: float, wall: float) -> Data:
    return {
        "count": count,
        "cpu_ms_each": round(1000 * (time.process_time() - cpu) / count, 2),
        "wall_ms_each": round(1000 * (time.perf_counter() - wall) / count, 2),
    }


def _event(body: IncidentAccepted) -> Event[IncidentAccepted]:
    case = body.incident.case
    written = orjson.dumps(
        {
            "id": f"bench-{case}", "type": "any", "schema": INCIDENTS.contract.schema_id, "case": case,
            "seq": 1, "from": "intake", "lane": "live", "at": _now(),
            "body": orjson.Fragment(body.as_bytes()),
        }
    )  # fmt: skip
    span = telemetry.start_span("bench", SpanKind.CONSUMER)
    record = Record(INCIDENTS.name, 0, 1, None, written, None)
    return Event(_ENVELOPE.validate_json(written), INCIDENTS, record, ledger.now(), span)


async def _judge(database: Database, month: Month) -> Data:
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT family FROM incidents UNION SELECT family FROM records")
        picture = await load_around(tx, (), [row["family"] for row in rows if row["family"] is not None])
        links = await tx.rows("SELECT decision, open, count(*) FROM links GROUP BY 1, 2")
    gathered = domain.gather_families(
        (one.case for one in picture.standing.values()),
        picture.records,
        picture.ties.values(),
        picture.rulings.values(),
    )
    truly = {
        f"#{family['source']}\n{own}": person
        for family in month.known
        for own, person in family["people"].items()
    }
    truly |= {f"{one['case']}\n{own}": person for one in month.truth for own, person in one["people"].items()}
    return {
        "persons": _persons(gathered, truly),
        "families": _families(gathered, month),
        "links": [
            {"decision": row["decision"], "open": row["open"], "count": row["count"]}
            for row in sorted(links, key=lambda row: (row["decision"], row["open"]))
        ],
        "tracing": _traced(gathered, month, truly),
    }


def _persons(gathered: domain.Gathered, truly: dict[str, str]) -> Data:
    """Of persons named more than once: wholly one in the register, or taken for several; and of the register's
    persons, how many mix several people."""
    parts: dict[str, set[str]] = defaultdict(set)
    mixed: dict[str, set[str]] = defaultdict(set)
    mentions: dict[str, int] = defaultdict(int)
    for mention, person in truly.items():
        parts[person].add(gathered.persons.of(mention))
        mixed[gathered.persons.of(mention)].add(person)
        mentions[person] += 1
    several = [person for person, count in mentions.items() if count > 1]
    return {
        "named_more_than_once": len(several),
        "taken_for_one": sum(len(parts[person]) == 1 for person in several),
        "taken_for_several": sum(len(parts[person]) > 1 for person in several),
        "several_people_taken_for_one": sum(len(people) > 1 for people in mixed.values()),
    }


def _families(gathered: domain.Gathered, month: Month) -> Data:
    """True families whose incidents are in one family of the register, and the register's that mix several."""
    whole: dict[str, set[int]] = defaultdict(set)
    mixed: dict[int, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for one in month.truth:
        place = gathered.family_of[one["case"]]
        whole[one["family"]].add(place)
        mixed[place].add(one["family"])
        count[one["family"]] += 1
    again = [family for family, number in count.items() if number > 1]
    return {
        "with_several_incidents": len(again),
        "in_one_family": sum(len(whole[family]) == 1 for family in again),
        "in_several": sum(len(whole[family]) > 1 for family in again),
        "families_mixed": sum(len(families) > 1 for families in mixed.values()),
    }


def _traced(gathered: domain.Gathered, month: Month, truly: dict[str, str]) -> Data:
    """Incidents traced to the council's record (NSPCC 2009 table 32: 55 of 251 were not): a person of it is the
    same as the council's record of that person, or its family holds such a record."""
    records = {gathered.persons.of(mention): truly[mention] for mention in truly if mention.startswith("#")}
    known = {family["family"] for family in month.known}
    lost = {family["family"] for family in month.known if family["involvement"] is None}
    differing = {family["family"] for family in month.known if family["errors"]}
    counts: dict[str, Data] = {
        name: {"incidents": 0, "traced": 0, "likely": 0, "wrongly_traced": 0}
        for name in ("all", "not_known_to_the_council", "file_not_found", "differing")
    }
    open_ends = {end for pair in gathered.open for end in pair}
    for one in month.truth:
        right = wrong = likely = False
        for own, person in one["people"].items():
            mention = f"{one['case']}\n{own}"
            recorded = records.get(gathered.persons.of(mention))
            right |= recorded == person
            wrong |= recorded is not None and recorded != person
            likely |= mention in open_ends
        kinds = ["all"]
        if one["family"] not in known:
            kinds.append("not_known_to_the_council")
        elif one["family"] in lost:
            kinds.append("file_not_found")
        if one["errors"] or one["family"] in differing:
            kinds.append("differing")
        for kind in kinds:
            counts[kind]["incidents"] += 1
            counts[kind]["traced"] += right
            counts[kind]["likely"] += likely and not right
            counts[kind]["wrongly_traced"] += wrong
    untraced = counts["not_known_to_the_council"]["incidents"] + counts["file_not_found"]["incidents"]
    return {
        "study_untraced_share": round(55 / 251, 4),
        "simulated_untraced_share": round(untraced / len(month.truth), 4),
        "register_untraced_share": round(1 - counts["all"]["traced"] / len(month.truth), 4),
        "incidents": counts,
    }


def tables(document: Data) -> Iterator[Table]:
    """What was measured, for the terminal."""
    for title, columns in (("persons", document["persons"]), ("families", document["families"])):
        table = Table(title=f"The register's {title}", title_justify="left")
        for column in columns:
            table.add_column(column.replace("_", " "), justify="right")
        table.add_row(*(str(one) for one in columns.values()))
        yield table
    table = Table(title="Traced to the council's record, by the register", title_justify="left")
    for column in ("incidents", "in number", "traced", "likely", "wrongly traced"):
        table.add_column(column, justify="right")
    for name, one in document["tracing"]["incidents"].items():
        table.add_row(name.replace("_", " "), *(str(value) for value in one.values()))
    yield table
