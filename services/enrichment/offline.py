"""Linkage over two files, without broker or database: records are read whole, queries pass through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import orjson

from services.enrichment.domain.linkage import (
    Directory,
    Person,
    Weights,
    read_model,
    read_person,
    shipped_model,
)
from services.enrichment.domain.linkage.directory import Link
from shared.errors import BadSettings

BATCH = 1000
"""Queries between two reports of progress, and between two writes."""


@dataclass(slots=True)
class Outcome:
    """What a run did: how many records were filed, and how many queries came to each decision.

    `bad`: (file, line, why) of each line that was left out; never what stood there.
    """

    records: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[str, int, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Counts, and the lines left out, as plain data."""
        return {
            "records": self.records,
            "queries": self.decisions.total(),
            **{decision: self.decisions[decision] for decision in ("same", "likely", "new")},
            "bad": [{"file": file, "line": line, "because": why} for file, line, why in self.bad],
        }


def load_model(path: Path | None) -> Weights:
    """The model of a file, or the one that comes with Waymark. Raises BadSettings where it is none."""
    if path is None:
        return shipped_model()
    try:
        return read_model(orjson.loads(path.read_bytes()))
    except orjson.JSONDecodeError as bad:
        raise BadSettings(f"{path.name} is not JSON") from bad


def link_files(
    records: Path,
    queries: Path,
    write: IO[bytes],
    weights: Weights,
    *,
    keep_apart: bool = True,
    progress: Callable[[str, int], None] = lambda part, done: None,
) -> Outcome:
    """Link every query to the records; one JSON line each, in the order of the queries.

    Queries that carry the same `incident` and stand together are people of one incident: two of them are
    never one. `progress` is told the part (`records`, `queries`) and the bytes read of it. A line that is
    no person is left out, said by its number, and the rest goes on.
    """
    outcome = Outcome()
    directory = Directory(weights, keep_apart=keep_apart)
    read = 0
    for number, size, line in _lines(records):
        read += size
        try:
            directory.add(read_person(_object(line)))
        except ValueError as bad:
            outcome.bad.append((records.name, number, str(bad)))
        if number % BATCH == 0:
            progress("records", read)
    progress("records", read)
    outcome.records = len(directory.people)
    for links in _linked(directory, queries, outcome, progress):
        for link in links:
            outcome.decisions[link.decision] += 1
        write.write(b"".join(orjson.dumps(link.as_json()) + b"\n" for link in links))
    return outcome


def _linked(
    directory: Directory, queries: Path, outcome: Outcome, progress: Callable[[str, int], None]
) -> Iterator[list[Link]]:
    read = 0

    def people() -> Iterator[tuple[str, Person]]:
        nonlocal read
        for number, size, line in _lines(queries):
            read += size
            try:
                data = _object(line)
                person = read_person(data)
            except ValueError as bad:
                outcome.bad.append((queries.name, number, str(bad)))
            else:
                incident = data.get("incident")
                yield (f"incident {incident}" if isinstance(incident, (str, int)) else f"line {number}"), person
            if number % BATCH == 0:
                progress("queries", read)

    for _, together in groupby(people(), key=lambda one: one[0]):
        group = [person for _, person in together]
        yield directory.link_incident(group)
    progress("queries", read)


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, size in bytes and content of each line that is not empty."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, len(line), line


def _object(line: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data
