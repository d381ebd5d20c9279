"""Linkage over two files, without broker or database: records are read whole, queries pass through."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any

import orjson

from services.enrichment.domain.linkage import (
    Directory,
    Link,
    Person,
    Weights,
    read_model,
    read_person,
    shipped_model,
)
from shared.errors import BadSettings

BATCH = 1000
"""Queries between two reports of progress."""
LEARNT_FROM = 5000
"""Queries, the first of the file, from which is learnt how many of them are known and whether they have kin."""


@dataclass(slots=True)
class Outcome:
    """What a run did: how many records were filed, and how many queries came to each decision.

    `bad`: (file, line, why) of each line that was left out; never what stood there.
    """

    records: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[str, int, str]] = field(default_factory=list)
    known_share: float = 0.0
    weighed: bool = False
    """Whether look-alikes among grown people were left to the weights: nobody in the files has kin there."""

    def as_json(self) -> dict[str, Any]:
        """Counts, and the lines left out, as plain data."""
        return {
            "records": self.records,
            "queries": self.decisions.total(),
            **{decision: self.decisions[decision] for decision in ("same", "likely", "new")},
            "known_share": round(self.known_share, 4),
            "look_alikes": "weighed" if self.weighed else "kept_apart",
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
    today: date | None = None,
    progress: Callable[[str, int], None] = lambda part, done: None,
) -> Outcome:
    """Link every query to the records; one JSON line each, in the order of the queries.

    How many of the queries are known is learnt from the first of them. `keep_apart` and `today`: as for
    `Directory`.

    Queries that carry the same `incident` and stand together are people of one incident: two of them are
    never one. `progress` is told the part (`records`, `queries`) and the bytes read of it. A line that is
    no person is left out, said by its number, and the rest goes on.
    """
    outcome = Outcome()
    directory = Directory(weights, keep_apart=keep_apart, today=today)
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
    directory.learn_from(list(islice(_first(queries), LEARNT_FROM)))
    outcome.known_share = directory.known_share
    outcome.weighed = not keep_apart or bool(directory.scorer.weighs_born_before)
    for links in _linked(directory, queries, outcome, progress):
        for link in links:
            outcome.decisions[link.decision] += 1
        write.write(b"".join(orjson.dumps(link.as_json()) + b"\n" for link in links))
    return outcome


def _first(queries: Path) -> Iterator[Person]:
    """The people asked for; a line that is none is named when it is answered."""
    for _, _, line in _lines(queries):
        with contextlib.suppress(ValueError):
            yield read_person(_object(line))


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
