"""What a person does about a delivery that waits for one: releases or refuses what is restricted, passes on
what is somebody else's, or says that the recipient was told by other means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.delivery.domain import branch
from services.delivery.domain.answers import Closed
from services.delivery.domain.case import Delivery
from services.delivery.domain.restricted import RELEASING_AGENCIES, unreleased
from shared.contracts.base import write_moment

Kind = Literal["release", "refuse", "pass_on", "told"]


@dataclass(frozen=True, slots=True)
class Act:
    """An act as a person did it. `who`: as their key names them; `to`: the recipient it is passed on to."""

    kind: Kind
    who: str
    agency: str | None
    at: datetime
    reason: str | None = None
    to: str | None = None


class NotAllowed(Exception):
    """An act that is not for this person's agency; the text says whose it is."""


def release(delivery: Delivery, act: Act) -> bool:
    """Let a restricted delivery go; whether anything changed. Raises Closed and NotAllowed."""
    _must_be_releasing(act)
    if delivery.released_at is not None:
        return False
    if not unreleased(delivery):
        raise Closed("It does not wait for release.")
    delivery.released_by, delivery.released_at = act.who, act.at
    delivery.state, delivery.held_because = "waiting", None
    delivery.next_at, delivery.chase_at, delivery.chases = act.at, None, 0
    branch.waited(delivery, "released", act.at)
    return True


def refuse(delivery: Delivery, act: Act) -> bool:
    """Decide that a restricted delivery must not go; whether anything changed. Raises Closed, NotAllowed."""
    _must_be_releasing(act)
    if delivery.state == "refused":
        return False
    if not unreleased(delivery):
        raise Closed("It does not wait for release.")
    delivery.released_by = act.who
    delivery.state, delivery.held_because, delivery.chase_at = "refused", None, None
    branch.waited(delivery, "refused", act.at)
    return True


def told(delivery: Delivery, act: Act) -> bool:
    """Note that the recipient was told by other means, in person or by telephone; whether anything changed.
    Raises Closed where it does not wait for a person, or must be released first."""
    if delivery.state == "received" and any(a.get("by") == act.who for a in delivery.answers):
        return False
    if unreleased(delivery):
        raise Closed("It has to be released first.")
    if delivery.state not in ("held", "waiting", "offered"):
        raise Closed("It does not wait for anybody.")
    delivery.answers.append(
        {"kind": "received", "at": write_moment(act.at), "by": act.who, "reason": act.reason}
    )
    branch.waited(delivery, "told", act.at)
    delivery.received_at = delivery.received_at or act.at
    delivery.state, delivery.held_because = "received", None
    delivery.next_at = delivery.leased_by = delivery.lease_until = delivery.chase_at = None
    return True


def may_be_passed_on(delivery: Delivery) -> None:
    """Raise Closed unless a person may pass it on."""
    if unreleased(delivery):
        raise Closed("It has to be released first.")
    if delivery.state not in ("held", "waiting", "offered", "received"):
        raise Closed("It is somebody else's, or was replaced, already.")


def _must_be_releasing(act: Act) -> None:
    if act.agency not in RELEASING_AGENCIES:
        raise NotAllowed("Children's services and the police release restricted cases.")
