"""How likely two records are one person, and why: a weight in bits for every field, which add up.

Fellegi and Sunter's sum of log likelihood ratios. Where a name agrees exactly, what counts is how common
that name is, by the register itself blended with the model's own table, so that a small register does not
take a common name for a rare one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import Any, Final, Literal

from services.enrichment.domain.linkage.comparisons import FIELDS, Levels, compare
from services.enrichment.domain.linkage.lookalikes import Rule, forbids
from services.enrichment.domain.linkage.model import TERMS, Weights
from services.enrichment.domain.linkage.person import Person

Decision = Literal["same", "likely", "new"]
_NAMES: Final = tuple(FIELDS)
_LABELS: Final = tuple(FIELDS.values())
_BORNE: Final = 3
"""People of a register who bear a name before it counts as one."""
_SWAPPED: Final = (FIELDS["given"].index("swapped"), FIELDS["family"].index("swapped"))
_NEVER: Final = -10.0
"""Bits of what a rule forbids: less than one in a thousand."""
_GIVEN, _FAMILY = _NAMES.index("given"), _NAMES.index("family")


class Frequencies:
    """How common names are in a register: shares between 0 and 1."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._counts: dict[str, dict[str, int]] = {name: {} for name in TERMS}
        self._totals = dict.fromkeys(TERMS, 0)

    def count(self, person: Person, by: int = 1) -> None:
        """Count a person's names in (or, with -1, out)."""
        for name, value in (("given", person.name.given), ("family", person.name.family)):
            if value:
                counts = self._counts[name]
                counts[value] = counts.get(value, 0) + by
                self._totals[name] += by

    def share(self, name: str, value: str) -> float:
        """The share of people who bear it."""
        weights = self._weights
        listed = weights.terms[name].get(value, weights.unlisted[name])
        held = self._counts[name].get(value, 0)
        return (held + weights.listed_for * listed) / (self._totals[name] + weights.listed_for)

    def is_a_given_name(self, value: str) -> bool:
        """Whether others bear it, here or by the model's table: else it may be a slip of the pen."""
        return value in self._weights.terms["given"] or self._counts["given"].get(value, 0) >= _BORNE


@dataclass(frozen=True, slots=True)
class Match:
    """A comparison with its explanation. `bits`: the sum with the prior, in bits; `rule`: what forbids."""

    levels: Levels
    bits: float
    rule: Rule | None
    parts: tuple[tuple[float, float], ...]
    """By field: the level's weight and the adjustment for how common the value is, both in bits."""
    prior: float
    others: float = 0.0
    """Bits that other records take away, which fit as well; counted in `bits`."""

    @property
    def probability(self) -> float:
        """That the two are one person, as far as the fields tell; a rule's limit is counted in."""
        return probability_of(self.bits)

    def weights(self) -> dict[str, Any]:
        """Why, for people and machines: by field the level and its bits; they add up to the total."""
        told: dict[str, Any] = {"prior": {"bits": round(self.prior, 3)}}
        total = self.prior
        for name, labels, level, (bits, commonness) in zip(
            _NAMES, _LABELS, self.levels, self.parts, strict=True
        ):
            total += bits + commonness
            if level is None:
                told[name] = {"level": "missing", "bits": 0.0}
                continue
            told[name] = {"level": labels[level], "bits": round(bits + commonness, 3)}
            if commonness:
                told[name]["term_frequency"] = round(commonness, 3)
        if self.rule is not None:
            told["rule"] = {
                "level": self.rule.name,
                "bits": round(self.bits - self.others - total, 3),
                "because": self.rule.because,
            }
        if self.others:
            told["others"] = {"level": "fit_too", "bits": round(self.others, 3)}
        return told


def probability_of(bits: float) -> float:
    """A probability from log odds in bits."""
    if bits > 60:
        return 1.0
    odds: float = 2.0 ** max(bits, -200.0)
    return odds / (1.0 + odds)


