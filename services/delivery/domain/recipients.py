"""Who answers for what: recipients by role and area, and which of them a route goes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from services.delivery.domain.case import Route
from shared import vocabulary as v
from shared.privacy import Secret

TEST_PREFIX: Final = "test-"


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach a recipient. A webhook has an address and one or two signing secrets.

    `why_not`: why nothing goes this way at present (`not verified`, `disabled`); None where it may.
    """

    kind: v.ChannelKind
    url: str | None = None
    secrets: tuple[Secret, ...] = ()
    hours: Literal["always", "office", "out_of_hours"] = "always"
    why_not: str | None = None

    def open_at(self, in_office_hours: bool) -> bool:
        """Whether it is used at such a time."""
        return self.hours == "always" or (self.hours == "office") == in_office_hours


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets cases, in which role, for which areas or schools, and by which channels in turn."""

    id: str
    role: v.Service
    areas: tuple[str, ...]
    channels: tuple[Channel, ...]
    school_urns: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()
    test: bool = False
    stand_in: bool = False
    """Gets a case only by escalation, or because an area names it."""
    named_staff: tuple[str, ...] = ()
    """Who of its people may open a restricted case."""
    always_open: bool = True
    """False: somebody is there in the office hours of its area only."""
    out_of_hours: str | None = None
    notice: Secret | None = None
    contact: Secret | None = None
    second_contact: Secret | None = None
    on_call: Secret | None = None
    """E-mail addresses."""

    def first_channel(self, in_office_hours: bool = True) -> int:
        """The channel that a case goes by first: the first that may be used at such a time, else the first
        that may be used at all, else the first."""
        usable = [i for i, channel in enumerate(self.channels) if channel.why_not is None]
        fitting = [i for i in usable if self.channels[i].open_at(in_office_hours)]
        return next(iter(fitting or usable), 0)

    def next_channel(self, after: int) -> int | None:
        """The channel that comes after one that failed; None after the last."""
        return next((i for i in range(after + 1, len(self.channels)) if self.channels[i].why_not is None), None)

    def replaced_by(self, *, opens_next: datetime | None, due: datetime) -> str | None:
        """Who is told as well because nobody is there. `opens_next`: when somebody is again; None: now.

        A recipient's hours never move a deadline: where it falls before somebody is back, the stand-in for
        those hours has it too.
        """
        if self.always_open or opens_next is None or due > opens_next:
            return None
        return self.out_of_hours

    @property
    def inbox(self) -> int | None:
        """Which of its channels is its inbox; None where it has none."""
        return next((i for i, channel in enumerate(self.channels) if channel.kind == "inbox"), None)


@dataclass(frozen=True, slots=True)
class Addressed:
    """A route with its recipient; `recipient` None where nobody answers for it."""

    route: Route
    recipient: Recipient | None


@dataclass(frozen=True)
class Directory:
    """All recipients of a deployment. `childrens_services`: per area, who answers for a child there."""

    recipients: tuple[Recipient, ...]
    childrens_services: Mapping[str, str] = field(default_factory=dict)
    by_id: dict[str, Recipient] = field(init=False)
    _by_place: dict[tuple[str, str, bool], Recipient] = field(init=False)
    _by_school: dict[tuple[str, bool], Recipient] = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by_id", {recipient.id: recipient for recipient in self.recipients})
        put(self, "_by_place", {})
        put(self, "_by_school", {})
        for recipient in self.recipients:
            for urn in recipient.school_urns:
                self._by_school[urn, recipient.test] = recipient
            if not recipient.school_urns and not recipient.stand_in:
                for area in recipient.areas:
                    self._by_place[recipient.role, area, recipient.test] = recipient

    def faults(self) -> list[str]:
        """What is wrong, a sentence each: ids, places and schools taken twice, names that lead nowhere."""
        found = []
        seen: set[str] = set()
        for recipient in self.recipients:
            if recipient.id in seen:
                found.append(f"The recipient {recipient.id} is described twice.")
            seen.add(recipient.id)
            for urn in recipient.school_urns:
                if self._by_school[urn, recipient.test] is not recipient:
                    found.append(
                        f"The school {urn} is answered for by two recipients, one of them {recipient.id}."
                    )
            if not recipient.school_urns and not recipient.stand_in:
                found += [
                    f"Two recipients answer for {recipient.role} in {area}: "
                    f"{recipient.id} and {self._by_place[recipient.role, area, recipient.test].id}."
                    for area in recipient.areas
                    if self._by_place[recipient.role, area, recipient.test] is not recipient
                ]
            for other in recipient.escalate_to:
                if other not in self.by_id:
                    found.append(f"{recipient.id} escalates to {other}, which is not described.")
                elif other == recipient.id or self.by_id[other].test != recipient.test:
                    found.append(f"{recipient.id} cannot escalate to {other}.")
            there = recipient.out_of_hours
            if there is not None and (there not in self.by_id or there == recipient.id):
                found.append(f"{recipient.id} names {there} for out of hours, which is not another recipient.")
        for area, name in self.childrens_services.items():
            named = self.by_id.get(name)
            if named is None:
                found.append(f"The area {area} names {name} for its children, which is not described.")
            elif named.role != "childrens_services":
                found.append(f"The area {area} names {name} for its children, whose role is {named.role}.")
        return found

    def address(
        self, route: Route, incident: Mapping[str, Any], history: Mapping[str, Any], *, test: bool
    ) -> list[Addressed]:
        """Who a route goes to: children's services as the area says, a child's school by its number,
        everybody else by role and area. A test record goes to test recipients where there are any."""
        if route.service == "education":
            return self._schools(route, incident, history, test)
        return [Addressed(route, self._of_place(route, test))]

    def _of_place(self, route: Route, test: bool) -> Recipient | None:
        area = route.area
        if area is None:
            return None
        if test:
            testing = self._by_place.get((route.service, area, True))
            if testing is not None:
                return testing
        if route.service == "childrens_services" and area in self.childrens_services:
            return self.by_id.get(self.childrens_services[area])
        return self._by_place.get((route.service, area, False))

    def _schools(
        self, route: Route, incident: Mapping[str, Any], history: Mapping[str, Any], test: bool
    ) -> list[Addressed]:
        """A child whose school is not known, or who is taught at home, goes to the area's own education
        recipient (Victims and Prisoners Act 2024: the local authority)."""
        told: dict[str | None, list[str]] = {}
        found: dict[str, Recipient] = {}
        for child in route.about:
            recipient = self._school_of(schools_of(child, incident, history), test) or self._of_place(
                route, test
            )
            if recipient is not None:
                found[recipient.id] = recipient
            told.setdefault(recipient.id if recipient else None, []).append(child)
        return [
            Addressed(
                Route(
                    service=route.service,
                    about=tuple(children),
                    area=route.area,
                    response=route.response,
                    due=route.due,
                    basis=route.basis,
                    rules=route.rules,
                ),
                found.get(name) if name is not None else None,
            )
            for name, children in told.items()
        ] or [Addressed(route, self._of_place(route, test))]

    def _school_of(self, urns: Iterable[str], test: bool) -> Recipient | None:
        for urn in urns:
            recipient = (self._by_school.get((urn, True)) if test else None) or self._by_school.get(
                (urn, False)
            )
            if recipient is not None:
                return recipient
        return None


def schools_of(child: str, incident: Mapping[str, Any], history: Mapping[str, Any]) -> Sequence[str]:
    """The numbers of a child's school: as the police said, else as a confirmed record says. None for a
    child taught at home."""
    for one in incident.get("children") or ():
        if one["id"] != child:
            continue
        if one.get("home_educated") is True:
            return ()
        urn = (one.get("school") or {}).get("urn")
        if urn:
            return (urn,)
    return [
        known["school"]["urn"]
        for known in history.get("children_known") or ()
        if child in (known.get("child"), known.get("id"))
        and known.get("link", "certain") == "certain"
        and (known.get("school") or {}).get("urn")
    ]
