"""`waymark compare`: the same cases under several protocols, and what that means for people and services.

`decisions` decides every case under every protocol; `figures` counts; `page` draws.
"""

from __future__ import annotations

from waymark.compare.decisions import Decided, decide_all, gather_cases
from waymark.compare.figures import compare

__all__ = ["Decided", "compare", "decide_all", "gather_cases"]
