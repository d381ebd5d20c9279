"""What the pages and the JSON show: rows of the read model put into words and pictures.

One document per page, plain data, so that the page and `/v1/...` can never tell different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.console.domain import pace, pipeline, times, waterfall
from services.console.domain.condition import SERVICES, Waiting
from services.console.domain.deliveries import ENDED, RECEIVED
from services.console.outbound import Sight
from shared.db import Row
from shared.errors import Retryable
from shared.vocabulary import CASE_STATES

WINDOW: Final = timedelta(minutes=5)
RESPONSES: Final[Mapping[str, str]] = {
    "none": "none",
    "inform": "inform",
    "contact_record": "contact record",
    "early_help": "early help",
    "section_17": "section 17",
    "section_47": "section 47",
}


def status(
    sight: Sight,
    *,
    now: datetime,
    waiting: Sequence[Row],
    nearest: Sequence[Row],
    dead: Sequence[Row],
    histograms: Sequence[Row],
    passages: Sequence[Row],
) -> dict[str, Any]:
    """The condition of the whole: services, stages, deadlines, dead letters, and notices for the top.

    Raises Retryable where nothing could be counted, since the database was away.
    """
    if sight.totals is None:
        raise Retryable("the read model cannot be counted")
    totals = sight.totals
    waits = {row["service"]: Waiting(row["service"], row["cases"], row["since"]) for row in waiting}
    dead_letters = dead[0]["total"] if dead else 0
    now_sight = replace(sight, waiting=tuple(waits.values()), dead_letters=dead_letters)
    told = now_sight.notices(now)
    health = {one.service: one for one in sight.health}
    services = []
    for name in SERVICES:
        one = health.get(name)
        wait = waits.get(name)
        services.append(
            {
                "service": name,
                "health": one.health if one else "unknown",
                "parts": dict(one.parts) if one else {},
                "address": one.address if one else None,
                "lag_events": sight.waiting_for(name),
                "lag": dict(sight.lag.get(name, {})) if sight.lag is not None else None,
                "waiting_cases": wait.cases if wait else 0,
                "oldest_waiting_since": _moment(wait.since) if wait else None,
                "oldest_waiting_s": _seconds(wait.since, now) if wait and wait.since else None,
                "minutes_to_breach": pipeline.minutes_to_breach(
                    name, wait.since if wait else None, nearest[0]["due"] if nearest else None, now
                ),
            }
        )
    return {
        "at": times.machine(now),
        "condition": "wrong" if any(n.weight == "wrong" for n in told) else "mind" if told else "well",
        "notices": [{"weight": notice.weight, "words": notice.words} for notice in told],
        "services": services,
        "window_s": int(WINDOW.total_seconds()),
        "stages": [_stage(name, histograms, passages, now) for name in pace.STAGES],
        "deadlines": {
            "open": totals["open"],
            "overdue": totals["overdue"],
            "breaches_last_day": int(totals["breaches"]),
            "minutes_to_nearest": times.minutes_until(nearest[0]["due"], now) if nearest else None,
            "nearest": [
                {
                    "case": row["case"],
                    "service": row["service"],
                    "due": times.machine(row["due"]),
                    "minutes": times.minutes_until(row["due"], now),
                    "words": times.say_deadline(row["due"], now),
                }
                for row in nearest
            ],
        },
        "states_last_day": dict(totals["states"]),
        "conservation": _conservation(sight.conservation, now),
        "dead_letters": {
            "waiting": dead_letters,
            "newest": [_dead_letter(row) for row in dead],
        },
    }


def _conservation(made: Row | None, now: datetime) -> dict[str, Any] | None:
    """The last conservation check: `accepted`, each state with its count, `unaccounted`."""
    if made is None:
        return None
    found = made["found"]
    return {
        "at": _moment(made["at"]),
        "words": times.say_age(made["at"], now),
        "accepted": found["accepted"],
        "states": {state: found[state] for state in CASE_STATES},
        "unverified": found["unverified"],
        "unaccounted": found["unaccounted"],
        "unaccounted_cases": found["unaccounted_cases"][:20],
    }


def _stage(name: str, histograms: Sequence[Row], passages: Sequence[Row], now: datetime) -> dict[str, Any]:
    buckets: dict[str, dict[int, int]] = {}
    for row in histograms:
        if row["stage"] == name:
            buckets.setdefault(row["measure"], {})[row["bucket"]] = row["n"]
    per_slot = {row["slot"]: row["n"] for row in passages if row["stage"] == name}
    found = pace.pace_of(name, buckets, per_slot, now=now, window=WINDOW)
    return {
        "stage": name,
        "passed": found.passed,
        "per_second": found.per_second,
        "p50_ms": _round(found.p50),
        "p95_ms": _round(found.p95),
        "p99_ms": _round(found.p99),
        "waited_p50_ms": _round(found.waited_p50),
        "worked_p50_ms": _round(found.worked_p50),
        "rates": list(found.rates),
    }


def case_line(row: Row, now: datetime) -> dict[str, Any]:
    """One case in a list."""
    return {
        "case": row["case"],
        "force": row["force"],
        "area": row["area"],
        "test": row["test"],
        "state": "dead_lettered" if row["dead_lettered"] else row["state"],
        "revision": row["revision"] or row["enriched_revision"] or row["decided_revision"],
        "version": row["version"],
        "css_response": row["css_response"],
        "child_level": row["child_level"],
        "victim_level": row["victim_level"],
        "services": list(row["services"] or ()),
        "accepted_at": _moment(row["accepted_at"]),
        "accepted_words": times.say_age(row["accepted_at"], now) if row["accepted_at"] else None,
        "next_due": _moment(row["next_due"]),
        "minutes_to_deadline": times.minutes_until(row["next_due"], now) if row["next_due"] else None,
        "deadline_words": times.say_deadline(row["next_due"], now) if row["next_due"] else None,
        "waiting_for": row["waiting_for"],
    }


def case_page(row: Row, dead: Sequence[Row], now: datetime) -> dict[str, Any]:
    """All that ops may see of a case."""
    branches: list[dict[str, Any]] = row["branches"] or []
    picture = waterfall.draw(
        [_entry(entry) for entry in row["ledger"] or ()],
        [
            waterfall.Line(
                label=str(branch.get("recipient", "")),
                entries=tuple(_entry(entry) for entry in branch.get("ledger") or ()),
                due=_read(branch.get("due")),
            )
            for branch in branches
        ],
    )
    return {
        **case_line(row, now),
        "trace_id": row["trace_id"],
        "why": row["why"],
        "history": row["history_status"],
        "protocol": row["protocol"],
        "review": row["review"],
        "held_by": row["held_by"],
        "waiting_since": _moment(row["waiting_since"]),
        "waiting_words": times.say_age(row["waiting_since"], now) if row["waiting_since"] else None,
        "breached": row["breached"],
        "stages": [
            _passed("intake", row["incident_at"], row["revision"], None, now),
            _passed("enrichment", row["enriched_at"], row["enriched_revision"], None, now),
            _passed("triage", row["decided_at"], row["decided_revision"], row["version"], now),
            _passed("delivery", row["told_at"], row["told_revision"], row["told_version"], now),
        ],
        "deliveries": [_delivery(branch, now) for branch in branches],
        "ledger": row["ledger"] or [],
        "time": _time(picture),
        "dead_letters": [_dead_letter(one) for one in dead],
        "picture": picture,
    }


def _passed(
    stage: str, at: datetime | None, revision: int | None, version: int | None, now: datetime
) -> dict[str, Any]:
    return {
        "stage": stage,
        "at": _moment(at),
        "words": times.say_age(at, now) if at else None,
        "revision": revision,
        "version": version,
    }


def _delivery(branch: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    state = str(branch.get("state", ""))
    due = _read(branch.get("due"))
    entries = branch.get("ledger") or []
    met_at = _read(branch.get("received_at"))
    return {
        "delivery": branch.get("delivery"),
        "recipient": branch.get("recipient"),
        "service": branch.get("service"),
        "version": branch.get("version"),
        "state": state,
        "attempts": branch.get("attempts", 0),
        "breached": bool(branch.get("breached")),
        "due": _moment(due),
        "received_at": _moment(met_at),
        "late": bool(branch.get("breached")) or (due is not None and _late(state, due, met_at, now)),
        "words": _deadline_of(state, due, met_at, bool(branch.get("breached")), now),
        "ledger": entries,
    }


def _late(state: str, due: datetime, met_at: datetime | None, now: datetime) -> bool:
    return (met_at or due) > due if state in ENDED else now > due


def _deadline_of(
    state: str, due: datetime | None, met_at: datetime | None, breached: bool, now: datetime
) -> str:
    if due is None:
        return "no deadline"
    if state not in ENDED:
        return times.say_deadline(due, now)
    if state not in RECEIVED:
        return "no longer needed"
    if met_at is None:
        return "breached" if breached else "met"
    if breached or met_at > due:
        return f"late by {times.say_length(met_at - due)}"
    return f"met with {times.say_length(due - met_at)} to spare"


def _time(picture: waterfall.Waterfall | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    ours = picture.waited_ms + picture.worked_ms
    before = f", after {times.say_duration(picture.before_ms)} with the police" if picture.before_ms else ""
    return {
        "total_ms": picture.total_ms,
        "before_ms": picture.before_ms,
        "waited_ms": picture.waited_ms,
        "worked_ms": picture.worked_ms,
        "words": f"{times.say_duration(ours)} in Waymark "
        f"({times.say_duration(picture.waited_ms)} waiting, {times.say_duration(picture.worked_ms)} working)"
        f"{before}",
    }


def _entry(entry: Mapping[str, Any]) -> waterfall.Entry:
    return waterfall.Entry(
        stage=entry["stage"],
        waited_ms=entry["waited_ms"],
        worked_ms=entry["worked_ms"],
        start=datetime.fromisoformat(entry["from"]),
        end=datetime.fromisoformat(entry["to"]),
    )


def _dead_letter(row: Row) -> dict[str, Any]:
    return {
        "service": row["service"],
        "case": row["case"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["kafka_offset"],
        "reason": row["reason"],
        "size_bytes": row["size_bytes"],
        "at": _moment(row["at"]),
    }


def _read(moment: Any) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None


def _moment(moment: datetime | None) -> str | None:
    return times.machine(moment) if moment is not None else None


def _seconds(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds()), 1)


def _round(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 2)
