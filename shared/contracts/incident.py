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
    """What was written there; a long value is cut."""
    because: Annotated[str, OPERATIONAL]
    """Why it is not taken as it stands, in plain words."""


class Gap(Contract):
    """Something missing that could matter, with its place and the reason."""

    at: Annotated[str, OPERATIONAL]
    """JSON pointer to where it would stand in the submission."""
    because: Annotated[str, OPERATIONAL]
    """Why it is missed, in plain words."""


class Name(Contract):
    """A person's name; `also_known_as` holds other full names and spellings."""

    given: Annotated[str | None, about("adult", "identifying")] = None
    """Given names as recorded, the first one first (NSPCC 2009 t31)."""
    family: Annotated[str | None, about("adult", "identifying")] = None
    """Family name as recorded (NSPCC 2009 t31)."""
    also_known_as: Annotated[list[str] | None, about("adult", "identifying")] = None
    """Other full names and spellings; two records in five differed in a name, birth
    date or member (NSPCC 2009 s6.2.3)."""


class Address(Contract):
    """A postal address."""

    line1: Annotated[str | None, about("adult", "contact")] = None
    """House and street."""
    line2: Annotated[str | None, about("adult", "contact")] = None
    """What else belongs to the street address."""
    town: Annotated[str | None, about("adult", "contact")] = None
    """Town or village."""
    postcode: Annotated[str | None, about("adult", "contact")] = None
    """Postcode, in any spacing and capitals."""


class Place(Contract):
    """Where it happened."""

    kind: Annotated[v.PlaceKind | None, CIRCUMSTANCE] = None
    """What sort of place it was (NSPCC 2009 t14)."""
    address: Annotated[Address | None, about("victim", "contact")] = None
    """Where it was, if it has an address. Never passed on to anybody who could endanger the victim by it."""


class Phone(Contract):
    """A number and whether it is safe to ring, and when (NSPCC 2009 s6.5.2: contact can endanger)."""

    number: Annotated[str | None, about("adult", "contact")] = None
    """The number as written."""
    safe: Annotated[bool | None, about("adult", "contact")] = None
    """True: the person may be rung on it safely; false: that could endanger them; unknown is not yes."""
    when: Annotated[str | None, about("adult", "contact")] = None
    """When it is safe to ring, in the assessor's words."""


class School(Contract):
    """A school, by its unique reference number (URN)."""

    name: Annotated[str | None, about("child", "personal")] = None
    """The school's or nursery's name (the south form carried it, NSPCC 2009 t31)."""
    urn: Annotated[str | None, about("child", "personal")] = None
    """The unique reference number of the school register, six digits."""


