"""The condition of the whole in words: what is away or behind, and what that means for people waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from services.console.domain.times import say_length

SERVICES: Final = ("intake", "enrichment", "triage", "delivery", "console")

Health = Literal["up", "degraded", "down", "unreachable", "unknown"]
Weight = Literal["wrong", "mind"]

_WITHOUT: Final[Mapping[str, str]] = {
    "intake": "Police systems cannot send: they must keep what they have and send again.",
    "enrichment": "Nothing is joined to what is known of families. New cases wait and are not lost.",
    "triage": "No case is decided. New cases wait and are not lost.",
    "delivery": "No service is told. Decided cases wait and are not lost.",
}
_STUCK_AFTER: Final = timedelta(minutes=2)
_CHECK_IS_OLD: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """What a service says of itself, or that it does not answer. `parts`: part -> up, degraded or down."""

    service: str
    health: Health
    parts: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a service: how many cases, and since when the first of them."""

    service: str
    cases: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Checked:
    """When `waymark reconcile` last came to its end, and how many revisions it found in no named state."""

    at: datetime
    unaccounted: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the top of the page. `wrong` needs somebody now; `mind` is to be known."""

    weight: Weight
    words: str


def notices(
    health: Sequence[ServiceHealth],
    waiting: Sequence[Waiting],
    *,
    lag_known: bool,
    overdue: int,
    dead_letters: int,
    without_history: int,
    now: datetime,
    checked: Checked | None = None,
) -> list[Notice]:
    """What to say at the top, the gravest first. Empty: all is well. `checked`: the last conservation check."""
    said = [notice for one in health for notice in _of_service(one)]
    if checked is not None:
        said += _of_check(checked, now)
    if overdue:
        said.append(
            Notice("wrong", f"{_count(overdue, 'case has', 'cases have')} a deadline that has passed unmet.")
        )
    if dead_letters:
        said.append(
            Notice(
                "wrong",
                f"{_count(dead_letters, 'event', 'events')} could not be handled and "
                f"{'waits' if dead_letters == 1 else 'wait'} for a person: see the page Dead letters, or "
                "waymark dead-letters list.",
            )
        )
    for one in waiting:
        if one.since is not None and now - one.since > _STUCK_AFTER:
            said.append(
                Notice(
                    "mind",
                    f"{_count(one.cases, 'case has', 'cases have')} waited for {one.service} for up to "
                    f"{say_length(now - one.since)}.",
                )
            )
    if without_history:
        said.append(
            Notice(
                "mind",
                f"{_count(without_history, 'case', 'cases')} of the last hour "
                f"{'was' if without_history == 1 else 'were'} decided without the family's history. "
                "They are decided again when it is back.",
            )
        )
    if not lag_known:
        said.append(Notice("mind", "The broker does not say how much waits: the lags below are not known."))
    return sorted(said, key=lambda notice: notice.weight != "wrong")


def _of_check(checked: Checked, now: datetime) -> list[Notice]:
    if checked.unaccounted:
        what = _count(checked.unaccounted, "accepted revision stands", "accepted revisions stand")
        return [Notice("wrong", f"{what} in no named state: waymark reconcile names each.")]
    if now - checked.at > _CHECK_IS_OLD:
        return [Notice("mind", f"Nobody has checked for {say_length(now - checked.at)} that nothing is lost.")]
    return []


def _of_service(one: ServiceHealth) -> list[Notice]:
    if one.health == "unknown":
        return []
    if one.health in ("unreachable", "down"):
        how = "does not answer" if one.health == "unreachable" else "cannot work"
        away = [part for part, word in one.parts.items() if word == "down"]
        because = f" ({' and '.join(away)} away)" if away else ""
        return [Notice("wrong", f"{one.service} {how}{because}. {_WITHOUT.get(one.service, '')}".strip())]
    said = []
    if one.parts.get("broker") == "degraded":
        what = (
            "It keeps accepting; what it accepts is stored and passed on when the broker is back."
            if one.service == "intake"
            else "It keeps what it has done and goes on when the broker is back."
        )
        said.append(Notice("mind", f"{one.service} cannot reach the broker. {what}"))
    if one.parts.get("consumer") == "degraded" and one.parts.get("broker") != "degraded":
        said.append(Notice("mind", f"{one.service} is not reading events just now; they wait for it."))
    others = [part for part, word in one.parts.items() if word != "up" and part not in ("broker", "consumer")]
    if others:
        said.append(Notice("mind", f"{one.service} works without {' and '.join(sorted(others))}."))
    return said


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
