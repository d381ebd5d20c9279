"""The rules of the door: what a submission is beside what is stored, what differs, what the police may know.

Pure functions on plain data. Sources: design.md "Contracts" (lenient door), issue 4 "Identity of a
submission"; NSPCC 2009 s6.2 (notifications that were lost, doubled or late), s8.3.3 (the police rarely
hear what became of a case).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

HIGHEST_REVISION: Final = 1_000_000_000
DIFFERENCES_NAMED: Final = 50

Word = Literal["accepted", "amended", "withdrawn", "repeated", "conflict", "used_up"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What the judgement rests on: the revision it claims (None: Waymark numbers), a digest that is equal
    where the content is, and whether it says that the incident was recorded in error."""

    revision: int | None
    content: bytes
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a case: its newest revision, and contents by revision (the newest's and those
    that submissions claim)."""

    newest: int
    contents: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a submission is.

    `accepted`: a case not known before. `amended`: another revision of a known one, `withdrawn`: one that
    says it was recorded in error. `repeated`: `revision` is stored already with the same content.
    `conflict`: it is stored with other content. `used_up`: no number is left. `newest`: no higher
    revision is known, so the case goes on as this one says.
    """

    word: Word
    revision: int
    newest: bool = False

    @property
    def to_store(self) -> bool:
        """Whether it adds a revision."""
        return self.word in ("accepted", "amended", "withdrawn")


def rival(submission: Submission, known: Known) -> int:
    """The known revision that `submission` is compared with: the one it claims, else the newest."""
    claimed = submission.revision
    return claimed if claimed is not None and claimed in known.contents else known.newest


def judge(submission: Submission, known: Known | None) -> Verdict:
    """What `submission` is, beside what is known of its case."""
    if known is None:
        return Verdict("withdrawn" if submission.withdrawn else "accepted", submission.revision or 1, True)
    revision = submission.revision
    if revision is None:
        if known.contents.get(known.newest) == submission.content:
            return Verdict("repeated", known.newest)
        revision = known.newest + 1
        if revision > HIGHEST_REVISION:
            return Verdict("used_up", known.newest)
    elif revision in known.contents:
        same = known.contents[revision] == submission.content
        return Verdict("repeated" if same else "conflict", revision)
    word: Word = "withdrawn" if submission.withdrawn else "amended"
    return Verdict(word, revision, revision > known.newest)


def knowing(known: Known | None, submission: Submission, verdict: Verdict) -> Known | None:
    """What is known once `verdict` stands: the next submission of the same case is judged beside it."""
    if not verdict.to_store:
        return known
    if known is None:
        return Known(verdict.revision, {verdict.revision: submission.content})
    return replace(
        known,
        newest=max(known.newest, verdict.revision),
        contents={**known.contents, verdict.revision: submission.content},
    )


def differences(before: Any, after: Any) -> list[str]:
    """JSON pointers to what differs between two submissions (parsed), at most fifty, and never what they
    say. The revision's own number is not content."""
    found: list[str] = []
    for pointer in _differences(_without_number(before), _without_number(after), ""):
        found.append(pointer)
        if len(found) == DIFFERENCES_NAMED:
            break
    return found


def _without_number(submission: Any) -> Any:
    if not isinstance(submission, dict):
        return submission
    return {key: value for key, value in submission.items() if key != "revision"}