class Adult(Contract):
    """An adult in the incident. `id` is the sender's own, unique within the incident."""

    id: Annotated[str, OPERATIONAL]
    """The sender's own id of this person, unique within the incident; relationships, injuries and weapons
    name people by it."""
    role: Annotated[v.AdultRole | None, CIRCUMSTANCE] = None
    """The part in this incident (NSPCC 2009 s4.4.1); `both` is victim and suspect at once and treated as a
    victim too."""
    name: Annotated[Name | None, about("adult", "identifying")] = None
    """The name and its other spellings."""
    born: Annotated[Day | None, about("adult", "identifying")] = None
    """Birth date, YYYY-MM-DD; DD/MM/YYYY is read too, day first (NSPCC 2009 t6, t8)."""
    sex: Annotated[v.Sex | None, about("adult", "personal")] = None
    """Sex as recorded (NSPCC 2009 s4.4.2, s4.4.3)."""
    ethnicity: Annotated[str | None, about("adult", "special")] = None
    """Ethnic appearance or self-defined ethnicity, in the force's own terms (NSPCC 2009 t10, t11)."""
    address: Annotated[Address | None, about("adult", "contact")] = None
    """Home address. Of a victim it is shown to nobody who could pass it on."""
    area: Annotated[str | None, about("adult", "personal")] = None
    """Id of the local authority area of the home."""
    phones: Annotated[list[Phone] | None, about("adult", "contact")] = None
    """Numbers, each with whether it is safe (NSPCC 2009 s6.5.2); an empty list: has none."""
    pregnant: Annotated[bool | None, about("adult", "special")] = None
    """Pregnant at the time (NSPCC 2009 s4.4.2, s6.5.1). True also brings an unborn child into the case."""
    disabilities: Annotated[list[str] | None, about("adult", "special")] = None
    """Disabilities in the officer's words; an empty list: known to have none."""
    interpreter: Annotated[str | None, about("adult", "special")] = None
    """The language that an interpreter is needed for."""
    no_recourse_to_public_funds: Annotated[bool | None, about("adult", "special")] = None
    """The person's leave to be in the country excludes public funds (domain.md, adults)."""
    factors: Annotated[list[v.Factor] | None, about("adult", "special")] = None
    """Alcohol, drugs, mental health, self-harm, threats of suicide, at the time or known (NSPCC 2009 s4.4.2,
    s4.4.3)."""
    needs: Annotated[list[v.Need] | None, about("adult", "special")] = None
    """Needs for support that change who can help (domain.md, adults)."""
    controlling: Annotated[bool | None, about("adult", "personal")] = None
    """Controlling or jealous behaviour of this person as the victim tells it (SPECSS+ and Dash ask it)."""
    criminal_history: Annotated[list[str] | None, about("adult", "special")] = None
    """Earlier offences or kinds of offence (the south form's criminal trace, NSPCC 2009 t31); an empty list:
    traced, none found."""
    bail_conditions: Annotated[list[str] | None, about("adult", "personal")] = None
    """Conditions of bail or licence in force, in words."""
    orders_in_force: Annotated[list[v.Order] | None, about("adult", "personal")] = None
    """Civil and criminal orders that protect somebody from this person; an empty list: checked, none."""
    orders_breached: Annotated[list[v.Order] | None, about("adult", "personal")] = None
    """Which of them this incident breached (NSPCC 2009 t27: breach of injunction)."""
    programme_willing: Annotated[bool | None, about("adult", "personal")] = None
    """Whether the person would go to a perpetrator programme (protocols route on it)."""
    occupation: Annotated[str | None, about("adult", "personal")] = None
    """Occupation; working with children matters to safeguarding."""
    pnc_id: Annotated[str | None, about("adult", "identifying")] = None
    """Police national computer id, as 2009/0123456X."""


class Child(Contract):
    """A child of the family, in the incident or not. The presence kinds are those of NSPCC 2009 table 19."""

    id: Annotated[str, OPERATIONAL]
    """The sender's own id of this child, unique within the incident, adults included."""
    name: Annotated[Name | None, about("child", "identifying")] = None
    """The name and its other spellings (NSPCC 2009 s6.2.3)."""
    born: Annotated[Day | None, about("child", "identifying")] = None
    """Birth date, YYYY-MM-DD; DD/MM/YYYY is read too. Up to 280 days after the incident: expected, an unborn
    child. Missing for one child in twenty (NSPCC 2009 t4)."""
    sex: Annotated[v.Sex | None, about("child", "personal")] = None
    """Sex as recorded (NSPCC 2009 s4.3)."""
    ethnicity: Annotated[str | None, about("child", "special")] = None
    """Ethnic appearance or self-defined ethnicity, in the force's own terms (NSPCC 2009 t5)."""
    address: Annotated[Address | None, about("child", "contact")] = None
    """Home address, where it is known to be this child's own (the north form had none, NSPCC 2009 t31)."""
    area: Annotated[str | None, about("child", "personal")] = None
    """Id of the local authority area of the home."""
    whereabouts: Annotated[v.Whereabouts | None, about("child", "contact")] = None
    """With whom the child is now."""
    school: Annotated[School | None, about("child", "personal")] = None
    """School or nursery (the south form carried it, NSPCC 2009 t31)."""
    home_educated: Annotated[bool | None, about("child", "personal")] = None
    """True: taught at home, so no school is missing."""
    disabilities: Annotated[list[str] | None, about("child", "special")] = None
    """Disabilities in the officer's words; an empty list: known to have none."""
    needs: Annotated[list[v.Need] | None, about("child", "special")] = None
    """Needs for support (NSPCC 2009 s6.5.5)."""
    presence: Annotated[v.Presence | None, about("child", "circumstance")] = None
    """Where the child was (NSPCC 2009 t19). `not_recorded` is read as unknown; it was not conveyed in one
    notification of ten (s5.10.4)."""
    called_for_help: Annotated[bool | None, about("child", "circumstance")] = None
    """The child called the police or fetched help (NSPCC 2009 t22, s5.3.4)."""
    intervened: Annotated[bool | None, about("child", "circumstance")] = None
    """The child stepped in or protected somebody (NSPCC 2009 s4.12)."""
    held_by_adult: Annotated[bool | None, about("child", "circumstance")] = None
    """The child was in the arms of an adult during it (NSPCC 2009 s4.12)."""
    threatened: Annotated[bool | None, about("child", "circumstance")] = None
    """The child was threatened."""
    assaulted: Annotated[bool | None, about("child", "circumstance")] = None
    """The child was attacked or struck, meant or not."""
    injured: Annotated[bool | None, about("child", "circumstance")] = None
    """The child was hurt (NSPCC 2009 t17); then it is among `incident.injuries` too."""
    distressed: Annotated[bool | None, about("child", "circumstance")] = None
    """The child was upset when seen (NSPCC 2009 s4.12)."""
    voice: Annotated[str | None, about("child", "personal")] = None
    """What the child said, in its own words."""


