"""Whether the people of a list have kin on it: what a list itself shows of look-alikes.

In a register of families most people stand beside somebody of their family name and home. In a list of
single people (offenders, a sample, a survey) nobody does, and then a twin or a namesake parent is far rarer
than a given name written otherwise. Nobody has to say which kind of list it is: it shows.
"""

from __future__ import annotations

from typing import Final

from services.enrichment.domain.linkage.person import Person

ENOUGH_PEOPLE: Final = 1000
"""Fewer people show nothing: one person in thirty is a twin, so a thousand would show some."""
HARDLY_ANY: Final = 0.01
"""The share of people with kin beside them below which a list holds no families."""


class Kin:
    """Counts people of one family name who share a home or a whole birth date and differ in given name."""

    def __init__(self) -> None:
        self._people = 0
        self._with_kin = 0
        self._bearers: dict[tuple[str, str], str | None] = {}

    def count(self, person: Person) -> None:
        """Count a person in."""
        self._people += 1
        name = person.name
        if not name.family or not name.given:
            return
        shared = [person.street] if person.street else []
        if len(person.born) == 8:
            shared.append(person.born)
        found = 0
        for what in shared:
            key = (name.family, what)
            bearer = self._bearers.setdefault(key, name.given)
            if bearer is None:
                found = max(found, 1)
            elif bearer != name.given:
                self._bearers[key] = None
                found = 2
        self._with_kin += found

    @property
    def share(self) -> float:
        """The share of people with kin beside them, between 0 and 1 (or a little over)."""
        return self._with_kin / max(1, self._people)

    @property
    def none_seen(self) -> bool:
        """Whether there are people enough to show kin, and hardly any is seen."""
        return self._people >= ENOUGH_PEOPLE and self.share < HARDLY_ANY
