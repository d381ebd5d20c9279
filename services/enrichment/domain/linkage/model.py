"""The weights: a JSON file of the shape that Splink saves, read and checked once.

For each comparison's level `m_probability` is its share among pairs that are one person, `u_probability`
among pairs that are not (Fellegi and Sunter 1969; Splink's theory pages). Under `waymark` stand what Splink
has no place for: the thresholds, how the prior follows the size of the register, and how common names are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from math import log2
from typing import Any, Final

from services.enrichment.domain.linkage.comparisons import FIELDS
from shared.errors import BadSettings

SHAPE: Final = "waymark.linkage-model/1"
TERMS: Final = ("given", "family")
"""Fields in which agreeing on a rare value says more."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A checked model. Weights are in bits (log2 of m/u), by field in the order of FIELDS, by level."""

    bits: tuple[tuple[float, ...], ...]
    exact_m: tuple[float, ...]
    swapped_m: float
    same: float
    likely: float
    known_share: float
    least_register: int
    terms: Mapping[str, Mapping[str, float]] = field(repr=False)
    unlisted: Mapping[str, float] = field(repr=False)
    listed_for: int = 5000

    def prior_bits(self, size: int, known_share: float | None = None) -> float:
        """Odds, in bits, that a given record of a register of `size` people is the person asked for, against
        that no record is.

        `known_share`: of those asked for, how many are in it. Where it is not known the model's own counts,
        and a register is taken to hold no fewer than `least_register`.
        """
        if known_share is None:
            known_share, size = self.known_share, max(size, self.least_register)
        return log2(known_share / (1 - known_share) / size)


def read_model(document: Any) -> Weights:
    """Weights from a model file's data. Raises BadSettings with the place of the first fault."""
    ours = document.get("waymark") if isinstance(document, dict) else None
    if not isinstance(ours, dict) or ours.get("shape") != SHAPE:
        raise BadSettings(f"the linkage model is not a {SHAPE}: train one with `waymark train-linkage`")
    comparisons = {one.get("output_column_name"): one for one in document.get("comparisons", ())}
    bits, exact_m, swapped_m = [], [], 0.0
    for name, levels in FIELDS.items():
        if name not in comparisons:
            raise BadSettings(f"the linkage model has no comparison {name}")
        found = {
            level.get("label_for_charts"): level
            for level in comparisons[name].get("comparison_levels", ())
            if not level.get("is_null_level")
        }
        row, shares = [], []
        for level in levels:
            at = f"{name}, level {level}"
            if level not in found:
                raise BadSettings(f"the linkage model lacks {at}")
            m, u = (_share(found[level].get(f"{which}_probability"), f"{which} of {at}") for which in "mu")
            row.append(log2(m / u))
            shares.append(m)
        if any(level not in levels for level in found):
            raise BadSettings(f"the linkage model has a level of {name} that nothing compares")
        if not 0.98 < sum(shares) < 1.02:
            raise BadSettings(f"the linkage model's m of {name} add up to {sum(shares):.3f}, not to 1")
        bits.append(tuple(row))
        exact_m.append(shares[0])
        if name == "given":
            swapped_m = shares[levels.index("swapped")]
    same, likely = (_share(ours.get(name), name) for name in ("same", "likely"))
    if not likely < same:
        raise BadSettings("the linkage model's threshold `likely` must lie below `same`")
    terms = ours.get("terms", {})
    for name in TERMS:
        table = terms.get(name)
        if not isinstance(table, dict) or not all(
            isinstance(value, (int, float)) and 0 < value < 1 for value in table.values()
        ):
            raise BadSettings(f"the linkage model's table of {name} names must give each a share above 0")
    return Weights(
        bits=tuple(bits),
        exact_m=tuple(exact_m),
        swapped_m=swapped_m,
        same=same,
        likely=likely,
        known_share=_share(ours.get("known_share"), "known_share"),
        least_register=int(ours.get("least_register", 10_000)),
        terms={name: terms[name] for name in TERMS},
        unlisted={name: _share(ours.get("unlisted", {}).get(name), f"unlisted {name}") for name in TERMS},
    )


def _share(value: Any, at: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
        raise BadSettings(f"the linkage model's {at} is no share between 0 and 1")
    return float(value)


@cache
def shipped_model() -> Weights:
    """The model that comes with Waymark, trained on simulated people (its file says on which)."""
    text = (resources.files(__package__) / "model.v1.json").read_text(encoding="utf-8")
    return read_model(json.loads(text))
