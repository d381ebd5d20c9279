"""A meeting's list on paper and in a spreadsheet, from what the asker may see of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2

from shared.spreadsheets import cell

Data = Mapping[str, Any]

HERE: Final = Path(__file__).parent / "templates"
STYLE: Final = (HERE / "meeting.css").read_bytes()
TITLES: Final = {"marac": "MARAC", "allocation_panel": "Allocation panel"}
_LOCAL: Final = ZoneInfo("Europe/London")

COLUMNS: Final = (
    "no", "case", "standing", "incident on", "repeat of", "late", "changed since the list closed", "heard on",
    "victim", "victim born", "victim address", "perpetrator", "perpetrator born", "perpetrator address",
    "children", "police level", "why", "handling", "see also", "actions",
)  # fmt: skip
AGENCIES: Final = {
    "police": "Police",
    "childrens_services": "Children's services",
    "probation": "Probation",
    "health": "Health",
    "education": "Education",
    "idva": "IDVA",
    "specialist": "Specialist service",
    "housing": "Housing",
    "adult_safeguarding": "Adult safeguarding",
    "community_safety": "Community safety",
    "marac": "Coordinator",
    "other": "Other",
}
_VICTIMS: Final = frozenset({"victim", "both", None})


def file_name(told: Data) -> str:
    """A name for the file: which list it is, and as whom it was taken."""
    return f"{told['kind']}-{told['area']}-{told['date']}-{told['seen_as']}"


def as_csv(told: Data) -> bytes:
    """The list as CSV in UTF-8, marked so that spreadsheets read it as that; a line for each case, and nothing
    in it is a formula."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for number, one in enumerate(told["cases"], start=1):
        rows.writerow([cell(value) for value in _row(number, one)])
    return text.getvalue().encode("utf-8-sig")


def as_page(told: Data, *, style: str) -> bytes:
    """The list as a page to be printed: no script, its style in a file of its own."""
    page = _environment().get_template("meeting.html")
    return page.render(told=told, style=style, title=TITLES[told["kind"]], agencies=AGENCIES).encode()


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short_day=say_short_day, day=say_day, moment=say_moment, words=words, person=person, address=address
    )
    made.tests.update(victim=is_victim, suspect=is_suspect)
    return made


def say_day(said: str) -> str:
    """`Tuesday 1 December 2026`."""
    day = date.fromisoformat(said[:10])
    return f"{day:%A} {day.day} {day:%B %Y}"


def say_short_day(said: str) -> str:
    """`1 Dec 2026`."""
    day = date.fromisoformat(said[:10])
    return f"{day.day} {day:%b %Y}"


def say_moment(said: str) -> str:
    """`Mon 23 November 2026, 17:00`, by the clock on the wall."""
    local = datetime.fromisoformat(said).astimezone(_LOCAL)
    return f"{local:%a} {local.day} {local:%B %Y}, {local:%H:%M}"


def words(code: str) -> str:
    """A word of a closed list as people write it."""
    return AGENCIES.get(code) or code.replace("_", " ")


def is_victim(adult: Data) -> bool:
    """A victim, one who is both, or one whose role nobody wrote down."""
    return adult.get("role") in _VICTIMS


def is_suspect(adult: Data) -> bool:
    """A suspect, or one who is both."""
    return adult.get("role") in ("suspect", "both")


def person(one: Data) -> str:
    """A name, with others that are used."""
    name = one.get("name") or {}
    whole = " ".join(str(name[part]) for part in ("given", "family") if name.get(part))
    also = name.get("also_known_as")
    also = f" (also {', '.join(map(str, also))})" if also else ""
    return f"{whole or 'name not shown'}{also}"


def with_birth_date(one: Data) -> str:
    """A name, and when they were born where that is shown."""
    return f"{person(one)}, born {one['born']}" if one.get("born") else person(one)


def address(one: Data) -> str:
    """An address in one line; empty where none is shown."""
    where = one.get("address") or {}
    return ", ".join(str(where[part]) for part in ("line1", "line2", "town", "postcode") if where.get(part))


def _row(number: int, one: Data) -> Iterator[Any]:
    view = one["view"] or {}
    incident = view.get("incident") or {}
    adults = incident.get("adults") or ()
    victims = [adult for adult in adults if is_victim(adult)]
    suspects = [adult for adult in adults if is_suspect(adult)]
    late = one.get("late") or {}
    yield number
    yield one["case"]
    yield standing(one)
    yield str(incident.get("occurred_at") or "")[:10]
    yield "; ".join(one.get("repeat_of") or ())
    yield late.get("because")
    yield "yes" if one.get("changed_since_closing") else ""
    yield one["heard_on"]
    for people in (victims, suspects):
        yield "; ".join(person(adult) for adult in people)
        yield "; ".join(str(adult.get("born") or "") for adult in people)
        yield "; ".join(address(adult) for adult in people)
    yield "; ".join(with_birth_date(child) for child in incident.get("children") or ())
    yield (incident.get("risk") or {}).get("level")
    yield " ".join(why["because"] for why in view.get("why_here") or view.get("why") or ())
    yield "; ".join(words(name) for name in view.get("handling") or ())
    yield "; ".join(one["see_also"])
    yield "; ".join(
        f"{words(action['agency'])}: {action['what'] or 'an action'} by {action['due']} ({action['state']})"
        for action in one["actions"]
    )


def standing(one: Data) -> str:
    """Where a case stands on its list, in words."""
    if one["heard_on"]:
        return "heard"
    if one["standing"] == "moved":
        return f"moved to {one['moved_to']}"
    return {"listed": "to be heard", "withdrawn": "withdrawn by the police"}.get(
        one["standing"], "no longer referred"
    )
