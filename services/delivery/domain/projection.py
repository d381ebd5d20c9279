"""An incident and a history as one role may see them, and the list of what was withheld.

Works on plain data as on the wire, so that a field of a newer contract that this version does not know is
withheld like any other that nobody has allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.delivery.domain.fields import Plan, Whole
from services.delivery.domain.guarded import Guarded, guarded_in, without
from services.delivery.domain.profiles import Profile, Subject, View, view_of

Data = dict[str, Any]

_VICTIM_ROLES: Final = frozenset({"victim", "both", None})
"""`both` is a victim too; of one whose role is unknown the safer is taken."""
_INTIMATE_VALUES: Final = frozenset({"sexual", "strangulation"})
_NAMES_THE_CASE: Final = frozenset({"schema", "force", "reference"})
"""Without these nobody could speak of the case, whatever a force puts into its references."""


@dataclass
class Withheld:
    """What was withheld and why, each once, in the order it was met."""

    because: str
    entries: dict[str, str] = field(default_factory=dict)

    def note(self, path: str, because: str | None = None) -> None:
        """`path` was there and is not shown."""
        self.entries.setdefault(path, because or self.because)

    def listed(self) -> list[dict[str, str]]:
        """As in `sharing.withheld`."""
        return [{"field": path, "because": because} for path, because in self.entries.items()]


@dataclass(frozen=True)
class Shown:
    """What a recipient gets to see. `people`: the ids of those who appear in it."""

    incident: Data
    history: Data
    withheld: list[dict[str, str]]
    people: frozenset[str]


def show(
    incident: Mapping[str, Any], history: Mapping[str, Any], profile: Profile, about: Iterable[str]
) -> Shown:
    """`incident` and `history` (wire data) as `profile` shows them, for a route about the ids `about`."""
    view = view_of(profile)
    withheld = Withheld(profile.because)
    told_of = frozenset(about) if profile.children_told_of == "about" else None
    adults = _adults(incident.get("adults"), view, withheld, _protected_addresses(incident, profile))
    children = _children(incident.get("children"), view, withheld, told_of)
    people = frozenset(person["id"] for person in (*(adults or ()), *(children or ())))
    rest = {key: value for key, value in incident.items() if key not in ("adults", "children")}
    shown = _through(rest, view.case, "", withheld)
    if adults is not None:
        shown["adults"] = adults
    if children is not None:
        shown["children"] = children
    _only_between(shown, people, withheld)
    if "intimate" not in profile.case:
        _without_intimate(shown.get("incident"), "incident.violence", withheld)
    known = frozenset(child["id"] for child in incident.get("children") or ())
    everybody = known | {adult["id"] for adult in incident.get("adults") or ()}
    past = _past(history, view, withheld, people, known, everybody, told_of)
    if not profile.whereabouts:
        _without_guarded(incident, shown, past, withheld, names_too=bool(profile.never_of))
    listed = withheld.listed()
    if profile.never_of:
        # A list of what there is to be known of her would tell something of her.
        listed = [{"field": "incident", "because": profile.because}]
    return Shown(shown, past, listed, people)


def _through(data: Mapping[str, Any], plan: Plan, path: str, withheld: Withheld) -> Data:
    """`data` with only what the plan shows; every object in it is a copy."""
    shown: Data = {}
    for key, value in data.items():
        if value is None:
            continue
        rule = plan.get(key, False)
        if rule is True:
            shown[key] = value
        elif rule is False or not isinstance(value, dict | list):
            withheld.note(f"{path}{key}")
        elif isinstance(value, list):
            shown[key] = [
                _inside(entry, rule, path, key, withheld) for entry in value if isinstance(entry, dict)
            ]
        else:
            inner = _inside(value, rule, path, key, withheld)
            if inner:
                shown[key] = inner
    return shown


def _inside(data: Data, rule: Plan | Whole, path: str, key: str, withheld: Withheld) -> Data:
    if isinstance(rule, dict):
        return _through(data, rule, f"{path}{key}.", withheld)
    if data.keys() <= rule:
        return data.copy()
    return _through(data, dict.fromkeys(rule, True), f"{path}{key}.", withheld)


def _subject(adult: Mapping[str, Any]) -> Subject:
    role = adult.get("role")
    return "victim" if role in _VICTIM_ROLES else "suspect" if role == "suspect" else "other"


def _adults(
    adults: list[Data] | None, view: View, withheld: Withheld, protected: frozenset[tuple[str, ...]]
) -> list[Data] | None:
    if adults is None:
        return None
    shown = []
    for adult in adults:
        subject = _subject(adult)
        plan = view.adults[subject]
        if plan is None:
            withheld.note("adults")
            continue
        path = f"adults[{adult['id']}]."
        seen = _through(adult, plan, path, withheld)
        _without_unsafe_numbers(seen, path, withheld)
        if subject != "victim" and "address" in seen and _key(seen["address"]) in protected:
            del seen["address"]
            withheld.note(f"{path}address", "the victim's address")
        shown.append(seen)
    # Where nobody may be shown the list is left out: an empty one would say that nobody was there.
    return shown or (None if adults else [])


def _children(
    children: list[Data] | None, view: View, withheld: Withheld, told_of: frozenset[str] | None
) -> list[Data] | None:
    if children is None:
        return None
    if view.child is None:
        if children:
            withheld.note("children")
        return None
    shown = []
    for child in children:
        if told_of is not None and child["id"] not in told_of:
            withheld.note("children", "another child")
            continue
        shown.append(_through(child, view.child, f"children[{child['id']}].", withheld))
    return shown or (None if children else [])


def _without_unsafe_numbers(adult: Data, path: str, withheld: Withheld) -> None:
    """A number that is not safe to ring is shown to nobody (NSPCC 2009 s6.5.2, s10.4.2)."""
    phones = adult.get("phones")
    if phones and any(phone.get("safe") is False for phone in phones):
        _keep(adult, "phones", [phone for phone in phones if phone.get("safe") is not False])
        withheld.note(f"{path}phones", "not safe to use")


def _key(address: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple("".join(str(address.get(part) or "").split()).casefold() for part in ("line1", "postcode"))


def _protected_addresses(incident: Mapping[str, Any], profile: Profile) -> frozenset[tuple[str, ...]]:
    """Where the victim and the children can be found, for those who may not learn it by another's entry."""
    if profile.whereabouts or not profile.suspect_whereabouts:
        return frozenset()
    homes = [
        person.get("address")
        for person in (*(incident.get("adults") or ()), *(incident.get("children") or ()))
        if "role" not in person or _subject(person) == "victim"
    ]
    homes.append((incident.get("place") or {}).get("address"))
    return frozenset(_key(home) for home in homes if home)


