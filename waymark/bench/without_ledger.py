"""One service without its time ledger: `python -m waymark.bench.without_ledger SERVICE`.

Only to measure what the ledger costs: a running system cannot be configured to lose it. One entry is kept,
since stages begin where the last one ended; nothing is added up, written or carried on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.delivery.domain import branch
from shared import ledger
from shared.contracts.envelope import LedgerEntry
from waymark.serve import serve


def _end_only(_: Sequence[LedgerEntry], stage: str, start: datetime, end: datetime) -> list[LedgerEntry]:
    return [LedgerEntry.model_construct(stage=stage, waited_ms=0.0, worked_ms=0.0, from_=start, to=end)]


def _nothing(*_: Any) -> None:
    return


def main() -> None:
    """Run the service."""
    for where, name, instead in (
        (ledger, "add_work", _end_only),
        (ledger, "add_wait", _end_only),
        (branch, "worked", _nothing),
        (branch, "waited", _nothing),
    ):
        setattr(where, name, instead)
    serve(sys.argv[1])


if __name__ == "__main__":
    main()
