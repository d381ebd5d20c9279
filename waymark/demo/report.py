"""What a demo run showed: as a document, and as a page for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from shared.vocabulary import CSS_RESPONSES
from waymark.demo.watch import Seen

STAGES: Final = ("accept", "enrichment", "triage", "delivery", "end_to_end")

# NSPCC 2009 tables 32 and 33: what became of the notifications of January 2007.
STUDY_TRACED: Final = {"notifications": 251, "traced": 196}
STUDY_PATHWAYS: Final = {
    "north": {"no further action": 43, "letter": 42, "visit or call": 3, "section 17": 6, "section 47": 9},
    "south": {"no further action": 68, "letter": 0, "visit or call": 0, "section 17": 3, "section 47": 10},
}


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p95 and p99 in milliseconds by the nearest rank; None where nothing was measured."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "p99": None}
    return {
        f"p{share}": round(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))], 1)
        for share in (50, 95, 99)
    }


def summarise(
    accept_ms: Sequence[float],
    answers: Mapping[str, int],
    cases: Mapping[str, Seen],
    conservation: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole document of `waymark demo --json`."""
    branches = [
        branch for seen in cases.values() if seen.answered for branch in seen.answered["body"]["branches"]
    ]
    newest = [
        branch
        for seen in cases.values()
        if seen.answered
        for branch in seen.answered["body"]["branches"]
        if branch["state"] != "superseded"
    ]
    results = [seen.decided["body"]["decision"]["receipt"] for seen in cases.values() if seen.decided]
    received = [branch for branch in newest if branch["state"] == "received"]
    restricted = {
        case
        for case, seen in cases.items()
        if seen.decided and "restricted" in seen.decided["body"]["decision"]["receipt"]["result"]["handling"]
    }
    unreleased = sum(
        branch["state"] == "held"
        for case in restricted
        if (answered := cases[case].answered)
        for branch in answered["body"]["branches"]
    )
    return {
        "incidents": sum(answers.values()),
        "answers": dict(answers),
        "accepted": conservation["accepted"],
        "delivered": len(received),
        "waiting": len(newest) - len(received) - unreleased,
        "for_a_person_to_release": unreleased,
        "dead_lettered": conservation["dead_lettered"],
        "unaccounted": conservation["unaccounted"],
        "states": {
            key: conservation[key]
            for key in ("routed", "held", "no_recipient_by_rule", "superseded", "withdrawn")
        },
        "latency_ms": {
            "accept": percentiles(accept_ms),
            **{
                stage: percentiles(list(_stage_ms(cases.values(), stage))) for stage in ("enrichment", "triage")
            },
            "delivery": percentiles([_branch_ms(branch) for branch in branches if branch["ledger"]]),
            "end_to_end": percentiles(list(_end_to_end_ms(cases.values()))),
        },
        "breached": sum(bool(branch["breached"]) for branch in branches),
        "redecided": sum(seen.versions > 1 for seen in cases.values()),
        "delivered_to": dict(sorted(Counter(branch["service"] for branch in received).items())),
        "css_response": {
            rung: sum(result["result"]["css_response"] == rung for result in results) for rung in CSS_RESPONSES
        },
        "asked_of_police": dict(
            Counter(
                question["fact"]
                for result in results
                for question in result["questions"]
                if question["to"] == "police"
            ).most_common()
        ),
        "reviewed_by_a_person": sum(result["review"]["needed"] for result in results),
        "study": {"traced": STUDY_TRACED, "pathways_of_families": STUDY_PATHWAYS},
        "worth_reading": worth_reading(cases),
    }


def _stage_ms(cases: Iterable[Seen], stage: str) -> Iterable[float]:
    for seen in cases:
        for entry in (seen.decided or {}).get("ledger", ()):
            if entry["stage"] == stage:
                yield entry["waited_ms"] + entry["worked_ms"]


def _branch_ms(branch: Mapping[str, Any]) -> float:
    return float(sum(entry["waited_ms"] + entry["worked_ms"] for entry in branch["ledger"]))


def _end_to_end_ms(cases: Iterable[Seen]) -> Iterable[float]:
    """From the request's arrival (the end of the police's part) to the first delivery received."""
    for seen in cases:
        if not seen.answered or not seen.decided or seen.versions > 1:
            continue
        start = next((e for e in seen.decided["ledger"] if e["stage"] == "police"), None)
        ends = [
            branch["ledger"][-1]["to"]
            for branch in seen.answered["body"]["branches"]
            if branch["ledger"] and branch["state"] == "received"
        ]
        if start and ends:
            yield (_moment(min(ends)) - _moment(start["to"])).total_seconds() * 1000


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def worth_reading(cases: Mapping[str, Seen]) -> list[dict[str, Any]]:
    """Three cases: the highest response on a modest police level, one asked back, one by its history."""
    decided = {case: seen.decided for case, seen in sorted(cases.items()) if seen.decided}
    picks: dict[str, str] = {}
    for title, fits in (
        ("The police level was standard; the child's need was not.", _modest_level_high_response),
        ("What the police did not know was asked, and counted.", _asks),
        ("What was known before changed the answer.", _by_history),
        ("Decided.", lambda _: True),
    ):
        if len(picks) == 3:
            break
        best = max(
            (case for case, event in decided.items() if case not in picks and fits(event)),
            key=lambda case: len(decided[case]["body"]["decision"]["receipt"]["reasons"]),
            default=None,
        )
        if best is not None:
            picks[best] = title
    return [_told(case, title, decided[case]) for case, title in picks.items()]