def _only_between(shown: Data, people: frozenset[str], withheld: Withheld) -> None:
    """What ties people together is shown where all of them are."""
    relationships = shown.get("relationships")
    if relationships:
        kept = [r for r in relationships if r.get("from") in people and r.get("to") in people]
        if len(kept) != len(relationships):
            withheld.note("relationships", "of somebody who is not shown")
            _keep(shown, "relationships", kept)
    happened = shown.get("incident")
    if not happened:
        return
    injuries = happened.get("injuries")
    if injuries:
        kept = [injury for injury in injuries if injury.get("to") is None or injury["to"] in people]
        if len(kept) != len(injuries):
            _keep(happened, "injuries", kept)
            withheld.note("incident.injuries", "of somebody who is not shown")
    for weapon in happened.get("weapons") or ():
        if weapon.get("by") is not None and weapon["by"] not in people:
            del weapon["by"]
            withheld.note("incident.weapons.by", "of somebody who is not shown")


def _without_intimate(happened: Data | None, path: str, withheld: Withheld) -> None:
    violence = (happened or {}).get("violence")
    if happened is not None and violence and not _INTIMATE_VALUES.isdisjoint(violence):
        _keep(happened, "violence", [kind for kind in violence if kind not in _INTIMATE_VALUES])
        withheld.note(path)


