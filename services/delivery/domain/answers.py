"""What happens to a delivery: attempts, receipts, a cursor moved on, a deadline missed; and what that makes
of its case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.delivery.domain import branch, sending
from services.delivery.domain.case import OWNER, CaseRecord, Delivery
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.sending import Attempt
from shared import vocabulary as v
from shared.contracts.base import read_moment, write_moment
from shared.contracts.events import Answer, Branch, CaseAnswered, Hearing

MOST_RECEIPTS: Final = 100
REJECTED: Final = "rejected by the recipient"
"""Why such a delivery is held."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)
UNUSABLE_FOR: Final = timedelta(seconds=20)
"""How soon it is looked at again whether a recipient's only channel may be used by now."""

_STEPS: Final[dict[v.ReceiptKind, int]] = {
    "received": 0, "opened": 1, "accepted": 2, "rejected": 3, "decided": 3
}  # fmt: skip

Noted = Literal["recorded", "repeated", "late"]
"""repeated: the same was said before; late: a later step was already reached, so nothing changes."""


@dataclass(frozen=True, slots=True)
class Said:
    """A receipt, checked for form. `at`: as the recipient says; `came`: when it came."""

    delivery: str
    recipient: str
    kind: v.ReceiptKind
    came: datetime
    at: datetime | None = None
    by: str | None = None
    pathway: v.Pathway | None = None
    reason: str | None = None
    not_ours: str | None = None

    def same_as(self, answer: dict[str, Any]) -> bool:
        """Whether `answer` said the same before."""
        mine = (self.kind, self.pathway, self.reason, self.not_ours)
        return mine == tuple(answer.get(name) for name in ("kind", "pathway", "reason", "not_ours"))


class Closed(Exception):
    """A receipt for a delivery that takes none any more; the text says why."""


def attempted(
    delivery: Delivery, attempt: Attempt, recipient: Recipient | None, draw: Callable[[], float]
) -> None:
    """Note an attempt: received, or when and by which way to go on."""
    if attempt.outcome == "not_sent":
        delivery.leased_by = delivery.lease_until = None
        if delivery.state == "waiting":
            _go_another_way(delivery, recipient, attempt.ended)
        return
    delivery.attempts += 1
    delivery.first_attempt_at = delivery.first_attempt_at or attempt.started
    delivery.last_result = attempt.result
    delivery.leased_by = delivery.lease_until = None
    branch.worked(delivery, "attempt", attempt.started, attempt.ended)
    if attempt.outcome == "received":
        _received(delivery, attempt.ended)
        return
    if delivery.state != "waiting":
        return  # superseded while it was on its way
    if attempt.outcome == "published":
        delivery.state = "offered" if delivery.received_at is None else "received"
        delivery.next_at = None
        return
    if attempt.outcome == "gone" or sending.given_up(delivery.first_attempt_at, attempt.ended):
        fall_back(delivery, recipient, attempt.ended)
        return
    pause = sending.pause_s(delivery.attempts, draw, attempt.retry_after_s)
    delivery.next_at = attempt.ended + timedelta(seconds=pause)


def fall_back(delivery: Delivery, recipient: Recipient | None, now: datetime) -> None:
    """Go on by the recipient's next channel; without one, hold it for a person."""
    following = recipient.next_channel(delivery.channel) if recipient is not None else None
    if following is None and delivery.received_at is not None:
        delivery.state, delivery.next_at = "received", None  # it was sent once more, and was not lost before
        return
    if following is None:
        hold(delivery, f"no way left to reach it ({delivery.last_result})")
        return
    delivery.channel = following
    delivery.next_at = now


def _go_another_way(delivery: Delivery, recipient: Recipient | None, now: datetime) -> None:
    """Nobody was asked: the recipient's channels have changed, or this one may not be used at present."""
    if recipient is None:
        hold(delivery, "its recipient is not described any more")
        return
    delivery.channel = recipient.first_channel()
    usable = recipient.channels[delivery.channel].why_not is None
    delivery.next_at = now if usable else now + UNUSABLE_FOR


def hold(delivery: Delivery, because: str) -> None:
    """Leave it to a person."""
    delivery.state = "held"
    delivery.held_because = because[:200]
    delivery.next_at = delivery.leased_by = delivery.lease_until = None


def cursor_passed(delivery: Delivery, at: datetime) -> None:
    """The recipient's cursor moved past it: it has it."""
    if delivery.state == "offered" or (delivery.state == "waiting" and delivery.inbox_no is not None):
        branch.waited(delivery, "received", at)
        _received(delivery, at)


