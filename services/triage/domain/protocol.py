"""Protocols: rules, baseline and levels as read from a file, checked, and made ready to decide with.

A protocol is data. `build_protocol` takes the plain content of a file whose shape has been checked
(`services/triage/protocols.py` reads and checks files) and refuses what could lower a result; a
`RuleBook` is a protocol together with the safeguards, which no protocol can switch off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from services.triage.domain import effects
from services.triage.domain.conditions import (
    All,
    Compiled,
    Condition,
    Path,
    Unfit,
    check_direction,
    read_condition,
    tests,
)
from services.triage.domain.values import YES, Facts
from shared import vocabulary as v

CHILD_SERVICES: Final = frozenset(
    {
        "childrens_services", "child_abuse_investigation", "child_idva", "family_support", "health_visitor",
        "school_nurse", "education", "camhs", "supervised_contact",
    }
)  # fmt: skip
"""Meant for children: told only where a child is known (London 2008 s9.6)."""

LADDERS: Final[dict[str, tuple[Any, ...]]] = {
    "child_level": v.CHILD_LEVELS,
    "victim_level": v.VICTIM_LEVELS,
    "css_response": v.CSS_RESPONSES,
}
"""What `at_least` can raise, from least to most."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a level stands for: a CSS response, services told, services to consider."""

    css_response: int
    routes: tuple[str, ...]
    consider: tuple[str, ...]
    because: str
    source: str

    @property
    def adds(self) -> int:
        """What the level adds."""
        return effects.write(css_response=self.css_response, services=self.routes, consider=self.consider)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule, equal to itself alone. Levels are places on their ladders; `ref`: `protocol/version#rule`.

    `holds`: its condition's outcome, YES for a rule without one. `covered_by`: rules that say the same and
    more; where one of them fires, this one is not given as a reason.
    """

    ref: str
    condition: Condition | None
    holds: Compiled
    of_child: bool
    child_level: int
    victim_level: int
    css_response: int
    step_up: str | None
    routes: tuple[str, ...]
    consider: tuple[str, ...]
    handling: tuple[str, ...]
    covered_by: tuple[str, ...]
    because: str
    source: str
    at_least: Mapping[str, Any]
    adds: int
    """All that it does, as one number (`effects`)."""
    shown: Mapping[str, Any]
    """What every reason that gives this rule says, the facts aside."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol ready to use. Two with the same `digest` are the same."""

    id: str
    version: int
    title: str
    source: str
    in_force_from: date
    baseline: Rule | None
    levels: Mapping[int, Meaning]
    without_child: Mapping[int, Meaning]
    case_rules: tuple[Rule, ...]
    child_rules: tuple[Rule, ...]
    mitigating: tuple[Rule, ...]
    never_lower: Rule | None
    after_waiting: Rule | None
    screen_all: Rule | None
    """Why a team looks at every case, where the protocol is joint screening."""
    never_live: Rule | None
    """Why no area may decide by it, where it is kept to compare with."""
    digest: str
    ref: str
    """`id/version`."""
    level_adds: Mapping[int, int] = field(init=False, repr=False, compare=False)
    alone_adds: Mapping[int, int] = field(init=False, repr=False, compare=False)
    """What levels add, with a child and without, as `Rule.adds`."""
    start: int = field(init=False, repr=False, compare=False)
    """What the baseline says of a child."""

    def __post_init__(self) -> None:
        told = 0 if self.baseline is None else self.baseline.adds
        object.__setattr__(self, "start", told & (effects.CHILD_LEVEL | effects.CSS_RESPONSE))
        for name, table in (("level_adds", self.levels), ("alone_adds", self.without_child)):
            object.__setattr__(self, name, {level: said.adds for level, said in table.items()})

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that decides."""
        return self.case_rules + self.child_rules


def build_protocol(document: Mapping[str, Any], digest: str) -> Protocol:
    """A protocol from a document of checked shape. Raises Unfit with the path of the fault."""
    ref = f"{document['id']}/{document['version']}"
    raw = document.get("rules") or []
    seen: set[str] = set()
    for i, rule in enumerate(raw):
        if rule["id"] in seen:
            raise Unfit(("rules", i, "id"), f"there are two rules {rule['id']!r}")
        if rule["id"] == "baseline" or rule["id"].startswith(("level-", "without-child-")):
            raise Unfit(("rules", i, "id"), f"{rule['id']!r} is a name that the engine gives itself")
        seen.add(rule["id"])
    rules = [_rule(rule, ref, ("rules", i)) for i, rule in enumerate(raw)]
    _check_covers(rules, raw, ref)
    levels = {level: _meaning(said) for level, said in (document.get("levels") or {}).items()}
    for level in range(2, 5):
        if levels and levels.get(level, _NOTHING).css_response < levels.get(level - 1, _NOTHING).css_response:
            raise Unfit(("levels", level), f"level {level} asks for less than level {level - 1}")
    for i, rule in enumerate(rules):
        if rule.step_up == "child_level" and not levels:
            raise Unfit(("rules", i, "step_up"), "without `levels` a step goes up on css_response")
        if rule.step_up == "css_response" and levels:
            raise Unfit(("rules", i, "step_up"), "with `levels` a step goes up on child_level")
    deciding = [rule for rule, said in zip(rules, raw, strict=True) if not said.get("mitigating")]
    return Protocol(
        id=document["id"],
        version=document["version"],
        title=document["title"],
        source=document["source"],
        in_force_from=document["in_force_from"],
        baseline=_special(document.get("baseline"), f"{ref}#baseline"),
        levels=levels,
        without_child={n: _meaning(said) for n, said in (document.get("without_child") or {}).items()},
        case_rules=tuple(rule for rule in deciding if not rule.of_child),
        child_rules=tuple(rule for rule in deciding if rule.of_child),
        mitigating=tuple(rule for rule, said in zip(rules, raw, strict=True) if said.get("mitigating")),
        never_lower=_special(document.get("never_lower"), ref),
        after_waiting=_special(document.get("after_waiting"), ref),
        screen_all=_special(document.get("screen_all"), ref),
        never_live=_special(document.get("never_live"), ref),
        digest=digest,
        ref=ref,
    )


_NOTHING: Final = Meaning(0, (), (), "", "")


def _meaning(said: Mapping[str, Any]) -> Meaning:
    return Meaning(
        css_response=v.CSS_RESPONSES.index(said.get("css_response") or "none"),
        routes=tuple(said.get("routes") or ()),
        consider=tuple(said.get("consider") or ()),
        because=said["because"],
        source=said["source"],
    )


def _special(said: Mapping[str, Any] | None, ref: str) -> Rule | None:
    """A rule that the engine applies by itself: levels beside `because`, no condition."""
    if said is None:
        return None
    at_least = {ladder: said[ladder] for ladder in LADDERS if said.get(ladder) is not None}
    name = f"#{said['id']}" if "id" in said else ""
    return make_rule({**said, "at_least": at_least}, ref + name, None)


def _rule(said: Mapping[str, Any], ref: str, path: Path) -> Rule:
    parts: list[Condition] = []
    if said.get("when"):
        when = read_condition(said["when"], (*path, "when"))
        if not said.get("mitigating"):
            check_direction(when, eligibility=False)
        parts.append(when)
    if said.get("only_if"):
        only_if = read_condition(said["only_if"], (*path, "only_if"))
        check_direction(only_if, eligibility=True)
        parts.append(only_if)
        for raises in ("at_least", "step_up"):
            if said.get(raises):
                raise Unfit((*path, raises), "a rule with only_if adds services and handling, never a level")
    condition = None if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))
    return make_rule(said, f"{ref}#{said['id']}", condition)


def make_rule(said: Mapping[str, Any], ref: str, condition: Condition | None = None) -> Rule:
    """A rule from its plain content; one without a condition always holds."""
    at_least = said.get("at_least") or {}
    routes = tuple(said.get("routes") or ())
    of_child = any(test.fact.of == "child" for test in tests(condition))
    child_level = at_least.get("child_level", 0)
    victim_level = v.VICTIM_LEVELS.index(at_least.get("victim_level", "standard"))
    # Whoever tells children's services at all informs them.
    css_response = max(
        v.CSS_RESPONSES.index(at_least.get("css_response", "none")),
        v.CSS_RESPONSES.index("inform") if "childrens_services" in routes else 0,
    )
    for_children = {service for service in routes if service in CHILD_SERVICES and not of_child}
    return Rule(
        ref=ref,
        condition=condition,
        holds=_always if condition is None else condition.outcome,
        of_child=of_child,
        child_level=child_level,
        victim_level=victim_level,
        css_response=css_response,
        step_up=said.get("step_up"),
        routes=routes,
        consider=tuple(said.get("consider") or ()),
        handling=tuple(said.get("handling") or ()),
        covered_by=tuple(f"{ref.partition('#')[0]}#{name}" for name in said.get("covered_by") or ()),
        because=said["because"],
        source=said["source"],
        at_least=at_least,
        adds=effects.write(
            child_level=child_level,
            victim_level=victim_level,
            css_response=css_response,
            step=bool(said.get("step_up")),
            services=set(routes) - for_children,
            child_services=for_children,
            handling=said.get("handling") or (),
            consider=said.get("consider") or (),
        ),
        shown=_shown(said, ref, at_least, routes),
    )


def _shown(
    said: Mapping[str, Any], ref: str, at_least: Mapping[str, Any], routes: tuple[str, ...]
) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"rule": ref, "at_least": dict(at_least), "routes": list(routes)}
    if said.get("step_up"):
        shown["step_up"] = said["step_up"]
    if said.get("handling"):
        shown["handling"] = list(said["handling"])
    return shown | {"facts": {}, "because": said["because"], "source": said["source"]}


def _always(facts: Facts) -> int:
    return YES


def _check_covers(rules: Iterable[Rule], raw: list[Any], ref: str) -> None:
    """A rule may be left out of the reasons only where one that says at least as much is given."""
    by_ref = {rule.ref: rule for rule in rules}
    for i, rule in enumerate(by_ref.values()):
        for n, cover in enumerate(rule.covered_by):
            path: Path = ("rules", i, "covered_by", n)
            name = raw[i]["covered_by"][n]
            other = by_ref.get(cover)
            if other is None or other is rule:
                close = get_close_matches(name, [one["id"] for one in raw], n=1)
                raise Unfit(path, f"there is no other rule {name!r}" + (f": {close[0]!r}?" if close else ""))
            as_much = (
                other.child_level >= rule.child_level
                and other.victim_level >= rule.victim_level
                and other.css_response >= rule.css_response
                and other.of_child == rule.of_child
                and not other.covered_by
                and rule.step_up in (None, other.step_up)
                and {*rule.routes} <= {*other.routes}
                and {*rule.handling} <= {*other.handling}
                and {*rule.consider} <= {*other.consider, *other.routes}
            )
            if not as_much:
                raise Unfit(path, f"{name!r} asks for less than this rule, so it cannot stand for it")


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A protocol and the safeguards as one set of rules, those of the case apart from those of a child."""

    protocol: Protocol
    safeguards: Protocol
    case_rules: tuple[Rule, ...]
    child_rules: tuple[Rule, ...]
    mitigating: tuple[Rule, ...]


def rule_book(protocol: Protocol, safeguards: Protocol) -> RuleBook:
    """The two together: the safeguards are always on."""
    return RuleBook(
        protocol,
        safeguards,
        protocol.case_rules + safeguards.case_rules,
        protocol.child_rules + safeguards.child_rules,
        protocol.mitigating + safeguards.mitigating,
    )
