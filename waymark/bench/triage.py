"""What deciding costs: per protocol, under all of them at once, and beside CEL on the same conditions.

A decision here is what stands and what is possible: facts derived, every rule tried, the rules summed up.
The whole receipt (questions, routes, reasons, digests) is measured apart. CEL (`common-expression-language`)
evaluates each condition two-valued, on the facts at their least; ours tells no, could and yes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final

from services.triage.domain import decide
from services.triage.domain.conditions import All, AnyOf, Condition, Not, Test, tests
from services.triage.domain.engine import Case, Panel, gather_case
from services.triage.domain.facts import PARAMETERS
from services.triage.domain.protocol import Protocol, Rule
from services.triage.domain.truths import Truths
from services.triage.domain.values import YES, Facts
from services.triage.protocols import load_library
from shared.areas import load_areas
from shared.contracts.history import History
from shared.contracts.reading import read_incident
from waymark.simulate import load_profile, simulate

NEVER_IN_CEL: Final = 1_000_000
NO_HISTORY: Final = History(status="complete", incidents=[], involvement=[], marac=[], children_known=[])


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    incidents: int = 251
    seed: int = 2007
    rounds: int = 7


def bench_triage(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure. `disagreements`: conditions on which CEL and we differ, which must be none."""
    library, areas = load_library(), load_areas()
    month = simulate(load_profile("nspcc-2009"), options.incidents, options.seed)
    incidents = [read_incident(raw).incident for raw in month.incidents]
    area = areas.by_id["northbury"]
    protocols = [*library.protocols.values()]
    safeguards = library.safeguards
    cases = [gather_case(one, NO_HISTORY, area)[0] for one in incidents]
    say(f"{len(incidents)} incidents, {len(protocols)} protocols, {options.rounds} rounds")

    def timed(work: Callable[[], object]) -> float:
        begun = perf_counter()
        work()
        return (perf_counter() - begun) / len(incidents) * 1e6

    rules = {rule.ref: rule for one in (*protocols, safeguards) for rule in one.rules if rule.condition}
    ours = [one for one in rules.values() if not one.of_child], [one for one in rules.values() if one.of_child]
    truths = Truths(rules.values())
    theirs = _Cel(ours[0], ours[1], cases)
    facts = [(case.facts, [case.facts | own for _, own in case.children]) for case in cases]

    def whole(ones: Sequence[Protocol]) -> Callable[[], object]:
        panel = Panel(ones, safeguards)
        return lambda: [panel.weigh(gather_case(one, NO_HISTORY, area)[0]) for one in incidents]

    work: dict[str, Callable[[], object]] = {
        "facts": lambda: [gather_case(one, NO_HISTORY, area) for one in incidents],
        "all_at_once": whole(protocols),
        "truth_pass": lambda: _truths(truths, cases),
        "cel": theirs.run,
        "cel_with_context": theirs.run_afresh,
        **{f"decision {one.ref}": whole([one]) for one in protocols},
        **{
            f"receipt {one.ref}": lambda one=one: [  # type: ignore[misc]
                decide(one, safeguards, area, incident, NO_HISTORY, incident.occurred_at).canonical()
                for incident in incidents
            ]
            for one in protocols
        },
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(options.rounds):
        for name, run in work.items():
            times[name].append(timed(run))
        say(f"round {number + 1} of {options.rounds}")
    took = {name: round(median(found), 1) for name, found in times.items()}
    return {
        "incidents": len(incidents),
        "protocols": len(protocols),
        "rules": len(rules),
        "us": {
            "facts": took["facts"],
            "all_at_once": took["all_at_once"],
            "decision": {one.ref: took[f"decision {one.ref}"] for one in protocols},
            "receipt": {one.ref: took[f"receipt {one.ref}"] for one in protocols},
        },
        "truth_pass_us": {
            "ours": took["truth_pass"], "cel": took["cel"], "cel_with_context": took["cel_with_context"],
        },
        "ratios": {
            f"{name}_to_ours": round(
                median(c / o for c, o in zip(times[name], times["truth_pass"], strict=True)), 1
            )
            for name in ("cel", "cel_with_context")
        },
        "disagreements": theirs.disagreements(facts),
    }  # fmt: skip


def _truths(truths: Truths, cases: Sequence[Case]) -> int:
    """Every rule tried on every case, those of a child on each child."""
    seen = 0
    for case in cases:
        whole = truths.of_case(case.facts)
        seen += whole[0].bit_count()
        for _, own in case.children:
            seen += truths.of_child(whole, own)[0].bit_count()
    return seen


class _Cel:
    """The same conditions, compiled once, and a shared context per case and per child."""

    def __init__(self, of_case: Sequence[Rule], of_child: Sequence[Rule], cases: Sequence[Case]) -> None:
        import cel  # comes with the development requirements

        self._context = cel.Context
        self._rules = (list(of_case), list(of_child))
        self._programs = tuple(
            [cel.compile(_written(rule.condition)) for rule in rules] for rules in self._rules
        )
        # As little as can be given to each: a case's rules and a child's know only the facts they ask for.
        of_case_names, of_child_names = (
            {test.fact.name for rule in rules for test in tests(rule.condition)} for rules in self._rules
        )
        self._plain = [
            (
                _plain(case.facts, of_case_names | set(PARAMETERS)),
                [_plain(case.facts | own, of_child_names) for _, own in case.children],
            )
            for case in cases
        ]
        self._built = list(self._contexts())

    def _contexts(self) -> Iterator[tuple[Any, list[Any]]]:
        for case, children in self._plain:
            yield self._context(variables=case), [self._context(variables=one) for one in children]

    def run(self) -> int:
        """Every condition on contexts that are there already."""
        return self._over(self._built)

    def run_afresh(self) -> int:
        """Every condition, the contexts built as for a case that has just come."""
        return self._over(self._contexts())

    def _over(self, contexts: Any) -> int:
        of_case, of_child = self._programs
        seen = 0
        for case, children in contexts:
            for program in of_case:
                seen += program.execute(case)
            for child in children:
                for program in of_child:
                    seen += program.execute(child)
        return seen

    def disagreements(self, facts: list[tuple[Facts, list[Facts]]]) -> int:
        """How often CEL's truth is not ours at the facts' least."""
        found = 0
        for (case, children), (context, contexts) in zip(facts, self._built, strict=True):
            pairs = [
                (case, context, 0),
                *((one, other, 1) for one, other in zip(children, contexts, strict=True)),
            ]
            for ours, theirs, kind in pairs:
                known = {name: value._replace(greatest=value.least) for name, value in ours.items()}
                for rule, program in zip(self._rules[kind], self._programs[kind], strict=True):
                    found += (rule.holds(known) == YES) != program.execute(theirs)
        return found


def _plain(facts: Facts, names: set[str]) -> dict[str, Any]:
    return {
        name.replace(".", "_"): _value(value.least)
        for name, value in facts.items()
        if name in names or "." in name
    }


def _value(least: Any) -> Any:
    if isinstance(least, bool) or least is None:
        return bool(least)
    if isinstance(least, float) and math.isinf(least):
        return NEVER_IN_CEL
    if isinstance(least, int):
        return least
    return sorted(least) if isinstance(least, (frozenset, tuple)) else True


_SIGNS: Final = {"is": "==", "at_least": ">=", "above": ">", "below": "<", "at_most": "<="}


def _written(condition: Condition | None) -> str:
    """The condition in CEL's language."""
    match condition:
        case All(parts):
            return " && ".join(f"({_written(part)})" for part in parts)
        case AnyOf(parts):
            return " || ".join(f"({_written(part)})" for part in parts)
        case Not(part):
            return f"!({_written(part)})"
        case Test(fact, operator, operand, _):
            return _written_test(fact.name, fact.kind, operator, operand)
    return "true"


def _written_test(name: str, kind: str, operator: str, operand: Any) -> str:
    if kind == "yes_no":
        return name if operand else f"!{name}"
    if operator == "some":
        if kind in ("words", "people"):
            return f"size({name}) > 0"
        return name if kind == "day" else f"{name} != {NEVER_IN_CEL}" if kind != "count" else f"{name} > 0"
    if operator == "has_any":
        return f"{name}.exists(word, word in {_list(sorted(operand))})"
    if operator == "in":
        return f"{name} in {sorted(operand)}"
    return f"{name} {_SIGNS[operator]} {operand.replace('.', '_') if isinstance(operand, str) else operand}"


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
