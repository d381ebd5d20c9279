"""What the narrative seems to speak of: a plain word list, used to name gaps and for nothing else.

The words, and how they are looked for, stand in `narrative.yaml`. All of them are one expression, made
once; a text is gone through once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import yaml

LOOKED_THROUGH: Final = 50_000
"""Characters of a narrative that are looked through; a longer one is said to be too long."""

_WORDS_BEFORE: Final = 4
_TAIL: Final = re.compile(r"[^.;:!?\n]*\Z")
_WORD: Final = re.compile(r"[a-z']+")


@dataclass(frozen=True, slots=True)
class WordList:
    """The list as read: each word with its topic, what each topic is called, and what negates."""

    topics: dict[str, str]
    topic_of: dict[str, str]
    negations: frozenset[str]
    pattern: re.Pattern[str]


def load_words() -> WordList:
    """Read the list that is part of this package."""
    file = resources.files(__package__) / "narrative.yaml"
    # Everything as text: YAML 1.1 would read the word no as false.
    said = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return _word_list(said)


def _word_list(said: dict[str, Any]) -> WordList:
    topic_of: dict[str, str] = {}
    for topic, entry in said["topics"].items():
        for word in entry["words"]:
            topic_of.setdefault(word, topic)
            topic_of.setdefault(f"{word}s", topic)
            topic_of.setdefault(f"{word}es", topic)
    by_letter: dict[str, list[str]] = defaultdict(list)
    for word in sorted(topic_of, key=len, reverse=True):
        by_letter[word[0]].append(re.escape(word[1:]).replace(r"\ ", r"\s+"))
    # One branch per first letter: most words of a text are then passed over at their first letter.
    branches = "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in sorted(by_letter.items()))
    return WordList(
        topics={topic: entry["because"] for topic, entry in said["topics"].items()},
        topic_of=topic_of,
        negations=frozenset(said["negations"]),
        pattern=re.compile(rf"\b(?:{branches})\b"),
    )


WORDS: Final = load_words()


def topics_of(text: str, words: WordList = WORDS) -> set[str]:
    """The topics that the first LOOKED_THROUGH characters of a text seem to speak of."""
    text = text[:LOOKED_THROUGH].lower()
    found: set[str] = set()
    for match in words.pattern.finditer(text):
        topic = words.topic_of[" ".join(match[0].split())]
        if topic not in found and not _negated(text, match.start(), words.negations):
            found.add(topic)
    return found


def topics_of_all(texts: Iterable[str | None]) -> set[str]:
    """The same of several texts."""
    said = [text for text in texts if text]
    return topics_of("\n".join(said)) if said else set()


def _negated(text: str, start: int, negations: frozenset[str]) -> bool:
    clause = _TAIL.search(text, max(0, start - 60), start)
    before = _WORD.findall(clause[0]) if clause is not None else []
    return not negations.isdisjoint(before[-_WORDS_BEFORE:])
