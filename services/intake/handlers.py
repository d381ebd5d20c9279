"""One function per message: submissions to be stored, decisions and outcomes to be noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import orjson

from services.intake import domain, forms, liveness, replies, store
from services.intake.accepted_event import AcceptedEvent
from services.intake.progress import DecidedForPolice
from services.intake.replies import Earlier
from services.intake.submissions import Submission, read_sent, read_submission
from shared import cursors, ledger
from shared.contracts.base import write_moment
from shared.contracts.events import CaseAnswered
from shared.contracts.incident import Fault, Gap
from shared.contracts.topics import INCIDENTS
from shared.db import Row, Transaction
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import Emission, EmittingTransaction
from shared.stage import Event


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a submission: the body of a 202, and the word it says."""

    body: bytes
    status: str


Answer = Answered | Refused
"""A refusal here is a 409: everything else is refused before it gets this far."""


class Moments:
    """Moments of acceptance: each later than the one before, whatever the clock does."""

    def __init__(self, clock: Callable[[], datetime] = ledger.now) -> None:
        self._clock = clock
        self._last: datetime | None = None

    def take(self, count: int) -> list[datetime]:
        """The next `count` moments, a microsecond apart."""
        first = self._clock()
        if self._last is not None and first <= self._last:
            first = self._last + timedelta(microseconds=1)
        taken = [first + timedelta(microseconds=i) for i in range(count)]
        self._last = taken[-1] if taken else self._last
        return taken


@dataclass(slots=True)
class _Judged:
    submission: Submission
    verdict: domain.Verdict
    accepted_at: datetime
    first_accepted_at: datetime
    live: bool
    answer: Answered
    changed: list[str] | None
    emission: Emission | None = None

    def goes_on_live(self) -> _Judged:
        """The same, as no test."""
        submission = self.submission
        if submission.incident.test is not True:
            return self
        fault = Fault(at="/test", said=True, because=liveness.STAYS_LIVE)
        return replace(self, submission=submission.with_fault(fault, test=None))


async def accept(tx: EmittingTransaction, group: Sequence[Submission], moments: Moments) -> list[Answer]:
    """Judge, store and answer a group of submissions; emit each case's newest revision if it is new.

    Answers are in the order of `group`; they hold once the transaction has committed. Within a case the
    order of `group` is the order of arrival.
    """
    rows = await store.lock_cases(tx, [one.case for one in group])
    stored = await store.revisions_of(tx, _wanted(group, rows))
    known = _known(rows, stored)
    earlier = await _earlier(tx, group, known)
    told_once = await store.first_through(tx, {(one.key, one.door) for one in group if one.form is not None})
    firsts = {case: row.first_accepted_at for case, row in rows.items()}
    live = {case: row.live for case, row in rows.items()}
    answers: list[Answer] = []
    judged: dict[tuple[str, int], _Judged] = {}
    revived: dict[str, _Judged] = {}
    for submission, moment in zip(group, moments.take(len(group)), strict=True):
        before = known.get(submission.case)
        beside = _beside(submission, before, earlier)
        verdict = domain.judge(beside, before)
        known[submission.case] = domain.knowing(before, beside, verdict)
        place = (submission.case, verdict.revision)
        if verdict.to_store:
            was_live = live.get(submission.case)
            submission, live[submission.case] = liveness.settle(submission, was_live, newest=verdict.newest)
            first = firsts.setdefault(submission.case, moment)
            last = earlier.get((submission.case, before.newest)) if before and verdict.newest else None
            changed = replies.changes(last, submission) if last else None
            not_carried: list[Gap] = []
            if submission.form is not None and (submission.key, submission.door) in told_once:
                told_once.discard((submission.key, submission.door))
                not_carried = forms.not_carried(cast(forms.FormName, submission.door))
            answer = Answered(replies.accepted(submission, verdict, last, changed, not_carried), verdict.word)
            judged[place] = _Judged(submission, verdict, moment, first, live[submission.case], answer, changed)
            earlier[place] = Earlier(submission.raw, submission.door, answer.body)
            if was_live is False and live[submission.case] and not verdict.newest:
                revived[submission.case] = judged[place]
            answers.append(answer)
        elif verdict.word == "used_up":
            answers.append(Refused(409, "No number left", "The case has the highest revision there is."))
        elif verdict.word == "conflict":
            answers.append(replies.conflict(verdict.revision, replies.differences(earlier[place], submission)))
        else:
            first_answer = earlier[place].answer if place in earlier else bytes(stored[place]["answer"])
            answers.append(Answered(replies.repeated(first_answer), "repeated"))
    await store.not_told(tx, told_once)
    await _save(tx, judged, rows, revived)
    return answers


