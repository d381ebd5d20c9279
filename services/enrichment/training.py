"""Learning the linkage's weights from files of people: by counting where the truth is told, else by Splink.

A line is a person as `waymark link` takes them; `truth`, where it stands, says who it truly is. A month
written by `waymark simulate` is read as it is, with its truth and the councils' records beside it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Final

from services.enrichment.domain.linkage.comparisons import FIELDS, compare
from services.enrichment.domain.linkage.model import SHAPE, TERMS
from services.enrichment.domain.linkage.person import Person, read_person
from shared.errors import BadSettings

START: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "given": ((0.80, 0.006), (0.02, 0.003), (0.06, 0.001), (0.015, 0.001), (0.02, 0.003), (0.02, 0.02),
              (0.02, 0.0001), (0.045, 0.9659)),
    "family": ((0.78, 0.004), (0.07, 0.0008), (0.015, 0.001), (0.02, 0.0015), (0.02, 0.012),
               (0.02, 0.0001), (0.01, 0.0005), (0.065, 0.9801)),
    "born": ((0.85, 0.00005), (0.02, 0.00005), (0.06, 0.0006), (0.02, 0.003), (0.002, 0.001),
             (0.03, 0.006), (0.008, 0.02), (0.01, 0.96935)),
    "sex": ((0.99, 0.5), (0.01, 0.5)),
    "street": ((0.75, 0.0003), (0.10, 0.012), (0.15, 0.9877)),
    "town": ((0.82, 0.03), (0.06, 0.005), (0.12, 0.965)),
    "postcode": ((0.72, 0.0005), (0.08, 0.001), (0.04, 0.006), (0.04, 0.04), (0.12, 0.9525)),
    "area": ((0.92, 0.3), (0.08, 0.7)),
    "phone": ((0.70, 0.0002), (0.30, 0.9998)),
    "pnc_id": ((0.97, 0.000001), (0.02, 0.00001), (0.01, 0.999989)),
    "school": ((0.85, 0.03), (0.15, 0.97)),
    "role": ((0.97, 0.5), (0.03, 0.5)),
}  # fmt: skip
"""Shares (m, u) from which learning starts, level by level: guesses in the light of NSPCC 2009 s6.2.3 (two
families of five differ in a name, birth date or member). What the files never show stays near them."""

_LEAST_WORTH: Final = 200
_WORTH: Final = 0.5
"""Of learnt m the starting values count half as much as what is seen: a simulated month errs at the rates of
one study, and only in the ways of its simulator. For u they count as 200 pairs: a level never met is not
impossible."""
_FEWEST_VALUES: Final = 200
"""Files that know fewer towns teach nothing of places: nobody in them moves far, and strangers share towns."""
_PLACES: Final = ("town", "postcode", "area", "school")
_RANDOM_PAIRS: Final = 300_000
_LEAST_LISTED: Final = {"given": 0.0, "family": 0.00005}
"""Every given name, however rare: a slip of the pen is told from another name by this list."""
_UNLISTED: Final = {"given": 0.00001, "family": 0.000005}


@dataclass(frozen=True, slots=True)
class Told:
    """One person as one record tells of them, and who it truly is, where that is told."""

    person: Person
    truth: str | None
    source: str


def read_told(paths: Iterable[Path]) -> list[Told]:
    """Everybody in the files. Raises BadSettings with file and line where something cannot be read."""
    told: list[Told] = []
    for path in paths:
        beside = path.with_suffix(f".truth{path.suffix}")
        if beside.exists():
            told += _month(path, beside, path.with_suffix(f".records{path.suffix}"))
            continue
        for number, data in _lines(path):
            try:
                truth = data.get("truth")
                told.append(Told(read_person(data), None if truth is None else str(truth), path.name))
            except ValueError as bad:
                raise BadSettings(f"{path.name}, line {number}: {bad}") from bad
    return told


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
            except ValueError as bad:
                raise BadSettings(f"{path.name}, line {number}: not JSON") from bad
            if not isinstance(data, dict):
                raise BadSettings(f"{path.name}, line {number}: not an object")
            yield number, data


def _month(incidents: Path, truth: Path, records: Path) -> Iterator[Told]:
    """The people of a simulated month: of its incidents, and of the councils' records."""
    by_case: dict[str, dict[str, str]] = {}
    by_source: dict[str, dict[str, str]] = {}
    for _, line in _lines(truth):
        if line["kind"] == "incident":
            by_case[line["case"]] = line["people"]
        else:
            by_source.setdefault(line["source"], {}).update(line["people"])
    for _, incident in _lines(incidents):
        case = f"{incident['force']}/{incident['reference']}"
        for group in ("adults", "children"):
            for person in incident.get(group) or ():
                role = "child" if group == "children" else person.get("role") or "adult"
                read = read_person({**person, "role": role, "id": f"{case}#{person['id']}"})
                yield Told(read, by_case[case].get(person["id"]), "incidents")
    if records.exists():
        for _, document in _lines(records):
            for person in document["people"]:
                yield Told(read_person(person), by_source[document["source"]].get(person["id"]), "records")


