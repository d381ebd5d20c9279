"""`waymark.incident/1`: what the police send, after the door has read it.

Every field may be missing (None: unknown) except `force`, `reference` and `occurred_at`; an empty list
means known to be none. A list that is there counts as complete unless `faults` names an entry of it.
Sources: NSPCC 2009 tables 27-31 and s5.10, s6.2.3 (what the two sites' forms carried and what was
missed); domain.md "What a notification carries".
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Day, Moment
from shared.privacy import CIRCUMSTANCE, OPERATIONAL, about


class Fault(Contract):
    """Something that was written but could not be read: kept as written, treated as unknown."""

    at: Annotated[str, OPERATIONAL]
    """JSON pointer into the submission as it was sent."""
    said: Annotated[Any, about("case", "special")] = None
    because: Annotated[str, OPERATIONAL]


class Gap(Contract):
    """Something missing that could matter, with its place and the reason."""

    at: Annotated[str, OPERATIONAL]
    because: Annotated[str, OPERATIONAL]


class Name(Contract):
    """A person's name; `also_known_as` holds other full names and spellings."""

    given: Annotated[str | None, about("adult", "identifying")] = None
    family: Annotated[str | None, about("adult", "identifying")] = None
    also_known_as: Annotated[list[str] | None, about("adult", "identifying")] = None


class Address(Contract):
    """A postal address."""

    line1: Annotated[str | None, about("adult", "contact")] = None
    line2: Annotated[str | None, about("adult", "contact")] = None
    town: Annotated[str | None, about("adult", "contact")] = None
    postcode: Annotated[str | None, about("adult", "contact")] = None


class Place(Contract):
    """Where it happened."""

    kind: Annotated[v.PlaceKind | None, CIRCUMSTANCE] = None
    address: Annotated[Address | None, about("victim", "contact")] = None


class Phone(Contract):
    """A number and whether it is safe to ring, and when (NSPCC 2009 s6.5.2: contact can endanger)."""

    number: Annotated[str | None, about("adult", "contact")] = None
    safe: Annotated[bool | None, about("adult", "contact")] = None
    when: Annotated[str | None, about("adult", "contact")] = None


class School(Contract):
    """A school, by its unique reference number (URN)."""

    name: Annotated[str | None, about("child", "personal")] = None
    urn: Annotated[str | None, about("child", "personal")] = None


class Adult(Contract):
    """An adult in the incident. `id` is the sender's own, unique within the incident."""

    id: Annotated[str, OPERATIONAL]
    role: Annotated[v.AdultRole | None, CIRCUMSTANCE] = None
    name: Annotated[Name | None, about("adult", "identifying")] = None
    born: Annotated[Day | None, about("adult", "identifying")] = None
    sex: Annotated[v.Sex | None, about("adult", "personal")] = None
    ethnicity: Annotated[str | None, about("adult", "special")] = None
    address: Annotated[Address | None, about("adult", "contact")] = None
    area: Annotated[str | None, about("adult", "personal")] = None
    phones: Annotated[list[Phone] | None, about("adult", "contact")] = None
    pregnant: Annotated[bool | None, about("adult", "special")] = None
    disabilities: Annotated[list[str] | None, about("adult", "special")] = None
    interpreter: Annotated[str | None, about("adult", "special")] = None
    no_recourse_to_public_funds: Annotated[bool | None, about("adult", "special")] = None
    factors: Annotated[list[v.Factor] | None, about("adult", "special")] = None
    needs: Annotated[list[v.Need] | None, about("adult", "special")] = None
    controlling: Annotated[bool | None, about("adult", "personal")] = None
    criminal_history: Annotated[list[str] | None, about("adult", "special")] = None
    bail_conditions: Annotated[list[str] | None, about("adult", "personal")] = None
    orders_in_force: Annotated[list[v.Order] | None, about("adult", "personal")] = None
    orders_breached: Annotated[list[v.Order] | None, about("adult", "personal")] = None
    programme_willing: Annotated[bool | None, about("adult", "personal")] = None
    occupation: Annotated[str | None, about("adult", "personal")] = None
    pnc_id: Annotated[str | None, about("adult", "identifying")] = None


