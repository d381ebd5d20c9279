"""The closed lists behind the contracts' text fields, and the ladders that decisions are made on.

Lists may grow, their entries are never renamed. Where the order matters it is from least to most.
Every service may import this module, `domain.py` files included: it holds words, no rules.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

AdultRole = Literal["victim", "suspect", "both", "witness", "relative", "other"]
"""`both` is victim and suspect at once: each such person is treated as a victim too."""

Sex = Literal["female", "male", "other"]
PlaceKind = Literal[
    "victim_home", "suspect_home", "shared_home", "relative_home", "public_place",
    "telephone", "online", "workplace", "school", "other",
]  # fmt: skip
Caller = Literal[
    "victim", "child", "suspect", "neighbour", "relative", "friend", "professional", "anonymous", "other"
]
RelationshipKind = Literal[
    "partner", "ex_partner", "spouse", "ex_spouse", "parent", "step_parent", "parents_partner", "grandparent",
    "sibling", "adult_child", "other_relative", "carer", "household_member",
]  # fmt: skip
Presence = Literal["not_on_premises", "on_premises", "another_room", "asleep", "heard", "witnessed"]
"""NSPCC 2009 table 19. `not_recorded` is read as unknown."""

Whereabouts = Literal["with_victim", "with_suspect", "with_relative", "in_care", "unknown_address", "other"]
Violence = Literal[
    "verbal", "controlling", "harassment", "push", "slap", "kick", "punch", "object_thrown", "hair_pulled",
    "bite", "burn", "weapon", "strangulation", "sexual", "other_physical",
]  # fmt: skip
WeaponKind = Literal["knife", "blunt", "firearm", "household", "vehicle", "acid", "fire", "other"]
WeaponUse = Literal["present", "shown", "threatened", "used", "injured"]
InjurySeverity = Literal["minor", "moderate", "serious", "life_threatening"]
Threat = Literal["harm", "weapon", "fire", "take_children", "harm_children", "suicide", "kill"]
Factor = Literal["alcohol", "drugs", "mental_health", "self_harm", "suicide_threat"]
Need = Literal[
    "learning_disability", "physical_disability", "sensory_impairment", "autism", "long_term_illness",
    "care_leaver",
]  # fmt: skip
Order = Literal[
    "non_molestation", "occupation", "restraining", "prohibited_steps", "dv_protection_notice",
    "dv_protection_order", "stalking_protection", "contact_order", "undertaking",
]  # fmt: skip
OrderOrBail = Literal[
    "non_molestation", "occupation", "restraining", "prohibited_steps", "dv_protection_notice",
    "dv_protection_order", "stalking_protection", "contact_order", "undertaking", "bail",
]  # fmt: skip
Escalation = Literal["more_often", "graver"]
LateCause = Literal["incident", "decision", "outcome", "records", "ruling", "looked_up"]
"""What brought late knowledge: another incident, new, amended or withdrawn; a decision on an earlier one, or an
answer to it; a council's records; a person who joined two people or kept them apart; the history itself, where
it could not be looked up before."""

PoliceLevel = Literal["standard", "medium", "high"]
RiskTool = Literal["specss_plus", "dash", "dara", "other"]
ViolenceLevel = Literal["none_low", "medium", "high"]
"""NSPCC 2009 box 10."""

InvolvementLevel = Literal["none", "low", "medium", "high", "open"]
"""NSPCC 2009 s6.4."""

Pathway = Literal[
    "none", "letter", "contact_record", "visit_or_call", "early_help", "section_17", "section_47",
    "open_case_updated",
]  # fmt: skip
Protective = Literal[
    "nurturing_parent", "trusted_adult", "mother_sought_help_before", "perpetrator_accepts_responsibility",
    "safe_accommodation", "professionals_engaged",
]  # fmt: skip
Offence = Literal[
    "verbal_abuse", "threatening_behaviour", "breach_of_peace", "emotional_abuse", "controlling_or_coercive",
    "common_assault", "actual_bodily_harm", "grievous_bodily_harm", "criminal_damage", "harassment",
    "stalking", "breach_of_bail", "breach_of_injunction", "threats_to_kill", "strangulation",
    "sexual_assault", "rape", "child_cruelty", "attempted_murder", "murder", "other",
]  # fmt: skip
HistoryStatus = Literal["complete", "incomplete", "unavailable"]
Link = Literal["certain", "likely"]

CssResponse = Literal["none", "inform", "contact_record", "early_help", "section_17", "section_47"]
VictimLevel = PoliceLevel
Service = Literal[
    "childrens_services", "child_abuse_investigation", "sexual_offence_unit", "marac", "idva", "child_idva",
    "specialist_domestic_abuse", "multi_agency_centre", "victim_support", "family_support", "health_visitor",
    "midwifery", "school_nurse", "education", "camhs", "adult_safeguarding", "community_safety",
    "perpetrator_programme", "supervised_contact", "housing", "interpreter", "no_recourse_advice",
    "joint_visit", "allocation_panel",
]  # fmt: skip
Handling = Literal["safe_contact_only", "restricted", "no_family_contact", "update_open_case"]
SharingBasis = Literal[
    "safeguarding_without_consent", "prevention_of_harm", "statutory_duty", "consent", "vital_interests"
]
ReceiptKind = Literal["received", "opened", "accepted", "rejected", "decided"]
ChannelKind = Literal["webhook", "topic", "inbox"]
Lane = Literal["live", "bulk"]
CaseState = Literal[
    "in_flight", "held", "routed", "no_recipient_by_rule", "superseded", "withdrawn", "dead_lettered"
]
"""Every accepted revision is in exactly one of these (design.md, promise 1)."""

Agency = Literal[
    "police", "childrens_services", "health", "education", "specialist", "marac", "ops", "partnership"
]

MeetingKind = Literal["marac", "allocation_panel"]
"""Meetings that are lists of cases; each is also the service that a case is routed to."""

Attending = Literal[
    "police", "childrens_services", "probation", "health", "education", "idva", "specialist", "housing",
    "adult_safeguarding", "community_safety", "marac", "other",
]  # fmt: skip
"""Who sits at a meeting (London 2008 app. 6): `marac` is the coordinator."""

PRESENCES: Final[tuple[str, ...]] = get_args(Presence)
VIOLENCE: Final[tuple[str, ...]] = get_args(Violence)
PHYSICAL_VIOLENCE: Final[tuple[str, ...]] = VIOLENCE[VIOLENCE.index("push") :]
"""Everything after `verbal`, `controlling` and `harassment` touches the body."""

INJURY_SEVERITIES: Final[tuple[str, ...]] = get_args(InjurySeverity)
THREATS: Final[tuple[str, ...]] = get_args(Threat)
WEAPON_USES: Final[tuple[str, ...]] = get_args(WeaponUse)
POLICE_LEVELS: Final[tuple[str, ...]] = get_args(PoliceLevel)
VICTIM_LEVELS: Final[tuple[str, ...]] = get_args(PoliceLevel)
VIOLENCE_LEVELS: Final[tuple[str, ...]] = get_args(ViolenceLevel)
INVOLVEMENT_LEVELS: Final[tuple[str, ...]] = get_args(InvolvementLevel)
CSS_RESPONSES: Final[tuple[str, ...]] = get_args(CssResponse)
SERVICES: Final[tuple[str, ...]] = get_args(Service)
HANDLINGS: Final[tuple[str, ...]] = get_args(Handling)
CHILD_LEVELS: Final[tuple[int, ...]] = (0, 1, 2, 3, 4)
CASE_STATES: Final[tuple[str, ...]] = get_args(CaseState)
MEETING_KINDS: Final[tuple[MeetingKind, ...]] = get_args(MeetingKind)
ATTENDING: Final[tuple[Attending, ...]] = get_args(Attending)
LANES: Final[tuple[Lane, ...]] = get_args(Lane)
