"""What an incident, a decision and an answer leave behind for those that come later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, get_args

from services.enrichment.domain.circumstances import (
    NOTHING_TOLD,
    Circumstances,
    circumstances_from,
    circumstances_of,
)
from services.enrichment.domain.linkage import can_be_found
from services.enrichment.domain.people import Mention, mention_adult, mention_child, mention_from
from services.enrichment.domain.ties import Named
from services.enrichment.progress import AnsweredForHistory, DecidedForHistory
from shared import vocabulary as v
from shared.contracts.base import LOCAL_TIME
from shared.contracts.events import CaseAnswered, CaseDecided, IncidentAccepted
from shared.contracts.history import Involvement
from shared.contracts.incident import Happened, Incident

Place = tuple[datetime, str]
"""Where a case stands in its family's history: when it was first accepted, then its id."""

_GRAVE: Final = frozenset({"burn", "weapon", "strangulation", "sexual"})
_PHYSICAL: Final = frozenset(v.PHYSICAL_VIOLENCE)
_WEAPON_AT_WORK: Final = frozenset({"used", "injured"})


@dataclass(frozen=True, slots=True)
class Account:
    """What others may come to know of an incident. `children_known`, `adults_known`: the list was there."""

    case: str
    force: str
    reference: str
    accepted_at: datetime
    occurred_at: datetime
    withdrawn: bool = False
    test: bool = False
    area: str | None = None
    people: tuple[Mention, ...] = ()
    adults_known: bool = False
    children_known: bool = False
    children_present: bool | None = None
    police_level: v.PoliceLevel | None = None
    violence_level: v.ViolenceLevel | None = None
    violence: tuple[v.Violence, ...] | None = None
    injury: bool | None = None
    circumstances: Circumstances = NOTHING_TOLD
    restricted: bool = False
    """Whether named staff alone may know of it: so-called honour, forced marriage (London 2008 app. 2)."""

    @property
    def place(self) -> Place:
        """Its place in the order of acceptance."""
        return (self.accepted_at, self.case)

    @property
    def mentions(self) -> tuple[str, ...]:
        """The id in the register of each of its people, in their order.

        It is the case's with the person's own. Where a sender gave one id to several, the second and those
        after it have their place added.
        """
        ids: dict[str, None] = {}
        for place, one in enumerate(self.people):
            own = one.id if one.id.isprintable() else repr(one.id)
            name = f"{self.case}\n{own}"
            ids[name if name not in ids else f"{name} ({place})"] = None
        return tuple(ids)

    @property
    def named(self) -> list[Named]:
        """Its people as they are filed; who gives nothing to be found by is not."""
        people = zip(self.mentions, self.people, strict=True)
        return [Named(id_, self.case, one.person, self.test) for id_, one in people if can_be_found(one.person)]

    def as_data(self) -> dict[str, Any]:
        """Plain data, as stored; case and acceptance are kept beside it."""
        return {
            "force": self.force,
            "reference": self.reference,
            "occurred_at": self.occurred_at.isoformat(),
            "withdrawn": self.withdrawn,
            "test": self.test,
            "area": self.area,
            "people": [one.as_data() for one in self.people],
            "adults_known": self.adults_known,
            "children_known": self.children_known,
            "children_present": self.children_present,
            "police_level": self.police_level,
            "violence_level": self.violence_level,
            "violence": self.violence,
            "injury": self.injury,
            "circumstances": self.circumstances.as_data(),
            "restricted": self.restricted,
        }


def account_from(case: str, accepted_at: datetime, data: dict[str, Any]) -> Account:
    """An account from what `as_data` gave."""
    violence = data["violence"]
    return Account(
        case=case,
        force=data["force"],
        reference=data["reference"],
        accepted_at=accepted_at,
        occurred_at=datetime.fromisoformat(data["occurred_at"]),
        withdrawn=data["withdrawn"],
        test=data.get("test", False),
        area=data["area"],
        people=tuple(mention_from(one) for one in data["people"]),
        adults_known=data["adults_known"],
        children_known=data["children_known"],
        children_present=data["children_present"],
        police_level=data["police_level"],
        violence_level=data["violence_level"],
        violence=None if violence is None else tuple(violence),
        injury=data["injury"],
        circumstances=circumstances_from(data.get("circumstances")),
        restricted=data.get("restricted", False),
    )


