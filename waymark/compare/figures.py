"""What the decisions come to: volumes, moves, misses, repeats, hours. Counts, never people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.triage.domain.protocol import Protocol
from services.triage.protocols.wording import named
from shared import vocabulary as v
from shared.contracts.incident import Incident
from waymark.compare.decisions import Decided, Known

HOURS: Final[dict[str, float]] = {
    "inform": 0.25, "contact_record": 1.0, "early_help": 6.0, "section_17": 15.0, "section_47": 25.0,
    "marac": 2.0, "other_service": 0.5, "look": 0.33,
}  # fmt: skip
"""Hours of work that one of each brings; ours, to compare with and not from any source: children's services
by response, a MARAC's share of one case, any other service told, a look by a screener."""

SECTION_17: Final = v.CSS_RESPONSES.index("section_17")
EARLY_HELP: Final = v.CSS_RESPONSES.index("early_help")

STUDY: Final[dict[str, tuple[int, int, str]]] = {
    "all": (153, 184, "families with no further action or a letter (table 33)"),
    "high": (4, 7, "rated high, no further action (s8.3.2)"),
    "pregnant": (4, 6, "victim pregnant, no further action (s6.5.1)"),
    "injured": (23, 45, "somebody injured, no further action (s6.5.4)"),
    "weapon": (8, 13, "a weapon, no further action (s6.5)"),
}
"""NSPCC 2009: how many of how many led nowhere."""


def compare(
    protocols: Sequence[Protocol], decided: Mapping[str, Sequence[Decided]], cases: Sequence[Known]
) -> dict[str, Any]:
    """The comparison as plain data; moves are counted from the first protocol."""
    first = protocols[0].ref
    return {
        "incidents": len(cases),
        "repeats": sum(one.repeat for one in cases),
        "sites": dict(sorted(Counter(_site(one.incident) for one in cases).items())),
        "compared_with": first,
        "assumed_hours": HOURS,
        "study": {name: {"nowhere": n, "of": of, "what": what} for name, (n, of, what) in STUDY.items()},
        "protocols": [_figures(one, decided[one.ref], decided[first]) for one in protocols],
    }


def _site(incident: Incident) -> str:
    return incident.area or incident.force


def _figures(protocol: Protocol, ours: Sequence[Decided], firsts: Sequence[Decided]) -> dict[str, Any]:
    responses = [v.CSS_RESPONSES[one.result.css_response] for one in ours]
    services = Counter(service for one in ours for service in one.result.services)
    looked_at = [one for one in ours if one.receipt["review"]["needed"]]
    must = [one for one in ours if must_escalate(one)]
    repeats = [one for one in ours if one.known.repeat]
    levels = Counter(one.result.child_level for one in ours)
    return {
        "protocol": protocol.ref,
        "title": protocol.title,
        "css_response": {rung: responses.count(rung) for rung in v.CSS_RESPONSES},
        "child_level": {str(level): levels[level] for level in v.CHILD_LEVELS if levels[level]}
        if protocol.levels
        else None,
        "victim_level": {
            level: sum(v.VICTIM_LEVELS[one.result.victim_level] == level for one in ours)
            for level in v.VICTIM_LEVELS
        },
        "services": {service: services[service] for service in v.SERVICES if services[service]},
        "consider_marac": sum(
            "marac" in one.result.consider and "marac" not in one.result.services for one in ours
        ),
        "by_site": _by_site(ours),
        "looked_at": len(looked_at),
        "looked_at_below_the_top": sum(not _at_the_top(one) for one in looked_at),
        "must_escalate_not_looked_at": sum(
            1 for one in must if _below_section_17(one) and not one.receipt["review"]["needed"]
        ),
        "questions": sum(len(one.receipt["questions"]) for one in ours),
        "must_escalate": {
            "of": len(must),
            "missed_by_itself": sum(one.by_itself.css_response < SECTION_17 for one in must),
            "missed": sum(one.result.css_response < SECTION_17 for one in must),
        },
        "repeats": {"of": len(repeats), "caught": sum(_caught(one) for one in repeats)},
        "hours": _hours(ours, services, len(looked_at)),
        "moves": _moves(ours, firsts),
        "nowhere": _nowhere(ours),
    }


def must_escalate(one: Decided) -> bool:
    """S1-S4 say that the child is never below section 17, whatever the protocol."""
    names = {reason["rule"].rpartition("#")[2] for reason in one.receipt["reasons"]}
    gravest = tuple(f"s{number}" for number in range(1, 5))
    return any(name in gravest or name.startswith(tuple(f"{g}-" for g in gravest)) for name in names)


