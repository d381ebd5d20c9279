"""Names, addresses and telephone numbers of people who do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import accumulate
from random import Random
from typing import Any

import yaml

_POOL_OF = {
    "white_european": "british",
    "black_african": "african",
    "asian": "asian",
    "dark_european": "european",
    "arab": "arab",
}
_SAFE_NUMBERS = 1000
"""07700 900000 to 900999 are kept free for drama: no one can be rung by mistake."""


def read_data(name: str) -> Any:
    """A data file of this package."""
    return yaml.safe_load((resources.files(__package__) / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Pool:
    """Names in falling order of how common they are, with the running sums of their weights."""

    names: list[str]
    weights: list[float]

    def draw(self, rng: Random) -> str:
        return rng.choices(self.names, cum_weights=self.weights)[0]


@dataclass(frozen=True)
class Site:
    """One of the two sites: a force, an area and its council."""

    id: str
    force: str
    area: str
    town: str
    postcode: str
    council: str
    schools: Mapping[str, list[dict[str, str]]]


@cache
def pool(ethnicity: str, kind: str) -> Pool:
    """The pool of `women`, `men`, `girls`, `boys` or `surnames` for an ethnic appearance (table 5)."""
    names = read_data_once("names.yaml")["pools"][_POOL_OF[ethnicity]][kind].split()
    # A few names are very common and the tail is long: Zipf's law with a flattened head.
    return Pool(names, list(accumulate(1.0 / (place + 8) for place in range(len(names)))))


@cache
def read_data_once(name: str) -> Any:
    return read_data(name)


def nickname(given: str) -> str | None:
    """What people call somebody of that name, if it is another name."""
    short: str | None = read_data_once("names.yaml")["nicknames"].get(given)
    return short


@cache
def sites() -> dict[str, Site]:
    """The two sites by name."""
    return {name: Site(id=name, **facts) for name, facts in read_data_once("places.yaml")["sites"].items()}


def draw_address(rng: Random, site: Site) -> dict[str, str]:
    """A street address within the site."""
    places = read_data_once("places.yaml")
    street = rng.choice([name.strip() for name in places["streets"].split("|")])
    line1 = f"{rng.randint(1, 180)} {street} {rng.choice(places['ways'].split('|'))}"
    if rng.random() < places["flats"]:
        line1 = f"Flat {rng.randint(1, 40)}, {line1}"
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    code = f"{site.postcode}{rng.randint(1, 14)} {rng.randint(1, 9)}{rng.choice(letters)}{rng.choice(letters)}"
    return {"line1": line1, "town": site.town, "postcode": code}


@dataclass
class PhoneBook:
    """Telephone numbers, none given twice; when they run out there are no more (shared numbers would
    look like links between families)."""

    rng: Random
    left: list[int] = field(default_factory=lambda: list(range(_SAFE_NUMBERS)))

    def __post_init__(self) -> None:
        self.rng.shuffle(self.left)

    def number(self) -> str | None:
        return f"07700 900{self.left.pop():03d}" if self.left else None
