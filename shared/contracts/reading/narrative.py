"""What the narrative seems to speak of: a plain word list, used to name gaps and for nothing else.

The words, and how they are looked for, stand in `narrative.yaml`. All of them are one expression, made
once; a text is gone through once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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
    return WordList(
        topics={topic: entry["because"] for topic, entry in said["topics"].items()},
        topic_of=topic_of,
        negations=frozenset(said["negations"]),
        pattern=re.compile(rf"\b{_any_of(topic_of)}\b"),
    )


def _any_of(words: Iterable[str]) -> str:
    """An expression for any of the words that goes letter by letter, so that most of a text falls away at
    the first letter; a space stands for any run of white space."""
    tree: dict[str, Any] = {}
    for word in words:
        branch = tree
        for letter in word:
            branch = branch.setdefault(letter, {})
        branch[""] = {}

    def written(branch: dict[str, Any]) -> str:
        nexts = [
            (r"\s+" if letter == " " else re.escape(letter)) + written(branch[letter])
            for letter in sorted(branch)
            if letter
        ]
        if not nexts:
            return ""
        ends = "?" if "" in branch else ""
        return f"(?:{'|'.join(nexts)}){ends}"

    return written(tree)


WORDS: Final = load_words()


def topics_of(text: str, words: WordList = WORDS, *, wanted: Callable[[str], bool] = bool) -> set[str]:
    """The topics that the first LOOKED_THROUGH characters of a text seem to speak of.

    `wanted` says of a topic whether it is of interest; it is asked once per topic that comes up.
    """
    text = text[:LOOKED_THROUGH].lower()
    found: set[str] = set()
    passed: set[str] = set()
    for match in words.pattern.finditer(text):
        said = match[0]
        topic = words.topic_of.get(said) or words.topic_of[" ".join(said.split())]
        if topic in found or topic in passed:
            continue
        if not wanted(topic):
            passed.add(topic)
        elif not _negated(text, match.start(), words.negations):
            found.add(topic)
    return found


def _negated(text: str, start: int, negations: frozenset[str]) -> bool:
    clause = _TAIL.search(text, max(0, start - 60), start)
    before = _WORD.findall(clause[0]) if clause is not None else []
    return not negations.isdisjoint(before[-_WORDS_BEFORE:])