def _receipt(event: Mapping[str, Any]) -> Any:
    return event["body"]["decision"]["receipt"]


def _modest_level_high_response(event: Mapping[str, Any]) -> bool:
    level = event["body"]["incident"].get("risk", {}).get("level")
    return bool(level == "standard" and _receipt(event)["result"]["css_response"] == "section_47")


def _asks(event: Mapping[str, Any]) -> bool:
    return bool(_receipt(event)["questions"])


def _by_history(event: Mapping[str, Any]) -> bool:
    return bool(event["body"]["history"].get("incidents")) and bool(_receipt(event)["routes"])


def _told(case: str, title: str, event: Mapping[str, Any]) -> dict[str, Any]:
    receipt = _receipt(event)
    return {
        "case": case,
        "title": title,
        "police_level": event["body"]["incident"].get("risk", {}).get("level"),
        "css_response": receipt["result"]["css_response"],
        "services": receipt["result"]["services"],
        "reasons": [
            {"because": reason["because"], "source": reason["source"], "rule": reason["rule"]}
            for reason in receipt["reasons"]
        ],
        "asked": [{"fact": q["fact"], "because": q["because"]} for q in receipt["questions"]],
        "earlier_incidents": len(event["body"]["history"].get("incidents", ())),
    }


def show(document: Mapping[str, Any], console: Console) -> None:
    """The page for the terminal."""
    console.print()
    console.print(_where_it_went(document))
    console.print(_beside_the_study(document))
    console.print(_latencies(document))
    asked = ", ".join(f"{fact} ({count})" for fact, count in list(document["asked_of_police"].items())[:8])
    console.print(f"Asked back of the police: {asked or 'nothing'}")
    console.print(
        f"A person looks at {document['reviewed_by_a_person']} cases; {document['redecided']} were decided"
        f" again on late knowledge; deadlines breached: {document['breached']}"
    )
    for case in document["worth_reading"]:
        _show_case(case, console)
    states = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in document["states"].items())
    console.print(
        f"\naccepted {document['accepted']} revisions: {states}, dead-lettered {document['dead_lettered']};"
        f" deliveries received {document['delivered']}, waiting {document['waiting']},"
        f" of restricted cases kept for a person to release {document['for_a_person_to_release']}"
    )
    colour = "green" if not document["unaccounted"] else "bold red"
    console.print(f"[{colour}]unaccounted: {document['unaccounted']}[/]")


def _where_it_went(document: Mapping[str, Any]) -> Table:
    table = Table(title="What went where", title_justify="left")
    table.add_column("service")
    table.add_column("deliveries received", justify="right")
    for service, count in document["delivered_to"].items():
        table.add_row(service.replace("_", " "), str(count))
    return table


def _beside_the_study(document: Mapping[str, Any]) -> Table:
    table = Table(
        title="Children's services' response, beside what the study's two areas did in 2007",
        title_justify="left",
        caption="NSPCC 2009 tables 32 and 33, of families traced (196 of 251 notifications). "
        "A filter proposes, a council decides: read side by side, not as the same count.",
        caption_justify="left",
    )
    for column in ("Waymark's result", "cases", "what the areas did", "north", "south"):
        table.add_column(column, justify="left" if column.startswith(("W", "what")) else "right")
    ours = [(rung.replace("_", " "), count) for rung, count in document["css_response"].items()]
    theirs = [
        (name, STUDY_PATHWAYS["north"][name], STUDY_PATHWAYS["south"][name]) for name in STUDY_PATHWAYS["north"]
    ]
    for i in range(max(len(ours), len(theirs))):
        left = (ours[i][0], str(ours[i][1])) if i < len(ours) else ("", "")
        right = (theirs[i][0], str(theirs[i][1]), str(theirs[i][2])) if i < len(theirs) else ("", "", "")
        table.add_row(*left, *right)
    return table


def _latencies(document: Mapping[str, Any]) -> Table:
    table = Table(title="Latency per stage, waiting and working, in milliseconds", title_justify="left")
    table.add_column("stage")
    for share in ("p50", "p95", "p99"):
        table.add_column(share, justify="right")
    for stage in STAGES:
        found = document["latency_ms"][stage]
        table.add_row(
            stage.replace("_", " "),
            *("-" if found[share] is None else f"{found[share]:.1f}" for share in ("p50", "p95", "p99")),
        )
    return table


def _show_case(case: Mapping[str, Any], console: Console) -> None:
    console.print(f"\n[bold]{case['title']}[/] {case['case']}", highlight=False)
    services = ", ".join(service.replace("_", " ") for service in case["services"]) or "nobody"
    console.print(
        f"  police level {case['police_level'] or 'not recorded'}, earlier incidents"
        f" {case['earlier_incidents']}: {case['css_response'].replace('_', ' ')}; told: {services}",
        highlight=False,
    )
    for reason in case["reasons"][:8]:
        console.print(f"  - {reason['because']} ({reason['source']})", highlight=False)
    for question in case["asked"][:3]:
        console.print(f"  ? {question['fact'].replace('_', ' ')}: {question['because']}", highlight=False)