def _past(
    history: Mapping[str, Any],
    view: View,
    withheld: Withheld,
    people: frozenset[str],
    known: frozenset[str],
    everybody: frozenset[str],
    told_of: frozenset[str] | None,
) -> Data:
    """What was known before: confirmed links only. Of a likely one not even that it was withheld is told."""
    confirmed = {
        key: value for key, value in ((k, _confirmed(v)) for k, v in history.items()) if value is not None
    }
    shown = _through(confirmed, view.past, "history.", withheld)

    def _may_be_named(person: str) -> bool:
        return person in people or (told_of is None and person not in everybody)

    for entry in shown.get("incidents") or ():
        pairs, children = entry.get("pairs"), entry.get("children")
        if pairs:
            _keep(entry, "pairs", [p for p in pairs if all(one is None or one in people for one in p.values())])
        if children:
            _keep(entry, "children", [c for c in children if _may_appear(c, people, known, told_of)])
        if "intimate" not in view.profile.case:
            _without_intimate(entry, "history.incidents.violence", withheld)
    for entry in shown.get("repeats") or ():
        if pairs := entry.get("pairs"):
            named = (p for p in pairs if {p.get("victim"), p.get("perpetrator")} - {None} <= people)
            _keep(entry, "pairs", list(named))
    for name, ends in (("orders", ("person",)), ("relationships", ("from", "to"))):
        if entries := shown.get(name):
            kept = [entry for entry in entries if all(_may_be_named(entry[end]) for end in ends)]
            _keep(shown, name, kept)
    for name in ("involvement", "children_known"):
        entries = shown.get(name)
        if entries:
            kept = [e for e in entries if _may_appear(e.get("child"), people, known, told_of, e.get("id"))]
            _keep(shown, name, kept)
    return shown


def _without_guarded(
    incident: Mapping[str, Any], shown: Data, past: Data, withheld: Withheld, *, names_too: bool
) -> None:
    """What was written into another field all the same: her address, her number, her name."""
    victims = [adult for adult in incident.get("adults") or () if _subject(adult) == "victim"]
    guarded = guarded_in(incident, victims, names_too=names_too)
    for data, prefix in ((shown, ""), (past, "history.")):
        for name, value in list(data.items()):
            if name in _NAMES_THE_CASE:
                continue
            if name in ("adults", "children"):
                for person in value:
                    _drop_guarded(person, guarded, f"{name}[{person['id']}].", withheld)
            else:
                kept, hit = without(value, guarded)
                if hit:
                    withheld.note(f"{prefix}{name}", "gives the victim away")
                    if kept is None:
                        del data[name]
                    else:
                        data[name] = kept


def _drop_guarded(person: Data, guarded: Guarded, path: str, withheld: Withheld) -> None:
    for name, value in list(person.items()):
        if name == "id":
            continue
        kept, hit = without(value, guarded)
        if hit:
            withheld.note(f"{path}{name}", "gives the victim away")
            if kept is None:
                del person[name]
            else:
                person[name] = kept


def _keep(data: Data, name: str, kept: list[Any]) -> None:
    """What is left of a list; where nothing is, the list goes: an empty one would say that there was none."""
    if kept:
        data[name] = kept
    else:
        del data[name]


def _confirmed(value: Any) -> Any:
    """A list without what is only likely; None where nothing else was in it: it is not known to be none."""
    if not isinstance(value, list):
        return value
    sure = [one for one in value if not isinstance(one, dict) or one.get("link", "certain") == "certain"]
    return sure or (None if value else [])


def _may_appear(
    child: str | None,
    people: frozenset[str],
    known: frozenset[str],
    told_of: frozenset[str] | None,
    own: str | None = None,
) -> bool:
    """Whether a child may appear: it is shown, or it is not of this incident and the role sees all children."""
    if told_of is not None:
        return (child or own) in told_of
    return child is None or child in people or child not in known
