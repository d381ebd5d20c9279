"""A champion's look-up: whether the police were called to a child's family, for somebody concerned about it.

NSPCC 2009 s9.4 (Oxfordshire): trained champions in agencies and schools may ask for police information on
concern about a child. A pull: by a champion's own key, with a reason, for children of the champion's areas, so
many a day, and every one audited, those that find nothing too. Told is what helps to help the child and no
more: when, how violent, where the child was. Nobody is named; what is restricted (S13) is not told.
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from services.enrichment import people_store, store
from services.enrichment.domain import Named, gather_families, holder_of, person_asked, tie
from services.enrichment.domain.linkage import Person, full_keys
from services.enrichment.surroundings import load_around
from shared import audit
from shared.contracts.base import Day
from shared.contracts.envelope import Envelope
from shared.contracts.events import IncidentAccepted
from shared.contracts.incident import Child, Incident, Name
from shared.db import Transaction
from shared.errors import Refused
from shared.keys import Caller

LOOK_UPS_A_DAY: Final = 50
_ACCEPTED: Final = TypeAdapter(Envelope[IncidentAccepted])

Concern = Literal[
    "child_said_something", "injury_seen", "behaviour_changed", "absent", "parent_said_something",
    "staff_worried",
]  # fmt: skip
"""Why a champion asks. The whole story stays in the champion's own record, named by `reference`."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AskedChild(_Closed):
    """Who it is about: a full name and a birth date; without both nobody can be told apart."""

    name: Name
    born: Day


class LookUp(_Closed):
    """What a champion asks."""

    child: AskedChild
    concern: Concern
    reference: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9/._-]+$")]


def read_look_up(raw: object) -> LookUp:
    """A look-up from plain data. Raises Refused (422) that says which field, and never what stood there."""
    try:
        asked = LookUp.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = "/" + "/".join(str(step) for step in first["loc"])
        raise Refused(422, "Not a look-up", f"{at}: {first['msg']}.", at=at) from None
    if not full_keys(person_asked(asked.child.name, asked.child.born)):
        raise Refused(422, "Not enough to go by", "Give the child's full name and birth date.", at="/child")
    return asked


async def look_up(tx: Transaction, asked: LookUp, caller: Caller) -> dict[str, Any]:
    """What the police were called to, the latest first. Raises Refused (429) beyond so many a day."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext(:key))", key=f"look_ups {caller.key}")
    used = await tx.value(
        """
        SELECT count(*) FROM audit
        WHERE who = :who AND act = 'child.looked_up' AND at > now() - interval '1 day'
        """,
        who=caller.key,
    )
    if used >= LOOK_UPS_A_DAY:
        raise Refused(
            429, "Too many look-ups", f"A champion may ask {LOOK_UPS_A_DAY} times a day.",
            headers={"Retry-After": "3600"},
        )  # fmt: skip
    found = await _find_child(tx, person_asked(asked.child.name, asked.child.born))
    seen = [(one, child) for one, child in found if _may_see(one, child, caller)]
    told = [(one, child) for one, child in seen if not _restricted(one)]
    told.sort(key=lambda pair: pair[0].occurred_at, reverse=True)
    await audit.record(
        tx, who=caller.key, act="child.looked_up", agency=caller.agency, concern=asked.concern,
        reference=asked.reference, told=[one.case for one, _ in told], withheld=len(seen) - len(told),
    )  # fmt: skip
    return {"known": bool(told), "incidents": [_tell(one, child) for one, child in told]}


async def _find_child(tx: Transaction, person: Person) -> list[tuple[Incident, Child]]:
    """The incidents that name the child, by the links that say `same` and no others.

    Where the words asked with suit two children nearly as well, neither is told of.
    """
    asked = Named("asked", "asked", person)
    [candidates] = await people_store.find_candidates(tx, [person])
    ties = [tied for one in candidates if (tied := tie(asked, Named(one.id, holder_of(one.id), one)))]
    same = {one.other if one.one == asked.id else one.one: one for one in ties if one.decision == "same"}
    if not same:
        return []
    picture = await load_around(tx, {holder_of(mention) for mention in same})
    cases = [one.case for one in picture.standing.values()]
    persons = gather_families(cases, picture.records, picture.ties.values(), picture.rulings.values()).persons
    if any(not persons.may_be_one(a, b) for a, b in combinations(same, 2)):
        return []
    who = {persons.of(mention) for mention in same}
    mentioned = {
        case.id: place
        for case in cases
        for place, (mention, one) in enumerate(zip(case.account.mentions, case.account.people, strict=True))
        if one.child and persons.of(mention) in who
    }
    events = await store.accepted_events(tx, sorted(mentioned))
    incidents = [_ACCEPTED.validate_json(events[case]).body.incident for case in sorted(events)]
    return [(one, _person_at(one, mentioned[one.case])) for one in incidents]


def _person_at(incident: Incident, place: int) -> Child:
    """The child at a place among an account's people, which are the adults and then the children."""
    return (incident.children or [])[place - len(incident.adults or ())]


def _may_see(incident: Incident, child: Child, caller: Caller) -> bool:
    return caller.may_see_area(child.area or incident.area)


def _restricted(incident: Incident) -> bool:
    """London 2008 app. 2: named staff only."""
    said = incident.incident
    return said is not None and bool(said.honour_based or said.forced_marriage)


def _tell(incident: Incident, child: Child) -> dict[str, Any]:
    said = incident.incident
    return {
        "force": incident.force,
        "reference": incident.reference,
        "occurred_on": incident.occurred_at.date().isoformat(),
        "violence": None if said is None or said.violence is None else list(said.violence),
        "police_level": incident.risk.level if incident.risk else None,
        "presence": child.presence,
    }
