"""Simulated months of police incidents, with the shares of a published source and the truth beside them.

from waymark.simulate import load_profile, simulate
month = simulate(load_profile("nspcc-2009"), incidents=251, seed=2007)
"""

from waymark.simulate.month import DEFAULT_MONTH, Month, simulate
from waymark.simulate.profile import Profile, load_profile, profiles

__all__ = ["DEFAULT_MONTH", "Month", "Profile", "load_profile", "profiles", "simulate"]
