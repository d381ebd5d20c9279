"""A decision in plain English, for a screener: what, why, who is told, what is still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from services.triage.protocols.wording import LADDERS, listed, named

_BASIS: Final = {
    "safeguarding_without_consent": "to protect a child, agreed or not",
    "prevention_of_harm": "to prevent harm",
    "statutory_duty": "as the law requires",
    "consent": "with the victim's agreement",
    "vital_interests": "to protect a life",
}
_LOOK: Final = {
    "section_47": "a section 47 enquiry is looked at by a person",
    "child_level_4": "the child is at the highest level",
    "doubt": "a link to somebody's history is only likely, and it changes the result",
    "lower_proposed": "the rules now ask for less than before; lowering takes two people",
    "nobody_routed": "nobody is told, though somebody could be",
    "rule_failed": "a rule could not be tried, so that it may hold",
    "area_missing": "no area was found for somebody",
    "joint_screening": "this protocol has a team look at every case",
}


def explain(decision: Mapping[str, Any]) -> str:
    """The whole decision as text. `decision` is as in contracts/decision.json. Raises KeyError on others."""
    return "\n".join(_lines(decision)) + "\n"


def _lines(decision: Mapping[str, Any]) -> Iterator[str]:
    receipt = decision["receipt"]
    protocol, guards = receipt["protocol"], receipt["safeguards"]
    version = decision.get("version")
    yield f"Case {decision['case']}" + (f", version {version}" if version else "")
    yield (
        f"Decided as of {_moment(receipt['as_of'])} by {protocol['id']}/{protocol['version']} with "
        f"{guards['id']}/{guards['version']}."
    )
    for mark in receipt.get("degraded") or ():
        yield f"Take care: {named(mark)}."
    yield ""
    yield from _result(receipt)
    yield from _section("Why", _reasons(receipt))
    yield from _section("Who is told", _routes(receipt))
    yield from _section(
        "To be considered by a coordinator",
        (f"{named(one['service'])} ({_ids(one['rules'])})" for one in receipt["consider"]),
    )
    yield from _section("Not known, and could change this", _questions(receipt))
    yield from _section("In doubt", _doubt(receipt))
    yield from _section("Set aside by two people", (f"{one['rule']}" for one in receipt.get("set_aside") or ()))
    yield from _section(
        "Protects the family (never counted)", (one["because"] for one in receipt["mitigating"])
    )
    yield from _section("A person looks at this", _review(receipt))
    yield from _section("What people did", _people(decision))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield ""
        yield f"{title}:"
        yield from (f"  - {line}" for line in told)


def _result(receipt: Mapping[str, Any]) -> Iterator[str]:
    result, possible = receipt["result"], receipt["possible"]
    if result["child_level"] is None:
        yield "No child is known."
    else:
        yield f"The gravest level of a child is {result['child_level']}."
    yield f"Children's services: {named(result['css_response'])}. The victim's level: {result['victim_level']}."
    if result["handling"]:
        yield f"Handling: {listed(result['handling'])}."
    for child in receipt["children"]:
        yield f"Child {child['id']}: level {child['child_level']}, {named(child['css_response'])}."
    more = []
    if possible["css_response"] != result["css_response"]:
        more.append(named(possible["css_response"]))
    more += [named(one) for one in possible["services"] if one not in result["services"]]
    if more:
        yield f"If everything unknown were so: also {', '.join(more)}."


def _reasons(receipt: Mapping[str, Any]) -> Iterator[str]:
    for reason in receipt["reasons"]:
        does = [
            f"{LADDERS[ladder]} at least {named(str(level))}" for ladder, level in reason["at_least"].items()
        ]
        if reason.get("step_up"):
            does.append(f"{LADDERS[reason['step_up']]} one step up")
        if reason["routes"]:
            does.append(f"tells {listed(reason['routes'])}")
        if reason.get("handling"):
            does.append(f"handled as {listed(reason['handling'])}")
        facts = "; ".join(f"{named(name)}: {_value(value)}" for name, value in reason["facts"].items())
        on = " (on a likely link)" if reason.get("doubt") else ""
        effect = f" So: {', '.join(does)}." if does else ""
        told = f" On: {facts}." if facts else ""
        yield f"{reason['because']}{on}{effect}{told} ({reason['rule']}, {reason['source']})"


def _routes(receipt: Mapping[str, Any]) -> Iterator[str]:
    for route in receipt["routes"]:
        where = f" of {route['area']}" if route.get("area") else " (area not known)"
        response = f" for {named(route['response'])}" if route.get("response") else ""
        about = f", about {', '.join(route['about'])}" if route["about"] else ""
        due = f", by {_moment(route['due'])}" if route.get("due") else ""
        basis = _BASIS.get(route["basis"], named(route["basis"]))
        yield f"{named(route['service'])}{where}{response}{about}{due}; {basis} ({_ids(route['rules'])})"


def _questions(receipt: Mapping[str, Any]) -> Iterator[str]:
    for one in receipt["questions"]:
        adds = []
        for name, value in one["would_add"].items():
            adds.append(listed(value) if isinstance(value, list) else f"{named(name)} {named(str(value))}")
        could = f" A yes could add: {', '.join(adds)}." if adds else ""
        yield f"{named(one['fact'])}? Ask the {named(one['to'])}. {one['because']}{could}"


def _doubt(receipt: Mapping[str, Any]) -> Iterator[str]:
    doubt = receipt.get("doubt")
    if doubt:
        less = doubt["without"]
        yield (
            "Some of what is known is only likely to be of this family. Without it: level "
            f"{less['child_level']}, {named(less['css_response'])}, {listed(less['services'])}."
        )


def why_look(because: str) -> str:
    """Why a person looks, in words; `because` as in a receipt's review."""
    if because in _LOOK:
        return _LOOK[because]
    return f"{named(because.removesuffix('_suggested'))} is not recorded, and the account suggests it"


def _review(receipt: Mapping[str, Any]) -> Iterator[str]:
    review = receipt["review"]
    for because in review["because"]:
        yield why_look(because)
    if review.get("waits_until"):
        yield f"waits until {_moment(review['waits_until'])}"


def _people(decision: Mapping[str, Any]) -> Iterator[str]:
    for act in decision.get("people_decided") or ():
        to = ", ".join(f"{named(name)} {_value(value)}" for name, value in act.get("to", {}).items())
        of = f" of {named(act['agency'])}" if act.get("agency") else ""
        yield f"{act['by']}{of}: {named(act['kind'])}{f' ({to})' if to else ''}, {_moment(act['at'])}"


def _ids(refs: list[str]) -> str:
    return ", ".join(ref.partition("#")[2] or ref for ref in refs)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return listed(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{named(name)} {_value(inner)}" for name, inner in value.items())
    return "none" if value is None else named(str(value))


def _moment(said: str) -> str:
    moment = datetime.fromisoformat(said)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
