"""Builders of people for the linkage's tests: nobody here exists."""

from __future__ import annotations

from typing import Any

from services.enrichment.domain.linkage import Directory, Link, Person, read_person, shipped_model

HOME = {"line1": "14 Mill Lane", "town": "Northbury", "postcode": "NB4 2QT"}
ELSEWHERE = {"line1": "8 Harbour Street", "town": "Southmere", "postcode": "SX1 1AA"}


def data(
    identity: str = "r1", given: str | None = "Sian", family: str | None = "Hughes", **said: Any
) -> dict[str, Any]:
    """A person's plain data; `also` are other full names."""
    also = said.pop("also", None)
    return {
        "id": identity,
        "role": "victim",
        "name": {"given": given, "family": family, "also_known_as": also},
        "born": "1994-03-07",
        "sex": "female",
        "address": HOME,
        "area": "northbury",
        **said,
    }


def person(*args: Any, **said: Any) -> Person:
    return read_person(data(*args, **said))


def child(identity: str = "r1", given: str | None = "Owen", **said: Any) -> Person:
    return person(identity, given, **{"role": "child", "born": "2017-05-16", "sex": "male", **said})


def ask(query: Person, *records: Person, keep_apart: bool = True) -> Link:
    """What becomes of a query against a register of these people and many strangers."""
    return Directory(shipped_model(), (*records, *strangers()), keep_apart=keep_apart).link(query)


def strangers() -> list[Person]:
    """Forty people of another town who have nothing to do with anybody."""
    return [
        person(
            f"s{i}",
            ("Grace", "Peter", "Amir", "Nadia", "Tom")[i % 5],
            ("Okafor", "Novak", "Lindqvist", "Begum", "Price", "Quinn", "Rossi", "Tanaka")[i % 8],
            born=f"{1950 + i}-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
            address={"line1": f"{i} Quay Street", "town": "Westport", "postcode": f"WP{i} 4ZZ"},
            area="westport",
        )
        for i in range(40)
    ]


def single_people(count: int) -> list[Person]:
    """Grown people of whom no two are kin: another family name, home and birth date each."""
    return [
        person(
            f"single-{i}",
            ("Grace", "Peter", "Amir", "Nadia", "Tom")[i % 5],
            f"Family{i:05d}",
            born=f"{1940 + i % 55}-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
            address={"line1": f"{i} Quay Street", "town": "Westport", "postcode": f"WP{i} 4ZZ"},
        )
        for i in range(count)
    ]
