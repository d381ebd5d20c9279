"""A case as the joint team looks at it: what the police say beside what children's services know, where the
two disagree, and the family's past on one line of time. Pure: wire data in, plain data out.

Nothing here decides; it puts side by side what NSPCC 2009 s9.3 found that teams had to look up by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

Data = Mapping[str, Any]

LANES: Final = ("Police incidents", "Children's services", "MARAC")
_WIDEST: Final = 96.0
"""Per cent of the picture's width that the line of time takes, so that marks at its ends are whole."""


@dataclass(frozen=True, slots=True)
class Side:
    """One person of the case: what each agency says. `differ`: where they disagree, in words."""

    who: str
    police: tuple[str, ...]
    care: tuple[str, ...]
    differ: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the line of time. `x`, `width`: per cent; a moment has no width. `now`: this incident."""

    lane: int
    x: float
    width: float
    words: str
    day: date
    until: date | None = None
    grave: int = 0
    now: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """The family's past. `marks` in order of time; `ticks`: years or months with their places."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]


def name_of(person: Data | None) -> str:
    """A person's name as written; where there is none, the id within the incident."""
    if person is None:
        return "somebody"
    name = person.get("name") or {}
    full = " ".join(part for part in (name.get("given"), name.get("family")) if part)
    return full or f"not named ({person.get('id')})"


def people_of(incident: Data) -> dict[str, Data]:
    """The people of an incident by their ids."""
    return {
        str(one["id"]): one
        for part in ("adults", "children")
        for one in incident.get(part) or ()
        if one.get("id") is not None
    }


def side_by_side(incident: Data, history: Data) -> list[Side]:
    """Each child, by the police's ids first and then those whom the police did not name."""
    known = {one["child"]: one for one in history.get("children_known") or () if one.get("child")}
    unnamed = [one for one in history.get("children_known") or () if not one.get("child")]
    involved: dict[str | None, list[Data]] = {}
    for one in history.get("involvement") or ():
        involved.setdefault(one.get("child"), []).append(one)
    rows = []
    for child in incident.get("children") or ():
        number = str(child.get("id"))
        record = known.get(number)
        care = [*_known(record), *_involved(involved.pop(number, ()))]
        rows.append(
            Side(
                name_of(child),
                tuple(_child(child)),
                tuple(care) or (_nothing(history),),
                tuple(_differences(child, record)),
            )
        )
    for one in unnamed:
        care = [*_known(one), *_involved(involved.pop(one["id"], ()))]
        rows.append(
            Side(
                "A child whom the police did not name",
                ("not in the police's account",),
                tuple(care) or ("known to the family's record",),
                ("the police did not name this child",),
            )
        )
    for entries in involved.values():
        rows.append(Side("The family", ("",), tuple(_involved(entries))))
    return rows


def child_lines(child: Data) -> list[str]:
    """What is said of a child, as far as the reader may see it."""
    return list(_child(child))


def _child(child: Data) -> Iterator[str]:
    if child.get("born"):
        yield f"born {child['born']}"
    if child.get("presence"):
        yield str(child["presence"]).replace("_", " ")
    for field, words in (
        ("called_for_help", "called for help"),
        ("intervened", "intervened"),
        ("held_by_adult", "held by an adult"),
        ("threatened", "threatened"),
        ("assaulted", "assaulted"),
        ("injured", "injured"),
        ("distressed", "distressed"),
    ):
        if child.get(field) is True:
            yield words
    school = child.get("school") or {}
    if school.get("name"):
        yield f"school: {school['name']}"
    elif child.get("home_educated"):
        yield "educated at home"
    if child.get("whereabouts"):
        yield f"lives {str(child['whereabouts']).replace('_', ' ')}"
    if child.get("voice"):
        yield f"said: “{child['voice']}”"


def _known(record: Data | None) -> Iterator[str]:
    if record is None:
        return
    if record.get("born"):
        yield f"born {record['born']}"
    if record.get("area"):
        yield f"of {record['area']}"
    if (record.get("homes") or 0) > 1:
        yield f"{record['homes']} homes within a year"
    school = record.get("school") or {}
    if school.get("name"):
        yield f"school: {school['name']}"


