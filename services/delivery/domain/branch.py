"""One delivery's branch of the time ledger: it starts where delivery's work on the decision ended, and each
entry starts where the one before it ended, so that the sum is always the whole."""

from __future__ import annotations

from datetime import datetime

from services.delivery.domain.case import Delivery
from shared.contracts.envelope import LedgerEntry


def worked(delivery: Delivery, stage: str, started: datetime, ended: datetime) -> None:
    """Waited since the last entry, then worked from `started` to `ended`."""
    before = _end(delivery)
    started = max(started, before)
    ended = max(started, ended)
    delivery.ledger.append(
        LedgerEntry.model_construct(
            stage=stage, waited_ms=_ms(before, started), worked_ms=_ms(started, ended), from_=started, to=ended
        )
    )


def waited(delivery: Delivery, stage: str, until: datetime) -> None:
    """Waited for the recipient, who has come to `stage` (received, opened, decided ...)."""
    start = _end(delivery)
    until = max(start, until)
    delivery.ledger.append(
        LedgerEntry.model_construct(
            stage=stage, waited_ms=_ms(start, until), worked_ms=0.0, from_=start, to=until
        )
    )


def _end(delivery: Delivery) -> datetime:
    return delivery.ledger[-1].to if delivery.ledger else delivery.began


def _ms(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() * 1000, 3)
