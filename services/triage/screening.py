"""What follows from a decision without deciding anew: where the case stands, who looks at it and when, and
what people may do about it. Pure: time and ids come in as arguments.

The receipt is the engine's (`services/triage/domain/`); here it is read as the plain data it is kept as.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from shared import vocabulary as v
from shared.areas import Area, Areas
from shared.contracts.base import read_moment, write_moment
from shared.contracts.history import History
from shared.contracts.incident import Incident

State = Literal["to_route", "held", "no_recipient_by_rule", "withdrawn"]
ActKind = Literal["confirm", "raise", "lower", "answer", "unheld"]
ActStanding = Literal["applied", "waiting", "lapsed"]

LADDERS: Final[dict[str, tuple[Any, ...]]] = {
    "child_level": v.CHILD_LEVELS,
    "victim_level": v.VICTIM_LEVELS,
    "css_response": v.CSS_RESPONSES,
}
"""What a person raises or lowers, each from least to most."""

BY_ITSELF: Final = "waymark"
"""Who is named for what a timer does."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about a case. `said` names levels and services; `looked_at`: the version seen."""

    id: str
    kind: ActKind
    who: str
    agency: str | None
    at: datetime
    looked_at: int
    said: Mapping[str, Any]
    reason: str | None = None
    confirms: str | None = None
    standing: ActStanding = "applied"
    version: int | None = None

    def for_engine(self) -> dict[str, Any]:
        """The act as an input of the decision, which the receipt holds by its digest.

        The reason is in that digest; the receipt, which travels, says only that a person raised the case.
        """
        told = {
            "act": "raise" if self.kind == "raise" else "confirm",
            "kind": self.kind,
            "to": self.levels,
            "because": f"A person{f' of {self.agency}' if self.agency else ''} raised it.",
            "id": self.id,
            "by": self.who,
            "agency": self.agency,
            "at": write_moment(self.at),
            "reason": self.reason,
        }
        if self.kind == "answer":
            told |= {"act": "answer", **{name: self.said.get(name) for name in ("fact", "answer", "about")}}
        elif self.kind == "lower" and self.said.get("set_aside"):
            told |= {"act": "set_aside", "rules": self.said["set_aside"]}
        return told

    @property
    def levels(self) -> dict[str, Any]:
        """What it says should hold."""
        return {name: self.said[name] for name in (*LADDERS, "services") if name in self.said}

    def for_readers(self) -> dict[str, Any]:
        """The act as the decision names it: ids and closed words, never anybody's own words."""
        return {
            "act": self.id,
            "kind": self.kind,
            "by": self.who,
            "agency": self.agency,
            "at": write_moment(self.at),
            "to": self.levels,
            **({"fact": self.said["fact"]} if self.kind == "answer" else {}),
            **({"set_aside": sorted(self.said["set_aside"])} if self.said.get("set_aside") else {}),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands: its state, who holds it until when, whether and by when a person looks."""

    state: State
    held_by: str | None = None
    held_until: datetime | None = None
    waits_until: datetime | None = None
    waits_for: tuple[str, ...] = ()


def screening_team(area: str) -> str:
    """Who owns what is held in an area."""
    return f"{area}-screening"


def governing_area(areas: Areas, incident: Incident, history: History) -> Area:
    """The area whose protocol decides: where a child lives, else the victim, else the incident's own.

    The first of these that is an area of ours; where none is, the stand-in with the default safe protocol.
    """
    for named in _homes(incident, history):
        found = areas.get(named)
        if found is not None:
            return found
    return areas.of(incident.area, incident.force)


def _homes(incident: Incident, history: History) -> Iterable[str | None]:
    for child in incident.children or ():
        yield child.area
    for known in history.children_known or ():
        if known.link == "certain":  # a record that only may be this family's tells nothing of itself
            yield known.area
    for adult in incident.adults or ():
        if adult.role in ("victim", "both"):
            yield adult.area


def visible_to(areas: Areas, area: Area, incident: Incident, receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The areas whose people may see the case: where it is decided and where it goes.

    A case that no area of ours claims is seen by all areas of its force, so that somebody can pick it up.
    """
    named = {route["area"] for route in receipt["routes"] if route.get("area") is not None}
    named.add(area.id)
    if not area.known:
        named.update(one.id for one in areas.by_id.values() if incident.force in one.rules.forces)
    return tuple(sorted(named))


def owner(area: Area, areas: Areas, force: str) -> str:
    """Who holds a case of `area`; for the stand-in the first area of the force, where there is one."""
    if area.known:
        return screening_team(area.id)
    of_force = sorted(one.id for one in areas.by_id.values() if force in one.rules.forces)
    return screening_team(of_force[0] if of_force else area.id)


def child_possible(receipt: Mapping[str, Any]) -> bool:
    """Whether a child is known or possible: then a case that routes nobody cannot end there (S8, S11)."""
    possible = receipt["possible"]
    return possible["child_level"] is not None or possible["css_response"] != "none"


def stand(
    receipt: Mapping[str, Any],
    area: Area,
    held_by: str,
    *,
    withdrawn: bool,
    as_of: datetime,
    before: Standing | None = None,
    settled: bool = False,
    looked: bool = False,
) -> Standing:
    """Where a case stands after a decision.

    A case that routes nobody although it could (`possible`, or a service to consider) is held by its
    area's screening team for at most one working day, counted once however often it is decided again
    (design.md, "A protocol"). `settled`: a person saw that nobody is routed and left it so. `looked`: a
    person's own act led to this decision, so that nobody else has to look.
    """
    if withdrawn:
        return Standing("withdrawn")
    review = receipt["review"]
    because = tuple(review.get("because") or ())
    day = area.working_days_after(as_of, 1)
    if not receipt["routes"]:
        could_route = bool(receipt["possible"]["services"]) or bool(receipt["consider"])
        if settled or not could_route:
            return Standing("no_recipient_by_rule")
        said = review.get("waits_until")
        since = before.held_until if before is not None else None
        until = read_moment(said) if said else since or day
        return Standing("held", held_by, until, None if looked else until, because or ("nobody_routed",))
    if looked or not review["needed"]:
        return Standing("to_route")
    waiting = before.waits_until if before is not None and before.state == "to_route" else None
    return Standing("to_route", waits_until=min(day, waiting or day), waits_for=because)


def same_substance(old: Mapping[str, Any], new: Mapping[str, Any], *, same_history: bool) -> bool:
    """Whether two receipts of one revision say the same: all but when, and what follows from when.

    `same_history`: the histories differ in their dates of looking alone, so that their digests may.
    """
    return _undated(old, same_history) == _undated(new, same_history)


def _undated(receipt: Mapping[str, Any], without_history: bool) -> dict[str, Any]:
    left_out = ("previous", "history") if without_history else ("previous",)
    return {
        **receipt,
        "as_of": None,
        "waited_since": None,
        "inputs": {name: value for name, value in receipt["inputs"].items() if name not in left_out},
        "routes": [{**route, "due": None} for route in receipt["routes"]],
    }


def same_history(old: History, new: History) -> bool:
    """Whether two histories say the same, apart from when each record was looked at."""
    return _undated_history(old) == _undated_history(new)


def _undated_history(history: History) -> History:
    involvement = history.involvement
    if involvement is not None:
        involvement = [one.model_copy(update={"as_of": None}) for one in involvement]
    return history.model_copy(update={"as_of": None, "involvement": involvement})


def place(ladder: str, level: Any) -> int:
    """A level's place on its ladder; below all of them where there is none."""
    return -1 if level is None else LADDERS[ladder].index(level)


def why_no_raise(result: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    """Why `said` does not raise `result`, in a sentence; None where it does (S14: one person may)."""
    higher = False
    for ladder in LADDERS:
        if ladder not in said:
            continue
        step = place(ladder, said[ladder]) - place(ladder, result.get(ladder))
        if step < 0:
            return f"{ladder} stands higher than that already: lowering it takes two people of two agencies."
        higher = higher or step > 0
    if higher or not set(said.get("services") or ()) <= set(result["services"]):
        return None
    return "The case stands there already."


def why_no_lowering(
    result: Mapping[str, Any], computed: Mapping[str, Any], said: Mapping[str, Any]
) -> str | None:
    """Why `result` cannot be lowered to `computed`, what the rules alone say of the facts as they stand
    now, or `said` asks for less than that; None where it can be lowered (S14)."""
    less = any(
        place(ladder, said[ladder]) < place(ladder, computed[ladder]) for ladder in said if ladder in LADDERS
    )
    if less:
        return "The rules ask for more than that on the facts as they stand; no lowering goes below them."
    if all(
        computed[part] == result[part] for part in ("child_level", "victim_level", "css_response", "services")
    ):
        return "The rules ask for all of this on the facts as they stand: there is nothing to lower."
    return None


def reasons_named(
    receipt: Mapping[str, Any], refs: Sequence[str], safeguards: str
) -> tuple[dict[str, Any], str | None]:
    """The reasons to set aside with the facts they stand on, and why they cannot be, in a sentence (S14)."""
    given = {reason["rule"]: reason["facts"] for reason in receipt["reasons"]}
    for ref in refs:
        name = ref.partition("#")[2]
        if ref not in given:
            return {}, f"{ref} is no reason of this decision."
        if ref.startswith(f"{safeguards}#"):
            return {}, f"{ref} is a safeguard: nobody sets it aside."
        if name == "baseline" or name.startswith(("level-", "without-child-")):
            return {}, f"{ref} says what a level means: name the rules that led to the level."
    return {ref: given[ref] for ref in refs}, None


def corrects(first: Act, second: Act) -> bool:
    """Whether `second` is the proposer's own proposal written anew, as when the two named different reasons."""
    return first.who == second.who and second.confirms is None and _proposed(first) != _proposed(second)


def _proposed(act: Act) -> tuple[Any, ...]:
    return (act.said.get("set_aside", {}), act.levels, act.reason)


def why_not_second(first: Act, second: Act) -> str | None:
    """Why `second` does not complete the lowering that `first` proposed (S14); None where it does."""
    if first.who == second.who:
        return "Nobody confirms their own lowering: it takes a second person of another agency."
    if first.agency == second.agency:
        return "The second person has to be of another agency than the first."
    if first.said.get("set_aside", {}) != second.said.get("set_aside", {}):
        return "The two of you name different reasons to set aside: agree on them; the first may write anew."
    return None


def applied(acts: Sequence[Act]) -> tuple[Act, ...]:
    """The acts that hold, in order."""
    return tuple(act for act in acts if act.standing == "applied")


def deciding(acts: Sequence[Act]) -> list[dict[str, Any]]:
    """Of these the inputs of the next decision: what was raised, and who set earlier results aside."""
    return [act.for_engine() for act in acts if act.kind in ("raise", "lower", "answer")]