def receipt(delivery: Delivery, said: Said) -> Noted:
    """Note a receipt. Raises Closed where nothing can be answered any more.

    Steps may be skipped: who decided has received. A step below the one reached is kept and changes
    nothing; the same said twice is fine. After `rejected` or `decided` only another `decided` is taken: a
    service may choose again, and the last choice stands.
    """
    if delivery.state == "test_withheld":
        raise Closed("It was a test and was not sent.")
    if delivery.state == "passed_on" and said.kind in ("accepted", "decided"):
        raise Closed("It was passed on.")
    if any(said.same_as(answer) for answer in delivery.answers):
        return "repeated"
    if said.kind == "received" and delivery.received_at is not None:
        return "repeated"
    if len(delivery.answers) >= MOST_RECEIPTS:
        raise Closed(f"It has {MOST_RECEIPTS} receipts already.")
    reached = max((_STEPS[answer["kind"]] for answer in delivery.answers), default=-1)
    kinds = {answer["kind"] for answer in delivery.answers}
    if "rejected" in kinds and said.kind in ("accepted", "decided"):
        raise Closed("It was rejected.")
    if "decided" in kinds and said.kind == "rejected":
        raise Closed("It was decided.")
    at = (
        said.at if said.at is not None and delivery.began - CLOCKS_DIFFER <= said.at <= said.came else said.came
    )
    delivery.answers.append(
        {
            key: value
            for key, value in {
                "kind": said.kind,
                "at": write_moment(at),
                "by": said.by,
                "pathway": said.pathway,
                "reason": said.reason,
                "not_ours": said.not_ours,
            }.items()
            if value is not None
        }
    )
    branch.waited(delivery, said.kind, said.came)
    if _STEPS[said.kind] > reached:
        delivery.chases = 0
    _received(delivery, said.came)
    if said.kind == "rejected" and delivery.state not in ("superseded", "passed_on"):
        # Nobody has it now: it goes to a person, with the clock still running.
        hold(delivery, REJECTED)
    return "late" if _STEPS[said.kind] < reached else "recorded"


def missed(delivery: Delivery, now: datetime) -> bool:
    """Note a missed deadline, once; whether it is news."""
    if delivery.breached_at is not None or delivery.due > now:
        return False
    if delivery.received_at is not None and delivery.held_because != REJECTED:
        return False
    if not delivery.awaited and delivery.state != "held":
        return False
    delivery.breached_at = now
    return True


def state_of(case: CaseRecord, deliveries: Iterable[Delivery]) -> tuple[v.CaseState, str | None]:
    """The case's state and, where it is held, who owns it (design.md, promise 1)."""
    # What was received stays so while it is sent once more (`replaying`).
    states = {d.state if d.received_at is None or not d.awaited else "received" for d in deliveries}
    if case.unaddressed or "held" in states:
        return "held", OWNER
    if case.decided_state == "held":
        return "held", case.decided_owner or "triage"
    if states & {"waiting", "offered"}:
        return "in_flight", None
    if case.decided_state == "withdrawn":
        return "withdrawn", None
    if case.decided_state == "no_recipient_by_rule":
        return "no_recipient_by_rule", None
    return "routed", None


def answered(case: CaseRecord, deliveries: Sequence[Delivery]) -> CaseAnswered:
    """`waymark.outcome/1`: all deliveries and answers of the case so far, and its state."""
    ordered = sorted(deliveries, key=lambda d: (d.version, d.recipient, d.service))
    answers = [answer for delivery in ordered for answer in _answers(delivery)]
    answers.sort(key=lambda answer: answer.at)
    return CaseAnswered(
        case=case.case,
        version=case.version,
        revision=case.revision,
        state=case.state,
        answers=answers,
        branches=[
            Branch.model_construct(
                delivery=delivery.id,
                recipient=delivery.recipient,
                service=delivery.service,
                version=delivery.version,
                state=delivery.state,
                due=delivery.due,
                attempts=delivery.attempts,
                breached=delivery.breached_at is not None,
                chases=delivery.chases,
                passed_to=delivery.passed_to,
                ledger=delivery.ledger,
            )
            for delivery in ordered
        ],
        heard=[Hearing.model_validate(one) for one in case.heard],
    )


def _answers(delivery: Delivery) -> list[Answer]:
    found = []
    if delivery.received_at is not None and not any(a["kind"] == "received" for a in delivery.answers):
        found.append(_answer(delivery, "received", delivery.received_at))
    found += [
        _answer(delivery, said["kind"], read_moment(said["at"]), said.get("pathway"), said.get("reason"))
        for said in delivery.answers
    ]
    return found


def _answer(
    delivery: Delivery,
    kind: v.ReceiptKind,
    at: datetime,
    pathway: v.Pathway | None = None,
    reason: str | None = None,
) -> Answer:
    return Answer.model_construct(
        version=delivery.version,
        recipient=delivery.recipient,
        service=delivery.service,
        delivery=delivery.id,
        kind=kind,
        pathway=pathway,
        reason=reason,
        at=at,
    )


def _received(delivery: Delivery, at: datetime) -> None:
    if delivery.received_at is None:
        delivery.received_at = at
    if delivery.state in ("waiting", "offered", "held") and delivery.held_because != REJECTED:
        delivery.state = "received"
        delivery.held_because = None
        delivery.next_at = delivery.leased_by = delivery.lease_until = None
