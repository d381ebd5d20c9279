"""The word list does what its file says: whole words, plurals, simple negation, and nothing more."""

from __future__ import annotations

import pytest

from shared.contracts.reading.narrative import LOOKED_THROUGH, WORDS, topics_of


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("He picked up a KNIFE.", {"weapon"}),
        ("Two hammers lay there", {"weapon"}),
        ("held by   the\nthroat", {"strangulation"}),
        ("The boy's mother is pregnant", {"child", "pregnancy"}),
        ("He wanted to talk about the windows and the lawn.", set()),
        ("A battery, a kidney and a button", set()),
        ("", set()),
    ],
)
def test_whole_words_plurals_and_phrases_are_found_in_any_capitals(text: str, topics: set[str]) -> None:
    assert topics_of(text) == topics


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("No weapon was seen.", set()),
        ("She denies that she is pregnant", set()),
        ("There were no visible injuries", set()),
        ("She did not leave. He had a knife.", {"weapon"}),
        ("No knife at first; then he fetched a knife", {"weapon"}),
        ("Nobody was there and a long time afterwards he came back with an axe", {"weapon"}),
    ],
)
def test_a_word_is_passed_over_only_right_after_a_negation_in_its_sentence(text: str, topics: set[str]) -> None:
    assert topics_of(text) == topics


def test_every_word_of_the_list_is_found_alone_and_gives_its_topic() -> None:
    assert len(WORDS.topics) == 9
    for word, topic in WORDS.topic_of.items():
        assert topics_of(f"then {word} then") == {topic}, word


def test_no_word_stands_under_two_topics() -> None:
    assert all(topic in WORDS.topics for topic in WORDS.topic_of.values())
    assert WORDS.negations.isdisjoint(WORDS.topic_of)


def test_a_topic_that_nobody_wants_is_not_looked_at_twice() -> None:
    asked: list[str] = []

    def wanted(topic: str) -> bool:
        asked.append(topic)
        return False

    assert topics_of("knife, axe, hammer, baby, baby", wanted=wanted) == set()
    assert asked == ["weapon", "child"]


def test_a_narrative_of_five_million_characters_is_looked_through_only_in_part() -> None:
    assert topics_of("a " * LOOKED_THROUGH + "knife") == set()
    assert topics_of("knife " + "a " * 2_500_000) == {"weapon"}
