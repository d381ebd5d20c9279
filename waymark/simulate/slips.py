"""How a record goes wrong: the known kinds of error between one agency's record and another's.

Kinds: `typo`, `nickname`, `surname_changed`, `day_and_month_swapped`, `both_wrong` (name and birth date),
`missing_birth_date`, `moved`, `child_left_out` (NSPCC 2009 s5.2, s5.10.4, s6.2.3), and the form-like faults
`unreadable_date`, `unknown_word`, `unknown_field` (a field of the supplier's own) and `contradiction`. What
was known and is not said where it belongs is a gap: `presence_left_out`, `answers_left_out` (a level without
them), `weapon_left_out` (only the narrative speaks of it). Every one that is made is written down with its
place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from waymark.simulate.deck import chance, deal, pick
from waymark.simulate.events import Event
from waymark.simulate.names import nickname, pool
from waymark.simulate.profile import Profile

_NEAR = {
    "a": "eo", "b": "p", "c": "k", "d": "t", "e": "ai", "f": "ph", "g": "j", "i": "ey", "k": "c", "l": "r",
    "m": "n", "n": "m", "o": "ua", "r": "l", "s": "z", "t": "d", "u": "o", "v": "w", "y": "i",
}  # fmt: skip
_NO_DATES = ("31/02/{year}", "00/00/{year}", "about {year}", "{year}-13-41", "n/a ({year}?)", "32/01/{year}")
_NO_WORDS: dict[str, str] = {
    "caller": "passer-by",
    "place": "caravan",
    "presence": "upstairs landing",
    "relationship": "babyfather",
    "violence": "shoved about",
    "level": "amber",
}


def misspell(rng: Random, word: str) -> str:
    """One slip of ear or hand: two letters changed about, one dropped, doubled or misheard."""
    for _ in range(20):
        place = rng.randrange(1, max(2, len(word)))
        how = rng.randrange(4)
        if how == 0 and place + 1 < len(word):
            said = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        elif how == 1 and len(word) > 3:
            said = word[:place] + word[place + 1 :]
        elif how == 2:
            said = word[:place] + word[place - 1].lower() + word[place:]
        else:
            near = _NEAR.get(word[place : place + 1], "")
            said = word[:place] + (rng.choice(near) if near else "h") + word[place + 1 :]
        if said != word:
            return said
    return word + "e"


def swap_day_and_month(born: date, latest: date) -> date | None:
    """The other way of reading 03/07; None where it is no date, the same date, or in the future."""
    if born.day > 12 or born.day == born.month:
        return None
    swapped = born.replace(month=born.day, day=born.month)
    return swapped if swapped <= latest else None


def misdate(rng: Random, born: date, latest: date) -> date:
    """A wrong digit: another day, or the year before or after."""
    if chance(rng, 0.5):
        wrong = born.replace(day=(born.day + rng.randint(1, 26)) % 28 + 1)
    else:
        wrong = born.replace(day=min(born.day, 28), year=born.year + rng.choice((-1, 1)))
    return (
        wrong if wrong <= latest and wrong != born else born.replace(day=min(born.day, 28), year=born.year - 1)
    )


def spoil(
    rng: Random, kind: str, person: dict[str, Any], other_surname: str, ethnicity: str, latest: date
) -> list[tuple[str, Any, Any, str]]:
    """Make an error of `kind` in a record of a person (`name`, `born`).

    Gives what was changed as (pointer within the person, what was, what is said now, the kind that was
    made): where a kind cannot be (no nickname, no such day) a typo is made instead.
    """
    name = person["name"]
    changed: list[tuple[str, Any, Any, str]] = []

    def change(pointer: str, holder: dict[str, Any], key: str, value: Any, made: str) -> None:
        changed.append((pointer, holder[key], value, made))
        holder[key] = value

    born = date.fromisoformat(person["born"])
    if kind == "missing_birth_date":
        changed.append(("/born", person.pop("born"), None, kind))
        return changed
    if kind == "day_and_month_swapped":
        swapped = swap_day_and_month(born, latest)
        if swapped and not _comes_of_age(born, swapped, latest):
            change("/born", person, "born", swapped.isoformat(), kind)
            return changed
    if kind == "nickname" and (short := nickname(name["given"])):
        change("/name/given", name, "given", short, kind)
        return changed
    if kind == "surname_changed":
        said = other_surname
        while said == name["family"]:
            said = pool(ethnicity, "surnames").draw(rng)
        change("/name/family", name, "family", said, kind)
        return changed
    made = "both_wrong" if kind == "both_wrong" else "typo"
    key = rng.choice(("given", "family"))
    change(f"/name/{key}", name, key, misspell(rng, name[key]), made)
    if made == "both_wrong":
        wrong = misdate(rng, born, latest)
        if _comes_of_age(born, wrong, latest):
            wrong = born.replace(day=min(born.day, 28), year=born.year + 1)
        change("/born", person, "born", wrong.isoformat(), made)
    return changed


def _comes_of_age(born: date, said: date, on: date) -> bool:
    """Whether the slip makes an adult of a child: these errors are ones that no reader can see."""

    def of_age(day: date) -> bool:
        return on.year - day.year - ((on.month, on.day) < (day.month, day.day)) >= 18

    return of_age(said) and not of_age(born)


@dataclass
class Slips:
    """What goes wrong in the writing of one incident."""

    left_out: str | None = None
    undated: list[str] = field(default_factory=list)
    error: tuple[str, str] | None = None
    """Kind, and the part of the person in whose details it is made."""
    faults: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def plan_slips(rng: Random, profile: Profile, events: Sequence[Event]) -> list[Slips]:
    """Who gets what wrong, at the profile's rates."""
    slips = [Slips() for _ in events]
    numbered = list(enumerate(events))
    scale = len(events) / profile.number("cohort", "incidents")
    # Table 4: one child in twenty has no age; an officer who does not ask for one does not ask for any.
    undated = profile.number("child_age_years", "not_recorded") / profile.number("cohort", "children")
    for number, event in pick(rng, numbered, undated * len(events)):
        slips[number].undated = [child.part for child in event.family.children]
    victims = [(n, event.victim) for n, event in numbered]
    victims += [(n, event.suspect) for n, event in numbered if event.recorded_as == "two_victims"]
    for number, part in pick(rng, victims, profile.number("victim_age", "unknown") * scale):
        slips[number].undated.append(part)
    several = [(n, e) for n, e in numbered if any(_may_be_left_out(e, c.part) for c in e.family.children[1:])]
    for number, event in pick(rng, several, profile.number("errors", "child_left_out") * len(events)):
        may = [child.part for child in event.family.children if _may_be_left_out(event, child.part)]
        slips[number].left_out = rng.choice(may)
    clean = [(n, event) for n, event in numbered if not slips[n].undated]
    wrong = profile.number("errors", "demographic") * len(events) - (len(events) - len(clean))
    wrong_ones = pick(rng, clean, max(0.0, wrong))
    kinds = deal(rng, profile.shares("errors", "kinds"), len(wrong_ones))
    for (number, event), kind in zip(wrong_ones, kinds, strict=True):
        slips[number].error = (kind, _whose(rng, event, kind, slips[number].left_out))
    for fault in ("unreadable_date", "unknown_word"):
        for number, _ in pick(rng, numbered, profile.number("faults", fault) * len(events)):
            slips[number].faults.append(fault)
    # Drawn apart, so that a kind more or less leaves the rest of the month as it is.
    apart = Random()
    apart.setstate(rng.getstate())
    for fault in ("contradiction", "unknown_field"):
        for number, _ in pick(apart, numbered, profile.number("faults", fault) * len(events)):
            slips[number].faults.append(fault)
    for gap in ("presence_left_out", "answers_left_out", "weapon_left_out"):
        for number, _ in pick(apart, numbered, profile.number("gaps", gap) * len(events)):
            slips[number].gaps.append(gap)
    return slips


