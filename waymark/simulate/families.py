"""The families behind a month: who they truly are, whatever anybody writes down about them.

Ages, sexes, sizes and ties follow NSPCC 2009 tables 4-8, 12 and 13. Mothers and fathers are matched to
their children by age: the shares of each table stay as they are, and nobody was a parent before 16.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Literal, cast

from waymark.simulate.deck import chance, deal, draw
from waymark.simulate.names import PhoneBook, Site, draw_address, pool
from waymark.simulate.profile import Profile

YEAR = 365.25
YOUNGEST_PARENT = 16
OLDEST_MOTHER = 46
BETWEEN_SIBLINGS = 290
"""Days from one birth to the next; children nearer than that are twins."""

Tie = Literal["both_birth_parents", "one_birth_parent_and_partner", "other_adult_unknown", "unclear"]


@dataclass
class Person:
    """One true person. `id` is unique in the month; `part` says who they are in their family."""

    id: str
    part: str
    sex: str
    born: date
    given: str
    family: str
    ethnicity: str
    pnc_id: str | None = None
    phone: str | None = None
    school: dict[str, str] | None = None
    needs: list[str] = field(default_factory=list)
    mans_child: bool = False


@dataclass
class Family:
    """One true family: a woman, a man, the children, and how they stand to one another."""

    id: str
    site: Site
    seen: date
    """The day of its first incident: ages are true on that day."""
    woman_recorded: str = "victim"
    man_recorded: str = "suspect"
    current: bool = True
    married: bool = False
    lives_together: bool = False
    separated_on: date | None = None
    tie: Tie = "both_birth_parents"
    """What the police know of the man and the children (table 13)."""
    address: dict[str, str] = field(default_factory=dict)
    man_address: dict[str, str] = field(default_factory=dict)
    earlier_address: dict[str, str] | None = None
    """Where the woman and the children lived before, if they moved lately."""
    incidents: int = 1
    people: list[Person] = field(default_factory=list)

    @property
    def woman(self) -> Person:
        return self.people[0]

    @property
    def man(self) -> Person:
        return self.people[1]

    @property
    def children(self) -> list[Person]:
        """Eldest first."""
        return self.people[2:]

    def age(self, person: Person, on: date) -> float:
        return (on - person.born).days / YEAR


def people_families(rng: Random, profile: Profile, families: Sequence[Family]) -> None:
    """Fill the families with people, homes and ties."""
    ages = _children_ages(rng, profile, len(families))
    women = _mothers_ages(rng, profile, families, ages)
    men = _mens_ages(rng, profile, families, women)
    bonds = deal(rng, profile.shares("relationship"), len(families))
    phones = PhoneBook(rng)
    for number, family in enumerate(families):
        family.current = bonds[number] == "current_partners"
        family.married = chance(rng, profile.number("assumed", "married"))
        _settle(rng, family)
        _name(rng, profile, family, women[number], men[number], ages[number])
        if chance(rng, profile.number("assumed", "phone_recorded")):
            family.woman.phone = phones.number()
    _tie(rng, profile, families)
    for family in families:
        _surnames_and_schools(rng, family)
    _number(rng, families)
    children = [child for family in families for child in family.children]
    with_needs = profile.number("children_learning_disability", "children") / profile.number(
        "cohort", "children"
    )
    for child in children:
        if chance(rng, with_needs):
            child.needs = ["learning_disability"]


def _bounds(band: str) -> tuple[float, float]:
    """The ages that a label of the tables covers: `1_2` is from the first to the third birthday."""
    if band == "under_1":
        return 0.0, 1.0
    if band == "17_plus":
        return 17.0, 18.0
    low, high = band.replace("–", "_").split("_")
    return float(low), float(high) + 1.0


def _in_band(rng: Random, band: str) -> float:
    low, high = _bounds(band)
    return rng.uniform(low + 0.01, high - 0.02)


def _children_ages(rng: Random, profile: Profile, families: int) -> list[list[float]]:
    """Ages in years of each family's children, eldest first (s4.3, table 4)."""
    sizes = [int(size) for size in deal(rng, profile.shares("assumed", "children"), families)]
    bands = profile.shares("child_age_years")
    bands.pop("not_recorded")
    cards = deal(rng, bands, sum(sizes))
    ages = []
    for size in sizes:
        own, cards = cards[:size], cards[size:]
        ages.append(_spaced(rng, own))
    return ages


