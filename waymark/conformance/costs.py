"""What each gap costs: every message decided as it is, and the questions counted that it leaves open.

The filter takes each unknown at its least in `result` and at its greatest in `possible`, and asks only what
could change the result. So a field costs as much as the questions that would not be asked had it been
filled. The family is taken as known and without a past: what is open is open because of the message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.triage.domain.facts import INQUIRIES
from services.triage.evaluate import evaluate_incident
from services.triage.protocols import Library
from shared.areas import Areas
from shared.contracts.history import History
from shared.contracts.incident import Incident
from waymark.conformance.fields import FIELDS, Field

NO_PAST: Final = History(status="complete", incidents=[], involvement=[], marac=[], children_known=[])
_GRAVEST: Final = ("section_47", "marac", "section_17")


@dataclass(slots=True)
class FieldCost:
    """One field over all messages. `could`, `filled`: places where it could be, and where it is. `lacking`:
    messages that lack it somewhere; `asked`: of these, those in which the question that it settles is open;
    `could_add`: what the answer could add to the result, by how many messages."""

    about: Field
    could: int = 0
    filled: int = 0
    lacking: int = 0
    asked: int = 0
    could_add: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of places in which it is filled; 1 where there is none."""
        return self.filled / self.could if self.could else 1.0

    @property
    def because(self) -> str:
        """Why it matters."""
        return self.about.serves or INQUIRIES[self.about.settles[0]].because

    @property
    def weight(self) -> tuple[int, ...]:
        """To sort by: the gravest that it could add first."""
        return (*(self.could_add[one] for one in _GRAVEST), self.asked, self.lacking)

    def as_json(self) -> dict[str, Any]:
        """For the document of `--json`."""
        return {
            "at": self.about.at,
            "of": self.about.of,
            "could": self.could,
            "filled": self.filled,
            "share": round(self.share, 4),
            "messages_lacking": self.lacking,
            "messages_asked": self.asked,
            "could_add": dict(self.could_add.most_common()),
            "because": self.because,
        }


class Costs:
    """Decides messages one by one and adds up. `protocol` None: each area's own."""

    def __init__(self, library: Library, areas: Areas, protocol: str | None = None) -> None:
        self.fields = [FieldCost(one) for one in FIELDS]
        self.decided = 0
        self.undecided = 0
        self.open = 0
        self.waiting = 0
        self.questions: Counter[str] = Counter()
        self._library = library
        self._areas = areas
        self._protocol = protocol

    def note(self, incident: Incident) -> None:
        """Decide an incident and count what it lacks, and what that leaves open."""
        receipt = evaluate_incident(
            incident, NO_PAST, library=self._library, areas=self._areas, protocol=self._protocol
        )["receipt"]
        asked = {one["fact"]: one["would_add"] for one in receipt["questions"] if one["to"] == "police"}
        self.decided += 1
        self.undecided += bool(asked)
        self.open += receipt["possible"] != receipt["result"]
        self.waiting += "nobody_routed" in receipt["review"]["because"]
        self.questions.update(asked.keys())
        for cost in self.fields:
            places = list(cost.about.places(incident))
            cost.could += len(places)
            cost.filled += sum(places)
            if all(places):
                continue
            cost.lacking += 1
            open_ones = [asked[name] for name in cost.about.settles if name in asked]
            cost.asked += bool(open_ones)
            cost.could_add.update(_added(open_ones))

    def by_cost(self) -> list[FieldCost]:
        """The fields that are lacking somewhere, the dearest first."""
        return sorted((one for one in self.fields if one.lacking), key=lambda one: one.weight, reverse=True)

    def as_json(self) -> dict[str, Any]:
        """For the document of `--json`."""
        return {
            "decided": self.decided,
            "with_open_questions": self.undecided,
            "possible_above_result": self.open,
            "would_wait_for_a_person": self.waiting,
            "questions": dict(self.questions.most_common()),
            "fields": [one.as_json() for one in self.fields],
        }


def _added(answers: Iterable[Mapping[str, Any]]) -> set[str]:
    """What answers could add: services, and a response of children's services, by name."""
    added: set[str] = set()
    for adds in answers:
        added.update(adds.get("services", ()))
        if "css_response" in adds:
            added.add(adds["css_response"])
        if "victim_level" in adds:
            added.add(f"victim_{adds['victim_level']}")
    return added
