"""What one history tells that the one before it did not, in words that anybody may read who may read both.

Counts and closed words only: no name, no date, no reference. Works on histories as on the wire, whole or as
one role is shown them, so that nobody is told of a part that they may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from shared import vocabulary as v

Data = Mapping[str, Any]

_HOW_FRESH: Final = frozenset({"as_of", "source_as_of", "stale"})
_KNOWN: Final = {
    "none": "not known to children's services, who looked",
    "low": "known to children's services from notifications only",
    "medium": "once assessed by children's services",
    "high": "once under a plan of children's services, or in care",
    "open": "with an open case at children's services",
}
"""NSPCC 2009 s6.4."""


def news_of(before: Data, now: Data) -> list[str]:
    """Each thing that is known now and was not, or no more, the weightiest first; empty where nothing is new.

    A part that is left out now is not known, or not shown, and nothing is said of it; so too where there is
    nothing at all (a withdrawn incident has no history).
    """
    if not before or not now:
        return []
    parts = (_status, _incidents, _rising, _involvement, _lists)
    return [line for part in parts for line in part(before, now)]


def _status(before: Data, now: Data) -> Iterator[str]:
    old, new = before.get("status"), now.get("status")
    if old != new and old == "unavailable":
        yield "the history, which could not be looked up before, is known now"
    elif old != new and new == "unavailable":
        yield "the history cannot be looked up now"


def _rising(before: Data, now: Data) -> Iterator[str]:
    rising = set(_list(now, "escalating")) - set(_list(before, "escalating"))
    if "graver" in rising:
        yield "the violence is graver than at first"
    if "more_often" in rising:
        yield "incidents come more often"


def _incidents(before: Data, now: Data) -> Iterator[str]:
    if now.get("incidents") is None:
        return
    old, new = ({(i["force"], i["reference"]): i for i in _sure(one, "incidents")} for one in (before, now))
    may_be, now_may_be = (
        {(i["force"], i["reference"]) for i in _list(one, "incidents") if _is_likely(i)}
        for one in (before, now)
    )
    confirmed = len((new.keys() - old.keys()) & may_be)
    more, fewer = len(new.keys() - old.keys()) - confirmed, len(old.keys() - new.keys())
    if more:
        yield f"{_count(more, 'earlier incident')} not known before"
    if confirmed:
        yield f"{_count(confirmed, 'earlier incident')} confirmed to be the same people's"
    if fewer:
        yield f"{_count(fewer, 'earlier incident')} fewer: withdrawn, or found to be other people's"
    if perhaps := len(now_may_be - may_be - old.keys()):
        yield f"{_count(perhaps, 'earlier incident')} that may be the same people's"
    learnt = sum(old[key] != new[key] for key in old.keys() & new.keys())
    if learnt:
        yield f"something new of {_count(learnt, 'earlier incident')}"


def _involvement(before: Data, now: Data) -> Iterator[str]:
    if now.get("involvement") is None:
        return
    old, new = _known_levels(before), _known_levels(now)
    for level in reversed(v.INVOLVEMENT_LEVELS):
        reached = sum(
            1 for child, known in new.items() if known == level and _rank(old.get(child)) < _rank(level)
        )
        if reached:
            yield f"{_count(reached, 'child', 'children')} {_KNOWN[level]}"
    lower = sum(1 for child, known in old.items() if _rank(new.get(child)) < _rank(known))
    if lower:
        yield f"{_count(lower, 'child', 'children')} less known to children's services than was thought"
    elif old == new and _without_freshness(before) != _without_freshness(now):
        yield "something new from children's services"


def _known_levels(history: Data) -> dict[str, str]:
    """Per child (empty: the family) the most that any record tells."""
    found: dict[str, str] = {}
    for one in _sure(history, "involvement"):
        level = "open" if one.get("open") else one.get("level")
        child = one.get("child") or ""
        if level is not None and _rank(found.get(child)) < _rank(level):
            found[child] = level
    return found


def _rank(level: str | None) -> int:
    return -1 if level is None else v.INVOLVEMENT_LEVELS.index(level)


def _without_freshness(history: Data) -> list[dict[str, Any]]:
    return [_but(one, *_HOW_FRESH) for one in _sure(history, "involvement")]


_LISTS: Final[tuple[tuple[str, Callable[[Data], Any], str, str], ...]] = (
    ("marac", lambda one: (one.get("victim"), one.get("perpetrator"), one.get("referred_on")),
     "referral to a MARAC", "referrals to a MARAC"),
    ("children_known", lambda one: one["id"], "child of the family", "children of the family"),
    ("orders", lambda one: (one["person"], one["order"]), "order or bail", "orders or bail"),
    ("relationships", lambda one: (one["from"], one["to"], one.get("kind")), "relationship", "relationships"),
)  # fmt: skip
"""Lists of which every entry is one of a kind: what tells two entries apart, and what they are called."""


def _lists(before: Data, now: Data) -> Iterator[str]:
    for name, key, one_of_them, several in _LISTS:
        if now.get(name) is None:
            continue
        old, new = ({key(one): one for one in _sure(history, name)} for history in (before, now))
        more, fewer = len(new.keys() - old.keys()), len(old.keys() - new.keys())
        learnt = sum(old[one] != new[one] for one in old.keys() & new.keys())
        if more:
            yield f"{_count(more, one_of_them, several)} not known before"
        if fewer:
            yield f"{_count(fewer, one_of_them, several)} fewer"
        if learnt:
            yield f"something new of {_count(learnt, one_of_them, several)}"


def _list(history: Data, name: str) -> Sequence[Any]:
    return history.get(name) or ()


def _sure(history: Data, name: str) -> list[Any]:
    """Of another record that is only likely the same people's nothing is told, but that there is one."""
    return [one for one in _list(history, name) if not _is_likely(one)]


def _is_likely(entry: Data) -> bool:
    return bool(entry.get("link", "certain") != "certain")


def _but(entry: Data, *names: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in names}


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