class Relationship(Contract):
    """`from_` is `kind` of `to`: `{"from": "a1", "to": "c1", "kind": "parent"}`."""

    from_: Annotated[str, OPERATIONAL, Field(alias="from")]
    """Id of the person who is `kind` of the other."""
    to: Annotated[str, OPERATIONAL]
    """Id of the other person."""
    kind: Annotated[v.RelationshipKind | None, about("family", "personal")] = None
    """How they are related (NSPCC 2009 t12, t13)."""
    separated_on: Annotated[Day | None, about("family", "personal")] = None
    """Of former partners: the day they parted, YYYY-MM-DD; danger rises after it (NSPCC 2009 s4.8)."""
    lives_together: Annotated[bool | None, about("family", "personal")] = None
    """Whether the two share a home now."""


class Weapon(Contract):
    """A weapon, how it was used, and by whom (an adult's id)."""

    kind: Annotated[v.WeaponKind | None, CIRCUMSTANCE] = None
    """What it was (NSPCC 2009 s4.9)."""
    use: Annotated[v.WeaponUse | None, CIRCUMSTANCE] = None
    """The most that was done with it, from present to injured."""
    by: Annotated[str | None, OPERATIONAL] = None
    """Id of the person who had it."""


class Injury(Contract):
    """An injury: to whom (a person's id), how bad, treated or not. NSPCC 2009 box 10."""

    to: Annotated[str | None, OPERATIONAL] = None
    """Id of the injured person (NSPCC 2009 t17)."""
    severity: Annotated[v.InjurySeverity | None, CIRCUMSTANCE] = None
    """How bad it was (NSPCC 2009 box 10)."""
    treated: Annotated[bool | None, CIRCUMSTANCE] = None
    """Whether it needed and got treatment; then it counts as at least moderate (NSPCC 2009 box 10)."""


