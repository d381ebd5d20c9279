"""What a case's last receipt still means for the next: a result only rises by itself.

A lower computed result is a proposal to two people (safeguard S14); a case that waited in vain goes to
children's services to inform them (design.md, "Routing follows result").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.triage.domain.protocol import Protocol
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.base import read_moment, write_moment

_ORDER: Final = {service: place for place, service in enumerate(v.SERVICES)}


def keep_previous(body: dict[str, Any], previous: Mapping[str, Any], safeguards: Protocol) -> None:
    """Raise `body` to `previous` wherever it would fall below; note what was computed as `proposal`."""
    rule = safeguards.never_lower
    if rule is None:
        raise ValueError(f"{safeguards.ref} has no never_lower: nothing may be decided again without it")
    computed = body["result"]
    body["result"] = _higher(computed, previous["result"])
    body["possible"] = _higher(body["possible"], body["result"])
    before = {child["id"]: child for child in previous["children"]}
    kept_children = []
    for child in body["children"]:
        kept_children.append(_higher_child(child, before.pop(child["id"], None)))
    body["children"] = kept_children + list(before.values())
    kept_routes = _keep_routes(body, previous, rule.ref)
    considered = {one["service"] for one in body["consider"]}
    body["consider"] += [one for one in previous["consider"] if one["service"] not in considered]
    if body["result"] == computed and not kept_routes:
        return
    body["proposal"] = computed
    kept = {
        name: value
        for name, value in body["result"].items()
        if value != computed[name]
    }  # fmt: skip
    body["reasons"].append(
        {
            "rule": rule.ref, "at_least": {}, "routes": [], "facts": {"before": kept},
            "because": rule.because, "source": rule.source,
        }
    )  # fmt: skip
    body["reasons"].sort(key=lambda reason: (reason["rule"].startswith(f"{safeguards.ref}#"), reason["rule"]))


def _higher(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    levels = [level for level in (a["child_level"], b["child_level"]) if level is not None]
    return {
        "child_level": max(levels, default=None),
        "victim_level": max(a["victim_level"], b["victim_level"], key=v.VICTIM_LEVELS.index),
        "css_response": max(a["css_response"], b["css_response"], key=v.CSS_RESPONSES.index),
        "services": sorted({*a["services"], *b["services"]}),
        "handling": sorted({*a["handling"], *b["handling"]}),
    }


def _higher_child(child: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    if before is None:
        return child
    return {
        "id": child["id"],
        "child_level": max(child["child_level"], before["child_level"] or 0),
        "css_response": max(child["css_response"], before["css_response"], key=v.CSS_RESPONSES.index),
    }


def _keep_routes(body: dict[str, Any], previous: Mapping[str, Any], ref: str) -> bool:
    """Carry over what was routed: to the same place, about the same people, at the same response."""
    kept = False
    now = {(one["service"], one["area"]): one for one in body["routes"]}
    for before in previous["routes"]:
        route = now.get((before["service"], before["area"]))
        if route is None:
            body["routes"].append({**before, "rules": [ref]})
            kept = True
            continue
        lost = [one for one in before["about"] if one not in route["about"]]
        lower = v.CSS_RESPONSES.index(route.get("response") or "none") < v.CSS_RESPONSES.index(
            before.get("response") or "none"
        )
        if lost or lower:
            route["about"] = [*route["about"], *lost]
            route["rules"] = sorted({*route["rules"], ref})
            if lower:
                route["response"], route["basis"] = before["response"], before["basis"]
                route["due"] = min(route["due"], before["due"], key=read_moment)
            kept = True
    body["routes"].sort(key=lambda one: (_ORDER[one["service"]], one["area"] or ""))
    return kept


def send_after_waiting(
    body: dict[str, Any],
    previous: Mapping[str, Any],
    safeguards: Protocol,
    area: Area,
    as_of: datetime,
    child_possible: bool,
) -> None:
    """Where the case waited its working day and still nobody is told: inform children's services."""
    until = previous["review"].get("waits_until")
    if until is None or body["routes"]:
        return
    body["waited_since"] = until
    rule = safeguards.after_waiting
    if as_of < read_moment(until) or rule is None or not child_possible:
        return
    response = v.CSS_RESPONSES[rule.css_response]
    body["result"] = {
        **body["result"],
        "css_response": response,
        "services": sorted({*body["result"]["services"], "childrens_services"}),
    }
    body["possible"] = _higher(body["possible"], body["result"])
    body["routes"] = [
        {
            "service": "childrens_services", "about": [], "area": area.id if area.known else None,
            "response": response, "due": write_moment(area.due("childrens_services", response, as_of)),
            "basis": "safeguarding_without_consent", "rules": [rule.ref],
        }
    ]  # fmt: skip
    body["reasons"].append(
        {
            "rule": rule.ref, "at_least": {"css_response": response}, "routes": ["childrens_services"],
            "facts": {"waited_until": until}, "because": rule.because, "source": rule.source,
        }
    )  # fmt: skip
