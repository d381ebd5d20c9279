"""The month that these tests look at: large enough for shares, made once."""

from __future__ import annotations

from functools import cache

from waymark.simulate import Month, load_profile, simulate

SIZE = 5000
PROFILE = load_profile("nspcc-2009")


@cache
def month() -> Month:
    return simulate(PROFILE, SIZE, seed=11)
