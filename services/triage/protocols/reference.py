"""Reference pages made from the code and the files: the vocabulary of facts, and rule by rule what shows it.

`docs/protocols/facts.md` and `docs/protocols/coverage.md` are these pages; a test holds them to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from services.triage.domain.conditions import tests
from services.triage.domain.facts import FACTS, INQUIRIES, PARAMETERS, Fact
from services.triage.domain.protocol import Protocol
from services.triage.protocols.cases import CasesFile, GivenCase, load_cases
from services.triage.protocols.files import LIBRARY, Library, read_whole
from services.triage.protocols.wording import say_rule

SOURCES: Final = LIBRARY / "sources.yaml"
_DIRECTIONS: Final = {
    "higher": "more is more risk",
    "lower": "less is more risk",
    "eligibility": "says for whom, never how grave (S12)",
}
_UNKNOWN: Final = {
    "yes_no": "no to yes",
    "count": "what is known at least, without an end",
    "months": "18 years less a month, to 0",
    "days": "never, to today",
    "level": "the whole scale",
    "words": "none to all of them",
    "day": "none to the day of the incident",
    "people": "those known, to those possible",
}


def facts_page(library: Library) -> str:
    """The vocabulary of facts as Markdown."""
    used = _users(library)
    lines = [
        "# The facts that rules may use",
        "",
        "Made from `services/triage/domain/facts.py` by `waymark protocols facts`; a test holds it to that.",
        "A fact is derived once from incident and history and is the same for every protocol. Its value is an",
        "interval: where it is known both ends are the same, where it is not it runs from the least risk to",
        "the greatest. `result` takes the least end, `possible` the greatest. The parts of an incident that",
        "a fact comes from are named as in `contracts/incident.json` and `history.json`.",
        "",
        "Ages and windows are calendar months on the day of the incident; both ends of a window count.",
    ]
    for of, title in (("case", "Facts of the case"), ("child", "Facts of each child by itself")):
        for direction in ("higher", "lower", "eligibility"):
            chosen = [fact for fact in FACTS.values() if fact.of == of and fact.direction == direction]
            if chosen:
                lines += ["", f"## {title}: {_DIRECTIONS[direction]}"]
                for fact in chosen:
                    lines += ["", *_of_fact(fact, used.get(fact.name, []))]
    lines += ["", "## What an area sets", ""]
    lines += [f"- `{name}`: {meaning}" for name, meaning in PARAMETERS.items()]
    return "\n".join(lines) + "\n"


def _of_fact(fact: Fact, used: Sequence[str]) -> Iterator[str]:
    yield f"### `{fact.name}`"
    yield fact.meaning
    yield ""
    yield f"- Unit: {fact.unit}" + (f": {', '.join(fact.scale)}." if fact.scale else ".")
    yield f"- From: {fact.comes_from}. Source: {fact.source}."
    inquiry = INQUIRIES.get(fact.name)
    asked = f"The {inquiry.to} are asked: {inquiry.because}" if inquiry else "Nobody is asked for it by itself."
    yield f"- Where it is not known: {_UNKNOWN[fact.kind]}. {asked}"
    if fact.suggested_by:
        yield f"- Suggested where {fact.suggested_by}: then a person looks."
    yield f"- Used by: {', '.join(used) if used else 'no published protocol'}."


def _users(library: Library) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for protocol in (library.safeguards, *library.protocols.values()):
        names = {t.fact.name for rule in (*protocol.rules, *protocol.mitigating) for t in tests(rule.condition)}
        for name in names:
            found.setdefault(name, []).append(protocol.id)
    return found


class Uncovered(ValueError):
    """A rule without a case both ways, or a source that cannot be found again; in words, one a line."""


def coverage_page(library: Library, folder: Path = LIBRARY) -> str:
    """Rule by rule the cases that show it and the lines of the sources. Raises Uncovered."""
    sources = Sources.read()
    faults: list[str] = []
    lines = [
        "# What shows that each rule does what its source says",
        "",
        "Made from the protocol files and their cases by `waymark protocols coverage`; a test holds the page",
        "to them and fails on a rule without a case both ways. Lines are of the sources' text as extracted.",
        "",
        "| protocol | rules | cases |",
        "| --- | ---: | ---: |",
    ]
    parts: list[str] = []
    for protocol in (library.safeguards, *library.protocols.values()):
        cases = load_cases(folder / f"{protocol.id}.v{protocol.version}.cases.yaml")
        lines.append(f"| [{protocol.ref}](#{_anchor(protocol)}) | {len(protocol.rules)} | {len(cases.cases)} |")
        parts += _of_protocol(protocol, cases, sources, faults, folder)
    if faults:
        raise Uncovered("\n".join(faults))
    return "\n".join([*lines, *parts]) + "\n"


def _anchor(protocol: Protocol) -> str:
    return re.sub(r"[^a-z0-9 -]", "", f"{protocol.ref} {protocol.title}".lower()).replace(" ", "-")


def _of_protocol(
    protocol: Protocol, cases: CasesFile, sources: Sources, faults: list[str], folder: Path
) -> Iterator[str]:
    yield from ("", f"## {protocol.ref} {protocol.title}", "")
    yield from ("| rule | fires | does not fire | rests on |", "| --- | --- | --- | --- |")
    for rule in protocol.rules:
        name = rule.ref.partition("#")[2]
        fires = [case for case in cases.cases if name in case.expect.reasons]
        quiet = [case for case in cases.cases if name in case.expect.not_reasons]
        if not fires or (rule.condition is not None and not quiet):
            faults.append(f"{rule.ref} has no case in which it {'fires' if not fires else 'does not fire'}.")
        never = "always holds" if rule.condition is None else _named(quiet)
        said = say_rule(rule).replace("|", "/")
        yield f"| `{name}` {said} | {_named(fires)} | {never} | {sources.lines(rule.source, faults)} |"
    for rule in protocol.mitigating:
        name = rule.ref.partition("#")[2]
        fires = [case for case in cases.cases if name in case.expect.mitigating]
        quiet = [case for case in cases.cases if name in case.expect.not_mitigating]
        if not fires or not quiet:
            faults.append(f"{rule.ref} has no case in which it {'does not show' if fires else 'shows'}.")
        said = f"`{name}` Shown to people, never computed: {rule.because}"
        yield f"| {said} | {_named(fires)} | {_named(quiet)} | {sources.lines(rule.source, faults)} |"
    for what, because, source, shown in _beside_rules(protocol, cases, folder):
        if not shown:
            faults.append(f"{protocol.ref}: no case shows {what}.")
        yield f"| {what} {because} | {shown} |  | {sources.lines(source, faults)} |"


def _beside_rules(protocol: Protocol, cases: CasesFile, folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """The baseline, what levels mean, what the engine holds: what it is, why, its source, what shows it."""
    path = folder / f"{protocol.id}.v{protocol.version}.yaml"
    document: Mapping[str, Any] = read_whole(path.read_bytes(), path.name).document or {}
    if protocol.baseline is not None:
        yield "`baseline`", protocol.baseline.because, protocol.baseline.source, _named(cases.cases[:1])
    for kind, levels in (("level", protocol.levels), ("without-child", protocol.without_child)):
        for level, meaning in sorted(levels.items()):
            name = f"{kind}-{level}"
            shown = [case for case in cases.cases if name in case.expect.reasons] or [
                case for case in cases.cases if kind == "level" and case.expect.child_level == level
            ]
            yield f"`{name}`", meaning.because, meaning.source, _named(shown)
    for one in document.get("held_by_engine", ()):
        yield f"`{one['id']}`", one["because"], one["source"], "; ".join(f"`{t}`" for t in one["shown_by"])
    for key in ("never_lower", "after_waiting"):
        if one := document.get(key):
            yield (
                f"`{one['id']}`",
                one["because"],
                one["source"],
                "`tests/unit/triage/test_doubt_and_previous.py`",
            )
    if one := document.get("screen_all"):
        yield f"`{one['id']}`", one["because"], one["source"], "`tests/protocols/test_screening.py`"
    if one := document.get("never_live"):
        yield "`never_live`", one["because"], one["source"], "`tests/protocols/test_screening.py`"


def _named(cases: Sequence[GivenCase]) -> str:
    first = "; ".join(case.name for case in cases[:3])
    return f"{first}; and {len(cases) - 3} more" if len(cases) > 3 else first


class Sources:
    """Where in the sources' extracted text each section stands (`sources.yaml`)."""

    def __init__(self, places: Mapping[str, Mapping[str, str]]) -> None:
        self._places = places

    @classmethod
    def read(cls) -> Sources:
        """From the file beside the protocols."""
        return cls(yaml.safe_load(SOURCES.read_text(encoding="utf-8")))

    def lines(self, source: str, faults: list[str]) -> str:
        """A rule's source with the lines it stands on; what is not found goes to `faults`."""
        said = []
        for document, section in sections(source):
            known = self._places.get(document, {})
            if section not in known:
                faults.append(f"sources.yaml does not say where {document} {section} is.")
                continue
            said.append(f"{document} {section} ({known[section]})".replace("  ", " "))
        return "; ".join(said)


def sections(source: str) -> Iterator[tuple[str, str]]:
    """`NSPCC 2009 s9.5, box 10; London 2008 app. 6` as its documents and sections."""
    for part in source.split(";"):
        document, _, rest = part.strip().partition(" 20")
        year, _, places = rest.partition(" ")
        name = f"{document} 20{year}"
        if not places:
            yield name, "whole"
        for place in places.split(","):
            if place.strip():
                yield name, place.strip()