class Happened(Contract):
    """What happened."""

    violence: Annotated[list[v.Violence] | None, CIRCUMSTANCE] = None
    """Every kind of violence and abuse used (NSPCC 2009 s4.9, box 10); an empty list: none."""
    weapons: Annotated[list[Weapon] | None, CIRCUMSTANCE] = None
    """Weapons that were there, shown, threatened with or used (NSPCC 2009 s4.9); an empty list: none."""
    injuries: Annotated[list[Injury] | None, CIRCUMSTANCE] = None
    """Who was hurt and how (NSPCC 2009 t17); an empty list: nobody."""
    threats: Annotated[list[v.Threat] | None, CIRCUMSTANCE] = None
    """Threats made, to kill and with fire among them (NSPCC 2009 t27); an empty list: none."""
    strangulation: Annotated[bool | None, CIRCUMSTANCE] = None
    """Strangling, choking or anything that stops breath (Dash asks it; a MARAC criterion)."""
    sexual_offence: Annotated[bool | None, CIRCUMSTANCE] = None
    """A sexual offence is told or suspected (NSPCC 2009 t27)."""
    property_damaged: Annotated[bool | None, CIRCUMSTANCE] = None
    """Property was damaged (NSPCC 2009 t27: criminal damage)."""
    stalking: Annotated[bool | None, CIRCUMSTANCE] = None
    """Stalking or harassment as a course of conduct."""
    contact_dispute: Annotated[bool | None, CIRCUMSTANCE] = None
    """A dispute about contact with the children (NSPCC 2009 s4.8: 35 of 184 described incidents)."""
    separation_intended: Annotated[bool | None, CIRCUMSTANCE] = None
    """The victim means to leave or has said so (NSPCC 2009 s4.8)."""
    honour_based: Annotated[bool | None, CIRCUMSTANCE] = None
    """So-called honour is part of it."""
    forced_marriage: Annotated[bool | None, CIRCUMSTANCE] = None
    """A forced marriage is feared or has taken place."""
    animals_harmed: Annotated[bool | None, CIRCUMSTANCE] = None
    """An animal was hurt or threatened (Dash asks it)."""
    escalating: Annotated[bool | None, CIRCUMSTANCE] = None
    """Rising in severity or frequency, as the victim sees it."""
    offences: Annotated[list[v.Offence] | None, CIRCUMSTANCE] = None
    """Offences identified (NSPCC 2009 t27); an empty list: none."""


class Risk(Contract):
    """The police's risk assessment of the victim. Words never lower a level (safeguard S14)."""

    tool: Annotated[v.RiskTool | None, CIRCUMSTANCE] = None
    """The tool that was used (NSPCC 2009 s5.6)."""
    level: Annotated[v.PoliceLevel | None, CIRCUMSTANCE] = None
    """The level it gave: standard (bronze), medium (silver), high (gold) (NSPCC 2009 t25)."""
    yes_answers: Annotated[int | None, CIRCUMSTANCE, Field(ge=0, le=100)] = None
    """How many questions were answered with yes, a whole number from 0 to 100."""
    judgement: Annotated[str | None, about("victim", "personal")] = None
    """The assessor's own words."""
    concern: Annotated[bool | None, CIRCUMSTANCE] = None
    """True: the assessor judges the risk higher than the answers say."""
    heightened_concern: Annotated[str | None, about("victim", "personal")] = None
    """What the officer wants seen beyond the level, in words (NSPCC 2009 s5.10.3)."""


class Actions(Contract):
    """What has been done so far."""

    arrested: Annotated[bool | None, about("suspect", "circumstance")] = None
    """Somebody was arrested (NSPCC 2009 t26, t28)."""
    charged: Annotated[bool | None, about("suspect", "circumstance")] = None
    """Somebody was charged (NSPCC 2009 t28)."""
    victim_moved_to_safety: Annotated[bool | None, about("victim", "circumstance")] = None
    """The victim, with or without children, was taken to a safe place (NSPCC 2009 s5.9.2)."""
    referrals: Annotated[list[str] | None, CIRCUMSTANCE] = None
    """Services told already, by name (NSPCC 2009 s5.9.2); an empty list: none."""
    section_47_referral: Annotated[bool | None, CIRCUMSTANCE] = None
    """A child-protection referral (Children Act 1989, section 47) was made by the police."""


class Consent(Contract):
    """Consent to share: asked, given, and whether the victim knows that it is shared."""

    asked: Annotated[bool | None, about("victim", "circumstance")] = None
    """The victim was asked whether to share (NSPCC 2009 s5.10.1)."""
    given: Annotated[bool | None, about("victim", "circumstance")] = None
    """The victim agreed. No consent stops nothing where a child may be at risk (London 2008 s8.2.2)."""
    aware: Annotated[bool | None, about("victim", "circumstance")] = None
    """The victim knows that it is shared."""


