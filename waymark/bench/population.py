"""A population of families who do not exist, as large as is asked for, with the name frequencies of a census.

Names are drawn by how often the United States census of 1990 met them (the `names` package, of the train
extra); homes, telephones, schools and twins come at the rates of ordinary families.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import accumulate
from random import Random
from typing import Any, Final

from shared.errors import BadSettings
from waymark.simulate.names import read_data_once

Data = dict[str, Any]

FAMILIES_AT_ONCE: Final = 2500
CHILDREN: Final = ((0, 30), (1, 28), (2, 28), (3, 10), (4, 4))
"""How many children families have, and how many families in a hundred have so many: 1.3 on average."""
TWINS: Final = 0.015
"""Births after which a second child is born the same day (multiple maternities, England and Wales)."""
TOWNS: Final = 400
PEOPLE_PER_POSTCODE: Final = 40
PEOPLE_PER_SCHOOL: Final = 1500


@dataclass(frozen=True)
class Pool:
    """Names and the running sums of how common each is."""

    names: list[str]
    sums: list[float]

    def draw(self, rng: Random) -> str:
        return rng.choices(self.names, cum_weights=self.sums)[0]


@cache
def census(file: str) -> Pool:
    """A file of the census: `male.first`, `female.first` or `all.last`."""
    try:
        text = (resources.files("names") / f"dist.{file}").read_text(encoding="ascii")
    except ModuleNotFoundError as missing:
        raise BadSettings("a population needs the `train` extra: install waymark[train]") from missing
    rows = [line.split() for line in text.splitlines()]
    return Pool([row[0].title() for row in rows], list(accumulate(float(row[1]) for row in rows)))


def populate(part: int, people: int, seed: int) -> list[list[Data]]:
    """One part of a population of so many people: families, each a list of people as a council has them.

    Parts can be made apart, in any order; the same arguments give the same people. Raises BadSettings where
    the census is not installed.
    """
    rng = Random(f"{seed}/{part}")  # noqa: S311 (people who do not exist, no secret)
    return [_family(rng, f"{part:04d}-{place:04d}", people) for place in range(FAMILIES_AT_ONCE)]


def _family(rng: Random, name: str, population: int) -> list[Data]:
    town = rng.randrange(TOWNS)
    family = census("all.last").draw(rng)
    home = address(rng, town, population)
    phone = f"07{rng.randrange(10**9):09d}"
    people = []
    for place, sex in enumerate(("female", "male")):
        own = family if place or rng.random() < 0.5 else census("all.last").draw(rng)
        born = (rng.randint(1950, 2004), rng.randint(1, 12), rng.randint(1, 28))
        theirs = home if not place or rng.random() < 0.6 else address(rng, town, population)
        number = phone if not place else f"07{rng.randrange(10**9):09d}"
        people.append(_person(rng, f"{name}-{place}", "adult", sex, own, born, theirs, town, phones=[number]))
    count = rng.choices([n for n, _ in CHILDREN], [share for _, share in CHILDREN])[0]
    born = (0, 0, 0)
    for place in range(2, 2 + count):
        if place == 2 or rng.random() >= TWINS:
            born = (rng.randint(2008, 2026), rng.randint(1, 9), rng.randint(1, 28))
        sex = rng.choice(("female", "male"))
        school = None
        if born[0] < 2022:
            school = {"urn": str(100000 + rng.randrange(max(5, population // PEOPLE_PER_SCHOOL)))}
        child = _person(rng, f"{name}-{place}", "child", sex, family, born, home, town, school=school)
        people.append(child)
    return people


def _person(
    rng: Random,
    identity: str,
    role: str,
    sex: str,
    family: str,
    born: tuple[int, int, int],
    home: Data,
    town: int,
    **more: Any,
) -> Data:
    given = census("female.first" if sex == "female" else "male.first").draw(rng)
    return {
        "id": identity,
        "role": role,
        "name": {"given": given, "family": family},
        "born": f"{born[0]}-{born[1]:02d}-{born[2]:02d}",
        "sex": sex,
        "address": home,
        "area": f"area-{town % 40:02d}",
        **more,
    }


@cache
def _streets() -> tuple[list[str], list[str]]:
    places = read_data_once("places.yaml")
    return [name.strip() for name in places["streets"].split("|")], places["ways"].split("|")


def address(rng: Random, town: int, population: int) -> Data:
    """A home in one of the towns; a postcode holds as many people as real ones do."""
    streets, ways = _streets()
    line = f"{rng.randint(1, 180)} {rng.choice(streets)} {rng.choice(ways)}"
    inner = rng.randrange(max(1, population // TOWNS // PEOPLE_PER_POSTCODE))
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    inward = f"{inner % 9 + 1}{letters[inner // 9 % 20]}{letters[inner // 180 % 20]}"
    code = f"Z{letters[town // 20]}{town % 20} {inward}"
    return {"line1": line, "town": f"Town {town}", "postcode": code}