class Scorer:
    """Compares people by one model.

    `keep_apart`: whether the rules on look-alikes hold. Without them only the weights speak, which is right
    for a list in which no two people share a home or a birth, and for measuring beside what has no rules.
    """

    weighs_born_before: str = ""
    """YYYYMMDD: for two people born before it only the weights speak, and the rules that need no guess (see
    `lookalikes.forbids`). Empty: for nobody."""

    def __init__(
        self, weights: Weights, frequencies: Frequencies | None = None, *, keep_apart: bool = True
    ) -> None:
        self.weights = weights
        self.keep_apart = keep_apart
        self.frequencies = frequencies or Frequencies(weights)
        self._same = log2(weights.same / (1 - weights.same))
        self._likely = log2(weights.likely / (1 - weights.likely))
        self._bits = weights.bits
        self._exact = tuple(
            log2(weights.exact_m[place]) - weights.bits[place][0] for place in (_GIVEN, _FAMILY)
        )
        self._swapped_m = log2(weights.swapped_m)
        self._compare: Callable[[Person, Person], Levels] = compare

    def sum(self, one: Person, other: Person, prior: float) -> tuple[float, Levels]:
        """The bits of a pair, without rules and explanation: the fast way to order candidates."""
        levels = self._compare(one, other)
        total = prior
        for row, level in zip(self._bits, levels, strict=True):
            if level is not None:
                total += row[level]
        given, family = self._commonness(one, levels)
        return total + given + family, levels

    def match(self, one: Person, other: Person, prior: float) -> Match:
        """The whole comparison, explained, with what the rules on look-alikes forbid."""
        total, levels = self.sum(one, other, prior)
        commonness = dict(zip((_GIVEN, _FAMILY), self._commonness(one, levels), strict=True))
        parts = tuple(
            (0.0 if level is None else self._bits[place][level], commonness.get(place, 0.0))
            for place, level in enumerate(levels)
        )
        limited, rule = self.limited(one, other, total, levels)
        return Match(levels, limited, rule, parts, prior)

    def limited(self, one: Person, other: Person, total: float, levels: Levels) -> tuple[float, Rule | None]:
        """The bits of `sum` after the rules on look-alikes, and the rule that holds."""
        if not self.keep_apart:
            return total, None
        rule = forbids(
            one,
            other,
            levels,
            self.frequencies.is_a_given_name,
            weighs_born_before=self.weighs_born_before,
        )
        if rule is None:
            return total, None
        return min(total, self._likely + 0.5 if rule.may_be_likely else _NEVER), rule

    @property
    def least(self) -> float:
        """Bits below which a pair is `new`."""
        return self._likely

    def decide(self, bits: float) -> Decision:
        """`same`, `likely` or `new` by the model's two thresholds."""
        return "same" if bits >= self._same else "likely" if bits >= self._likely else "new"

    def _commonness(self, one: Person, levels: Levels) -> tuple[float, float]:
        """What the names' own shares change, in bits, for the given and the family name.

        Where a name agrees its share takes the place of the level's u (Splink's term-frequency adjustment).
        Where the two have changed places each is taken for the commoner of what it may be, and that they
        did is counted once.
        """
        given, family = levels[_GIVEN], levels[_FAMILY]
        name, share = one.name, self.frequencies.share
        for_given = for_family = 0.0
        if given == 0:
            for_given = self._exact[0] - log2(share("given", name.given))
        elif given == _SWAPPED[0]:
            often = max(share("given", name.given), share("given", name.family))
            for_given = self._swapped_m - log2(often) - self._bits[_GIVEN][given]
        if family == 0:
            for_family = self._exact[1] - log2(share("family", name.family))
        elif family == _SWAPPED[1]:
            often = max(share("family", name.given), share("family", name.family))
            for_family = -log2(often) - self._bits[_FAMILY][family]
        return for_given, for_family