def _may_be_left_out(event: Event, part: str) -> bool:
    facts = event.children[part]
    return not (facts.get("injured") or facts.get("called_for_help"))


def _whose(rng: Random, event: Event, kind: str, left_out: str | None) -> str:
    """Whose details: somebody in whose case the error is possible."""
    people = [person for person in event.family.people if person.part != left_out]
    if kind == "nickname":
        people = [person for person in people if nickname(person.given)] or people
    if kind == "day_and_month_swapped":
        on = event.occurred.date()
        people = [person for person in people if swap_day_and_month(person.born, on)] or people
    if kind == "surname_changed":
        people = [person for person in people if person.part != "man"]
    return rng.choice(people).part


def make_fault(rng: Random, kind: str, incident: dict[str, Any], spared: set[str]) -> dict[str, Any] | None:
    """Put something unreadable into an incident; `spared` are pointers that already carry an error.

    Gives where, what is said and what was; None where there is nothing to spoil.
    """
    if kind in ("contradiction", "unknown_field"):
        return _make_visible(kind, incident, spared)
    options = list(_dates(incident) if kind == "unreadable_date" else _words(incident))
    options = [option for option in options if option[0] not in spared]
    if not options:
        return None
    at, holder, key, said = rng.choice(options)
    was = holder[key]
    if kind == "unreadable_date":
        said = rng.choice(_NO_DATES).format(year=was[:4])
    holder[key] = said
    return {"at": at, "fault": kind, "said": said, "was": was}


