"""What was known before an incident: a pure function of its family and its place in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, cast

from services.enrichment.domain.accounts import Case, Record
from services.enrichment.domain.families import Family, gather_families
from services.enrichment.domain.likely import as_if_joined
from services.enrichment.domain.repeats import escalation_of, local_day, repeats_of
from services.enrichment.domain.telling import Telling
from services.enrichment.domain.ties import Ruling, Tie
from shared.contracts.history import (
    EarlierIncident,
    History,
    Involvement,
    KnownChild,
    KnownOrder,
    KnownRelationship,
    MaracHearing,
)

K = TypeVar("K")
T = TypeVar(
    "T", bound=EarlierIncident | Involvement | MaracHearing | KnownChild | KnownOrder | KnownRelationship
)

_NOT_COUNTED: Final[dict[str, Any]] = {
    "as_of": True, "involvement": {"__all__": {"as_of", "source_as_of", "stale"}},
}  # fmt: skip


def history_of(family: Family, case: Case, as_of: datetime | None = None) -> History:
    """The history of `case`: what its family's incidents accepted before it, decisions on them and answers
    to them, and social care's records tell (design.md, promise 3).

    People go by the ids of the case's own incident. Others: a known child by an id of its own that stays
    the same; an adult by one too where nobody in the incident could be them, else None (unknown). What
    would be known besides if families likely to be of the same people were one is marked `likely`.
    """
    joined = as_if_joined(family)
    if joined is None and not family.records and family.cases[0] is case:
        return History(
            status="complete", as_of=as_of, incidents=[], involvement=[], marac=[], children_known=[],
            repeats=[], escalating=[], orders=[], relationships=[],
        )  # fmt: skip
    sure = Telling(family, case)
    incidents, involvement, marac, children = (
        sure.incidents(), sure.involvement(), sure.marac(), sure.children_known()
    )  # fmt: skip
    orders, relationships = sure.orders(), sure.relationships()
    also = None if joined is None else Telling(joined, case, sure)
    on = local_day(case.account.occurred_at)
    return History(
        status="complete" if sure.whole and (also is None or also.whole) else "incomplete",
        as_of=as_of,
        incidents=_with(incidents, None if also is None else also.incidents()),
        involvement=_with(involvement, None if also is None else also.involvement()),
        marac=_with(marac, None if also is None else also.marac()),
        children_known=_with(children, None if also is None else also.children_known()),
        repeats=repeats_of(incidents.values(), on) if incidents else [],
        escalating=escalation_of(incidents.values(), on),
        orders=_with(orders, None if also is None else also.orders()),
        relationships=_with(relationships, None if also is None else also.relationships()),
    )


def _with(sure: Mapping[K, T], also: Mapping[K, T] | None) -> list[T]:
    """What is sure, and what the other reading has besides."""
    besides = [
        cast("T", one.model_copy(update={"link": "likely"}))
        for key, one in (also or {}).items()
        if key not in sure
    ]
    return [*sure.values(), *besides]


def told_at(history: History, moment: datetime, stale_after: timedelta) -> History:
    """The history as told at `moment`: a council's records say whether the council had been silent for
    longer than `stale_after` by then. What is not of a council's records (earlier answers) does not age so."""
    involvement = history.involvement and [
        one
        if one.source_as_of is None
        else one.model_copy(update={"stale": moment - one.source_as_of > stale_after})
        for one in history.involvement
    ]
    return history.model_copy(update={"as_of": moment, "involvement": involvement})


def unavailable(as_of: datetime | None = None) -> History:
    """What goes with an incident whose history was not looked up: nothing known, and it says so."""
    return History(status="unavailable", as_of=as_of)


def digest_of(history: History) -> bytes:
    """SHA-256 of all that a history tells, except the moments it was told at: what re-emission hangs on."""
    return hashlib.sha256(history.model_dump_json(exclude=_NOT_COUNTED).encode()).digest()


def join_in_order(
    cases: Iterable[Case],
    records: Iterable[Record] = (),
    ties: Iterable[Tie] | None = None,
    rulings: Iterable[Ruling] = (),
) -> dict[str, History]:
    """The history that each case ends with, whatever the order in which everything came to be known.

    The service emits what this gives; tests compare the two. Without `ties` they are looked for here.
    """
    gathered = gather_families(cases, records, ties, rulings)
    return {case.id: history_of(family, case) for family in gathered.families for case in family.cases}