def _involved(entries: Iterable[Data]) -> Iterator[str]:
    for one in entries:
        if one.get("open"):
            yield "open case" + (f", worker {one['worker']}" if one.get("worker") else "")
        if one.get("level"):
            yield f"involvement: {one['level']}"
        for taken in one.get("pathways") or ():
            ended = f" to {taken['to']}" if taken.get("to") else ", still open"
            why = f" ({taken['reason_closed']})" if taken.get("reason_closed") else ""
            yield f"{str(taken.get('pathway')).replace('_', ' ')} from {taken.get('from') or '?'}{ended}{why}"
        for plan in one.get("plans") or ():
            yield f"plan: {str(plan).replace('_', ' ')}"
        if one.get("re_referrals"):
            yield f"referred again {one['re_referrals']} times"
        if one.get("stop_start"):
            yield "stop-start: help was closed and begun again"
        if one.get("as_of"):
            stale = ": out of date, ask" if one.get("stale") else ""
            yield f"as of {str(one['as_of'])[:10]}{stale}"


def _nothing(history: Data) -> str:
    return {
        "complete": "not known to children's services",
        "incomplete": "children's services' records are incomplete",
    }.get(str(history.get("status")), "not looked up yet: this will be completed")


def _differences(child: Data, record: Data | None) -> Iterator[str]:
    if record is None:
        return
    for field, words in (("born", "birth date"), ("area", "area")):
        said, known = child.get(field), record.get(field)
        if said and known and said != known:
            yield f"{words}: police {said}, children's services {known}"
    said, known = ((one.get("school") or {}).get("name") for one in (child, record))
    if said and known and said != known:
        yield f"school: police {said}, children's services {known}"


def timeline(incident: Data, history: Data, today: date) -> Timeline:
    """Incidents, pathways and MARAC dates of the family, this incident last but for what is still open."""
    found: list[tuple[int, date, date | None, str, int, bool]] = []
    for one in history.get("incidents") or ():
        level = one.get("child_level")
        about = [f"police level {one['police_level']}" if one.get("police_level") else "police level unknown"]
        about += [f"child level {level}"] if level is not None else []
        about += ["injury"] if one.get("injury") else []
        found.append(
            (
                0,
                _day(one["occurred_at"]),
                None,
                f"Incident {one['reference']}: {', '.join(about)}",
                level or 0,
                False,
            )
        )
    for one in history.get("involvement") or ():
        for taken in one.get("pathways") or ():
            if taken.get("from"):
                begun, ended = _day(taken["from"]), taken.get("to")
                words = str(taken.get("pathway") or "pathway").replace("_", " ")
                found.append((1, begun, _day(ended) if ended else today, words, 0, False))
    for one in history.get("marac") or ():
        for field, words in (("referred_on", "Referred to MARAC"), ("heard_on", "Heard at MARAC")):
            if one.get(field):
                found.append((2, _day(one[field]), None, words, 0, False))
    risk = (incident.get("risk") or {}).get("level")
    found.append(
        (0, _day(incident["occurred_at"]), None, f"This incident: police level {risk or 'unknown'}", 0, True)
    )
    first = min(one[1] for one in found)
    last = max(today, *(one[2] or one[1] for one in found))
    span = max(1, (last - first).days)

    def place(day: date) -> float:
        return round(2 + _WIDEST * (day - first).days / span, 2)

    marks = tuple(
        Mark(lane, place(day), max(0.0, round(place(until) - place(day), 2)) if until else 0.0, words, day,
             until if until != today else None, grave, now)
        for lane, day, until, words, grave, now in sorted(found, key=lambda one: (one[1], one[0]))
    )  # fmt: skip
    return Timeline(marks, tuple(_ticks(first, last, place)))


