"""A submission beside what is stored of its case: a live one stays live, whichever way it was read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.intake.liveness import BEHIND_A_TEST, STAYS_LIVE, settle
from services.intake.submissions import Door, Submission, read_plain, read_sent, read_submission
from shared.errors import Refused
from shared.keys import Caller
from tests.builders import an_incident

POLICE = Caller(key="k1", role="police", force="northshire")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def plain(door: Door = "json", **changes: Any) -> Submission:
    return read_plain(orjson.dumps(an_incident(**changes)), door, caller=POLICE, arrived=NOW, trace=None)


def odd(**changes: Any) -> Submission:
    """One that only the long way reads: there is a fault in it."""
    return plain(mood="not a field of the contract", **changes)


def on_a_form(**fields: Any) -> Submission:
    row = {"force": "northshire", "reference": "NS-1", "incident_date": "20/11/2026", **fields}
    sent = read_sent(orjson.dumps(row), "north")
    return read_submission(sent, caller=POLICE, arrived=NOW, trace=None)


def test_a_case_is_a_test_only_while_all_of_it_is() -> None:
    assert settle(plain(test=True), None, newest=True)[1] is False
    assert settle(plain(test=True), False, newest=True)[1] is False
    assert settle(plain(test=False), None, newest=True)[1] is True
    assert settle(plain(test=...), None, newest=True)[1] is True
    assert settle(plain(test=None), False, newest=True)[1] is True


@pytest.mark.parametrize("read", [plain, odd])
def test_a_live_case_goes_on_as_live_and_the_sender_is_told_where_they_said_otherwise(read: Any) -> None:
    sent = read(test=True, revision=3)
    settled, live = settle(sent, True, newest=True)
    assert live
    assert settled.faults_told[-1].as_json() == {"at": "/test", "said": True, "because": STAYS_LIVE}
    goes_on, as_sent = orjson.loads(settled.written(3)), orjson.loads(sent.written(3))
    assert goes_on.pop("faults")[-1] == settled.faults_told[-1].as_json()
    assert "test" not in goes_on
    as_sent.pop("test")
    as_sent.pop("faults", None)
    assert goes_on == as_sent
    assert settled.raw == sent.raw


def test_the_fault_stands_at_the_forms_own_field() -> None:
    settled, _ = settle(on_a_form(test="Yes"), True, newest=True)
    assert [fault.at for fault in settled.faults_told if fault.because == STAYS_LIVE] == ["/test"]
    assert settled.incident.test is None


def test_what_is_live_behind_a_test_is_named_and_makes_the_case_live() -> None:
    """A higher revision came first and says that it is a test: nobody live hears, so the sender must."""
    settled, live = settle(plain(test=False), False, newest=False)
    assert live
    assert [(fault.at, fault.because) for fault in settled.faults_told] == [("/test", BEHIND_A_TEST)]


@pytest.mark.parametrize("was_live", [None, True])
def test_what_is_live_and_says_so_is_taken_as_it_is(was_live: bool | None) -> None:
    sent = plain(test=False)
    assert settle(sent, was_live, newest=True) == (sent, True)


def test_a_sound_submission_takes_the_short_way_and_an_odd_one_the_long_way() -> None:
    assert plain().quick is not None
    assert odd().quick is None


@pytest.mark.parametrize("read", [plain, odd])
def test_another_forces_incident_is_refused_whichever_way_it_is_read(read: Any) -> None:
    with pytest.raises(Refused) as refused:
        read(force="southshire")
    assert (refused.value.status, refused.value.extra["at"]) == (403, "/force")


def test_the_number_waymark_gives_is_written_whichever_way_it_was_read() -> None:
    for read in (plain, odd):
        assert orjson.loads(read(revision=...).written(7))["revision"] == 7
        assert orjson.loads(read(revision=2).written(2))["revision"] == 2


@pytest.mark.parametrize(
    ("day", "title"),
    [
        ("32/13/2026", "incident_date cannot be read"),
        ("", "incident_date is missing"),
        (None, "incident_date is missing"),
    ],
)
def test_a_form_without_its_day_is_refused_by_the_name_of_its_own_box(day: str | None, title: str) -> None:
    with pytest.raises(Refused) as caught:
        on_a_form(incident_date=day)
    assert (caught.value.title, caught.value.extra["at"]) == (title, "/incident_date")
