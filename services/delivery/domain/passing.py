"""Passing a case on, from a recipient whose it is not: to whom it names, or to a person."""

from __future__ import annotations

from collections.abc import Iterable

from services.delivery.domain.case import Delivery
from services.delivery.domain.recipients import Recipient
from services.delivery.domain.restricted import needs_release


def why_not(
    delivery: Delivery, to: Recipient | None, of_case: Iterable[Delivery], *, restricted: bool
) -> str | None:
    """Why `delivery` cannot be passed on to `to`, in a few words; None where it can.

    Only to another recipient of the same role: what a role may see is decided by its profile, and a
    recipient must not be able to send a case to somebody who was never meant to have it.
    """
    if to is None:
        return "passed on to nobody we know"
    if to.id == delivery.recipient:
        return "passed on to itself"
    if to.role != delivery.service:
        return "passed on to another role"
    if to.test:
        return "passed on to a test recipient"
    if restricted and needs_release(to.role, to):
        return "restricted, and passed on to somebody without named staff"
    if any(
        one.recipient == to.id and one.service == delivery.service and _gave_it_back(one) for one in of_case
    ):
        return "passed on to somebody who gave it back"
    return None


def _gave_it_back(one: Delivery) -> bool:
    return one.state == "passed_on" or any(answer["kind"] == "rejected" for answer in one.answers)


def redirected(earlier: Iterable[Delivery]) -> dict[tuple[str, str], str]:
    """Per recipient and role that passed the case on, whose it is: newer versions go there at once."""
    found: dict[tuple[str, str], str] = {}
    for one in sorted(earlier, key=lambda d: d.version):
        if one.state == "passed_on" and one.passed_to is not None:
            found[one.recipient, one.service] = one.passed_to
    return found