def _spaced(rng: Random, bands: list[str]) -> list[float]:
    gap = BETWEEN_SIBLINGS / YEAR
    for _ in range(20):
        ages = sorted((_in_band(rng, band) for band in bands), reverse=True)
        if all(older - younger >= gap for older, younger in pairwise(ages)):
            return ages
    for place in range(1, len(ages)):
        if ages[place - 1] - ages[place] < gap:
            ages[place] = ages[place - 1]
    return ages


def _mothers_ages(
    rng: Random, profile: Profile, families: Sequence[Family], children: list[list[float]]
) -> list[float]:
    ages = [0.0] * len(families)
    for recorded, table in (("victim", "victim_age"), ("suspect", "perpetrator_age")):
        group = [n for n, family in enumerate(families) if family.woman_recorded == recorded]
        left = sorted(_adult_ages(rng, profile, table, len(group)))
        # Those with the oldest children choose first, so that the younger women fall to the younger children.
        for n in sorted(group, key=lambda n: -children[n][0]):
            at_least = children[n][0] + YOUNGEST_PARENT
            first = min(bisect_left(left, at_least), len(left) - 1)
            ages[n] = max(left.pop(rng.randrange(first, len(left))), at_least + 0.1)
        _swap_the_impossible(rng, group, ages, children)
    return ages


def _swap_the_impossible(rng: Random, group: list[int], ages: list[float], children: list[list[float]]) -> None:
    """A woman too old to have borne the youngest changes places with another for whom both fit."""

    def fits(n: int, age: float) -> bool:
        return age - children[n][-1] <= OLDEST_MOTHER and age - children[n][0] >= YOUNGEST_PARENT

    for n in group:
        for _ in range(50):
            if fits(n, ages[n]):
                break
            other = group[rng.randrange(len(group))]
            if fits(n, ages[other]) and fits(other, ages[n]):
                ages[n], ages[other] = ages[other], ages[n]
        if not fits(n, ages[n]):
            ages[n] = max(children[n][0] + YOUNGEST_PARENT, children[n][-1] + OLDEST_MOTHER - 1)


def _mens_ages(rng: Random, profile: Profile, families: Sequence[Family], women: list[float]) -> list[float]:
    """Partners are of like age: both sorted, hers with some noise, and paired in that order."""
    ages = [0.0] * len(families)
    for recorded, table in (("suspect", "perpetrator_age"), ("victim", "victim_age")):
        group = [n for n, family in enumerate(families) if family.man_recorded == recorded]
        near = {n: women[n] + rng.gauss(0, 4) for n in group}
        group.sort(key=lambda n: near[n])
        for n, age in zip(group, sorted(_adult_ages(rng, profile, table, len(group))), strict=True):
            ages[n] = age
    return ages


def _adult_ages(rng: Random, profile: Profile, table: str, size: int) -> list[float]:
    bands = profile.shares(table)
    bands.pop("unknown", None)
    return [_in_band(rng, band) for band in deal(rng, bands, size)]


def _settle(rng: Random, family: Family) -> None:
    """Where they live, and since when apart."""
    family.address = draw_address(rng, family.site)
    family.lives_together = family.current and chance(rng, 0.9)
    family.man_address = family.address if family.lives_together else draw_address(rng, family.site)
    if not family.current:
        # Half of separations are of the last year; the first weeks are the most dangerous (London 2008 s14.4).
        family.separated_on = family.seen - timedelta(days=int(min(1800, 2 + rng.expovariate(1 / 300))))


