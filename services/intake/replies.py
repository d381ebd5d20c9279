"""What a sender is told: what was stored, what is wrong with it, what it changed and healed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from services.intake import domain
from services.intake.submissions import Door, Sent, Submission, read_sent
from shared.contracts.incident import Gap
from shared.contracts.reading import read_incident
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Earlier:
    """A revision that is there already: what was sent, through which door, and the answer it got."""

    raw: bytes
    door: Door
    answer: bytes


def address_of(case: str) -> str:
    """The path under which the police find a case."""
    return f"/v1/incidents/{quote(case, safe='/')}"


def accepted(
    submission: Submission,
    verdict: domain.Verdict,
    last: Earlier | None,
    changed: list[str] | None,
    not_carried: list[Gap],
) -> bytes:
    """The body of a 202: `shared.contracts.accepted.Accepted`, written out since it is written so often."""
    faults, gaps = submission.faults_told, submission.gaps_told
    told: dict[str, Any] = {
        "case": submission.case,
        "revision": verdict.revision,
        "status": verdict.word,
        "faults": [fault.as_json() for fault in faults],
        "gaps": [gap_told(gap) for gap in gaps],
        "links": {"self": address_of(submission.case)},
    }
    if last is not None:
        told["changed"] = changed
        told["healed"] = _healed(last, submission)
    if not_carried:
        told["not_carried"] = [gap_told(gap) for gap in not_carried]
    if submission.trace is not None:
        told["trace"] = submission.trace
    return orjson.dumps(told)


def gap_told(gap: Gap) -> dict[str, str]:
    """A gap as plain data."""
    return {"at": gap.at, "because": gap.because}


def differences(earlier: Earlier, submission: Submission) -> list[str]:
    """Where two submissions differ, in the sender's own fields; everywhere where they came as other forms."""
    if _form_of(earlier.door) != _form_of(submission.door):
        return ["/"]
    before, after = _read_again(earlier), read_sent(submission.raw, submission.door)
    return ["/"] if before is None else domain.differences(before.content, after.content)


def _read_again(earlier: Earlier) -> Sent | None:
    """What was sent before; None where a door that has grown stricter since cannot read it any more. That is
    no reason to refuse what comes after it."""
    try:
        return read_sent(earlier.raw, earlier.door)
    except Refused:
        return None


def _form_of(door: Door) -> str:
    return door if door in ("north", "south") else "own"


def changes(last: Earlier, submission: Submission) -> list[str]:
    """What an amendment changed, with places in the contract's shape."""
    before, after = _read_again(last), read_sent(submission.raw, submission.door)
    return ["/"] if before is None else domain.differences(before.incident, after.incident)


def _healed(last: Earlier, submission: Submission) -> list[str]:
    """The faults and gaps of the revision before this one that are no more: in the sender's own fields, or
    in the contract's where the two came in different ones."""
    if _form_of(last.door) == _form_of(submission.door):
        told = orjson.loads(last.answer)
        before = [one["at"] for one in (*told["faults"], *told["gaps"])]
        still = {fault.at for fault in submission.faults_told} | {gap.at for gap in submission.gaps_told}
    else:
        sent = _read_again(last)
        if sent is None:
            return []
        reading = read_incident(sent.incident, now=submission.arrived)
        before = [*(fault.at for fault in reading.faults), *(gap.at for gap in reading.gaps)]
        still = {fault.at for fault in submission.faults} | {gap.at for gap in submission.gaps}
    return [at for at in dict.fromkeys(before) if at not in still]


def repeated(first: bytes) -> bytes:
    """The first answer again."""
    return orjson.dumps({**orjson.loads(first), "status": "repeated"})


def conflict(revision: int, pointers: list[str]) -> Refused:
    """The answer to other content under a revision that is stored (409)."""
    return Refused(
        409,
        "Same revision, other content",
        f"Revision {revision} is stored with other content. Send a changed incident with a higher revision,"
        " or without one: then Waymark numbers it.",
        revision=revision,
        differs=pointers,
    )