async def _earlier(
    tx: EmittingTransaction, group: Sequence[Submission], known: Mapping[str, domain.Known | None]
) -> dict[tuple[str, int], Earlier]:
    """The stored revisions that some submission of `group` has to be compared with, content by content:
    their bytes differ, which may mean nothing (another order of fields, another envelope)."""
    places = set()
    for one in group:
        before = known.get(one.case)
        if before is not None:
            revision = domain.rival(one.judged_on, before)
            if before.contents[revision] != one.judged_on.content:
                places |= {(one.case, revision), (one.case, before.newest)}
    rows = await store.sent_of(tx, sorted(places))
    return {place: Earlier(bytes(r["raw"]), r["door"], bytes(r["answer"])) for place, r in rows.items()}


def _beside(
    submission: Submission, before: domain.Known | None, earlier: Mapping[tuple[str, int], Earlier]
) -> domain.Submission:
    """What the judgement rests on. Where the bytes differ and the content does not, it counts as the same."""
    judged_on = submission.judged_on
    if before is None:
        return judged_on
    revision = domain.rival(judged_on, before)
    rival = earlier.get((submission.case, revision))
    if (
        rival is None
        or before.contents[revision] == judged_on.content
        or replies.differences(rival, submission)
    ):
        return judged_on
    return replace(judged_on, content=before.contents[revision])


def _wanted(group: Sequence[Submission], rows: dict[str, store.NewestOf]) -> list[tuple[str, int]]:
    """The stored revisions that the judgement needs: the newest, and those that submissions claim."""
    claimed = {
        (one.case, one.judged_on.revision)
        for one in group
        if one.case in rows and one.judged_on.revision is not None
    }
    return sorted(claimed | {(case, row.newest) for case, row in rows.items()})


def _known(
    rows: Mapping[str, store.NewestOf], stored: Mapping[tuple[str, int], Row]
) -> dict[str, domain.Known | None]:
    contents: dict[str, dict[int, bytes]] = {case: {} for case in rows}
    for (case, revision), row in stored.items():
        contents[case][revision] = bytes(row["content"])
    return {case: domain.Known(row.newest, contents[case]) for case, row in rows.items()}


async def _save(
    tx: EmittingTransaction,
    judged: dict[tuple[str, int], _Judged],
    rows: dict[str, store.NewestOf],
    revived: Mapping[str, _Judged],
) -> None:
    """Store what was judged and emit each case's newest revision. `revived`: by case, the live revision that
    came behind a test: the newest goes on as live, once more if it had gone on already."""
    if not judged:
        return
    newest: dict[str, _Judged] = {}
    last: dict[str, _Judged] = {}
    for one in judged.values():
        last[one.submission.case] = one
        if one.verdict.newest:
            newest[one.submission.case] = one
    for one in newest.values():
        one.emission = _emit(tx, one.goes_on_live() if one.submission.case in revived else one)
    again = await _emit_again(tx, {case: one for case, one in revived.items() if case not in newest}, rows)
    await tx.store_emissions()
    await store.note_emitted(tx, {case: (rows[case].newest, emission.seq) for case, emission in again.items()})
    heads = [
        store.NewestOf(
            case,
            newest[case].verdict.revision if case in newest else rows[case].newest,
            one.first_accepted_at,
            one.live,
        )
        for case, one in sorted(last.items())
    ]
    await store.save(
        tx,
        [_revision(one) for one in judged.values()],
        new=[head for head in heads if head.case not in rows],
        moved=[head for head in heads if head.case in rows and head != rows[head.case]],
    )


async def _emit_again(
    tx: EmittingTransaction, revived: Mapping[str, _Judged], rows: Mapping[str, store.NewestOf]
) -> dict[str, Emission]:
    """Emit the stored newest revision of cases that were taken for tests, as no test."""
    stored = await store.sent_of(tx, [(case, rows[case].newest) for case in sorted(revived)])
    emissions = {}
    for (case, revision), row in stored.items():
        late = revived[case]
        newest = read_submission(
            read_sent(bytes(row["raw"]), row["door"]),
            caller=Caller(key=row["key"], role="police", force=case.split("/", 1)[0]),
            arrived=late.submission.arrived,
            trace=late.submission.trace,
            lane=late.submission.lane,
        )
        one = replace(late, submission=newest, verdict=domain.Verdict("amended", revision, True))
        emissions[case] = _emit(tx, one.goes_on_live(), again=True)
    return emissions


def _emit(tx: EmittingTransaction, one: _Judged, *, again: bool = False) -> Emission:
    submission = one.submission
    return tx.emit(
        INCIDENTS,
        submission.case,
        AcceptedEvent(
            submission.written(one.verdict.revision),
            one.verdict.revision,
            one.first_accepted_at,
            one.accepted_at,
            submission.gaps,
            again,
        ),
        started=submission.arrived,
        lane=submission.lane,
        ledger=ledger.add_wait((), "police", submission.contact_at, submission.arrived),
        trace=submission.trace,
    )


