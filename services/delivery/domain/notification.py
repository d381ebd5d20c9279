"""What a recipient gets: contracts/notification.json, composed for one route and one role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.delivery.domain.case import Decided, Route
from services.delivery.domain.profiles import Profile, profile_of
from services.delivery.domain.projection import show
from services.delivery.domain.restricted import is_restricted
from shared.contracts.base import write_moment
from shared.contracts.news import news_of

Data = dict[str, Any]

SCHEMA: Final = "waymark.notification/1"
NOT_OF_THE_VIEW: Final = (
    "delivery", "version", "replaces", "why_again", "changed", "news", "trace", "questions_open",
    "restricted_to", "replayed_at",
)  # fmt: skip
"""Two notifications that differ in these alone show a recipient the same (and so does another deadline)."""

_OFFER: Final = {
    "because": "A programme is to be offered.",
    "rule": "waymark/offer",
    "source": "Waymark, promise 11",
}
_DOUBT: Final = {
    "because": "A link to earlier records is likely but not confirmed: this is the higher of the two readings.",
    "rule": "waymark/doubt",
    "source": "Waymark, promise 6",
}


@dataclass(frozen=True, slots=True)
class Composed:
    """A notification for a recipient that lacks only what its delivery adds: id, version, what it replaces."""

    recipient: str
    route: Route
    document: Data


def consent_of(incident: Mapping[str, Any]) -> str:
    """The state of consent as `sharing.consent` tells it."""
    consent = incident.get("consent") or {}
    asked, given = consent.get("asked"), consent.get("given")
    if given is True:
        return "given"
    if given is False:
        return "not_given"
    return "not_asked" if asked is False else "unknown"


def compose(
    decided: Decided,
    route: Route,
    recipient: str,
    *,
    named_staff: Sequence[str] = (),
    asked: bool = True,
    profile: Profile | None = None,
) -> Composed:
    """What `recipient` is shown of `decided` along `route`. `named_staff`: who of its people may open a
    restricted case; `asked`: whether this version still routes to it; `profile`: of a viewer who is no
    recipient of a route, else that of the route's service."""
    if decided.withdrawn:
        return Composed(recipient, route, _withdrawn(decided, route, recipient))
    consent = consent_of(decided.incident)
    result = decided.receipt.get("result") or {}
    if profile is None:
        profile = profile_of(
            route.service, consent=consent, basis=route.basis, level=result.get("victim_level")
        )
    shown = show(decided.incident, decided.history, profile, route.about)
    named = {
        person["id"]
        for kind in ("adults", "children")
        for person in decided.incident.get(kind) or ()
        if person["id"] not in shown.people
    }
    reasons = decided.receipt.get("reasons") or ()
    own = frozenset(route.rules)
    why = [
        {"because": reason["because"], "rule": reason["rule"], "source": reason["source"]}
        for reason in reasons
        if profile.reasons == "all" or reason["rule"] in own
    ]
    if decided.receipt.get("doubt"):
        why.append(dict(_DOUBT))
    if profile.never_of:
        # A rule that fired on her tells of her.
        why = [dict(_OFFER)]
    handling = [
        one
        for one in result.get("handling") or ()
        # That a child's case is open is what social care knows.
        if one != "update_open_case" or "involvement" in profile.past
    ]
    document: Data = {
        "schema": SCHEMA,
        "case": decided.case,
        "to": _addressed(route, recipient),
        "asked": {
            "response": route.response,
            "about": [one for one in route.about if one not in named],
        },
        "why": why,
        "incident": shown.incident,
        "history": shown.history,
        "questions_open": sorted({question["fact"] for question in decided.receipt.get("questions") or ()})
        if profile.questions
        else [],
        "handling": handling,
        "sharing": {
            "basis": route.basis,
            "consent": "unknown" if profile.never_of else consent,
            "withheld": shown.withheld,
        },
    }
    if not asked:
        document["asked"]["no_longer"] = True
    if is_restricted(handling):
        document["restricted_to"] = list(named_staff)
    if decided.test:
        document["test"] = True
    return Composed(recipient, route, document)


def _withdrawn(decided: Decided, route: Route, recipient: str) -> Data:
    """That the police took the incident back, and nothing else."""
    incident = {
        key: decided.incident[key] for key in ("schema", "force", "reference") if key in decided.incident
    }
    document: Data = {
        "schema": SCHEMA,
        "case": decided.case,
        "to": _addressed(route, recipient),
        "asked": {"response": None, "about": []},
        "why": [],
        "incident": {**incident, "withdrawn": True},
        "history": {},
        "questions_open": [],
        "handling": [],
        "sharing": {"basis": route.basis, "consent": "unknown", "withheld": []},
        "withdrawn": True,
    }
    if decided.test:
        document["test"] = True
    return document