class Child(Contract):
    """A child of the family, in the incident or not. The presence kinds are those of NSPCC 2009 table 19."""

    id: Annotated[str, OPERATIONAL]
    name: Annotated[Name | None, about("child", "identifying")] = None
    born: Annotated[Day | None, about("child", "identifying")] = None
    sex: Annotated[v.Sex | None, about("child", "personal")] = None
    ethnicity: Annotated[str | None, about("child", "special")] = None
    address: Annotated[Address | None, about("child", "contact")] = None
    area: Annotated[str | None, about("child", "personal")] = None
    whereabouts: Annotated[v.Whereabouts | None, about("child", "contact")] = None
    school: Annotated[School | None, about("child", "personal")] = None
    home_educated: Annotated[bool | None, about("child", "personal")] = None
    disabilities: Annotated[list[str] | None, about("child", "special")] = None
    needs: Annotated[list[v.Need] | None, about("child", "special")] = None
    presence: Annotated[v.Presence | None, about("child", "circumstance")] = None
    called_for_help: Annotated[bool | None, about("child", "circumstance")] = None
    intervened: Annotated[bool | None, about("child", "circumstance")] = None
    held_by_adult: Annotated[bool | None, about("child", "circumstance")] = None
    threatened: Annotated[bool | None, about("child", "circumstance")] = None
    assaulted: Annotated[bool | None, about("child", "circumstance")] = None
    injured: Annotated[bool | None, about("child", "circumstance")] = None
    distressed: Annotated[bool | None, about("child", "circumstance")] = None
    voice: Annotated[str | None, about("child", "personal")] = None
    """What the child said, in its own words."""


class Relationship(Contract):
    """`from_` is `kind` of `to`: `{"from": "a1", "to": "c1", "kind": "parent"}`."""

    from_: Annotated[str, OPERATIONAL, Field(alias="from")]
    to: Annotated[str, OPERATIONAL]
    kind: Annotated[v.RelationshipKind | None, about("family", "personal")] = None
    separated_on: Annotated[Day | None, about("family", "personal")] = None
    lives_together: Annotated[bool | None, about("family", "personal")] = None


class Weapon(Contract):
    """A weapon, how it was used, and by whom (an adult's id)."""

    kind: Annotated[v.WeaponKind | None, CIRCUMSTANCE] = None
    use: Annotated[v.WeaponUse | None, CIRCUMSTANCE] = None
    by: Annotated[str | None, OPERATIONAL] = None


class Injury(Contract):
    """An injury: to whom (a person's id), how bad, treated or not. NSPCC 2009 box 10."""

    to: Annotated[str | None, OPERATIONAL] = None
    severity: Annotated[v.InjurySeverity | None, CIRCUMSTANCE] = None
    treated: Annotated[bool | None, CIRCUMSTANCE] = None


class Happened(Contract):
    """What happened."""

    violence: Annotated[list[v.Violence] | None, CIRCUMSTANCE] = None
    weapons: Annotated[list[Weapon] | None, CIRCUMSTANCE] = None
    injuries: Annotated[list[Injury] | None, CIRCUMSTANCE] = None
    threats: Annotated[list[v.Threat] | None, CIRCUMSTANCE] = None
    strangulation: Annotated[bool | None, CIRCUMSTANCE] = None
    sexual_offence: Annotated[bool | None, CIRCUMSTANCE] = None
    property_damaged: Annotated[bool | None, CIRCUMSTANCE] = None
    stalking: Annotated[bool | None, CIRCUMSTANCE] = None
    contact_dispute: Annotated[bool | None, CIRCUMSTANCE] = None
    separation_intended: Annotated[bool | None, CIRCUMSTANCE] = None
    honour_based: Annotated[bool | None, CIRCUMSTANCE] = None
    forced_marriage: Annotated[bool | None, CIRCUMSTANCE] = None
    animals_harmed: Annotated[bool | None, CIRCUMSTANCE] = None
    escalating: Annotated[bool | None, CIRCUMSTANCE] = None
    """Rising in severity or frequency, as the victim sees it."""
    offences: Annotated[list[v.Offence] | None, CIRCUMSTANCE] = None