def _revision(one: _Judged) -> store.Revision:
    submission = one.submission
    return store.Revision(
        case=submission.case,
        revision=one.verdict.revision,
        status=one.verdict.word,
        content=submission.judged_on.content,
        raw=submission.raw,
        answer=one.answer.body,
        door=submission.door,
        key=submission.key,
        contact_at=submission.contact_at,
        arrived_at=submission.arrived,
        accepted_at=one.accepted_at,
        emitted_seq=one.emission.seq if one.emission else None,
        changed=None if one.changed is None else orjson.dumps(one.changed),
    )


async def note_decisions(tx: EmittingTransaction, events: Sequence[Event[DecidedForPolice]]) -> None:
    """Keep of each case's newest decision what the police may know, and tell them what is new."""
    await _note(
        tx,
        {
            event.case: (
                "decided",
                domain.told_of_decision(
                    revision=event.body.revision,
                    version=event.body.decision.version or 0,
                    state=event.body.state,
                    questions=[question.as_json() for question in event.body.decision.receipt.questions],
                    stages=[entry.as_json() for entry in event.envelope.ledger],
                ),
            )
            for event in events
        },
    )


async def note_outcomes(tx: EmittingTransaction, events: Sequence[Event[CaseAnswered]]) -> None:
    """Keep of each case's deliveries and answers what the police may know, and tell them what is new."""
    await _note(
        tx,
        {
            event.case: (
                "answered",
                domain.told_of_outcome(
                    seq=event.envelope.seq,
                    revision=event.body.revision,
                    version=event.body.version,
                    state=event.body.state,
                    answers=[answer.as_json() for answer in event.body.answers],
                    branches=[branch.as_json() for branch in event.body.branches],
                ),
            )
            for event in events
        },
    )


async def _note(tx: Transaction, told: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """Events carry the case's whole state: the last of a case in the batch is all that counts."""
    rows = await store.lock_told(tx, list(told))
    kept: dict[str, tuple[bytes | None, bytes | None]] = {}
    news: dict[str, list[tuple[str, bytes]]] = {}
    for case, row in rows.items():
        side, state = told[case]
        old = {name: _read(row[name]) for name in ("decided", "answered")}
        new = {**old, side: state}
        before = domain.outcome(case, row["newest"], old["decided"], old["answered"])
        after = domain.outcome(case, row["newest"], new["decided"], new["answered"])
        kept[case] = (_written(new["decided"]), _written(new["answered"]))
        if domain.is_news(before, after):
            force = case.split("/", 1)[0]
            entry = {name: value for name, value in after.items() if value is not None}
            news.setdefault(force, []).append((case, orjson.dumps(entry)))
    await store.keep_told(tx, kept)
    await cursors.append(tx, news)


def _read(kept: bytes | None) -> dict[str, Any] | None:
    return None if kept is None else orjson.loads(kept)


def _written(state: dict[str, Any] | None) -> bytes | None:
    return None if state is None else orjson.dumps(state)


async def find_case(tx: Transaction, case: str) -> dict[str, Any] | None:
    """Where an incident is now, as the police may see it; None where the case is not known."""
    found = await store.case_with_revisions(tx, case)
    if found is None:
        return None
    row, revisions = found
    newest = next(one for one in revisions if one["revision"] == row["newest"])
    decided, answered = _read(row["decided"]), _read(row["answered"])
    answer = orjson.loads(newest["answer"])
    force, reference = case.split("/", 1)
    return {
        "case": case,
        "force": force,
        "reference": reference,
        "revision": row["newest"],
        "status": newest["status"],
        "state": domain.state_of(row["newest"], decided, answered),
        "accepted_at": write_moment(row["first_accepted_at"]),
        "revisions": [
            {
                "revision": one["revision"],
                "status": one["status"],
                "accepted_at": write_moment(one["accepted_at"]),
                **({} if one["changed"] is None else {"changed": orjson.loads(one["changed"])}),
            }
            for one in revisions
        ],
        "faults": answer["faults"],
        "gaps": answer["gaps"],
        "questions": domain.open_questions(row["newest"], decided),
        "stages": _stages(newest, decided),
        "services": answered["services"] if answered else [],
        "answers": answered["answers"] if answered else [],
        "links": {"self": replies.address_of(case)},
        "trace": answer.get("trace"),
    }


def _stages(newest: Row, decided: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The time ledger; until the newest revision is decided, as far as intake knows it by itself."""
    if decided is not None and decided["revision"] >= newest["revision"]:
        return list(decided["stages"])
    waited = ledger.add_wait((), "police", newest["contact_at"], newest["arrived_at"])
    worked = ledger.add_work(waited, "intake", newest["arrived_at"], newest["accepted_at"])
    return [entry.as_json() for entry in worked]
