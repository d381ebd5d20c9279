"""Weights learnt by Splink without being told the truth. Needs the `train` extra."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from services.enrichment.domain.linkage import read_model, read_person
from services.enrichment.training import Told, train
from shared.errors import BadSettings
from tests.unit.enrichment.linkage.people import data

pytest.importorskip("splink", reason="needs `make train`")


def told(count: int) -> list[Told]:
    """People named twice, the second time with some birth dates whose day and month are swapped."""
    rng = Random(7)
    syllables = ("ba", "ke", "li", "mo", "nu", "ra", "so", "ti", "ve", "wy")
    people = []
    for number in range(count):
        given, family = ("".join(rng.choices(syllables, k=3)) for _ in range(2))
        person = data(
            f"{number}a",
            given,
            family,
            born=f"{rng.randint(1950, 2010)}-{rng.randint(1, 12):02d}-{rng.randint(1, 12):02d}",
            address={
                "line1": f"{number} {rng.choice(syllables)} road",
                "town": "Northbury",
                "postcode": f"NB{number}",
            },
        )
        again: dict[str, Any] = {**copy.deepcopy(person), "id": f"{number}b"}
        if number % 4 == 0:
            year, month, day = person["born"].split("-")
            again["born"] = f"{year}-{day}-{month}"
        people += [Told(read_person(person), None, "made"), Told(read_person(again), None, "made")]
    return people


def test_splink_learns_how_often_day_and_month_are_swapped_without_being_told_who_is_who() -> None:
    learnt = train(told(300), by="splink")
    read_model(learnt)
    born = next(one for one in learnt["comparisons"] if one["output_column_name"] == "born")
    shares = {level["label_for_charts"]: level.get("m_probability") for level in born["comparison_levels"]}
    assert 0.1 < shares["day_month_swapped"] < 0.4
    assert learnt["waymark"]["trained"]["by"] == "splink"


def test_too_few_people_teach_nothing() -> None:
    with pytest.raises(BadSettings, match="too few"):
        train(told(10), by="splink")