def _below_section_17(one: Decided) -> bool:
    return one.result.css_response < SECTION_17


def _at_the_top(one: Decided) -> bool:
    because = one.receipt["review"]["because"]
    return "section_47" in because or "child_level_4" in because


def _caught(one: Decided) -> bool:
    """What was known of the family raised the result or told somebody more."""
    then, now = one.at_first, one.result
    return (
        now.css_response > then.css_response
        or (now.child_level or 0) > (then.child_level or 0)
        or now.victim_level > then.victim_level
        or bool(now.services - then.services)
    )


def _by_site(ours: Sequence[Decided]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for one in ours:
        found.setdefault(_site(one.known.incident), Counter())[v.CSS_RESPONSES[one.result.css_response]] += 1
    return {site: {rung: counts[rung] for rung in v.CSS_RESPONSES} for site, counts in sorted(found.items())}


def _hours(ours: Sequence[Decided], services: Counter[str], looks: int) -> dict[str, float]:
    responses = Counter(v.CSS_RESPONSES[one.result.css_response] for one in ours)
    css = sum(HOURS.get(rung, 0) * count for rung, count in responses.items())
    others = sum(n for service, n in services.items() if service not in ("childrens_services", "marac"))
    hours = {
        "childrens_services": css, "marac": HOURS["marac"] * services["marac"],
        "other_services": HOURS["other_service"] * others, "screening": HOURS["look"] * looks,
    }  # fmt: skip
    return {name: round(spent, 1) for name, spent in (hours | {"total": sum(hours.values())}).items()}


def _moves(ours: Sequence[Decided], firsts: Sequence[Decided]) -> dict[str, Any]:
    matrix: dict[str, Counter[str]] = {}
    why: Counter[tuple[str, str]] = Counter()
    up = down = 0
    for now, then in zip(ours, firsts, strict=True):
        a, b = then.result.css_response, now.result.css_response
        matrix.setdefault(v.CSS_RESPONSES[a], Counter())[v.CSS_RESPONSES[b]] += 1
        up += b > a
        down += b < a
        if a != b:
            # The higher decision's reasons say why: what it had and the other had not.
            higher, lower = (now, then) if b > a else (then, now)
            before = {reason["rule"] for reason in lower.receipt["reasons"]}
            top = v.CSS_RESPONSES[max(a, b)]
            for route in higher.receipt["routes"]:
                if route["service"] == "childrens_services" and route.get("response") == top:
                    for ref in route["rules"]:
                        if ref not in before:
                            why[ref, "up" if b > a else "down"] += 1
    return {
        "up": up,
        "down": down,
        "same": len(ours) - up - down,
        "matrix": {
            a: {b: counts[b] for b in v.CSS_RESPONSES if counts[b]}
            for a in v.CSS_RESPONSES
            if (counts := matrix.get(a))
        },
        "why": [{"rule": ref, "moves": way, "cases": n} for (ref, way), n in why.most_common(6)],
    }


def _nowhere(ours: Sequence[Decided]) -> dict[str, dict[str, int]]:
    """Of the groups that the study followed, how many come to less than early help: with the safeguards, and
    by the protocol itself, as it was."""
    groups: dict[str, list[Decided]] = {name: [] for name in STUDY}
    for one in ours:
        for name in groups_of(one.known.incident):
            groups[name].append(one)
    return {
        name: {
            "by_itself": sum(one.by_itself.css_response < EARLY_HELP for one in members),
            "nowhere": sum(one.result.css_response < EARLY_HELP for one in members),
            "of": len(members),
        }
        for name, members in groups.items()
    }


def groups_of(incident: Incident) -> list[str]:
    """The groups of the study that an incident belongs to."""
    said = incident.incident
    found = ["all"]
    if incident.risk is not None and incident.risk.level == "high":
        found.append("high")
    if any(one.pregnant for one in incident.adults or () if one.role in ("victim", "both")):
        found.append("pregnant")
    if said is not None and said.injuries:
        found.append("injured")
    if said is not None and (said.weapons or "weapon" in (said.violence or ())):
        found.append("weapon")
    return found


def share(part: int, whole: int) -> str:
    """As a percentage in whole numbers; a dash where there is nobody."""
    return f"{round(100 * part / whole)} %" if whole else "-"


__all__ = ["HOURS", "STUDY", "compare", "groups_of", "must_escalate", "named", "share"]