def account_of(accepted: IncidentAccepted) -> Account:
    """The account that an accepted revision gives. A withdrawn incident names nobody and tells nothing."""
    incident = accepted.incident
    if incident.withdrawn:
        return Account(
            incident.case,
            incident.force,
            incident.reference,
            accepted.accepted_at,
            incident.occurred_at,
            withdrawn=True,
            area=incident.area,
        )
    adults, children = incident.adults or (), incident.children or ()
    said = incident.incident
    return Account(
        case=incident.case,
        force=incident.force,
        reference=incident.reference,
        accepted_at=accepted.accepted_at,
        occurred_at=incident.occurred_at,
        test=bool(incident.test),
        area=incident.area,
        people=(*map(mention_adult, adults), *map(mention_child, children)),
        adults_known=incident.adults is not None,
        children_known=incident.children is not None,
        children_present=children_present(incident),
        police_level=None if incident.risk is None else incident.risk.level,
        violence_level=violence_level(incident),
        violence=None if said is None or said.violence is None else tuple(said.violence),
        injury=injury(incident),
        circumstances=circumstances_of(incident),
        restricted=said is not None and bool(said.honour_based or said.forced_marriage),
    )


def children_present(incident: Incident) -> bool | None:
    """Whether a child was on the premises or drawn in (NSPCC 2009 table 19); None where nobody says."""
    if incident.children is None:
        return None
    unsaid = False
    for child in incident.children:
        drawn_in = (
            child.intervened,
            child.held_by_adult,
            child.assaulted,
            child.injured,
            child.called_for_help,
        )
        if child.presence not in (None, "not_on_premises") or any(drawn_in):
            return True
        unsaid = unsaid or child.presence is None
    return None if unsaid else False


def injury(incident: Incident) -> bool | None:
    """Whether anybody was hurt, a child included; None where injuries were not spoken of."""
    if any(child.injured for child in incident.children or ()):
        return True
    said = incident.incident
    return None if said is None or said.injuries is None else bool(said.injuries)


def violence_level(incident: Incident) -> v.ViolenceLevel | None:
    """The level of violence by NSPCC 2009 box 10.

    High: somebody was hurt, grave force, or a threat to kill. Medium: force that hurt nobody. None or
    low: words only. None where what would tell was not recorded.
    """
    said = incident.incident or Happened()
    violence = frozenset(said.violence or ())
    weapon_used = any(weapon.use in _WEAPON_AT_WORK for weapon in said.weapons or ())
    if (
        injury(incident)
        or violence & _GRAVE
        or "kill" in (said.threats or ())
        or weapon_used
        or said.strangulation
        or said.sexual_offence
    ):
        return "high"
    if violence & _PHYSICAL or any(child.assaulted for child in incident.children or ()):
        return "medium"
    return None if said.violence is None else "none_low"


@dataclass(frozen=True, slots=True)
class Decided:
    """What the newest decision on a case adds. `about`: the children that the route to CSS was about."""

    child_level: int | None
    notified_css: bool
    marac_on: date | None
    about: tuple[str, ...] = ()


