"""What the door would answer to each message, one after the other, by the door's own rules.

Nothing is stored: what was sent before is what stands earlier in the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.intake import domain
from services.intake.forms import FormName, not_carried
from services.intake.submissions import Door as Way
from services.intake.submissions import Submission, read_sent, read_submission
from shared.contracts.incident import Fault, Gap, Incident
from shared.errors import Refused
from shared.keys import Caller
from shared.web import MAX_BODY_BYTES
from waymark.conformance.messages import Message


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door would say. `status`: the HTTP status; `word`: of a 202, its status (accepted, amended,
    withdrawn, repeated); `title`, `at`: of a refusal. `content`: the message as parsed, None where it is not
    JSON; `incident`: as read, None where it is refused."""

    number: int
    status: int
    word: str | None = None
    title: str | None = None
    at: str = ""
    faults: tuple[Fault, ...] = ()
    gaps: tuple[Gap, ...] = ()
    content: Any = None
    incident: Incident | None = None

    @property
    def taken(self) -> bool:
        """Answered with a 202."""
        return self.status == 202


@dataclass(slots=True)
class Sequence:
    """What the messages are beside one another. `backwards`: revisions that come after a higher one of the
    same incident; `earlier`: messages recorded before the one that stands in front of them."""

    tests: int = 0
    unnumbered: int = 0
    backwards: int = 0
    earlier: int = 0
    forces: Counter[str] = field(default_factory=Counter)


class Door:
    """A door for incidents, or for a form, that takes those of `force` only (None: of any), and knows what it
    took before."""

    def __init__(self, *, now: datetime, force: str | None = None, form: FormName | None = None) -> None:
        self.sequence = Sequence()
        self.cannot_carry: list[Gap] = [] if form is None else not_carried(form)
        self._way: Way = form or "json"
        self._now = now
        self._force = force
        self._known: dict[str, domain.Known | None] = {}
        self._recorded: datetime | None = None

    def answer(self, message: Message) -> Answer:
        """What it would answer, the messages before this one having been answered."""
        content: Any = None
        try:
            if len(message.body) > MAX_BODY_BYTES:
                raise Refused(413, "Too large", f"The limit is {MAX_BODY_BYTES} bytes.")
            sent = read_sent(message.body, self._way)
            content = sent.content
            force = self._force or (sent.incident.get("force") if isinstance(sent.incident, dict) else None)
            submission = read_submission(
                sent, caller=Caller("check", "police", force=force), arrived=self._now, trace=None
            )
        except Refused as refused:
            at = str(refused.extra.get("at", ""))
            return Answer(message.number, refused.status, None, refused.title, at, content=content)
        verdict = self._judge(submission, content)
        if verdict.word in ("conflict", "used_up"):
            title = "Same revision, other content"
            return Answer(message.number, 409, None, title, "/revision", content=content)
        self._compare(submission.incident)
        return Answer(
            message.number,
            202,
            verdict.word,
            faults=(*message.faults, *submission.faults_told),
            gaps=tuple(submission.gaps_told),
            content=content,
            incident=submission.incident,
        )

    def _judge(self, submission: Submission, content: Any) -> domain.Verdict:
        before = self._known.get(submission.case)
        # The door compares what is said where bytes differ; here what is said is all that is kept.
        judged_on = replace(submission.judged_on, content=_digest(content))
        verdict = domain.judge(judged_on, before)
        self._known[submission.case] = domain.knowing(before, judged_on, verdict)
        self.sequence.backwards += verdict.to_store and not verdict.newest
        return verdict

    def _compare(self, incident: Incident) -> None:
        sequence = self.sequence
        sequence.forces[incident.force] += 1
        sequence.tests += incident.test is True
        sequence.unnumbered += incident.revision is None
        if incident.recorded_at is not None:
            sequence.earlier += self._recorded is not None and incident.recorded_at < self._recorded
            self._recorded = incident.recorded_at


def _digest(content: Any) -> bytes:
    """Of what a message says, its revision's number aside."""
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name != "revision"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
