"""What a submission is beside what is stored: new, an amendment, a repeat, a conflict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import HIGHEST_REVISION, Known, Submission, Verdict, judge, knowing


def sent(content: str, revision: int | None = None, *, withdrawn: bool = False) -> Submission:
    return Submission(revision, content.encode(), withdrawn)


def stored(*contents: str) -> Known:
    """A case whose revisions 1, 2, ... have these contents."""
    return Known(len(contents), {number: content.encode() for number, content in enumerate(contents, 1)})


def test_first_submission_of_a_case_is_accepted() -> None:
    assert judge(sent("a", 1), None) == Verdict("accepted", 1, newest=True)


def test_first_submission_without_a_revision_is_number_one() -> None:
    assert judge(sent("a"), None) == Verdict("accepted", 1, newest=True)


def test_first_submission_may_carry_a_later_revision() -> None:
    assert judge(sent("a", 7), None) == Verdict("accepted", 7, newest=True)


def test_same_revision_with_the_same_content_is_a_repeat() -> None:
    assert judge(sent("a", 1), stored("a")) == Verdict("repeated", 1)


def test_an_older_revision_sent_again_is_a_repeat_of_that_revision() -> None:
    assert judge(sent("a", 1), stored("a", "b")) == Verdict("repeated", 1)


def test_same_revision_with_other_content_is_a_conflict() -> None:
    assert judge(sent("b", 1), stored("a")) == Verdict("conflict", 1)


def test_a_higher_revision_is_an_amendment_even_with_the_same_content() -> None:
    assert judge(sent("a", 2), stored("a")) == Verdict("amended", 2, newest=True)


def test_without_a_revision_other_content_is_the_next_amendment() -> None:
    assert judge(sent("b"), stored("a")) == Verdict("amended", 2, newest=True)


def test_without_a_revision_the_newest_content_is_a_repeat() -> None:
    assert judge(sent("b"), stored("a", "b")) == Verdict("repeated", 2)


def test_without_a_revision_going_back_to_older_content_is_an_amendment() -> None:
    assert judge(sent("a"), stored("a", "b")) == Verdict("amended", 3, newest=True)


def test_a_lower_revision_arriving_late_is_kept_and_changes_nothing() -> None:
    known = Known(3, {3: b"c"})
    verdict = judge(sent("a", 1), known)
    assert verdict == Verdict("amended", 1, newest=False)
    assert verdict.to_store
    after = knowing(known, sent("a", 1), verdict)
    assert after is not None
    assert after.newest == 3


def test_recorded_in_error_is_an_amendment_that_withdraws() -> None:
    assert judge(sent("x", 2, withdrawn=True), stored("a")) == Verdict("withdrawn", 2, newest=True)


def test_a_case_may_be_withdrawn_before_it_was_ever_sent() -> None:
    assert judge(sent("x", withdrawn=True), None) == Verdict("withdrawn", 1, newest=True)


def test_a_withdrawn_case_can_be_taken_up_again() -> None:
    assert judge(sent("a", 3), stored("a", "x")) == Verdict("amended", 3, newest=True)


def test_after_the_highest_revision_there_is_no_next_number() -> None:
    known = Known(HIGHEST_REVISION, {HIGHEST_REVISION: b"a"})
    verdict = judge(sent("b"), known)
    assert verdict.word == "used_up"
    assert not verdict.to_store


submissions = st.lists(
    st.builds(
        sent,
        st.sampled_from("abc"),
        st.one_of(st.none(), st.integers(1, 5)),
        withdrawn=st.booleans(),
    ),
    max_size=12,
)


def judged_in_turn(sequence: list[Submission]) -> tuple[list[Verdict], Known | None]:
    known: Known | None = None
    verdicts = []
    for submission in sequence:
        verdict = judge(submission, known)
        known = knowing(known, submission, verdict)
        verdicts.append(verdict)
    return verdicts, known


@given(submissions)
def test_every_revision_is_stored_once_and_never_changes(sequence: list[Submission]) -> None:
    verdicts, known = judged_in_turn(sequence)
    kept = [(v.revision, s.content) for v, s in zip(verdicts, sequence, strict=True) if v.to_store]
    assert len({revision for revision, _ in kept}) == len(kept)
    assert dict(kept) == ({} if known is None else known.contents)


@given(submissions)
def test_the_newest_revision_is_the_highest_stored(sequence: list[Submission]) -> None:
    verdicts, known = judged_in_turn(sequence)
    stored_numbers = [v.revision for v in verdicts if v.to_store]
    if known is not None:
        assert known.newest == max(stored_numbers)
    newest = [v.revision for v in verdicts if v.newest]
    assert newest == sorted(set(newest))


@given(submissions)
def test_sending_everything_once_more_stores_nothing(sequence: list[Submission]) -> None:
    numbered = [s for s in sequence if s.revision is not None]
    _, known = judged_in_turn(numbered)
    for submission in numbered:
        again = judge(submission, known)
        assert again.word in ("repeated", "conflict")