_Option = tuple[str, Any, Any, str]


def _dates(incident: dict[str, Any]) -> list[_Option]:
    found: list[_Option] = []
    for group in ("adults", "children"):
        for i, person in enumerate(incident[group]):
            if person.get("born"):
                found.append((f"/{group}/{i}/born", person, "born", ""))
    for i, relationship in enumerate(incident["relationships"]):
        if relationship.get("separated_on"):
            found.append((f"/relationships/{i}/separated_on", relationship, "separated_on", ""))
    return found


def _words(incident: dict[str, Any]) -> list[_Option]:
    found: list[_Option] = [
        ("/caller", incident, "caller", _NO_WORDS["caller"]),
        ("/place/kind", incident["place"], "kind", _NO_WORDS["place"]),
    ]
    for i, child in enumerate(incident["children"]):
        if child.get("presence"):
            found.append((f"/children/{i}/presence", child, "presence", _NO_WORDS["presence"]))
    violence = incident["incident"]["violence"]
    if len(violence) > 1:
        last = len(violence) - 1
        found.append((f"/incident/violence/{last}", violence, last, _NO_WORDS["violence"]))
    if incident["relationships"]:
        found.append(("/relationships/0/kind", incident["relationships"][0], "kind", _NO_WORDS["relationship"]))
    if (incident.get("risk") or {}).get("level"):
        found.append(("/risk/level", incident["risk"], "level", _NO_WORDS["level"]))
    return found


def make_gap(kind: str, incident: dict[str, Any], spared: set[str]) -> dict[str, Any] | None:
    """Leave out of an incident what was known; `spared` are pointers that already carry an error.

    Gives where, the kind and what was; None where there is nothing to leave out.
    """
    options: list[tuple[str, Any, str]] = []
    if kind == "presence_left_out":
        for i, child in enumerate(incident["children"]):
            if child.get("presence"):
                options.append((f"/children/{i}/presence", child, "presence"))
    elif kind == "answers_left_out":
        risk = incident.get("risk") or {}
        if risk.get("level") and risk.get("yes_answers") is not None:
            options.append(("/risk/yes_answers", risk, "yes_answers"))
    elif incident["incident"].get("weapons") and incident.get("summary"):
        options.append(("/incident/weapons", incident["incident"], "weapons"))
    options = [option for option in options if not any(at.startswith(option[0]) for at in spared)]
    if not options:
        return None
    at, holder, key = _apart(kind, incident).choice(options)
    return {"at": at, "gap": kind, "was": holder.pop(key), "said": None}


def _apart(kind: str, incident: dict[str, Any]) -> Random:
    """Chance that belongs to this kind and incident alone."""
    return Random(f"{kind}/{incident['force']}/{incident['reference']}")


def _make_visible(kind: str, incident: dict[str, Any], spared: set[str]) -> dict[str, Any] | None:
    rng = _apart(kind, incident)
    if kind == "unknown_field":
        name, said = rng.choice(
            (("beat_code", "N4"), ("crime_no", "none"), ("dv_flag", "Y"), ("collar", "1234"))
        )
        incident[name] = said
        return {"at": f"/{name}", "fault": kind, "said": said, "was": None}
    options = [option for option in _contradictions(incident) if option[0] not in spared]
    if not options:
        return None
    at, holder, key, said = rng.choice(options)
    was = holder[key]
    holder[key] = said
    return {"at": at, "fault": kind, "said": said, "was": was}


def _contradictions(incident: dict[str, Any]) -> list[tuple[str, Any, str, Any]]:
    """Where something can be said that something else in the same incident contradicts."""
    found: list[tuple[str, Any, str, Any]] = []
    if incident.get("attended_at"):
        found.append(("/attended", incident, "attended", False))
    if incident.get("reported_at"):
        before = datetime.fromisoformat(incident["occurred_at"]) - timedelta(days=1)
        said = before.strftime("%Y-%m-%dT%H:%M:%SZ")
        found.append(("/reported_at", incident, "reported_at", said))
    happened = incident["incident"]
    if happened.get("strangulation"):
        found.append(("/incident/strangulation", happened, "strangulation", False))
    for i, child in enumerate(incident["children"]):
        if child.get("presence") and (child.get("held_by_adult") or child.get("injured")):
            found.append((f"/children/{i}/presence", child, "presence", "not_on_premises"))
    return found
