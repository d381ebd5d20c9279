"""Whether a case is live: once any revision of it was no test, no later one makes it a test again.

A live case that became a test would drop out of its family's history, and the recipients who were told of
it would never hear. To take an incident back there is `withdrawn`, which reaches them all. The other way
is open: a test that is sent again as no test goes to live recipients from then on. A live revision that
comes behind a higher one that says it is a test makes the case live too: the end is that of the other order.
"""

from __future__ import annotations

from typing import Final

from services.intake.submissions import Submission
from shared.contracts.incident import Fault

STAYS_LIVE: Final = "the case is live: to take it back send withdrawn: true"
BEHIND_A_TEST: Final = (
    "a higher revision of the case says that it is a test: the case is live, and that revision goes to live"
    " recipients"
)


def settle(submission: Submission, was_live: bool | None, *, newest: bool) -> tuple[Submission, bool]:
    """The submission as it goes on beside what is stored of its case, and whether the case is live with it.

    `was_live`: None where the case is new. `newest`: whether the case goes on as this revision says. What
    is not taken as sent is named as a fault at `/test`.
    """
    said = submission.incident.test
    if said is True:
        if not was_live:
            return submission, False
        return submission.with_fault(Fault(at="/test", said=True, because=STAYS_LIVE), test=None), True
    if was_live is False and not newest:
        return submission.with_fault(Fault(at="/test", said=said, because=BEHIND_A_TEST)), True
    return submission, True