def _addressed(route: Route, recipient: str) -> Data:
    return {"recipient": recipient, "role": route.service, "area": route.area}


def completed(
    composed: Composed,
    *,
    delivery: str,
    version: int,
    due: datetime,
    receipts: str,
    replaces: str | None,
    why_again: str | None,
    trace: str | None,
    before: Mapping[str, Any] | None = None,
) -> Data:
    """The whole notification. `receipts`: the address that receipts go to; `before`: the notification that
    it replaces."""
    document = composed.document
    return {
        "schema": document["schema"],
        "delivery": delivery,
        "case": document["case"],
        "version": version,
        "replaces": replaces,
        "why_again": why_again,
        "changed": None if before is None else changes(before, document),
        "news": None if before is None else news_of(before.get("history") or {}, document["history"]) or None,
        **{key: value for key, value in document.items() if key not in ("schema", "case")},
        "asked": {**document["asked"], "due": write_moment(due), "receipts": receipts},
        "trace": trace,
    }


_HOW_FRESH: Final = frozenset({"as_of", "source_as_of", "stale"})


def view_of_document(document: Mapping[str, Any]) -> Data:
    """The part of a composed notification that decides whether a recipient's view has changed."""
    view = {key: value for key, value in document.items() if key not in NOT_OF_THE_VIEW}
    # Neither a revision's number nor a moment at which somebody looked or was heard of is a change by itself.
    view["incident"] = {key: value for key, value in view["incident"].items() if key != "revision"}
    view["history"] = {key: value for key, value in view["history"].items() if key != "as_of"}
    if view["history"].get("involvement"):
        view["history"]["involvement"] = [
            {key: value for key, value in known.items() if key not in _HOW_FRESH}
            for known in view["history"]["involvement"]
        ]
    return view


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The fields in which a composed notification differs from the one that it replaces, by their paths:
    `incident.summary`, `incident.adults[a1].address`, `history.marac`, `asked.response`.

    Works on what both show, so that it tells a recipient nothing that it may not see.
    """
    found: set[str] = set()
    for part in ("asked", "why", "handling", "withdrawn"):
        old, new = before.get(part), now.get(part)
        if part == "asked":
            for name in ("response", "about", "no_longer"):
                if (old or {}).get(name) != (new or {}).get(name):
                    found.add(f"asked.{name}")
        elif (old or None) != (new or None):
            found.add(part)
    for part in ("incident", "history"):
        old, new = before.get(part) or {}, now.get(part) or {}
        for name in old.keys() | new.keys():
            if old.get(name) == new.get(name) or name in ("revision", "as_of"):
                continue
            if name in ("adults", "children"):
                found |= _people_changed(f"{part}.{name}", old.get(name) or (), new.get(name) or ())
            elif isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                inner = old[name].keys() | new[name].keys()
                found |= {f"{part}.{name}.{one}" for one in inner if old[name].get(one) != new[name].get(one)}
            else:
                found.add(f"{part}.{name}")
    return sorted(found)


def _people_changed(path: str, old: Sequence[Data], new: Sequence[Data]) -> set[str]:
    before = {one["id"]: one for one in old}
    after = {one["id"]: one for one in new}
    found = {f"{path}[{one}]" for one in before.keys() ^ after.keys()}
    for id_ in before.keys() & after.keys():
        names = before[id_].keys() | after[id_].keys()
        found |= {f"{path}[{id_}].{name}" for name in names if before[id_].get(name) != after[id_].get(name)}
    return found


def for_stand_in(
    document: Mapping[str, Any], route: Route, recipient: str, *, named_staff: Sequence[str] = ()
) -> Composed:
    """A sent notification, for whom a missed deadline escalates to or it is passed on to: what both roles
    may see.

    `route.service` is the stand-in's role. What the first recipient was not shown is not known here any
    more, so a stand-in of another role sees what is allowed to both.
    """
    again: Data = {key: value for key, value in document.items() if key not in NOT_OF_THE_VIEW}
    again["to"] = _addressed(route, recipient)
    again["asked"] = {key: document["asked"].get(key) for key in ("response", "about")}
    again["questions_open"] = list(document.get("questions_open") or ())
    if route.service != document["to"]["role"] and not document.get("withdrawn"):
        shown = show(
            document["incident"], document.get("history") or {}, profile_of(route.service), route.about
        )
        again["incident"], again["history"] = shown.incident, shown.history
        withheld = {entry["field"]: entry for entry in (*document["sharing"]["withheld"], *shown.withheld)}
        again["sharing"] = {**document["sharing"], "withheld": list(withheld.values())}
    if is_restricted(document.get("handling") or ()):
        again["restricted_to"] = list(named_staff)
    return Composed(recipient, route, again)