def _differences(before: Any, after: Any, at: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            here = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in before and key in after:
                yield from _differences(before[key], after[key], here)
            else:
                yield here
    elif isinstance(before, list) and isinstance(after, list):
        for i in range(max(len(before), len(after))):
            if i < len(before) and i < len(after):
                yield from _differences(before[i], after[i], f"{at}/{i}")
            else:
                yield f"{at}/{i}"
    elif isinstance(before, bool) is not isinstance(after, bool) or before != after:
        yield at


# What the police may know. A decision's levels and reasons rest on what social care knows, so only its
# state and the questions put to the police are kept; of outcomes, who answered what, not their words.


def told_of_decision(
    *,
    revision: int,
    version: int,
    state: str,
    questions: list[Mapping[str, Any]],
    stages: list[Mapping[str, Any]],
) -> dict[str, Any]:
    """What of a decision the police may know. `questions` as in the receipt: those to others are left
    out, and so is what an answer would add. `stages`: the time ledger so far."""
    return {
        "revision": revision,
        "version": version,
        "state": "in_flight" if state == "to_route" else state,
        "questions": [
            {"fact": question["fact"], "because": question["because"]}
            for question in questions
            if question["to"] == "police"
        ],
        "stages": list(stages),
    }


def told_of_outcome(
    *,
    seq: int,
    revision: int,
    version: int,
    state: str,
    answers: list[Mapping[str, Any]],
    branches: list[Mapping[str, Any]],
) -> dict[str, Any]:
    """What of a case's deliveries and answers the police may know: services by kind with the time of
    each, receipts and pathways; not a recipient's own words (`reason`)."""
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for branch in branches:
        key = (branch["service"], branch["recipient"])
        if key not in newest or branch["version"] >= newest[key]["version"]:
            newest[key] = branch
    return {
        "seq": seq,
        "revision": revision,
        "version": version,
        "state": state,
        "services": [
            {name: branch[name] for name in _OF_A_SERVICE if branch.get(name) is not None}
            for _, branch in sorted(newest.items())
        ],
        "answers": [
            {name: answer[name] for name in _OF_AN_ANSWER if answer.get(name) is not None} for answer in answers
        ],
    }


_OF_A_SERVICE: Final = ("service", "version", "state", "due", "breached", "ledger")
_OF_AN_ANSWER: Final = ("version", "recipient", "service", "kind", "pathway", "at")


def state_of(newest: int, decided: Mapping[str, Any] | None, answered: Mapping[str, Any] | None) -> str:
    """The case's state as far as the police are concerned, `newest` being its newest revision.

    Decisions and outcomes come on two topics: the higher version speaks, and of one version the outcome. A
    case that was taken back stays so to the police, though some who were told have not heard of it yet.
    """
    latest = _latest(decided, answered)
    if latest is None or latest["revision"] < newest:
        return "in_flight"
    if latest["state"] == "in_flight" and _taken_back(newest, decided):
        return "withdrawn"
    return str(latest["state"])


def _taken_back(newest: int, decided: Mapping[str, Any] | None) -> bool:
    return decided is not None and decided["revision"] >= newest and decided["state"] == "withdrawn"


def _latest(decided: Mapping[str, Any] | None, answered: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if decided is None or answered is None:
        return decided or answered
    return answered if answered["version"] >= decided["version"] else decided


def open_questions(newest: int, decided: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What the police are asked. An amendment that is not decided yet may have answered it, and of what was
    taken back nothing is asked."""
    if decided is None or decided["revision"] < newest or _taken_back(newest, decided):
        return []
    return list(decided["questions"])


def outcome(
    case: str, newest: int, decided: Mapping[str, Any] | None, answered: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`waymark.outcome/1` as the police see it: the case's state, questions, services and answers."""
    latest = _latest(decided, answered) or {}
    services = answered["services"] if answered else []
    return {
        "schema": "waymark.outcome/1",
        "case": case,
        "seq": answered["seq"] if answered else None,
        "revision": latest.get("revision"),
        "version": latest.get("version"),
        "state": state_of(newest, decided, answered),
        "questions": open_questions(newest, decided),
        "services": [
            {name: value for name, value in service.items() if name != "ledger"} for service in services
        ],
        "answers": list(answered["answers"]) if answered else [],
    }


def is_news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an outcome is worth an entry of the feed, after the one before it: something that the
    police can see changed, and it is more than that the case is on its way as before."""
    return _seen(before) != _seen(after) and (_says_something(before) or _says_something(after))


def _seen(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("seq", "version", "revision")}


def _says_something(told: Mapping[str, Any]) -> bool:
    return bool(told["state"] != "in_flight" or told["questions"] or told["answers"])