class Incident(Contract):
    """One revision of a police incident. Times are UTC; the case's id is `force/reference`."""

    schema_id: ClassVar[str] = "waymark.incident/1"

    schema_: Annotated[Literal["waymark.incident/1"], OPERATIONAL, Field(alias="schema")] = "waymark.incident/1"
    """Which contract this is."""
    force: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    """The police force's id, as the key was given out for: letters, digits, dot, dash, underscore, at most
    64."""
    reference: Annotated[str, OPERATIONAL, Field(min_length=1, max_length=128)]
    """The force's own number of the incident, text of 1 to 128 characters without control characters; with
    the force it names the case."""
    revision: Annotated[int | None, OPERATIONAL, Field(ge=1, le=1_000_000_000)] = None
    """The version of this record, counted from 1 by the sender; without it Waymark numbers. Same revision,
    same content: a repeat."""
    withdrawn: Annotated[bool | None, OPERATIONAL] = None
    """True: recorded in error; everyone who was told is told so, and nothing is deleted."""
    test: Annotated[bool | None, OPERATIONAL] = None
    """True: a trial message; it goes the whole way and never to a live recipient. Once any revision of a case
    was no test, the case stays live."""
    occurred_at: Annotated[Moment, CIRCUMSTANCE]
    """When it happened, or began: ISO 8601 with an offset; without one, local time in England. The day
    decides ages (NSPCC 2009 t15, t16)."""
    reported_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    """When the police were told, ISO 8601: the start of the case's time ledger (NSPCC 2009 s4.7)."""
    attended: Annotated[bool | None, CIRCUMSTANCE] = None
    """Whether the police went there (NSPCC 2009 t14: ten by telephone only)."""
    attended_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    """When the police came, ISO 8601 (NSPCC 2009 t23)."""
    recorded_at: Annotated[Moment | None, CIRCUMSTANCE] = None
    """When it was written up, ISO 8601 (NSPCC 2009 t29, t30: how long notifications took)."""
    area: Annotated[str | None, OPERATIONAL] = None
    """Id of the local authority area of the incident."""
    place: Annotated[Place | None, CIRCUMSTANCE] = None
    """Where it happened (NSPCC 2009 t14)."""
    caller: Annotated[v.Caller | None, about("caller", "circumstance")] = None
    """Who called the police (NSPCC 2009 t22)."""
    summary: Annotated[str | None, about("case", "special")] = None
    """The circumstances in the officer's words, kept verbatim; shown as text, never acted on (NSPCC 2009
    t31)."""
    adults: Annotated[list[Adult] | None, about("adult", "identifying")] = None
    """Every adult in the incident; an empty list: none known."""
    children: Annotated[list[Child] | None, about("child", "identifying")] = None
    """Every child of the family, in the incident or not: one in fourteen notifications left one out (NSPCC
    2009 s5.10.4). Absent: not known whether there are any; an empty list: known none."""
    relationships: Annotated[list[Relationship] | None, about("family", "personal")] = None
    """Who is what to whom; the north form had none (NSPCC 2009 t31, s6.2.3)."""
    incident: Annotated[Happened | None, CIRCUMSTANCE] = None
    """What happened."""
    risk: Annotated[Risk | None, CIRCUMSTANCE] = None
    """The police's risk assessment of the victim (NSPCC 2009 t25)."""
    protective: Annotated[list[v.Protective] | None, CIRCUMSTANCE] = None
    """What protects the children in this family (Barnardo's matrix); an empty list: looked for, nothing
    found."""
    actions: Annotated[Actions | None, CIRCUMSTANCE] = None
    """What has been done so far (NSPCC 2009 t26, t28)."""
    consent: Annotated[Consent | None, about("victim", "circumstance")] = None
    """What the victim was asked and said about sharing (NSPCC 2009 s5.10.1)."""
    faults: Annotated[list[Fault] | None, about("case", "special")] = None
    """What the door could not read; a fault inside a list means that the list may be incomplete."""

    @property
    def case(self) -> str:
        """The case's id, `force/reference`."""
        return f"{self.force}/{self.reference}"
