"""Rules in plain words, for people who decide on them and people who work by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from services.triage.domain.conditions import All, AnyOf, Condition, Not, Test
from services.triage.domain.protocol import Meaning, Protocol, Rule
from shared import vocabulary as v

LADDERS: Final = {
    "child_level": "the child's level",
    "victim_level": "the victim's level",
    "css_response": "the response of children's services",
}
SERVICES: Final = {
    "childrens_services": "children's services", "marac": "MARAC", "idva": "the IDVA",
    "child_idva": "the children's IDVA", "camhs": "CAMHS", "education": "the child's school",
    "joint_visit": "a joint visit", "allocation_panel": "the allocation panel",
}  # fmt: skip
_UNITS: Final = {"months": " months", "days": " days"}


def named(word: str) -> str:
    """A word of a closed list as people say it."""
    return SERVICES.get(word, str(word).replace("_", " "))


def listed(words: Iterable[Any], last: str = "and") -> str:
    """One, two and three."""
    said = [named(str(word)) for word in words]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {last} {said[-1]}" if said else "nothing"


def say_condition(condition: Condition | None) -> str:
    """A condition as a clause: `strangulation, or police level at least high`."""
    match condition:
        case None:
            return "always"
        case All(parts):
            return " and ".join(_wrapped(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(_wrapped(part) for part in parts)
        case Not(part):
            return f"not ({say_condition(part)})"
        case Test():
            return _say_test(condition)


def _wrapped(part: Condition) -> str:
    said = say_condition(part)
    return f"({said})" if isinstance(part, (All, AnyOf)) else said


def _say_test(test: Test) -> str:
    fact, operand = test.fact, test.operand
    name = named(fact.name)
    if fact.kind == "yes_no":
        return name if operand else f"no {name}"
    if test.operator == "some":
        return f"any {name}"
    if test.operator == "has_any":
        return f"{name}: {listed((word for word in fact.scale if word in operand), 'or')}"
    if test.operator == "in":
        return f"{name} {listed((fact.scale[place] for place in sorted(operand)), 'or')}"
    if isinstance(operand, str):
        return f"{name} at least what the area sets ({operand})"
    value = named(fact.scale[operand]) if fact.kind == "level" else f"{operand}{_UNITS.get(fact.kind, '')}"
    return f"{name} {named(test.operator)} {value}".replace(" is ", " ")


def say_effects(rule: Rule) -> str:
    """What a rule does, as a clause without a subject."""
    does = [f"{LADDERS[ladder]} is at least {named(str(level))}" for ladder, level in rule.at_least.items()]
    if rule.step_up:
        does.append(f"{LADDERS[rule.step_up]} goes up by one step")
    if rule.routes:
        does.append(f"{listed(rule.routes)} {'is' if len(rule.routes) == 1 else 'are'} told")
    if rule.consider:
        does.append(f"{listed(rule.consider)} is put before a coordinator")
    if rule.handling:
        does.append(f"handled as {listed(rule.handling)}")
    return "; ".join(does) or "is shown to people"


def say_rule(rule: Rule) -> str:
    """`When strangulation: the child's level is at least 4.`"""
    condition = say_condition(rule.condition)
    whose = " (of that child)" if rule.of_child else ""
    when = "Always" if rule.condition is None else f"When {condition}{whose}"
    return f"{when}: {say_effects(rule)}."


def say_meaning(meaning: Meaning) -> str:
    """What a level means, as a clause."""
    does = [] if not meaning.css_response else [named(v.CSS_RESPONSES[meaning.css_response])]
    if meaning.routes:
        does.append(f"{listed(meaning.routes)} told")
    if meaning.consider:
        does.append(f"{listed(meaning.consider)} considered")
    return "; ".join(does) or "nothing by itself"


def say_protocol(protocol: Protocol) -> list[tuple[str, str, str, str]]:
    """Every rule: its name, what it says, why, its source; the baseline and levels first."""
    rows = []
    if protocol.baseline is not None:
        said = f"When nothing else holds: {say_effects(protocol.baseline)}."
        rows.append(("baseline", said, protocol.baseline.because, protocol.baseline.source))
    for level, meaning in sorted(protocol.levels.items()):
        rows.append(
            (f"level-{level}", f"Level {level} means: {say_meaning(meaning)}.", meaning.because, meaning.source)
        )
    for level, meaning in sorted(protocol.without_child.items()):
        rows.append(
            (
                f"without-child-{level}",
                f"Level {level} without a child means: {say_meaning(meaning)}.",
                meaning.because,
                meaning.source,
            )
        )
    for rule in protocol.rules:
        rows.append((rule.ref.partition("#")[2], say_rule(rule), rule.because, rule.source))
    for rule in protocol.mitigating:
        said = f"Shown to people where {say_condition(rule.condition)}; never computed."
        rows.append((rule.ref.partition("#")[2], said, rule.because, rule.source))
    return rows
