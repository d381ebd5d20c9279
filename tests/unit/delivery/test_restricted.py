"""What of a restricted case goes only after a person released it, and when its release is asked for (S13)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.delivery.domain.recipients import Channel, Recipient
from services.delivery.domain.restricted import needs_release, warn_at
from shared import vocabulary as v
from tests.unit.delivery.builders import NOON


def a_recipient(role: v.Service, *named_staff: str) -> Recipient:
    return Recipient(
        id="northbury-one",
        role=role,
        areas=("northbury",),
        channels=(Channel("inbox"),),
        named_staff=named_staff,
    )


@pytest.mark.parametrize(
    "service",
    [
        "education",
        "school_nurse",
        "perpetrator_programme",
        "supervised_contact",
        "interpreter",
        "community_safety",
    ],
)
def test_what_would_reach_family_or_community_is_kept_back_whoever_is_named(service: v.Service) -> None:
    assert needs_release(service, a_recipient(service, "dana.price"))


@pytest.mark.parametrize("service", ["childrens_services", "child_abuse_investigation", "sexual_offence_unit"])
def test_those_who_protect_get_it_at_once(service: v.Service) -> None:
    assert not needs_release(service, a_recipient(service))


def test_others_get_it_at_once_only_where_they_say_who_may_open_it() -> None:
    assert needs_release("idva", a_recipient("idva"))
    assert not needs_release("idva", a_recipient("idva", "dana.price"))


@pytest.mark.parametrize(
    ("hours", "asked_after"),
    [
        (1, timedelta(0)),
        (3, timedelta(hours=1)),
        (4, timedelta(hours=2)),
        (24, timedelta(hours=12)),
        (72, timedelta(hours=36)),
    ],
)
def test_the_release_is_asked_for_before_the_deadline(hours: int, asked_after: timedelta) -> None:
    assert warn_at(NOON, NOON + timedelta(hours=hours)) == NOON + asked_after


def test_what_is_late_already_is_asked_for_at_once() -> None:
    assert warn_at(NOON, NOON - timedelta(hours=1)) <= NOON
