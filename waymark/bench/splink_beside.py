"""Splink on the same people, with the comparisons its own guide recommends, trained on the very pairs."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from waymark.bench.linkage_quality import Data, Point, who

_EVERYTHING = -40.0
"""Match weight, in bits, from which Splink is asked for pairs."""


@dataclass(frozen=True, slots=True)
class SplinkAnswers:
    """What Splink said, with match weights in bits: every pair, and each query's best alone."""

    pairs: list[Point]
    best: list[Point]
    ms_per_query: float
    """Of predicting alone, in one batch; training is not counted."""


def splink_answers(records: Sequence[Data], queries: Sequence[Data], *, hard: bool) -> SplinkAnswers:
    """Splink's pairs for the queries for which blocking found any record."""
    import pandas
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    comparisons: list[Any] = [
        cl.JaroWinklerAtThresholds("given", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("family", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("born", [1, 2]),
        cl.ExactMatch("area"),
    ]
    blocking: list[Any] = [
        block_on("given", "family"), block_on("born"), block_on("family", "substr(born, 1, 4)"),
        block_on("given", "substr(born, 1, 4)"), block_on("substr(given, 1, 3)", "substr(family, 1, 3)"),
        block_on("given", "substr(born, 6, 5)"), block_on("family", "substr(born, 6, 5)"),
    ]  # fmt: skip
    if not hard:
        comparisons += [
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("line1", [0.92, 0.8]),
            cl.JaroWinklerAtThresholds("line2", [0.92, 0.8]),
            cl.JaroWinklerAtThresholds("town", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        ]
        blocking += [block_on("postcode", "given"), block_on("postcode", "family"), block_on("line1")]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=blocking,
        retain_matching_columns=False,
    )
    frames = [pandas.DataFrame([_row(person) for person in people]) for people in (records, queries)]
    database = DuckDBAPI()
    tables = [
        database.register(frame, dataset_display_name=name)
        for frame, name in zip(frames, ("records", "queries"), strict=True)
    ]
    linker = Linker(tables, settings)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("given", "family", "born")], recall=0.5
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    for rule in (block_on("born"), block_on("given", "family")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    began = time.perf_counter()
    predicted = linker.inference.predict(threshold_match_weight=_EVERYTHING).as_pandas_dataframe()
    took = time.perf_counter() - began
    best: dict[str, tuple[float, str]] = {}
    pairs = []
    for left, right, bits in zip(
        predicted["unique_id_l"], predicted["unique_id_r"], predicted["match_weight"], strict=True
    ):
        query, record = (left, right) if "-dup-" in left else (right, left)
        best[query] = max(best.get(query, (float("-inf"), "")), (float(bits), record))
        pairs.append(Point(float(bits), who(query) == who(record)))
    return SplinkAnswers(
        pairs,
        [Point(bits, who(query) == who(record)) for query, (bits, record) in best.items()],
        1000 * took / len(queries),
    )


def _row(person: Data) -> dict[str, str | None]:
    address = person.get("address") or {}
    return {
        "unique_id": person["id"],
        "given": person["name"]["given"],
        "family": person["name"]["family"],
        "born": person["born"],
        "area": person["area"],
        **{name: address.get(name) for name in ("line1", "line2", "town", "postcode")},
    }
