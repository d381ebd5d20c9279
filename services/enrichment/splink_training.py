"""Splink learns the weights: its expectation maximisation, over the very levels that the linkage compares.

Splink compares in SQL, in DuckDB. The levels are put there as functions of two people's places in a list, so
that what is learnt holds for what runs. Needs the `train` extra.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from services.enrichment.domain.linkage.comparisons import FIELDS, Levels, compare
from services.enrichment.domain.linkage.person import Person
from shared.errors import BadSettings

Shares = Mapping[str, Sequence[tuple[float, float]]]

_MISSING: Final = -1
_LEAST: Final = 1e-7
_ITERATIONS: Final = 5
"""Enough to settle from the starting values. A level that no pair of one person shows shrinks by many powers of
ten at each, and Splink stops where it is too small to write."""
_BLOCKS: Final = ("l.born = r.born", "l.given = r.given AND l.family = r.family")
"""What pairs agree in while Splink learns of the fields that are not in it."""
_COLUMNS: Final = ("given", "family", "born")
"""Fields that stand in the table too, so that Splink sees which ones a block takes for granted."""


_LEARNT: Final = ("given", "family", "born", "street", "postcode")
"""Fields whose m Splink learns. Of the others one level is nearly all there is among pairs of one person, and
without the truth the rest is soon taken for impossible: they keep their starting m."""


def learn_shares(
    people: Sequence[Person], start: Shares, *, seed: int, pairs: int = 200_000
) -> dict[str, list[tuple[float, float]]]:
    """m and u by field and level. What no pair shows keeps its starting value, and each field's m and u add
    up to one. Raises BadSettings where Splink is missing or there are too few people to learn from."""
    try:
        import duckdb
        import pandas
        from splink import DuckDBAPI, Linker
    except ModuleNotFoundError as missing:
        raise BadSettings("training by Splink needs the `train` extra: install waymark[train]") from missing
    if len(people) < 100:
        raise BadSettings("fewer than 100 people: too few for Splink to learn from")
    logging.getLogger("splink").setLevel(logging.ERROR)

    @lru_cache(maxsize=1 << 18)
    def levels(one: int, other: int) -> Levels:
        return compare(people[one], people[other])

    database = duckdb.connect()

    def level_of(number: int) -> Callable[[int, int], int]:
        def level(one: int, other: int) -> int:
            found = levels(one, other)[number]
            return _MISSING if found is None else found

        return level

    for number, name in enumerate(FIELDS):
        database.create_function(f"{name}_level", level_of(number), ["BIGINT", "BIGINT"], "INTEGER")
    rows = pandas.DataFrame(
        {
            "unique_id": [f"p{i}" for i in range(len(people))],
            "place": range(len(people)),
            "born": [person.born or None for person in people],
            "given": [person.name.given or None for person in people],
            "family": [person.name.family or None for person in people],
        }
    )
    api = DuckDBAPI(connection=database)
    linker = Linker(api.register(rows), _settings(start))
    linker.training.estimate_u_using_random_sampling(max_pairs=pairs, seed=seed)
    try:
        for block in _BLOCKS:
            linker.training.estimate_parameters_using_expectation_maximisation(block)
    except ValueError as trouble:
        raise BadSettings(f"Splink could not learn from these people: {trouble}") from trouble
    return _shares_of(linker.misc.save_model_to_json(), start)


def _settings(start: Shares) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": 1e-4,
        "max_iterations": _ITERATIONS,
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
        "comparisons": [
            {
                "output_column_name": name,
                "comparison_description": name,
                "comparison_levels": [
                    {
                        "sql_condition": f"{name}_level(place_l, place_r) = {_MISSING}"
                        + (f" OR ({name}_l IS NULL AND {name}_r IS NULL)" if name in _COLUMNS else ""),
                        "label_for_charts": "missing",
                        "is_null_level": True,
                    },
                    *(
                        {
                            "sql_condition": f"{name}_level(place_l, place_r) = {i}"
                            if i + 1 < len(names)
                            else "ELSE",
                            "label_for_charts": label,
                            "m_probability": start[name][i][0],
                            "u_probability": start[name][i][1],
                            "fix_m_probability": name not in _LEARNT,
                        }
                        for i, label in enumerate(names)
                    ),
                ],
            }
            for name, names in FIELDS.items()
        ],
        "blocking_rules_to_generate_predictions": list(_BLOCKS),
    }


def _shares_of(model: Mapping[str, Any], start: Shares) -> dict[str, list[tuple[float, float]]]:
    learnt: dict[str, list[tuple[float, float]]] = {}
    for comparison in model["comparisons"]:
        name = comparison["output_column_name"]
        found = {
            level["label_for_charts"]: level
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        }
        pairs = [
            tuple(
                value
                if isinstance(value := found[label].get(f"{which}_probability"), float) and value > _LEAST
                else start[name][i][place]
                for place, which in enumerate("mu")
            )
            for i, label in enumerate(FIELDS[name])
        ]
        sums = [sum(pair[place] for pair in pairs) for place in (0, 1)]
        learnt[name] = [(m / sums[0], u / sums[1]) for m, u in pairs]
    return learnt
