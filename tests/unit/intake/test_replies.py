"""What a sender is told beside a revision that was stored before."""

from __future__ import annotations

import orjson

from services.intake import replies
from services.intake.replies import Earlier
from services.intake.submissions import Submission, read_sent, read_submission
from shared.keys import Caller
from shared.ledger import now
from tests.builders import an_incident

POLICE = Caller(key="key-1", role="police", force="northshire")


def a_submission(**changes: object) -> Submission:
    raw = orjson.dumps(an_incident(**changes))
    return read_submission(read_sent(raw, "json"), caller=POLICE, arrived=now(), trace=None)


def test_what_an_amendment_changed_is_named_by_its_place() -> None:
    before = Earlier(orjson.dumps(an_incident(summary="One.")), "json", b'{"faults": [], "gaps": []}')
    assert replies.changes(before, a_submission(summary="Two.")) == ["/summary"]


def test_a_stored_revision_that_can_be_read_no_more_refuses_nothing_that_comes_after_it() -> None:
    before = Earlier(b"{no JSON any more", "json", b'{"faults": [], "gaps": []}')
    assert replies.changes(before, a_submission()) == ["/"]
    assert replies.differences(before, a_submission()) == ["/"]