def decided_of(body: DecidedForHistory | CaseDecided) -> Decided | None:
    """What a decision adds to history; None for a withdrawn case.

    `marac_on` is the day, in England, of the moment that the decision speaks of.
    """
    if body.state == "withdrawn":
        return None
    if isinstance(body, CaseDecided):
        body = DecidedForHistory.model_validate(body.model_dump(mode="json", by_alias=True))
    receipt = body.decision.receipt
    services = {route.service for route in receipt.routes}
    about = (one for route in receipt.routes if route.service == "childrens_services" for one in route.about)
    return Decided(
        child_level=receipt.result.child_level,
        notified_css="childrens_services" in services,
        marac_on=body.as_of.astimezone(LOCAL_TIME).date() if "marac" in services else None,
        about=tuple(dict.fromkeys(about)),
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A pathway that children's services chose for a case, and when they said so (UTC)."""

    pathway: v.Pathway
    at: datetime


def taken_of(body: AnsweredForHistory | CaseAnswered) -> tuple[Taken, ...]:
    """The pathways that children's services decided on, in time order; nothing else joins the history."""
    found = {
        Taken(answer.pathway, answer.at)
        for answer in body.answers
        if answer.kind == "decided" and answer.pathway is not None and answer.service == "childrens_services"
    }
    return tuple(sorted(found, key=lambda one: (one.at, one.pathway)))


def heard_of(body: AnsweredForHistory | CaseAnswered) -> date | None:
    """The day on which a MARAC heard the case last, as its coordinator recorded."""
    return max((one.heard_on for one in body.heard if one.kind == "marac"), default=None)


@dataclass(slots=True)
class Case:
    """An incident with what was decided and answered. `family`: the family's number as last written."""

    account: Account
    decided: Decided | None = None
    taken: tuple[Taken, ...] = ()
    heard: date | None = None
    """The day on which a MARAC heard it last."""
    family: int | None = None

    @property
    def id(self) -> str:
        """`force/reference`."""
        return self.account.case

    def pairs(self, persons: Sequence[str]) -> list[tuple[str | None, str | None]]:
        """Victim and perpetrator, each with each, as persons; None for one whom nobody named."""
        people = list(zip(self.account.people, persons, strict=True))
        victims: list[str | None] = [person for one, person in people if one.role in ("victim", "both")]
        suspects: list[str | None] = [person for one, person in people if one.role in ("suspect", "both")]
        return [
            (victim, suspect)
            for victim in dict.fromkeys(victims or [None])
            for suspect in dict.fromkeys(suspects or [None])
            if victim != suspect
        ]


def case_of(
    accepted: IncidentAccepted, decided: CaseDecided | None = None, answered: CaseAnswered | None = None
) -> Case:
    """A case as the services' newest events tell it."""
    return Case(
        account_of(accepted),
        None if decided is None else decided_of(decided),
        () if answered is None else taken_of(answered),
        None if answered is None else heard_of(answered),
    )


_HOUSEHOLD: Final = frozenset(get_args(v.RelationshipKind)) - {
    "ex_partner", "ex_spouse", "adult_child", "other_relative"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Related:
    """A relationship in social care's records, to another record of the same source by its id."""

    other: str
    kind: v.RelationshipKind | None

    @property
    def of_the_household(self) -> bool:
        """Whether a child so related is a child of the home."""
        return self.kind in _HOUSEHOLD


@dataclass(slots=True)
class Record:
    """A person as a council's children's services have them. `family`: as last written."""

    source: str
    person: Mention
    related: tuple[Related, ...] = ()
    involvement: Involvement | None = None
    family: int | None = None

    @property
    def holder(self) -> str:
        """A name that no case has: a force's code holds no `#`. It is the mention's id in the register too."""
        return holder_recorded(self.source, self.person.id)

    @property
    def named(self) -> list[Named]:
        """The person as filed; nobody where nothing is given to be found by."""
        person = self.person.person
        return [Named(self.holder, self.holder, person)] if can_be_found(person) else []

    def holder_of(self, related: Related) -> str:
        """The holder of the record at the other end."""
        return holder_recorded(self.source, related.other)


def holder_recorded(source: str, record: str) -> str:
    """What holds the mention of a person of social care's records."""
    return f"#{source}\n{record}"


def source_of(holder: str) -> tuple[str, str] | None:
    """Source and id of the record that a holder is; None where it is a case."""
    if not holder.startswith("#"):
        return None
    source, _, record = holder[1:].partition("\n")
    return source, record


def holder_of(mention: str) -> str:
    """The case or the record whose mention it is, by its id."""
    return mention if mention.startswith("#") else mention.rpartition("\n")[0]
