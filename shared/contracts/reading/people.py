"""Who is said to be in the incident, and what cannot be true of a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from shared.contracts.incident import Adult, Child, Incident
from shared.contracts.reading.faults import Faults
from shared.contracts.reading.rules import (
    ADULT_AT,
    EARLIEST_BIRTH_YEAR,
    RESPONSIBLE_FROM,
    RULES,
    UNBORN_WITHIN,
    YOUNG_ADULT_AT,
)
from shared.contracts.reading.validation import Places


def check_people(
    incident: Incident,
    data: dict[str, Any],
    places: Places,
    faults: Faults,
    on: date,
    births: dict[str, date | None],
) -> dict[str, Any]:
    """Name what cannot be true of the people; gives the lists that changed, by name.

    Fills `births`: everybody's id, with the birth date where it is possible and the id is one person's.
    """
    changed: dict[str, Any] = {}
    latest_child = on + min(UNBORN_WITHIN, date.max - on)
    adults_born: dict[date, list[Adult]] = {}
    groups: tuple[tuple[str, Sequence[Adult | Child], date], ...] = (
        ("adults", incident.adults or (), on),
        ("children", incident.children or (), latest_child),
    )
    for group, listed, latest in groups:
        corrected: list[Any] | None = None
        for i, person in enumerate(listed):
            born = person.born
            if born is not None and (born > latest or born.year < EARLIEST_BIRTH_YEAR):
                said = data[group][i]["born"]
                faults.add(f"{places.of(f'/{group}', i)}/born", said, RULES["birth_impossible"].because)
                corrected = list(listed) if corrected is None else corrected
                corrected[i] = person.model_copy(update={"born": None})
                born = None
            if person.id in births:
                faults.add(f"{places.of(f'/{group}', i)}/id", person.id, RULES["same_id"].because)
                births[person.id] = None
            else:
                births[person.id] = born
            if group == "adults":
                _check_adult(cast(Adult, person), data, places, faults, i, born, on)
                if born is not None:
                    adults_born.setdefault(born, []).append(cast(Adult, person))
            elif born is not None:
                _check_child(cast(Child, person), data, places, faults, i, born, on, adults_born)
        if corrected is not None:
            changed[group] = corrected
    return changed


def _check_adult(
    adult: Adult, data: dict[str, Any], places: Places, faults: Faults, i: int, born: date | None, on: date
) -> None:
    # A child who hits its mother is a suspect, and forms list suspects with the adults (London 2008 s17.2.2).
    youngest = RESPONSIBLE_FROM if adult.role in ("suspect", "both") else YOUNG_ADULT_AT
    if born is not None and _years(born, on) < youngest:
        said = data["adults"][i]["born"]
        faults.add(f"{places.of('/adults', i)}/born", said, RULES["adult_too_young"].because)
    if adult.pregnant and adult.sex == "male":
        faults.add(f"{places.of('/adults', i)}/pregnant", True, RULES["male_pregnant"].because)
    breached, in_force = adult.orders_breached, adult.orders_in_force
    if breached and in_force is not None and not set(breached) <= set(in_force):
        at = f"{places.of('/adults', i)}/orders_in_force"
        faults.add(at, list(in_force), RULES["breached_not_in_force"].because)


def _check_child(
    child: Child,
    data: dict[str, Any],
    places: Places,
    faults: Faults,
    i: int,
    born: date,
    on: date,
    adults_born: dict[date, list[Adult]],
) -> None:
    if _years(born, on) >= ADULT_AT:
        said = data["children"][i]["born"]
        faults.add(f"{places.of('/children', i)}/born", said, RULES["child_of_age"].because)
    # At most fifty: ten thousand people of one birth date are not all compared with one another.
    alike = adults_born.get(born, ())[:50]
    if alike and (called := _called(child)) is not None and called in map(_called, alike):
        said = data["children"][i]["name"]
        faults.add(f"{places.of('/children', i)}/name", said, RULES["listed_twice"].because)


def _called(person: Adult | Child) -> tuple[str, str] | None:
    name = person.name
    if name is None or not name.given or not name.family:
        return None
    return name.given.casefold(), name.family.casefold()


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