def count_levels(told: Sequence[Told], rng: Random) -> tuple[dict[str, Counter[int]], dict[str, Counter[int]]]:
    """How often each level of each field is met among pairs of one person, and among random others."""
    by_truth: dict[str, list[Person]] = {}
    for one in told:
        if one.truth is not None:
            by_truth.setdefault(one.truth, []).append(one.person)
    same: dict[str, Counter[int]] = {name: Counter() for name in FIELDS}
    others: dict[str, Counter[int]] = {name: Counter() for name in FIELDS}
    for people in by_truth.values():
        for first, second in combinations(people, 2):
            _count(same, first, second)
    for _ in range(min(_RANDOM_PAIRS, len(told) * (len(told) - 1) // 2)):
        one_told, other_told = rng.choice(told), rng.choice(told)
        if one_told.truth is None or one_told.truth != other_told.truth:
            _count(others, one_told.person, other_told.person)
    return same, others


def _count(into: dict[str, Counter[int]], one: Person, other: Person) -> None:
    for name, level in zip(FIELDS, compare(one, other), strict=True):
        if level is not None:
            into[name][level] += 1


def train_by_counting(told: Sequence[Told], *, seed: int = 1) -> dict[str, Any]:
    """A model from people of whom the truth is told. Raises BadSettings where nobody is named twice."""
    same, others = count_levels(told, Random(seed))  # noqa: S311 (which pairs to sample, no secret)
    if not any(same.values()):
        raise BadSettings("nobody in the files is named twice with the same truth: nothing to learn from")
    if len({one.person.town for one in told}) < _FEWEST_VALUES:
        for name in _PLACES:
            same[name].clear()
            others[name].clear()
    worth = {name: max(_LEAST_WORTH, _WORTH * same[name].total()) for name in FIELDS}
    shares = {
        name: [
            (
                (same[name][i] + worth[name] * m) / (same[name].total() + worth[name]),
                (others[name][i] + _LEAST_WORTH * u) / (others[name].total() + _LEAST_WORTH),
            )
            for i, (m, u) in enumerate(START[name])
        ]
        for name in FIELDS
    }
    return document(shares, told, "counting")


def document(shares: dict[str, list[tuple[float, float]]], told: Sequence[Told], by: str) -> dict[str, Any]:
    """The model file's data: Splink's shape, with ours under `waymark`."""
    return {
        "link_type": "link_only",
        "probability_two_random_records_match": 0.00005,
        "comparisons": [
            {
                "output_column_name": name,
                "comparison_description": f"waymark {name}",
                "comparison_levels": [
                    {
                        "sql_condition": f"{name}_level IS NULL",
                        "label_for_charts": "missing",
                        "is_null_level": True,
                    },
                    *(
                        {
                            "sql_condition": f"{name}_level = {i}",
                            "label_for_charts": level,
                            "m_probability": float(f"{shares[name][i][0]:.6g}"),
                            "u_probability": float(f"{shares[name][i][1]:.6g}"),
                            **(
                                {"tf_adjustment_column": name, "tf_adjustment_weight": 1.0}
                                if i == 0 and name in TERMS
                                else {}
                            ),
                        }
                        for i, level in enumerate(levels)
                    ),
                ],
            }
            for name, levels in FIELDS.items()
        ],
        "waymark": {
            "shape": SHAPE,
            "trained": {"by": by, "people": len(told)},
            "same": 0.95,
            "likely": 0.2,
            "known_share": 0.5,
            "least_register": 10_000,
            "terms": _terms(told),
            "unlisted": _UNLISTED,
        },
    }


def train(told: Sequence[Told], *, by: str = "counting", seed: int = 1) -> dict[str, Any]:
    """A model by counting where the truth is told, or by Splink without it. Raises BadSettings."""
    if by == "splink":
        return train_by_splink(told, seed=seed)
    return train_by_counting(told, seed=seed)


def train_by_splink(told: Sequence[Told], *, seed: int = 1) -> dict[str, Any]:
    """A model by Splink's expectation maximisation, over the levels that the linkage itself compares."""
    from services.enrichment.splink_training import learn_shares

    return document(learn_shares([one.person for one in told], START, seed=seed), told, "splink")


def _terms(told: Sequence[Told]) -> dict[str, dict[str, float]]:
    """How common names are: the published census of the `names` package, evenly with the files' own."""
    published = _published()
    terms: dict[str, dict[str, float]] = {}
    for name in TERMS:
        seen = Counter(value for one in told if (value := getattr(one.person.name, name)))
        # What is met once may be misspelt.
        seen = Counter({value: count for value, count in seen.items() if count > max(2, len(told) // 5000)})
        total = seen.total() or 1
        table = {value: share / 2 for value, share in published[name].items()}
        for value, count in seen.items():
            table[value] = table.get(value, 0.0) + count / total / 2
        terms[name] = {value: float(f"{share:.3g}") for value, share in sorted(table.items())}
    return terms


def _published() -> dict[str, dict[str, float]]:
    """Shares of names in a published census (United States 1990), as the `names` package brings them."""
    try:
        files = resources.files("names")
    except ModuleNotFoundError as missing:
        raise BadSettings("training needs the `train` extra: install waymark[train]") from missing
    found: dict[str, dict[str, float]] = {name: {} for name in TERMS}
    for file, name, part in (
        ("dist.all.last", "family", 1.0),
        ("dist.male.first", "given", 0.5),
        ("dist.female.first", "given", 0.5),
    ):
        for line in (files / file).read_text(encoding="ascii").splitlines():
            value, percent, *_ = line.split()
            share = float(percent) / 100 * part
            if share >= _LEAST_LISTED[name]:
                found[name][value.casefold()] = found[name].get(value.casefold(), 0.0) + share
    return found