def _ticks(first: date, last: date, place: Any) -> Iterator[tuple[float, str]]:
    """At most about a dozen: years, or months where there are few years."""
    if (last - first).days > 900:
        for year in range(first.year + 1, last.year + 1):
            yield place(date(year, 1, 1)), str(year)
        return
    month = date(first.year, first.month, 1)
    every = 1 if (last - first).days < 330 else 3
    while True:
        number = month.year * 12 + month.month - 1 + 1
        month = date(number // 12, number % 12 + 1, 1)
        if month > last:
            return
        if (month.month - 1) % every == 0:
            yield place(month), f"{month:%b %Y}"


def _day(said: str) -> date:
    return datetime.fromisoformat(said).date() if "T" in said else date.fromisoformat(said)


def happened(incident: Data) -> list[tuple[str, str]]:
    """What the police say of what happened: a heading and words, only where something is known."""
    what = incident.get("incident") or {}
    people = people_of(incident)
    told: list[tuple[str, str]] = []

    def add(heading: str, words: Iterable[str] | str | None) -> None:
        text = words if isinstance(words, str) else ", ".join(str(one).replace("_", " ") for one in words or ())
        if text:
            told.append((heading, text))

    add("Violence", what.get("violence"))
    add(
        "Weapons",
        [f"{one.get('kind') or 'weapon'} {one.get('use') or ''}".strip() for one in what.get("weapons") or ()],
    )
    add(
        "Injuries",
        [
            f"{one.get('severity') or 'injury'} to {name_of(people.get(str(one.get('to'))))}"
            for one in what.get("injuries") or ()
        ],
    )
    add("Threats", what.get("threats"))
    signs = (
        "strangulation", "sexual_offence", "property_damaged", "stalking", "contact_dispute",
        "separation_intended", "honour_based", "forced_marriage", "animals_harmed", "escalating",
    )  # fmt: skip
    add("Signs", [sign for sign in signs if what.get(sign) is True])
    add("Asked and denied", [sign for sign in signs if what.get(sign) is False])
    add("Not known", [sign for sign in signs if what.get(sign) is None])
    add("Offences", what.get("offences"))
    risk = incident.get("risk") or {}
    if risk.get("level"):
        answers = f", {risk['yes_answers']} yes answers" if risk.get("yes_answers") is not None else ""
        add("Police risk level", f"{risk['level']}{answers}")
    for field, heading in (("judgement", "Judgement"), ("heightened_concern", "Heightened concern")):
        if isinstance(risk.get(field), str):
            add(heading, risk[field])
    consent = incident.get("consent") or {}
    if consent.get("given") is not None:
        add("Consent to share", "given" if consent["given"] else "not given")
    return told


def adults(incident: Data) -> list[dict[str, Any]]:
    """Each adult: name, role, and lines of what is known."""
    rows = []
    for one in incident.get("adults") or ():
        address = one.get("address") or {}
        lines = [
            f"born {one['born']}" if one.get("born") else "",
            ", ".join(
                part for part in (address.get("line1"), address.get("town"), address.get("postcode")) if part
            ),
            *(
                f"telephone {phone.get('number')}"
                + (" (safe)" if phone.get("safe") else " (NOT known to be safe)")
                + (f", {phone['when']}" if phone.get("when") else "")
                for phone in one.get("phones") or ()
            ),
            "pregnant" if one.get("pregnant") else "",
            _listed("orders in force", one.get("orders_in_force")),
            _listed("orders breached", one.get("orders_breached")),
            _listed("bail", one.get("bail_conditions")),
            _listed("factors", one.get("factors")),
            "needs an interpreter" if one.get("interpreter") else "",
        ]
        rows.append(
            {
                "name": name_of(one),
                "role": one.get("role") or "role not known",
                "also": list((one.get("name") or {}).get("also_known_as") or ()),
                "lines": [line for line in lines if line],
            }
        )
    return rows


def _listed(heading: str, words: Sequence[str] | None) -> str:
    return f"{heading}: {', '.join(str(one).replace('_', ' ') for one in words)}" if words else ""


def relations(incident: Data) -> list[str]:
    """Who is what to whom, in sentences."""
    people = people_of(incident)
    told = []
    for one in incident.get("relationships") or ():
        kind = str(one.get("kind") or "related").replace("_", " ")
        apart = f", separated {one['separated_on']}" if one.get("separated_on") else ""
        told.append(
            f"{name_of(people.get(str(one.get('from'))))} is {kind} of "
            f"{name_of(people.get(str(one.get('to'))))}{apart}"
        )
    return told
