"""How often, how grave, and whether it rises: counts of what was accepted before (NSPCC 2009 s7, s9.5).

They rest on what the police recorded and never on what was decided, so that no timing changes them.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

from shared import vocabulary as v
from shared.contracts.base import LOCAL_TIME
from shared.contracts.history import EarlierIncident, PairRepeats, Repeats

WINDOWS: Final = (6, 12, 24)
_VIOLENCE: Final = ("none_low", "medium", "high")

Dated = Sequence[tuple[date, EarlierIncident]]


def repeats_of(incidents: Iterable[EarlierIncident], on: date) -> list[Repeats]:
    """Counts of the earlier incidents in each window of calendar months that ends on the day `on`."""
    dated = [(day, one) for day, one in _dated(incidents) if day <= on]
    starts = [(months, months_before(on, months)) for months in WINDOWS]
    return [_within(months, [one for day, one in dated if day >= start]) for months, start in starts]


def escalation_of(incidents: Iterable[EarlierIncident], on: date) -> list[v.Escalation]:
    """Whether incidents come more often, and whether they are graver than at first, within twelve months."""
    half, year = months_before(on, 6), months_before(on, 12)
    dated = [(day, one) for day, one in _dated(incidents) if year <= day <= on]
    late, early = [one for day, one in dated if day >= half], [one for day, one in dated if day < half]
    found: list[v.Escalation] = []
    if early and len(late) > len(early):
        found.append("more_often")
    violence = [_VIOLENCE.index(one.violence_level) for _, one in dated if one.violence_level is not None]
    police = [v.POLICE_LEVELS.index(one.police_level) for _, one in dated if one.police_level is not None]
    if any(levels and levels[-1] > levels[0] for levels in (violence, police)):
        found.append("graver")
    return found


def months_before(day: date, months: int) -> date:
    """The same day so many calendar months earlier, or the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def local_day(moment: datetime) -> date:
    """The day of a moment, in England."""
    return moment.astimezone(LOCAL_TIME).date()


def _dated(incidents: Iterable[EarlierIncident]) -> Dated:
    certain = [one for one in incidents if one.link == "certain"]
    dated = [(local_day(one.occurred_at), one) for one in certain]
    return sorted(dated, key=lambda pair: (pair[1].occurred_at, pair[1].force, pair[1].reference))


def _within(months: int, incidents: Sequence[EarlierIncident]) -> Repeats:
    pairs = Counter(
        pair
        for one in incidents
        for pair in {(pair.victim, pair.perpetrator) for pair in one.pairs or ()}
        if pair != (None, None)
    )
    return Repeats(
        months=months,
        incidents=len(incidents),
        by_police_level=_counted(one.police_level for one in incidents),
        by_violence_level=_counted(one.violence_level for one in incidents),
        pairs=[
            PairRepeats(victim=victim, perpetrator=perpetrator, incidents=count)
            for (victim, perpetrator), count in sorted(
                pairs.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1] or "")
            )
        ],
    )


def _counted(levels: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(level or "unknown" for level in levels).items()))