def _name(
    rng: Random, profile: Profile, family: Family, woman: float, man: float, children: list[float]
) -> None:
    looks = profile.shares("ethnic_appearance_by_site", family.site.id)
    hers = draw(rng, looks)
    his = hers if chance(rng, 0.85) else draw(rng, looks)
    # A man's surname is settled first: a wife may have taken it, and children may bear it.
    surname = pool(his, "surnames").draw(rng)
    own = surname if family.married and chance(rng, 0.8) else pool(hers, "surnames").draw(rng)
    family.people = [
        _person(rng, family, "woman", "female", woman, pool(hers, "women").draw(rng), own, hers),
        _person(rng, family, "man", "male", man, pool(his, "men").draw(rng), surname, his),
    ]
    sexes = profile.shares("child_sex")
    sexes.pop("not_recorded")
    taken: set[str] = set()
    born: dict[float, date] = {}
    for place, age in enumerate(children, start=1):
        sex = draw(rng, sexes)
        names = pool(hers, "girls" if sex == "female" else "boys")
        given = names.draw(rng)
        while given in taken:
            given = names.draw(rng)
        taken.add(given)
        child = _person(rng, family, f"child-{place}", sex, age, given, own, hers)
        child.born = born.setdefault(age, child.born)
        family.people.append(child)


def _person(
    rng: Random, family: Family, part: str, sex: str, age: float, given: str, surname: str, ethnicity: str
) -> Person:
    born = family.seen - timedelta(days=round(age * YEAR))
    return Person("", part, sex, born, given, surname, ethnicity)


def _tie(rng: Random, profile: Profile, families: Sequence[Family]) -> None:
    """Whose children they are (table 13, by child). A man too young to be a child's father is its mother's
    partner; what is left of the table is dealt to the others."""

    def young(family: Family, child: Person) -> bool:
        return (child.born - family.man.born).days < YOUNGEST_PARENT * YEAR

    shares = profile.shares("child_relationship")
    total = sum(len(family.children) for family in families)
    already = sum(1 for f in families for child in f.children if young(f, child)) / max(1, total)
    partner: Tie = "one_birth_parent_and_partner"
    shares[partner] = max(0.0, shares[partner] - already * sum(shares.values()))
    fits = []
    for family in families:
        if all(young(family, child) for child in family.children):
            family.tie = partner
        else:
            fits.append(family)
    ties = deal(rng, cast("dict[Tie, float]", shares), len(fits))
    for family, tie in zip(fits, ties, strict=True):
        family.tie = tie
        # What the police could not tell is true all the same: most such men are the father.
        father = tie == "both_birth_parents" or (tie != partner and chance(rng, 0.7))
        for child in family.children:
            child.mans_child = father and not young(family, child)


def _surnames_and_schools(rng: Random, family: Family) -> None:
    his_name = family.married or chance(rng, 0.6)
    for child in family.children:
        if child.mans_child and his_name:
            child.family = family.man.family
        child.school = _school(rng, family, child)


def _school(rng: Random, family: Family, child: Person) -> dict[str, str] | None:
    """Primary school from the September after the fourth birthday, secondary from seven years later."""
    year = family.seen.year if family.seen.month >= 9 else family.seen.year - 1
    turned = year - child.born.year - (1 if (child.born.month, child.born.day) > (8, 31) else 0)
    kind = "primary" if 4 <= turned <= 10 else "secondary" if 11 <= turned <= 15 else None
    return rng.choice(family.site.schools[kind]) if kind else None


def _number(rng: Random, families: Sequence[Family]) -> None:
    """Ids without meaning, so that nothing can be guessed from one."""
    everyone = [person for family in families for person in family.people]
    numbers = list(range(1, len(everyone) + 1))
    rng.shuffle(numbers)
    for person, number in zip(everyone, numbers, strict=True):
        person.id = f"P-{number:06d}"
        if person.part in ("woman", "man"):
            born = person.born.year
            person.pnc_id = f"{min(born + 19, 2024)}/{number:07d}{'ABCDEFGHJKLMNPQRTUVWXYZ'[number % 23]}"
