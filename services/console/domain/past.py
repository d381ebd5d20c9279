"""What the history counts, and what earlier incidents told of orders and couples, in lines to be read.

What was said once is told with the day it was said: nobody has said since whether it still holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from services.console.domain.casework import name_of, people_of

Data = Mapping[str, Any]

_RISING: Final = {"more_often": "They come more often.", "graver": "They are graver than at first."}
_PARTED: Final = frozenset({"ex_partner", "ex_spouse"})


def in_lines(incident: Data, history: Data) -> list[str]:
    """Counts first, then orders, then who is or was what to whom."""
    people = people_of(incident)
    return [*_counts(history), *_orders(history, people), *_couples(history, people)]


def _counts(history: Data) -> Iterator[str]:
    windows = [one for one in history.get("repeats") or () if one.get("incidents")]
    if windows:
        counted = ", ".join(f"{one['incidents']} in {one['months']} months" for one in windows)
        yield f"Earlier incidents: {counted}." + "".join(
            f" {_RISING[one]}" for one in history.get("escalating") or () if one in _RISING
        )


def _orders(history: Data, people: Mapping[str, Data]) -> Iterator[str]:
    for one in history.get("orders") or ():
        order = str(one["order"]).replace("_", " ")
        told = f"{order} order" if one["order"] in ("non_molestation", "occupation", "restraining") else order
        breached = ", breached" if one.get("breached") else ""
        yield f"{_name(one['person'], people)}: {told}{breached} (told on {_day(one['told_on'])})."


def _couples(history: Data, people: Mapping[str, Data]) -> Iterator[str]:
    for one in history.get("relationships") or ():
        ends = f"{_name(one['from'], people)} and {_name(one['to'], people)}"
        kind = str(one.get("kind") or "related").replace("_", " ")
        told = [f"{ends}: {kind}"]
        if one.get("kind") in _PARTED and one.get("separated_on"):
            told.append(f"parted on {_day(one['separated_on'])}")
        if one.get("ended"):
            told.append(f"until {_day(one['ended'])}")
        if one.get("lives_together") is not None:
            told.append("living together" if one["lives_together"] else "not living together")
        if one.get("told_last"):
            told.append(f"told on {_day(one['told_last'])}")
        if one.get("recorded"):
            told.append("so in children's services' records")
        yield ", ".join(told) + "."


def _name(number: str, people: Mapping[str, Data]) -> str:
    if number in people:
        return name_of(people[number])
    return "a child whom the police did not name" if number.startswith("k-") else "somebody of another incident"


def _day(said: str) -> str:
    day = date.fromisoformat(said[:10])
    return f"{day.day} {day:%B %Y}"
