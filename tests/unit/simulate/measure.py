"""How near a simulated month is to a table, and the month as it would read without seeded errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any


def binomial_room(size: int, share: float, sigmas: float = 4.0, cluster: float = 1.0) -> float:
    """How far a count may lie from `size * share`: that many standard deviations, and one for rounding.

    `cluster` is the design effect where the things counted come in families, as children do.
    """
    return sigmas * math.sqrt(size * share * (1 - share) * cluster) + 1


def chi_square(observed: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Pearson's statistic of counts against the shares of a table (any scale)."""
    size, total = sum(observed.values()), sum(shares.values())
    assert set(observed) <= set(shares), f"labels beyond the table: {set(observed) - set(shares)}"
    return sum(
        (observed.get(label, 0) - size * share / total) ** 2 / (size * share / total)
        for label, share in shares.items()
        if share
    )


def chi_square_limit(degrees: int, sigmas: float = 4.0) -> float:
    """The statistic that chance exceeds as rarely as a normal variable exceeds `sigmas` (Wilson-Hilferty)."""
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + sigmas * math.sqrt(spread)) ** 3


def assert_fits(observed: Mapping[str, int], shares: Mapping[str, float], cluster: float = 1.0) -> None:
    """The counts could have been drawn from the table."""
    statistic = chi_square(observed, shares) / cluster
    limit = chi_square_limit(len([share for share in shares.values() if share]) - 1)
    assert statistic <= limit, f"chi-square {statistic:.1f} over {limit:.1f}: {dict(observed)} against {shares}"


def assert_count(count: int, size: int, share: float, cluster: float = 1.0) -> None:
    """The count is what that share of `size` gives, give or take chance."""
    room = binomial_room(size, share, cluster=cluster)
    assert abs(count - size * share) <= room, f"{count} of {size}, expected {size * share:.0f} ± {room:.0f}"


def restored(incident: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
    """The incident as it would read without the errors, faults and gaps that the truth names."""
    whole = deepcopy(dict(incident))
    for slip in (*truth["gaps"], *truth["faults"], *reversed(truth["errors"])):
        if slip.get("error") in ("child_left_out", "moved"):
            continue
        holder, key = _at(whole, slip["at"])
        holder[key] = slip["was"]
    return whole


def said_at(incident: Mapping[str, Any], pointer: str) -> Any:
    """What the incident says at a JSON pointer; None where it says nothing."""
    holder, key = _at(incident, pointer)
    return holder.get(key) if isinstance(holder, dict) else holder[key]


def _at(incident: Mapping[str, Any], pointer: str) -> tuple[Any, Any]:
    *path, last = pointer.removeprefix("/").split("/")
    holder: Any = incident
    for step in path:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    return holder, int(last) if isinstance(holder, list) else last
