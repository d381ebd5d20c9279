"""What stands in one box, read and written: ticks, words, dates and times as British forms write them.

Reading gives the value for the incident, or raises `Unread` with the reason where the form alone can tell
that it is none. What the door reads and names itself (dates, yes or no, numbers, people) is passed on as
written where it cannot be read here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from services.intake.forms.mapping import FormField, plain
from shared.contracts.base import LOCAL_TIME, read_day, read_moment

TICKED: Final = frozenset({"x", "1", "y", "yes", "true", "✓", "✔", "☑", "☒"})
NO: Final = frozenset({"0", "n", "no", "false"})
NOT_TICKED: Final = NO | {"☐"}
"""An export's way of leaving a box empty. It says no more than an empty box: unknown."""

_TIME = re.compile(
    r"^(\d{1,2})(?:[:.]?(\d{2}))(?:[:.](\d{2})(\.\d{1,6})?)?\s*(?:hrs?|hours)?\s*(GMT|BST)?$", re.IGNORECASE
)
_PERSON = re.compile(r"^(adult|child)[ _-]?0*(\d{1,4})$", re.IGNORECASE)
_LETTER: Final = {"adult": "a", "child": "c"}
_ROW = re.compile(r"^([ac])(\d{1,4})$")


class Unread(ValueError):
    """What stands in the box is nothing that the box can hold."""


def is_empty(said: object) -> bool:
    """Whether a box was left empty: unknown, whatever it asks."""
    return said is None or (isinstance(said, str) and not said.strip()) or said in ([], {})


def read_tick(said: object) -> bool:
    """Whether a box is ticked. Raises Unread where it is neither ticked nor empty."""
    if isinstance(said, bool):
        return said
    word = str(said).strip().casefold() if isinstance(said, (str, int)) else None
    if word in TICKED:
        return True
    if word in NOT_TICKED:
        return False
    raise Unread("neither ticked nor empty")


def read_yes_no(said: Any) -> Any:
    """True, False, or what was written."""
    word = str(said).strip().casefold() if isinstance(said, (str, int)) else None
    return True if word in TICKED else False if is_no(said) else said


def is_no(said: object) -> bool:
    """Whether a box with yes and no says no."""
    return isinstance(said, (str, int)) and str(said).strip().casefold() in NO


def read_choice(field: FormField, said: object) -> str:
    """Our word for the form's. Raises Unread for a word that the box does not know."""
    ours = field.ours.get(plain(said)) if isinstance(said, str) else None
    if ours is None:
        raise Unread("not a word of this box, which knows " + ", ".join(field.words))
    return ours


def read_number(said: Any) -> Any:
    """A whole number, or what was written."""
    return int(said) if isinstance(said, str) and re.fullmatch(r"\s*[0-9]{1,15}\s*", said) else said


def read_person(said: Any) -> Any:
    """`adult 1` -> `a1`, `child 2` -> `c2`; anything else as written."""
    found = _PERSON.match(said.strip()) if isinstance(said, str) else None
    return f"{_LETTER[found[1].casefold()]}{int(found[2])}" if found else said


def read_several(said: Any, divider: str) -> Any:
    """The entries of a list, or of a text that divides them. What is neither stays as written."""
    return [one for one in re.split(divider, said) if one.strip()] if isinstance(said, str) else said


def read_moment_of(day: Any, time: Any) -> Any:
    """ISO local time from a form's date and time (`20/11/2026`, `22:40`), with the offset where it is said.

    An unreadable date is passed on as written, with the time behind it. Raises Unread where the date can be
    read and the time cannot.
    """
    try:
        on = read_day(day).isoformat()
    except ValueError:
        return day if is_empty(time) else f"{day} {time}"
    if is_empty(time):
        return f"{on}T00:00"
    found = _TIME.match(time.strip()) if isinstance(time, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise Unread("not a time")
    hour, minute, second, fraction, zone = found.groups()
    exact = f"{int(hour):02d}:{minute}" + (f":{second}{fraction or ''}" if second else "")
    offset = {"GMT": "+00:00", "BST": "+01:00"}[zone.upper()] if zone else ""
    return f"{on}T{exact}{offset}"


def write_day(said: Any) -> Any:
    """`20/11/2026`, or what was said where it is no date."""
    try:
        return f"{read_day(said):%d/%m/%Y}"
    except ValueError:
        return said


def write_moment_of(said: Any) -> tuple[Any, str | None]:
    """A form's date and time. Where the clocks go back, the time says which hour is meant."""
    try:
        moment = read_moment(said).astimezone(LOCAL_TIME)
    except ValueError:
        return said, None
    spec = "microseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
    time = moment.time().isoformat(spec)
    if _is_twice(moment):
        time += f" {moment.tzname()}"
    return f"{moment:%d/%m/%Y}", time


def _is_twice(moment: datetime) -> bool:
    return moment.replace(fold=0).astimezone(UTC) != moment.replace(fold=1).astimezone(UTC)


def write_person(said: Any) -> Any:
    """`a1` -> `adult 1`; anything else as it is."""
    found = _ROW.match(said) if isinstance(said, str) else None
    return f"{ {'a': 'adult', 'c': 'child'}[found[1]] } {found[2]}" if found else said
