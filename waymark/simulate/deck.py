"""Dealing: chance with the counts held.

A month is dealt from decks rather than drawn freely: of 251 incidents exactly 11 are called in by a child,
as in the source's month, whatever the seed. The seed decides which. For another size the counts are scaled
and what does not come out whole is rounded by largest remainder (`deal`) or by chance (`pick`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def deal(rng: Random, weights: Mapping[T, float], size: int) -> list[T]:
    """`size` labels in random order, as near to the shares of `weights` as whole numbers allow."""
    total = sum(weights.values())
    shares = {label: weight * size / total for label, weight in weights.items()}
    counts = {label: int(share) for label, share in shares.items()}
    ties = {label: rng.random() for label in weights}
    by_remainder = sorted(weights, key=lambda label: (counts[label] - shares[label], ties[label]))
    for label in by_remainder[: size - sum(counts.values())]:
        counts[label] += 1
    cards = [label for label in weights for _ in range(counts[label])]
    rng.shuffle(cards)
    return cards


def pick(rng: Random, among: Sequence[T], count: float, weight: Callable[[T], float] | None = None) -> list[T]:
    """`count` of `among` without repeats, likelier where `weight` is greater, in the order of `among`.

    A broken count is rounded up with the chance of its fraction. Zero weight is never picked; where too few
    can be, all of them are.
    """
    whole = int(count)
    whole += rng.random() < count - whole
    # Efraimidis and Spirakis: the largest of u ** (1 / weight) are a weighted draw without replacement.
    keys: list[tuple[float, int]] = []
    for index, one in enumerate(among):
        heavy = 1.0 if weight is None else weight(one)
        if heavy > 0:
            keys.append((rng.random() ** (1.0 / heavy), index))
    keys.sort(reverse=True)
    return [among[index] for index in sorted(index for _, index in keys[:whole])]


def draw(rng: Random, weights: Mapping[T, float]) -> T:
    """One label by its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def chance(rng: Random, share: float) -> bool:
    """True with probability `share`."""
    return rng.random() < share
