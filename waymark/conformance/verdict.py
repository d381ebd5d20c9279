"""The verdict on a supplier's messages: what is refused, what is faulty, what is missing at what price."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from waymark.conformance.costs import Costs
from waymark.conformance.door import Answer, Door
from waymark.conformance.messages import Message
from waymark.conformance.schema import GoodSender

Word = Literal["good", "gaps", "faults", "refused", "nothing"]

GOOD_SHARE: Final = 0.95
"""So many of the messages leave no question to the police, for a sender to be called good."""

NUMBERS_NAMED: Final = 10
_INDEX: Final = re.compile(r"/\d+(?=/|$)")


@dataclass(slots=True)
class Place:
    """Something named at one place for one reason: how often, and in which messages (the first few)."""

    at: str
    because: str
    count: int = 0
    numbers: list[int] = field(default_factory=list)

    def note(self, number: int) -> None:
        """Once more, in message `number`."""
        self.count += 1
        if len(self.numbers) < NUMBERS_NAMED and number not in self.numbers:
            self.numbers.append(number)

    def as_json(self) -> dict[str, Any]:
        """For the document of `--json`."""
        return {"at": self.at, "because": self.because, "count": self.count, "numbers": self.numbers}


class Places:
    """What was named, by place and reason."""

    def __init__(self) -> None:
        self._by: dict[tuple[str, str], Place] = {}

    def note(self, at: str, because: str, number: int) -> None:
        """Something at a place of message `number`; entries of a list count as one place."""
        at = _INDEX.sub("/*", at)
        self._by.setdefault((at, because), Place(at, because)).note(number)

    @property
    def total(self) -> int:
        """How often anything was named."""
        return sum(place.count for place in self._by.values())

    def most_common(self) -> list[Place]:
        """The most frequent first."""
        return sorted(self._by.values(), key=lambda place: (-place.count, place.at))


class Check:
    """Everything that is known of a supplier's messages. `good_sender`: the schema to hold them against."""

    def __init__(self, door: Door, costs: Costs, good_sender: GoodSender | None = None) -> None:
        self.door = door
        self.costs = costs
        self.good_sender = good_sender
        self.messages = 0
        self.statuses: Counter[int] = Counter()
        self.words: Counter[str] = Counter()
        self.refusals = Places()
        self.faults = Places()
        self.gaps = Places()
        self.breaches = Places()
        self.faulty = 0
        self.off_schema = 0

    def read(self, messages: Iterable[Message]) -> None:
        """Judge messages in their order."""
        for message in messages:
            self._note(self.door.answer(message))

    def _note(self, answer: Answer) -> None:
        self.messages += 1
        self.statuses[answer.status] += 1
        if not answer.taken:
            self.refusals.note(answer.at, f"{answer.status} {answer.title}", answer.number)
        if answer.word is not None:
            self.words[answer.word] += 1
        for fault in answer.faults:
            self.faults.note(fault.at, fault.because, answer.number)
        for gap in answer.gaps:
            self.gaps.note(gap.at, gap.because, answer.number)
        self.faulty += bool(answer.faults)
        if self.good_sender is not None and answer.content is not None:
            breaches = list(self.good_sender.breaches(answer.content))
            self.off_schema += bool(breaches)
            for breach in breaches:
                self.breaches.note(breach.at, breach.because, answer.number)
        if answer.incident is not None and answer.word in ("accepted", "amended"):
            self.costs.note(answer.incident)

    @property
    def refused(self) -> int:
        """Messages that the door would not take."""
        return self.messages - self.statuses[202]

    @property
    def word(self) -> Word:
        """The verdict in a word."""
        if not self.messages:
            return "nothing"
        if self.refused:
            return "refused"
        if self.faulty:
            return "faults"
        unasked = self.costs.decided - self.costs.undecided
        complete = unasked >= GOOD_SHARE * self.costs.decided
        return "good" if complete and not self.off_schema else "gaps"

    @property
    def sentence(self) -> str:
        """The verdict in a line."""
        of = f"of {self.messages} messages"
        if self.word == "nothing":
            return "Nothing to judge: there is no message."
        if self.word == "refused":
            return f"Would be refused: {self.refused} {of}."
        if self.word == "faults":
            return f"Takes part, with faults: in {self.faulty} {of} something is written that cannot be read."
        open_ones = f"{self.costs.undecided} {of} leave a question that could change what is done"
        if self.word == "gaps":
            off = f"; {self.off_schema} are not as the schema says" if self.off_schema else ""
            return f"Takes part, with gaps: {open_ones}{off}."
        return f"Good: {open_ones}." if self.costs.undecided else f"Good: none {of} leaves a question open."

    @property
    def passed(self) -> bool:
        """No message would be refused, and none has faults."""
        return self.word in ("good", "gaps")

    def as_json(self) -> dict[str, Any]:
        """The document of `waymark check-sender --json`."""
        sequence = self.door.sequence
        return {
            "verdict": self.word,
            "sentence": self.sentence,
            "messages": self.messages,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "words": dict(self.words.most_common()),
            "refused": self.refused,
            "with_faults": self.faulty,
            "refusals": [one.as_json() for one in self.refusals.most_common()],
            "faults": [one.as_json() for one in self.faults.most_common()],
            "gaps": [one.as_json() for one in self.gaps.most_common()],
            "off_schema": self.off_schema,
            "schema": [one.as_json() for one in self.breaches.most_common()],
            "sequence": {
                "forces": dict(sequence.forces.most_common()),
                "marked_test": sequence.tests,
                "repeated": self.words["repeated"],
                "without_revision": sequence.unnumbered,
                "revisions_backwards": sequence.backwards,
                "recorded_before_the_one_in_front": sequence.earlier,
            },
            "form_cannot_carry": [gap.as_json() for gap in self.door.cannot_carry],
            "decisions": self.costs.as_json(),
        }
