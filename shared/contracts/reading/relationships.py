"""How people are said to be related, and what cannot be true of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, Final

from shared.contracts.incident import Incident, Relationship
from shared.contracts.reading.faults import Faults
from shared.contracts.reading.rules import PARENT_FROM, RULES
from shared.contracts.reading.validation import Places

_DOWNWARD: Final = frozenset({"parent", "step_parent", "parents_partner", "grandparent"})
_FORMER: Final = frozenset({"ex_partner", "ex_spouse"})
_CONTRADICTED_BY: Final[dict[str | None, frozenset[str]]] = {
    "partner": _FORMER,
    # A couple may have parted and still be married: only the end of the marriage itself contradicts it.
    "spouse": frozenset({"ex_spouse"}),
}


def check_relationships(
    incident: Incident,
    data: dict[str, Any],
    places: Places,
    faults: Faults,
    births: dict[str, date | None],
    latest: date | None,
) -> list[Relationship] | None:
    """Name what cannot be true; gives the relationships that stay, None where none changed.

    `births` holds everybody's id; `latest` is the last day by which a couple can have parted;
    None where today is not known.
    """
    said = incident.relationships
    if not said:
        return None
    aside: set[int] = set()
    changes: dict[int, dict[str, Any]] = defaultdict(dict)
    between: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, one in enumerate(said):
        why = None
        if one.from_ not in births or one.to not in births:
            why = "stranger_related"
        elif one.from_ == one.to:
            why = "related_to_self"
        if why is not None:
            aside.add(i)
            faults.add(places.of("/relationships", i), f"{one.from_} -> {one.to}", RULES[why].because)
            continue
        pair = (one.from_, one.to) if one.from_ < one.to else (one.to, one.from_)
        between[pair].append(i)
        _check_dates(one, i, data, places, faults, births, latest, changes)
    for indexes in between.values():
        if len(indexes) > 1:
            _check_pair(said, indexes, places, faults, changes)
    if not aside and not changes:
        return None
    return [
        one.model_copy(update=changes[i]) if i in changes else one
        for i, one in enumerate(said)
        if i not in aside
    ]


def _check_dates(
    one: Relationship,
    i: int,
    data: dict[str, Any],
    places: Places,
    faults: Faults,
    births: dict[str, date | None],
    latest: date | None,
    changes: dict[int, dict[str, Any]],
) -> None:
    born, other = births[one.from_], births[one.to]
    if one.kind == "parent" and born is not None and other is not None:
        years = other.year - born.year - ((other.month, other.day) < (born.month, born.day))
        if years < PARENT_FROM:
            at = f"{places.of('/relationships', i)}/kind"
            faults.add(at, "parent", RULES["parent_too_young"].because)
    apart = one.separated_on
    if apart is not None and (
        (latest is not None and apart > latest)
        or (born is not None and apart < born)
        or (other is not None and apart < other)
    ):
        at = f"{places.of('/relationships', i)}/separated_on"
        faults.add(at, data["relationships"][i]["separated_on"], RULES["separated_impossible"].because)
        changes[i]["separated_on"] = None


def _check_pair(
    said: list[Relationship],
    indexes: list[int],
    places: Places,
    faults: Faults,
    changes: dict[int, dict[str, Any]],
) -> None:
    """What is said more than once of the same two people."""
    kinds = {said[i].kind for i in indexes}
    downward = {said[i].from_ for i in indexes if said[i].kind in _DOWNWARD}
    together = any(said[i].lives_together for i in indexes)
    for i in indexes:
        one = said[i]
        why = None
        if one.kind in _DOWNWARD and len(downward) > 1:
            why = "both_ways"
        elif not kinds.isdisjoint(_CONTRADICTED_BY.get(one.kind, frozenset())):
            why = "still_together"
        if why is not None:
            faults.add(f"{places.of('/relationships', i)}/kind", one.kind, RULES[why].because)
            changes[i]["kind"] = None
        if together and one.lives_together is False:
            at = f"{places.of('/relationships', i)}/lives_together"
            faults.add(at, False, RULES["not_together"].because)
            changes[i]["lives_together"] = None
