"""Where a case goes: which service, about whom, in which area, by when, on what legal basis, by which rules.

A child's route goes to the child's home area, else the victim's, else the incident's (with a question),
else to a person. Deadlines count from `as_of` in the calendar of the area that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.triage.domain.engine import Judged, JudgedChild, Summary
from services.triage.domain.protocol import CHILD_SERVICES, Meaning, Rule
from shared import vocabulary as v
from shared.areas import Area
from shared.contracts.base import write_moment
from shared.contracts.incident import Adult, Incident

SECTION_47: Final = v.CSS_RESPONSES.index("section_47")
_ORDER: Final = {service: place for place, service in enumerate(v.SERVICES)}
_OF_THE_PAIR: Final = frozenset(
    {"marac", "allocation_panel", "joint_visit", "multi_agency_centre", "community_safety"}
)
_PREVENTING_HARM: Final = frozenset({"marac", "sexual_offence_unit", "community_safety", "adult_safeguarding"})


def meanings(judged: Judged, summary: Summary) -> Iterator[tuple[int, str, Meaning]]:
    """What the levels that children have mean, with the reference; what the scale does where none is known."""
    protocol = judged.book.protocol
    if summary.levels:
        for level in sorted({level for level, _ in summary.levels}):
            if level in protocol.levels:
                yield level, f"{protocol.ref}#level-{level}", protocol.levels[level]
    elif summary.scale in protocol.without_child:
        yield (
            summary.scale,
            f"{protocol.ref}#without-child-{summary.scale}",
            protocol.without_child[summary.scale],
        )


def consider(judged: Judged, summary: Summary, acts: Sequence[Rule]) -> list[dict[str, Any]]:
    """Services put before a coordinator, with the rules that do so."""
    refs: dict[str, set[str]] = {}
    for rule in (*judged.given, *acts):
        for service in rule.consider:
            refs.setdefault(service, set()).add(rule.ref)
    for _, ref, meaning in meanings(judged, summary):
        for service in meaning.consider:
            refs.setdefault(service, set()).add(ref)
    return [{"service": one, "rules": sorted(refs[one])} for one in sorted(refs, key=_ORDER.__getitem__)]


@dataclass(slots=True)
class Router:
    """Finds the routes of one decision. Afterwards `asks` has the questions that looking for an area
    raised, `area_missing` says that somewhere there was none, `neighbours_used` whose calendars counted."""

    judged: Judged
    summary: Summary
    acts: Sequence[Rule]
    incident: Incident
    area: Area
    neighbours: Mapping[str, Area]
    as_of: datetime
    asks: set[str] = field(default_factory=set)
    area_missing: bool = False
    neighbours_used: dict[str, Area] = field(default_factory=dict)
    _of_case: dict[str, set[str]] = field(default_factory=dict)
    _of_child: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def routes(self) -> list[dict[str, Any]]:
        """A route for every service of the summary, per area, in the order of the vocabulary."""
        self._gather_rules()
        found: list[dict[str, Any]] = []
        for service in sorted(self.summary.services, key=_ORDER.__getitem__):
            told = self._for_children if service in CHILD_SERVICES else self._for_adults
            found += told(service)
        return found

    def _gather_rules(self) -> None:
        """Which rules tell which service; those that speak of one child alone apart."""
        protocol, of_case = self.judged.book.protocol, self._of_case
        shown = set(self.judged.given)
        for rule in (*self.judged.holding, *self.acts):
            if rule.routes and (rule in shown or rule in self.acts):
                for service in rule.routes:
                    of_case.setdefault(service, set()).add(rule.ref)
        for child, (level, _) in self._levels():
            told = [(rule.ref, rule.routes) for rule in child.holding if rule.routes and rule in shown]
            meaning = protocol.levels.get(level)
            if meaning is not None and meaning.routes:
                told.append((f"{protocol.ref}#level-{level}", meaning.routes))
            for ref, services in told:
                for service in services:
                    if service in CHILD_SERVICES:
                        self._of_child.setdefault((service, child.member.id), set()).add(ref)
                    else:
                        of_case.setdefault(service, set()).add(ref)
        if not self.summary.levels:
            for _, ref, meaning in meanings(self.judged, self.summary):
                for service in meaning.routes:
                    of_case.setdefault(service, set()).add(ref)

    def _levels(self) -> Iterator[tuple[JudgedChild, tuple[int, int]]]:
        return zip(self.judged.sure_children, self.summary.levels, strict=True)

    def _for_children(self, service: str) -> Iterator[dict[str, Any]]:
        chosen = [(child, css) for child, css in self._chosen(service)]
        places = self._by_area(((c.member.about, c.member.area) for c, _ in chosen), "child_home_area")
        for place, about in places.items():
            here = [(child, css) for child, css in chosen if child.member.about in about]
            refs = set(self._of_case.get(service, ()))
            for child, _ in here:
                refs |= self._of_child.get((service, child.member.id), set())
            response = None
            if service == "childrens_services":
                response = max(css for _, css in here)
                refs |= self._rules_that_set(response, [child for child, _ in here])
            yield self._route(service, about, place, response, refs)

    def _for_adults(self, service: str) -> Iterator[dict[str, Any]]:
        family = self.judged.case.family
        people: Iterable[Adult] = family.victims
        if service == "midwifery":
            people = {a.id: a for a in (*family.victims, *family.suspects) if a.pregnant}.values()
        elif service == "perpetrator_programme":
            people = [adult for adult in family.suspects if adult.programme_willing]
        for place, about in self._by_area(((a.id, a.area) for a in people), "victim_home_area").items():
            told = (*about, *family.suspect_ids) if service in _OF_THE_PAIR else about
            yield self._route(service, told, place, None, self._of_case.get(service, set()))

    def _chosen(self, service: str) -> Iterator[tuple[JudgedChild, int]]:
        at_school = self.judged.case.facts["school_age_children"].least if service == "education" else None
        for child, (_, css) in self._levels():
            if service == "childrens_services":
                told = css > 0
            else:
                told = service in self._of_case or (service, child.member.id) in self._of_child
            if told and (at_school is None or child.member.id in at_school):
                yield child, css

    def _rules_that_set(self, response: int, here: Sequence[JudgedChild]) -> set[str]:
        protocol = self.judged.book.protocol
        shown = set(self.judged.given)
        told = [rule for rule in self.acts if rule.css_response]
        for holding in (self.judged.holding, *(child.holding for child in here)):
            told += [rule for rule in holding if rule in shown]
        refs = {rule.ref for rule in told if rule.css_response == response}
        for child, (level, _) in self._levels():
            meaning = protocol.levels.get(level)
            if meaning is not None and meaning.css_response == response and child in here:
                refs.add(f"{protocol.ref}#level-{level}")
        if protocol.baseline is not None and protocol.baseline.css_response == response:
            refs.add(protocol.baseline.ref)
        if not refs:
            # A step led here: what it went up from, and what raised it.
            refs = {rule.ref for rule in told if rule.step_up or rule.css_response == response - 1}
            if protocol.baseline is not None and protocol.baseline.css_response == response - 1:
                refs.add(protocol.baseline.ref)
        return refs

    def _by_area(self, people: Iterable[tuple[str, str | None]], ask: str) -> dict[str | None, tuple[str, ...]]:
        victims_area = next((a.area for a in self.judged.case.family.victims if a.area), None)
        places: dict[str | None, tuple[str, ...]] = {}
        for about, own in people:
            place = own or victims_area
            if place is None:
                place = self.incident.area
                self.asks.add(ask)
            if about not in places.setdefault(place, ()):
                places[place] = (*places[place], about)
        if not places:
            self.asks.add(ask)
            places[self.incident.area] = ()
        return dict(sorted(places.items(), key=lambda item: item[0] or ""))

    def _route(
        self, service: str, about: tuple[str, ...], place: str | None, response: int | None, refs: set[str]
    ) -> dict[str, Any]:
        area = self.area
        if place is None:
            self.area_missing = True
        elif place != area.id and place in self.neighbours:
            area = self.neighbours_used[place] = self.neighbours[place]
        named = None if response is None else v.CSS_RESPONSES[response]
        consents = self.judged.case.facts["victim_consents"].least
        one: dict[str, Any] = {"service": service, "about": list(about), "area": place}
        if named is not None:
            one["response"] = named
        one["due"] = write_moment(area.due(service, named, self.as_of))
        one["basis"] = basis(service, response, consents=consents)
        one["rules"] = sorted(refs)
        return one


def basis(service: str, response: int | None, *, consents: bool) -> str:
    """London 2008 s8.2.2, s9.5.2 e, s9.5.5 d: with agreement where it can be had, without at the top."""
    if service == "education":
        return "statutory_duty"
    if service in _PREVENTING_HARM:
        return "prevention_of_harm"
    if service == "child_abuse_investigation" or response == SECTION_47:
        return "safeguarding_without_consent"
    if consents:
        return "consent"
    for_children = service in CHILD_SERVICES or service == "midwifery"
    return "safeguarding_without_consent" if for_children else "prevention_of_harm"