class Risk(Contract):
    """The police's risk assessment of the victim. Words never lower a level (safeguard S14)."""

    tool: Annotated[v.RiskTool | None, CIRCUMSTANCE] = None
    level: Annotated[v.PoliceLevel | None, CIRCUMSTANCE] = None
    yes_answers: Annotated[int | None, CIRCUMSTANCE, Field(ge=0, le=100)] = None
    judgement: Annotated[str | None, about("victim", "personal")] = None
    concern: Annotated[bool | None, CIRCUMSTANCE] = None
    """True: the assessor judges the risk higher than the answers say."""
    heightened_concern: Annotated[str | None, about("victim", "personal")] = None


class Actions(Contract):
    """What has been done so far."""

    arrested: Annotated[bool | None, about("suspect", "circumstance")] = None
    charged: Annotated[bool | None, about("suspect", "circumstance")] = None
    victim_moved_to_safety: Annotated[bool | None, about("victim", "circumstance")] = None
    referrals: Annotated[list[str] | None, CIRCUMSTANCE] = None
    section_47_referral: Annotated[bool | None, CIRCUMSTANCE] = None


class Consent(Contract):
    """Consent to share: asked, given, and whether the victim knows that it is shared."""

    asked: Annotated[bool | None, about("victim", "circumstance")] = None
    given: Annotated[bool | None, about("victim", "circumstance")] = None
    aware: Annotated[bool | None, about("victim", "circumstance")] = None


class Incident(Contract):
    """One revision of a police incident. Times are UTC; the case's id is `force/reference`."""

    schema_id: ClassVar[str] = "waymark.incident/1"

    schema_: Annotated[Literal["waymark.incident/1"], OPERATIONAL, Field(alias="schema")] = "waymark.incident/1"
    force: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    reference: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=128)]
    revision: Annotated[int | None, OPERATIONAL, Field(ge=1, le=1_000_000_000)] = None
    withdrawn: Annotated[bool | None, OPERATIONAL] = None
    test: Annotated[bool | None, OPERATIONAL] = None
    occurred_at: Annotated[Moment, CIRCUMSTANCE]
    reported_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    attended: Annotated[bool | None, CIRCUMSTANCE] = None
    attended_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    recorded_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    area: Annotated[str | None, OPERATIONAL] = None
    place: Annotated[Place | None, CIRCUMSTANCE] = None
    caller: Annotated[v.Caller | None, about("caller", "circumstance")] = None
    summary: Annotated[str | None, about("case", "special")] = None
    adults: Annotated[list[Adult] | None, about("adult", "identifying")] = None
    children: Annotated[list[Child] | None, about("child", "identifying")] = None
    relationships: Annotated[list[Relationship] | None, about("family", "personal")] = None
    incident: Annotated[Happened | None, CIRCUMSTANCE] = None
    risk: Annotated[Risk | None, CIRCUMSTANCE] = None
    protective: Annotated[list[v.Protective] | None, CIRCUMSTANCE] = None
    actions: Annotated[Actions | None, CIRCUMSTANCE] = None
    consent: Annotated[Consent | None, about("victim", "circumstance")] = None
    faults: Annotated[list[Fault] | None, about("case", "special")] = None
    """What the door could not read; a fault inside a list means that the list may be incomplete."""

    @property
    def case(self) -> str:
        """The case's id, `force/reference`."""
        return f"{self.force}/{self.reference}"
